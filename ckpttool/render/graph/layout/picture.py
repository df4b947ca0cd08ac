"""The picture of a graph without its looks: a box for each layer, a line for each arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckpttool.inspection.graph import ModelGraph
from ckpttool.render.graph.labels import Arrow, arrows_of
from ckpttool.render.graph.layout.columns import columns_of
from ckpttool.render.graph.layout.order import put_in_order
from ckpttool.render.graph.layout.rows import rows_of

PAD = 14.0  # between a model's frame and the boxes inside it
HEAD = 50.0  # for the title of a model, above its layers
_BESIDE, _BESIDE_BEND = 24.0, 14.0
_BEND = 10.0
_BELOW, _BELOW_CURVES = 24.0, 36.0
_LOOP = 26.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its upper left corner, its width and its height."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, x: float, y: float) -> Box:
        """The same rectangle at another place."""
        return Box(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Line:
    """The way of an arrow: straight down at `x` from `top` to `bottom` in each row, curved between two rows.

    `arrow` is None for a line that leads from an output of a model to its frame. `upward` says that the arrow leads
    from the last part to the first.
    """

    arrow: Arrow | None
    parts: tuple[tuple[float, float, float], ...]
    upward: bool = False

    def moved(self, x: float, y: float) -> Line:
        """The same line at another place."""
        parts = tuple((middle + x, top + y, bottom + y) for middle, top, bottom in self.parts)
        return Line(self.arrow, parts, self.upward)


@dataclass(frozen=True, slots=True)
class Picture:
    """The boxes of all layers by number, the lines of all arrows, the layers with an arrow to themselves."""

    width: float
    height: float
    boxes: Mapping[int, Box]
    lines: tuple[Line, ...]
    loops: tuple[Arrow, ...] = ()
    frames: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Level:
    """The layers of one model. `entries` and `exits` are the places of its inputs and outputs from left to right."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[int, Box] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    entries: list[float | None] = field(default_factory=list)
    exits: list[float | None] = field(default_factory=list)


def picture_of(graph: ModelGraph, width: float, height: float) -> Picture:
    """The picture of a graph, with boxes of this size for all layers but models that are shown with theirs.

    Raises UnsupportedError for a graph that is too large for a picture.
    """
    inside = graph.inside()
    by_model: dict[int | None, list[Arrow]] = {}
    for arrow in arrows_of(graph):
        by_model.setdefault(graph.layers[arrow.source].model, []).append(arrow)
    levels: dict[int | None, _Level] = {}
    models = sorted((model for model in inside if model is not None), reverse=True)  # the inner ones come last
    for model in (*models, None):
        sizes = {number: _size(levels.get(number), width, height) for number in inside.get(model, ())}
        levels[model] = _Arranged(graph, model, sizes, by_model.get(model, []), levels).level()
    top = levels[None]
    boxes, lines = dict(top.boxes), list(top.lines)
    for model in reversed(models):
        x, y = boxes[model].x + (boxes[model].width - levels[model].width) / 2, boxes[model].y + HEAD
        boxes |= {number: box.moved(x, y) for number, box in levels[model].boxes.items()}
        lines += [line.moved(x, y) for line in levels[model].lines]
    loops = tuple(arrow for arrows in by_model.values() for arrow in arrows if arrow.source == arrow.target)
    return Picture(top.width, top.height, boxes, tuple(lines), loops, frozenset(models))


def _size(level: _Level | None, width: float, height: float) -> tuple[float, float]:
    return (width, height) if level is None else (max(width, level.width) + 2 * PAD, level.height + HEAD + PAD)


class _Arranged:
    """The nodes of one model in rows and columns: its layers, then one for each of its outputs."""

    def __init__(
        self,
        graph: ModelGraph,
        model: int | None,
        sizes: Mapping[int, tuple[float, float]],
        arrows: Sequence[Arrow],
        levels: Mapping[int | None, _Level],
    ) -> None:
        self.numbers = list(sizes)
        self.node_of = {number: node for node, number in enumerate(self.numbers)}
        self.levels, self.graph = levels, graph
        layer = None if model is None else graph.layers[model]
        self.inputs, self.outputs = (layer.inputs, layer.outputs) if layer else ((), ())
        ends = [at for at, end in enumerate(self.outputs) if end in self.node_of]
        self.exit_of = {at: len(self.numbers) + place for place, at in enumerate(ends)}
        self.sizes = [*sizes.values(), *((_BEND, 0.0) for _ in ends)]
        self.arrows: list[Arrow | None] = [arrow for arrow in arrows if arrow.source != arrow.target]
        edges = [(self.node_of[arrow.source], self.node_of[arrow.target]) for arrow in self.arrows if arrow]
        edges += [(self.node_of[self.outputs[at] or 0], node) for at, node in self.exit_of.items()]
        self.arrows += [None] * len(ends)
        first = frozenset(self.node_of[end] for end in self.inputs if end in self.node_of)
        self.rows = rows_of(len(self.sizes), edges, first, frozenset(self.exit_of.values()))
        put_in_order(self.rows)
        loops = {self.node_of[arrow.source] for arrow in arrows if arrow.source == arrow.target}
        self.room = [width + 2 * _LOOP * (node in loops) for node, (width, _) in enumerate(self.sizes)]

    def level(self) -> _Level:
        """The boxes and lines."""
        middles = columns_of(self.rows, self._gap)
        left = min((x - self._width(node) / 2 for node, x in enumerate(middles)), default=0.0)
        middles = [x - left for x in middles]
        width = max((x + self._width(node) / 2 for node, x in enumerate(middles)), default=0.0)
        tops, bottoms = self._heights(middles)
        level = _Level(width, bottoms[-1] if bottoms else 0.0)
        for node, number in enumerate(self.numbers):
            wide, high = self.sizes[node]
            level.boxes[number] = Box(middles[node] - wide / 2, tops[self.rows.row_of[node]], wide, high)
        for at, chain in enumerate(self.rows.chains):
            level.lines.append(self._line(at, chain, middles, tops, bottoms))
        level.entries = [middles[self.node_of[end]] if end in self.node_of else None for end in self.inputs]
        level.exits = [middles[self.exit_of[at]] if at in self.exit_of else None for at in range(len(self.outputs))]
        return level

    def _width(self, node: int) -> float:
        return _BEND if self.rows.is_bend(node) else self.room[node]

    def _gap(self, left: int, right: int) -> float:
        is_line = any(self.rows.is_bend(node) or node >= len(self.numbers) for node in (left, right))
        return (self._width(left) + self._width(right)) / 2 + (_BESIDE_BEND if is_line else _BESIDE)

    def _heights(self, middles: Sequence[float]) -> tuple[list[float], list[float]]:
        """The upper and the lower end of each row; there is more room below a row whose lines are curved."""
        tops, bottoms, y = list[float](), list[float](), 0.0
        for row in self.rows.rows:
            tops.append(y)
            y += max((self.sizes[node][1] for node in row if not self.rows.is_bend(node)), default=0.0)
            bottoms.append(y)
            curved = any(abs(middles[node] - middles[lower]) > 1 for node in row for lower in self.rows.below[node])
            y += _BELOW_CURVES if curved else _BELOW
        return tops, bottoms

    def _line(
        self, at: int, chain: Sequence[int], middles: Sequence[float], tops: Sequence[float], bottoms: Sequence[float]
    ) -> Line:
        parts = []
        upward = at in self.rows.reversed
        for place, node in enumerate(chain):
            x, row = middles[node], self.rows.row_of[node]
            top, bottom = tops[row], bottoms[row]
            if place == 0:
                x += self._shift(self.arrows[at], node, is_source=not upward)
                top += self.sizes[node][1]
            elif place == len(chain) - 1:
                x += self._shift(self.arrows[at], node, is_source=upward)
                bottom = top if self.arrows[at] else top + PAD  # an output of a model reaches its frame
            parts.append((x, top, bottom))
        return Line(self.arrows[at], tuple(parts), upward)

    def _shift(self, arrow: Arrow | None, node: int, is_source: bool) -> float:
        """The distance from a model's middle at which an arrow leaves or enters it."""
        level = self.levels.get(self.numbers[node]) if node < len(self.numbers) else None
        if level is None or arrow is None:
            return 0.0
        ends = level.exits if is_source else level.entries
        place = arrow.connections[0].output if is_source else arrow.connections[0].place
        x = ends[min(place, len(ends) - 1)] if ends else None
        return 0.0 if x is None else x - level.width / 2
