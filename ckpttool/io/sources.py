"""Sources of bytes, read by offset, never past their end.

A `Source` is a run of bytes: a file, a stored member of an archive (read in place), or a deflated one (inflated on the
way, in bounded memory). Nothing is extracted to disk. Plain reads are used and no memory map: a map turns a file that
shrinks while it is read, as a running training job makes it, into a fatal signal instead of an error.
"""

import io
import os
import re
import stat
import threading
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError
from ckpttool.io.budget import Budget

_LEAST_WINDOW = 256 << 10  # inflated bytes between two states of the decompressor
_MOST_STATES = 512
_CACHED_WINDOWS = 16
_INFLATE_READ = 16 << 10  # compressed bytes fed at once
_STEP_BITS = 10  # 2 ** 10 inflated bytes cost one step of the budget


class Source(Protocol):
    """A run of bytes that is read by offset, and the budget of the file that contains it."""

    size: int
    budget: Budget

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset` on; raises `CorruptFileError` where the run ends before."""

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole of `buffer` from `offset` on; raises `CorruptFileError` where the run ends before."""


class FileSource:
    """A regular file, with one descriptor that is open until `close` or the end of a `with` block; safe to read from
    several threads.
    """

    def __init__(self, path: str | os.PathLike[str], budget: Budget | None = None) -> None:
        self.path = os.fspath(path)
        self._fd = _open_regular(self.path)
        self.size = os.fstat(self._fd).st_size
        self.budget = budget or Budget(self.size)
        self._lock = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset` on."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise outside(offset, size, self.size)
        data = self._pread(size, offset)
        if len(data) == size:
            return data
        whole = bytearray(size)
        self.fill(offset, memoryview(whole))
        return bytes(whole)

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole of `buffer` from `offset` on."""
        if offset < 0 or offset + len(buffer) > self.size:
            raise outside(offset, len(buffer), self.size)
        done = 0
        while done < len(buffer):
            count = self._read_some(buffer[done:], offset + done)
            if not count:
                raise CorruptFileError(
                    "the file became shorter while it was read",
                    found=f"the end at byte {offset + done:,} of {self.size:,}",
                    hint="read it again when nobody writes to it",
                )
            done += count

    def __enter__(self) -> "FileSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor; reading afterwards is an error."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _pread(self, size: int, offset: int) -> bytes:
        try:
            if hasattr(os, "pread"):
                return os.pread(self._fd, size, offset)
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                return os.read(self._fd, size)
        except OSError as error:
            raise self._unreadable(error) from error

    def _read_some(self, buffer: memoryview, offset: int) -> int:
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._fd, [buffer], offset)
        except OSError as error:
            raise self._unreadable(error) from error
        data = self._pread(min(len(buffer), 1 << 20), offset)
        buffer[: len(data)] = data
        return len(data)

    def _unreadable(self, error: OSError) -> CheckpointError:
        if self._fd < 0:
            return FileAccessError(
                "the checkpoint is closed", path=self.path, hint="read weights inside the `with` block"
            )
        return FileAccessError(f"cannot be read: {error.strerror}", path=self.path)


class Window:
    """A part of another source, such as a stored member of an archive, read in place."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        if start < 0 or size < 0 or start + size > source.size:
            raise outside(start, size, source.size)
        self._source, self._start, self.size = source, start, size
        self.budget = source.budget

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset` on."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise outside(offset, size, self.size)
        return self._source.read(self._start + offset, size)

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole of `buffer` from `offset` on."""
        if offset < 0 or offset + len(buffer) > self.size:
            raise outside(offset, len(buffer), self.size)
        self._source.fill(self._start + offset, buffer)


class Inflated:
    """A deflated run of bytes, read by offset without being extracted.

    The bytes are inflated window by window. The state of the decompressor at the start of every window is remembered
    (about 50 KB each, at most 512), so that reading backwards restarts there and not at the beginning; so are the last
    16 windows.
    """

    def __init__(self, source: Source, size: int) -> None:
        self._source, self.size, self.budget = source, size, source.budget
        self._step = max(_LEAST_WINDOW, -(-size // _MOST_STATES))
        self._states = [(0, zlib.decompressobj(-zlib.MAX_WBITS))]  # (deflated offset, state) at each window's start
        self._windows: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset` on."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise outside(offset, size, self.size)
        data = bytearray(size)
        self.fill(offset, memoryview(data))
        return bytes(data)

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole of `buffer` from `offset` on."""
        if offset < 0 or offset + len(buffer) > self.size:
            raise outside(offset, len(buffer), self.size)
        with self._lock:
            done = 0
            while done < len(buffer):
                index, begin = divmod(offset + done, self._step)
                part = self._window(index)[begin : begin + len(buffer) - done]
                buffer[done : done + len(part)] = part
                done += len(part)

    def _window(self, index: int) -> bytes:
        """The bytes of one window; windows that were not reached before are inflated on the way."""
        if index in self._windows:
            self._windows.move_to_end(index)
            return self._windows[index]
        for reached in range(min(index, len(self._states) - 1), index + 1):
            self._windows[reached] = self._inflated(reached)
            if len(self._windows) > _CACHED_WINDOWS:
                self._windows.popitem(last=False)
        return self._windows[index]

    def _inflated(self, index: int) -> bytes:
        position, saved_state = self._states[index]
        state, parts, count = saved_state.copy(), list[bytes](), 0
        wanted = min(self._step, self.size - index * self._step)
        self.budget.spend(wanted >> _STEP_BITS)
        while count < wanted:
            feed = state.unconsumed_tail
            if not feed:
                feed = self._source.read(position, min(_INFLATE_READ, self._source.size - position))
                position += len(feed)
            part = inflate(state, feed, wanted - count)
            if not part and (state.eof or not feed):
                reached = f"{index * self._step + count:,} bytes"
                raise CorruptFileError("the compressed data ends early", expected=f"{self.size:,} bytes", found=reached)
            parts.append(part)
            count += len(part)
        if index + 1 == len(self._states):
            self._states.append((position, state))
        return b"".join(parts)


class SourceFile(io.RawIOBase):
    """A source as a file object, for libraries that want one."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to `offset` from the start, the current position or the end; returns the new position."""
        place = (0, self._at, self._source.size)[whence] + offset
        if place < 0:
            raise OSError("negative seek position")  # as a file on disk does; zipfile relies on it
        self._at = place
        return place

    def tell(self) -> int:
        """The current position."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the source reaches; returns the number of bytes."""
        size = min(len(buffer), self._source.size - self._at)
        if size <= 0:
            return 0
        self._source.fill(self._at, memoryview(buffer).cast("B")[:size])
        self._at += size
        return size


def inflate(state: "zlib._Decompress", feed: bytes, limit: int) -> bytes:
    """At most `limit` bytes inflated from `feed`; raises `CorruptFileError` where it is no deflate stream."""
    try:
        return state.decompress(feed, limit)
    except zlib.error as error:
        raise CorruptFileError(f"the compressed data is damaged ({error})") from error


def outside(offset: int, size: int, end: int) -> CorruptFileError:
    """The error for a range of bytes that reaches beyond the end of its container."""
    return CorruptFileError(
        "points beyond its own end",
        expected=f"an offset and size within {end:,} bytes",
        found=f"{size:,} bytes at offset {offset:,}",
        hint="the file is damaged or was cut off; fetch it again",
    )


def _open_regular(path: str) -> int:
    """A descriptor of a regular file; a FIFO or device is refused without being opened for reading."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind):
            raise FileAccessError(f"is {_kind(kind)}", path=path, expected="a regular file")
        descriptor = os.open(path, flags)
    except OSError as error:
        raise access_error(path, error) from error
    except ValueError as error:  # an embedded NUL
        raise FileAccessError("is not a valid path", path=path) from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileAccessError("stopped being a regular file", path=path)


def access_error(path: str, error: OSError) -> FileAccessError:
    """The error for a path that the system would not open."""
    if _URL.match(path):
        return FileAccessError(
            "is a URL, and ckpttool reads files of this machine",
            path=_URL.sub(r"\1://", path),
            hint="download it first, and name the file",
        )
    if isinstance(error, FileNotFoundError):
        return FileAccessError("no such file or directory", path=path, hint=_instead_of_absent(path))
    return FileAccessError(f"cannot be opened: {error.strerror}", path=path)


_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/+")  # a single letter is a drive of Windows


def _instead_of_absent(path: str) -> str:
    """A hint for a path where there is no file; empty where nothing is known."""
    if path.startswith("~"):
        return "the shell did not expand ~, perhaps for quotes: name the home directory itself"
    near = _near(Path(path))
    if near:
        return f"did you mean {near}?"
    if any(char in path for char in "*?["):
        return "nothing matches the pattern, or quotes kept the shell from expanding it"
    return ""


def _near(path: Path) -> str:
    """The name in the same directory that is most like the missing one, or nothing."""
    import difflib

    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return ""
    return next(iter(difflib.get_close_matches(path.name, names, 1)), "")


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for test, name in kinds if test(mode)), "no regular file")
