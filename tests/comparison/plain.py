"""The figures of a comparison, computed plainly: whole arrays, extended precision, no block and no bits of floats."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from ckpttool.checkpoint import Section, Weight
from ckpttool.comparison import Comparison, Tolerance
from ckpttool.io.dtypes import DTYPES
from tests.comparison.checkpoints import Memory

Array = np.ndarray[Any, Any]

WIDTHS = {"float8_e4m3fn": 1, "float8_e5m2": 1, "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
# dtype -> (bits of the fraction, exponent of the least normal number), IEEE 754 and OCP 8-bit floating point 1.0
GRIDS = {
    "float8_e4m3fn": (3, -6), "float8_e5m2": (2, -14), "float16": (10, -14), "bfloat16": (7, -126),
    "float32": (23, -126), "float64": (52, -1022),
}  # fmt: skip
EXACT = Tolerance()

needs_range = pytest.mark.skipif(np.finfo(np.longdouble).maxexp <= 1024, reason="long double is no wider than double")


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The dtype of a name, those that NumPy does not have from ml_dtypes."""
    return np.dtype(getattr(ml_dtypes, name) if name.startswith(("bfloat", "float8")) else name)


def weight(array: Array, big_endian: bool = False) -> Weight:
    """A weight in memory with these values."""
    if big_endian:  # ml_dtypes have no byte order of their own
        item = array.dtype.itemsize // (2 if array.dtype.kind == "c" else 1)
        raw = np.ascontiguousarray(array).reshape(-1).view(f"u{item}").byteswap().tobytes()
    else:
        raw = array.tobytes()
    return Weight("w", array.shape, array.dtype.name, len(raw), Section.MODEL, big_endian=big_endian,
                  values=Memory(raw))  # fmt: skip


def expected(a: Array, b: Array, tolerance: Tolerance = EXACT) -> Comparison:
    """The comparison of two arrays."""
    with np.errstate(all="ignore"):
        return _expected(a.reshape(-1), b.reshape(-1), tolerance)


def _expected(a: Array, b: Array, tolerance: Tolerance) -> Comparison:
    x, y = _wide(a), _wide(b)
    differ = _differ(a, b, x, y)
    steps = a.dtype.name in GRIDS and b.dtype.name in GRIDS
    if not differ.any():
        return Comparison(a.size, max_ulp=0 if steps and a.size else None)
    inf_a, inf_b = (np.isinf(side).any(axis=1) for side in (x, y))
    nan_a, nan_b = (np.isnan(side).any(axis=1) & ~inf for side, inf in ((x, inf_a), (y, inf_b)))
    finite = ~(inf_a | inf_b | nan_a | nan_b)
    u, v = x[finite], y[finite]
    sizes = _length(u - v)
    limits = tolerance.atol + np.longdouble(tolerance.rtol) * np.maximum(_length(u), _length(v))
    changed = differ & ~(nan_a & nan_b & tolerance.equal_nan)
    changed[finite] &= True if tolerance.exact else sizes > limits
    largest = float(sizes.max(initial=0))
    one, other, difference = (float(np.sqrt(np.square(side).sum())) for side in (u, v, u - v))
    is_finite = 0 < one < np.inf and 0 < other < np.inf
    return Comparison(
        a.size,
        int(differ.sum()),
        int(changed.sum()),
        int(finite.sum()),
        largest,
        (float(sizes.mean()) if largest < np.inf else np.inf) if len(sizes) else 0.0,
        one,
        other,
        difference,
        float((u * v).sum() / (np.sqrt(np.square(u).sum()) * np.sqrt(np.square(v).sum()))) if is_finite else None,
        _farthest(u[:, 0], v[:, 0], _grid(a.dtype.name, b.dtype.name)) if steps else None,
        int((nan_b & ~nan_a).sum()),
        int((nan_a & ~nan_b).sum()),
        int((inf_b & ~inf_a).sum()),
        int((inf_a & ~inf_b).sum()),
    )


def _wide(array: Array) -> Array:
    """The real and the imaginary part of each element."""
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=1).astype(np.longdouble)
    whole = array.astype(np.float64) if array.dtype.name in GRIDS else array
    return np.stack([whole.astype(np.longdouble), np.zeros(len(array), np.longdouble)], axis=1)


def _length(parts: Array) -> Array:
    lengths: Array = np.sqrt(np.square(parts).sum(axis=1))
    return np.where(parts[:, 1] == 0, np.abs(parts[:, 0]), lengths)


def _differ(a: Array, b: Array, x: Array, y: Array) -> Array:
    """A mask of the elements that have other bits, or, of two dtypes, are another number, zero of another sign
    included."""
    if a.dtype == b.dtype:
        one, other = (side.view("u1").reshape(len(side), side.dtype.itemsize) for side in (a, b))
        return np.asarray((one != other).any(axis=1))
    same = ((x == y) & (np.signbit(x) == np.signbit(y))) | (np.isnan(x) & np.isnan(y))
    return np.asarray(~same.all(axis=1))


def _grid(a: str, b: str) -> tuple[int, int]:
    """The numbers among which steps are counted: those of the wider dtype, of two of one width those of float32."""
    if a != b and WIDTHS[a] == WIDTHS[b]:
        return GRIDS["float32"]
    return GRIDS[max(a, b, key=WIDTHS.__getitem__)]


def _farthest(u: Array, v: Array, grid: tuple[int, int]) -> int:
    ranks = ([int(rank) for rank in _ranks(side, grid)] for side in (u, v))
    return max((abs(one - other) for one, other in zip(*ranks, strict=True)), default=0)


def _ranks(values: Array, grid: tuple[int, int]) -> Array:
    """The how manieth number from zero each value is, by its exponent and what is left of it."""
    digits, least = grid
    exponents = np.maximum(np.frexp(values)[1] - 1, least)
    ranks = (exponents - least).astype(np.int64) * 2**digits + np.ldexp(np.abs(values), digits - exponents)
    return np.asarray(np.sign(values) * ranks)


def check(comparison: Comparison, wanted: Comparison, loss: float = 1e-12) -> None:
    """Counts, steps and the largest difference agree; sums do but for a relative `loss`."""
    for field in fields(Comparison):
        one, other = getattr(comparison, field.name), getattr(wanted, field.name)
        if one == other:
            continue
        assert isinstance(other, float), f"{field.name}: {comparison} instead of {wanted}"
        rel, least = (0.0, loss) if field.name == "cosine" else (loss, 1e-322)
        near = pytest.approx(other, rel=1e-15 if field.name == "max_abs" else rel, abs=least)
        assert one == near, f"{field.name}: {comparison} instead of {wanted}"


def loss_of(a: str, b: str) -> float:
    """The error that sums over values of these dtypes may have: those of narrow floats are begun in float32."""
    return 1e-6 if {a, b} <= GRIDS.keys() - {"float64"} else 1e-12


def arrays(seed: int, dtypes: tuple[str, str], size: int) -> Iterator[tuple[Array, Array]]:
    """Pairs of arrays of two dtypes: plain numbers, any bits, odd numbers; unrelated, and one made from the other."""
    random = np.random.default_rng(seed)
    for make in (_plain, _bits, _odd):
        with np.errstate(all="ignore"):  # what no integer holds may become any
            a, b = (make(random, numpy_dtype(name), size) for name in dtypes)
            near = _nudged(random, a.copy()) if dtypes[0] == dtypes[1] else _cast(a, b)
        for other in (b, near):
            yield (a, other) if dtypes[0] == dtypes[1] else (_one_nan(a), _one_nan(other))


def _plain(random: np.random.Generator, dtype: np.dtype[Any], size: int) -> Array:
    values = random.normal(size=size) * 10
    return _as(values + 1j * random.normal(size=size) if dtype.kind == "c" else values, dtype)


def _bits(random: np.random.Generator, dtype: np.dtype[Any], size: int) -> Array:
    raw = random.integers(0, 2 if dtype.kind == "b" else 256, size * dtype.itemsize, dtype="u1")
    return raw.view(dtype)


def _odd(random: np.random.Generator, dtype: np.dtype[Any], size: int) -> Array:
    """Zeros of both signs, the least and the greatest numbers, infinities, NaN."""
    if dtype.kind in "iub":
        ends = np.iinfo("u1" if dtype.kind == "b" else dtype)
        return random.choice(np.array([ends.min, ends.max, ends.max - 1, 0, 1]).astype(dtype), size)
    parts, real = (2, np.dtype(f"f{dtype.itemsize // 2}")) if dtype.kind == "c" else (1, dtype)
    limits = ml_dtypes.finfo(real)  # type: ignore[no-untyped-call]
    least, most = float(limits.smallest_subnormal), float(limits.max)
    odd = np.array([0.0, -0.0, 1, -1, least, -3 * least, most, -most, np.inf, -np.inf, np.nan])
    return _as(odd[random.integers(0, len(odd), size * parts)], real).view(dtype)


def _nudged(random: np.random.Generator, values: Array) -> Array:
    """The values with some elements a few bits off, which may make them anything."""
    raw = values.view(f"u{min(values.dtype.itemsize, 8)}")
    at = random.integers(0, max(len(raw), 1), len(raw) // 5 + bool(len(raw)))
    raw[at] ^= np.array(random.integers(1, 4, len(at)) if values.dtype.kind != "b" else 1, raw.dtype)
    return values


def _cast(values: Array, other: Array) -> Array:
    """The values in the dtype of another array, of which some are kept."""
    other_values = _as(values, other.dtype)
    other_values[::7] = other[::7]
    return other_values


def _as(values: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(all="ignore"):
        values = values.real if values.dtype.kind == "c" and dtype.kind != "c" else values
        return values.astype(np.float64 if values.dtype.name in GRIDS else values.dtype).astype(dtype)


def _one_nan(values: Array) -> Array:
    """The values with only one kind of NaN: dtypes have other bits of them."""
    values = values.copy()
    for part in (values.real, values.imag) if values.dtype.kind == "c" else (values,):
        if part.dtype.kind not in "iub":
            with np.errstate(all="ignore"):  # NaN that signal
                part[np.isnan(part.astype(np.float64))] = np.nan
    return values


assert set(GRIDS) == {name for name in DTYPES if "float" in name}
