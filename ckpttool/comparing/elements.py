"""Stored values side by side, widened so that any two dtypes can be compared without losing a digit.

Both sides become float64, in which every dtype but 64-bit integers is exact; what those lose is kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpttool.dtypes import DTYPES, values_of

if TYPE_CHECKING:
    import numpy as np

BLOCK = 1 << 15
"""The most elements that are compared at once: with all that is computed of them they stay within the caches."""

Raw = bytes | bytearray | memoryview
Pair = tuple["np.ndarray", "np.ndarray"]

# (bits of the exponent, bits of the fraction)
_FLOATS = {
    "float8_e4m3fn": (4, 3), "float8_e5m2": (5, 2), "bfloat16": (8, 7), "float16": (5, 10), "float32": (8, 23),
    "float64": (11, 52),
}  # fmt: skip
_EXACT = 2.0**53  # integers beyond it have no float64 of their own


class Scratch:
    """Room for the intermediate arrays of one thread, which are as many numbers as a block has; used again and again."""

    def __init__(self) -> None:
        import numpy as np

        self.differ, self.crossing = np.empty(BLOCK, bool), np.empty(BLOCK, bool)
        self.a, self.b, self.difference = (np.empty(2 * BLOCK) for _ in range(3))  # complex elements have two parts
        self.steps = np.empty(BLOCK, np.int64)


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements of two weights side by side.

    `a` and `b` are their values as float64, of complex elements the real and the imaginary part in turn: `parts` each.
    `rest` is what the exact differences are more than those of `a` and `b`, None where that is nothing. `differ` tells
    which elements are not the same bit for bit. `bits` are both sides as signed integers, None where one is no float.
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
        """The elements that are chosen."""
        a, b = (side.reshape(-1, self.parts)[chosen].reshape(-1) for side in (self.a, self.b))
        rest = None if self.rest is None else self.rest[chosen]
        bits = (self.bits[0][chosen], self.bits[1][chosen]) if self.bits else None
        return Elements(a, b, rest, self.differ[chosen], bits, self.parts)


def has_steps(a: str, b: str) -> bool:
    """Whether the distance between values of these dtypes is also told in steps from one number to the next."""
    return a in _FLOATS and b in _FLOATS


def side_by_side(a: Raw, b: Raw, dtypes: tuple[str, str], scratch: Scratch) -> Elements:
    """Two runs of stored little-endian values, equally many and at most `BLOCK`; valid until scratch is used again."""
    numbers = _numbers(a, dtypes[0]), _numbers(b, dtypes[1])
    parts = 2 if "c" in (numbers[0].dtype.kind, numbers[1].dtype.kind) else 1
    wide = _widened(numbers[0], parts, scratch.a), _widened(numbers[1], parts, scratch.b)
    rest = _rest(numbers, wide, parts)
    if dtypes[0] == dtypes[1]:
        bits = _stored_bits(a, dtypes[0]), _stored_bits(b, dtypes[1])
        return Elements(*wide, rest, _differ(bits, scratch), bits if has_steps(*dtypes) else None, parts)
    differ = _differ_widened(wide, rest, parts)
    common = _common_float(*dtypes)
    return Elements(*wide, rest, differ, (_bits(numbers[0], common), _bits(numbers[1], common)) if common else None, parts)


def _numbers(raw: Raw, dtype: str) -> np.ndarray:
    values = values_of(raw, dtype, big_endian=False)
    return values.view("u1") if dtype == "bool" else values


def _widened(values: np.ndarray, parts: int, room: np.ndarray) -> np.ndarray:
    """The values as float64, of complex ones real and imaginary parts in turn; in `room` where they are not already."""
    import numpy as np

    wanted = np.complex128 if parts == 2 else np.float64
    if values.dtype == wanted:
        return values.view(np.float64)
    wide = room[: len(values) * parts]
    np.copyto(wide.view(wanted), values)
    return wide


def _rest(values: Pair, wide: Pair, parts: int) -> np.ndarray | None:
    """What the exact differences of 64-bit integers are more than those of their float64; None where that is nothing."""
    a, b = (_rounded_off(side, floats[::parts]) for side, floats in zip(values, wide, strict=True))
    if b is None:
        return a
    return -b if a is None else a - b


def _rounded_off(values: np.ndarray, wide: np.ndarray) -> np.ndarray | None:
    """What integers are more than their float64, exactly: both are taken modulo 2**64, where their difference fits."""
    import numpy as np

    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not (np.abs(wide) >= _EXACT).any():
        return None
    high = np.floor(wide / 2.0**32)
    low = wide - high * 2.0**32
    modulo = (high.astype(np.int64).view(np.uint64) << np.uint64(32)) + low.astype(np.uint64)
    return (values.view(np.uint64) - modulo).view(np.int64).astype(np.float64)


def _stored_bits(raw: Raw, dtype: str) -> np.ndarray:
    """The stored values as signed integers; complex128 has two of them an element."""
    import numpy as np

    width = DTYPES[dtype][0]
    bits = np.frombuffer(raw, f"<i{min(width, 8)}")
    return bits.reshape(-1, 2) if width > 8 else bits


def _differ(bits: Pair, scratch: Scratch) -> np.ndarray:
    import numpy as np

    if bits[0].ndim > 1:
        return np.not_equal(*bits).any(axis=1)
    return np.not_equal(*bits, out=scratch.differ[: len(bits[0])])


def _differ_widened(wide: Pair, rest: np.ndarray | None, parts: int) -> np.ndarray:
    """Which values of unlike dtypes are not the same: by their bits in float64 and what integers have beyond it."""
    import numpy as np

    differ: np.ndarray = np.not_equal(*(side.view(np.int64) for side in wide)).reshape(-1, parts).any(axis=1)
    return differ if rest is None else differ | (rest != 0)


def _common_float(a: str, b: str) -> str | None:
    """The dtype in which floats of both dtypes count steps: the wider of the two where it holds every value of the
    other, else float32 or float64. None where one of the two is no float."""
    if not has_steps(a, b):
        return None
    return next(dtype for dtype in (a, b, "float32", "float64") if _holds(dtype, a) and _holds(dtype, b))


def _holds(dtype: str, other: str) -> bool:
    return all(own >= others for own, others in zip(_FLOATS[dtype], _FLOATS[other], strict=True))


def _bits(values: np.ndarray, dtype: str) -> np.ndarray:
    """The bits of floats in a dtype that holds them exactly, as signed integers."""
    if dtype == "bfloat16":  # the upper half of a float32
        return (values.astype("f4").view("i4") >> 16).astype("i2")
    wide = values.astype(dtype)
    return wide.view(f"i{wide.itemsize}")
