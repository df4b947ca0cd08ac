"""The regularizers of frozen layers, which Keras 3 leaves out of the loss that it measures."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.conversion import convert
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
