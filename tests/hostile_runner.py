"""Runs ckpttool on each hostile checkpoint of a folder, in a process of its own; tells what happened as JSON lines.

Called by test_hostile.py. One process for all: a crash or a hang ends it, and the test then names the case.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ckpttool.cli import main

SECONDS = 300  # on the clock, after which a case hangs
MEMORY = 2 << 30

opened: list[str] = []


def note_open(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook that remembers the path of every file that is opened."""
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        opened.append(os.path.realpath(os.fsdecode(arguments[0])))


def processor_time() -> float:
    """Seconds that this process and those that it started have worked."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def run(path: Path, arguments: list[str]) -> dict[str, Any]:
    """The outcome of one command on one file."""
    opened.clear()
    begun = processor_time()
    signal.alarm(SECONDS)
    outcome = CliRunner().invoke(main, [argument.replace("{}", str(path)) for argument in arguments])
    signal.alarm(0)
    unexpected = outcome.exception if not isinstance(outcome.exception, SystemExit | None) else None
    return {
        "exit_code": outcome.exit_code,
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
        "exception": repr(unexpected) if unexpected else "",
        "seconds": processor_time() - begun,
        "opened": list(opened),
    }


def main_() -> None:
    """Runs the command line in `sys.argv`, `{}` being the case, over all cases of the manifest in the folder named
    first."""
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.addaudithook(note_open)
    for case in json.loads((folder / "manifest.json").read_text())["cases"]:
        print(json.dumps({"file": case["file"], "begun": True}), flush=True)
        print(json.dumps({"file": case["file"], **run(folder / case["file"], arguments)}), flush=True)


if __name__ == "__main__":
    main_()
