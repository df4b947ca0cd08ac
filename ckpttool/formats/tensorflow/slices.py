"""The keys under which the parts of a partitioned tensor stand: its name and the place of the part, as bytes that sort.

(`EncodeTensorNameSlice`, tensorflow/core/util/saved_tensor_slice_util.cc; tensorflow/core/lib/strings/ordered_code.cc.)
"""

from ckpttool.formats.tensorflow.messages import Extent

_FIRST = 0  # what begins the key of a part, and of no tensor that has a name
_END, _ZERO, _ONES = b"\0\1", b"\0\xff", b"\xff\0"
MAX_RANK = 254  # of TensorFlow (tensorflow/core/framework/tensor_shape.h)


def is_part(key: bytes) -> bool:
    """Whether a key is that of a part."""
    return key[:1] == bytes([_FIRST])


def part_key(name: bytes, extents: tuple[Extent, ...]) -> bytes:
    """The key of a part."""
    escaped = name.replace(b"\xff", _ONES).replace(b"\0", _ZERO) if b"\xff" in name or b"\0" in name else name
    places = b"".join(_signed(start) + _signed(-1 if length is None else length) for start, length in extents)
    return _unsigned(0) + escaped + _END + _unsigned(len(extents)) + places


def shown(extents: tuple[Extent, ...]) -> str:
    """The extents as TensorFlow writes them: `0,4:-` is the first four rows."""
    return ":".join("-" if length is None else f"{start},{length}" for start, length in extents)


def _unsigned(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _signed(value: int) -> bytes:
    """A number as bytes that sort: as many as its size takes, of which the first bits tell how many."""
    size = 1
    while not -(1 << 7 * size - 1) <= value < 1 << 7 * size - 1:
        size += 1
    bits = 8 * size
    marks = (1 << size) - 1 << bits - size
    return ((value & (1 << bits) - 1) ^ marks).to_bytes(size, "big")
