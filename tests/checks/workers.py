"""Work for the processes of a check, as a new process can import it; what it does, the name of the path says."""

import os
import signal
import time
from collections.abc import Callable

from ckpttool.checks.result import FileReport


def work(path: str, progress: Callable[[int], None]) -> FileReport:
    """Dies, hangs, raises, or reports the path with the process that it was in."""
    if path.startswith("exit"):
        os._exit(3)
    if path.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if path.startswith("hang"):
        time.sleep(600)
    for _ in range(10 if path.startswith("slow") else 0):
        time.sleep(0.3)
        progress(100)
    return FileReport(path, "", os.getpid())
