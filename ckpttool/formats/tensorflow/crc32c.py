"""CRC-32C (Castagnoli), the checksum of TensorFlow's files, without a package for it: RFC 3720, appendix B.4.

Bytes are a polynomial over GF(2), and the checksum its remainder modulo P, of degree 32. The polynomial below is a
multiple of P, so data may be reduced modulo it first: that is five times an exclusive or of long runs of bytes, which
Python's whole numbers and NumPy do at the speed of memory. Over GF(2) the square of a polynomial has its exponents
doubled; so the same six exponents hold for bits, bytes and runs of any power of two of them. Only the
remainder goes through the table.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_POLYNOMIAL = 0x82F63B78  # P, reflected, without its highest term
_DEGREE = 437  # of x^437 + x^177 + x^176 + x^171 + x^58 + 1, a multiple of P
_LOWER = (177, 176, 171, 58, 0)
_ALL_ONES = 0xFFFFFFFF
_BY_TABLE = 512  # bytes that are not worth reducing
_AT_ONCE = 32 << 10  # bytes that become one number
_BY_NUMPY = 64 << 10  # bytes from which on NumPy is faster
_UNIT = 64  # bytes of a coefficient there
_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """The checksum of the bytes, or of all bytes where `crc` is that of those before them."""
    if len(data) >= _BY_NUMPY and "numpy" in sys.modules:  # importing it takes longer than most checksums
        return _through_table(_reduced_by_numpy(data, _first_bytes(data, crc)), 0) ^ _ALL_ONES
    view = memoryview(data)
    for at in range(0, len(data), _AT_ONCE):
        crc = _crc_of_piece(view[at : at + _AT_ONCE], crc)
    return crc


def unmasked(stored: int) -> int:
    """The checksum that a stored one stands for: TensorFlow turns it by 15 bits and adds a constant
    (tensorflow/core/lib/hash/crc32c.h)."""
    turned = (stored - _MASK_DELTA) & _ALL_ONES
    return (turned >> 17 | turned << 15) & _ALL_ONES


def masked(crc: int) -> int:
    """The checksum as it is stored."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ALL_ONES


def _crc_of_piece(data: memoryview, crc: int) -> int:
    if len(data) <= _BY_TABLE:
        return _through_table(data, crc ^ _ALL_ONES) ^ _ALL_ONES
    value = int.from_bytes(_first_bytes(data, crc) + data[4:].tobytes(), "big")
    return _through_table(_reduced(value, len(data)), 0) ^ _ALL_ONES


def _first_bytes(data: bytes | bytearray | memoryview, crc: int) -> bytes:
    """The first four bytes, changed so that a register that begins with zero ends as the one that begins with `crc`."""
    return (int.from_bytes(data[:4], "little") ^ crc ^ _ALL_ONES).to_bytes(4, "little")


def _reduced(value: int, size: int) -> bytes:
    """A number of so many bytes modulo the multiple of P: a few hundred bytes of the same checksum."""
    while size > _DEGREE:
        unit = 1 << ((size - 1) // _DEGREE).bit_length() - 1
        above = value >> 8 * _DEGREE * unit
        value &= (1 << 8 * _DEGREE * unit) - 1
        for exponent in _LOWER:
            value ^= above << 8 * exponent * unit
        size = max(_DEGREE * unit, size - (_DEGREE - _LOWER[0]) * unit)
    return value.to_bytes(size, "big")


def _reduced_by_numpy(data: bytes | bytearray | memoryview, first: bytes) -> bytes:
    """The bytes, of which `first` replaces the first, reduced to a few thousand and then as `_reduced` does."""
    import numpy as np

    numbers, unit = _UNIT // 8, _UNIT
    units = -(-len(data) // unit)
    buffer = np.zeros(units * numbers, np.uint64)
    raw = buffer.view(np.uint8)
    start = raw.size - len(data)
    raw[start:] = np.frombuffer(data, np.uint8)
    raw[start : start + 4] = np.frombuffer(first, np.uint8)
    end = max(0, (units - _DEGREE) * numbers)
    _fold(buffer, end)
    left = raw[end * 8 :].tobytes()
    return _reduced(int.from_bytes(left, "big"), len(left))


def _fold(buffer: np.ndarray, end: int) -> None:
    """Bring the words before `end` to lower places, run by run."""
    import numpy as np

    numbers = _UNIT // 8
    step, places = (_DEGREE - _LOWER[0]) * numbers, [(_DEGREE - exponent) * numbers for exponent in _LOWER]
    for at in range(0, end, step):
        run = buffer[at : min(at + step, end)]
        for place in places:
            into = buffer[at + place : at + place + run.size]
            np.bitwise_xor(into, run, out=into)


@lru_cache
def _table() -> tuple[int, ...]:
    """The remainder of each byte."""
    remainders = []
    for remainder in range(256):
        for _ in range(8):
            remainder = remainder >> 1 ^ (_POLYNOMIAL if remainder & 1 else 0)
        remainders.append(remainder)
    return tuple(remainders)


def _through_table(data: bytes | bytearray | memoryview, register: int) -> int:
    table = _table()
    for byte in data:
        register = register >> 8 ^ table[register & 0xFF ^ byte]
    return register
