"""SIGKILL at random moments, in a process of its own, for every format; by hand `kills` does more of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 8


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_at_random() -> None:
    """Every file that is called complete is, one always was, and the next run cleans up."""
    command = [sys.executable, "-m", "tests.callbacks.kills", "--kills", str(KILLS), "--units", "32"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(cases) == 6
    for case in cases:
        assert (case["kills"], case["damaged"], case["lost"], case["left"]) == (KILLS, 0, 0, []), case
        assert case["saves"] > 0
