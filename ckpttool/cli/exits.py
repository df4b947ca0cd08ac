"""Exits of a command when the system fails it: one line on standard error, an exit code, and nothing left behind.

Signals end a command in an orderly way, so that unfinished files go. One that is ignored when the command starts stays
ignored: `nohup` ignores SIGHUP, and a shell that runs a script ignores SIGINT for its background jobs.
"""

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

import click

from ckpttool.cli.emit import FAILED, fail
from ckpttool.errors import CheckpointError
from ckpttool.escape import printable

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_FOR_NUMPY = 112 << 20  # bytes of addresses that importing it takes, with one thread
_NO_THREAD = "can't start new thread"


class Interrupted(KeyboardInterrupt):
    """A signal that ends the command; the exit code is 128 plus its number, as in a shell."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn errors within the block into a message and an exit code; a bug of ckpttool itself passes, with its
    traceback."""
    try:
        yield
    except CheckpointError as error:
        fail(str(error))
        code = FAILED
    except KeyboardInterrupt as error:
        fail("interrupted")
        code = error.code if isinstance(error, Interrupted) else FAILED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        code = FAILED
    except (OSError, MemoryError, ImportError, RuntimeError) as error:
        message = _message(error)
        if not message:
            raise
        fail(message)
        code = FAILED
    else:
        return
    _give_up_streams()
    raise click.exceptions.Exit(code)


def _message(error: OSError | MemoryError | ImportError | RuntimeError) -> str:
    """The message for an error of the system; empty where the error is not the system's."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, ImportError):
        lines = str(error).strip().splitlines() or [""]
        return f"a part of ckpttool, or of what it needs, cannot be loaded: {printable(lines[-1])}"
    if isinstance(error, RuntimeError):
        return (
            "no thread can be started: there is not enough memory, or too many run" if _NO_THREAD in str(error) else ""
        )
    if not _has_directory():
        return "the current directory has been removed; change to one that is there"
    name = f"{printable(os.fsdecode(error.filename))}: " if isinstance(error.filename, str | bytes) else ""
    return f"{name}{error.strerror or printable(str(error))}"


def _has_directory() -> bool:
    try:
        return bool(os.getcwd())
    except OSError:
        return False


@contextlib.contextmanager
def orderly() -> Iterator[None]:
    """Make signals raise Interrupted within the block, except those that are ignored already."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    caught = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]

    def interrupt(number: int, frame: Any) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_DFL)  # a second signal ends the process at once
        raise Interrupted(number)

    try:
        for number in caught:
            signal.signal(number, interrupt)
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])


class _EnoughMemory:
    """A finder that lets NumPy be imported only where there is memory for it: OpenBLAS ends the process otherwise."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Always None, as it finds nothing itself; raises MemoryError where there is too little memory."""
        if name == "numpy":
            import mmap

            try:
                mmap.mmap(-1, _FOR_NUMPY).close()
            except (OSError, ValueError) as error:
                raise MemoryError from error


def guard_memory() -> None:
    """Raise MemoryError from then on when NumPy is imported without enough memory, where memory is limited."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit
    except ImportError:  # not on Windows
        return
    guarded = any(isinstance(finder, _EnoughMemory) for finder in sys.meta_path)
    if getrlimit(RLIMIT_AS)[0] != RLIM_INFINITY and not guarded:
        sys.meta_path.insert(0, _EnoughMemory())


def open_streams() -> None:
    """Replace closed standard streams, so that no file that is opened later gets their numbers. Writing to such a
    standard output fails, as it should."""
    for number, name, flags in ((0, "stdin", os.O_WRONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None and not _is_open(number):
            os.open(os.devnull, flags)  # takes the lowest number that is free
            mode = "r" if number == 0 else "w"
            setattr(sys, name, io.TextIOWrapper(io.FileIO(number, mode, closefd=False), errors="backslashreplace"))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _give_up_streams() -> None:
    """Point streams that cannot be flushed to the null device, so that Python does not try again when it ends."""
    for stream in (sys.stdout, sys.stderr):
        if not _is_flushed(stream):
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_flushed(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        return False
    return True
