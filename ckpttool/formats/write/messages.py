"""Messages of HDF5 object headers: shapes, types and attributes, byte for byte as h5py has libhdf5 write them.

(HDF5 File Format Specification, version 3.0, part IV.A.2; h5py 3.14.)
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ckpttool.errors import UnsupportedError
from ckpttool.formats.hdf5.attributes import ATTRIBUTE
from ckpttool.formats.hdf5.datatypes import FLOATS
from ckpttool.formats.hdf5.objects import DATASPACE, DATATYPE, FILL, LAYOUT, MAX_RANK
from ckpttool.io import dtypes

MAX_BODY = 65_528  # bytes of a message: its size is a multiple of eight in 16 bits
TEXT = ("utf-8", "surrogateescape")  # how names and texts become bytes
LAYOUT_ADDRESS = 8 + 2  # where in the layout message the address of the values stands

_LAYOUTS = {name: layout for layout, name in FLOATS.items()}


class Fixed(NamedTuple):
    """Texts that all take `width` bytes, as in an array of NumPy."""

    texts: Sequence[bytes]
    width: int


Attribute = str | bytes | int | list[str] | list[bytes] | Fixed
"""The value of an attribute. As in h5py, texts are of variable length, and an empty list is one of float64."""
Attributes = Mapping[str, Attribute]


def coded_text(text: str) -> bytes:
    """A text as HDF5 stores it. Raises UnsupportedError for half a character, which a JSON config can name."""
    try:
        return text.encode(*TEXT)
    except UnicodeEncodeError:
        raise UnsupportedError("a name that is no text", found=ascii(text)[:100]) from None


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    """A message as it stands in a version 1 object header."""
    body = padded(body)
    return struct.pack("<HHB3x", kind, len(body), flags) + body


def padded(content: bytes) -> bytes:
    """Some bytes, filled up to a multiple of eight."""
    return content + bytes(-len(content) % 8)


def dataset_messages(shape: tuple[int, ...], dtype: str, opaque: bool, nbytes: int) -> bytes:
    """The messages of a contiguous dataset; the address of its values, at `LAYOUT_ADDRESS` of the last one, is open.

    That message is 32 bytes long.
    """
    if len(shape) > MAX_RANK:
        raise UnsupportedError("an array of more axes than HDF5 has", expected=f"{MAX_RANK} at most")
    fill = b"\2\2\2\1\0\0\0\0"  # allocated late, zero where nothing is written
    parts = [(DATASPACE, _space(shape), 0), (DATATYPE, _datatype(dtype, opaque), 1), (FILL, fill, 1)]
    place = message(LAYOUT, struct.pack("<BBQQ", 3, 1, 0, nbytes))
    return b"".join(message(*part) for part in parts) + place


def _space(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f"<BBB5x{len(shape)}Q", 1, len(shape), 0, *shape)


@lru_cache
def _datatype(name: str, opaque: bool = False) -> bytes:
    """The type of stored values by Keras's name; `opaque` ones say nothing but their size."""
    size = dtypes.itemsize(name)
    if size is None:
        raise UnsupportedError(f"values of type {name} cannot be written")
    if opaque:
        return _type(5, 0, size)
    if name == "bool":
        return _type(8, 2, 1) + _datatype("int8") + b"FALSE\0\0\0TRUE\0\0\0\0\0\1"
    if name in _LAYOUTS:
        _, sign, exponent, exponent_size, mantissa, mantissa_size, bias = _LAYOUTS[name]
        fields = (0, 8 * size, exponent, exponent_size, mantissa, mantissa_size, bias)
        return _type(1, 0x20 | sign << 8, size) + struct.pack("<HHBBBBI", *fields)
    if name.startswith("complex"):
        half = _datatype(f"float{4 * size}")
        return _type(6, 2, size) + _member(b"r", 0, half) + _member(b"i", size // 2, half)
    return _type(0, 0 if name.startswith("u") else 8, size) + struct.pack("<HH", 0, 8 * size)


def _type(kind: int, bits: int, size: int) -> bytes:
    """The head of a datatype of version 1."""
    return struct.pack("<I", 0x10 | kind | bits << 8) + struct.pack("<I", size)


def _member(name: bytes, offset: int, datatype: bytes) -> bytes:
    return struct.pack("<8sI28x", name, offset) + datatype


def attribute_message(name: str, value: Attribute, store: Callable[[bytes], bytes]) -> bytes:
    """An attribute; `store` adds a text of variable length elsewhere and returns the reference to it."""
    datatype, space, data = _attribute(value, store)
    label = coded_text(name) + b"\0"
    head = struct.pack("<BxHHH", 1, len(label), len(datatype), len(space))
    body = head + padded(label) + padded(datatype) + padded(space) + data
    if len(body) > MAX_BODY:
        actual = f"{len(body):,} bytes"
        raise UnsupportedError("an attribute too long for HDF5", where=name[:200], expected="64 KiB", found=actual)
    return message(ATTRIBUTE, body)


def _attribute(value: Attribute, store: Callable[[bytes], bytes]) -> tuple[bytes, bytes, bytes]:
    """The type, shape and content of an attribute."""
    if isinstance(value, Fixed):
        data = b"".join(text.ljust(value.width, b"\0") for text in value.texts)
        return _type(3, 1, value.width), _space((len(value.texts),)), data
    if isinstance(value, int):
        return _datatype("int64"), _space(()), struct.pack("<q", value)
    texts = value if isinstance(value, list) else [value]
    space = _space((len(value),) if isinstance(value, list) else ())
    if not texts:
        return _datatype("float64"), space, b""
    coded = [coded_text(text) if isinstance(text, str) else text for text in texts]
    charset = 0x100 if isinstance(texts[0], str) else 0
    return _type(9, charset | 1, 16) + _datatype("uint8"), space, b"".join(map(store, coded))
