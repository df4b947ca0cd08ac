"""The ends of commands and their output, in this process: errors of the system, signals, closed streams, bars.
test_exits.py has whole commands that the system fails.
"""

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from ckpttool.cli import emit, exits
from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError

Captured = pytest.CaptureFixture[str]
REMOVED = "the current directory has been removed; change to one that is there"
UNLOADED = "a part of ckpttool, or of what it needs, cannot be loaded"
NO_THREAD = "no thread can be started: there is not enough memory, or too many run"
FAILURES: list[tuple[BaseException, int, str]] = [
    (CorruptFileError("is cut off", path="a.keras"), 2, "error: a.keras: is cut off\n"),
    (KeyboardInterrupt(), 2, "error: interrupted\n"),
    (exits.Interrupted(15), 143, "error: interrupted\n"),
    (BrokenPipeError(), 2, ""),
    (MemoryError(), 2, "error: there is not enough memory\n"),
    (OSError(errno.ENOSPC, "No space left", "new.keras"), 2, "error: new.keras: No space left\n"),
    (OSError(errno.EMFILE, "Too many open files"), 2, "error: Too many open files\n"),
    (OSError("a \x1b[31mred one"), 2, "error: a \\x1b[31mred one\n"),
    (
        ImportError("first\nno \x07numpy"),
        2,
        f"error: {UNLOADED}: no \\x07numpy\n",
    ),
    (ImportError(""), 2, f"error: {UNLOADED}: \n"),
    (
        RuntimeError("can't start new thread"),
        2,
        f"error: {NO_THREAD}\n",
    ),
]


@pytest.mark.parametrize(("error", "code", "message"), FAILURES, ids=repr)
def test_failures(error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the system is one line, free of what a terminal would obey, and an exit code."""
    with pytest.raises(click.exceptions.Exit) as ended, exits.failures():
        raise error
    assert (ended.value.exit_code, *capsys.readouterr()) == (code, "", message)


@pytest.mark.parametrize("bug", [RuntimeError("dictionary changed"), ValueError("no"), KeyError("x")])
def test_bugs_pass(bug: Exception) -> None:
    """An error of ckpttool itself keeps its traceback."""
    with pytest.raises(type(bug)) as raised, exits.failures():
        raise bug
    assert raised.value is bug


def test_nothing_happens_without_an_error() -> None:
    """A command that does its work goes on behind it."""
    with exits.failures():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a directory that is somebody's current one")
def test_a_removed_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error in a directory that is not there any more says so, whatever it was about."""
    (tmp_path / "removed").mkdir()
    monkeypatch.chdir(tmp_path / "removed")
    (tmp_path / "removed").rmdir()
    with pytest.raises(click.exceptions.Exit), exits.failures():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")
    assert capsys.readouterr().err == f"error: {REMOVED}\n"


class Broken(io.StringIO):
    """A stream that cannot be written, over a file of this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        """Fail as a full disk does."""
        raise OSError(errno.ENOSPC, "No space left")

    def fileno(self) -> int:
        """The number of the file."""
        return self.number


def test_streams_that_cannot_be_written_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that cannot be flushed leads to the null device afterwards, so that the end of Python does not fail."""
    number = os.open(tmp_path / "full", os.O_WRONLY | os.O_CREAT)
    monkeypatch.setattr(sys, "stdout", Broken(number))
    with pytest.raises(click.exceptions.Exit), exits.failures():
        raise BrokenPipeError
    assert os.path.samestat(os.fstat(number), os.stat(os.devnull))
    monkeypatch.undo()
    os.close(number)


@pytest.fixture
def harmless() -> Iterator[Any]:
    """A handler that does nothing, in the place of those of this process."""

    def handler(number: int, frame: Any) -> None:
        """Do nothing."""

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")
    before = {number: signal.signal(number, handler) for number in exits._SIGNALS}
    yield handler
    for number, previous in before.items():
        signal.signal(number, previous)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs signals of POSIX systems")
def test_signals_end_a_command_in_order(harmless: Any) -> None:
    """A signal raises within the block, a second one would end the process, and the handlers come back behind it."""
    with exits.orderly():
        with pytest.raises(exits.Interrupted) as interrupted:
            signal.raise_signal(signal.SIGTERM)
        assert interrupted.value.code == 128 + signal.SIGTERM
        assert {signal.getsignal(number) for number in exits._SIGNALS} == {signal.SIG_DFL}
    assert {signal.getsignal(number) for number in exits._SIGNALS} == {harmless}


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs signals of POSIX systems")
def test_ignored_signals_stay_ignored(harmless: Any) -> None:
    """As `nohup` has it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with exits.orderly():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not harmless
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_threads_have_no_signals() -> None:
    """In another thread, which may set no handlers, the block runs all the same."""
    before, seen = signal.getsignal(signal.SIGINT), list[Any]()

    def work() -> None:
        with exits.orderly():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_numpy_needs_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy is imported only where there are addresses for it; other modules are not looked at."""
    finder = exits._EnoughMemory()
    finder.find_spec("numpy")
    monkeypatch.setattr(exits, "_FOR_NUMPY", 1 << 62)
    finder.find_spec("json")
    with pytest.raises(MemoryError):
        finder.find_spec("numpy")


def test_memory_is_guarded_where_it_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder comes first, once, and only where the memory of a process has a limit."""
    resource = pytest.importorskip("resource", reason="needs limits of POSIX systems")
    others = [finder for finder in sys.meta_path if not isinstance(finder, exits._EnoughMemory)]
    monkeypatch.setattr(sys, "meta_path", list(others))
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    exits.guard_memory()
    assert sys.meta_path == others
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1 << 40, resource.RLIM_INFINITY))
    for _ in range(2):
        exits.guard_memory()
    assert [type(finder) for finder in sys.meta_path[:1]] == [exits._EnoughMemory]
    assert sys.meta_path[1:] == others
    monkeypatch.setitem(sys.modules, "resource", None)
    exits.guard_memory()
    assert sys.meta_path[1:] == others


def test_closed_streams_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A standard output that is closed is opened for reading, so that writing to it fails; an open one stays."""
    opened = list[tuple[str, int]]()
    monkeypatch.setattr(exits.os, "open", lambda path, flags: opened.append((path, flags)) or 1)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(exits, "_is_open", lambda number: True)
    exits.open_streams()
    assert (sys.stdout, opened) == (None, [])
    monkeypatch.setattr(exits, "_is_open", lambda number: False)
    exits.open_streams()
    stream: Any = sys.stdout
    assert (stream.fileno(), stream.buffer.mode, stream.errors) == (1, "wb", "backslashreplace")
    assert opened == [(os.devnull, os.O_RDONLY)]


def test_open_files_are_known() -> None:
    """The number of a file that is closed is none of an open one."""
    reader, writer = os.pipe()
    assert exits._is_open(reader)
    os.close(reader)
    os.close(writer)
    assert not exits._is_open(reader)


def raising(error: Exception) -> Any:
    """A function that raises an error, whatever it gets."""

    def function(*arguments: Any, **named: Any) -> None:
        raise error

    return function


def test_output_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an error of a file; a reader that has left is the end."""
    monkeypatch.setattr(emit.click, "echo", raising(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(FileAccessError, match="standard output cannot be written: No space left"):
        emit.emit("text")
    emit.say("to standard error, which need not be there")
    monkeypatch.setattr(emit.click, "echo", raising(BrokenPipeError()))
    with pytest.raises(BrokenPipeError):
        emit.emit("text")
    assert not issubclass(BrokenPipeError, CheckpointError)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    encoding = "ascii"

    def isatty(self) -> bool:
        """Whether it is a terminal: yes."""
        return True


def test_results_on_a_terminal_may_go_to_the_pager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on both sides has the pager asked, with what the encoding lacks escaped; a watch never asks it."""
    paged, terminal = list[str](), Terminal()
    monkeypatch.setattr("ckpttool.cli.pager.show", paged.append)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stdin", Terminal())
    emit.emit("höher")
    emit.emit("low", may_page=False)
    assert (paged, terminal.getvalue()) == (["h\\xf6her"], "low\n")


class Bar:
    """A progress bar that writes down what is done with it."""

    def __init__(self, **settings: Any) -> None:
        self.done: list[Any] = [(settings["length"], settings["label"])]

    def update(self, count: int) -> None:
        """Note a step."""
        self.done.append(count)

    def render_finish(self) -> None:
        """Note the end."""
        self.done.append("end")


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar appears on a terminal once it takes long, with all that was done until then, and ends when all is done."""
    bars = list[Bar]()
    monkeypatch.setattr(emit.click, "progressbar", lambda **settings: bars.append(Bar(**settings)) or bars[-1])
    emit.progress(10)(10)
    monkeypatch.setattr(sys, "stderr", Terminal())
    emit.progress(0)(10)
    now = iter([0.0, 0.5, 1.5])
    monkeypatch.setattr(emit.time, "monotonic", lambda: next(now))
    update = emit.progress(10, "comparing")
    update(2)
    assert bars == []
    for count in (3, 1, 4):
        update(count)
    assert [bar.done for bar in bars] == [[(10, "comparing"), 5, 1, 4, "end"]]
