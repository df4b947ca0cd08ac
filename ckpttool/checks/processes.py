"""Checkpoints checked in processes of their own, several at a time.

A process that dies, or that tells nothing for long, costs the checkpoint it was at and not the others.
"""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ckpttool.checks.result import FileReport
from ckpttool.checks.subject import Progress

SILENCE = 300.0
"""Seconds without a word after which a process counts as stuck."""

_PAUSE = 0.2  # seconds between two words on progress
_TICK = 1.0

Work = Callable[..., FileReport]
"""From a path, and a function `progress` to tell of bytes read, to the report. A new process can import it."""


@dataclass(slots=True, eq=False)
class _Worker:
    """A process that checks one checkpoint after the other: `number` is the one it is at, `heard` its last word."""

    process: BaseProcess
    connection: Connection
    number: int = -1
    heard: float = 0.0

    @classmethod
    def started(cls, work: Work) -> "_Worker":
        """A new one; spawned, because forking a process that has threads is not safe."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, number: int, path: str) -> None:
        """Hands it the next checkpoint."""
        self.number, self.heard = number, time.monotonic()
        self.connection.send(path)

    def end(self) -> str:
        """Ends it, whatever it does; gives how it had ended before, in words."""
        self.connection.close()
        self.process.join(_TICK)  # one that closed its end is about to end
        self.process.kill()
        self.process.join()
        code = self.process.exitcode or 0
        return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"


def in_processes(
    paths: Sequence[str], work: Work, jobs: int, progress: Progress, silence: float = SILENCE
) -> list[FileReport]:
    """The report on each path, in their order, from `jobs` processes; `silence` is how long one may say nothing."""
    waiting = deque(enumerate(paths))
    found = dict[int, FileReport]()
    workers = list[_Worker]()

    def next_for(worker: _Worker) -> None:
        if waiting:
            worker.give(*waiting.popleft())
        else:
            workers.remove(worker)
            worker.end()

    def replace(worker: _Worker, why: str) -> None:
        found[worker.number] = FileReport(
            paths[worker.number], "", 0, unchecked=(f"the process that checked it {why}",)
        )
        workers.remove(worker)
        if waiting:
            workers.append(_Worker.started(work))
            next_for(workers[-1])

    try:
        for _ in range(jobs):
            workers.append(_Worker.started(work))
            next_for(workers[-1])
        while workers:
            for worker in _speaking(workers):
                told = _told(worker)
                if told is None:
                    replace(worker, worker.end())
                elif isinstance(told, FileReport):
                    found[worker.number] = told
                    next_for(worker)
                else:
                    progress(told)
            for worker in [one for one in workers if time.monotonic() - one.heard > silence]:
                worker.process.kill()
                worker.end()
                replace(worker, f"told nothing for {silence:,.0f} seconds and was ended")
    finally:
        for worker in workers:
            worker.process.kill()
            worker.end()
    return [found[number] for number in range(len(paths))]


def _speaking(workers: Sequence[_Worker]) -> list[_Worker]:
    ready = wait([worker.connection for worker in workers], _TICK)
    return [worker for worker in workers if worker.connection in ready]


def _told(worker: _Worker) -> FileReport | int | None:
    """A report, or bytes read; None where the process has ended."""
    try:
        told: FileReport | int = worker.connection.recv()
    except (EOFError, OSError):
        return None
    worker.heard = time.monotonic()
    return told


def _serve(connection: Connection, work: Work) -> None:
    """What a process does: a report for each path that it is handed, until it is handed none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    try:
        while True:
            path = connection.recv()
            connection.send(work(path, progress=_Telling(connection)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


class _Telling:
    """Tells the first process of bytes read, now and then."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._nbytes, self._last = connection, 0, time.monotonic()

    def __call__(self, nbytes: int) -> None:
        self._nbytes += nbytes
        if time.monotonic() - self._last > _PAUSE:
            self._connection.send(self._nbytes)
            self._nbytes, self._last = 0, time.monotonic()
