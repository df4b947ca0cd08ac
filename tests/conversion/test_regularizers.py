"""Regularizers that Keras 3 adds to the loss otherwise: of frozen layers, and of outputs."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.conversion.compile import regularizers
from ckpttool.conversion.journal import Journal
from tests.conversion.judge import measured
from tests.conversion.test_anchors import dense, legacy
from tests.live import keras

INPUTS = np.random.default_rng(5).normal(size=(5, 3)).astype("float32")
TARGETS = np.random.default_rng(6).normal(size=(5, 2)).astype("float32")
L2 = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}}
NONE = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0}}
TRAINING = json.dumps({"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.1}}, "loss": "mse", "metrics": []})


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("regularizer", [L2, NONE, None], ids=["l2", "zero", "none"])
def test_the_loss_is_that_of_old_keras_or_less_by_what_is_said(
    trainable: bool, regularizer: Any, tmp_path: Path
) -> None:
    """Keras 1 and 2 add the regularizers of all weights to the mean squared error."""
    layers = [dense(4, 3, trainable=trainable, kernel_regularizer=regularizer, activation="tanh"), dense(2, 4)]
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), training_config=TRAINING, keras_version="2.2.4")
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    model = keras().models.load_model(tmp_path / "new.keras")
    (loss_now,) = measured(model, INPUTS, TARGETS)
    with h5py.File(source) as file:
        kernel = file["model_weights/l0/l0/kernel:0"][()]
    added = 0.01 * np.square(kernel.astype("float64")).sum() if regularizer is L2 else 0.0
    expected = np.square(np.asarray(model(INPUTS)) - TARGETS).mean() + added
    assert (abs(loss_now - expected) < 1e-5) == (not lost), lost
    assert bool(lost) == (regularizer is L2 and not trainable)
    assert all("frozen layers (l0)" in loss for loss in lost)


@pytest.mark.parametrize("version", ["1.2.2", "2.2.4", "2.2.4-tf", "2.15.0"])
@pytest.mark.parametrize("as_layer", [False, True])
@pytest.mark.parametrize("regularizer", [L2, NONE, None], ids=["l2", "zero", "none"])
def test_what_regularizes_outputs_is_divided_by_the_batch(
    version: str, regularizer: Any, as_layer: bool, tmp_path: Path
) -> None:
    """Keras of many backends adds it undivided to the loss (measured with genuine 2.2.4), and live Keras 3 divides it.
    It is said of that Keras alone; of a Keras that divides, the loss is the same."""
    layers = [dense(4, 3, activity_regularizer=regularizer, activation="tanh"), dense(2, 4)]
    if as_layer:
        factors = (regularizer or NONE)["config"]
        layers = [dense(4, 3, activation="tanh"), ("ActivityRegularization", factors, {}), dense(2, 4)]
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), training_config=TRAINING, keras_version=version)
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert all("divides them by the size of the batch" in loss for loss in lost)
    assert bool(lost) == (regularizer is L2 and version in ("1.2.2", "2.2.4"))
    assert all(("(l1)" if as_layer else "(l0)") in loss for loss in lost)
    model = keras().models.load_model(tmp_path / "new.keras")
    (loss_now,) = measured(model, INPUTS, TARGETS)
    added = 0.01 * np.square(np.asarray(model.layers[0](INPUTS))).sum() if regularizer is L2 else 0.0
    mean = np.square(np.asarray(model(INPUTS)) - TARGETS).mean()
    assert loss_now == pytest.approx(mean + added / len(INPUTS), abs=1e-5)


UNITS = {"name": "inner", "units": 2, "activation": "tanh", "activity_regularizer": L2}
INNER_DENSE = {"class_name": "Dense", "config": UNITS}
INNER_MODEL = {"class_name": "Sequential", "config": {"name": "block", "layers": [INNER_DENSE]}}
IN_STEPS = np.random.default_rng(7).normal(size=(5, 4, 3)).astype("float32")


@pytest.mark.parametrize(("inner", "per_value"), [(INNER_DENSE, 0.0), (INNER_MODEL, 1 / 5)], ids=["layer", "model"])
@pytest.mark.parametrize("version", ["2.2.4", "2.15.0"])
def test_what_regularizes_outputs_in_steps(version: str, inner: Any, per_value: float, tmp_path: Path) -> None:
    """Live Keras 3 adds nothing for the layer of a TimeDistributed, and for a layer further inside at each step, where
    genuine 2.15 divides by the batch times the steps (2 of these, and 1)."""
    weights = {"inner/kernel": (3, 2), "inner/bias": (2,)}
    layer = ("TimeDistributed", {"layer": inner}, weights)
    source = legacy(tmp_path / "old.h5", layer, shape=(None, 4, 3), training_config=TRAINING, keras_version=version)
    (lost,) = (loss.what for loss in convert(source, tmp_path / "new.keras").losses)
    assert lost.startswith(f"activity regularizers in TimeDistributed ({'inner' if inner is INNER_MODEL else 'l0'})")
    model = keras().models.load_model(tmp_path / "new.keras")
    outputs = np.asarray(model(IN_STEPS))
    (loss_now,) = measured(model, IN_STEPS, np.zeros_like(outputs))
    added = 0.01 * np.square(outputs).sum() * per_value
    assert loss_now == pytest.approx(np.square(outputs).mean() + added, abs=1e-5)


def test_what_regularizes_attention(tmp_path: Path) -> None:
    """Live Keras 3 adds it for four projections, where genuine 2.15 adds it for what the layer gives."""
    regularizer = keras().regularizers.L2(0.01)
    layer = keras().layers.MultiHeadAttention(2, 3, activity_regularizer=regularizer)
    layer(IN_STEPS, IN_STEPS)
    assert len(layer.losses) == 4
    journal = Journal()
    regularizers.note_outputs({"class_name": "MultiHeadAttention", "config": layer.get_config()}, False, journal)
    (lost,) = journal.losses
    assert lost.what.startswith(f"activity regularizers of MultiHeadAttention ({layer.name})")
