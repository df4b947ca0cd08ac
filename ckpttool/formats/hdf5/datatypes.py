"""HDF5 datatypes: what the values of a dataset or attribute are.

Written after the HDF5 File Format Specification, version 3.0, part IV.A.2.d. A type that we cannot read is described as
stored and stops nothing.
"""

import struct
from functools import lru_cache
from typing import NamedTuple

from ckpttool.errors import CorruptFileError
from ckpttool.formats.hdf5.groups import decode_name
from ckpttool.io import dtypes

_MAX_DEPTH = 16
_CLASSES = (
    "integer", "float", "time", "string", "bitfield", "opaque",
    "compound", "reference", "enum", "vlen", "array", "complex",
)  # fmt: skip

# Floats by (size, sign position, exponent position, exponent size, mantissa position, mantissa size, bias).
FLOATS = {
    (dtypes.DTYPES[name][0], exponent + fraction, fraction, exponent, 0, fraction, 2 ** (exponent - 1) - 1): name
    for name, (exponent, fraction) in dtypes.FLOATS.items()
}
_COMPLEX = {"float32": "complex64", "float64": "complex128"}


class Datatype(NamedTuple):
    """A stored datatype.

    `name` is Keras's (`float32`), or a description of what is stored where Keras has none; `size` is the bytes of one
    value; `base` is what a value of variable length is made of.
    """

    name: str
    size: int
    kind: str
    big_endian: bool = False
    base: "Datatype | None" = None

    @property
    def is_text(self) -> bool:
        """Whether values are strings of fixed or variable length."""
        return self.kind == "string" or (self.kind == "vlen" and self.base is not None and self.base.kind == "string")


@lru_cache(maxsize=64)
def read_datatype(body: bytes) -> Datatype:
    """The datatype that a datatype message describes."""
    return _parse(body, 0)[0]


def _parse(body: bytes, depth: int) -> tuple[Datatype, int]:
    """The datatype at the start of `body`, and how many bytes it takes."""
    if len(body) < 8:
        raise CorruptFileError("an HDF5 datatype is cut off")
    kind, version = body[0] & 15, body[0] >> 4
    size = int.from_bytes(body[4:8], "little")
    if not 1 <= version <= 5 or kind >= len(_CLASSES) or depth > _MAX_DEPTH:
        raise CorruptFileError("an impossible HDF5 datatype", found=f"version {version}, class {kind}")
    if not size:
        raise CorruptFileError("an HDF5 datatype of size 0")
    try:
        return _READ[_CLASSES[kind]](body, size, version, depth)
    except (IndexError, struct.error) as error:
        raise CorruptFileError("an HDF5 datatype is cut off") from error


def _integer(body: bytes, size: int, _version: int, _depth: int) -> tuple[Datatype, int]:
    offset, precision = struct.unpack_from("<HH", body, 8)
    sign = "int" if body[1] & 8 else "uint"
    whole = size in (1, 2, 4, 8) and offset == 0 and precision == 8 * size
    name = f"{sign}{precision}" if whole else f"{sign}{precision} in {size} bytes"
    return Datatype(name, size, "integer", bool(body[1] & 1)), 12


def _float(body: bytes, size: int, _version: int, _depth: int) -> tuple[Datatype, int]:
    offset, precision, exponent, exponent_size, mantissa, mantissa_size = struct.unpack_from("<HHBBBB", body, 8)
    bias = int.from_bytes(body[16:20], "little")
    if len(body) < 20:
        raise IndexError
    layout = (size, body[2], exponent, exponent_size, mantissa, mantissa_size, bias)
    whole = offset == 0 and precision == 8 * size and not body[1] & 0x40
    described = f"float of {size} bytes (exponent {exponent_size}, mantissa {mantissa_size} bits)"
    name = FLOATS.get(layout, described) if whole else described
    return Datatype(name, size, "float", bool(body[1] & 1)), 20


def _string(_body: bytes, size: int, _version: int, _depth: int) -> tuple[Datatype, int]:
    return Datatype(f"string({size})", size, "string"), 8


def _bitfield(body: bytes, size: int, _version: int, _depth: int) -> tuple[Datatype, int]:
    return Datatype(f"bitfield of {size} bytes", size, "bitfield", bool(body[1] & 1)), 12


def _time(_body: bytes, size: int, _version: int, _depth: int) -> tuple[Datatype, int]:
    return Datatype(f"time of {size} bytes", size, "time"), 10


def _opaque(body: bytes, size: int, _version: int, _depth: int) -> tuple[Datatype, int]:
    return Datatype(f"opaque of {size} bytes", size, "opaque"), 8 + (body[1] + 7) // 8 * 8


def _reference(_body: bytes, size: int, _version: int, _depth: int) -> tuple[Datatype, int]:
    return Datatype("reference", size, "reference"), 8


def _compound(body: bytes, size: int, version: int, depth: int) -> tuple[Datatype, int]:
    count, at = int.from_bytes(body[1:3], "little"), 8
    fields = []
    for _ in range(count):
        name, at = _member_name(body, at, version)
        width = 4 if version < 3 else max(1, (size.bit_length() + 7) // 8)
        offset = int.from_bytes(body[at : at + width], "little")
        at += width + (28 if version == 1 else 0)
        member, used = _parse(body[at:], depth + 1)
        if offset + member.size > size:
            raise CorruptFileError("a member of a compound HDF5 datatype lies outside it")
        at += used
        fields.append((name, offset, member))
    return Datatype(_compound_name(fields, size), size, "compound", any(m.big_endian for _, _, m in fields)), at


def _compound_name(fields: list[tuple[str, int, Datatype]], size: int) -> str:
    """`complex64` and `complex128` as h5py writes them, else a description."""
    half = fields[0][2] if fields else None
    if half is not None and half.name in _COMPLEX and fields == [("r", 0, half), ("i", size // 2, half)]:
        return _COMPLEX[half.name]
    listed = [f"{name}: {member.name}" for name, _, member in fields[:8]] + ["..."] * (len(fields) > 8)
    return f"compound({', '.join(listed)})"


def _member_name(body: bytes, at: int, version: int) -> tuple[str, int]:
    end = body.find(b"\0", at)
    if end < 0:
        raise CorruptFileError("a name in an HDF5 datatype has no end")
    used = end + 1 - at
    return decode_name(body[at:end]), at + (used if version >= 3 else (used + 7) // 8 * 8)


def _enum(body: bytes, size: int, version: int, depth: int) -> tuple[Datatype, int]:
    """An enumeration; `bool` where it is h5py's, FALSE = 0 and TRUE = 1 in one byte."""
    count = int.from_bytes(body[1:3], "little")
    base, used = _parse(body[8:], depth + 1)
    at, names = 8 + used, []
    for _ in range(count):
        name, at = _member_name(body, at, version)
        names.append(name)
    values = body[at : at + count * base.size]
    if base.size != size:
        raise CorruptFileError("an HDF5 enumeration of another size than its values")
    is_bool = names == ["FALSE", "TRUE"] and values == b"\x00\x01"
    return Datatype("bool" if is_bool else f"enum({base.name})", size, "enum", base.big_endian), at + len(values)


def _vlen(body: bytes, size: int, _version: int, depth: int) -> tuple[Datatype, int]:
    kind = body[1] & 15
    if kind not in (0, 1) or size != 16:
        raise CorruptFileError("a variable-length HDF5 datatype of unknown kind", found=f"kind {kind}, {size} bytes")
    base, used = _parse(body[8:], depth + 1)
    text = Datatype("string", 1, "string")
    return Datatype("string" if kind else f"vlen({base.name})", size, "vlen", base=text if kind else base), 8 + used


def _array(body: bytes, size: int, version: int, depth: int) -> tuple[Datatype, int]:
    rank, at = body[8], 9 if version >= 3 else 12
    dims = struct.unpack_from(f"<{rank}I", body, at)
    at += 4 * rank * (1 if version >= 3 else 2)
    base, used = _parse(body[at:], depth + 1)
    return Datatype(f"array({base.name}, {dims})", size, "array", base.big_endian), at + used


def _complex(body: bytes, size: int, _version: int, depth: int) -> tuple[Datatype, int]:
    """HDF5 2.0's complex class: two values of the base type."""
    base, used = _parse(body[8:], depth + 1)
    described = f"complex({base.name})"
    name = _COMPLEX.get(base.name, described) if size == 2 * base.size else described
    return Datatype(name, size, "complex", base.big_endian), 8 + used


_READ = {
    "integer": _integer,
    "float": _float,
    "time": _time,
    "string": _string,
    "bitfield": _bitfield,
    "opaque": _opaque,
    "compound": _compound,
    "reference": _reference,
    "enum": _enum,
    "vlen": _vlen,
    "array": _array,
    "complex": _complex,
}
