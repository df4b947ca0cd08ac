"""Following a directory: its table is shown again whenever a training has saved or removed something."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ckpttool.cli.emit import emit, say

_SECONDS = 1.0
_INTERRUPTED = 130  # the exit code of Ctrl-C
_CLEAR = "\x1b[H\x1b[2J"


def follow(directory: Path, table: Callable[[], str]) -> None:
    """Show the table of a directory each time something changed in it, until the user interrupts.

    On a terminal the new table takes the place of the old one; elsewhere it follows below.
    """
    shown, last = "", None
    try:
        while True:
            state = _state(directory)
            if state != last:
                last, text = state, table()
                if text != shown:
                    shown = text
                    emit(f"{_CLEAR}{text}" if sys.stdout.isatty() else text, may_page=False)
                    sys.stdout.flush()
            time.sleep(_SECONDS)
    except KeyboardInterrupt as error:
        if getattr(error, "code", _INTERRUPTED) != _INTERRUPTED:
            raise
        say("")  # Ctrl-C is how a watch ends


def _state(directory: Path) -> list[tuple[str, int, int]]:
    """The names, sizes and times of what is in a directory; empty where it is not there now."""
    entries = []
    try:
        with os.scandir(directory) as scan:
            for entry in scan:
                status = entry.stat(follow_symlinks=False)
                entries.append((entry.name, status.st_size, status.st_mtime_ns))
    except OSError:
        return entries
    return sorted(entries)
