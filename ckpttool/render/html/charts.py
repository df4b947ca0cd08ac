"""Charts as paths of SVG, made of numbers alone: histograms, two of them over each other, strips of magnitudes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ckpttool.arrays.histograms import Histogram, on_one_grid
from ckpttool.arrays.statistics import Picture, Stats
from ckpttool.render.style import number

HEIGHT = 30
_LEVELS = 7
_MANY_ZEROS = 0.2  # the share from which on zeros would leave no room for the other values


@dataclass(frozen=True, slots=True)
class Path:
    """One path of a chart: its shape, its style class, and its key where another place shows it again."""

    d: str
    kind: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A histogram: its paths within `bins` by `height`, the ends of its axis, and a sentence for those who listen."""

    bins: int
    paths: tuple[Path, ...]
    low: str
    high: str
    label: str
    height: int = HEIGHT
    key: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """The magnitudes of a kernel by output, one cell each."""

    cells: int
    paths: tuple[Path, ...]
    label: str


def histogram(picture: Picture, stats: Stats | None, key: str) -> Chart | None:
    """The histogram of one weight; None where it has no finite value.

    Where a fifth of the values or more is exactly 0, these are drawn as a bar of their own that is cut off.
    """
    values = picture.histogram
    if not values.counts:
        return None
    counts, paths = list(values.counts), []
    zeros = stats.zeros if stats is not None and stats.finite and stats.zeros / stats.finite >= _MANY_ZEROS else 0
    zero_bin = -values.first
    if zeros and 0 <= zero_bin < len(counts):
        counts[zero_bin] = max(0, counts[zero_bin] - zeros)
        paths.append(Path(f"M{zero_bin} 0h1v{HEIGHT}h-1z", "zeros"))
    paths.append(Path(_area(counts, max(counts)), "", key))
    if 0 < zero_bin < len(counts):
        paths.append(Path(f"M{zero_bin} 0v{HEIGHT}", "zero"))
    peak = values.counts.index(max(values.counts))
    low, high, middle = number(values.start), number(values.stop), number(_middle(values, peak))
    label = f"histogram from {low} to {high}, highest near {middle}"
    return Chart(len(counts), tuple(paths), low, high, label, key=key)


def overlay(a: Histogram, b: Histogram) -> Chart | None:
    """Two histograms over each other; None where one has no finite value."""
    if not (a.counts and b.counts):
        return None
    ours, theirs = on_one_grid(a, b)
    first = min(ours.first, theirs.first)
    bins = max(ours.first + len(ours.counts), theirs.first + len(theirs.counts)) - first
    padded = [_padded(histogram, first, bins) for histogram in (ours, theirs)]
    top = max(map(max, padded))
    paths = [Path(_area(counts, top), kind) for counts, kind in zip(padded, ("of-a", "of-b"), strict=True)]
    if 0 < -first < bins:
        paths.append(Path(f"M{-first} 0v{HEIGHT}", "zero"))
    low, high = number(first * ours.width), number((first + bins) * ours.width)
    return Chart(bins, tuple(paths), low, high, f"histograms of a and b from {low} to {high}")


def strip(magnitudes: Sequence[float], outputs: int) -> Strip | None:
    """The mean magnitudes of the outputs of a kernel, relative to the largest; None where there are none but zeros."""
    largest = max(magnitudes, default=0.0)
    if not largest:
        return None
    levels = [round(_LEVELS * value / largest) for value in magnitudes]
    paths = [Path(d, f"s{level}") for level, d in _runs(levels).items() if level]
    least = min(magnitudes)
    label = f"mean magnitude of {outputs:,} outputs, from {number(least)} to {number(largest)}"
    return Strip(len(levels), tuple(paths), label)


def _runs(levels: Sequence[int]) -> dict[int, str]:
    """The runs of cells of equal level as a path for each level."""
    paths, at = dict[int, str](), 0
    for level, run in groupby(levels):
        length = len(list(run))
        paths[level] = paths.get(level, "") + f"M{at} .5h{length}"
        at += length
    return dict(sorted(paths.items()))


def _padded(values: Histogram, first: int, bins: int) -> list[int]:
    before = values.first - first
    return [0] * before + list(values.counts) + [0] * (bins - before - len(values.counts))


def _middle(values: Histogram, number_of_bin: int) -> float:
    return (values.first + number_of_bin + 0.5) * values.width


def _area(counts: Sequence[int], top: int) -> str:
    """The outline of bars, the highest possible one `top`; a bar with any value at all is seen."""
    return f"M0 {HEIGHT}{''.join(_steps(counts, top))}V{HEIGHT}z"


def _steps(counts: Sequence[int], top: int) -> Iterator[str]:
    heights = [max(1, round(HEIGHT * count / top)) if count else 0 for count in counts]
    for height, run in groupby(heights):
        yield f"V{HEIGHT - height}h{len(list(run))}"
