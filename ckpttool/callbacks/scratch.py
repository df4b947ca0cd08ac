"""Scratch directories for unfinished files, and locks. Those of runs that died are removed, those in use never are."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ckpttool import manifest
from ckpttool.errors import FileAccessError
from ckpttool.io.replacement import system_errors

PREFIX = ".ckpttool-"
_NEW_SECONDS = 60.0  # an empty directory this young may not be locked yet
_OLD_SECONDS = 24 * 3600.0  # where there are no locks, a directory this old counts as that of a dead run
_PATIENCE_SECONDS = 60.0  # of waiting for the lock of a manifest


@contextlib.contextmanager
def scratch_in(directory: Path) -> Iterator[Path]:
    """A directory for unfinished files within another one, locked while it is in use, and removed at the end."""
    with system_errors(directory):
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
    """Lock the manifest of a directory: other threads and processes wait. Raises FileAccessError."""
    with contextlib.ExitStack() as locks:
        if _lock(locks, directory, _PATIENCE_SECONDS) is False:
            raise FileAccessError(
                "is kept locked by another process that saves there",
                path=str(directory),
                found=f"still locked after {_PATIENCE_SECONDS:g} seconds",
                hint="try again when that process has ended, or save in another directory",
            )
        yield


def sweep(directory: Path) -> None:
    """Remove the scratch of runs that died. The directory has to be locked: only then nobody writes a manifest."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(directory)):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                _sweep_scratch(Path(entry.path))
            elif entry.name.startswith(f".{manifest.NAME}.") and entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)


def _sweep_scratch(place: Path) -> None:
    with contextlib.ExitStack() as locks:
        is_free, age = _lock(locks, place, wait=0), time.time() - place.stat().st_mtime
        if is_free is False:
            return
        if age > _OLD_SECONDS or (is_free and (os.listdir(place) or age > _NEW_SECONDS)):
            shutil.rmtree(place, ignore_errors=True)


def _lock(locks: contextlib.ExitStack, directory: Path, wait: float) -> bool | None:
    """Lock a directory until `locks` is left. Returns whether it is locked, None where the system has no locks."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return False
    locks.callback(os.close, descriptor)
    until = time.monotonic() + wait
    while (locked := try_lock(descriptor)) is False and time.monotonic() < until:
        time.sleep(0.01)
    return locked


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file or directory. Returns whether it is locked now, None where the system has no such locks."""
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
