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
    return of_layers(path, version, training, normalization(**config), dense(2, 3), shape=(None, 3))


def of_layers(path: Path, version: str, training: str | None, *layers: Layer, shape: Any) -> list[str]:
    """The losses that speak of them of a model of these layers."""
    settings = {} if training is None else {"training_config": training}
    source = legacy(path, *layers, shape=shape, keras_version=version, **settings)
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


FUSED: list[tuple[Any, Any, bool]] = [
    ((None, 4, 4, 3), {}, True),
    ((None, 4, 4, 3), {"axis": [3]}, True),
    ((None, 3, 4, 4), {"axis": 1}, True),
    ((None, 4, 3, 4), {"axis": 2}, False),
    ((None, 2, 4, 4, 3), {"axis": [4]}, True),
    ((None, 3, 2, 4, 4), {"axis": [1]}, True),
    ((None, 4, 3, 4, 4), {"axis": [2]}, False),
    ((None, 4, 3), {}, False),
    ((None, 3), {"axis": [1]}, False),
    ((None, 4, 4, 3), {"dtype": "float64"}, False),
    ((None, 4, 4, 3), {"trainable": False}, False),
]
"""Shapes of inputs, arguments, and whether genuine TensorFlow 2.10 and 2.15 divided the variance by n - 1. That of 2.4
did so for images."""


@pytest.mark.parametrize(("shape", "config", "differs"), FUSED, ids=str)
@pytest.mark.parametrize("version", ["2.2.4-tf", "2.4.0", "2.10.0", "2.15.0"])
def test_of_which_inputs_of_tensorflow_it_is_said(
    version: str, shape: Any, config: dict[str, Any], differs: bool, tmp_path: Path
) -> None:
    """Of those for which tf.keras takes the fused operation of TensorFlow."""
    layers = [normalization(**config), ("Flatten", {}, {})]
    of_volumes = len(shape) == 5
    announced = bool(of_layers(tmp_path / "old.h5", version, TRAINING, *layers, shape=shape))
    assert announced == (differs and not (of_volumes and version in ("2.2.4-tf", "2.4.0")))


@pytest.mark.parametrize(
    ("version", "backend", "differs"),
    [
        ("2.1.2", "tensorflow", False),
        ("2.1.3", "tensorflow", True),
        ("2.2.4", "tensorflow", True),
        ("2.2.4", "theano", False),
        ("2.3.1", "tensorflow", False),
        ("2.10.0", "tensorflow", False),
    ],
)
def test_who_begins_statistics_anew(version: str, backend: str, differs: bool, tmp_path: Path) -> None:
    """Keras of those versions on TensorFlow, whose sources take off the bias of the beginning."""
    layers = [normalization(), dense(2, 3)]
    attributes = {"training_config": TRAINING, "keras_version": version, "backend": backend}
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), **attributes)
    losses = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert any("those of the first batch in their place" in loss for loss in losses) is differs


@pytest.mark.parametrize("version", ["1.2.2", "2.2.4", "2.15.0"])
def test_steps_of_a_wrapper(version: str, tmp_path: Path) -> None:
    """Live Keras 3 moves the mean by that of each step in turn; genuine 2.2.4, 2.4, 2.10 and 2.15 by that of all."""
    name, config, weights = normalization()
    inner = {"class_name": name, "config": {"name": "inner", **config}}
    layer = ("TimeDistributed", {"layer": inner}, {f"inner/{key}": size for key, size in weights.items()})
    settings = {"shape": (None, 2, 3), "training_config": TRAINING, "keras_version": version}
    source = legacy(tmp_path / "old.h5", layer, **settings)
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert lost[-1].startswith("further training of BatchNormalization inner is not the same: in a TimeDistributed")
    assert not any("divides the variance" in text for text in lost)
    model = keras().models.load_model(tmp_path / "new.keras")
    model.run_eagerly = True
    mean = model.layers[0].get_weights()[2]
    steps = np.random.default_rng(7).normal(size=(5, 2, 3)).astype("float32")
    model.train_on_batch(steps, steps)
    for step in range(2):
        mean = 0.5 * mean + 0.5 * steps[:, step].mean(axis=0)
    np.testing.assert_allclose(model.layers[0].get_weights()[2], mean, rtol=1e-4)
