"""The worker that checks checkpoints, in this process; test_processes.py has it in processes of its own."""

import io
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ckpttool.checks import worker
from ckpttool.checks.policy import Policy
from ckpttool.checks.runner import check_file
from ckpttool.checks.transfer import plain, restored
from tests.samples import FIXTURES

PATHS = [str(FIXTURES / "keras3/mlp.keras"), str(FIXTURES / "nothing.h5")]


class Output(io.BytesIO):
    """A pipe to the first process."""

    def fileno(self) -> int:
        """A number that is no file's."""
        return 77


class Unread(Output):
    """A pipe that nobody reads any more."""

    def flush(self) -> None:
        """Fail as the system does."""
        raise BrokenPipeError


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Paths on standard input, an output in memory, and the numbers of files that were replaced."""
    state = SimpleNamespace(output=Output(), replaced=[], directories=[])
    system = SimpleNamespace(
        dup=lambda number: number, dup2=lambda *numbers: state.replaced.append(numbers), devnull=os.devnull,
        fdopen=lambda number, mode: state.output, open=lambda path, flags: (path, flags), O_WRONLY=os.O_WRONLY,
        chdir=state.directories.append,
    )  # fmt: skip
    monkeypatch.setattr(worker, "os", system)
    lines = "".join(json.dumps(path) + "\n" for path in PATHS)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines.encode())))
    return state


def answers(output: Output) -> list[Any]:
    """The lines that were written."""
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_reports_come_in_order(streams: Any) -> None:
    """Each path is answered by the report of a check, and what libraries print goes nowhere."""
    check = partial(check_file, policy=Policy())
    worker.serve(check)
    assert streams.replaced == [((os.devnull, os.O_WRONLY), 1)]
    reports = [answer for answer in answers(streams.output) if isinstance(answer, dict)]
    assert reports == [json.loads(json.dumps(plain(check(path)))) for path in PATHS]


def test_nobody_reads(streams: Any) -> None:
    """A worker whose reports nobody reads any more ends, and its output leads nowhere."""
    streams.output = Unread()
    worker.serve(partial(check_file, policy=Policy()))
    assert streams.replaced == [((os.devnull, os.O_WRONLY), 1), (1, 77)]


def test_progress_is_summed_up(streams: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are reported now and then, each of them once."""
    now = iter([0.0, 0.1, 0.25, 0.25, 0.3, 0.5, 0.5])
    monkeypatch.setattr(worker.time, "monotonic", lambda: next(now))
    report = worker._ProgressReporter(streams.output)
    for nbytes in (5, 7, 11, 13):
        report(nbytes)
    assert answers(streams.output) == [12, 24]


def test_settings_of_the_process(streams: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first process hands over policy and directory, and alone ends the others at Ctrl-C."""
    handlers, works = list[tuple[Any, Any]](), list[Any]()
    monkeypatch.setattr(worker.signal, "signal", lambda *arguments: handlers.append(arguments))
    monkeypatch.setattr(worker, "serve", works.append)
    policy = Policy()
    for directory in ("", str(Path("/a"))):
        worker.main(json.dumps(plain(policy)), directory)
    assert handlers == [(signal.SIGINT, signal.SIG_IGN)] * 2
    assert streams.directories == [str(Path("/a"))]
    assert [(work.func, work.keywords) for work in works] == [(check_file, {"policy": policy})] * 2
    assert restored(Policy, json.loads(json.dumps(plain(policy)))) == policy
