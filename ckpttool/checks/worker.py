"""The worker process that checks checkpoints; started by `ckpttool.checks.processes`, never imported by it.

Each line of its standard input is a path as JSON. It answers with lines of JSON: now and then the number of bytes that
were read since the last answer, and at last the report.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from ckpttool.checks.policy import Policy
from ckpttool.checks.result import FileReport
from ckpttool.checks.runner import check_file
from ckpttool.checks.transfer import plain, restored

_INTERVAL = 0.2  # seconds between two reports of progress, at least

Work = Callable[..., FileReport]
"""Checks the checkpoint at a path; calls `progress` with numbers of bytes read."""


def serve(work: Work) -> None:
    """Answer each path on standard input with a report, until the input ends or nobody reads the answers any more."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not get among the answers
    try:
        for line in sys.stdin.buffer:
            _write(output, plain(work(json.loads(line), progress=_ProgressReporter(output))))
    except BrokenPipeError:
        os.dup2(1, output.fileno())  # so that closing it does not fail again


def _write(output: BinaryIO, answer: Any) -> None:
    output.write(json.dumps(answer).encode() + b"\n")
    output.flush()


class _ProgressReporter:
    """Sums up the bytes read and answers with the sum, at most every `_INTERVAL` seconds."""

    def __init__(self, output: BinaryIO) -> None:
        self._output, self._nbytes, self._last = output, 0, time.monotonic()

    def __call__(self, nbytes: int) -> None:
        self._nbytes += nbytes
        if time.monotonic() - self._last > _INTERVAL:
            _write(self._output, self._nbytes)
            self._nbytes, self._last = 0, time.monotonic()


def main(policy: str, directory: str) -> None:
    """Serve checks by a policy, which is JSON. Relative paths are in this directory, empty where there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    if directory:
        os.chdir(directory)
    serve(partial(check_file, policy=restored(Policy, json.loads(policy))))
