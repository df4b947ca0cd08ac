"""Stored values of two weights side by side, widened so that any two dtypes are compared without losing a digit.

Floats of 32 bits and fewer become float32, all others float64. Every dtype but 64-bit integers is exact in float64;
the rounding errors of 64-bit integers are carried in an array of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ckpttool.io.dtypes import DTYPES, FLOATS, values_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_ROOM = 1 << 20
"""The bytes of one array of a block.

Small enough for all arrays of a block to stay within the processor's caches. Large enough for each NumPy step to take
long: threads wait for each other only between steps.
"""

Raw = bytes | bytearray | memoryview
Pair = tuple["np.ndarray", "np.ndarray"]

_EXACT = 2.0**53  # integers beyond it have no float64 of their own


class Scratch:
    """The buffers for the intermediate arrays of one thread, as large as a block needs; used again for every block."""

    def __init__(self) -> None:
        import numpy as np

        self.a, self.b, self.differ, self.steps = (np.empty(_ROOM // 8) for _ in range(4))
        self.wide_a, self.wide_b, self.difference = (np.empty(_ROOM // 4) for _ in range(3))  # float32 made float64
        self.mask = np.empty(_ROOM // 4, bool)


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements of two weights side by side.

    `a` and `b` are the values as float32 or float64. An element has `parts` numbers in them: 2 where it is complex, the
    real and the imaginary part in turn, else 1. `rest` is the exact difference minus the difference of `a` and `b`;
    None where that is 0 everywhere. `differ` is not 0 where the two sides are not the same bit for bit. `bits` are both
    sides as signed integers; None where one side is no float.
    """

    a: np.ndarray
    b: np.ndarray
    rest: np.ndarray | None
    differ: np.ndarray
    bits: Pair | None
    parts: int

    def __len__(self) -> int:
        return len(self.differ)

    def only(self, chosen: np.ndarray) -> Elements:
        """The elements that a mask chooses."""
        a, b = (side.reshape(-1, self.parts)[chosen].reshape(-1) for side in (self.a, self.b))
        rest = None if self.rest is None else self.rest[chosen]
        bits = (self.bits[0][chosen], self.bits[1][chosen]) if self.bits else None
        return Elements(a, b, rest, self.differ[chosen], bits, self.parts)

    def in_float64(self, scratch: Scratch) -> Elements:
        """The same elements with their values as float64."""
        import numpy as np

        a, b = _widened(self.a, np.float64, scratch.wide_a), _widened(self.b, np.float64, scratch.wide_b)
        return replace(self, a=a, b=b)


def has_steps(a: str, b: str) -> bool:
    """Whether the distance between values of these dtypes is also measured in steps from one number to the next."""
    return a in FLOATS and b in FLOATS


def block_size(a: str, b: str) -> int:
    """The most elements of these dtypes that are compared at once."""
    dtype, parts = _wide((a, b))
    return _ROOM // (4 if dtype == "float32" else 8 * parts)


def side_by_side(a: Raw, b: Raw, dtypes: tuple[str, str], scratch: Scratch) -> Elements:
    """The elements of two runs of stored little-endian values.

    Both runs have equally many values, one block at most. The arrays are valid until `scratch` is used again.
    """
    values = _numbers(a, dtypes[0]), _numbers(b, dtypes[1])
    dtype, parts = _wide(dtypes)
    wide = _widened(values[0], dtype, scratch.a), _widened(values[1], dtype, scratch.b)
    rest = _rest(values, wide, parts)
    if dtypes[0] == dtypes[1]:
        bits = _stored_bits(a, dtypes[0]), _stored_bits(b, dtypes[1])
        return Elements(*wide, rest, _differ(bits, scratch), bits if has_steps(*dtypes) else None, parts)
    common = _common_float(*dtypes)
    steps = (_bits(values[0], common), _bits(values[1], common)) if common else None
    return Elements(*wide, rest, _differ_widened(wide, rest, parts), steps, parts)


def _numbers(raw: Raw, dtype: str) -> np.ndarray:
    values = values_of(raw, dtype, big_endian=False)
    return values.view("u1") if dtype == "bool" else values


def _wide(dtypes: tuple[str, str]) -> tuple[str, int]:
    """The dtype in which values of both dtypes are compared, and the number of its numbers in one element."""
    if any(dtype.startswith("complex") for dtype in dtypes):
        return "complex128", 2
    return "float32" if all(dtype in FLOATS and dtype != "float64" for dtype in dtypes) else "float64", 1


def _widened(values: np.ndarray, dtype: npt.DTypeLike, room: np.ndarray) -> np.ndarray:
    """The values in a dtype, complex ones as two numbers each; written to `room` where they have another dtype."""
    import numpy as np

    if values.dtype != dtype:
        wide = room.view(dtype)[: len(values)]
        np.copyto(wide, values)
        values = wide
    return values.view(np.float64) if values.dtype.kind == "c" else values


def _rest(values: Pair, wide: Pair, parts: int) -> np.ndarray | None:
    """The exact difference of 64-bit integers minus the difference of their float64 values; None where that is 0."""
    a, b = (_rounded_off(side, floats[::parts]) for side, floats in zip(values, wide, strict=True))
    if b is None:
        return a
    return -b if a is None else a - b


def _rounded_off(values: np.ndarray, wide: np.ndarray) -> np.ndarray | None:
    """The exact rounding errors of 64-bit integers in float64; None where there are none.

    Integers and floats are taken modulo 2**64. The rounding error is small, so that it fits.
    """
    import numpy as np

    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not (np.abs(wide) >= _EXACT).any():
        return None
    high = np.floor(wide / 2.0**32)
    low = wide - high * 2.0**32
    modulo = (high.astype(np.int64).view(np.uint64) << np.uint64(32)) + low.astype(np.uint64)
    return (values.view(np.uint64) - modulo).view(np.int64).astype(np.float64)


def _stored_bits(raw: Raw, dtype: str) -> np.ndarray:
    """The stored values as signed integers, two for each element of complex128."""
    import numpy as np

    width = DTYPES[dtype][0]
    bits = np.frombuffer(raw, f"<i{min(width, 8)}")
    return bits.reshape(-1, 2) if width > 8 else bits


def _differ(bits: Pair, scratch: Scratch) -> np.ndarray:
    """The differences between values of one dtype: not 0 where a bit differs."""
    import numpy as np

    if bits[0].ndim > 1:
        return np.asarray(np.not_equal(*bits).any(axis=1))
    return np.bitwise_xor(*bits, out=scratch.differ.view(bits[0].dtype)[: len(bits[0])])


def _differ_widened(wide: Pair, rest: np.ndarray | None, parts: int) -> np.ndarray:
    """The differences between values of two dtypes: True where a widened bit or the rounding error differs."""
    import numpy as np

    a, b = (side.view(f"i{side.itemsize}") for side in wide)
    differ: np.ndarray = np.not_equal(a, b).reshape(-1, parts).any(axis=1)
    return differ if rest is None else differ | (rest != 0)


def _common_float(a: str, b: str) -> str | None:
    """The dtype in which steps between floats of two dtypes are counted; None where one of the two is no float.

    The wider of the two where it has every value of the other, else float32 or float64.
    """
    if not has_steps(a, b):
        return None
    return next(dtype for dtype in (a, b, "float32", "float64") if _holds(dtype, a) and _holds(dtype, b))


def _holds(dtype: str, other: str) -> bool:
    """Whether a float dtype has every value of another."""
    return all(own >= others for own, others in zip(FLOATS[dtype], FLOATS[other], strict=True))


def _bits(values: np.ndarray, dtype: str) -> np.ndarray:
    """The bits of floats in a dtype that has them exactly, as signed integers."""
    if dtype == "bfloat16":  # the upper half of a float32
        return (values.astype("f4").view("i4") >> 16).astype("i2")
    wide = values.astype(dtype)
    return wide.view(f"i{wide.itemsize}")
