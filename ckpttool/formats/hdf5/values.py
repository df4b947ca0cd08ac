"""The values of HDF5 datasets: read by offset where they lie in one piece, else through a child process."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.checkpoint import UnreadableValues, Values
from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5.headers import UNDEFINED, Hdf5Bytes
from ckpttool.formats.hdf5.objects import Dataset

# Keras's own limits against expansion bombs (keras/src/saving/saving_lib.py, 3.15): more than this declared in all,
# and more than this many times the file.
MAX_DECLARED = 64 << 20
MAX_RATIO = 1100  # times the file: deflate, which packs closest of all filters, makes 1,032 bytes of one at most
MAX_CHUNK = 1 << 30
MAX_CHUNKS = 10_000  # of so few bytes as
LEAST_CHUNK = 1024
MAX_FILTERS = 4
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "n-bit", 6: "scale-offset", 32000: "lzf"}
MAX_UNSTORED = 64 << 20
_VALUES_A_STEP = 9  # bits: bytes of values that cost a step: a command goes through them a few times
_CHUNK_STEPS = 8


class Contiguous(NamedTuple):
    """Values in one piece of the file."""

    file: Hdf5Bytes
    address: int
    nbytes: int

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, `limit` at a time, in one buffer that is used again."""
        buffer = memoryview(bytearray(min(limit, self.nbytes)))
        for start in range(0, self.nbytes, limit):
            part = buffer[: min(limit, self.nbytes - start)]
            self.file.fill(self.address + start, part)
            yield part

    def part(self, start: int, stop: int) -> "Contiguous | None":
        """The bytes from `start` up to `stop`; None where they are inflated on the way."""
        return Contiguous(self.file, self.address + start, stop - start) if self.file.is_in_place else None

    def stored_nbytes(self) -> int | None:
        """All of them; None where they are inflated on the way."""
        return self.nbytes if self.file.is_in_place else None


class InMemory(NamedTuple):
    """Values that stand in the header."""

    data: bytes

    def pieces(self, limit: int) -> Iterator[bytes]:
        """All bytes in C order, `limit` at a time."""
        for start in range(0, len(self.data), limit):
            yield self.data[start : start + limit]

    def part(self, start: int, stop: int) -> "InMemory":
        """The bytes from `start` up to `stop`."""
        return InMemory(self.data[start:stop])


class Repeated(NamedTuple):
    """Values that were never written: one value, again and again."""

    value: bytes
    nbytes: int

    def pieces(self, limit: int) -> Iterator[bytes]:
        """All bytes in C order, `limit` at a time."""
        width = len(self.value)
        run = self.value * (min(limit, self.nbytes) // width + 2)
        for start in range(0, self.nbytes, limit):
            shift = start % width
            yield run[shift : shift + min(limit, self.nbytes - start)]

    def part(self, start: int, stop: int) -> "Repeated":
        """The bytes from `start` up to `stop`, which may begin within a value."""
        shift = start % len(self.value)
        return Repeated(self.value[shift:] + self.value[:shift], stop - start)

    def stored_nbytes(self) -> int:
        """None of them is stored."""
        return 0


class Chunked(NamedTuple):
    """Values that only h5py can put together."""

    reader: ChunkReader
    path: str
    nbytes: int

    def pieces(self, limit: int) -> Iterator[bytes]:
        """All bytes in C order, `limit` at a time, as the child process sends them."""
        return self.reader.pieces(self.path, self.nbytes, limit)

    def part(self, start: int, stop: int) -> None:
        """None: chunks are put together from the first on."""

    def stored_nbytes(self) -> int | None:
        """The bytes of all chunks as they lie in the file; None where that cannot be told."""
        return self.reader.stored_nbytes(self.path)


def values_of(file: Hdf5Bytes, path: str, dataset: Dataset, reader: ChunkReader) -> Values:
    """The values of a dataset; call `problem` first, which says whether they may be read."""
    error = problem(file, dataset)
    if error is not None:
        return UnreadableValues(error.at(where=path))
    layout = dataset.layout
    if layout.kind == "compact":
        return InMemory(layout.data[: dataset.nbytes])
    if not dataset.nbytes:
        return InMemory(b"")
    if layout.kind == "contiguous" and layout.address != UNDEFINED:
        return Contiguous(file, layout.address, dataset.nbytes)
    if layout.kind == "contiguous":
        return Repeated(dataset.fill or b"\0", dataset.nbytes)
    return Chunked(reader, path, dataset.nbytes)


def problem(file: Hdf5Bytes, dataset: Dataset) -> CheckpointError | None:
    """The error for values of a dataset that must not be read, None where they may be."""
    layout = dataset.layout
    if dataset.external:
        return UnsafeFileError("keeps its values in another file, which is not opened", kind="external")
    if layout.kind == "virtual":
        reason = "is a virtual dataset, which gathers values from other files or datasets"
        return UnsafeFileError(reason, kind="virtual")
    if dataset.nbytes > MAX_DECLARED and dataset.nbytes > MAX_RATIO * file.end:
        return _bomb(dataset.nbytes, file.end)
    if layout.kind == "chunked":
        return _chunk_problem(file, dataset) or _fill_problem(dataset)
    if layout.kind == "compact":
        return _short(dataset.nbytes, len(layout.data))
    if layout.address == UNDEFINED:
        return _unwritten_problem(dataset)
    if layout.address + dataset.nbytes > file.end:
        return _beyond(file, layout.address, dataset.nbytes)
    return _short(dataset.nbytes, layout.size)


def steps_of_values(dataset: Dataset) -> int:
    """The steps that reading the values takes off the budget."""
    steps = dataset.nbytes >> _VALUES_A_STEP
    return steps + _CHUNK_STEPS * _count_of_chunks(dataset) if dataset.layout.kind == "chunked" else steps


def _count_of_chunks(dataset: Dataset) -> int:
    return math.prod(
        -(-size // (chunk or 1)) for size, chunk in zip(dataset.shape or (), dataset.layout.chunk, strict=False)
    )


def _unwritten_problem(dataset: Dataset) -> CheckpointError | None:
    if dataset.nbytes > MAX_UNSTORED:
        return _bomb(dataset.nbytes, 0)
    return _fill_problem(dataset)


def _fill_problem(dataset: Dataset) -> CheckpointError | None:
    """The error for a damaged fill value, which stands for values never written; libhdf5 reads beyond a short one."""
    if dataset.fill and len(dataset.fill) != dataset.dtype.size:
        sizes = f"{dataset.dtype.size:,} bytes", f"{len(dataset.fill):,} bytes"
        return CorruptFileError("the fill value is not of the size of a value", expected=sizes[0], found=sizes[1])
    return None


def _beyond(file: Hdf5Bytes, address: int, size: int) -> CorruptFileError:
    actual = f"{size:,} bytes at {address:,}"
    return CorruptFileError("lies beyond the end of the file", expected=f"at most byte {file.end:,}", found=actual)


def _short(declared: int, stored: int) -> CheckpointError | None:
    if declared <= stored:
        return None
    return CorruptFileError("fewer bytes are stored than declared", expected=f"{declared:,}", found=f"{stored:,}")


def _bomb(declared: int, stored: int) -> UnsafeFileError:
    expected, actual = f"about {stored:,} bytes", f"{declared:,} bytes"
    return UnsafeFileError("declares far more than is stored", expected=expected, found=actual)


def _chunk_problem(file: Hdf5Bytes, dataset: Dataset) -> CheckpointError | None:
    layout, rank = dataset.layout, len(dataset.shape or ())
    if len(layout.chunk) != rank + 1 or not all(layout.chunk) or layout.chunk[-1] != dataset.dtype.size:
        expected = f"{rank} sizes above 0 of values of {dataset.dtype.size:,} bytes"
        return CorruptFileError("has chunks that do not fit it", expected=expected, found=str(layout.chunk))
    chunk_bytes = math.prod(layout.chunk)
    if chunk_bytes > MAX_CHUNK or chunk_bytes > max(dataset.nbytes, 1 << 20) * 64:
        expected, actual = f"about {dataset.nbytes:,} bytes", f"{chunk_bytes:,}"
        return UnsafeFileError("has chunks of absurd size", expected=expected, found=actual)
    count = _count_of_chunks(dataset)
    if count > MAX_CHUNKS and chunk_bytes < LEAST_CHUNK:
        actual = f"{count:,} of {chunk_bytes:,} bytes each"
        return UnsupportedError(
            "is cut into chunks without end",
            expected=f"{MAX_CHUNKS:,} at most",
            found=actual,
            hint="rewrite it with h5repack -l CONTI",
        )
    if layout.address == UNDEFINED and dataset.nbytes > MAX_UNSTORED:
        return _bomb(dataset.nbytes, 0)
    if layout.address != UNDEFINED and layout.address >= file.end:
        return _beyond(file, layout.address, 1)
    return _filter_problem(layout.filters)


def _filter_problem(filters: tuple[int, ...]) -> CheckpointError | None:
    if len(filters) > MAX_FILTERS:
        expected, actual = f"{MAX_FILTERS} at most", str(len(filters))
        return UnsafeFileError("passes too many filters", expected=expected, found=actual)
    if FILTERS.keys() >= set(filters):
        return None
    return UnsupportedError(
        "is compressed with a filter that is not read",
        expected=", ".join(FILTERS.values()),
        found="filters " + ", ".join(map(str, filters)),
        hint="decompress it with h5repack",
    )
