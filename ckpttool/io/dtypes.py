"""Dtypes by the names Keras gives them, and how their stored bytes become NumPy values.

bfloat16 and float8 are read with NumPy alone: they widen to float32, which holds every one of their values exactly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ckpttool.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np

# name -> (bytes of one value, NumPy code of the stored bytes without byte order)
DTYPES = {
    "bool": (1, "?"),
    "int8": (1, "i1"), "int16": (2, "i2"), "int32": (4, "i4"), "int64": (8, "i8"),
    "uint8": (1, "u1"), "uint16": (2, "u2"), "uint32": (4, "u4"), "uint64": (8, "u8"),
    "float16": (2, "f2"), "float32": (4, "f4"), "float64": (8, "f8"),
    "bfloat16": (2, "u2"), "float8_e4m3fn": (1, "u1"), "float8_e5m2": (1, "u1"),
    "complex64": (8, "c8"), "complex128": (16, "c16"),
}  # fmt: skip

# name -> (bits of the exponent, bits of the fraction)
FLOATS = {
    "float8_e4m3fn": (4, 3), "float8_e5m2": (5, 2), "bfloat16": (8, 7), "float16": (5, 10), "float32": (8, 23),
    "float64": (11, 52),
}  # fmt: skip


def itemsize(name: str) -> int | None:
    """The bytes of one value, or None for a dtype that cannot be read."""
    known = DTYPES.get(name)
    return known[0] if known else None


_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def castable(name: str, to: str) -> bool:
    """Whether values of one dtype can become the other without losing their nature: a float may lose digits, but not
    become a whole number. False where one of the two is not known."""
    return name in DTYPES and to in DTYPES and _kind(name) <= _kind(to)


def _kind(name: str) -> int:
    return _KINDS["f" if "float" in name else "c" if "complex" in name else name[0]]


def values_of(raw: bytes | bytearray | memoryview, name: str, big_endian: bool) -> np.ndarray:
    """The stored bytes `raw` as a flat array in native byte order; bfloat16 and float8 as float32."""
    import numpy as np

    stored = np.frombuffer(raw, _stored(name, big_endian))
    values: np.ndarray
    if name == "bfloat16":
        values = np.left_shift(stored.astype(np.uint32), 16).view(np.float32)
    elif name.startswith("float8"):
        values = _float8_table(name)[stored]
    else:
        values = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    return values


def little_endian(raw: bytes | bytearray | memoryview, name: str, big_endian: bool) -> bytes | bytearray | memoryview:
    """The stored bytes `raw` with every value in little-endian order."""
    size, code = DTYPES[name]
    if not big_endian or size == 1:
        return raw
    import numpy as np

    return np.frombuffer(raw, ">" + code).astype("<" + code).tobytes()


def _stored(name: str, big_endian: bool) -> str:
    if name not in DTYPES:
        raise UnsupportedError(f"values of type {name} cannot be read", hint="list it without --stats and --sha256")
    return (">" if big_endian else "<") + DTYPES[name][1]


@lru_cache
def _float8_table(name: str) -> np.ndarray:
    """The 256 values of a float8 format (OCP 8-bit floating point, revision 1.0) as float32."""
    import numpy as np

    exponent_bits, mantissa_bits = FLOATS[name]
    bias = 2 ** (exponent_bits - 1) - 1
    codes = np.arange(256)
    sign = np.where(codes >> 7, -1.0, 1.0)
    exponent = (codes >> mantissa_bits) & (2**exponent_bits - 1)
    mantissa = (codes & (2**mantissa_bits - 1)) / 2.0**mantissa_bits
    values = sign * np.where(exponent > 0, (1 + mantissa) * 2.0 ** (exponent - bias), mantissa * 2.0 ** (1 - bias))
    if name == "float8_e4m3fn":
        values[(codes & 0x7F) == 0x7F] = np.nan
    else:
        special = exponent == 31
        values[special] = np.where(mantissa[special] > 0, np.nan, sign[special] * np.inf)
    table: np.ndarray = values.astype(np.float32)
    return table
