"""Histograms of values that are seen once, block by block: the result is the same however the values are cut.

The width of a bin is a power of two, and bins begin at whole multiples of it. So two bins of one width are exactly
one bin of the next, and a histogram of a block is brought to any greater width without looking at the values again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from ckpttool.escape import brief

if TYPE_CHECKING:
    import numpy as np

MOST_BINS = 64
_PIECE = 1 << 16  # values that are counted at once, in so little memory that the process need not ask for it again
_FINEST = 20
"""The bins between 0 and the largest value are 2**20 at most, so that all numbers of bins are exact in float32."""
_LEAST, _LARGEST = -1000, 1000  # exponents of powers of two that float64 has, and their inverses
_LEAST_OF_SINGLE = -126  # the same of float32, where bins are no wider than 1: no value then becomes 0 by scaling


@dataclass(frozen=True, slots=True)
class Histogram:
    """The finite values of a run, counted in bins of width `2**exponent`.

    Bin number `n` of `counts` has the values from `(first + n) * width` up to, and without, `(first + n + 1) * width`.
    Neither the first nor the last bin is empty, and there are `MOST_BINS` at most; none where there are no values.
    """

    exponent: int = 0
    first: int = 0
    counts: tuple[int, ...] = ()

    __repr__ = brief

    @property
    def width(self) -> float:
        """The width of a bin."""
        return math.ldexp(1.0, self.exponent)

    @property
    def start(self) -> float:
        """The lower end of the first bin."""
        return self.first * self.width

    @property
    def stop(self) -> float:
        """The upper end of the last bin."""
        return (self.first + len(self.counts)) * self.width

    @property
    def total(self) -> int:
        """The number of values."""
        return sum(self.counts)

    def merged(self, other: Histogram) -> Histogram:
        """The histogram of both runs together."""
        if not (self.counts and other.counts):
            return self if self.counts else other
        ours, theirs = on_one_grid(self, other)
        first = min(ours.first, theirs.first)
        padded = ((0,) * (counted.first - first) + counted.counts for counted in (ours, theirs))
        return Histogram(ours.exponent, first, tuple(a + b for a, b in zip_longest(*padded, fillvalue=0)))

    def coarsened(self, exponent: int) -> Histogram:
        """The same values in bins of width `2**exponent`, which is no less than now."""
        if not self.counts or exponent == self.exponent:
            return Histogram(exponent, self.first, self.counts) if self.counts else self
        shift = exponent - self.exponent
        first = self.first >> shift
        counts = [0] * (((self.first + len(self.counts) - 1) >> shift) - first + 1)
        for number, count in enumerate(self.counts, self.first):
            counts[(number >> shift) - first] += count
        return Histogram(exponent, first, tuple(counts))


def on_one_grid(a: Histogram, b: Histogram) -> tuple[Histogram, Histogram]:
    """Both histograms with the same bins, as fine as the range of all values allows."""
    if not (a.counts and b.counts):
        return a, b
    exponent = max(a.exponent, b.exponent)
    while True:
        a, b = a.coarsened(exponent), b.coarsened(exponent)
        if max(a.first + len(a.counts), b.first + len(b.counts)) - min(a.first, b.first) <= MOST_BINS:
            return a, b
        exponent += 1


def block_histogram(block: np.ndarray, minimum: float, maximum: float) -> Histogram:
    """The histogram of the finite values in an array, whose least and largest are known.

    Complex values count by their absolute value. Values whose range is beyond float64 have no histogram.
    """
    import numpy as np

    values = np.abs(block) if block.dtype.kind == "c" else block
    exponent = bin_exponent(minimum, maximum)
    if exponent > _LARGEST:
        return Histogram()
    is_exact_in_single = values.dtype == np.float32 and _LEAST_OF_SINGLE < exponent <= 0
    dtype = np.float32 if is_exact_in_single else np.float64
    scale, first = math.ldexp(1.0, -exponent), math.floor(minimum * math.ldexp(1.0, -exponent))
    counts = np.zeros(_bins(minimum, maximum, exponent), np.intp)
    for start in range(0, len(values), _PIECE):
        scaled = np.multiply(values[start : start + _PIECE], scale, dtype=dtype)
        np.floor(scaled, out=scaled)
        scaled -= first
        counts += np.bincount(scaled.astype(np.uint8), minlength=len(counts))  # the fastest of integers to make
    return Histogram(exponent, first, tuple(counts.tolist()))


def bin_exponent(minimum: float, maximum: float) -> int:
    """The exponent of the narrowest bins of which `MOST_BINS` at most go from the least to the largest value."""
    largest = max(abs(minimum), abs(maximum))
    if not largest:
        return _LEAST  # zeros have a place in any bins
    exponent = max(math.frexp(largest)[1] - _FINEST, _LEAST)
    if maximum > minimum:
        spread = maximum / MOST_BINS - minimum / MOST_BINS
        exponent = max(exponent, math.frexp(spread)[1] - 1)
    while exponent <= _LARGEST and _bins(minimum, maximum, exponent) > MOST_BINS:
        exponent += 1
    return exponent


def _bins(minimum: float, maximum: float, exponent: int) -> int:
    inverse = math.ldexp(1.0, -exponent)
    return math.floor(maximum * inverse) - math.floor(minimum * inverse) + 1
