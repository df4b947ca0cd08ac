"""Arithmetic on weights, block by block, in bounded memory: what a weight of any size looks like in a few numbers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Weight

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Stats:
    """What a run of values amounts to.

    `minimum`, `maximum`, `mean` and `std` (of the population) are over the finite values, None where there are none;
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


def stats(blocks: Iterable[np.ndarray]) -> Stats:
    """The statistics of all values in the blocks; sums are taken in float64."""
    whole = Stats()
    for block in blocks:
        whole = whole.merged(_block_stats(block))
    return whole


def _block_stats(block: np.ndarray) -> Stats:
    import numpy as np

    if block.dtype.kind == "c":
        block = np.abs(block)
    count = block.size
    zeros = count - int(np.count_nonzero(block))
    if not count:
        return Stats()
    total = float(block.sum(dtype=np.float64))
    if math.isfinite(total):  # then every value is finite: the usual case, without a mask
        return _finite_stats(block, count, zeros, total)
    nan, inf = int(np.isnan(block).sum()), int(np.isinf(block).sum())
    finite = block[np.isfinite(block)]
    part = _finite_stats(finite, finite.size, zeros, float(finite.sum(dtype=np.float64))) if finite.size else Stats()
    return Stats(count, finite.size, nan, inf, zeros, part.minimum, part.maximum, part.mean, part.m2)


def _finite_stats(block: np.ndarray, count: int, zeros: int, total: float) -> Stats:
    import numpy as np

    mean = total / count
    spread = np.subtract(block, mean, dtype=np.float64)
    m2 = float(np.dot(spread, spread))
    return Stats(count, count, 0, 0, zeros, float(block.min()), float(block.max()), mean, m2)


def weight_stats(weight: Weight) -> Stats:
    """The statistics of a weight, read in blocks."""
    return stats(weight.blocks())


def sha256(weight: Weight) -> str:
    """The SHA-256 of a weight's values in C order and little-endian, in hex: equal content, equal digest."""
    digest = hashlib.sha256()
    for block in weight.stored_blocks():
        digest.update(block)
    return digest.hexdigest()
