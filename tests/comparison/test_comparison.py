"""The numbers of a comparison against a plain computation in extended precision, for every pair of dtypes."""

import itertools
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ckpttool
from ckpttool.arrays import value_pairs
from ckpttool.arrays.elements import Scratch
from ckpttool.arrays.pair_blocks import compared
from ckpttool.arrays.value_pairs import compare
from ckpttool.comparison import Comparison, Tolerance
from ckpttool.io.dtypes import DTYPES
from tests.comparison.plain import (
    EXACT,
    GRIDS,
    Array,
    arrays,
    check,
    expected,
    loss_of,
    needs_range,
    numpy_dtype,
    weight,
)
from tests.speeds import is_full

TOLERANCES = (
    EXACT,
    Tolerance(equal_nan=True),
    Tolerance(rtol=1e-3),
    Tolerance(atol=0.7),
    Tolerance(1e-3, 1e-3, True),
)
SIZES = (0, 1, 5, 64, 203)
SCRATCH = Scratch()


def of(a: Array, b: Array, tolerance: Tolerance = EXACT) -> Comparison:
    """The comparison of two arrays."""
    return compare(weight(a), weight(b), tolerance)


@needs_range
@pytest.mark.parametrize("a", DTYPES)
def test_every_pair_of_dtypes(a: str) -> None:
    """Every number is that of the plain computation, for all pairs of dtypes and any values, both ways round."""
    for at, b in list(enumerate(DTYPES))[list(DTYPES).index(a) :]:
        tolerances = itertools.cycle(TOLERANCES[at % len(TOLERANCES) :] + TOLERANCES)
        for size in SIZES if is_full() else SIZES[at % 2 :: 2]:
            for one, other in arrays(at + size, (a, b), size):
                tolerance = next(tolerances)
                result = of(one, other, tolerance)
                check(result, expected(one, other, tolerance), loss_of(a, b))
                check(of(other, one, tolerance), result.inverted(), 1e-12)


@needs_range
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-200, 1e-40, 1e-30, 1e-18, 1e-10, 1e14, 1e16, 1e30, 1e200, 1e307])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_any_scale(dtype: str, scale: float) -> None:
    """No square that leaves the range of a dtype shows in a norm or a cosine."""
    random = np.random.default_rng(1)
    a, b, noise = (random.uniform(0.5, 1, 1000) for _ in range(3))
    with np.errstate(all="ignore"):
        pairs = [
            (a * scale, b * scale),
            (a * scale, (a + noise * 1e-4) * scale),
            (a * scale, b),
            (a, a + noise * scale),
        ]
        for one, other in (tuple(side.astype(dtype) for side in pair) for pair in pairs):
            check(of(one, other), expected(one, other), loss_of(dtype, dtype))


@pytest.mark.parametrize("dtype", GRIDS)
@pytest.mark.parametrize("size", [1, 2, 65, 1000])
def test_one_step(dtype: str, size: int) -> None:
    """One element that is one step off is seen, wherever it is; not by a tolerance that allows it."""
    step = 2.0 ** -GRIDS[dtype][0]
    a = np.ones(size).astype(numpy_dtype(dtype))
    for at in {0, size // 2, size - 1}:
        b = a.copy()
        b[at] = 1 + step
        result = of(a, b)
        assert (result.changed, result.differing, result.max_ulp, result.max_abs) == (1, 1, 1, step)
        for allowed in (Tolerance(atol=step), Tolerance(rtol=step), Tolerance(rtol=step / (1 + step))):
            assert (of(a, b, allowed).changed, of(a, b, allowed).differing) == (0, 1)
        for less in (Tolerance(atol=step * 0.99), Tolerance(rtol=step * 0.99 / (1 + step))):
            assert of(a, b, less).changed == 1


def test_steps_across_zero() -> None:
    """Both zeros are one number, which still differ bit for bit; across them steps add up."""
    for dtype in GRIDS:
        least = 2.0 ** (GRIDS[dtype][1] - GRIDS[dtype][0])
        zeros, others = (np.array(side).astype(numpy_dtype(dtype)) for side in ([0.0, 0.0], [-0.0, 0.0]))
        result = of(zeros, others)
        assert (result.differing, result.changed, result.max_ulp, result.max_abs) == (1, 1, 0, 0)
        assert of(zeros, others, Tolerance(atol=1e-300)).changed == 0
        above, below = (np.array([count * least]).astype(numpy_dtype(dtype)) for count in (2, -3))
        assert of(above, below).max_ulp == of(below, above).max_ulp == 5


ANY = st.lists(st.sampled_from([0.0, -0.0, 1.0, 1.001, -1.0, 1e6, 1.0001e6, np.inf, -np.inf, np.nan]), max_size=12)


@given(ANY, st.permutations(range(12)), st.sampled_from([0.0, 1e-5, 1e-2, 0.5]), st.sampled_from([1e-8, 0.01, 3.0]))
def test_as_numpy_compares(values: list[float], order: list[int], rtol: float, atol: float) -> None:
    """With a tolerance an element is changed where `np.isclose` says no whichever side comes first."""
    a = np.array(values)
    b = a[[at % len(a) for at in order[: len(a)]]] if len(a) else a
    for equal_nan in (False, True):
        close = [np.isclose(x, y, rtol, atol, equal_nan) for x, y in ((a, b), (b, a))]
        same = a.view("i8") == b.view("i8")  # equal bits are never a change
        assert of(a, b, Tolerance(rtol, atol, equal_nan)).changed == np.count_nonzero(~(close[0] | close[1] | same))


def test_nan_of_other_bits() -> None:
    """NaN equals NaN of the same bits, and any other only where that is asked for."""
    a, b = (np.array([bits, 0x3F800000], "u4").view("f4") for bits in (0x7FC00000, 0xFFC00001))
    assert (of(a, a).changed, of(a, b).changed, of(a, b, Tolerance(atol=1)).changed) == (0, 1, 1)
    result = of(a, b, Tolerance(equal_nan=True))
    assert (result.changed, result.differing, result.nan_gained, result.nan_lost, result.finite) == (0, 1, 0, 0, 1)


def test_whole_numbers_beyond_float64() -> None:
    """64-bit integers that no float64 tells apart are told apart, by size too."""
    for dtype, value in (("int64", 2**63 - 2), ("int64", -(2**63)), ("uint64", 2**64 - 2), ("int64", 2**53)):
        a = np.array([value, 7], dtype)
        result = of(a, a + np.array([1, 0], dtype))
        assert (result.changed, result.max_abs, result.mean_abs, result.norm_difference) == (1, 1, 0.5, 1)
        assert of(a, a + np.array([1, 0], dtype), Tolerance(atol=1)).changed == 0
    ends = of(np.array([2**64 - 1], "uint64"), np.array([-(2**63)], "int64"))
    assert ends.max_abs == 2.0**64 + 2.0**63


@needs_range
@given(st.integers(0, 99), st.sampled_from(sorted(DTYPES)), st.lists(st.integers(0, 150), max_size=6))
def test_merged(seed: int, dtype: str, cuts: list[int]) -> None:
    """Parts merged are the whole, wherever it is cut and in whichever order parts are put together."""
    for a, b in arrays(seed, (dtype, dtype), 150):
        if a.tobytes() == b.tobytes():
            continue
        sides = (np.split(side, sorted(cuts)) for side in (a, b))
        parts = [
            compared(one.tobytes(), other.tobytes(), (dtype, dtype), EXACT, SCRATCH)
            for one, other in zip(*sides, strict=True)
        ]
        merged, backwards = Comparison(), Comparison()
        for part, last in zip(parts, reversed(parts), strict=True):
            merged, backwards = merged.merged(part), last.merged(backwards)
        check(merged, expected(a, b), loss_of(dtype, dtype))
        check(backwards, merged, 1e-12)


def test_merged_with_what_is_the_same() -> None:
    """Of what is the same only the count is known: it weighs in the share, and in no figure over finite elements."""
    a = np.arange(1, 9, dtype="f4")
    part, same = of(a, a * 2), of(a, a)
    assert same == Comparison(8, max_ulp=0)
    for merged in (part.merged(same), same.merged(part)):
        assert merged == replace(part, count=16)
        assert (merged.share, part.share) == (0.5, 1.0)
    assert part.merged(Comparison()) == Comparison().merged(part) == part


def test_norms_beyond_float64() -> None:
    """Norms that leave float64 are infinite, and of no angle; nothing raises."""
    most = np.full(3, 1.7e308)
    result = of(most, -most)
    assert (result.max_abs, result.mean_abs, result.norm_difference, result.relative_l2) == (math.inf,) * 4
    assert (result.norm_a, result.cosine, result.changed) == (math.inf, None, 3)
    assert result.merged(result) == replace(result, count=6, differing=6, changed=6, finite=6)
    assert of(most, -most, Tolerance(rtol=1.9)).changed == 3
    assert of(most, -most, Tolerance(rtol=2)).changed == 0
    half = of(most[:1], most[:1] / 2)
    assert half.merged(half).norm_a == math.inf
    assert (half.norm_a, half.cosine) == (1.7e308, 1)


def test_relative_difference() -> None:
    """0 without a difference, infinite for one from zero, else the norm of the difference over that of `a`."""
    zeros, ones = np.zeros(4), np.ones(4)
    assert [of(*sides).relative_l2 for sides in ((zeros, ones), (ones, zeros), (ones, 3 * ones))] == [math.inf, 1, 2]
    assert of(zeros, -zeros).relative_l2 == Comparison().relative_l2 == Comparison().share == 0
    assert of(zeros, ones).cosine is None


@pytest.mark.parametrize("wrong", [-1e-9, math.inf, math.nan])
def test_impossible_tolerances(wrong: float) -> None:
    """A tolerance is finite and not below 0."""
    for both in ((wrong, 0.0), (0.0, wrong)):
        with pytest.raises(ValueError, match="finite"):
            Tolerance(*both)


BLOCK, RUN = 1 << 8, 1 << 12  # elements; the real ones are 256 times as many
EDGES = [1, BLOCK - 1, BLOCK, BLOCK + 1, RUN - 1, RUN, RUN + 1, 2 * RUN + BLOCK + 20]


@needs_range
@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float16", "float64")], ids="-".join)
def test_blocks_and_threads(size: int, dtypes: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The cuts of values and the number of threads change no count, and sums by their rounding alone."""
    monkeypatch.setattr(value_pairs, "_RUN", RUN)
    monkeypatch.setattr(value_pairs, "block_size", lambda *_: BLOCK)
    check_cuts(size, dtypes, monkeypatch)


@needs_range
def test_blocks_and_threads_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the sizes of blocks and runs that are in use."""
    check_cuts((2 << 20) + 70_000, ("float16", "float64"), monkeypatch)


def check_cuts(size: int, dtypes: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread finds what several do, which is what a plain computation gives."""
    random = np.random.default_rng(size)
    a = random.normal(size=size).astype(dtypes[0])
    b = a.astype(dtypes[1])
    for at in {0, size // 2, size - 1}:  # whole blocks are the same, too
        b[at] += 1
    result = of(a, b)
    check(result, expected(a, b), 1e-6)
    monkeypatch.setattr(value_pairs, "_threads", lambda: 1)
    assert of(a, b) == result


@pytest.mark.parametrize("storage", [{}, {"chunks": (50_000,)}, {"chunks": (50_000,), "compression": "gzip"}], ids=str)
@pytest.mark.parametrize("order", "<>")
def test_storages(storage: dict[str, Any], order: str, tmp_path: Path) -> None:
    """Chunks, compression and byte order change nothing."""
    random = np.random.default_rng(0)
    a = random.normal(size=140_000).astype("f4")
    b = np.where(random.random(140_000) < 0.3, a, random.normal(size=140_000)).astype("f4")
    for name, array, how in (("a", a, {}), ("b", b.astype(f"{order}f4"), storage)):
        with h5py.File(tmp_path / f"{name}.weights.h5", "w") as file:
            file.create_dataset("layers/dense/vars/0", data=array, **how)
    with ckpttool.open(tmp_path / "a.weights.h5") as one, ckpttool.open(tmp_path / "b.weights.h5") as other:
        path = "layers/dense/vars/0"
        assert compare(one[path], other[path], EXACT) == of(a, b)
        assert compare(other[path], other[path], EXACT) == Comparison(140_000, max_ulp=0)


_PEAK = """
import re, sys
from ckpttool.cli import main
try:
    main(["diff", "-q", *sys.argv[1:]])
except SystemExit as end:
    print(end.code, *re.findall(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs what Linux tells of a process")
def test_memory(tmp_path: Path) -> None:
    """Files of any size are compared in bounded memory: 120 MB, for a pair of 300 MB each."""
    for name, fill in (("a", 1.0), ("b", 1.5)):
        with h5py.File(tmp_path / f"{name}.weights.h5", "w") as file:
            data = file.create_dataset("layers/dense/vars/0", (75_000_000,), "f4")
            for start in range(0, 75_000_000, 5_000_000):
                data[start : start + 5_000_000] = fill
    paths = [str(tmp_path / f"{name}.weights.h5") for name in "ab"]
    done = subprocess.run([sys.executable, "-c", _PEAK, *paths], capture_output=True, text=True, check=True)
    code, peak = map(int, done.stdout.split())
    assert code == 1
    assert peak * 1024 < 120_000_000
