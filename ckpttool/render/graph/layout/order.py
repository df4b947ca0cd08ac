"""The order of nodes within rows: sweeps by barycentre, down and up, and the one with the fewest crossings."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ckpttool.render.graph.layout.rows import Rows

_SWEEPS = 8
_TIRED = 4  # sweeps without fewer crossings


def put_in_order(rows: Rows) -> None:
    """Put the nodes of each row in an order with few crossings."""
    _begin(rows)
    best, fewest = [list(row) for row in rows.rows], crossings(rows)
    without = 0
    for sweep in range(_SWEEPS):
        if not fewest or without == _TIRED:
            break
        _sweep(rows, down=sweep % 2 == 0)
        count = crossings(rows)
        without += 1
        if count < fewest:
            best, fewest, without = [list(row) for row in rows.rows], count, 0
    rows.rows = best


def _begin(rows: Rows) -> None:
    """Put the nodes in the order in which they are reached from the top, neighbours together."""
    places: dict[int, int] = {}
    stack = [node for row in reversed(rows.rows) for node in reversed(row)]
    while stack:
        node = stack.pop()
        if node not in places:
            places[node] = len(places)
            stack += reversed(rows.below[node])
    for row in rows.rows:
        row.sort(key=places.__getitem__)


def _sweep(rows: Rows, down: bool) -> None:
    """Sort each row by the mean place of the neighbours in the row before it; a node without any stays in its place."""
    place = [0] * len(rows.row_of)
    neighbours = rows.above if down else rows.below
    for row in rows.rows if down else reversed(rows.rows):
        if len(row) > 1:
            keys = {node: _mean(place, neighbours[node], at) for at, node in enumerate(row)}
            row.sort(key=keys.__getitem__)
        for at, node in enumerate(row):
            place[node] = at


def _mean(place: Sequence[int], neighbours: Sequence[int], at: int) -> float:
    return sum(place[node] for node in neighbours) / len(neighbours) if neighbours else at


def crossings(rows: Rows) -> int:
    """The number of crossings between all rows."""
    place = [0] * len(rows.row_of)
    for row in rows.rows:
        for at, node in enumerate(row):
            place[node] = at
    return sum(
        _between([sorted(place[lower] for lower in rows.below[node]) for node in row])
        for row in rows.rows
        if len(row) > 1
    )


def _between(targets: Sequence[Sequence[int]]) -> int:
    """The number of crossings below one row, given the places of the neighbours of each of its nodes in order."""
    count, passed = 0, list[int]()
    for places in targets:
        count += sum(len(passed) - bisect_left(passed, place + 1) for place in places)
        for place in places:
            passed.insert(bisect_left(passed, place), place)
    return count
