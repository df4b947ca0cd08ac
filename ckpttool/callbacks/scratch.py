"""Scratch directories beside the files they are for, and locks: what a run that died leaves behind is cleaned up, what
a living one works with never is.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ckpttool import manifest
from ckpttool.errors import FileAccessError

PREFIX = ".ckpttool-"
_NEW_SECONDS = 60.0  # an empty directory this young may not be locked yet
_OLD_SECONDS = 24 * 3600.0  # where there are no locks, a directory this old is nobody's
_PATIENCE_SECONDS = 60.0


@contextlib.contextmanager
def scratch_in(directory: Path) -> Iterator[Path]:
    """A directory for unfinished files in another one, gone at the end; locked as long as this process lives."""
    with _told(directory):
        directory.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=directory))
    try:
        with contextlib.ExitStack() as claim:
            _lock(claim, place, wait=0)
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """The manifest of a directory for oneself: other threads and processes wait. Raises FileAccessError."""
    with contextlib.ExitStack() as held:
        if _lock(held, directory, _PATIENCE_SECONDS) is False:
            raise FileAccessError("is kept locked by another process that saves there", path=str(directory))
        yield


def sweep(directory: Path) -> None:
    """Removes the scratch of runs that died. Call it with the directory locked: only then nobody writes a manifest."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(directory)):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                _sweep_scratch(Path(entry.path))
            elif entry.name.startswith(f".{manifest.NAME}.") and entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)


def _sweep_scratch(place: Path) -> None:
    with contextlib.ExitStack() as held:
        is_free, age = _lock(held, place, wait=0), time.time() - place.stat().st_mtime
        if is_free is False:
            return
        if age > _OLD_SECONDS or (is_free and (os.listdir(place) or age > _NEW_SECONDS)):
            shutil.rmtree(place, ignore_errors=True)


def _lock(held: contextlib.ExitStack, directory: Path, wait: float) -> bool | None:
    """Locks a directory until `held` is left; whether it could be, None where there are no such locks."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return False
    held.callback(os.close, descriptor)
    until = time.monotonic() + wait
    while (locked := try_lock(descriptor)) is False and time.monotonic() < until:
        time.sleep(0.01)
    return locked


def try_lock(descriptor: int) -> bool | None:
    """Locks an open file or directory for oneself; whether it could be, None where there are no such locks."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have none
        return None
    return True


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileAccessError("cannot be written", path=str(path), found=error.strerror or str(error)) from error
