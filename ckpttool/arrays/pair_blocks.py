"""The arithmetic of one pair of blocks: a few passes over arrays that stay within the caches.

Elements that are not finite on both sides are counted and left out. Where squares would overflow or underflow float64,
the values are divided by the largest of them first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.arrays.comparison import Comparison, Tolerance
from ckpttool.arrays.elements import Elements, Pair, Raw, Scratch, side_by_side

if TYPE_CHECKING:
    import numpy as np

# A sum of squares between these has lost nothing that counts to underflow or overflow.
_LEAST, _MOST = 1e-30, 1e30
_ROW = 64  # numbers that are summed as float32, which loses less than a millionth of the sum


def compared(a: Raw, b: Raw, dtypes: tuple[str, str], tolerance: Tolerance, scratch: Scratch) -> Comparison:
    """The comparison of two runs of stored little-endian values: equally many in both, one block at most."""
    import numpy as np

    if not len(a):
        return Comparison()
    with np.errstate(all="ignore"):  # values that leave the range of a dtype show in the sums
        elements = side_by_side(a, b, dtypes, scratch)
        squares = _product(elements.a, elements.a), _product(elements.b, elements.b)
        if not (tolerance.exact and squares[0] < _MOST and squares[1] < _MOST):
            elements = elements.in_float64(scratch)
            squares = _product(elements.a, elements.a), _product(elements.b, elements.b)
        if all(map(math.isfinite, squares)):  # then every element is finite: the usual case, which needs no mask
            return _figures(elements, squares, tolerance, scratch)
        return _with_gaps(elements, tolerance, scratch)


def _with_gaps(elements: Elements, tolerance: Tolerance, scratch: Scratch) -> Comparison:
    """The comparison of elements among which some, or their squares, are not finite."""
    import numpy as np

    finite = (np.isfinite(elements.a) & np.isfinite(elements.b)).reshape(-1, elements.parts).all(axis=1)
    gaps = _gaps(elements.only(~finite), tolerance)
    if not finite.any():
        return gaps
    inside = elements.only(finite)
    squares = _product(inside.a, inside.a), _product(inside.b, inside.b)
    return _figures(inside, squares, tolerance, scratch).merged(gaps)


def _gaps(elements: Elements, tolerance: Tolerance) -> Comparison:
    """The comparison of elements none of which is finite on both sides."""
    import numpy as np

    (nan_a, inf_a), (nan_b, inf_b) = (_not_finite(side, elements.parts) for side in (elements.a, elements.b))
    differ = elements.differ != 0
    changed = differ & ~(nan_a & nan_b) if tolerance.equal_nan else differ
    masks = differ, changed, nan_b & ~nan_a, nan_a & ~nan_b, inf_b & ~inf_a, inf_a & ~inf_b
    differing, changes, nan_gained, nan_lost, inf_gained, inf_lost = (int(np.count_nonzero(mask)) for mask in masks)
    return Comparison(
        len(elements),
        differing,
        changes,
        max_ulp=0 if elements.bits else None,
        nan_gained=nan_gained,
        nan_lost=nan_lost,
        inf_gained=inf_gained,
        inf_lost=inf_lost,
    )


def _not_finite(values: np.ndarray, parts: int) -> Pair:
    """The masks of the elements that are NaN and that are infinite."""
    import numpy as np

    infinite = np.isinf(values).reshape(-1, parts).any(axis=1)
    return np.isnan(values).reshape(-1, parts).any(axis=1) & ~infinite, infinite


def _figures(elements: Elements, squares: tuple[float, float], tolerance: Tolerance, scratch: Scratch) -> Comparison:
    """The comparison of finite elements; `squares` are the sums of squares of both sides."""
    import numpy as np

    count, differing = len(elements), int(np.count_nonzero(elements.differ))
    a, b = _Vector.of(elements.a, squares[0]), _Vector.of(elements.b, squares[1])
    if not differing:
        cosine, steps = 1.0 if 0 < a.norm < math.inf else None, 0 if elements.bits else None
        return Comparison(count, finite=count, norm_a=a.norm, norm_b=a.norm, cosine=cosine, max_ulp=steps)
    room = scratch.difference.view(elements.a.dtype)[: len(elements.a)]
    difference = np.subtract(elements.a, elements.b, out=room)
    if elements.rest is not None:
        difference[:: elements.parts] += elements.rest
    norm = _Vector.of(difference, _product(difference, difference)).norm
    sizes = _sizes(difference, elements.parts, difference)
    largest = _largest(sizes, elements, scratch)
    return Comparison(
        count,
        differing,
        differing if tolerance.exact else _beyond(elements, sizes, tolerance),
        count,
        largest,
        _mean(sizes, largest),
        a.norm,
        b.norm,
        norm,
        a.cosine(b),
        _farthest(elements, scratch) if elements.bits else None,
    )


def _sizes(values: np.ndarray, parts: int, out: np.ndarray | None = None) -> np.ndarray:
    """The absolute value of every element; real ones are written to `out`, where there is one."""
    import numpy as np

    sizes: np.ndarray = np.abs(values, out=out) if parts == 1 else np.abs(values.view(np.complex128))
    return sizes


def _largest(sizes: np.ndarray, elements: Elements, scratch: Scratch) -> float:
    """The largest absolute difference.

    A difference of float32 is itself rounded. So those that are the largest after rounding are computed again in
    float64.
    """
    import numpy as np

    largest = sizes.max()
    if sizes.dtype == np.float64:
        return float(largest)
    seem = np.flatnonzero(np.equal(sizes, largest, out=scratch.mask[: len(sizes)]))
    return float(np.abs(elements.a[seem].astype(np.float64) - elements.b[seem]).max())


def _mean(sizes: np.ndarray, largest: float) -> float:
    mean = _total(sizes) / len(sizes)
    return mean if mean < math.inf or largest == math.inf else float((sizes / largest).sum()) / len(sizes) * largest


def _beyond(elements: Elements, sizes: np.ndarray, tolerance: Tolerance) -> int:
    """The number of differences beyond a tolerance; `sizes` are the absolute differences."""
    import numpy as np

    limits = tolerance.atol + tolerance.rtol * np.maximum(
        _sizes(elements.a, elements.parts), _sizes(elements.b, elements.parts)
    )
    endless = ~(np.isfinite(sizes) & np.isfinite(limits))
    beyond = int(np.count_nonzero((sizes > limits) & ~endless))
    return beyond + _beyond_quartered(elements.only(endless), tolerance) if endless.any() else beyond


def _beyond_quartered(elements: Elements, tolerance: Tolerance) -> int:
    """The number of differences beyond a tolerance, where the differences or their limits leave float64.

    All are compared by a quarter of their size, which float64 has.
    """
    import numpy as np

    a, b = elements.a / 4, elements.b / 4
    limits = tolerance.atol / 4 + tolerance.rtol * np.maximum(_sizes(a, elements.parts), _sizes(b, elements.parts))
    return int(np.count_nonzero(_sizes(a - b, elements.parts) > limits))


def _total(values: np.ndarray) -> float:
    """The sum of all values."""
    import numpy as np

    if values.dtype == np.float64:
        return float(values.sum())
    rows, left = _rows(values)
    return float(np.einsum("ij->i", rows).sum(dtype=np.float64) + left.sum(dtype=np.float64))


def _product(a: np.ndarray, b: np.ndarray) -> float:
    """The inner product of two vectors. BLAS would be faster alone, but does not let other threads work."""
    import numpy as np

    if a.dtype == np.float64:
        return float(np.einsum("i,i->", a, b))
    ours, left = _rows(a)
    theirs, right = (ours, left) if b is a else _rows(b)
    total = np.einsum("ij,ij->i", ours, theirs).sum(dtype=np.float64)
    return float(total + np.multiply(left, right, dtype=np.float64).sum() if len(left) else total)


def _rows(values: np.ndarray) -> Pair:
    """The values in rows that float32 can sum, and the values that fill no row."""
    whole = len(values) // _ROW * _ROW
    return values[:whole].reshape(-1, _ROW), values[whole:]


class _Vector(NamedTuple):
    """A vector as `scale` times `values`, whose sum of squares is `square`, well within float64."""

    values: np.ndarray
    scale: float
    square: float

    @classmethod
    def of(cls, values: np.ndarray, square: float) -> _Vector:
        """The vector of these values, whose plain sum of squares is `square`."""
        import numpy as np

        if _LEAST < square < _MOST:
            return cls(values, 1.0, square)
        scale = float(np.abs(values).max())
        if not 0 < scale < math.inf:
            return cls(values, scale, 1.0)
        scaled = values / scale
        return cls(scaled, scale, _product(scaled, scaled))

    @property
    def norm(self) -> float:
        """The Euclidean norm; infinite where it is beyond float64."""
        return self.scale * math.sqrt(self.square)

    def cosine(self, other: _Vector) -> float | None:
        """The cosine of the angle between two vectors; None where a norm is 0 or beyond float64."""
        if not (0 < self.norm < math.inf and 0 < other.norm < math.inf):
            return None
        cosine = _product(self.values, other.values) / (math.sqrt(self.square) * math.sqrt(other.square))
        return max(-1.0, min(1.0, cosine))


def _farthest(elements: Elements, scratch: Scratch) -> int:
    """The largest distance between floats in steps from one to the next.

    The bits of a float are a sign and a magnitude; so the magnitudes of floats of different signs add up.
    """
    import numpy as np

    assert elements.bits is not None
    a, b = elements.bits
    signs = elements.differ if elements.differ.dtype == a.dtype else np.bitwise_xor(a, b)
    across = np.flatnonzero(np.less(signs, 0, out=scratch.mask[: len(a)]))
    steps = np.subtract(a, b, out=scratch.steps.view(a.dtype)[: len(a)])
    steps[across] = 0  # the subtraction may have left the range of the integers there
    farthest = max(int(steps.max()), -int(steps.min()))
    if not len(across):
        return farthest
    unsigned, magnitude = f"u{a.dtype.itemsize}", np.iinfo(a.dtype).max
    one, other = ((side[across] & magnitude).astype(unsigned) for side in (a, b))
    return max(farthest, int((one + other).max()))
