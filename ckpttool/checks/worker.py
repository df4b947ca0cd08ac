"""A process that checks checkpoints; started by `ckpttool.checks.processes`, never imported by it.

It takes a path as JSON on each line of standard input, and answers with lines of JSON: numbers of bytes read, now and
then, and at last the report.
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

_PAUSE = 0.2  # seconds between two words on progress

Work = Callable[..., FileReport]
"""From a path, and a function `progress` to tell of bytes read, to the report."""


def serve(work: Work) -> None:
    """A report for each path that standard input names, until it ends, or until nobody listens any more."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the answers alone go there
    try:
        for line in sys.stdin.buffer:
            _write(output, plain(work(json.loads(line), progress=_Telling(output))))
    except BrokenPipeError:
        os.dup2(1, output.fileno())  # so that closing it does not fail again


def _write(output: BinaryIO, word: Any) -> None:
    output.write(json.dumps(word).encode() + b"\n")
    output.flush()


class _Telling:
    """Tells the first process of bytes read, now and then."""

    def __init__(self, output: BinaryIO) -> None:
        self._output, self._nbytes, self._last = output, 0, time.monotonic()

    def __call__(self, nbytes: int) -> None:
        self._nbytes += nbytes
        if time.monotonic() - self._last > _PAUSE:
            _write(self._output, self._nbytes)
            self._nbytes, self._last = 0, time.monotonic()


def main(policy: str, directory: str) -> None:
    """Checks by a policy; relative paths are in this directory, empty where there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    if directory:
        os.chdir(directory)
    serve(partial(check_file, policy=restored(Policy, json.loads(policy))))
