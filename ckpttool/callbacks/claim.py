"""The claim of a training to a series of files, so that no second process writes over them.

It is a locked file beside them that says who holds it. The lock ends with its process; where the system has no locks,
the process that is named is looked for.
"""

import contextlib
import hashlib
import json
import os
import socket
import weakref
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ckpttool.callbacks.scratch import PREFIX, try_lock
from ckpttool.errors import CheckpointError, FileAccessError
from ckpttool.io import json_text, scalars

_MAX_BYTES = 1000
_PROCESSES = 1 << 31  # the numbers that processes have


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who holds a claim, as far as its file tells."""

    pid: int
    host: str
    since: str

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def lives(self) -> bool:
        """Whether there still is such a process on this machine."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # somebody else's
            pass
        return True


class HeldError(FileAccessError):
    """Another process saves the same files."""


class Claim:
    """The claim to a series; it ends with `release`, and with the process."""

    def __init__(self, directory: Path, series: str) -> None:
        self._directory = directory
        self._path = directory / f"{PREFIX}{hashlib.sha256(series.encode()).hexdigest()[:12]}.lock"
        self._descriptor: int | None = None
        self._end: weakref.finalize[Any, Any] | None = None

    def take(self) -> None:
        """Claims the series. Raises HeldError where another process holds it."""
        for _ in range(10):
            if self._descriptor is None and not self._try():
                continue
            return
        raise FileAccessError("cannot be locked", path=str(self._path))

    def release(self) -> None:
        """Gives the series up."""
        if self._end is not None:
            self._end()
        self._descriptor = self._end = None

    def _try(self) -> bool:
        """Whether it is known who holds the series; False where somebody gave it up meanwhile."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as error:
            raise FileAccessError("cannot be written", path=str(self._path), found=error.strerror or "") from error
        locked, holder = try_lock(descriptor), _holder(descriptor)
        if locked is not True and holder is not None and holder.pid == os.getpid() and holder.is_here:
            os.close(descriptor)
            return True  # another callback of this process
        if locked is not True and holder is not None and (holder.lives or not holder.is_here):
            os.close(descriptor)
            raise self._held_by(holder)
        if locked is False:  # a child of a process that died has inherited the lock
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            return False
        if not _is_at(descriptor, self._path):
            os.close(descriptor)
            return False
        told = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(told).encode(), 0)
        self._descriptor = descriptor
        self._end = weakref.finalize(self, _give_up, descriptor, self._path)
        return True

    def _held_by(self, holder: _Holder) -> HeldError:
        return HeldError(
            "another training saves these files",
            path=str(self._directory),
            found=f"process {holder.pid} on {holder.host}, since {holder.since}",
            hint=f"stop it, or save under another name; where it is gone, delete {self._path.name}",
        )


def _give_up(descriptor: int, path: Path) -> None:
    with contextlib.suppress(OSError):
        if _is_at(descriptor, path):
            os.unlink(path)
        os.close(descriptor)


def _holder(descriptor: int) -> _Holder | None:
    try:
        told = json_text.parse(os.pread(descriptor, _MAX_BYTES, 0), "a lock").value
        pid = scalars.whole(told["pid"]) or 0
        return _Holder(pid, str(told["host"]), str(told["since"])) if 0 < pid < _PROCESSES else None
    except (CheckpointError, OSError, KeyError, TypeError):
        return None


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file still is the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
