"""Chunked and compressed values, put together by h5py in a child process.

libhdf5 crashes and hangs on some hostile files, so it never runs in this process. The child (`chunk_child`) has limits
on memory, processor time and open files; whatever happens to it becomes one error here.
"""

import json
import os
import selectors
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import IO

from ckpttool.errors import CorruptFileError

_SILENCE = 60.0  # seconds without a byte after which the child counts as hung
_PIECE = 4 << 20


class ChunkReader:
    """Reads chunked datasets of one HDF5 file; a child process is started at the first and kept until `close`.

    `where` is the file and, inside an archive, the start and size of the member and whether it is deflated.
    """

    def __init__(self, path: str, start: int = 0, size: int = -1, inflated: int = -1) -> None:
        self._where = [os.path.abspath(path), start, size, inflated]
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def pieces(self, dataset: str, nbytes: int, limit: int) -> Iterator[bytes]:
        """The bytes of a dataset in C order, as stored, `limit` at a time."""
        with self._lock:
            child, whole = self._started(), False
            try:
                self._ask(child, {"dataset": dataset, "limit": _PIECE})
                yield from _cut(_Frames(child, dataset), nbytes, limit, dataset)
                whole = True
            finally:
                if not whole:  # the child is in an unknown state: a new one next time
                    self.close()

    def close(self) -> None:
        """Ends the child process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._child is None or self._child.poll() is not None:
            command = [sys.executable, "-m", "ckpttool.formats.hdf5.chunk_child", json.dumps(self._where)]
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
            )
        return self._child

    def _ask(self, child: "subprocess.Popen[bytes]", request: dict[str, object]) -> None:
        stdin = child.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except OSError:
            pass  # the child is gone: reading its answer tells so


def _environment() -> dict[str, str]:
    """The environment of the child: this package importable, plugins of libhdf5 off."""
    package_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "HDF5_PLUGIN_PRELOAD": "::", "PYTHONPATH": path}


def _cut(frames: Iterable[bytes], nbytes: int, limit: int, dataset: str) -> Iterator[bytes]:
    """The bytes of all frames, `limit` at a time; an error where they are not `nbytes` in all."""
    held, done = bytearray(), 0
    for frame in frames:
        held += frame
        done += len(frame)
        if done > nbytes:
            break
        while len(held) >= limit:
            yield bytes(held[:limit])
            del held[:limit]
    if done != nbytes:
        raise _unreadable(dataset, "its values are not of the size it declares", f"{done:,} of {nbytes:,} bytes")
    if held:
        yield bytes(held)


class _Frames:
    """The frames that the child answers one request with, read with a limit on its silence."""

    def __init__(self, child: "subprocess.Popen[bytes]", dataset: str) -> None:
        assert child.stdout is not None
        self._child, self._dataset = child, dataset
        self._stdout: IO[bytes] = child.stdout

    def __iter__(self) -> Iterator[bytes]:
        while True:
            kind, size = struct.unpack("<cQ", self._take(9))
            body = self._take(size)
            if kind != b"D":
                raise _unreadable(self._dataset, "its values cannot be read", body.decode("utf-8", "replace"))
            if not body:
                return
            yield body

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        parts = bytearray()
        while len(parts) < size:
            parts += self._some(size - len(parts))
        return bytes(parts)

    def _some(self, size: int) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            if not selector.select(_SILENCE):
                raise _unreadable(self._dataset, "reading its values hangs", f"nothing for {_SILENCE:.0f} s")
        data = os.read(self._stdout.fileno(), min(size, 1 << 20))
        if not data:
            status = self._child.wait()
            raise _unreadable(self._dataset, "its values cannot be read", f"h5py ended with status {status}")
        return data


def _unreadable(dataset: str, what: str, found: str) -> CorruptFileError:
    return CorruptFileError(
        what, where=dataset, expected="chunks that h5py can put together", found=found, hint="fetch the file again"
    )
