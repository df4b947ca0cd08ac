"""The middle of each node from left to right, so that edges are as straight as they can be.

Four alignments, each of which puts nodes below one another with a median neighbour, above or below, left or right, are
made narrow; a node's place is the mean of the two middle ones (Brandes and Köpf, "Fast and Simple Horizontal
Coordinate Assignment", 2001). The parts of long edges keep their line before all others. Where many cells with skips
follow one another, blocks push each other aside from cell to cell: a graph that gets far wider by that than its widest
row is put in place row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from ckpttool.render.graph.layout.medians import columns_by_row
from ckpttool.render.graph.layout.rows import Rows

_LEANING = 2.0  # times the widest row
_MAX_IN_ROW = 300  # nodes in a row of a graph that is put in place row by row, whose work grows with their square

Gap = Callable[[int, int], float]
"""The distance of the middles of two neighbours in a row, at least."""


def columns_of(rows: Rows, gap: Gap) -> list[float]:
    """The middle of each node, bends included."""
    conflicts = _conflicts(rows)
    alignments = []
    for downward in (True, False):
        layers = rows.rows if downward else rows.rows[::-1]
        neighbours = rows.above if downward else rows.below
        for leftward in (True, False):
            turned = layers if leftward else [row[::-1] for row in layers]
            roots = _aligned(len(rows.row_of), turned, neighbours, conflicts)
            middles = _narrow(roots, turned, gap)
            alignments.append(middles if leftward else [-x for x in middles])
    middles = _balanced(alignments)
    widest = max((sum(gap(*pair) for pair in pairwise(row)) for row in rows.rows), default=0.0)
    leans = max(middles, default=0.0) - min(middles, default=0.0) > _LEANING * widest
    return columns_by_row(rows, gap) if leans and max(map(len, rows.rows)) <= _MAX_IN_ROW else middles


def _conflicts(rows: Rows) -> set[tuple[int, int]]:
    """The pairs of neighbours whose edge crosses a part of a long edge between two bends."""
    conflicts = set[tuple[int, int]]()
    place = [0] * len(rows.row_of)
    for row in rows.rows:
        for at, node in enumerate(row):
            place[node] = at
    for upper, lower in pairwise(rows.rows):
        start, low = 0, 0
        for at, node in enumerate(lower):
            inner = (
                next((neighbour for neighbour in rows.above[node] if rows.is_bend(neighbour)), None)
                if rows.is_bend(node)
                else None
            )
            if inner is None and at < len(lower) - 1:
                continue
            high = len(upper) - 1 if inner is None else place[inner]
            for neighbour in lower[start : at + 1]:
                conflicts.update(
                    (other, neighbour) for other in rows.above[neighbour] if not low <= place[other] <= high
                )
            start, low = at + 1, high
    return conflicts


def _aligned(
    size: int, layers: Sequence[Sequence[int]], neighbours: Sequence[Sequence[int]], conflicts: set[tuple[int, int]]
) -> list[int]:
    """The first node of the block that each node is in: nodes of a block are below one another."""
    roots, ends, place = list(range(size)), list(range(size)), [0] * size
    for row in layers:
        for at, node in enumerate(row):
            place[node] = at
    for row in layers:
        right = -1
        for node in row:
            near = sorted(neighbours[node], key=place.__getitem__)
            for other in near[(len(near) - 1) // 2 : len(near) // 2 + 1]:
                if ends[node] != node or place[other] <= right:
                    continue
                if (other, node) in conflicts or (node, other) in conflicts:
                    continue
                ends[other], roots[node] = node, roots[other]
                ends[node] = roots[node]
                right = place[other]
    return roots


def _narrow(roots: Sequence[int], layers: Sequence[Sequence[int]], gap: Gap) -> list[float]:
    """The middles of nodes, blocks as far to the left as they can be, then as near to their right neighbours."""
    after: dict[int, dict[int, float]] = {}
    before: dict[int, dict[int, float]] = {}
    for row in layers:
        for left, right in pairwise(row):
            a, b, least = roots[left], roots[right], gap(left, right)
            if least > after.setdefault(a, {}).get(b, 0.0):
                after[a][b] = least
                before.setdefault(b, {})[a] = least
    order = _sorted_blocks(dict.fromkeys(roots), before, after)
    middles = dict.fromkeys(order, 0.0)
    for block in order:
        middles[block] = max(
            (middles[neighbour] + least for neighbour, least in before.get(block, {}).items()), default=0.0
        )
    for block in reversed(order):
        room = min(
            (middles[neighbour] - least for neighbour, least in after.get(block, {}).items()), default=middles[block]
        )
        middles[block] = max(middles[block], room)
    return [middles[root] for root in roots]


def _sorted_blocks(
    blocks: Sequence[int] | dict[int, None], before: dict[int, dict[int, float]], after: dict[int, dict[int, float]]
) -> list[int]:
    """The blocks from left to right."""
    waiting = {block: len(before.get(block, {})) for block in blocks}
    ready = [block for block in blocks if not waiting[block]]
    for block in ready:
        for neighbour in after.get(block, {}):
            waiting[neighbour] -= 1
            if not waiting[neighbour]:
                ready.append(neighbour)
    return ready


def _balanced(alignments: Sequence[Sequence[float]]) -> list[float]:
    """The mean of the two middle ones of four places; all four are moved to the edges of the narrowest first."""
    widths = [max(middles, default=0.0) - min(middles, default=0.0) for middles in alignments]
    narrowest = alignments[widths.index(min(widths))]
    left, right = min(narrowest, default=0.0), max(narrowest, default=0.0)
    moved = []
    for at, middles in enumerate(alignments):
        by = left - min(middles, default=0.0) if at % 2 == 0 else right - max(middles, default=0.0)
        moved.append([x + by for x in middles])
    return [sum(sorted(places)[1:3]) / 2 for places in zip(*moved, strict=True)]
