"""The messages of an index as values: its header, and the entry of each tensor.

(tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/framework/tensor_shape.proto, tensor_slice.proto,
types.proto, 2.21.) A field that is zero is not written.
"""

from typing import NamedTuple

from ckpttool.formats.tensorflow.wire import FIXED32, LEN, VARINT, Message, fields, payloads, signed
from ckpttool.io.budget import Budget

STRING, VARIANT = 7, 21
# The names of dtypes by their numbers, with the bytes of one value: 0 for texts and for what only TensorFlow reads.
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
"""A part of an axis: its first index and its length, which is None for the whole axis."""


class Header(NamedTuple):
    """The header of an index: the number of shards, their byte order, and the oldest version that may read them."""

    shards: int = 0
    big_endian: bool = False
    min_consumer: int = 0


class Entry(NamedTuple):
    """The place of a tensor's values. `shape` is None where it is not known; its sizes are as stored, not yet checked.
    `slices` are the extents of the tensor's parts, each of which has an entry of its own."""

    dtype: int = 0
    shape: tuple[int, ...] | None = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    slices: tuple[tuple[Extent, ...], ...] = ()


def header(raw: memoryview, budget: Budget) -> Header:
    """The header, which is the value of the first key, the empty one."""
    message = Message(raw, {1: VARINT, 2: VARINT, 3: LEN}, budget)
    version = Message(message.payload(3), {2: VARINT}, budget)
    return Header(message.integer(1), message.integer(2) == 1, version.integer(2))


def is_first_format(raw: memoryview, budget: Budget) -> bool:
    """Whether the value of the first key is that of a checkpoint of TensorFlow's first format, which has the names of
    the tensors there (tensorflow/core/util/saved_tensor_slice.proto)."""
    return any(True for _ in payloads(raw, 1, budget))


_ENTRY = {1: VARINT, 2: LEN, 3: VARINT, 4: VARINT, 5: VARINT, 6: FIXED32, 7: LEN}


def entry(raw: memoryview, budget: Budget) -> Entry:
    """The entry of a tensor."""
    numbers: dict[int, int] = {}
    shape: tuple[int, ...] | None = ()
    slices: list[tuple[Extent, ...]] = []
    for number, value in fields(raw, _ENTRY, budget):
        if not isinstance(value, memoryview):
            numbers[number] = signed(value)
        elif number == 2:
            shape = sizes(value, budget)
        else:
            slices.append(extents(value, budget))
    dtype, shard, offset, size, crc = (numbers.get(number, 0) for number in (1, 3, 4, 5, 6))
    return Entry(dtype, shape, shard, offset, size, crc, tuple(slices))


def sizes(raw: memoryview, budget: Budget) -> tuple[int, ...] | None:
    """The sizes of a shape, -1 for one that is open; None where not even their number is known."""
    result = []
    for _, value in fields(raw, {2: LEN, 3: VARINT}, budget):
        if isinstance(value, memoryview):
            result.append(Message(value, {1: VARINT}, budget).integer(1))
        elif value:
            return None
    return tuple(result)


def extents(raw: memoryview, budget: Budget) -> tuple[Extent, ...]:
    """The extents of a part along each axis."""
    axes = (Message(axis, {1: VARINT, 2: VARINT}, budget) for axis in payloads(raw, 1, budget))
    return tuple((axis.integer(1), axis.integer(2) if 2 in axis else None) for axis in axes)
