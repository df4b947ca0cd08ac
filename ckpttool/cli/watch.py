"""Following a directory: its table is shown again whenever a training has saved or removed something.

Where the callback's manifest is, it says when that was: files that are still being written are none of its entries.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ckpttool.cli.emit import emit, say
from ckpttool.errors import CheckpointError
from ckpttool.escape import printable
from ckpttool.formats import checkpoints_in
from ckpttool.manifest import NAME, Saved, read_manifest

_SECONDS = 1.0
_INTERRUPTED = 130  # the exit code of Ctrl-C
_CLEAR = "\x1b[H\x1b[2J"


def follow(directory: Path, table: Callable[[], str]) -> None:
    """Show the table of a directory each time something changed in it, until the user interrupts.

    On a terminal the new table takes the place of the old one; elsewhere it follows below. Every new entry of the
    manifest is said on standard error, with its epoch and metric.
    """
    shown, last, known = "", None, _saved(directory)
    if next(checkpoints_in(directory), None) is None and not known:
        say(f"waiting for the first checkpoint in {printable(str(directory), 400)}; Ctrl-C ends it")
    try:
        while True:
            state = _state(directory)
            if state != last:
                known = _announced(directory, known)
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


def _saved(directory: Path) -> dict[tuple[str, str], Saved]:
    """The complete entries of the manifest by file and checksum; none where it cannot be read, which the table says."""
    try:
        return {(entry.file, entry.sha256): entry for entry in read_manifest(directory).saved if entry.complete}
    except CheckpointError:
        return {}


def _announced(directory: Path, known: dict[tuple[str, str], Saved]) -> dict[tuple[str, str], Saved]:
    """The entries that are known by now, after those that are new have been said."""
    saved = _saved(directory)
    for key, entry in saved.items():
        if key not in known:
            say(f"saved {_description(entry)}")
    return {**known, **saved}


def _description(entry: Saved) -> str:
    """One entry in a line: its file, its epoch, the value that was monitored."""
    batch = "" if entry.batch is None else f", batch {entry.batch:,}"
    metric = "" if entry.value is None else f", {printable(entry.monitor, 100)} {entry.value:.6g}"
    return f"{printable(entry.file, 400)}: epoch {entry.epoch:,}{batch}{metric}"


def _state(directory: Path) -> list[tuple[str, int, int, int]]:
    """The identity of the manifest, else those of all that is in the directory; empty where it is not there now."""
    manifest = directory / NAME
    try:
        status = manifest.stat(follow_symlinks=False)
        return [(NAME, status.st_ino, status.st_size, status.st_mtime_ns)]
    except OSError:
        pass
    entries = []
    try:
        with os.scandir(directory) as scan:
            for entry in scan:
                status = entry.stat(follow_symlinks=False)
                entries.append((entry.name, status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError:
        return entries
    return sorted(entries)
