"""The tolerance that decides which elements are different, and the figures of a comparison of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ckpttool.escape import brief


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The bounds beyond which a difference is a change.

    Exact by default: an element is changed where a bit of it is, so that NaN equals NaN of the same bits, and -0.0 is
    not 0.0. With `rtol` or `atol` a pair of finite elements is changed where not |a-b| <= atol + rtol * max(|a|, |b|),
    which does not depend on which side is first; infinities are changed unless they are equal. Equal bits are never a
    change. With `equal_nan`, neither is one NaN for another, whatever their bits.
    """

    rtol: float = 0.0
    atol: float = 0.0
    equal_nan: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.rtol < math.inf and 0 <= self.atol < math.inf):
            raise ValueError("a tolerance is a finite number, 0 or above")

    @property
    def exact(self) -> bool:
        """Whether finite elements must agree bit for bit."""
        return not (self.rtol or self.atol)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of a comparison of `a` with `b`: of one pair of weights, or of many pairs, merged.

    Of `count` elements, `differing` are not the same bit for bit, and `changed` are different by the tolerance.
    `finite` counts the elements that are finite on both sides. The following figures are over these, in float64:

    - `max_abs` and `mean_abs`: the largest and the mean absolute difference; 0 where there are none, infinite where a
      difference is beyond float64.
    - `norm_a`, `norm_b`, `norm_difference`: the Euclidean norms of `a`, of `b` and of the difference.
    - `cosine`: of the angle between both; None where a norm is 0 or beyond float64.
    - `max_ulp`: the largest distance in steps from one number of the dtype to the next; None where no floats are
      compared. Both zeros are one number.

    Elements that are NaN or infinite in `b` alone count as gained, those in `a` alone as lost. For weights that are
    the same bit for bit only `count` is filled; so figures merged over many pairs are over the pairs that differ.
    Complex elements differ by the absolute value of the difference. They are infinite where one of their parts is,
    else NaN where one of their parts is.
    """

    count: int = 0
    differing: int = 0
    changed: int = 0
    finite: int = 0
    max_abs: float = 0.0
    mean_abs: float = 0.0
    norm_a: float = 0.0
    norm_b: float = 0.0
    norm_difference: float = 0.0
    cosine: float | None = None
    max_ulp: int | None = None
    nan_gained: int = 0
    nan_lost: int = 0
    inf_gained: int = 0
    inf_lost: int = 0

    __repr__ = brief

    @property
    def identical(self) -> bool:
        """Whether all elements are the same bit for bit, in the dtype in which they are compared."""
        return not self.differing

    @property
    def share(self) -> float:
        """The share of elements that are changed; 0 of none."""
        return self.changed / self.count if self.count else 0.0

    @property
    def relative_l2(self) -> float:
        """The norm of the difference over the norm of `a`; 0 without a difference, infinite where `a` is all zeros."""
        if not self.norm_difference:
            return 0.0
        return self.norm_difference / self.norm_a if self.norm_a and self.norm_difference < math.inf else math.inf

    def inverted(self) -> Comparison:
        """The comparison of `b` with `a`."""
        return Comparison(
            self.count,
            self.differing,
            self.changed,
            self.finite,
            self.max_abs,
            self.mean_abs,
            self.norm_b,
            self.norm_a,
            self.norm_difference,
            self.cosine,
            self.max_ulp,
            self.nan_lost,
            self.nan_gained,
            self.inf_lost,
            self.inf_gained,
        )

    def merged(self, other: Comparison) -> Comparison:
        """The comparison of both runs of elements together."""
        if not (self.count and other.count):
            return self if self.count else other
        norm_a, norm_b = math.hypot(self.norm_a, other.norm_a), math.hypot(self.norm_b, other.norm_b)
        return Comparison(
            self.count + other.count,
            self.differing + other.differing,
            self.changed + other.changed,
            self.finite + other.finite,
            max(self.max_abs, other.max_abs),
            _merged_mean(self, other),
            norm_a,
            norm_b,
            math.hypot(self.norm_difference, other.norm_difference),
            _merged_cosine(self, other, norm_a, norm_b),
            max((ulp for ulp in (self.max_ulp, other.max_ulp) if ulp is not None), default=None),
            self.nan_gained + other.nan_gained,
            self.nan_lost + other.nan_lost,
            self.inf_gained + other.inf_gained,
            self.inf_lost + other.inf_lost,
        )


def _merged_mean(x: Comparison, y: Comparison) -> float:
    finite = x.finite + y.finite
    return x.mean_abs * (x.finite / finite) + y.mean_abs * (y.finite / finite) if finite else 0.0


def _merged_cosine(x: Comparison, y: Comparison, norm_a: float, norm_b: float) -> float | None:
    """The cosine over both runs: each cosine weighted by its share of the norms.

    No product of norms is formed, since it could overflow.
    """
    if not (0 < norm_a < math.inf and 0 < norm_b < math.inf):
        return None
    if x.identical and y.identical:
        return 1.0
    shares = ((part.cosine or 0.0) * ((part.norm_a / norm_a) * (part.norm_b / norm_b)) for part in (x, y))
    return max(-1.0, min(1.0, sum(shares)))
