"""The deletion of checkpoints that are no longer needed. A file is deleted only if it is proved to be of the series.

A manifest may come from a stranger, so that its entry alone is no proof: the name, the content and the format have to
fit as well.
"""

import contextlib
import warnings
from collections.abc import Collection
from pathlib import Path

from ckpttool.callbacks.names import fits
from ckpttool.errors import CheckpointError
from ckpttool.escape import printable
from ckpttool.formats import open_checkpoint
from ckpttool.manifest import MISSING, Saved, damage


def delete(directory: Path, entries: Collection[Saved], known: Collection[str] = ()) -> None:
    """Delete the files of these entries, and directories left empty; warn of files that are not deleted, and why.

    `known` are the checksums of files that this process has saved itself: these files are not read again.
    """
    for entry in entries:
        problem = doubt(directory, entry, thorough=entry.sha256 not in known)
        if not problem:
            _unlink(directory, directory / entry.file)
        elif problem != MISSING:
            warnings.warn(f"{printable(str(directory / entry.file))} is not deleted: {problem}", stacklevel=2)


def doubt(directory: Path, entry: Saved, thorough: bool = True) -> str:
    """The reason to doubt that the file of an entry is a checkpoint of its series as it was saved; empty if proved."""
    if not fits(entry.series, entry.file):
        return "its name is not one that the series gives"
    problem = damage(directory, entry, thorough)
    return printable(problem) if problem else format_problem(directory / entry.file)


def format_problem(path: Path) -> str:
    """The reason why a file is no checkpoint of the format that its name promises, empty where it is one."""
    try:
        with open_checkpoint(path) as checkpoint:
            form = checkpoint.format
            fits = form.is_archive if path.suffix == ".keras" else form.in_hdf5
            return "" if fits else f"it is: {form.title}"
    except CheckpointError as error:
        return f"it is no checkpoint: {printable(error.what)}"


def _unlink(directory: Path, path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
        while (path := path.parent) != directory:
            path.rmdir()
