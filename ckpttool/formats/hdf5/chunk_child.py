"""The child process that reads chunked values with h5py; started by `chunked.ChunkReader`, never imported.

It takes one JSON line a request on standard input and answers in frames: `D` for data or `E` for an error, eight bytes of
length, and the bytes. After the file is open it gives up the right to open anything else, and its memory and time are
bounded.
"""

import io
import itertools
import json
import math
import struct
import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from ckpttool.files import FileSource, Inflated, Source, Window

_MEMORY = 3 << 30
_CPU_SECONDS = 900
_CHUNK_CACHE = 64 << 20


class _SourceFile(io.RawIOBase):
    """A source as the file object that h5py's file driver wants."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._source.size)[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        size = max(0, min(len(buffer), self._source.size - self._at))
        self._source.fill(self._at, memoryview(buffer)[:size])
        self._at += size
        return size


def _open(path: str, start: int, size: int, inflated: int) -> h5py.File:
    source: Source = FileSource(path)
    if size >= 0:
        source = Window(source, start, size)
    if inflated >= 0:
        source = Inflated(source, inflated)
    return h5py.File(_SourceFile(source), "r", rdcc_nbytes=_CHUNK_CACHE)


def _give_up_rights() -> None:
    """No further file can be opened, and memory and time are bounded, where the system has such limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def selections(shape: tuple[int, ...], limit: int) -> Iterator[tuple[int | slice, ...]]:
    """Selections of at most `limit` values (at least one) that, one after the other, are the array in C order."""
    axis = next((n for n in range(len(shape)) if math.prod(shape[n + 1 :]) <= limit), len(shape))
    if axis >= len(shape):
        yield ()
        return
    step = max(1, limit // max(1, math.prod(shape[axis + 1 :])))
    for outer in itertools.product(*(range(size) for size in shape[:axis])):
        for start in range(0, shape[axis], step):
            yield (*outer, slice(start, min(start + step, shape[axis])))


def _answer(file: h5py.File, request: dict[str, Any], out: Any) -> None:
    """Writes the values of a dataset as data frames, and an empty one behind the last."""
    dataset = file[request["dataset"].encode("utf-8", "surrogateescape")]
    for selection in selections(dataset.shape, max(1, request["limit"] // dataset.dtype.itemsize)):
        _frame(out, b"D", np.ascontiguousarray(dataset[selection]).tobytes())
    _frame(out, b"D", b"")


def _frame(out: Any, kind: bytes, body: bytes) -> None:
    out.write(kind + struct.pack("<Q", len(body)) + body)
    out.flush()


def main() -> None:
    """Serves requests until standard input ends; what h5py cannot do is told in a frame of its own."""
    file = _open(*json.loads(sys.argv[1]))
    _give_up_rights()
    for line in sys.stdin.buffer:
        try:
            _answer(file, json.loads(line), sys.stdout.buffer)
        except Exception as error:  # whatever h5py raises belongs into the answer
            _frame(sys.stdout.buffer, b"E", f"{type(error).__name__}: {error}"[:400].encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
