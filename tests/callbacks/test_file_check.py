"""A file that was just written is compared with the snapshot that it was written from."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.callbacks.file_check import check_content, check_finite, warn_unless_loadable
from ckpttool.errors import CorruptFileError, NotFiniteError
from tests.samples import FIXTURES

MODEL = FIXTURES / "keras2.15/mlp.h5"
KERNEL = "hidden/hidden/kernel:0"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A copy of a model."""
    return Path(shutil.copy(MODEL, tmp_path / "model.h5"))


def snapshot_of(checkpoint: ckpttool.Checkpoint, **changed: Any) -> Any:
    """The facts of a snapshot that the check asks for, of an open file."""
    weights = dict(checkpoint)
    trained = {path for path, weight in weights.items() if weight.section is ckpttool.Section.MODEL}
    return SimpleNamespace(**{"weights": weights, "trained": trained, **changed})


def kernel_of(checkpoint: ckpttool.Checkpoint) -> str:
    """The path of the first kernel of a model."""
    return next(path for path in checkpoint if path.endswith(KERNEL))


def put(path: Path, value: float) -> None:
    """Store another value in a kernel."""
    with ckpttool.open(path) as checkpoint:
        kernel = kernel_of(checkpoint)
    with h5py.File(path, "r+") as file:
        group = file if kernel in file else file["model_weights"]
        group[kernel][0, 0] = value


def test_a_copy_passes(stored: Path) -> None:
    """A file with the weights of its snapshot is as it was meant."""
    with ckpttool.open(MODEL) as original:
        check_content(stored, snapshot_of(original))
    check_finite(stored)


def test_another_value(stored: Path) -> None:
    """One changed number is an error that names the weight."""
    put(stored, 7.0)
    with ckpttool.open(MODEL) as original, pytest.raises(CorruptFileError, match="differs from the model") as raised:
        check_content(stored, snapshot_of(original))
    assert raised.value.where.endswith(KERNEL)
    assert raised.value.found == "others"


def test_other_weights(stored: Path) -> None:
    """A weight more or less is an error that names it."""
    with ckpttool.open(MODEL) as original:
        kernel = kernel_of(original)
        weights = {path: weight for path, weight in original.items() if path != kernel}
        with pytest.raises(CorruptFileError, match="differs from the model") as raised:
            check_content(stored, snapshot_of(original, weights=weights))
    assert (raised.value.where, raised.value.found) == (kernel, "1 others")


def test_another_dtype(stored: Path) -> None:
    """A weight of another dtype is an error with both."""
    with ckpttool.open(stored) as checkpoint:
        kernel = kernel_of(checkpoint)
    with h5py.File(stored, "r+") as file:
        group = file if kernel in file else file["model_weights"]
        values = group[kernel][()].astype("float64")
        del group[kernel]
        group[kernel] = values
    with ckpttool.open(MODEL) as original, pytest.raises(CorruptFileError) as raised:
        check_content(stored, snapshot_of(original))
    assert raised.value.expected.startswith("float32")
    assert raised.value.found.startswith("float64")


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "Inf")])
def test_a_model_that_is_not_finite(value: float, name: str, stored: Path) -> None:
    """A trained weight with NaN or Inf is an error; in a weight that is not trained, Inf may be meant."""
    put(stored, value)
    with ckpttool.open(stored) as same:
        with pytest.raises(NotFiniteError, match=f"the model has become {name}"):
            check_content(stored, snapshot_of(same))
        if name == "Inf":
            check_content(stored, snapshot_of(same, trained=set()))
            check_finite(stored)
        else:
            with pytest.raises(NotFiniteError, match="NaN"):
                check_finite(stored)


def test_models_that_keras_would_not_load() -> None:
    """A reason why Keras would not load the model is a warning, with the number of further reasons."""
    warn_unless_loadable(FIXTURES / "keras3/mlp.keras", Path("mlp.keras"), "tensorflow")
    for name, more in (("mlp", ""), ("wrappers", r".* \(and 2 more reasons\)")):
        with pytest.warns(UserWarning, match=f"^Keras would not load {name}.h5 as it is saved: .*{more}$"):
            warn_unless_loadable(FIXTURES / f"keras2.15/{name}.h5", Path(f"{name}.h5"), "tensorflow")
