"""What an HDF5 object header says: the shape, type and place of a dataset, and the values of attributes."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ckpttool.errors import CheckpointError, CorruptFileError, UnsupportedError
from ckpttool.formats.hdf5.datatypes import Datatype, read_datatype
from ckpttool.formats.hdf5.groups import decode_name
from ckpttool.formats.hdf5.heaps import FractalHeap, GlobalHeap, btree_v2_records
from ckpttool.formats.hdf5.low import UNDEFINED, Hdf5Bytes, Message, read_header

DATASPACE, DATATYPE, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, ATTRIBUTE_INFO = 0x01, 0x03, 0x07, 0x08, 0x0B, 0x0C, 0x15

MAX_RANK = 32
MAX_ATTRIBUTE_BYTES = 64 << 20
MAX_ATTRIBUTE_ITEMS = 1_000_000

AttributeValue = str | int | float | list[str] | list[int] | list[float] | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the values of a dataset are: `contiguous` at an address, `compact` in the header, `chunked` or `virtual`."""

    kind: str
    address: int = UNDEFINED
    size: int = 0
    data: bytes = b""
    chunk: tuple[int, ...] = ()
    filters: int = 0


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as its header describes it. `shape` is None for a null dataspace."""

    shape: tuple[int, ...] | None
    dtype: Datatype
    layout: Layout
    external: str = ""

    @property
    def nbytes(self) -> int:
        """The size of all values in bytes, as declared."""
        return 0 if self.shape is None else math.prod(self.shape) * self.dtype.size


def read_dataset(file: Hdf5Bytes, messages: list[Message]) -> Dataset:
    """The dataset with these header messages."""
    found = {kind: (flags, body) for kind, flags, body in reversed(messages)}
    for kind, name in ((DATASPACE, "shape"), (DATATYPE, "datatype"), (LAYOUT, "layout")):
        if kind not in found:
            raise CorruptFileError(f"an HDF5 dataset without {name}")
    shape, _ = read_dataspace(found[DATASPACE][1])
    dtype = _shared_datatype(file, *found[DATATYPE])
    filters = found[FILTERS][1][1] if FILTERS in found and len(found[FILTERS][1]) > 1 else 0
    layout = _read_layout(found[LAYOUT][1], filters)
    external = "raw data in another file" if EXTERNAL in found else ""
    return Dataset(shape, dtype, layout, external)


def is_dataset(messages: list[Message]) -> bool:
    """Whether an object header with these messages belongs to a dataset."""
    kinds = {kind for kind, _, _ in messages}
    return LAYOUT in kinds or DATASPACE in kinds


def _shared_datatype(file: Hdf5Bytes, flags: int, body: bytes) -> Datatype:
    """The datatype of a message, looked up in the named datatype it refers to where it is shared."""
    if not flags & 2:
        return read_datatype(body)[0]
    if len(body) < 10 or not 1 <= body[0] <= 3:
        raise CorruptFileError("a shared HDF5 datatype is cut off")
    if body[0] == 3 and body[1] == 1:
        raise UnsupportedError("an HDF5 datatype in a shared message heap")
    address = struct.unpack_from("<Q", body.ljust(16, b"\xff"), 8 if body[0] == 1 else 2)[0]
    for kind, shared, named in read_header(file, address):
        if kind == DATATYPE and not shared & 2:
            return read_datatype(named)[0]
    raise CorruptFileError("a shared HDF5 datatype that is not there", where=f"byte {address:,}")


def read_dataspace(body: bytes) -> tuple[tuple[int, ...] | None, int]:
    """The shape of a dataspace message (None: no values at all) and how many of its bytes were used."""
    if len(body) < 4 or body[0] not in (1, 2):
        raise CorruptFileError("an impossible HDF5 dataspace")
    version, rank, flags = body[0], body[1], body[2]
    at = 8 if version == 1 else 4
    if rank > MAX_RANK:
        raise CorruptFileError("an HDF5 dataspace of too high a rank", expected=f"{MAX_RANK} at most", found=str(rank))
    used = at + 8 * rank * (2 if flags & 1 else 1)
    if len(body) < used:
        raise CorruptFileError("an HDF5 dataspace is cut off")
    dims = struct.unpack_from(f"<{rank}Q", body, at)
    most = struct.unpack_from(f"<{rank}Q", body, at + 8 * rank) if flags & 1 else dims
    if any(size > limit for size, limit in zip(dims, most, strict=True)):
        raise CorruptFileError("an HDF5 dataspace larger than its own maximum", found=f"{dims} of {most}")
    return (None if version == 2 and body[3] == 2 else dims), used


def _read_layout(body: bytes, filters: int) -> Layout:
    version = body[0] if body else 0
    try:
        if version in (1, 2):
            return _old_layout(body, filters)
        if version in (3, 4, 5):
            return _LAYOUTS[body[1]](body, filters)
    except (IndexError, KeyError, struct.error) as error:
        raise CorruptFileError("an impossible HDF5 data layout") from error
    raise CorruptFileError("an HDF5 data layout of unknown version", expected="1 to 5", found=str(version))


def _old_layout(body: bytes, filters: int) -> Layout:
    """Layout versions 1 and 2, which libhdf5 wrote before 1.6.3."""
    rank, kind, at = body[1], body[2], 8
    address = struct.unpack_from("<Q", body, at)[0] if kind else UNDEFINED
    at += 8 if kind else 0
    dims = struct.unpack_from(f"<{rank}I", body, at)
    if kind == 0:
        size = struct.unpack_from("<I", body, at + 4 * rank)[0]
        return Layout("compact", data=body[at + 4 * rank + 4 :][:size])
    if kind == 1:
        return Layout("contiguous", address, math.prod(dims))
    return Layout("chunked", address, chunk=dims[:-1], filters=filters)


def _compact(body: bytes, _filters: int) -> Layout:
    size = struct.unpack_from("<H", body, 2)[0]
    return Layout("compact", data=body[4 : 4 + size])


def _contiguous(body: bytes, _filters: int) -> Layout:
    address, size = struct.unpack_from("<QQ", body, 2)
    return Layout("contiguous", address, size)


def _chunked(body: bytes, filters: int) -> Layout:
    if body[0] == 3:
        rank, address = struct.unpack_from("<BQ", body, 2)
        return Layout("chunked", address, chunk=struct.unpack_from(f"<{rank}I", body, 11)[:-1], filters=filters)
    rank, width = body[3], body[4]
    if not 1 <= width <= 8:
        raise CorruptFileError("an impossible HDF5 chunk size")
    dims = tuple(int.from_bytes(body[5 + n * width : 5 + (n + 1) * width], "little") for n in range(rank))
    address = struct.unpack_from("<Q", body, len(body) - 8)[0]
    return Layout("chunked", address, chunk=dims[:-1], filters=filters)


def _virtual(_body: bytes, _filters: int) -> Layout:
    return Layout("virtual")


_LAYOUTS = {0: _compact, 1: _contiguous, 2: _chunked, 3: _virtual}


class Attributes:
    """The attributes of one object, decoded only when one is asked for by name."""

    def __init__(self, file: Hdf5Bytes, heap: GlobalHeap, messages: list[Message]) -> None:
        self._file, self._heap, self._messages = file, heap, messages

    def names(self) -> list[str]:
        """The names of all attributes, in stored order."""
        return [name for name, _, _ in self._entries()]

    def get(self, name: str) -> AttributeValue:
        """The value of the attribute, or None where there is none or it is of a type that Keras never writes."""
        wanted = name.encode()
        for kind, flags, body in self._messages:
            if kind == ATTRIBUTE and wanted in body and _attribute_head(body)[0] == name:
                return self._value(flags, body)
            if kind == ATTRIBUTE_INFO:
                for stored, dense_flags, dense in self._dense(body):
                    if stored == name:
                        return self._value(dense_flags, dense)
        return None

    def _entries(self) -> Iterator[tuple[str, int, bytes]]:
        for kind, flags, body in self._messages:
            if kind == ATTRIBUTE:
                yield _attribute_head(body)[0], flags, body
            elif kind == ATTRIBUTE_INFO:
                yield from self._dense(body)

    def _dense(self, body: bytes) -> Iterator[tuple[str, int, bytes]]:
        """Attributes kept outside the header, in a fractal heap."""
        at = 4 if len(body) > 1 and body[1] & 1 else 2
        heap_address, tree = struct.unpack_from("<QQ", body.ljust(at + 16, b"\xff"), at)
        if heap_address == UNDEFINED:
            return
        heap = FractalHeap(self._file, heap_address)
        for record in btree_v2_records(self._file, tree, kind=8):
            stored = heap.object(record[:8])
            yield _attribute_head(stored)[0], record[8], stored

    def _value(self, _flags: int, body: bytes) -> AttributeValue:
        _, type_flags, type_body, space_body, data = _attribute_head(body)
        dtype = _shared_datatype(self._file, 2 if type_flags & 1 else 0, type_body)
        shape, _ = read_dataspace(space_body)
        if shape is None:
            return None
        count = math.prod(shape)
        if count > MAX_ATTRIBUTE_ITEMS or (count and dtype.size > MAX_ATTRIBUTE_BYTES // count):
            raise CorruptFileError("an attribute of absurd size", found=f"{count:,} values of {dtype.size:,} bytes")
        if count * dtype.size > len(data):
            raise CorruptFileError("an attribute is cut off", expected=f"{count * dtype.size:,} bytes", found=f"{len(data):,}")
        self._file.budget.spend(count)
        values = self._decode(dtype, data, count)
        return values if shape or values is None else values[0]  # type: ignore[return-value]

    def _decode(self, dtype: Datatype, data: bytes, count: int) -> list[str] | list[int] | list[float] | None:
        if dtype.kind == "string":
            return [_text(data[n * dtype.size : (n + 1) * dtype.size]) for n in range(count)]
        if dtype.is_text:
            return self._vlen_texts(data, count)
        code = _NUMBERS.get(dtype.name)
        if code is None:
            return None
        return list(struct.unpack_from(f"{'>' if dtype.big_endian else '<'}{count}{code}", data))

    def _vlen_texts(self, data: bytes, count: int) -> list[str]:
        places = list(struct.iter_unpack("<IQI", data[: 16 * count]))
        if sum(size for size, _, _ in places) > MAX_ATTRIBUTE_BYTES:
            raise CorruptFileError("an attribute of absurd size", found=f"over {MAX_ATTRIBUTE_BYTES:,} bytes of text")
        return [_text(self._heap.object(address, index, size)) if size else "" for size, address, index in places]


_NUMBERS = {
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float16": "e", "float32": "f", "float64": "d", "bool": "?",
}  # fmt: skip


def _attribute_head(body: bytes) -> tuple[str, int, bytes, bytes, bytes]:
    """The name, flags, datatype bytes, dataspace bytes and value bytes of an attribute message."""
    try:
        version, flags = body[0], body[1]
        name_size, type_size, space_size = struct.unpack_from("<HHH", body, 2)
    except (IndexError, struct.error) as error:
        raise CorruptFileError("an HDF5 attribute is cut off") from error
    if version not in (1, 2, 3):
        raise CorruptFileError("an HDF5 attribute of unknown version", expected="1 to 3", found=str(version))
    pad = 8 if version == 1 else 1
    at = 9 if version == 3 else 8
    name = body[at : at + name_size]
    at += -(-name_size // pad) * pad
    dtype = body[at : at + type_size]
    at += -(-type_size // pad) * pad
    space = body[at : at + space_size]
    at += -(-space_size // pad) * pad
    return decode_name(name.split(b"\0", 1)[0]), (flags if version > 1 else 0), dtype, space, body[at:]


def _text(raw: bytes) -> str:
    return decode_name(raw.rstrip(b"\0"))


def attribute_or_refusal(attributes: Attributes, name: str) -> tuple[AttributeValue, CheckpointError | None]:
    """The value of an attribute, or None and the error that reading it met."""
    try:
        return attributes.get(name), None
    except CheckpointError as error:
        return None, error
