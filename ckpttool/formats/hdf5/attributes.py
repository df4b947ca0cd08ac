"""The attributes of HDF5 groups and datasets."""

import itertools
import math
import struct
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.errors import CorruptFileError, UnsafeFileError, ambiguous
from ckpttool.formats.hdf5.datatypes import Datatype
from ckpttool.formats.hdf5.groups import decode_name
from ckpttool.formats.hdf5.headers import UNDEFINED, Hdf5Bytes, Header
from ckpttool.formats.hdf5.heaps import ATTRIBUTE_RECORDS, FractalHeap, GlobalHeap, NameIndex
from ckpttool.formats.hdf5.objects import own, read_dataspace, shared_datatype

ATTRIBUTE, ATTRIBUTE_INFO = 0x0C, 0x15

MAX_ATTRIBUTE_BYTES = 64 << 20
MAX_ATTRIBUTE_ITEMS = 1_000_000
MAX_ATTRIBUTES = 4096
MAX_NUMBERS = 1 << 20  # bytes of an attribute that is no text
_LOOKED_AT_A_STEP = 8
_SHOWN = 60

AttributeValue = str | int | float | list[str] | list[int] | list[float] | None

_NUMBERS = {
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float16": "e", "float32": "f", "float64": "d", "bool": "?",
}  # fmt: skip


class _AttributeHead(NamedTuple):
    """The parts of an attribute message, each as its bytes."""

    name: str
    flags: int
    dtype: bytes
    space: bytes
    data: bytes


def _attribute_head(body: bytes) -> _AttributeHead:
    if len(body) < 9:
        raise CorruptFileError("an HDF5 attribute is cut off")
    version, flags, name_size, type_size, space_size = struct.unpack_from("<BBHHH", body)
    if version not in (1, 2, 3):
        raise CorruptFileError("an HDF5 attribute of unknown version", expected="1 to 3", found=str(version))
    pad = 8 if version == 1 else 1
    name_at = 9 if version == 3 else 8
    type_at = name_at + -(-name_size // pad) * pad
    space_at = type_at + -(-type_size // pad) * pad
    data_at = space_at + -(-space_size // pad) * pad
    name, end, rest = body[name_at : name_at + name_size].partition(b"\0")
    if not end or rest or data_at > len(body):
        raise CorruptFileError("an HDF5 attribute is cut off")
    return _AttributeHead(
        decode_name(name),
        flags if version > 1 else 0,
        body[type_at : type_at + type_size],
        body[space_at : space_at + space_size],
        body[data_at:],
    )


def _dense_places(header: Header) -> tuple[int, int, int]:
    """The places of an object's attributes in a heap: the heap, the index by name, the index by order."""
    if ATTRIBUTE_INFO not in header:
        return UNDEFINED, UNDEFINED, UNDEFINED
    info = header[ATTRIBUTE_INFO][0][1]
    flags = info[1] if len(info) > 1 else 0
    at = 4 if flags & 1 else 2
    heap, by_name, by_order = struct.unpack_from("<QQQ", info.ljust(at + 24, b"\xff"), at)
    return heap, by_name, by_order if flags & 2 else UNDEFINED


class Attributes:
    """The attributes of one object, decoded only when one is asked for by name."""

    __slots__ = ("_dense", "_file", "_header", "_heap", "_is_ambiguous")

    def __init__(self, file: Hdf5Bytes, heap: GlobalHeap, header: Header) -> None:
        self._file, self._heap, self._header = file, heap, header
        self._dense: list[bytes] | None = None
        self._is_ambiguous = False

    def names(self) -> list[str]:
        """The names of all attributes, in stored order."""
        return [_attribute_head(body).name for body in self._bodies()]

    def get(self, name: str) -> AttributeValue:
        """The value of the attribute; None where there is none, readers see it differently, or Keras never writes its
        type."""
        if self._is_ambiguous:
            return None
        wanted = name.encode("utf-8", "surrogateescape") + b"\0"
        for count, body in enumerate(self._bodies(), 1):
            if body.startswith(wanted, 8) or body.startswith(wanted, 9):
                head = _attribute_head(body)
                if head.name == name:
                    return self._value(head)
            if not count % _LOOKED_AT_A_STEP:
                self._file.budget.spend(1)
        return None

    @property
    def are_few(self) -> bool:
        """Whether there is one at most, and that in the header: nothing can be twice, or too much."""
        return ATTRIBUTE_INFO not in self._header and len(self._header.get(ATTRIBUTE, ())) < 2

    def check(self) -> None:
        """Raise where two readers would see different attributes; none of them is returned from then on."""
        inside = self._header.get(ATTRIBUTE, ())
        names = sorted(self.names())
        twice = next((name for name, following in itertools.pairwise(names) if name == following), None)
        self._is_ambiguous = True
        if inside and _dense_places(self._header)[0] != UNDEFINED:
            raise ambiguous("attributes in its header and in a heap; libhdf5 looks into the heap only")
        if twice is not None:
            raise ambiguous(f"two attributes {twice[:_SHOWN]!r}, of which a reader takes either")
        self._is_ambiguous = False

    def oversized(self) -> str:
        """The excess of attributes that are too many or too large for a checkpoint, empty where there is none. Only
        attributes outside of the header of their object can be so large."""
        count = len(self._header.get(ATTRIBUTE, ()))
        if ATTRIBUTE_INFO not in self._header and count <= MAX_ATTRIBUTES:
            return ""
        for count, body in enumerate(self._bodies(), 1):
            if count > MAX_ATTRIBUTES:
                return f"more than {MAX_ATTRIBUTES:,} attributes"
            if len(body) > MAX_NUMBERS:
                head = _attribute_head(body)
                if not shared_datatype(self._file, 2 if head.flags & 1 else 0, head.dtype).is_text:
                    return f"the attribute {head.name[:60]} has {len(head.data):,} bytes of numbers"
        return ""

    def _bodies(self) -> Iterator[bytes]:
        """All attribute messages, those in the header first."""
        for flags, body in self._header.get(ATTRIBUTE, ()):
            yield own(flags, body)
        if ATTRIBUTE_INFO in self._header:
            if self._dense is None:
                self._dense = list(self._read_dense())
            yield from self._dense

    def _read_dense(self) -> Iterator[bytes]:
        """Attributes kept outside the header, in a fractal heap."""
        heap_address, by_name, by_order = _dense_places(self._header)
        if heap_address == UNDEFINED:
            return
        heap = FractalHeap(self._file, heap_address)
        index = NameIndex(self._file, by_name, by_order, ATTRIBUTE_RECORDS)
        for record, heap_id in zip(index.records, index.heap_ids, strict=True):
            body = own(int.from_bytes(record[8:9], "little"), heap.object(heap_id))
            index.add(heap_id, _attribute_head(body).name)
            yield body
        index.check()

    def _value(self, head: _AttributeHead) -> AttributeValue:
        dtype = shared_datatype(self._file, 2 if head.flags & 1 else 0, head.dtype)
        if dtype.kind == "opaque":
            raise ambiguous(
                f"the attribute {head.name[:_SHOWN]} is bytes of no type, which h5py takes for what their tag says"
            )
        shape = read_dataspace(own(head.flags, head.space))
        if shape is None:
            return None
        count = math.prod(shape)
        size = count * dtype.size
        if size > len(head.data):
            raise CorruptFileError("an attribute is cut off", expected=f"{size:,} bytes", found=f"{len(head.data):,}")
        if count > MAX_ATTRIBUTE_ITEMS or size > MAX_ATTRIBUTE_BYTES:
            raise UnsafeFileError("an attribute of absurd size", found=f"{count:,} values of {dtype.size:,} bytes")
        self._file.budget.spend(count)
        values = self._decode(dtype, head.data, count)
        return values if shape or values is None else values[0]

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
            raise UnsafeFileError("an attribute of absurd size", found=f"over {MAX_ATTRIBUTE_BYTES:,} bytes of text")
        return [_text(self._heap.object(address, index, size)) if size else "" for size, address, index in places]


def _text(raw: bytes) -> str:
    return decode_name(raw.rstrip(b"\0"))
