"""A process as that of a check, run as a script; what it does with a path, the name of the path says."""

import os
import signal
import time
from collections.abc import Callable

from ckpttool.checks import worker
from ckpttool.checks.result import FileReport


def work(path: str, progress: Callable[[int], None]) -> FileReport:
    """Dies, hangs, raises, or reports the path with the process that it was in."""
    if path.startswith("exit"):
        os._exit(3)
    if path.startswith("raise"):
        raise MemoryError("so much")
    if path.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if path.startswith("hang"):
        time.sleep(60)
    for _ in range(10 if path.startswith("slow") else 0):
        time.sleep(0.03)
        progress(100)
    return FileReport(path, "", os.getpid())


if __name__ == "__main__":
    worker._INTERVAL = -1.0  # seconds: all progress is told
    worker.serve(work)
