"""The child processes of a process, as Linux lists them under /proc."""

import os
from pathlib import Path

_ENDED = "Z", "X"  # its parent has not asked for its exit code


def children(process: int | None = None) -> list[str]:
    """The children of a process, by default of this one, that still run: the number and the command line of each."""
    parent, running = process or os.getpid(), list[str]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, owner, *_ = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:  # it ended meanwhile
            continue
        if int(owner) == parent and state not in _ENDED:
            running.append(f"{folder.name} {command}")
    return running
