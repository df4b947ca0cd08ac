"""Rows of nodes: every edge leads down, and one over several rows has a bend in each row between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ckpttool.errors import UnsupportedError

MAX_BENDS = 100_000
_WIDE = 12  # nodes in a row that stays one
_NARROW = 8  # nodes in each of the rows that a wider one becomes
_MAX_PARTS = 8


@dataclass(slots=True)
class Rows:
    """The nodes of a graph in rows. Nodes from `size` on are bends of long edges.

    `chains` has for each edge the nodes from its upper end down to its lower end. `above` and `below` have the
    neighbours of each node in the rows before and after its own, `reversed` the edges that lead up in the picture.
    """

    size: int
    row_of: list[int]
    rows: list[list[int]]
    chains: list[list[int]]
    reversed: set[int] = field(default_factory=set)
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)

    def is_bend(self, node: int) -> bool:
        """Whether a node is a bend of an edge."""
        return node >= self.size


def rows_of(size: int, edges: Sequence[tuple[int, int]], first: frozenset[int], last: frozenset[int]) -> Rows:
    """The rows of `size` nodes; those in `first` are in the first row, those in `last` in the last one.

    No edge may lead from a node to itself. Raises UnsupportedError where edges over many rows need too many bends.
    """
    order, backward = _order(size, edges)
    down = [edge[::-1] if at in backward else edge for at, edge in enumerate(edges)]
    row_of = _wrapped(_longest_paths(order, down, first, last), down, first | last)
    rows: list[list[int]] = [[] for _ in range(max(row_of, default=-1) + 1)]
    for node in range(size):
        rows[row_of[node]].append(node)
    result = Rows(size, row_of, rows, [], backward)
    for upper, lower in down:
        result.chains.append(_chain(result, upper, lower))
    result.above = [[] for _ in result.row_of]
    result.below = [[] for _ in result.row_of]
    for chain in result.chains:
        for upper, lower in pairwise(chain):
            result.below[upper].append(lower)
            result.above[lower].append(upper)
    return result


def _order(size: int, edges: Sequence[tuple[int, int]]) -> tuple[list[int], set[int]]:
    """The nodes, each after those that lead to it, and the edges that would make a circle and so lead backward."""
    leaving: list[list[tuple[int, int]]] = [[] for _ in range(size)]
    has_source = [False] * size
    for at, (source, target) in enumerate(edges):
        leaving[source].append((at, target))
        has_source[target] = True
    state, finished, backward = [0] * size, [], set[int]()
    roots = sorted(range(size), key=lambda node: has_source[node])
    for root in roots:
        stack = [(root, 0)] if not state[root] else []
        while stack:
            node, at = stack.pop()
            state[node] = 1
            if at == len(leaving[node]):
                state[node] = 2
                finished.append(node)
                continue
            stack.append((node, at + 1))
            edge, target = leaving[node][at]
            if state[target] == 1:
                backward.add(edge)
            elif state[target] == 0:
                stack.append((target, 0))
    return finished[::-1], backward


def _longest_paths(
    order: Sequence[int], edges: Sequence[tuple[int, int]], first: frozenset[int], last: frozenset[int]
) -> list[int]:
    """The row of each node: below all nodes that lead to it; a node that none leads to is right above the others."""
    below: list[list[int]] = [[] for _ in order]
    sources = [0] * len(order)
    for upper, lower in edges:
        below[upper].append(lower)
        sources[lower] += 1
    row_of = [0] * len(order)
    for node in order:
        for lower in below[node]:
            row_of[lower] = max(row_of[lower], row_of[node] + 1)
    for node in order:
        if not sources[node] and below[node] and node not in first:
            row_of[node] = min(row_of[lower] for lower in below[node]) - 1
    bottom = max((row_of[node] for node in order if node not in last), default=-1) + 1
    for node in last:
        row_of[node] = bottom
    return row_of


def _wrapped(row_of: Sequence[int], edges: Sequence[tuple[int, int]], ends: frozenset[int]) -> list[int]:
    """The row of each node, where a wide row, as below a layer that many others take, becomes several.

    Left as they are rows with `ends`, and those of columns, whose nodes have edges that go straight down: these would
    not be narrower. An edge past a row takes an eighth of the width of a node, so that more rows would not help either.
    """
    upper, lower = Counter(edge[0] for edge in edges), Counter(edge[1] for edge in edges)
    straight = [edge for edge in edges if upper[edge[0]] == lower[edge[1]] == 1]
    unchanged = ends.union(node for edge in straight for node in edge)
    nodes: list[list[int]] = [[] for _ in range(max(row_of, default=-1) + 1)]
    for node, row in enumerate(row_of):
        nodes[row].append(node)
    wrapped, row = list(row_of), 0
    for listed in nodes:
        is_wide = len(listed) > _WIDE and unchanged.isdisjoint(listed)
        count = min(-(-len(listed) // _NARROW), _MAX_PARTS) if is_wide else 1
        for at, node in enumerate(listed):
            wrapped[node] = row + at * count // len(listed)
        row += count
    return wrapped


def _chain(rows: Rows, upper: int, lower: int) -> list[int]:
    """The nodes of an edge from top to bottom, with new bends in the rows between its ends."""
    between = range(rows.row_of[upper] + 1, rows.row_of[lower])
    if len(rows.row_of) - rows.size + len(between) > MAX_BENDS:
        raise UnsupportedError(
            f"the connections of the model lead over more than {MAX_BENDS:,} rows: too many for a picture",
            hint="show less of it with --depth or --match, or take --output dot",
        )
    chain = [upper]
    for row in between:
        rows.rows[row].append(len(rows.row_of))
        chain.append(len(rows.row_of))
        rows.row_of.append(row)
    return [*chain, lower]
