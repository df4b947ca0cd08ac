"""Legacy files that Keras 3 wrote: their configs are in the words of Keras 3 already, and stay as they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from tests.architecture.live_defaults import keras

LAYERS: dict[str, Callable[[Any], list[Any]]] = {
    "hard_sigmoid": lambda layers: [layers.Dense(3, activation="hard_sigmoid"), layers.Activation("hard_sigmoid")],
    "discretization": lambda layers: [layers.Discretization([0.0, 0.5], output_mode="int"), layers.Rescaling(0.5)],
    "gates": lambda layers: [layers.Reshape((2, 2)), layers.GRU(2, recurrent_activation="hard_sigmoid")],
    "relu": lambda layers: [layers.ReLU(max_value=1.0), layers.LeakyReLU(0.1)],
}


@pytest.mark.filterwarnings("ignore")  # of Keras, which would have one save as .keras
@pytest.mark.parametrize("kind", LAYERS)
def test_predicts_the_same(kind: str, tmp_path: Path) -> None:
    """What Keras 3 saved as .h5 predicts the same after conversion: nothing is mended that is right."""
    module = keras()
    model = module.Sequential([module.Input((4,)), *LAYERS[kind](module.layers), module.layers.Dense(2)])
    model.set_weights([np.random.default_rng(at).normal(size=w.shape) for at, w in enumerate(model.get_weights())])
    model.save(tmp_path / "old.h5")
    result = convert(tmp_path / "old.h5", tmp_path / "new.keras")
    loaded = module.models.load_model(tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert (result.edits, result.transforms) == ((), ())
