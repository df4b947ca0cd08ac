"""Checks of several checkpoints at a time, in worker processes.

A worker that dies, or that is silent for long, costs the checkpoint it was at and not the others.
"""

import contextlib
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from subprocess import PIPE, TimeoutExpired
from threading import Thread
from typing import IO

from ckpttool.checks.policy import Policy
from ckpttool.checks.result import FileReport
from ckpttool.checks.subject import Progress
from ckpttool.checks.transfer import plain, restored
from ckpttool.errors import ChildError
from ckpttool.io import child_processes

SILENCE = 300.0
"""Seconds without an answer after which a worker counts as stuck."""

_LAST_BYTES = 1000  # of standard error, in which the last line is looked for
_TICK = 1.0  # seconds

Start = Callable[[int], child_processes.Child]
"""Starts a process that serves as `ckpttool.checks.worker` does, with pipes as its standard input and output, and this
descriptor as its standard error."""


@dataclass(slots=True, eq=False)
class _Worker:
    """A process that checks one checkpoint after the other. `number` is that of the checkpoint it is at, `last_answer`
    the time of its last answer."""

    process: child_processes.Child
    errors: IO[bytes]
    number: int = -1
    last_answer: float = 0.0

    def send(self, number: int, path: str) -> None:
        """Hand the worker its next checkpoint."""
        self.number, self.last_answer = number, time.monotonic()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # the worker has ended; the end of its output says so, too
            self.process.stdin.write(json.dumps(path).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self) -> Iterator[bytes]:
        """The lines that the worker writes, and an empty one when it has ended."""
        assert self.process.stdout is not None
        with self.process.stdout as output:
            yield from output
        yield b""

    def stop(self) -> str:
        """Stop the worker, whatever it does. Returns how it had ended, as a phrase."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(TimeoutExpired):
            self.process.wait(_TICK)  # one that closed its end is about to end
        self.process.kill()
        code = self.process.wait()
        with self.errors:
            last_line = self._last_line()
        return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}{last_line}"

    def _last_line(self) -> str:
        """The last line that the worker wrote to standard error, behind a colon."""
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - _LAST_BYTES))
        lines = self.errors.read().decode("utf-8", "replace").split("\n")
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")


def in_processes(
    paths: Sequence[str], start: Start, jobs: int, progress: Progress, silence: float = SILENCE
) -> list[FileReport]:
    """The report on each path, in their order, from `jobs` workers; one that is silent for `silence` seconds is
    stopped."""
    pool = _Pool(paths, start)
    try:
        pool.start_worker()
        with contextlib.suppress(ChildError, OSError):  # where no more processes can be started, fewer do the work
            for _ in range(jobs - 1):
                pool.start_worker()
        while pool.workers:
            pool.receive(progress)
            pool.stop_silent(silence)
    finally:
        for worker in pool.workers:
            worker.process.kill()
            worker.stop()
    return [pool.reports[number] for number in range(len(paths))]


class _Pool:
    """The workers, the checkpoints that wait for one, and the reports so far, by the numbers of their paths."""

    def __init__(self, paths: Sequence[str], start: Start) -> None:
        self._paths, self._start = paths, start
        self._waiting = deque(enumerate(paths))
        self._answers = SimpleQueue[tuple[_Worker, bytes]]()
        self.workers = list[_Worker]()
        self.reports = dict[int, FileReport]()

    def start_worker(self) -> None:
        """Start a worker and hand it the next checkpoint."""
        with contextlib.ExitStack() as undo:
            errors = undo.enter_context(tempfile.TemporaryFile())
            worker = _Worker(self._start(errors.fileno()), errors)
            undo.pop_all()
        self.workers.append(worker)
        Thread(target=_read_answers, args=(worker, self._answers), daemon=True).start()
        worker.send(*self._waiting.popleft())

    def receive(self, progress: Progress) -> None:
        """Handle the answers that wait, or wait a moment for one."""
        for worker, line in _waiting_answers(self._answers):
            if worker not in self.workers:
                continue  # stopped for its silence; its checkpoint has a report already
            worker.last_answer = time.monotonic()
            answer = json.loads(line) if line else None
            if answer is None:
                self._replace(worker, worker.stop())
            elif isinstance(answer, int):
                progress(answer)
            else:
                self.reports[worker.number] = restored(FileReport, answer)
                self._send_next(worker)

    def stop_silent(self, silence: float) -> None:
        """Stop the workers that have not answered for so many seconds."""
        for worker in [worker for worker in self.workers if time.monotonic() - worker.last_answer > silence]:
            worker.process.kill()
            worker.stop()
            self._replace(worker, f"sent nothing for {silence:,.0f} seconds and was ended")

    def _send_next(self, worker: _Worker) -> None:
        if self._waiting:
            worker.send(*self._waiting.popleft())
        else:
            self.workers.remove(worker)
            worker.stop()

    def _replace(self, worker: _Worker, why: str) -> None:
        why = f"the process that checked it {why}"
        self.reports[worker.number] = FileReport(self._paths[worker.number], "", 0, unchecked=(why,))
        self.workers.remove(worker)
        if self._waiting:
            self.start_worker()


def _read_answers(worker: _Worker, answers: "SimpleQueue[tuple[_Worker, bytes]]") -> None:
    for line in worker.lines():
        answers.put((worker, line))


def _waiting_answers(answers: "SimpleQueue[tuple[_Worker, bytes]]") -> Iterator[tuple[_Worker, bytes]]:
    """The answers that wait, each with its worker; where none waits, those that come within a moment."""
    with contextlib.suppress(Empty):
        yield answers.get(timeout=_TICK)
        while True:
            yield answers.get_nowait()


def process_starter(policy: Policy) -> Start:
    """The function that starts a worker for a policy; relative paths are in the current directory."""
    directory = child_processes.current_directory()
    environment = child_processes.clean_environment(OPENBLAS_NUM_THREADS="1")  # no rule multiplies matrices
    policy_text = json.dumps(plain(policy))
    return lambda errors: child_processes.start(
        "ckpttool.checks.worker",
        policy_text,
        directory,
        environment=environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=errors,
    )
