"""Snapshots of live models are written as Keras writes the models."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from ckpttool.callbacks.names import Container
from ckpttool.callbacks.snapshot import snapshot_of
from tests.callbacks.training import quiet


def _content(path: Path) -> dict[str, Any]:
    """All groups of an HDF5 file with their attributes, and all datasets with their values."""
    content: dict[str, Any] = {}

    def note(name: str, obj: Any) -> None:
        attributes = {key: np.asarray(value).tolist() for key, value in obj.attrs.items()}
        content[name] = (attributes, None if isinstance(obj, h5py.Group) else (obj.dtype, obj[()].tolist()))

    with h5py.File(path, "r") as file:
        note("/", file)
        file.visititems(note)
    return content


@pytest.mark.parametrize("compiled", [True, False])
def test_the_legacy_format_is_that_of_keras(compiled: bool, tmp_path: Path) -> None:
    """Every group, attribute and dataset is what Keras writes, of nested models and long lists of names too."""
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)], name="in")
    many = [keras.layers.Dense(1, name=f"{'x' * 3000}{number}") for number in range(24, 0, -1)]
    trained = keras.Sequential([keras.Input((4,)), inner, *many])
    trained.layers[1].trainable = False
    if compiled:
        trained.compile("adam", "mse")
        trained.optimizer.build(trained.trainable_variables)
    with quiet():
        trained.save(tmp_path / "keras.h5")
        snapshot_of(trained, Container.LEGACY_MODEL).write(tmp_path / "ours.h5")
    theirs, ours = _content(tmp_path / "keras.h5"), _content(tmp_path / "ours.h5")
    assert ours == theirs
