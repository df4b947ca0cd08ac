"""Paths and globs resolved to checkpoints: a checkpoint is itself, a directory or a glob is those in it."""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ckpttool.formats import checkpoints_in, is_directory_of_checkpoints
from ckpttool.io.sources import access_error

_SEPARATORS = re.escape("".join({"/", os.sep}))
# The first `**` of a glob, or several of them in a row: what is before it, and the separator behind it.
_STARS = re.compile(rf"(|.*?[{_SEPARATORS}])(?:\*\*[{_SEPARATORS}]+)*\*\*([{_SEPARATORS}]+|\Z)", re.DOTALL)


def checkpoints_at(path: str) -> tuple[str, ...]:
    """The paths of the checkpoints at a path, in a directory or matched by a glob; a path without a file stands for
    itself.

    Raises FileAccessError for a directory that cannot be read.
    """
    if os.path.lexists(path) or not glob.has_magic(path):
        return _checkpoints_in(path)
    return tuple(
        dict.fromkeys(checkpoint for match in sorted(_all_matches(path)) for checkpoint in _checkpoints_in(match))
    )


def _all_matches(pattern: str) -> set[str]:
    try:
        return set(_matches_of(pattern, set()))
    except ValueError:  # an embedded NUL
        return set()


def _matches_of(pattern: str, seen: set[str]) -> Iterator[str]:
    """The paths that a glob matches. `**` is every directory below, but for hidden ones and for links, which could lead
    anywhere and round in circles; bash has it so too. `seen` are patterns that were matched already."""
    stars = _STARS.match(pattern)
    if stars is None:
        yield from glob.glob(pattern)
        return
    head, rest = stars[1], pattern[stars.end() :]
    bases = glob.glob(head) if glob.has_magic(head) else [head]
    for folder in (folder for base in bases for folder in _folders(base)):
        below = f"{glob.escape(folder)}{rest}"
        if below in seen:  # a second `**` reaches the same directory by several ways
            continue
        seen.add(below)
        if rest:
            yield from _matches_of(below, seen)
        elif stars[2]:
            yield folder or os.curdir
        else:
            yield from glob.glob(f"{below}*")


def _folders(base: str) -> Iterator[str]:
    """A directory and those below it, with a separator at their ends; the current one is empty, as a base and here."""
    for at, folders, _ in os.walk(base or os.curdir):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield os.path.join(at, "")[0 if base else len(os.path.join(os.curdir, "")) :]


def _checkpoints_in(path: str) -> tuple[str, ...]:
    if not is_directory_of_checkpoints(Path(path)):
        return (path,)
    try:
        return tuple(map(str, checkpoints_in(Path(path))))
    except OSError as error:
        raise access_error(path, error) from error
