"""Bounds of stored values, taken from their bits without turning them into numbers.

A float is a sign and a magnitude, and the larger magnitude has the larger bits. Read as unsigned integers, the bits of
negative values are above those of all others; read as signed integers, they are below. So the least and the most of
both readings together bound a block on both sides of zero, NaN and infinities included. That takes four passes, which
NumPy makes at the speed of the caches.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.io.dtypes import DTYPES, FLOATS, values_of

if TYPE_CHECKING:
    import numpy as np

Raw = bytes | bytearray | memoryview


class Layout(NamedTuple):
    """The layout of a dtype: `width` is the bytes of a number. For floats, `special` is the least magnitude that is NaN
    or infinite, `infinity` that of infinity, None where the dtype has none, and `normal` that of the smallest normal
    number. For other dtypes, `special` and `infinity` are None."""

    width: int
    special: int | None = None
    infinity: int | None = None
    normal: int = 0


def _float(name: str) -> Layout:
    exponent, fraction = FLOATS[name]
    infinity = (1 << exponent) - 1 << fraction
    return Layout(DTYPES[name][0], infinity, infinity, 1 << fraction)


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        **{name: Layout(width) for name, (width, _) in DTYPES.items()},
        **{name: _float(name) for name in FLOATS},
        "float8_e4m3fn": Layout(1, 0x7F, None, 0x08),  # whose only NaN has all bits set
        "complex64": _float("float32"),
        "complex128": _float("float64"),
    }
)
"""The layouts of all dtypes that are read; a complex number is two floats."""


class Bounds(NamedTuple):
    """The least and the most of the bits of some values, taken as unsigned and as signed integers, and how many values
    are NaN, infinite and denormal."""

    least: int
    most: int
    signed_least: int
    signed_most: int
    nan: int = 0
    infinite: int = 0
    denormal: int = 0

    def merged(self, other: Bounds) -> Bounds:
        """The bounds of both runs of values together."""
        return Bounds(
            min(self.least, other.least),
            max(self.most, other.most),
            min(self.signed_least, other.signed_least),
            max(self.signed_most, other.signed_most),
            self.nan + other.nan,
            self.infinite + other.infinite,
            self.denormal + other.denormal,
        )

    @property
    def is_finite(self) -> bool:
        """Whether no value is NaN or infinite."""
        return not (self.nan or self.infinite)

    @property
    def is_constant(self) -> bool:
        """Whether all values are the same, bit for bit."""
        return self.least == self.most

    def largest(self, layout: Layout) -> int:
        """The largest magnitude."""
        half = 1 << (8 * layout.width - 1)
        return max(self.signed_most, self.most - half)

    def smallest(self, layout: Layout) -> int:
        """The smallest magnitude."""
        half = 1 << (8 * layout.width - 1)
        return min(
            self.least if self.least < half else half, self.signed_least + half if self.signed_least < 0 else half
        )

    def is_zero(self, layout: Layout) -> bool:
        """Whether all values are zero, of either sign."""
        return self.largest(layout) == 0 and (layout.special is not None or self.most == 0)

    def lowest(self, dtype: str, layout: Layout) -> float:
        """The lowest value of a float, infinities and NaN included."""
        half = 1 << (8 * layout.width - 1)
        return value_of(self.most if self.most >= half else self.least, dtype, layout)


def value_of(bits: int, dtype: str, layout: Layout) -> float:
    """The number that some bits stand for."""
    part = {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)
    return float(values_of(bits.to_bytes(layout.width, "little"), part, big_endian=False)[0])


def bounds_of(block: Raw, layout: Layout) -> Bounds:
    """The bounds of a block of little-endian values, which is not empty."""
    import numpy as np

    unsigned = np.frombuffer(block, f"<u{layout.width}")
    signed = unsigned.view(f"<i{layout.width}")
    bounds = Bounds(int(unsigned.min()), int(unsigned.max()), int(signed.min()), int(signed.max()))
    if layout.special is None:
        return bounds
    largest = bounds.largest(layout)
    if largest < layout.special and (largest == 0 or bounds.smallest(layout) >= layout.normal):
        return bounds  # the usual case
    return bounds.merged(_with_counts(unsigned, bounds, layout))


def _with_counts(unsigned: np.ndarray, bounds: Bounds, layout: Layout) -> Bounds:
    """The bounds with the numbers of NaN, infinite and denormal values."""
    import numpy as np

    assert layout.special is not None
    single_bit = unsigned.dtype.type(1)
    magnitudes = np.left_shift(unsigned, single_bit)  # the sign falls out at the top
    special = np.count_nonzero(magnitudes >= layout.special << 1)
    infinite = 0 if layout.infinity is None else np.count_nonzero(magnitudes == layout.infinity << 1)
    np.subtract(magnitudes, single_bit, out=magnitudes)  # zero wraps round to the top
    denormal = np.count_nonzero(magnitudes < (layout.normal << 1) - 1)
    ends = (bounds.least, bounds.most, bounds.signed_least, bounds.signed_most)
    return Bounds(*ends, int(special - infinite), int(infinite), int(denormal))
