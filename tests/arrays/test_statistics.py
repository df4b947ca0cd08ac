"""Laws of the statistics and checksums of weights."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool import CorruptFileError, Section, Weight
from ckpttool.arrays.statistics import Measurement, Stats, block_stats, measure

FLOATS = st.lists(st.floats(width=32), max_size=60)
FINITE = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)


@dataclass(frozen=True)
class _InMemory:
    """The stored bytes of a weight that is in no file."""

    raw: bytes

    def pieces(self, limit: int) -> Iterator[bytes]:
        for at in range(0, len(self.raw), limit):
            yield self.raw[at : at + limit]


def weight_of(values: np.ndarray, dtype: str = "", big_endian: bool = False) -> Weight:
    """A weight with these values."""
    raw = values.astype(values.dtype.newbyteorder(">" if big_endian else "<")).tobytes()
    name = dtype or values.dtype.name
    return Weight("w", values.shape, name, len(raw), Section.MODEL, big_endian=big_endian, values=_InMemory(raw))


def stats_in_parts(values: np.ndarray, cuts: list[int]) -> Stats:
    """The merged statistics of the pieces between cuts."""
    whole = Stats()
    for part in np.split(values, sorted(cut % (len(values) + 1) for cut in cuts)):
        whole = whole.merged(block_stats(part))
    return whole


def check_equal(stats: Stats, expected: Stats) -> None:
    """Two statistics are equal: counts and extremes exactly, moments as far as float64 goes."""
    for name in ("count", "finite", "nan", "inf", "zeros", "minimum", "maximum"):
        assert getattr(stats, name) == getattr(expected, name)
    scale = max(abs(expected.minimum or 0), abs(expected.maximum or 0))
    assert (stats.mean is None) == (expected.mean is None)
    if expected.mean is not None:
        assert stats.mean == pytest.approx(expected.mean, rel=1e-9, abs=1e-12 * scale)
        assert stats.std == pytest.approx(expected.std, rel=1e-6, abs=1e-7 * scale)


@given(FLOATS, st.lists(st.integers(0, 100), max_size=6))
def test_any_cut_gives_the_same(values: list[float], cuts: list[int]) -> None:
    """Statistics of parts, merged, are those of the whole, wherever it is cut, NaN and infinities included."""
    array = np.array(values, np.float32)
    check_equal(stats_in_parts(array, cuts), block_stats(array))


@given(FLOATS, FLOATS, FLOATS)
def test_merging_is_associative(a: list[float], b: list[float], c: list[float]) -> None:
    """It does not matter which parts are merged first, nor in which order."""
    x, y, z = (block_stats(np.array(part, np.float32)) for part in (a, b, c))
    check_equal(x.merged(y).merged(z), x.merged(y.merged(z)))
    check_equal(x.merged(y), y.merged(x))
    assert x.merged(Stats()) == Stats().merged(x) == x


@given(FINITE)
def test_against_numpy(values: list[float]) -> None:
    """Finite values have the minimum, maximum, mean and standard deviation that NumPy finds in float64."""
    array = np.array(values, np.float32)
    stats, wide = block_stats(array), array.astype(np.float64)
    assert (stats.count, stats.finite, stats.nan, stats.inf) == (len(values), len(values), 0, 0)
    assert (stats.minimum, stats.maximum) == (wide.min(), wide.max())
    assert stats.zeros == int((wide == 0).sum())
    assert stats.mean == pytest.approx(wide.mean(), rel=1e-9, abs=1e-9)
    assert stats.std == pytest.approx(wide.std(), rel=1e-9, abs=1e-6)


def test_nothing() -> None:
    """No values have no minimum, maximum, mean or deviation."""
    assert block_stats(np.empty(0, np.float32)) == Stats()
    assert Stats().std is None


def test_only_nan() -> None:
    """Values of which none is finite are counted, and that is all."""
    stats = block_stats(np.array([np.nan, np.nan, np.inf], np.float32))
    assert stats == Stats(count=3, nan=2, inf=1)
    assert stats.std is None


def test_infinities() -> None:
    """Infinities are counted apart and leave the statistics of the others alone, also where they cancel out."""
    for bad in ([np.inf], [np.inf, -np.inf], [np.nan], [np.nan, -np.inf]):
        stats = block_stats(np.array([1.0, 3.0, 0.0, *bad], np.float64))
        assert (stats.minimum, stats.maximum, stats.zeros, stats.finite) == (0.0, 3.0, 1, 3)
        assert stats.mean == pytest.approx(4 / 3)
        assert stats.nan + stats.inf == len(bad)


def test_float16_sums_do_not_overflow() -> None:
    """float16 is summed in float64: a sum beyond 65,504 is no infinity, and a million small values are not lost."""
    stats = block_stats(np.full(1000, 60_000, np.float16))
    assert (stats.mean, stats.std, stats.inf) == (60_000, 0, 0)
    assert block_stats(np.full(1_000_000, 0.1, np.float16)).mean == pytest.approx(float(np.float16(0.1)), rel=1e-9)


def test_float64_sums_that_overflow() -> None:
    """A sum that leaves float64 does not turn finite values into infinite ones, and raises nothing."""
    stats = block_stats(np.array([1e308, 1e308, -1e308]))
    assert (stats.count, stats.finite, stats.inf, stats.nan) == (3, 3, 0, 0)
    assert (stats.minimum, stats.maximum) == (-1e308, 1e308)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_integers_near_their_limits(dtype: str) -> None:
    """Sums and differences of integers do not wrap round."""
    limits = np.iinfo(dtype)
    stats = block_stats(np.array([limits.min, limits.max, limits.max], dtype))
    assert (stats.minimum, stats.maximum) == (float(limits.min), float(limits.max))
    exact = (int(limits.min) + 2 * int(limits.max)) / 3
    assert stats.mean == pytest.approx(exact, rel=1e-12)
    assert stats.std == pytest.approx((int(limits.max) - int(limits.min)) * math.sqrt(2) / 3, rel=1e-9)
    assert stats.zeros == (1 if limits.min == 0 else 0)


def test_bool() -> None:
    """Truth values count as 0 and 1."""
    stats = block_stats(np.array([True, False, False, False]))
    assert (stats.minimum, stats.maximum, stats.mean, stats.zeros, stats.count) == (0, 1, 0.25, 3, 4)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_counts_by_absolute_value(dtype: str) -> None:
    """Complex values count by their absolute value."""
    stats = block_stats(np.array([3 + 4j, 0, -1j, complex(np.nan, 1), complex(np.inf, 0)], dtype))
    assert (stats.minimum, stats.maximum, stats.zeros, stats.nan, stats.inf) == (0, 5, 1, 1, 1)
    assert stats.mean == pytest.approx(2)


@given(FINITE)
def test_constant_shift(values: list[float]) -> None:
    """The deviation of values far from zero is not lost (no sum of squares is taken)."""
    array = np.array(values, np.float64)
    shifted = stats_in_parts(array + 1e9, [len(values) // 2])
    assert shifted.std == pytest.approx((array + 1e9).std(), rel=1e-6, abs=1e-6)


@given(FLOATS, st.booleans())
def test_checksum_is_of_little_endian_bytes(values: list[float], big_endian: bool) -> None:
    """The checksum does not depend on the byte order of the file: equal content, equal checksum."""
    array = np.array(values, np.float32)
    checksum = measure(weight_of(array, big_endian=big_endian), sha256=True).sha256
    assert checksum == hashlib.sha256(array.astype("<f4").tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_checksum_of_each_width(dtype: str, big_endian: bool) -> None:
    """The checksum swaps bytes within values of every width; halves of complex values apart."""
    array = np.arange(5).astype(dtype)
    measurement = measure(weight_of(array, big_endian=big_endian), sha256=True)
    assert measurement == Measurement(
        sha256=hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()
    )


@pytest.mark.parametrize("big_endian", [False, True])
def test_measured_in_blocks(big_endian: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight of many blocks is measured as a whole, and progress is told of every byte once."""
    monkeypatch.setattr(Weight.stored_blocks, "__defaults__", (1000,))
    array, counts = np.random.default_rng(1).normal(size=(77, 13)).astype(np.float32), list[int]()
    measurement = measure(weight_of(array, big_endian=big_endian), stats=True, sha256=True, progress=counts.append)
    assert measurement.stats is not None
    check_equal(measurement.stats, block_stats(array.ravel()))
    assert measurement.sha256 == hashlib.sha256(array.tobytes()).hexdigest()
    assert len(counts) > 1
    assert sum(counts) == array.nbytes


def test_measuring_nothing_asked() -> None:
    """A figure that was not asked for is None."""
    assert measure(weight_of(np.zeros(3, np.float32))) == Measurement(None, None)


def test_bfloat16_is_measured_by_value_and_checked_as_stored() -> None:
    """Statistics are of the numbers, the checksum of the stored bytes."""
    stored = np.array([0x3F80, 0x4000], np.uint16)  # 1 and 2
    measurement = measure(weight_of(stored, "bfloat16"), stats=True, sha256=True)
    assert measurement.stats is not None
    assert (measurement.stats.minimum, measurement.stats.maximum) == (1, 2)
    assert measurement.sha256 == hashlib.sha256(stored.astype("<u2").tobytes()).hexdigest()


def test_fewer_bytes_than_declared() -> None:
    """A weight whose bytes end early is no shorter array but an error."""
    short = Weight("w", (4,), "float32", 16, Section.MODEL, values=_InMemory(bytes(8)))
    with pytest.raises(CorruptFileError, match="fewer values"):
        short.read()
