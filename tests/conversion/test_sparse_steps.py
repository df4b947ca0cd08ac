"""Steps of training of Embedding layers, which Keras 3 takes otherwise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.conversion.compile import sparse_steps
from ckpttool.conversion.journal import Journal
from ckpttool.model import read_architecture
from ckpttool.model.spec import spec_of
from tests.conversion.test_anchors import legacy
from tests.live import keras as live_keras

REPEATED, ABSENT = "a batch names several times", "a batch does not name"


def losses(class_name: str, by_rows: bool, trainable: bool = True, **config: Any) -> str:
    """The losses announced for an optimizer of a model with an Embedding."""
    layer = {"name": "words", "input_dim": 5, "output_dim": 2, "trainable": trainable}
    entries = [
        {"module": "keras.layers", "class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 3]}},
        {"module": "keras.layers", "class_name": "Embedding", "config": layer},
    ]
    model = read_architecture({"module": "keras", "class_name": "Sequential", "config": {"layers": entries}})
    assert model is not None
    journal = Journal()
    sparse_steps.note(spec_of(model), {"class_name": class_name, "config": config}, by_rows, journal)
    return " ".join(loss.what for loss in journal.losses)


def test_what_is_said() -> None:
    """Of optimizers that square gradients; of those whose momenta move, where they did not before 2.11."""
    assert REPEATED in losses("Adam", by_rows=True)
    assert ABSENT not in losses("Adam", by_rows=True)
    assert losses("SGD", by_rows=True) == losses("Lion", by_rows=False) == ""
    assert "takes the magnitude of each gradient" in losses("Adamax", by_rows=False)
    assert ABSENT in losses("SGD", by_rows=True, momentum=0.9)
    assert ABSENT in losses("Adamax", by_rows=True)
    assert losses("Adam", by_rows=True, trainable=False) == ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy, for Keras's arrays
@pytest.mark.parametrize(
    ("class_name", "differs"),
    [("Adam", True), ("Adafactor", True), ("Adamax", True), ("Lion", False), ("SGD", False)],
)
def test_keras_3_takes_each_gradient(class_name: str, differs: bool) -> None:
    """A row that is named twice is moved otherwise than by the sum of its gradients."""
    module: Any = live_keras()
    import tensorflow

    start, moved = np.ones((2, 2), "float32"), []
    for values, rows in (([[1.0, 1.0], [-2.0, -2.0]], [0, 0]), ([[-1.0, -1.0]], [0])):
        variable, optimizer = module.Variable(start), getattr(module.optimizers, class_name)(0.1)
        for _ in range(2):
            gradient = tensorflow.IndexedSlices(tensorflow.constant(values), tensorflow.constant(rows), (2, 2))
            optimizer.apply([gradient], [variable])
        moved.append(module.ops.convert_to_numpy(variable))
    assert bool(np.abs(moved[0] - moved[1]).max() > 1e-3) is differs


@pytest.mark.parametrize(
    ("version", "class_name", "announced"),
    [
        ("2.15.0", "Adam", [REPEATED]),
        ("2.15.0", "Adamax", [REPEATED]),
        ("2.15.0", "SGD", []),
        ("2.2.4", "Adam", [REPEATED]),
        ("2.2.4", "SGD", []),
        ("2.10.0", "Adam", [REPEATED]),
        ("2.10.0", "SGD", [ABSENT]),
        ("2.2.4-tf", "Nadam", [REPEATED, ABSENT]),
    ],
)
def test_of_optimizers_that_have_not_begun(version: str, class_name: str, announced: list[str], tmp_path: Path) -> None:
    """The first step differs already, so that it is said where the file stores no state, by the version."""
    layer = ("Embedding", {"input_dim": 5, "output_dim": 2}, {"embeddings": (5, 2)})
    optimizer = {"class_name": class_name, "config": {"lr": 0.1, "momentum": 0.9, "name": class_name}}
    if version == "2.2.4":
        del optimizer["config"]["name"]
    settings = json.dumps({"optimizer_config": optimizer, "loss": "mse", "metrics": []})
    source = legacy(tmp_path / "old.h5", layer, shape=(None, 3), training_config=settings, keras_version=version)
    losses = " ".join(loss.what for loss in convert(source, tmp_path / "new.keras").losses)
    assert [part for part in (REPEATED, ABSENT) if part in losses] == announced
