"""The outputs of a Bidirectional at masked steps: zeros in Keras 3 and tf.keras, its last output in Keras of its
own."""

import json
from pathlib import Path

import numpy as np
import pytest

from ckpttool.conversion import convert, plan
from tests.conversion.test_anchors import Layer, dense, legacy
from tests.live import keras

LSTM = {"name": "lstm", "units": 2, "return_sequences": True, "recurrent_activation": "sigmoid"}


def guessed(path: Path, version: str, sequences: bool, masked: bool) -> list[str]:
    """The layers of which a plan guesses that nothing uses what they give at masked steps."""
    inner = {"class_name": "LSTM", "config": {**LSTM, "return_sequences": sequences}}
    first: list[Layer] = [("Masking", {"mask_value": 0.0}, {})] if masked else []
    weights = {
        f"{side}_lstm/{name}:0": shape
        for side in ("forward", "backward")
        for name, shape in (("kernel", (3, 8)), ("recurrent_kernel", (2, 8)), ("bias", (8,)))
    }
    layers: list[Layer] = [*first, ("Bidirectional", {"layer": inner, "merge_mode": "sum"}, weights)]
    source = legacy(path, *layers, shape=(None, 5, 3), keras_version=version)
    result = plan(source, path.with_suffix(".keras"))
    return [guess.where for guess in result.guesses if "steps that are masked" in guess.what]


@pytest.mark.parametrize(
    ("version", "sequences", "masked", "is_guess"),
    [
        ("2.2.4", True, True, True),
        ("2.3.1", True, True, True),
        ("2.2.4", False, True, False),
        ("2.2.4", True, False, False),
        ("2.2.4-tf", True, True, False),
        ("2.15.0", True, True, False),
    ],
)
def test_what_a_bidirectional_repeats(
    version: str, sequences: bool, masked: bool, is_guess: bool, tmp_path: Path
) -> None:
    """It is told of the Keras that repeats, where a mask reaches a Bidirectional that gives every step."""
    assert bool(guessed(tmp_path / "old.h5", version, sequences, masked)) == is_guess


@pytest.mark.parametrize(
    ("version", "masked", "compiled", "differs"),
    [
        ("2.3.1", True, True, False),
        ("2.2.4-tf", True, True, True),
        ("2.10.0", True, True, True),
        ("2.10.0", False, True, False),
        ("2.10.0", True, False, False),
        ("2.11.0", True, True, False),
        ("2.15.0", True, True, False),
    ],
)
def test_the_loss_of_a_masked_output(version: str, masked: bool, compiled: bool, differs: bool, tmp_path: Path) -> None:
    """Keras of these versions divides it by the number of all steps, Keras 3 by that of the steps without a mask; the
    versions with a difference are those of the sources."""
    first: list[Layer] = [("Masking", {"mask_value": 0.0}, {})] if masked else []
    inner = {"class_name": "Dense", "config": {"name": "inner", "trainable": True, "units": 2}}
    weights = {"d/kernel:0": (3, 2), "d/bias:0": (2,)}
    settings = {"loss": "mse", "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.5}}}
    source = legacy(
        tmp_path / "old.h5",
        *first,
        ("TimeDistributed", {"layer": inner}, weights),
        shape=(None, 5, 3),
        keras_version=version,
        **({"training_config": json.dumps(settings)} if compiled else {}),
    )
    losses = plan(source, tmp_path / "new.keras").losses
    assert bool([loss for loss in losses if "masked output" in loss.what]) == differs


@pytest.mark.parametrize(
    ("version", "masked", "trainable", "differs"),
    [
        ("2.2.4", True, True, True),
        ("2.11.0", True, True, True),
        ("2.11.0", False, True, False),
        ("2.11.0", True, False, False),
        ("2.12.0", True, True, False),
        ("2.15.0", True, True, False),
    ],
)
def test_the_statistics_of_masked_batches(
    version: str, masked: bool, trainable: bool, differs: bool, tmp_path: Path
) -> None:
    """Keras takes those of the steps that are not masked from 2.12 on; live Keras 3 does so in a step of training."""
    first: list[Layer] = [("Masking", {"mask_value": 0.0}, {})] if masked else []
    weights: dict[str, tuple[int, ...]] = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (3,))
    config = {"momentum": 0.5, "axis": [2], "trainable": trainable}
    settings = {"loss": "mse", "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.5}}}
    layers: list[Layer] = [*first, ("BatchNormalization", config, weights), dense(3, 3)]
    training = json.dumps(settings)
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 5, 3), keras_version=version, training_config=training)
    losses = convert(source, tmp_path / "new.keras").losses
    assert bool([loss for loss in losses if "steps that are not masked in training" in loss.what]) == differs
    model = keras().models.load_model(tmp_path / "new.keras")
    model.run_eagerly = True
    inputs = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    inputs[:, 3:] = 0.0
    before = model.layers[-2].get_weights()[2]
    model.train_on_batch(inputs, inputs)
    taken = inputs[:, :3] if masked else inputs
    expected = 0.5 * before + 0.5 * taken.mean(axis=(0, 1)) if trainable else before
    np.testing.assert_allclose(model.layers[-2].get_weights()[2], expected, rtol=1e-4)
