"""Layers of `channels_first`, which TensorFlow does not compute on every CPU."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.conversion.config.channels_first import NEEDS_ONEDNN, needs_onednn
from tests.conversion.channels_first_layers import CASES, config_of
from tests.conversion.test_anchors import legacy
from tests.live import keras

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("onednn", ["0", "1"])
def test_which_layers_run(onednn: str) -> None:
    """Live Keras on a CPU predicts with all of them by oneDNN, and without it with those that the table leaves out."""
    keras()
    command = [sys.executable, "-m", "tests.conversion.channels_first_layers"]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn}
    answered = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=True
    )
    runs = json.loads(answered.stdout)
    expected = {
        key: onednn == "1" or not needs_onednn({"class_name": name, "config": config_of(name, arguments)})
        for key, (name, arguments, _) in CASES.items()
    }
    assert runs == expected
    assert {name for name, _, _ in CASES.values()} >= NEEDS_ONEDNN


@pytest.mark.parametrize(
    ("config", "target", "announced"),
    [
        ({"data_format": "channels_first"}, "new.keras", True),
        ({"data_format": "channels_first", "groups": 2}, "new.keras", False),
        ({"data_format": "channels_last"}, "new.keras", False),
        ({"data_format": "channels_first"}, "new.weights.h5", False),
    ],
)
def test_what_is_said_of_them(config: dict[str, Any], target: str, announced: bool, tmp_path: Path) -> None:
    """One line has their names, of a whole model."""
    kernel = (3, 3, 4 // config.get("groups", 1), 4)
    layer = ("Conv2D", {"filters": 4, "kernel_size": [3, 3], **config}, {"kernel": kernel, "bias": (4,)})
    source = legacy(tmp_path / "old.h5", layer, shape=(None, 4, 4, 4))
    guesses = [guess.what for guess in convert(source, tmp_path / target).guesses]
    assert any("there is a GPU or oneDNN for channels_first (l0)" in guess for guess in guesses) is announced


@pytest.mark.parametrize("class_name", [None, {}, [], {"class_name": "Conv2D"}])
def test_entries_of_junk(class_name: object) -> None:
    """An entry whose class is no text is none of these layers."""
    assert not needs_onednn({"class_name": class_name, "config": {"data_format": "channels_first"}})


FIRST, LAST = "channels_first", "channels_last"


def dropping_out(path: Path, *formats: str) -> Path:
    """A file of Keras 2 with a SpatialDropout2D behind layers of these data formats."""
    layers: list[Any] = [("MaxPooling2D", {"pool_size": [1, 1], "data_format": order}, {}) for order in formats]
    return legacy(path, ("Activation", {"activation": "linear"}, {}), *layers, DROPOUT, shape=(None, 4, 4, 4))


DROPOUT = ("SpatialDropout2D", {"rate": 0.5, "noise_shape": None, "seed": None}, {})


@pytest.mark.parametrize(
    ("formats", "written", "guess"),
    [
        ((FIRST,), FIRST, "channels_first, as the layers beside it"),
        ((LAST, LAST), LAST, ""),
        ((FIRST, LAST), LAST, "channels_last: neither"),
        ((), LAST, "channels_last: neither"),
    ],
)
def test_spatial_dropouts_go_by_the_layers_beside_them(
    formats: tuple[str, ...], written: str, guess: str, tmp_path: Path
) -> None:
    """Keras 2 does not store along which axes they drop out; that is a guess, unless all layers have the usual one."""
    result = convert(dropping_out(tmp_path / "old.h5", *formats), tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    assert layers[-1]["config"]["data_format"] == written
    guesses = [remark.what for remark in result.guesses if remark.where == f"l{len(formats) + 1}"]
    assert [text.startswith(guess) for text in guesses] == [True] * bool(guess)


def test_the_noise_of_spatial_dropouts(tmp_path: Path) -> None:
    """Live Keras drops out whole channels, which come first."""
    convert(dropping_out(tmp_path / "old.h5", FIRST), tmp_path / "new.keras")
    model = keras().models.load_model(tmp_path / "new.keras")
    noise = np.asarray(model.layers[-1](np.ones((8, 4, 4, 4), "float32"), training=True))
    assert set(np.unique(noise)) == {0.0, 2.0}
    assert (noise == noise[:, :, :1, :1]).all()
