"""Children that a test leaves behind are found at the end of a run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.children import children


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found under /proc")
def test_a_child_is_listed_while_it_runs() -> None:
    """A child is there with its command, until it has ended."""
    with subprocess.Popen([sys.executable, "-c", "input('of this test')"], stdin=subprocess.PIPE) as child:
        (line,) = (line for line in children() if line.startswith(f"{child.pid} "))
        assert "of this test" in line
        child.kill()
    assert not any(line.startswith(f"{child.pid} ") for line in children())
