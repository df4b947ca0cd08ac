"""Histograms and magnitudes by output are those of all values at once, however these are cut into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ckpttool.arrays.histograms import MOST_BINS, Histogram, bin_exponent, block_histogram, on_one_grid
from ckpttool.arrays.magnitudes import MOST_CELLS, Magnitudes, output_count
from ckpttool.arrays.statistics import Painter, block_stats

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32, allow_subnormal=False)
VALUES = arrays.arrays(np.float32, st.integers(1, 60), elements=FLOATS)
CUTS = st.lists(st.integers(0, 60), max_size=4)


def of(values: np.ndarray) -> Histogram:
    """The histogram of an array in one piece."""
    return block_histogram(values, float(values.min()), float(values.max())) if len(values) else Histogram()


@given(VALUES)
def test_every_value_is_in_its_bin(values: np.ndarray) -> None:
    """The counts are those of NumPy for the same edges; the first and the last bin are not empty."""
    histogram = of(values)
    edges = (histogram.first + np.arange(len(histogram.counts) + 1)) * histogram.width
    places = np.searchsorted(edges, values.astype(np.float64), side="right") - 1
    assert histogram.counts == tuple(np.bincount(places, minlength=len(histogram.counts)))
    assert 1 <= len(histogram.counts) <= MOST_BINS
    assert histogram.counts[0] and histogram.counts[-1]
    assert histogram.start <= float(values.min()) and float(values.max()) < histogram.stop
    assert histogram.total == len(values)


@given(VALUES, CUTS)
def test_cuts_do_not_matter(values: np.ndarray, cuts: list[int]) -> None:
    """Blocks in any number and any order give the histogram of the whole."""
    parts = [of(part) for part in np.split(values, sorted(cuts))]
    for order in (parts, parts[::-1]):
        whole = Histogram()
        for part in order:
            whole = whole.merged(part)
        assert whole == of(values)


def test_many_values() -> None:
    """A block of more values than are counted at once has them all in their bins."""
    values = np.tile(np.linspace(-1, 1, 1000, dtype=np.float32), 200)
    assert of(values).counts == tuple(200 * count for count in of(values[:1000]).counts)


def test_bins_are_narrow() -> None:
    """Values that spread are seen in more than half of the bins, a narrow range far from 0 included."""
    for low, high in ((-1.0, 1.0), (0.98, 1.02), (-3e-5, 1e-5), (1e30, 3e30), (5.0, 5.001)):
        values = np.linspace(low, high, 10_000, dtype=np.float32)
        assert len(of(values).counts) > MOST_BINS // 2


def test_zeros_and_constants() -> None:
    """A weight of one value has one bin, and zeros do not widen the bins of others."""
    assert of(np.zeros(5, np.float32)).counts == (5,)
    assert of(np.full(5, 0.1, np.float32)).counts == (5,)
    small = np.array([1e-3, 2e-3], np.float32)
    assert of(np.zeros(3, np.float32)).merged(of(small)) == of(np.concatenate([np.zeros(3, np.float32), small]))


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint64", "bool", "complex64"])
def test_other_dtypes(dtype: str) -> None:
    """Every dtype of numbers is counted; complex ones by their absolute value."""
    values = np.array([0, 1, 1, 1], dtype)
    stats = block_stats(values)
    assert stats.minimum is not None and stats.maximum is not None
    histogram = block_histogram(values, stats.minimum, stats.maximum)
    assert (histogram.counts[0], histogram.counts[-1]) == (1, 3)


def test_a_range_beyond_float64() -> None:
    """The largest floats do not overflow."""
    largest = np.finfo(np.float64).max
    values = np.array([-largest, largest])
    assert block_histogram(values, -largest, largest).total in (0, 2)
    assert bin_exponent(-largest, largest) > 0


def test_one_grid() -> None:
    """Two histograms are brought to equal bins, which lose no value."""
    wide, narrow = of(np.linspace(-8, 8, 100, dtype=np.float32)), of(np.linspace(0, 0.01, 50, dtype=np.float32))
    a, b = on_one_grid(wide, narrow)
    assert a.exponent == b.exponent
    assert (a.total, b.total) == (100, 50)
    assert on_one_grid(a, Histogram()) == (a, Histogram())


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(2, 7)), elements=st.floats(-9, 9, width=32)),
    CUTS,
)
def test_magnitudes(values: np.ndarray, cuts: list[int]) -> None:
    """The mean magnitudes are those by column, wherever blocks are cut."""
    sums = Magnitudes(values.shape[1])
    for part in np.split(values.ravel(), sorted(cuts)):
        sums.add(part, all_finite=True)
    assert sums.cells() == pytest.approx(np.abs(values).mean(axis=0), rel=1e-5, abs=1e-6)


def test_magnitudes_near_the_largest_float() -> None:
    """Sums beyond float32 are those of float64, without a warning."""
    sums = Magnitudes(2)
    sums.add(np.array([3e38, 1, 3e38, 1], np.float32), all_finite=True)
    assert sums.cells() == pytest.approx((3e38, 1))


def test_columns_of_kernels() -> None:
    """The outputs of a kernel are its last axis that is longer than 1; what has one axis only is no kernel."""
    shapes = [(3, 3, 4, 8), (3, 3, 5, 1), (10, 2), (7,), (), (1, 9), (0, 3), (2, 1, 1)]
    assert list(map(output_count, shapes)) == [8, 5, 2, 0, 0, 0, 0, 0]


def test_a_picture_of_damaged_values() -> None:
    """NaN and infinities are in no bin and in no sum; many outputs share cells."""
    painter = Painter((2, 100))
    values = np.ones(200, np.float32)
    values[[0, 199]] = np.nan, -np.inf
    painter.add(values, block_stats(values))
    picture = painter.picture()
    assert picture.histogram.counts == (198,)
    assert len(picture.magnitudes) == MOST_CELLS
    assert picture.magnitudes[1] == 1
    assert picture.magnitudes[0] == pytest.approx(2.5 / 3)
