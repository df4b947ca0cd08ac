"""The claim of a training to a series of files, so that no second process writes over them.

It is a locked file beside them that names its process. The lock ends with that process; where the system has no locks,
the claim counts as long as the named process runs.
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
from ckpttool.errors import CheckpointError, ClaimedError, FileAccessError
from ckpttool.io import json_text, scalars

_MAX_BYTES = 1000
_PROCESSES = 1 << 31  # no process has this number or a larger one


@dataclass(frozen=True, slots=True)
class _Claimant:
    """The process that has a claim, as its file says."""

    pid: int
    host: str
    since: str

    @property
    def is_here(self) -> bool:
        """Whether the process is one of this machine."""
        return self.host == socket.gethostname()

    @property
    def is_running(self) -> bool:
        """Whether a process of this number runs on this machine."""
        try:
            os.kill(self.pid, 0)  # signal 0 is not sent: it only asks whether one could be
        except ProcessLookupError:
            return False
        except OSError:  # the process of another user
            pass
        return True


class Claim:
    """The claim to a series; it ends with `release`, and with the process."""

    def __init__(self, directory: Path, series: str) -> None:
        self._directory = directory
        self._path = directory / f"{PREFIX}{hashlib.sha256(series.encode()).hexdigest()[:12]}.lock"
        self._descriptor: int | None = None
        self._end: weakref.finalize[Any, Any] | None = None

    def take(self) -> None:
        """Claim the series. Raises ClaimedError where another process has it."""
        for _ in range(10):
            if self._descriptor is None and not self._try():
                continue
            return
        raise FileAccessError("cannot be locked", path=str(self._path))

    def release(self) -> None:
        """Give up the claim."""
        if self._end is not None:
            self._end()
        self._descriptor = self._end = None

    def _try(self) -> bool:
        """Try to claim the series once. False means that the file changed meanwhile, and that it is worth trying again.

        Raises ClaimedError where another process has the series.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as error:
            raise FileAccessError("cannot be written", path=str(self._path), found=error.strerror or "") from error
        locked, claimant = try_lock(descriptor), _claimant(descriptor)
        if locked is not True and claimant is not None and claimant.pid == os.getpid() and claimant.is_here:
            os.close(descriptor)
            return True  # another callback of this process
        if locked is not True and claimant is not None and (claimant.is_running or not claimant.is_here):
            os.close(descriptor)
            raise self._claimed_error(claimant)
        if locked is False:  # a child of a process that died has inherited the lock
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            return False
        if not _is_at(descriptor, self._path):
            os.close(descriptor)
            return False
        self._record(descriptor)
        return True

    def _record(self, descriptor: int) -> None:
        """Write this process into the locked file, which is given up with this object at the latest."""
        record = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now_as_text()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
        self._descriptor = descriptor
        self._end = weakref.finalize(self, _give_up, descriptor, self._path)

    def _claimed_error(self, claimant: _Claimant) -> ClaimedError:
        return ClaimedError(
            "another training saves these files",
            path=str(self._directory),
            found=f"process {claimant.pid} on {claimant.host}, since {claimant.since}",
            hint=f"stop it, or save under another name; where it is gone, delete {self._path.name}",
        )


def _give_up(descriptor: int, path: Path) -> None:
    with contextlib.suppress(OSError):
        if _is_at(descriptor, path):
            os.unlink(path)
        os.close(descriptor)


def _claimant(descriptor: int) -> _Claimant | None:
    try:
        record = json_text.parse(os.pread(descriptor, _MAX_BYTES, 0), "a lock").value
        pid = scalars.whole(record["pid"]) or 0
        return _Claimant(pid, str(record["host"]), str(record["since"])) if 0 < pid < _PROCESSES else None
    except (CheckpointError, OSError, KeyError, TypeError):
        return None


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _now_as_text() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
