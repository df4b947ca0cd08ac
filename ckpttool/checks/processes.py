"""Checkpoints checked in processes of their own, several at a time.

A process that dies, or that tells nothing for long, costs the checkpoint it was at and not the others.
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
"""Seconds without a word after which a process counts as stuck."""

_LAST_WORDS = 1000  # bytes
_TICK = 1.0

Start = Callable[[int], child_processes.Child]
"""Starts a process that serves as `ckpttool.checks.worker` does, with pipes as its standard input and output, and this
descriptor as its standard error."""


@dataclass(slots=True, eq=False)
class _Worker:
    """A process that checks one checkpoint after the other: `number` is the one it is at, `heard` its last word."""

    process: child_processes.Child
    errors: IO[bytes]
    number: int = -1
    heard: float = 0.0

    def give(self, number: int, path: str) -> None:
        """Hands it the next checkpoint."""
        self.number, self.heard = number, time.monotonic()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended, as its output tells, too
            self.process.stdin.write(json.dumps(path).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self) -> Iterator[bytes]:
        """What it writes, line by line, and an empty one at its end."""
        assert self.process.stdout is not None
        with self.process.stdout as output:
            yield from output
        yield b""

    def end(self) -> str:
        """Ends it, whatever it does; gives how it had ended before, in words."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(TimeoutExpired):
            self.process.wait(_TICK)  # one that closed its end is about to end
        self.process.kill()
        code = self.process.wait()
        with self.errors:
            said = self._last_words()
        return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}{said}"

    def _last_words(self) -> str:
        """The last line that it wrote to standard error."""
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - _LAST_WORDS))
        lines = self.errors.read().decode("utf-8", "replace").split("\n")
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")


def in_processes(
    paths: Sequence[str], start: Start, jobs: int, progress: Progress, silence: float = SILENCE
) -> list[FileReport]:
    """The report on each path, in their order, from `jobs` processes; `silence` is how long one may say nothing."""
    crew = _Crew(paths, start)
    try:
        crew.hire()
        with contextlib.suppress(ChildError, OSError):  # where there cannot be so many, fewer do it
            for _ in range(jobs - 1):
                crew.hire()
        while crew.workers:
            crew.hear(progress)
            crew.end_silent(silence)
    finally:
        for worker in crew.workers:
            worker.process.kill()
            worker.end()
    return [crew.reports[number] for number in range(len(paths))]


class _Crew:
    """The processes, what they are still to do, and the reports that there are, by the numbers of their paths."""

    def __init__(self, paths: Sequence[str], start: Start) -> None:
        self._paths, self._start = paths, start
        self._waiting = deque(enumerate(paths))
        self._said = SimpleQueue[tuple[_Worker, bytes]]()
        self.workers = list[_Worker]()
        self.reports = dict[int, FileReport]()

    def hire(self) -> None:
        """Starts a process and hands it the next checkpoint."""
        with contextlib.ExitStack() as undo:
            errors = undo.enter_context(tempfile.TemporaryFile())
            worker = _Worker(self._start(errors.fileno()), errors)
            undo.pop_all()
        self.workers.append(worker)
        Thread(target=_listen, args=(worker, self._said), daemon=True).start()
        worker.give(*self._waiting.popleft())

    def hear(self, progress: Progress) -> None:
        """Takes what was said, or waits a moment for it."""
        for worker, line in _heard(self._said):
            if worker not in self.workers:
                continue  # one that was ended
            worker.heard = time.monotonic()
            word = json.loads(line) if line else None
            if word is None:
                self._replace(worker, worker.end())
            elif isinstance(word, int):
                progress(word)
            else:
                self.reports[worker.number] = restored(FileReport, word)
                self._next_for(worker)

    def end_silent(self, silence: float) -> None:
        """Ends the processes that said nothing for so many seconds."""
        for worker in [one for one in self.workers if time.monotonic() - one.heard > silence]:
            worker.process.kill()
            worker.end()
            self._replace(worker, f"told nothing for {silence:,.0f} seconds and was ended")

    def _next_for(self, worker: _Worker) -> None:
        if self._waiting:
            worker.give(*self._waiting.popleft())
        else:
            self.workers.remove(worker)
            worker.end()

    def _replace(self, worker: _Worker, why: str) -> None:
        why = f"the process that checked it {why}"
        self.reports[worker.number] = FileReport(self._paths[worker.number], "", 0, unchecked=(why,))
        self.workers.remove(worker)
        if self._waiting:
            self.hire()


def _listen(worker: _Worker, said: "SimpleQueue[tuple[_Worker, bytes]]") -> None:
    for line in worker.lines():
        said.put((worker, line))


def _heard(said: "SimpleQueue[tuple[_Worker, bytes]]") -> Iterator[tuple[_Worker, bytes]]:
    """What was said by whom, the first of it within a moment."""
    with contextlib.suppress(Empty):
        yield said.get(timeout=_TICK)
        while True:
            yield said.get_nowait()


def starting(policy: Policy) -> Start:
    """Starts processes that check by a policy, and open paths that are relative to the current directory."""
    here = child_processes.current_directory()
    environment = child_processes.clean_environment(OPENBLAS_NUM_THREADS="1")  # no rule multiplies matrices
    given = json.dumps(plain(policy))
    return lambda errors: child_processes.start(
        "ckpttool.checks.worker", given, here, environment=environment, stdin=PIPE, stdout=PIPE, stderr=errors
    )
