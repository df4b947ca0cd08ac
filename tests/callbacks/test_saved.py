"""The checkpoints of a directory as the package gives them: all, the latest, the best. None of it needs Keras."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckpttool import callbacks
from ckpttool.callbacks import best, latest, saved_in
from ckpttool.manifest import Manifest, Saved, write_manifest
from tests.test_manifest import on_disk


def scored(directory: Path, file: str, value: float | None, monitor: str = "loss", mode: str = "min") -> Saved:
    """An entry of a file that is there, with a value."""
    return replace(on_disk(directory, file, file.encode()), value=value, monitor=monitor, mode=mode)


def written(directory: Path, *entries: Saved) -> Path:
    """The directory with a manifest of these entries."""
    write_manifest(directory, Manifest(entries), "a test")
    return directory


def test_the_latest(tmp_path: Path) -> None:
    """The newest whose file is still as it was written; none in a directory without any."""
    written(tmp_path, *(scored(tmp_path, name, 1.0) for name in "abc"))
    assert [entry.file for entry in saved_in(tmp_path)] == ["a", "b", "c"]
    assert latest(tmp_path) == tmp_path / "c"
    (tmp_path / "c").write_bytes(b"cut")
    assert latest(tmp_path) == tmp_path / "b"
    (tmp_path / "empty").mkdir()
    assert (latest(tmp_path / "empty"), best(tmp_path / "empty")) == (None, None)


@pytest.mark.parametrize(("mode", "expected"), [("min", "b"), ("max", "c")])
def test_the_best(mode: str, expected: str, tmp_path: Path) -> None:
    """The smallest value or the largest, as the mode says; one without a value counts for nothing."""
    values = {"a": 2.0, "b": 1.0, "c": 3.0, "d": None, "e": float("nan")}
    written(tmp_path, *(scored(tmp_path, name, value, mode=mode) for name, value in values.items()))
    assert best(tmp_path) == tmp_path / expected
    (tmp_path / expected).unlink()
    assert best(tmp_path) == tmp_path / "a"


def test_the_best_by_a_value(tmp_path: Path) -> None:
    """The newest checkpoint says which of several values counts, unless it is named, and which mode does."""
    written(
        tmp_path,
        scored(tmp_path, "a", 0.1),
        scored(tmp_path, "b", 0.9, "accuracy", "max"),
        scored(tmp_path, "c", 0.5),
        scored(tmp_path, "d", 0.8, "accuracy", "max"),
    )
    assert (best(tmp_path), best(tmp_path, "loss")) == (tmp_path / "b", tmp_path / "a")
    assert best(tmp_path, "val_loss") is None
    written(tmp_path, scored(tmp_path, "a", -5.0), scored(tmp_path, "b", 0.9, mode="max"))
    assert best(tmp_path) == tmp_path / "b"


def test_names_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that it does not have is an AttributeError; an error of ckpttool itself is no lack of Keras."""
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        callbacks.Nothing  # noqa: B018
    monkeypatch.setitem(callbacks._WITH_KERAS, "broken", "ckpttool.callbacks.nowhere")
    with pytest.raises(ModuleNotFoundError, match=r"ckpttool\.callbacks\.nowhere"):
        callbacks.broken  # noqa: B018
    monkeypatch.setitem(callbacks._WITH_KERAS, "without", "keras_that_is_not_there")
    with pytest.raises(ImportError, match=r"ckpttool\.callbacks\.without needs Keras 3 .*pip install"):
        callbacks.without  # noqa: B018
