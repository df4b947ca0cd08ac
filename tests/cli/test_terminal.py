"""What differs on a terminal: histograms as bars, the pager, a directory that is followed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ckpttool.arrays.histograms import Histogram
from ckpttool.render.sparklines import sparkline, two_sparklines
from tests.samples import FIXTURES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudoterminals of POSIX systems")
CNN, BASE, TUNED = (str(FIXTURES / name) for name in ("keras3/cnn.keras", "tuned/base.keras", "tuned/tuned.keras"))
BARS = set("▁▂▃▄▅▆▇█")


def on_terminal(*arguments: str, rows: int = 100, **environment: str) -> str:
    """What ckpttool prints on a terminal of so many rows."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 300, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("PAGER", "LESS", "LINES", "COLUMNS")}
    command = [sys.executable, "-X", "utf8", "-m", "ckpttool", *arguments]
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "NO_COLOR": "1", "TERM": "xterm", **environment},
    ):
        os.close(theirs)
        pieces = []
        with contextlib.suppress(OSError):  # what the end of a terminal is
            while piece := os.read(ours, 65536):
                pieces.append(piece)
    os.close(ours)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def test_bars_of_statistics() -> None:
    """`ls --stats` has a column of bars on a terminal, and without --stats none."""
    shown = on_terminal("ls", CNN, "--stats")
    assert "histogram" in shown
    rows = [line for line in shown.splitlines() if "float32" in line]
    assert len(rows) == 11
    assert all(BARS & set(row) for row in rows)
    assert not BARS & set(on_terminal("ls", CNN))


def test_bars_of_a_diff() -> None:
    """`diff` has the bars of both sides; by layers, and as a page, it has none."""
    shown = on_terminal("diff", BASE, TUNED)
    assert "values in a" in shown
    assert "values in a" not in on_terminal("diff", BASE, TUNED, "--layers")


@pytest.mark.parametrize("arguments", [("ls", CNN, "--stats"), ("diff", BASE, TUNED)])
def test_no_bars_elsewhere(arguments: tuple[str, ...]) -> None:
    """A pipe gets none of it, nor does a terminal that takes no Unicode."""
    command = [sys.executable, "-m", "ckpttool", *arguments]
    piped = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "histogram" not in piped
    assert "values in a" not in piped
    shown = on_terminal(*arguments, PYTHONIOENCODING="ascii")
    assert "histogram" not in shown
    assert "values in a" not in shown


def test_sparklines() -> None:
    """A place without values is blank, the fullest is full, and two histograms share their places."""
    assert sparkline(Histogram(0, 0, (8, 0, 4, 1))) == "█ ▄▁"
    assert sparkline(Histogram()) == ""
    assert len(sparkline(Histogram(0, 0, (1,) * 64))) <= 12
    assert two_sparklines(Histogram(0, 0, (1,)), Histogram(0, 3, (5,))) == ("█   ", "   █")
    assert two_sparklines(Histogram(), Histogram(0, 0, (1,))) == ("", "")


@pytest.mark.skipif(shutil.which("sed") is None, reason="needs sed")
class TestPager:
    """Results that are longer than the terminal."""

    PAGER = "sed s/^/paged:/"

    def test_long(self) -> None:
        """A long result goes to the pager of the user, whole and once."""
        shown = on_terminal("ls", CNN, rows=8, PAGER=self.PAGER).splitlines()
        assert len(shown) == len(on_terminal("ls", CNN).splitlines()) > 8
        assert all(line.startswith("paged:") for line in shown)

    def test_short(self) -> None:
        """A result that fits is printed."""
        assert "paged:" not in on_terminal("ls", CNN, PAGER=self.PAGER)

    def test_refused(self) -> None:
        """`--no-pager` prints it, and so does an empty PAGER or `cat`."""
        shown = on_terminal("ls", CNN)
        assert on_terminal("--no-pager", "ls", CNN, rows=8, PAGER=self.PAGER) == shown
        assert on_terminal("ls", CNN, rows=8, PAGER="") == on_terminal("ls", CNN, rows=8, PAGER="cat") == shown

    def test_exit_code(self) -> None:
        """A pager leaves the exit code as it is."""
        command = f"{sys.executable} -m ckpttool diff {BASE} {TUNED}; echo code $?"
        assert "code 1" in on_terminal_shell(command, PAGER=self.PAGER)


def on_terminal_shell(command: str, **environment: str) -> str:
    """What a command of the shell prints on a terminal of 8 rows."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 300, 0, 0))
    subprocess.run(["sh", "-c", command], stdin=theirs, stdout=theirs, env={**os.environ, **environment}, check=False)
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 65536):
            text += piece
    os.close(ours)
    return text.decode()


def test_watch(tmp_path: Path) -> None:
    """A directory that is followed is listed again when a checkpoint comes, and Ctrl-C ends it with exit code 0."""
    shutil.copy(CNN, tmp_path / "one.keras")
    command = [sys.executable, "-m", "ckpttool", "ls", str(tmp_path), "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        first = [watch.stdout.readline() for _ in range(3)]
        assert "one.keras" in first[2]
        shutil.copy(CNN, tmp_path / "part")
        (tmp_path / "part").rename(tmp_path / "two.keras")
        again = [watch.stdout.readline() for _ in range(4)]
        assert ["one.keras" in again[2], "two.keras" in again[3]] == [True, True]
        time.sleep(0.1)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 0
        assert watch.stderr is not None
        assert "error" not in watch.stderr.read()


def test_watch_follows_one_directory() -> None:
    """A file, or several directories, cannot be followed."""
    command = [sys.executable, "-m", "ckpttool", "ls", CNN, "--watch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--watch follows one directory" in done.stderr
