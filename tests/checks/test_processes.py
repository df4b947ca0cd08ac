"""Checkpoints in processes of their own: order, and what becomes of a process that dies or hangs."""

import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from types import SimpleNamespace

import pytest

from ckpttool.checks.processes import in_processes
from ckpttool.checks.runner import check
from tests.samples import FIXTURES

WORKER = [sys.executable, str(Path(__file__).with_name("workers.py"))]
ROOT = Path(__file__).parents[2]


def start(errors: int) -> "Popen[bytes]":
    """A process that does what the name of a path says."""
    return Popen(WORKER, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=PIPE, stdout=PIPE, stderr=errors)


def test_the_same_as_in_one_process() -> None:
    """Two processes report what one does, in the same order, and tell of the same bytes or fewer."""
    paths = [FIXTURES / "keras3.0", FIXTURES / "broken", FIXTURES / "keras2.15/mlp.h5"]
    bytes_read = list[int]()
    assert check(paths, jobs=2, progress=bytes_read.append) == check(paths)
    assert all(nbytes > 0 for nbytes in bytes_read)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_one_that_dies_costs_one_checkpoint() -> None:
    """A file whose process died could not be checked, with the reason why it died; the others are reported in order."""
    paths = [
        *(f"a{number}" for number in range(5)),
        "exit",
        "raise",
        *(f"b{number}" for number in range(5)),
        "kill",
        "last",
    ]
    reports = in_processes(paths, start, 2, lambda nbytes: None)
    assert [report.path for report in reports] == paths
    unchecked = {report.path: report.unchecked for report in reports if report.unchecked}
    assert unchecked == {
        "exit": ("the process that checked it ended with status 3",),
        "raise": ("the process that checked it ended with status 1: MemoryError: so much",),
        "kill": ("the process that checked it was ended by signal 9",),
    }
    assert len({report.size for report in reports} - {0}) >= 3  # the dead were replaced


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that says nothing for too long is ended; one that is slow and tells of progress is not. Here, the clock
    goes on by that progress alone, and no second is waited for."""
    progress = list[int]()
    monkeypatch.setattr("ckpttool.checks.processes.time", SimpleNamespace(monotonic=lambda: 100.0 * len(progress)))
    reports = in_processes(["hang", "slow", "good"], start, 2, progress.append, silence=650)
    assert [bool(report.unchecked) for report in reports] == [True, False, False]
    assert "sent nothing for 650 seconds and was ended" in reports[0].unchecked[0]
    assert progress == [100] * 10
