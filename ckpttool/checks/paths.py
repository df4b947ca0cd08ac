"""Which checkpoints a path stands for: itself, those in a directory, or those that a glob matches."""

import glob
import os
from pathlib import Path

from ckpttool.files import access_error
from ckpttool.formats import checkpoints_in, is_directory_of_checkpoints


def checkpoints_at(given: str) -> tuple[str, ...]:
    """The paths of the checkpoints, none where there are none; a path that is not there stands for itself.

    Raises FileAccessError for a directory that cannot be read.
    """
    if os.path.lexists(given) or not glob.has_magic(given):
        return _inside(given)
    return tuple(dict.fromkeys(one for match in sorted(_matches(given)) for one in _inside(match)))


def _matches(pattern: str) -> list[str]:
    try:
        return glob.glob(pattern, recursive=True)
    except ValueError:  # an embedded NUL
        return []


def _inside(path: str) -> tuple[str, ...]:
    if not is_directory_of_checkpoints(Path(path)):
        return (path,)
    try:
        return tuple(map(str, checkpoints_in(Path(path))))
    except OSError as error:
        raise access_error(path, error) from error
