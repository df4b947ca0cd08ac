"""Deleting checkpoints that need not be kept: a file that is not proved to be one of the series is named and left.

A manifest may come from a stranger, so that what it says of a file is no proof by itself.
"""

import contextlib
import warnings
from collections.abc import Collection
from pathlib import Path

from ckpttool.callbacks.names import fits
from ckpttool.errors import CheckpointError
from ckpttool.escape import printable
from ckpttool.formats import FORMATS, open_checkpoint
from ckpttool.manifest import MISSING, Saved, damage

_IN_HDF5 = frozenset({"weights-h5", "legacy-model", "legacy-weights"})


def delete(directory: Path, entries: Collection[Saved], known: Collection[str] = ()) -> None:
    """Deletes the files of some entries, and directories left empty; warns of those that are left, and why.

    `known` are the checksums of files that this process has saved itself: they are not computed once more.
    """
    for entry in entries:
        problem = doubt(directory, entry, thorough=entry.sha256 not in known)
        if not problem:
            _unlink(directory, directory / entry.file)
        elif problem != MISSING:
            warnings.warn(f"{printable(str(directory / entry.file))} is not deleted: {problem}", stacklevel=2)


def doubt(directory: Path, entry: Saved, thorough: bool = True) -> str:
    """Why the file of an entry is not proved to be a checkpoint of its series as it was saved; empty where it is."""
    if not fits(entry.series, entry.file):
        return "its name is none of its series"
    problem = damage(directory, entry, thorough)
    return printable(problem) if problem else unlike(directory / entry.file)


def unlike(path: Path) -> str:
    """Why a file is no checkpoint such as its name promises, empty where it is one."""
    try:
        with open_checkpoint(path) as found:
            kinds = {"keras-zip"} if path.suffix == ".keras" else _IN_HDF5
            return "" if found.kind in kinds else f"it is: {FORMATS[found.kind].title}"
    except CheckpointError as error:
        return f"it is no checkpoint: {printable(error.what)}"


def _unlink(directory: Path, path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
        while (path := path.parent) != directory:
            path.rmdir()
