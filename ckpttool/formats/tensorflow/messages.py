"""The messages of an index as values: its header, and the entry of each tensor.

(tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/framework/tensor_shape.proto, tensor_slice.proto,
types.proto, 2.21.) Fields that hold zero are left out by whoever writes.
"""

from dataclasses import dataclass

from ckpttool.formats.tensorflow import wire
from ckpttool.formats.tensorflow.wire import FIXED32, SPAN, VARINT, fields, signed
from ckpttool.io.budget import Budget

STRING, VARIANT = 7, 21
# The numbers of dtypes, with the bytes of one value; a text has none, nor has what only TensorFlow knows.
DTYPES: dict[int, tuple[str, int]] = {
    1: ("float32", 4), 2: ("float64", 8), 3: ("int32", 4), 4: ("uint8", 1), 5: ("int16", 2), 6: ("int8", 1),
    STRING: ("string", 0), 8: ("complex64", 8), 9: ("int64", 8), 10: ("bool", 1), 11: ("qint8", 1), 12: ("quint8", 1),
    13: ("qint32", 4), 14: ("bfloat16", 2), 15: ("qint16", 2), 16: ("quint16", 2), 17: ("uint16", 2),
    18: ("complex128", 16), 19: ("float16", 2), VARIANT: ("variant", 0), 22: ("uint32", 4), 23: ("uint64", 8),
    24: ("float8_e5m2", 1), 25: ("float8_e4m3fn", 1), 26: ("float8_e4m3fnuz", 1), 27: ("float8_e4m3b11fnuz", 1),
    28: ("float8_e5m2fnuz", 1), 29: ("int4", 1), 30: ("uint4", 1), 31: ("int2", 1), 32: ("uint2", 1),
    33: ("float4_e2m1fn", 1),
}  # fmt: skip

Extent = tuple[int, int | None]
"""The first place along an axis and how many there are; None for the whole axis."""


@dataclass(frozen=True, slots=True)
class Header:
    """How many shards there are, in which order their numbers have their bytes, and who may read them."""

    shards: int = 0
    big_endian: bool = False
    min_consumer: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the values of a tensor are. `shape` is None where it is not known, and may hold anything that is stored;
    `slices` are the extents of its parts, each of which has an entry of its own."""

    dtype: int = 0
    shape: tuple[int, ...] | None = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    slices: tuple[tuple[Extent, ...], ...] = ()


def header(raw: memoryview, budget: Budget) -> Header:
    """The value of the first key, the empty one."""
    shards = min_consumer = 0
    big_endian = False
    for number, value in fields(raw, {1: VARINT, 2: VARINT, 3: SPAN}, budget):
        if isinstance(value, memoryview):
            min_consumer = _last_number(value, 2, budget)
        elif number == 1:
            shards = signed(value)
        else:
            big_endian = value == 1
    return Header(shards, big_endian, min_consumer)


def is_first_format(raw: memoryview, budget: Budget) -> bool:
    """Whether the value of the first key is that of a checkpoint of TensorFlow's first format, the names of its tensors
    (tensorflow/core/util/saved_tensor_slice.proto)."""
    return any(True for _ in fields(raw, {1: SPAN}, budget))


_ENTRY = {1: VARINT, 2: SPAN, 3: VARINT, 4: VARINT, 5: VARINT, 6: FIXED32, 7: SPAN}


def entry(raw: memoryview, budget: Budget) -> Entry:
    """The entry of a tensor."""
    found: dict[int, int] = {}
    shape: tuple[int, ...] | None = ()
    slices: list[tuple[Extent, ...]] = []
    for number, value in fields(raw, _ENTRY, budget):
        if not isinstance(value, memoryview):
            found[number] = signed(value)
        elif number == 2:
            shape = sizes(value, budget)
        else:
            slices.append(extents(value, budget))
    shard, offset, size, crc = (found.get(number, 0) for number in (3, 4, 5, 6))
    return Entry(found.get(1, 0), shape, shard, offset, size, crc, tuple(slices))


def sizes(raw: memoryview, budget: Budget) -> tuple[int, ...] | None:
    """The sizes of a shape, -1 for one that is open; None where not even their number is known."""
    found = []
    for number, value in fields(raw, {2: SPAN, 3: VARINT}, budget):
        if isinstance(value, memoryview):
            found.append(_last_number(value, 1, budget))
        elif number == 3 and value:
            return None
    return tuple(found)


def extents(raw: memoryview, budget: Budget) -> tuple[Extent, ...]:
    """The extents of a part along each axis."""
    found: list[Extent] = []
    for _, axis in fields(raw, {1: SPAN}, budget):
        assert isinstance(axis, memoryview)
        extent: dict[int, int] = {}
        for number, value in fields(axis, {1: VARINT, 2: VARINT}, budget):
            assert not isinstance(value, memoryview)
            extent[number] = signed(value)
        found.append((extent.get(1, 0), extent.get(2)))
    return tuple(found)


def _last_number(raw: memoryview, number: int, budget: Budget) -> int:
    """The number in one field of a message, zero where it is absent; the last one counts, as in all of protobuf."""
    found = 0
    for _, value in wire.fields(raw, {number: VARINT}, budget):
        assert not isinstance(value, memoryview)
        found = signed(value)
    return found
