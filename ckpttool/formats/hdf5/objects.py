"""The object header of an HDF5 dataset: its shape, its type, and the place of its values."""

import math
import struct
from functools import lru_cache
from typing import NamedTuple

from ckpttool.errors import CorruptFileError, UnsupportedError
from ckpttool.formats.hdf5.datatypes import Datatype, read_datatype
from ckpttool.formats.hdf5.headers import UNDEFINED, Hdf5Bytes, Header, read_header

DATASPACE, DATATYPE, OLD_FILL, FILL, EXTERNAL, LAYOUT, FILTERS = 0x01, 0x03, 0x04, 0x05, 0x07, 0x08, 0x0B

MAX_RANK = 32
_TYPE_BYTES_A_STEP = 3  # bits: bytes of a datatype that cost a step


class Layout(NamedTuple):
    """The place of a dataset's values: `contiguous` at an address, `compact` in the header, `chunked` or `virtual`.

    `chunk` has the sizes of a chunk and, behind them, the bytes of one value; `filters` the numbers of the filters that
    each chunk passed through, in order.
    """

    kind: str
    address: int = UNDEFINED
    size: int = 0
    data: bytes = b""
    chunk: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()


class Dataset(NamedTuple):
    """A dataset as its header describes it. `shape` is None for a null dataspace.

    `fill` is the value in place of values that were never written; empty stands for zeros.
    """

    shape: tuple[int, ...] | None
    dtype: Datatype
    layout: Layout
    external: bool = False
    fill: bytes = b""

    @property
    def nbytes(self) -> int:
        """The size of all values in bytes, as declared."""
        return 0 if self.shape is None else math.prod(self.shape) * self.dtype.size


def is_dataset(header: Header) -> bool:
    """Whether this is the object header of a dataset."""
    return LAYOUT in header or DATASPACE in header


def is_named_type(header: Header) -> bool:
    """Whether this is the object header of a datatype that stands in a group under a name of its own."""
    return DATATYPE in header and not is_dataset(header)


def read_dataset(file: Hdf5Bytes, header: Header) -> Dataset:
    """The dataset with this object header."""
    for kind, name in ((DATASPACE, "shape"), (DATATYPE, "datatype"), (LAYOUT, "layout")):
        if kind not in header:
            raise CorruptFileError(f"an HDF5 dataset without {name}")
    shape = read_dataspace(own(*header[DATASPACE][0]))
    dtype = shared_datatype(file, *header[DATATYPE][0])
    filters = _read_filters(own(*header[FILTERS][0])) if FILTERS in header else ()
    layout = _read_layout(own(*header[LAYOUT][0]), filters)
    may_lack = layout.kind == "chunked" or (layout.kind == "contiguous" and layout.address == UNDEFINED)
    return Dataset(shape, dtype, layout, EXTERNAL in header, _fill_value(header) if may_lack else b"")


def own(flags: int, body: bytes) -> bytes:
    """The body of a message that must stand in the header itself."""
    if flags & 2:
        raise UnsupportedError("an HDF5 message in a shared message heap", hint="rewrite the file with h5repack")
    return body


def _fill_value(header: Header) -> bytes:
    """The fill value of a dataset, or nothing where none is set."""
    for _, body in header.get(FILL, ()):
        version, defined = body[0] if body else 0, 4
        if version == 3:
            defined, at = body[1] & 0x20 if len(body) > 1 else 0, 2
        else:
            defined, at = body[3] if len(body) > 3 else 0, 4
        return _sized(body, at) if defined else b""
    for _, body in header.get(OLD_FILL, ()):
        return _sized(body, 0)
    return b""


def _sized(body: bytes, at: int) -> bytes:
    return body[at + 4 :][: int.from_bytes(body[at : at + 4], "little")]


def shared_datatype(file: Hdf5Bytes, flags: int, body: bytes) -> Datatype:
    """The datatype of a message, looked up in the named datatype it refers to where it is shared."""
    file.budget.spend(len(body) >> _TYPE_BYTES_A_STEP)
    if not flags & 2:
        return read_datatype(body)
    if len(body) < 10 or not 1 <= body[0] <= 3:
        raise CorruptFileError("a shared HDF5 datatype is cut off")
    if body[0] == 3 and body[1] == 1:
        raise UnsupportedError("an HDF5 datatype in a shared message heap")
    address = struct.unpack_from("<Q", body.ljust(16, b"\xff"), 8 if body[0] == 1 else 2)[0]
    for shared, named in read_header(file, address).get(DATATYPE, ()):
        file.budget.spend(len(named) >> _TYPE_BYTES_A_STEP)
        return read_datatype(own(shared, named))
    raise CorruptFileError("a shared HDF5 datatype that is not there", where=f"byte {address:,}")


@lru_cache(maxsize=256)
def read_dataspace(body: bytes) -> tuple[int, ...] | None:
    """The shape of a dataspace message; None where there are no values at all."""
    if len(body) < 4 or body[0] not in (1, 2):
        raise CorruptFileError("an impossible HDF5 dataspace")
    version, rank, flags = body[0], body[1], body[2]
    at = 8 if version == 1 else 4
    if rank > MAX_RANK:
        raise CorruptFileError("an HDF5 dataspace of too high a rank", expected=f"{MAX_RANK} at most", found=str(rank))
    if len(body) < at + 8 * rank * (2 if flags & 1 else 1):
        raise CorruptFileError("an HDF5 dataspace is cut off")
    dims = struct.unpack_from(f"<{rank}Q", body, at)
    most = struct.unpack_from(f"<{rank}Q", body, at + 8 * rank) if flags & 1 else dims
    if any(size > limit for size, limit in zip(dims, most, strict=True)):
        raise CorruptFileError("an HDF5 dataspace larger than its own maximum", found=f"{dims} of {most}")
    return None if version == 2 and body[3] == 2 else dims


def _read_filters(body: bytes) -> tuple[int, ...]:
    """The numbers of the filters in a filter pipeline message (version 1 or 2)."""
    version, count, numbers = body[0] if body else 0, body[1] if len(body) > 1 else 0, []
    at = 8 if version == 1 else 2
    for _ in range(count):
        number = int.from_bytes(body[at : at + 2], "little")
        named = version == 1 or number >= 256
        fields = body[at + 2 : at + (8 if named else 6)]
        name_size = int.from_bytes(fields[:2], "little") if named else 0
        settings = int.from_bytes(fields[-2:], "little")
        padding = 4 * (settings & 1) if version == 1 else 0
        at += (8 if named else 6) + (-(-name_size // 8) * 8 if version == 1 else name_size) + 4 * settings + padding
        numbers.append(number)
    if version not in (1, 2) or at > len(body):
        raise CorruptFileError("an impossible HDF5 filter pipeline")
    return tuple(numbers)


def _read_layout(body: bytes, filters: tuple[int, ...]) -> Layout:
    version = body[0] if body else 0
    if version not in (3, 4, 5):  # 1 and 2 were written before HDF5 1.6.3, ten years before Keras
        raise UnsupportedError(f"an HDF5 data layout of version {version}", expected="3 to 5")
    try:
        return _LAYOUTS[body[1]](body, filters)
    except (IndexError, KeyError, struct.error) as error:
        raise CorruptFileError("an impossible HDF5 data layout") from error


def _compact(body: bytes, _filters: tuple[int, ...]) -> Layout:
    size = struct.unpack_from("<H", body, 2)[0]
    return Layout("compact", data=body[4 : 4 + size])


def _contiguous(body: bytes, _filters: tuple[int, ...]) -> Layout:
    address, size = struct.unpack_from("<QQ", body, 2)
    return Layout("contiguous", address, size)


def _chunked(body: bytes, filters: tuple[int, ...]) -> Layout:
    if body[0] == 3:
        rank, address = struct.unpack_from("<BQ", body, 2)
        return Layout("chunked", address, chunk=struct.unpack_from(f"<{rank}I", body, 11), filters=filters)
    rank, width = body[3], body[4]
    if not 1 <= width <= 8:
        raise CorruptFileError("an impossible HDF5 chunk size")
    dims = tuple(int.from_bytes(body[5 + n * width : 5 + (n + 1) * width], "little") for n in range(rank))
    index = body[5 + rank * width]
    at = 6 + rank * width + (12 if index == 1 and body[2] & 2 else _CHUNK_INDEX_BYTES[index])
    address = struct.unpack_from("<Q", body, at)[0]
    return Layout("chunked", address, chunk=dims, filters=filters)


def _virtual(_body: bytes, _filters: tuple[int, ...]) -> Layout:
    return Layout("virtual")


# The bytes of settings between the type of a chunk index (layout version 4) and its address; 12 for one filtered chunk.
_CHUNK_INDEX_BYTES = {1: 0, 2: 0, 3: 1, 4: 5, 5: 6}
_LAYOUTS = {0: _compact, 1: _contiguous, 2: _chunked, 3: _virtual}
