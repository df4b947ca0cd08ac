"""The values of HDF5 datasets: read by offset where they lie in one piece, through a child process where they do not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ckpttool.checkpoint import Values
from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError
from ckpttool.formats.hdf5.chunked import ChunkReader
from ckpttool.formats.hdf5.low import UNDEFINED, Hdf5Bytes
from ckpttool.formats.hdf5.objects import Dataset

# Keras's own limits against expansion bombs (keras/src/saving/saving_lib.py, 3.15): more than this declared in all,
# and more than this many times the file.
MAX_DECLARED = 4 << 30
MAX_RATIO = 1000
MAX_CHUNK = 1 << 30
MAX_FILTERS = 4
MAX_UNSTORED = 1 << 20


@dataclass(frozen=True, slots=True)
class Contiguous:
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


@dataclass(frozen=True, slots=True)
class InMemory:
    """Values that stand in the header, or that were never written and are zeros."""

    data: bytes

    def pieces(self, limit: int) -> Iterator[bytes]:
        """All bytes in C order, `limit` at a time."""
        for start in range(0, len(self.data), limit):
            yield self.data[start : start + limit]


@dataclass(frozen=True, slots=True)
class Refused:
    """Values that are never read; asking for them raises why."""

    make: Callable[[], CheckpointError]

    def pieces(self, limit: int) -> Iterator[bytes]:
        """Raises the reason."""
        raise self.make()


@dataclass(frozen=True, slots=True)
class Chunked:
    """Values that only h5py can put together."""

    reader: ChunkReader
    path: str
    nbytes: int

    def pieces(self, limit: int) -> Iterator[bytes]:
        """All bytes in C order, `limit` at a time, as the child process sends them."""
        return self.reader.pieces(self.path, self.nbytes, limit)


def values_of(file: Hdf5Bytes, path: str, dataset: Dataset, reader: ChunkReader) -> Values:
    """The values of a dataset; `problem` tells beforehand whether they may be read."""
    error = problem(file, dataset)
    if error is not None:
        return Refused(lambda: problem(file, dataset).at(where=path))  # type: ignore[union-attr]
    layout = dataset.layout
    if layout.kind == "compact":
        return InMemory(layout.data)
    if layout.kind == "contiguous" and layout.address != UNDEFINED:
        return Contiguous(file, layout.address, dataset.nbytes)
    if layout.kind == "contiguous" or not dataset.nbytes:
        return InMemory(bytes(dataset.nbytes))
    return Chunked(reader, path, dataset.nbytes)


def problem(file: Hdf5Bytes, dataset: Dataset) -> CheckpointError | None:
    """Why the values of a dataset are not to be read, or None."""
    layout = dataset.layout
    if dataset.external:
        return UnsafeFileError("keeps its values in another file, which is not opened")
    if layout.kind == "virtual":
        return UnsafeFileError("is a virtual dataset, which gathers values from other files or datasets")
    if dataset.nbytes > MAX_DECLARED and dataset.nbytes > MAX_RATIO * file.end:
        return _bomb(dataset.nbytes, file.end)
    if layout.kind == "chunked":
        return _chunk_problem(dataset)
    if layout.kind == "compact":
        return _short(dataset.nbytes, len(layout.data))
    if layout.address == UNDEFINED:
        return _bomb(dataset.nbytes, 0) if dataset.nbytes > MAX_UNSTORED else None
    if layout.address + dataset.nbytes > file.end:
        found = f"{dataset.nbytes:,} bytes at {layout.address:,}"
        return CorruptFileError("lies beyond the end of the file", expected=f"at most byte {file.end:,}", found=found)
    return _short(dataset.nbytes, layout.size)


def _short(declared: int, stored: int) -> CheckpointError | None:
    if declared <= stored:
        return None
    return CorruptFileError("fewer bytes are stored than declared", expected=f"{declared:,}", found=f"{stored:,}")


def _bomb(declared: int, stored: int) -> UnsafeFileError:
    return UnsafeFileError("declares far more than is stored", expected=f"about {stored:,} bytes", found=f"{declared:,} bytes")


def _chunk_problem(dataset: Dataset) -> CheckpointError | None:
    layout, rank = dataset.layout, len(dataset.shape or ())
    if len(layout.chunk) != rank or not all(layout.chunk):
        return CorruptFileError("chunks do not fit its shape", expected=f"{rank} sizes above 0", found=str(layout.chunk))
    chunk_bytes = dataset.dtype.size
    for size in layout.chunk:
        chunk_bytes *= size
    if chunk_bytes > MAX_CHUNK or chunk_bytes > max(dataset.nbytes, 1 << 20) * 64:
        return UnsafeFileError("has chunks of absurd size", expected=f"about {dataset.nbytes:,} bytes", found=f"{chunk_bytes:,}")
    if layout.filters > MAX_FILTERS:
        return UnsafeFileError("passes too many filters", expected=f"{MAX_FILTERS} at most", found=str(layout.filters))
    if layout.address == UNDEFINED and dataset.nbytes > MAX_UNSTORED:
        return _bomb(dataset.nbytes, 0)
    return None
