"""Statistics, checksum and picture of one weight, computed block by block in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.arrays.histograms import Histogram, block_histogram
from ckpttool.arrays.magnitudes import Magnitudes
from ckpttool.checkpoint import Weight
from ckpttool.escape import brief
from ckpttool.io.dtypes import values_of

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics of a run of values.

    `minimum`, `maximum`, `mean` and `std` (of the population) are over the finite values; None where there are none.
    `m2` is the sum of squared differences from the mean. Complex values count by their absolute value.
    """

    count: int = 0
    finite: int = 0
    nan: int = 0
    inf: int = 0
    zeros: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    m2: float = 0.0

    __repr__ = brief

    @property
    def std(self) -> float | None:
        """The standard deviation of the finite values."""
        return math.sqrt(self.m2 / self.finite) if self.finite else None

    def merged(self, other: Stats) -> Stats:
        """The statistics of both runs together (Chan, Golub and LeVeque, 1979, for the mean and `m2`)."""
        if not (self.finite and other.finite):
            moments = self if self.finite else other
            minimum, maximum, mean, m2 = moments.minimum, moments.maximum, moments.mean, moments.m2
        else:
            minimum, maximum, mean, m2 = _merged_moments(self, other)
        return Stats(
            self.count + other.count,
            self.finite + other.finite,
            self.nan + other.nan,
            self.inf + other.inf,
            self.zeros + other.zeros,
            minimum,
            maximum,
            mean,
            m2,
        )


def _merged_moments(a: Stats, b: Stats) -> tuple[float, float, float, float]:
    assert a.mean is not None and b.mean is not None
    assert a.minimum is not None and b.minimum is not None and a.maximum is not None and b.maximum is not None
    total, delta = a.finite + b.finite, b.mean - a.mean
    mean = a.mean + delta * b.finite / total
    m2 = a.m2 + b.m2 + delta * delta * a.finite * b.finite / total
    return min(a.minimum, b.minimum), max(a.maximum, b.maximum), mean, m2


def block_stats(block: np.ndarray) -> Stats:
    """The statistics of the values in one array."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are counted, not warned of
        return _block_stats(block)


def _block_stats(block: np.ndarray) -> Stats:
    import numpy as np

    if block.dtype.kind == "c":
        block = np.abs(block)
    count = block.size
    zeros = count - int(np.count_nonzero(block))
    if not count:
        return Stats()
    total = float(block.sum(dtype=np.float64))
    if math.isfinite(total):  # then every value is finite: the usual case, which needs no mask
        return _finite_stats(block, count, zeros, total)
    nan, inf = int(np.isnan(block).sum()), int(np.isinf(block).sum())
    finite = block[np.isfinite(block)]
    part = _finite_stats(finite, finite.size, zeros, float(finite.sum(dtype=np.float64))) if finite.size else Stats()
    return Stats(count, finite.size, nan, inf, zeros, part.minimum, part.maximum, part.mean, part.m2)


def _finite_stats(block: np.ndarray, count: int, zeros: int, total: float) -> Stats:
    import numpy as np

    mean = total / count
    spread = np.subtract(block, mean, dtype=np.float64)
    m2 = float(np.square(spread, out=spread).sum())  # a dot product starts threads, which is slower
    return Stats(count, count, 0, 0, zeros, float(block.min()), float(block.max()), mean, m2)


class Picture(NamedTuple):
    """The numbers of a weight's chart: the histogram of its values, and for a kernel the mean magnitude by output."""

    histogram: Histogram
    magnitudes: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return brief(self)


class Measurement(NamedTuple):
    """The statistics, the checksum and the picture of one weight; None where not asked for."""

    stats: Stats | None = None
    sha256: str | None = None
    picture: Picture | None = None


def measure(
    weight: Weight,
    *,
    stats: bool = False,
    sha256: bool = False,
    picture: bool = False,
    progress: Callable[[int], None] = lambda nbytes: None,
) -> Measurement:
    """The statistics, the checksum and the picture of a weight, as asked for, in one pass over its blocks.

    The checksum is the SHA-256 of the values in C order and little-endian, in hex: equal content, equal checksum.
    `progress` is called with the number of bytes of every block. Texts have neither statistics nor a picture.
    """
    import hashlib

    numbers = not weight.has_texts
    merged, digest = Stats(), hashlib.sha256()
    painter = Painter(weight.shape) if picture and numbers else None
    for block in weight.stored_blocks():
        if numbers and (stats or picture):
            values = values_of(block, weight.dtype, big_endian=False)
            part = block_stats(values)
            merged = merged.merged(part)
            if painter:
                painter.add(values, part)
        if sha256:
            digest.update(block)
        progress(len(block))
    return Measurement(
        merged if numbers and stats else None,
        digest.hexdigest() if sha256 else None,
        painter.picture() if painter else None,
    )


class Painter:
    """The picture of a weight as far as its values have been seen."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._histogram = Histogram()
        self._magnitudes = Magnitudes.of_shape(shape)

    def add(self, values: np.ndarray, stats: Stats) -> None:
        """Add the next values in C order, whose statistics are known."""
        import numpy as np

        all_finite = stats.finite == stats.count
        if stats.minimum is not None and stats.maximum is not None:
            finite = values if all_finite else values[np.isfinite(values)]
            self._histogram = self._histogram.merged(block_histogram(finite, stats.minimum, stats.maximum))
        if self._magnitudes is not None:
            self._magnitudes.add(values, all_finite)

    def picture(self) -> Picture:
        """The picture of all values that were added."""
        return Picture(self._histogram, self._magnitudes.cells() if self._magnitudes is not None else ())
