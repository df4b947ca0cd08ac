"""Axes in a whole `.h5`, which Keras 3 drops while it loads the model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from tests.live import keras as live_keras

keras: Any = live_keras()

pytestmark = pytest.mark.filterwarnings("ignore")

CASES = [
    *(("Normalization", {"axis": axis}) for axis in (None, 1, [1], [1, 2])),
    ("Normalization", {"axis": None, "mean": 1.5, "variance": 2.0}),
    *(("LayerNormalization", {"axis": axis}) for axis in (1, [-1], [1, 2])),
    *(("UnitNormalization", {"axis": axis}) for axis in (1, [-1], [1, 2])),
    *(("Softmax", {"axis": axis}) for axis in (None, 1, [-1], [1, 2])),
    ("RMSNormalization", {"axis": [1, 2]}),
    ("BatchNormalization", {"axis": 1}),
]


@pytest.mark.parametrize(("class_name", "arguments"), CASES, ids=str)
def test_verify_says_what_keras_does(class_name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    """A model whose axes are null or several is not loaded, or predicts otherwise; its conversion does what it did."""
    layers, generator = keras.layers, np.random.default_rng(0)
    data = generator.normal(size=(5, 4, 6)).astype("float32")
    model = keras.Sequential([keras.Input((4, 6)), getattr(layers, class_name)(**arguments), layers.Dense(2)])
    if class_name == "Normalization" and "mean" not in arguments:
        model.layers[0].adapt(data)
    before = model.predict(data, verbose=0)
    path = tmp_path / "model.h5"
    model.save(path)
    result = ckpttool.verify(path, path)
    warned = [finding.rule for file in ckpttool.check([path]).files for finding in file.findings]
    assert result.ok == result.loads_in_keras_3 == _predicts(path, data, before) == (warned == [])
    ckpttool.convert(path, tmp_path / "new.keras")
    assert _predicts(tmp_path / "new.keras", data, before)


def _predicts(path: Path, data: Any, expected: Any) -> bool:
    """Whether Keras loads a model, and gets the same predictions."""
    try:
        model = keras.saving.load_model(path)
    except ValueError:
        return False
    return np.allclose(model.predict(data, verbose=0), expected, atol=1e-5)
