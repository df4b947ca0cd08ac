"""The middle of each node where alignments over the whole height make a graph lean: row by row.

Each row in turn is put where its nodes are as near to their neighbours as the room between them lets them be: at the
medians, in their order (isotonic regression by pooling adjacent violators), from the top down and back up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from ckpttool.render.graph.layout.rows import Rows

_SWEEPS = 6
_MAX_VISITS = 120_000  # of nodes, in all sweeps
_PULL = (2, 4, 16)  # of an edge between nodes, to a bend, between two bends: a long line is straight before all others
_Wish = tuple[float, int]  # a place, and how much it counts


def columns_by_row(rows: Rows, gap: Callable[[int, int], float]) -> list[float]:
    """The middle of each node, bends included; a row that no sweep reaches has its middle at 0."""
    middles = [0.0] * len(rows.row_of)
    offsets = [list(accumulate((gap(*pair) for pair in pairwise(row)), initial=0.0)) for row in rows.rows]
    for row, places in zip(rows.rows, offsets, strict=True):
        for node, place in zip(row, places, strict=False):
            middles[node] = place - places[-1] / 2
    for sweep in range(min(_SWEEPS, _MAX_VISITS // max(1, len(middles)))):
        down = sweep % 2 == 0
        before, after = (rows.above, rows.below) if down else (rows.below, rows.above)
        for row, places in list(zip(rows.rows, offsets, strict=True))[:: 1 if down else -1]:
            wishes = [_wishes(rows, node, middles, before, after) for node in row]
            for node, middle in zip(row, _in_order(wishes, places), strict=True):
                middles[node] = middle
    return middles


def _wishes(
    rows: Rows,
    node: int,
    middles: Sequence[float],
    before: Sequence[Sequence[int]],
    after: Sequence[Sequence[int]],
) -> list[_Wish]:
    """The places of the neighbours of a node; those in the row that was put in place before count twice."""
    pulls = [(other, 2) for other in before[node]] + [(other, 1) for other in after[node]]
    bends = rows.is_bend(node)
    return [(middles[other], times * _PULL[bends + rows.is_bend(other)]) for other, times in pulls] or [
        (middles[node], 1)
    ]


def _in_order(wishes: Sequence[Sequence[_Wish]], offsets: Sequence[float]) -> list[float]:
    """The places nearest to what each node wishes for, with the room of `offsets` between neighbours at least."""
    groups: list[tuple[float, list[_Wish], int]] = []
    for of_node, offset in zip(wishes, offsets, strict=False):
        group, count = [(place - offset, times) for place, times in of_node], 1
        middle = _median(group)
        while groups and groups[-1][0] >= middle:
            _, left, number = groups.pop()
            group, count = left + group, count + number
            middle = _median(group)
        groups.append((middle, group, count))
    starts = [middle for middle, _, count in groups for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=False)]


def _median(wishes: list[_Wish]) -> float:
    """The weighted median; the list is sorted in place."""
    wishes.sort()
    half, passed = sum(times for _, times in wishes) / 2, 0
    for place, times in wishes:
        passed += times
        if passed >= half:
            return place
    return 0.0
