"""Jobs beside the training: one thread, at most one job at a time, and no error lost."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Worker(Generic[Result]):
    """Runs one job at a time, at once or in a thread.

    `done` is called with the result of a job, `failed` with its error: for a job in the thread by the next `poll`,
    `wait`, `submit` or `close`, in the thread that calls these.
    """

    def __init__(self, background: bool, done: Callable[[Result], None], failed: Callable[[Exception], None]) -> None:
        self._background, self._done, self._failed = background, done, failed
        self._executor: ThreadPoolExecutor | None = None
        self._pending: Future[Result] | None = None

    def submit(self, job: Callable[[], Result]) -> None:
        """Run a job after the one before it; in the background, it may not have ended when this returns."""
        self.wait()
        if not self._background:
            self._finish(job)
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "ckpttool-saving")  # the interpreter waits for it before it exits
        self._pending = self._executor.submit(job)

    def poll(self) -> None:
        """Report the pending job if it has ended."""
        if self._pending is not None and self._pending.done():
            self.wait()

    def wait(self) -> None:
        """Wait for the pending job and report it."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._finish(pending.result)

    def close(self) -> None:
        """Wait for the pending job, report it and end the thread."""
        try:
            self.wait()
        finally:
            if self._executor is not None:
                self._executor.shutdown()
                self._executor = None

    def _finish(self, job: Callable[[], Result]) -> None:
        try:
            result = job()
        except Exception as error:
            self._failed(error)
        else:
            self._done(result)
