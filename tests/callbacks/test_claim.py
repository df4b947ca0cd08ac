"""A claim to a series of files: of one process at a time, and of no process that has died."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpttool.callbacks.claim import Claim
from ckpttool.errors import ClaimedError, FileAccessError

SERIES = "{epoch}.keras"


def lock_file(directory: Path) -> Path:
    """The file of the one claim in a directory."""
    (path,) = directory.glob(".ckpttool-*.lock")
    return path


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[int]:
    """A locked file of a claim, open in place of another process that holds it."""
    own = Claim(tmp_path, SERIES)
    own.take()
    path = lock_file(tmp_path)
    own.release()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def record(descriptor: int, pid: int, host: str) -> None:
    """Write the claimant of a claim into its file."""
    os.pwrite(descriptor, json.dumps({"pid": pid, "host": host, "since": "2026-01-01T00:00:00"}).encode(), 0)


def ended_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_claim_is_taken_and_given_up(tmp_path: Path) -> None:
    """Its file names this process, and is removed with the claim."""
    claim = Claim(tmp_path, SERIES)
    claim.take()
    claim.take()
    content = json.loads(lock_file(tmp_path).read_text())
    assert (content["pid"], content["host"]) == (os.getpid(), socket.gethostname())
    claim.release()
    claim.release()
    assert list(tmp_path.iterdir()) == []


def test_callbacks_of_one_process_share_a_claim(tmp_path: Path) -> None:
    """A second claim of this process is none of a stranger, and leaves the file to the first."""
    first, second = Claim(tmp_path, SERIES), Claim(tmp_path, SERIES)
    first.take()
    second.take()
    second.release()
    assert lock_file(tmp_path).exists()
    first.release()
    assert list(tmp_path.iterdir()) == []


def test_another_series_is_free(tmp_path: Path, foreign: int) -> None:
    """A claim is to one series alone."""
    record(foreign, os.getppid(), socket.gethostname())
    other = Claim(tmp_path, "other-{epoch}.keras")
    other.take()
    other.release()


@pytest.mark.parametrize("host", [socket.gethostname(), "another.machine"])
def test_another_process_has_the_series(host: str, tmp_path: Path, foreign: int) -> None:
    """A process that runs, or one of another machine, of which nobody can say that, keeps its claim."""
    pid = os.getppid() if host == socket.gethostname() else ended_process()
    record(foreign, pid, host)
    with pytest.raises(ClaimedError, match="another training saves these files") as raised:
        Claim(tmp_path, SERIES).take()
    assert raised.value.found == f"process {pid} on {host}, since 2026-01-01T00:00:00"
    assert lock_file(tmp_path).name in raised.value.hint


def test_the_lock_of_a_dead_process(tmp_path: Path, foreign: int) -> None:
    """A lock that a child of a process that died has inherited is no claim."""
    record(foreign, ended_process(), socket.gethostname())
    claim = Claim(tmp_path, SERIES)
    claim.take()
    assert json.loads(lock_file(tmp_path).read_text())["pid"] == os.getpid()
    claim.release()


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file of the claim."""
    with pytest.raises(FileAccessError, match="cannot be written"):
        Claim(tmp_path / "absent", SERIES).take()
