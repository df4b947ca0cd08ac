"""The child process that reads chunked values with h5py; started by `chunks.ChunkReader`, never imported by it.

It takes one JSON line a request on standard input, `{"dataset": ..., "number": ...}`, and answers each with one frame:
`D` for data or `E` for an error, eight bytes of length, and the bytes. Pieces of a dataset are numbered from 0; the one
behind the last is empty. `{"dataset": ..., "stored": 1}` asks for the number of bytes that its chunks take in the file.
Before libhdf5 sees the file the process gives up the right to open anything else, and its
memory and time are bounded.
"""

import contextlib
import encodings.ascii  # noqa: F401 - h5py wants it when no file can be opened any more
import itertools
import json
import math
import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import h5py
import numpy as np

from ckpttool.io.sources import FileSource, Inflated, Source, SourceFile, Window

PIECE = 4 << 20
_MEMORY = (1 << 30, 3 << 30)  # the least and the most bytes of address space
_CPU_SECONDS = 2  # for a file of any size, and
_BYTES_A_SECOND = 4 << 20
_CHUNK_CACHE = (64 << 20, 512 << 20)  # the least and the most bytes for one dataset
_OPEN_DATASETS = 4

Block = tuple[tuple[int, ...], tuple[int, ...]]
"""A rectangular part of an array: where it starts and how long it is, by axis."""


def _source(path: str, start: int, size: int, inflated: int) -> Source:
    source: Source = FileSource(path)
    if size >= 0:
        source = Window(source, start, size)
    if inflated >= 0:
        source = Inflated(source, inflated)
    return source


def _give_up_rights(size: int) -> None:
    """No further file can be opened, and memory and time are bounded in proportion to the size of the file, where the
    system has such limits."""
    try:
        import resource
    except ImportError:
        return
    memory = min(_MEMORY[1], _MEMORY[0] + 8 * size)
    seconds = math.ceil(time.process_time()) + _CPU_SECONDS + size // _BYTES_A_SECOND
    limits = {"RLIMIT_NOFILE": 3, "RLIMIT_AS": memory, "RLIMIT_CPU": seconds, "RLIMIT_CORE": 0}
    for name, limit in limits.items():
        hard = limit + 1 if name == "RLIMIT_CPU" else limit  # by which the parent sees why the process ended
        with contextlib.suppress(OSError, ValueError):  # a stricter limit is set already, or there is no such limit
            resource.setrlimit(getattr(resource, name), (limit, hard))


def blocks(shape: tuple[int, ...], limit: int) -> Iterator[Block]:
    """Blocks of at most `limit` values (at least one) that, one after the other, are the array in C order."""
    axis = next((n for n in range(len(shape)) if math.prod(shape[n + 1 :]) <= limit), len(shape) - 1)
    inner = shape[axis + 1 :]
    step = max(1, limit // max(1, math.prod(inner)))
    for outer in itertools.product(*(range(size) for size in shape[:axis])):
        for start in range(0, shape[axis], step):
            count = min(step, shape[axis] - start)
            yield (*outer, start, *(0 for _ in inner)), (*(1 for _ in outer), count, *inner)


class _Open(NamedTuple):
    """An open dataset and the blocks that are still to come, with the number of the first of them."""

    dataset: h5py.h5d.DatasetID
    sizes: "_ChunkSizes"
    blocks: Iterator[Block]
    number: int


class _Reader:
    """The reader of pieces of datasets by number; a few datasets stay open, so that pieces in order cost no search."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._open: dict[str, _Open] = {}

    def piece(self, name: str, number: int) -> bytes:
        """Piece `number` of a dataset, as stored; empty behind the last."""
        state = self._open.pop(name, None)
        if state is None or state.number > number:
            dataset = _opened(self._file, name)
            cut = blocks(dataset.shape, max(1, PIECE // dataset.get_type().get_size()))
            state = _Open(dataset, _ChunkSizes(dataset), cut, 0)
        block = next(itertools.islice(state.blocks, number - state.number, None), None)
        while len(self._open) >= _OPEN_DATASETS:
            del self._open[next(iter(self._open))]
        self._open[name] = state._replace(number=number + 1)
        if block is None:
            return b""
        state.sizes.check(block)
        return _values(state.dataset, block)

    def stored_nbytes(self, name: str) -> int:
        """The number of bytes that the chunks of a dataset take in the file."""
        size: int = _opened(self._file, name).get_storage_size()
        return size


def _opened(file: h5py.File, name: str) -> h5py.h5d.DatasetID:
    """The dataset, open with a cache that holds the chunks which one piece after the other needs."""
    path = name.encode("utf-8", "surrogateescape")
    dataset = h5py.h5d.open(file.id, path)
    creation = dataset.get_create_plist()
    if creation.get_layout() != h5py.h5d.CHUNKED:
        raise ValueError("libhdf5 finds another dataset there, which is not chunked")
    if dataset.dtype.hasobject:
        raise ValueError("values of variable length")
    rows = (-(-size // chunk) * chunk for size, chunk in zip(dataset.shape[1:], creation.get_chunk()[1:], strict=True))
    wanted = creation.get_chunk()[0] * math.prod(rows) * dataset.get_type().get_size()
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    most = max(_CHUNK_CACHE[0], min(_CHUNK_CACHE[1], 2 * file.id.get_filesize()))
    access.set_chunk_cache(100_003, max(_CHUNK_CACHE[0], min(wanted, most)), 1.0)
    return h5py.h5d.open(file.id, path, access)


class _ChunkSizes:
    """Sees to it that the chunks of a dataset are whole: libhdf5 fills up a short one with whatever lies in memory.

    The filters gzip, shuffle and fletcher32 are undone for that, as far as sizes go; with others nothing is checked.
    """

    def __init__(self, dataset: h5py.h5d.DatasetID) -> None:
        creation = dataset.get_create_plist()
        self._dataset, self._chunk = dataset, creation.get_chunk()
        self._filters = [creation.get_filter(n)[0] for n in range(creation.get_nfilters())]
        self._size = math.prod(self._chunk) * dataset.get_type().get_size()
        self._known = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
        self._checked = set[tuple[int, ...]]()

    def check(self, block: Block) -> None:
        """Raise where a stored chunk of the block is not of the size of a chunk."""
        if not self._known.issuperset(self._filters):
            return
        places = (range(s // c * c, s + n, c) for s, n, c in zip(*block, self._chunk, strict=True))
        for offset in itertools.product(*places):
            if offset in self._checked:
                continue
            stored = self._dataset.get_chunk_info_by_coord(offset)
            if stored.byte_offset is None:
                continue
            skipped, raw = self._dataset.read_direct_chunk(offset)
            size = self._plain_size(skipped, raw[: stored.size])
            if size != self._size:
                raise ValueError(f"the chunk at {offset} has {size:,} bytes instead of {self._size:,}")
            self._checked.add(offset)

    def _plain_size(self, skipped: int, stored: bytes) -> int:
        """The size of a chunk whose filters are undone, but for those that it did not pass."""
        for number, filter_ in reversed(list(enumerate(self._filters))):
            if skipped >> number & 1:
                continue
            if filter_ == h5py.h5z.FILTER_FLETCHER32:
                stored = stored[:-4]
            elif filter_ == h5py.h5z.FILTER_DEFLATE:
                stored = zlib.decompressobj().decompress(stored, self._size + 5)
        return len(stored)


def _values(dataset: h5py.h5d.DatasetID, block: Block) -> bytes:
    """The bytes of a block as they are stored: to libhdf5, memory has the type of the file."""
    start, count = block
    stored = dataset.get_type()
    space = dataset.get_space()
    space.select_hyperslab(start, count)
    buffer = np.zeros(math.prod(count) * stored.get_size(), np.uint8)
    dataset.read(h5py.h5s.create_simple(count), space, buffer, stored)
    return buffer.tobytes()


def _answer(reader: _Reader, line: bytes) -> tuple[bytes, bytes]:
    request = json.loads(line)
    try:
        if "stored" in request:
            return b"D", str(reader.stored_nbytes(request["dataset"])).encode()
        return b"D", reader.piece(request["dataset"], request["number"])
    except Exception as error:  # whatever h5py raises belongs into the answer
        return b"E", f"{type(error).__name__}: {error}"[:400].encode("utf-8", "replace")


def main(where: str) -> None:
    """Serves requests until standard input ends."""
    source = _source(*json.loads(where))
    _give_up_rights(os.path.getsize(json.loads(where)[0]))
    reader = _Reader(h5py.File(SourceFile(source), "r"))
    for line in sys.stdin.buffer:
        kind, body = _answer(reader, line)
        sys.stdout.buffer.write(kind + struct.pack("<Q", len(body)) + body)
        sys.stdout.buffer.flush()
