"""Statistics and checksum of one weight, computed block by block in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Texts, Weight
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


@dataclass(frozen=True, slots=True)
class Measurement:
    """The statistics and the checksum of one weight; None where not asked for."""

    stats: Stats | None = None
    sha256: str | None = None


def measure(
    weight: Weight, *, stats: bool = False, sha256: bool = False, progress: Callable[[int], None] = lambda nbytes: None
) -> Measurement:
    """The statistics and the checksum of a weight, as asked for, in one pass over its blocks.

    The checksum is the SHA-256 of the values in C order and little-endian, in hex: equal content, equal checksum.
    `progress` is called with the number of bytes of every block. Texts have no statistics.
    """
    import hashlib

    stats = stats and not isinstance(weight.values, Texts)
    merged, digest = Stats(), hashlib.sha256()
    for block in weight.stored_blocks():
        if stats:
            merged = merged.merged(block_stats(values_of(block, weight.dtype, big_endian=False)))
        if sha256:
            digest.update(block)
        progress(len(block))
    return Measurement(merged if stats else None, digest.hexdigest() if sha256 else None)
