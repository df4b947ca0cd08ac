"""Histograms as a row of bars of text, for terminals that take Unicode."""

from collections.abc import Sequence

from ckpttool.arrays.histograms import Histogram, on_one_grid

_BARS = "▁▂▃▄▅▆▇█"
_PLACES = 12
_PLACES_OF_TWO = 8


def sparkline(histogram: Histogram) -> str:
    """A histogram in twelve places or fewer; a place without values is blank, any value at all is seen."""
    return _drawn(_gathered(histogram.counts, _PLACES)) if histogram.counts else ""


def two_sparklines(a: Histogram, b: Histogram) -> tuple[str, str]:
    """Two histograms in the same places, from the least to the largest value of both."""
    if not (a.counts and b.counts):
        return "", ""
    ours, theirs = on_one_grid(a, b)
    first = min(ours.first, theirs.first)
    bins = max(one.first + len(one.counts) for one in (ours, theirs)) - first
    padded = ((0,) * (one.first - first) + one.counts for one in (ours, theirs))
    one, other = (_drawn(_gathered(side + (0,) * (bins - len(side)), _PLACES_OF_TWO)) for side in padded)
    return one, other


def _gathered(counts: Sequence[int], places: int) -> list[int]:
    """The counts in so many places at most, each of equally many bins but the last."""
    step = -(-len(counts) // places)
    return [sum(counts[at : at + step]) for at in range(0, len(counts), step)]


def _drawn(counts: Sequence[int]) -> str:
    top = max(counts)
    return "".join(_BARS[max(0, round(8 * count / top) - 1)] if count else " " for count in counts)
