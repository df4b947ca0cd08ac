"""The variance of a batch, by which a BatchNormalization moves its own: Keras of many backends divided it by n - 1."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from tests.conversion.test_anchors import Layer, dense, legacy
from tests.conversion.test_regularizers import INPUTS, TARGETS, TRAINING
from tests.live import keras


def normalization(**config: Any) -> Layer:
    """A BatchNormalization of three values as Keras 2 wrote it."""
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    arguments = {"axis": -1, "momentum": 0.5, "epsilon": 0.001, "center": True, "scale": True}
    return "BatchNormalization", {**arguments, **config}, dict.fromkeys(names, (3,))


def lost(path: Path, version: str, training: str | None = TRAINING, **config: Any) -> list[str]:
    """The losses of a conversion that speak of variances of batches."""
    settings = {} if training is None else {"training_config": training}
    source = legacy(path, normalization(**config), dense(2, 3), shape=(None, 3), keras_version=version, **settings)
    losses = convert(source, path.with_suffix(".keras")).losses
    return [loss.what for loss in losses if "divides the variance of a batch" in loss.what]


@pytest.mark.parametrize(
    ("version", "differs"),
    [("2.1.3", False), ("2.1.4", True), ("2.3.1", True), ("2.2.4-tf", False), ("2.15.0", False)],
)
def test_of_which_keras_it_is_said(version: str, differs: bool, tmp_path: Path) -> None:
    """Of those whose sources divide by 1 less, of layers that are trained, in models that are compiled."""
    assert bool(lost(tmp_path / "old.h5", version)) == differs
    assert not lost(tmp_path / "frozen.h5", version, trainable=False)
    assert not lost(tmp_path / "plain.h5", version, training=None)


def test_how_keras_3_moves_the_variance(tmp_path: Path) -> None:
    """A step of live Keras 3 moves it by the variance over n; genuine 2.2.4 did so by that over n - 1."""
    assert lost(tmp_path / "old.h5", "2.2.4")
    model = keras().models.load_model(tmp_path / "old.keras")
    model.run_eagerly = True
    before = model.layers[0].get_weights()[3]
    model.train_on_batch(INPUTS, TARGETS)
    expected = 0.5 * before + 0.5 * INPUTS.var(axis=0)
    np.testing.assert_allclose(model.layers[0].get_weights()[3], expected, rtol=1e-4)
