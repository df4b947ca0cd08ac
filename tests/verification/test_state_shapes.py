"""The state of an optimizer for weights whose shapes are in no config."""

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.formats import open_checkpoint
from ckpttool.verification import verify
from tests.live import keras


def trained(path: Path, optimizer: str) -> None:
    """A model with a class of the user's own in the middle, after a step."""

    class Halved(keras().layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x[:, ::2]

    x = keras().Input((4,))
    model = keras().Model(x, keras().layers.Dense(3, name="out")(Halved(name="own")(x)))
    model.compile(optimizer, "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 3)))
    model.save(path)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("optimizer", ["adam", "adafactor"])
def test_state_in_other_shapes(optimizer: str, tmp_path: Path) -> None:
    """That Keras does not load: it raises on what is not of the shape of the weight, and verify says so."""
    trained(tmp_path / "good.keras", optimizer)
    with open_checkpoint(tmp_path / "good.keras") as good:
        assert not verify(good, tmp_path / "good.keras").failures
    with zipfile.ZipFile(tmp_path / "good.keras") as old, zipfile.ZipFile(tmp_path / "bad.keras", "w") as new:
        (tmp_path / "w.h5").write_bytes(old.read("model.weights.h5"))
        with h5py.File(tmp_path / "w.h5", "r+") as file:
            group = file["optimizer/vars"]
            name = next(name for name in group if group[name].shape == (2, 3))
            del group[name]
            group[name] = np.zeros((0, 3), "float32")
        for member in ("metadata.json", "config.json"):
            new.writestr(member, old.read(member))
        new.writestr("model.weights.h5", (tmp_path / "w.h5").read_bytes())
    assert json.loads(zipfile.ZipFile(tmp_path / "bad.keras").read("config.json"))["compile_config"]
    with open_checkpoint(tmp_path / "bad.keras") as bad:
        [failure] = verify(bad, tmp_path / "bad.keras").failures
    assert "(0, 3)" in failure.why or failure.weight is not None
