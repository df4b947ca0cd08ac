"""Output on a terminal: histograms as bars, the pager, a directory that is followed."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from threading import Timer
from typing import IO

import pytest

from ckpttool.arrays.histograms import Histogram
from ckpttool.manifest import NAME, Saved, State, read_manifest, write_manifest
from ckpttool.render.sparklines import sparkline, two_sparklines
from tests.samples import FIXTURES
from tests.speeds import is_full

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudoterminals of POSIX systems")
CNN, BASE, TUNED = (str(FIXTURES / name) for name in ("keras3/cnn.keras", "tuned/base.keras", "tuned/tuned.keras"))
BARS = set("▁▂▃▄▅▆▇█")


@cache
def on_terminal(*arguments: str, rows: int = 100, **environment: str) -> str:
    """The output of ckpttool on a terminal of so many rows, asked for once."""
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

    @pytest.mark.parametrize(
        "arguments",
        [
            *[("graph", CNN, "-o", "svg"), ("ls", CNN, "-o", "html")],
            *([("graph", CNN, "-o", "html"), ("report", CNN)] if is_full() else []),
        ],
    )
    def test_pages_and_pictures(self, arguments: tuple[str, ...]) -> None:
        """Output for a browser is printed: its lines are so long that a pager stops at them."""
        shown = on_terminal(*arguments, rows=8, PAGER=self.PAGER)
        assert "paged:" not in shown
        assert any(start in shown for start in ("<!DOCTYPE html", "<svg"))  # on a slow machine behind a progress bar

    def test_exit_code(self) -> None:
        """A pager leaves the exit code as it is."""
        command = f"{sys.executable} -m ckpttool diff {BASE} {TUNED}; echo code $?"
        assert "code 1" in on_terminal_shell(command, PAGER=self.PAGER)


def on_terminal_shell(command: str, **environment: str) -> str:
    """The output of a command of the shell on a terminal of 8 rows."""
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


def save(directory: Path, name: str, epoch: int, value: float) -> None:
    """Save a checkpoint as the callback does: the file in its place first, then the manifest, replaced at once."""
    shutil.copy(CNN, directory / f".{name}")
    (directory / f".{name}").rename(directory / name)
    data = (directory / name).read_bytes()
    entry = Saved(
        name, "{epoch}.keras", State.COMPLETE, epoch, None, 10 * epoch, hashlib.sha256(data).hexdigest(), len(data),
        (directory / name).stat().st_mtime_ns, "run", monitor="val_loss", value=value,
    )  # fmt: skip
    write_manifest(directory, read_manifest(directory).with_saved(entry), "0")


def lines_until(stream: IO[str], text: str) -> list[str]:
    """The lines of a stream up to one with a text."""
    lines = [stream.readline()]
    while text not in lines[-1]:
        assert lines[-1], lines
        lines.append(stream.readline())
    return lines


def impatient_watch(directory: Path) -> list[str]:
    """The command that follows a directory, and looks at it more often."""
    code = "from ckpttool.cli import watch; watch._SECONDS = 0.05; from ckpttool.__main__ import main; main()"
    return [sys.executable, "-c", code, "ls", str(directory), "--watch"]


def test_watch_by_the_manifest(tmp_path: Path) -> None:
    """A save is shown with epoch and metric when the manifest has it, and not before; a broken manifest is said, and
    the next one followed; without one the files are."""
    shutil.copy(CNN, tmp_path / "before.keras")
    with subprocess.Popen(
        impatient_watch(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        try:
            assert watch.stdout is not None
            assert watch.stderr is not None
            lines_until(watch.stdout, "before.keras")
            save(tmp_path, "1.keras", 1, 0.5)
            assert "saved 1.keras: epoch 1, val_loss 0.5\n" in lines_until(watch.stderr, "saved")
            assert "1.keras" in lines_until(watch.stdout, "0.5")[-1]
            lines_until(watch.stdout, "before.keras")
            shutil.copy(CNN, tmp_path / "stray.keras")  # nothing that the training has finished
            save(tmp_path, "2.keras", 2, 0.25)
            assert lines_until(watch.stderr, "saved")[-1] == "saved 2.keras: epoch 2, val_loss 0.25\n"
            table = lines_until(watch.stdout, "stray.keras")
            assert [Path(line.split()[0]).name for line in table if ".keras" in line][:2] == ["1.keras", "2.keras"]
            sound = (tmp_path / NAME).read_bytes()
            (tmp_path / NAME).write_bytes(b"{")
            lines_until(watch.stdout, NAME)
            (tmp_path / "whole").write_bytes(sound)
            (tmp_path / "whole").replace(tmp_path / NAME)
            assert "2.keras" in lines_until(watch.stdout, "0.25")[-1]
            watch.send_signal(signal.SIGINT)
            assert watch.wait(30) == 0
            assert "Traceback" not in watch.stderr.read()
        finally:
            watch.kill()  # else a failure waits for it


def test_watch_waits(tmp_path: Path) -> None:
    """For an empty directory it says that it waits, and then shows what comes."""
    with subprocess.Popen(
        impatient_watch(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        alarm = Timer(60, watch.kill)  # a watch that says nothing would never end
        alarm.start()
        try:
            assert watch.stdout is not None
            assert watch.stderr is not None
            assert f"waiting for the first checkpoint in {tmp_path}" in watch.stderr.readline()
            shutil.copy(CNN, tmp_path / "part")
            (tmp_path / "part").rename(tmp_path / "one.keras")
            assert "one.keras" in lines_until(watch.stdout, "one.keras")[-1]
            watch.send_signal(signal.SIGINT)
            assert watch.wait(30) == 0
        finally:
            alarm.cancel()
            watch.kill()


def test_watch_follows_one_directory() -> None:
    """A file, or several directories, cannot be followed."""
    command = [sys.executable, "-m", "ckpttool", "ls", CNN, "--watch"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert "--watch follows one directory" in process.stderr
