"""Runs all checks on each hostile checkpoint of a folder, in a process of its own; prints the findings as JSON lines.

Called by score.py. One process for all: a crash or a hang ends it, and the caller then names the case.
"""

import json
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ckpttool.checks.policy import Policy
from ckpttool.checks.runner import check_file

SECONDS = 300  # by the clock; a machine may be busy
MEMORY = 2 << 30


def run(path: Path) -> dict[str, Any]:
    """The outcomes of all checks of one file."""
    begun = time.process_time()
    signal.alarm(SECONDS)
    report = check_file(str(path), Policy(select=("S",)))
    signal.alarm(0)
    findings = [(f.rule.code, int(f.rule.severity), f.where, f.detail) for f in report.findings]
    return {"findings": findings, "unchecked": report.unchecked, "seconds": time.process_time() - begun}


def main() -> None:
    """Checks all cases of the manifest in the folder that the command line names."""
    folder = Path(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for case in json.loads((folder / "manifest.json").read_text())["cases"]:
        print(json.dumps({"file": case["file"], "begun": True}), flush=True)
        print(json.dumps({"file": case["file"], **run(folder / case["file"])}), flush=True)


if __name__ == "__main__":
    main()
