"""The saving callback for Keras 3, and what it has saved.

    from ckpttool.callbacks import ModelCheckpoint

    model.fit(..., callbacks=[ModelCheckpoint("run/epoch_{epoch:02d}.keras", keep_last=3, keep_best=1, resume=True)])

Only `ModelCheckpoint` and `load_latest` need Keras.
"""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckpttool.manifest import Manifest, Saved, bests, damage, read_manifest, recovered

if TYPE_CHECKING:
    from ckpttool.callbacks.model_checkpoint import ModelCheckpoint
    from ckpttool.callbacks.restoration import load_latest

INSTALL = 'pip install "ckpttool[tensorflow]"'
_WITH_KERAS = {
    "ModelCheckpoint": "ckpttool.callbacks.model_checkpoint",
    "load_latest": "ckpttool.callbacks.restoration",
}


def saved_in(directory: str | os.PathLike[str]) -> tuple[Saved, ...]:
    """The entries of the checkpoints that were completely saved in a directory, oldest first.

    Raises a CheckpointError.
    """
    return recovered(directory, read_manifest(directory)).saved


def latest(directory: str | os.PathLike[str]) -> Path | None:
    """The newest checkpoint of a directory that is still as it was written, None where there is none."""
    unaltered = (entry for entry in reversed(saved_in(directory)) if not damage(directory, entry))
    return next((Path(directory) / entry.file for entry in unaltered), None)


def best(directory: str | os.PathLike[str], monitor: str | None = None) -> Path | None:
    """The best checkpoint of a directory that is still as it was written, None where no value is known.

    Where several values were monitored, `monitor` says by which; the default is that of the newest checkpoint.
    """
    known = [entry for entry in saved_in(directory) if entry.score is not None and not damage(directory, entry)]
    name = known[-1].monitor if known and monitor is None else monitor
    candidates = [entry for entry in known if entry.monitor == name]
    candidates = [entry for entry in candidates if entry.mode == candidates[-1].mode]
    return Path(directory) / min(candidates, key=lambda entry: entry.score or 0.0).file if candidates else None


def __getattr__(name: str) -> Any:
    """A name of the package whose module needs Keras, which is imported here, when the name is first used."""
    if name not in _WITH_KERAS:
        raise AttributeError(f"module 'ckpttool.callbacks' has no attribute {name!r}")
    try:
        importlib.import_module("keras")  # first: without it nothing else is worth loading
        return getattr(importlib.import_module(_WITH_KERAS[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "ckpttool":
            raise
        raise ImportError(f"ckpttool.callbacks.{name} needs Keras 3 ({error}): {INSTALL}") from error


__all__ = [
    "INSTALL",
    "Manifest",
    "ModelCheckpoint",
    "Saved",
    "best",
    "bests",
    "latest",
    "load_latest",
    "saved_in",
]
