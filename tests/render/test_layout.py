"""The places of layers in a picture: what holds for any graph, and for large ones in little time."""

import random
from collections import Counter
from itertools import combinations
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.errors import UnsupportedError
from ckpttool.inspection.graph import Connection, GraphLayer, ModelGraph
from ckpttool.render.graph import svg
from ckpttool.render.graph.layout import columns as columns_module
from ckpttool.render.graph.layout import rows as rows_module
from ckpttool.render.graph.layout.order import crossings, put_in_order
from ckpttool.render.graph.layout.picture import Box, Picture, picture_of
from ckpttool.render.graph.layout.rows import rows_of

WIDTH, HEIGHT = 100.0, 40.0


def chain(size: int) -> tuple[GraphLayer, ...]:
    """Layers without connections."""
    return tuple(GraphLayer(str(at), str(at), "Dense", "dense") for at in range(size))


@st.composite
def graphs(draw: st.DrawFn) -> ModelGraph:
    """Graphs of any form: circles, layers with an arrow to themselves, models in models, unconnected layers."""
    size = draw(st.integers(1, 14))
    models = [draw(st.none() | st.integers(0, at - 1)) if at else None for at in range(size)]
    members: dict[int | None, list[int]] = {}
    for at, model in enumerate(models):
        members.setdefault(model, []).append(at)
    layers = []
    for at, model in enumerate(models):
        inside = members.get(at, [])
        ends = st.lists(st.sampled_from([*inside, None]), max_size=2).map(tuple) if inside else st.just(())
        family = "model" if inside else "dense"
        layers.append(GraphLayer(str(at), str(at), "Dense", family, model=model, inputs=draw(ends), outputs=draw(ends)))
    pair = st.sampled_from(list(members.values())).flatmap(lambda m: st.tuples(st.sampled_from(m), st.sampled_from(m)))
    pairs = draw(st.lists(pair, max_size=30))
    places = st.integers(0, 3)
    connections = tuple(Connection(*ends, output=draw(places), place=draw(places)) for ends in pairs)
    return ModelGraph("", "Functional", "m", tuple(layers), connections)


def overlap(first: Box, second: Box) -> bool:
    """Whether two rectangles have a point in common."""
    return (
        first.x < second.x + second.width
        and second.x < first.x + first.width
        and first.y < second.y + second.height
        and second.y < first.y + first.height
    )


def within(inner: Box, outer: Box) -> bool:
    """Whether a rectangle is inside another."""
    return (
        outer.x <= inner.x
        and inner.x + inner.width <= outer.x + outer.width
        and outer.y <= inner.y
        and inner.y + inner.height <= outer.y + outer.height
    )


def boxes_in_the_way(picture: Picture, graph: ModelGraph) -> list[int]:
    """The layers whose box a line touches that it does not begin or end at; those of other models are not asked."""
    touched = []
    for line in picture.lines:
        if line.arrow is None:
            continue
        ends = {line.arrow.source, line.arrow.target}
        model = graph.layers[line.arrow.source].model
        pieces = [Box(x - 1, top, 2, bottom - top) for x, top, bottom in line.parts]
        for (x, _, bottom), (other, top, _) in zip(line.parts, line.parts[1:], strict=False):
            pieces.append(Box(min(x, other), bottom + 0.01, abs(other - x), top - bottom - 0.02))
        for number, box in picture.boxes.items():
            beside = number not in ends and graph.layers[number].model == model
            if beside and any(overlap(piece, box) for piece in pieces if piece.height > 0):
                touched.append(number)
    return touched


@given(graphs(), st.sampled_from([2, rows_module._WIDE]))
def test_any_graph_has_a_picture(graph: ModelGraph, wide: int) -> None:
    """Each layer has one box and each pair of connected layers one line or loop; boxes of one model do not overlap,
    models are around their layers, no line runs over a box, and everything is on the picture, also where rows of more
    than two are wide."""
    with mock.patch.multiple(rows_module, _WIDE=wide, _NARROW=wide):
        picture = picture_of(graph, WIDTH, HEIGHT)
    assert set(picture.boxes) == set(range(len(graph.layers)))
    pairs = {(connection.source, connection.target) for connection in graph.connections}
    drawn = [arrow for arrow in (*picture.loops, *(line.arrow for line in picture.lines)) if arrow]
    assert Counter((arrow.source, arrow.target) for arrow in drawn) == Counter(dict.fromkeys(pairs, 1))
    page = Box(0, 0, picture.width + 0.01, picture.height + 0.01)
    for number, box in picture.boxes.items():
        model = graph.layers[number].model
        assert within(box, page if model is None else picture.boxes[model])
    for members in graph.inside().values():
        assert not any(overlap(picture.boxes[a], picture.boxes[b]) for a, b in combinations(members, 2))
    assert boxes_in_the_way(picture, graph) == []


@given(graphs(), st.sampled_from([2, rows_module._WIDE]))
def test_lines_begin_and_end_at_their_boxes(graph: ModelGraph, wide: int) -> None:
    """A line leads from the edge of one box to the edge of another, down, unless a circle has to be closed."""
    with mock.patch.multiple(rows_module, _WIDE=wide, _NARROW=wide):
        picture = picture_of(graph, WIDTH, HEIGHT)
    for line in picture.lines:
        if line.arrow is None:
            continue
        ends = (line.arrow.source, line.arrow.target)
        upper, lower = (picture.boxes[end] for end in (ends[::-1] if line.upward else ends))
        (x, top, _), (other, _, bottom) = line.parts[0], line.parts[-1]
        assert (top, bottom) == pytest.approx((upper.y + upper.height, lower.y))
        assert upper.x <= x <= upper.x + upper.width
        assert lower.x <= other <= lower.x + lower.width
        assert all(a[2] <= b[1] for a, b in zip(line.parts, line.parts[1:], strict=False))


def test_circles_alone_lead_upward() -> None:
    """Without a circle every line leads down; a circle has one line that leads up."""
    chained = tuple(Connection(at, at + 1) for at in range(4))
    straight = picture_of(ModelGraph("", "m", "m", chain(5), chained), WIDTH, HEIGHT)
    assert not any(line.upward for line in straight.lines)
    assert len({box.x for box in straight.boxes.values()}) == 1
    circle = picture_of(ModelGraph("", "m", "m", chain(5), (*chained, Connection(4, 0))), WIDTH, HEIGHT)
    assert sum(line.upward for line in circle.lines) == 1


def _fan(count: int, length: int) -> ModelGraph:
    """A layer that begins `count` branches of `length` layers, which another joins."""
    last = count * length + 1
    edges = [Connection(0, at) for at in range(1, count + 1)]
    edges += [Connection(at, at + count) for at in range(1, last - count)]
    edges += [Connection(at, last) for at in range(last - count, last)]
    return ModelGraph("", "m", "m", chain(last + 1), tuple(edges))


def test_wide_rows_become_several() -> None:
    """A row of forty layers between two becomes rows of eight in the order of the layers, so that the picture is half
    as wide; branches of several layers keep their rows, as these would not become narrower."""
    graph = _fan(40, 1)
    picture = picture_of(graph, WIDTH, HEIGHT)
    tops = [picture.boxes[at].y for at in range(1, 41)]
    assert tops == sorted(tops)
    assert list(Counter(tops).values()) == [8] * 5
    assert picture.width < 40 * WIDTH / 1.8
    assert boxes_in_the_way(picture, graph) == []
    assert len({picture_of(_fan(12, 1), WIDTH, HEIGHT).boxes[at].y for at in range(1, 13)}) == 1
    branches = picture_of(_fan(20, 2), WIDTH, HEIGHT)
    assert len({branches.boxes[at].y for at in range(1, 41)}) == 2


def test_a_skip_connection_is_straight() -> None:
    """A connection that skips layers runs straight down beside them."""
    edges = (*(Connection(at, at + 1) for at in range(6)), Connection(1, 5))
    graph = ModelGraph("", "m", "m", chain(7), edges)
    picture = picture_of(graph, WIDTH, HEIGHT)
    assert boxes_in_the_way(picture, graph) == []
    skip = next(line for line in picture.lines if line.arrow and (line.arrow.source, line.arrow.target) == (1, 5))
    assert len({round(x) for x, _, _ in skip.parts[1:-1]}) == 1


def test_cells_in_a_row_do_not_lean() -> None:
    """Cells of several branches, each of which takes the two before it as in NASNet, stay below one another."""
    size, edges, ends = 2, [(0, 1)], [0, 1]
    for _ in range(30):
        branches = []
        for branch in range(8):
            source = ends[-1 - branch % 2]
            for node in range(size, size + 2 + branch % 3):
                edges.append((source, node))
                source, size = node, node + 1
            branches.append(source)
        edges += [(source, size) for source in branches]
        ends.append(size)
        size += 1
    graph = ModelGraph("", "m", "m", chain(size), tuple(Connection(*pair) for pair in edges))
    picture = picture_of(graph, WIDTH, HEIGHT)
    assert boxes_in_the_way(picture, graph) == []
    assert picture.width < 20 * WIDTH
    middles = [picture.boxes[end].x for end in ends]
    assert max(middles) - min(middles) < 8 * WIDTH


@given(graphs())
def test_rows_alone_are_a_picture(graph: ModelGraph) -> None:
    """Any graph that is put in place row by row has boxes that do not overlap, and no line over a box."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_module, "_LEANING", -1.0)
        picture = picture_of(graph, WIDTH, HEIGHT)
    for members in graph.inside().values():
        assert not any(overlap(picture.boxes[a], picture.boxes[b]) for a, b in combinations(members, 2))
    assert boxes_in_the_way(picture, graph) == []


def test_crossings_are_taken_out() -> None:
    """Two rows whose neighbours stand the wrong way round are put in order; crossings are counted as they are."""
    edges = [(0, 5), (1, 4), (2, 3)]
    rows = rows_of(6, edges, frozenset(), frozenset())
    assert crossings(rows) == 3
    put_in_order(rows)
    assert crossings(rows) == 0


def test_counted_crossings_are_those_of_every_pair() -> None:
    """The count is that of looking at each pair of edges."""
    choose = random.Random(7)
    edges = sorted({(choose.randrange(12), 12 + choose.randrange(12)) for _ in range(60)})
    rows = rows_of(24, edges, frozenset(range(12)), frozenset(range(12, 24)))
    place = {node: at for row in rows.rows for at, node in enumerate(row)}
    pairs = combinations([(place[a], place[b]) for a, b in edges], 2)
    assert crossings(rows) == sum((a - c) * (b - d) < 0 for (a, b), (c, d) in pairs)


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many layers, too many connections, and connections over too many rows are refused with what helps."""
    for graph in (
        ModelGraph("m", "m", "m", chain(svg.MAX_LAYERS + 1), ()),
        ModelGraph("m", "m", "m", chain(2), (Connection(0, 1),) * (svg.MAX_CONNECTIONS + 1)),
    ):
        with pytest.raises(UnsupportedError, match="too many for a picture"):
            svg.graph(graph)
    monkeypatch.setattr(rows_module, "MAX_BENDS", 10)
    edges = (*(Connection(at, at + 1) for at in range(13)), Connection(0, 13))
    with pytest.raises(UnsupportedError, match="more than 10 rows"):
        svg.graph(ModelGraph("m", "m", "m", chain(14), edges))
