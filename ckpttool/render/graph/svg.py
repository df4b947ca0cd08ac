"""The graph of a model as SVG: one file that browsers and editors show, light or dark as the reader likes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpttool.errors import UnsupportedError
from ckpttool.escape import printable
from ckpttool.inspection.graph import GraphLayer, ModelGraph
from ckpttool.render.graph.labels import Arrow, facts_of, heading, name_of, sizes_of, title_of
from ckpttool.render.graph.layout.picture import Box, Line, Picture, picture_of
from ckpttool.render.graph.svg_style import kind_of, kinds_of, own_style
from ckpttool.render.style import count_of

MAX_LAYERS, MAX_CONNECTIONS = 5_000, 20_000
"""The numbers of layers and connections that a picture shows at most; a browser has trouble with more."""

_TIMES = "\N{MULTIPLICATION SIGN}"

_LETTER = 6.7  # pixels of an average character of 11 pixels
_BOLD = 7.6  # and of a bold one of 12
_INSIDE = 10.0
_BETWEEN = 14.0
_WIDE, _NARROW, _HIGH = 290.0, 150.0, 44.0
_HEADING = 8.8  # pixels of an average character of the heading
_STRAIGHT = 7.0
_LEGEND_WIDE = 900.0
_MARGIN, _TITLE, _LEGEND = 24.0, 30.0, 26.0


def graph(result: ModelGraph) -> str:
    """The text of an SVG file. Raises UnsupportedError for a graph that is too large for a picture."""
    picture, head = _picture(result), heading(result)
    legend = [(text, kind) for kind, (text, _) in kinds_of(result).items()]
    keys = min(_LEGEND_WIDE, sum(_key_width(label) for label, _ in legend))
    width = max(picture.width, keys, _HEADING * len(head))
    rows = list(_wrapped(legend, width))
    above = (
        f'<style>{own_style(result)}</style>\n<rect class="page" width="100%" height="100%"/>',
        f'<text class="heading" x="{_number(_MARGIN)}" y="{_number(_MARGIN + 12)}">{_xml(head)}</text>',
        *_keys(rows),
    )
    return _svg(result, picture, width, above, _TITLE + _LEGEND * len(rows))


def drawing(result: ModelGraph) -> str:
    """The picture alone as an element of SVG, for a page that has the rules of style, the heading and the legend.

    Raises UnsupportedError for a graph that is too large for a picture.
    """
    picture = _picture(result)
    return _svg(result, picture, picture.width)


def _picture(result: ModelGraph) -> Picture:
    if len(result.layers) > MAX_LAYERS or len(result.connections) > MAX_CONNECTIONS:
        sizes = f"{count_of(len(result.layers), 'layer')} and {count_of(len(result.connections), 'connection')}"
        raise UnsupportedError(
            f"{sizes}: too many for a picture",
            path=result.path,
            expected=f"{MAX_LAYERS:,} layers and {MAX_CONNECTIONS:,} connections at most",
            hint="fold models with --depth 1, choose layers with --match, or take --output dot",
        )
    return picture_of(result, max(map(_width, result.layers), default=_NARROW), _HIGH)


def _svg(result: ModelGraph, picture: Picture, room: float, above: Iterable[str] = (), height: float = 0) -> str:
    """The picture in the middle of so much room, below what stands above it, which is so high."""
    head, top, left = _xml(heading(result)), _MARGIN + height, _MARGIN + (room - picture.width) / 2
    sizes = [_number(room + 2 * _MARGIN), _number(top + picture.height + _MARGIN)]
    size = f'width="{sizes[0]}" height="{sizes[1]}" viewBox="0 0 {sizes[0]} {sizes[1]}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} class="ckpt-graph" role="img" aria-label="{head}">',
        f"<title>{head}</title>",
        *above,
        f'<g transform="translate({_number(left)} {_number(top)})">',
        *_drawn(result, picture),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines)


def _drawn(result: ModelGraph, picture: Picture) -> Iterator[str]:
    """Frames of models first, the outermost in front, then lines, then boxes."""
    for number in sorted(picture.frames):
        yield from _box(result, number, picture.boxes[number], "frame")
    for line in picture.lines:
        yield from _line(line)
    for arrow in picture.loops:
        yield from _loop(arrow, picture.boxes[arrow.source])
    for number, box in sorted(picture.boxes.items()):
        if number not in picture.frames:
            yield from _box(result, number, box, "box")


def _box(result: ModelGraph, number: int, box: Box, shape: str) -> Iterator[str]:
    layer = result.layers[number]
    yield f'<g class="{kind_of(result, layer)}" data-layer="{number}">'
    yield f"<title>{_xml(_tooltip(layer))}</title>"
    place = f'x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" height="{_number(box.height)}"'
    yield f'<rect class="{shape}" {place} rx="8"/>'
    left, right = box.x + _INSIDE, box.x + box.width - _INSIDE
    room = box.width - 2 * _INSIDE - _BETWEEN
    for y, style, text, more, meaning in (
        (box.y + 18, "title", title_of(layer), _short_facts(layer), ", ".join(facts_of(layer))),
        (box.y + 34, "name", name_of(layer), _short_shape(layer), f"output shape {sizes_of(layer)}"),
    ):
        letter = _BOLD if style == "title" else _LETTER
        shown = _cut(text, room - _LETTER * len(more), letter)
        yield f'<text class="{style}" x="{_number(left)}" y="{_number(y)}">{_xml(shown)}</text>'
        if more:
            label = f"<title>{_xml(meaning)}</title>"
            yield f'<text class="end" x="{_number(right)}" y="{_number(y)}">{label}{_xml(more)}</text>'
    yield "</g>"


def _line(line: Line) -> Iterator[str]:
    """The path of an arrow, with its head and its label."""
    parts = [(x, bottom, top) for x, top, bottom in reversed(line.parts)] if line.upward else line.parts
    x, start, y = parts[0]
    path = [f"M{_number(x)} {_number(start)}V{_number(y)}"]
    for right, top, bottom in parts[1:]:
        if abs(right - x) >= 0.5:
            end = top - _STRAIGHT  # the head of an arrow points down, so its line arrives from above
            middle = _number((y + end) / 2)
            path.append(f"C{_number(x)} {middle} {_number(right)} {middle} {_number(right)} {_number(end)}")
        path.append(f"V{_number(bottom)}")
        x, y = right, bottom
    if line.arrow is None:
        yield f'<path class="line" d="{"".join(path)}"/>'
        return
    change = f" {line.arrow.change}" if line.arrow.change else ""
    dashed = " dashed" if line.arrow.change == "removed" or any(c.through for c in line.arrow.connections) else ""
    back = 5.0 if not line.upward else -5.0
    ends = f'data-source="{line.arrow.source}" data-target="{line.arrow.target}"'
    yield f'<g class="arrow{change}" {ends}><path class="line{dashed}" d="{"".join(path)}"/>'
    yield f'<path class="head" d="M{_number(x)} {_number(y)}l-3.6 {_number(-back - back / 2)}h7.2z"/>'
    if line.arrow.label:
        label = f"<title>{_xml(_meaning(line.arrow))}</title>"
        yield f'<text x="{_number(x + 6)}" y="{_number(y - back - 2)}">{label}{_xml(line.arrow.label)}</text>'
    yield "</g>"


def _meaning(arrow: Arrow) -> str:
    """The label of an arrow in words."""
    through = min(connection.through for connection in arrow.connections)
    hidden = f", over {count_of(through, 'hidden layer')}" if through else ""
    return f"{count_of(len(arrow.connections), 'connection')}{hidden}"


def _loop(arrow: Arrow, box: Box) -> Iterator[str]:
    """An arrow from a layer to itself, on its right side."""
    x, y = box.x + box.width, box.y + box.height / 2
    ends = f'data-source="{arrow.source}" data-target="{arrow.target}"'
    curve = f"M{_number(x)} {_number(y + 10)}c24 0 24 -20 4 -20"
    yield f'<g class="arrow" {ends}><path class="line" d="{curve}"/>'
    yield f'<path class="head" d="M{_number(x)} {_number(y - 10)}l7.5 -3.6v7.2z"/></g>'


def _width(layer: GraphLayer) -> float:
    """The width that the texts of a layer need, up to a limit."""
    first = _BOLD * len(title_of(layer)) + _LETTER * len(_short_facts(layer))
    second = _LETTER * (len(name_of(layer)) + len(_short_shape(layer)))
    return min(_WIDE, max(_NARROW, max(first, second) + 2 * _INSIDE + _BETWEEN))


def _short_facts(layer: GraphLayer) -> str:
    facts = ["?" if layer.params is None else f"{layer.params:,}" if layer.params else ""]
    facts += [f"{layer.calls}x"] if layer.calls > 1 else []
    facts += [f"{layer.hidden:,} inside"] if layer.hidden else []
    facts += ["output"] if layer.is_output else []
    return " · ".join(filter(None, facts))


def _short_shape(layer: GraphLayer) -> str:
    """The first output shape without the axis of the batch; an axis of any size is a question mark."""
    known = [dims for dims in layer.shapes if dims is not None]
    if not known:
        return ""
    dims = known[0][1:] if known[0][:1] == (None,) else known[0]
    text = _TIMES.join("?" if size is None else str(size) for size in dims) or "scalar"
    return f"{text} +{len(known) - 1}" if len(known) > 1 else text


def _tooltip(layer: GraphLayer) -> str:
    lines = (title_of(layer), printable(layer.path, 300), sizes_of(layer), ", ".join(facts_of(layer)))
    return "\n".join(filter(None, lines))


def _key_width(label: str) -> float:
    return _LETTER * len(label) + 36


def _wrapped(legend: Iterable[tuple[str, str]], width: float) -> Iterator[list[tuple[float, str, str]]]:
    """The keys of the legend in rows, each with its place from the left."""
    row, x = list[tuple[float, str, str]](), 0.0
    for label, kind in legend:
        if row and x + _key_width(label) > width:
            yield row
            row, x = [], 0.0
        row.append((x, label, kind))
        x += _key_width(label)
    if row:
        yield row


def _keys(rows: Iterable[list[tuple[float, str, str]]]) -> Iterator[str]:
    for at, row in enumerate(rows):
        y = _MARGIN + _TITLE + _LEGEND * at
        for x, label, kind in row:
            left = _number(_MARGIN + x)
            yield f'<g class="{kind}"><rect class="box" x="{left}" y="{_number(y - 3)}" width="14" height="14" rx="4"/>'
            yield f'<text x="{_number(_MARGIN + x + 20)}" y="{_number(y + 8)}">{label}</text></g>'


def _cut(text: str, room: float, letter: float) -> str:
    """A text that fits into so many pixels, its middle left out where it is longer: names often differ at the end."""
    count = max(6, round(room / letter))
    return text if len(text) <= count else f"{text[: count // 2]}…{text[len(text) - (count - count // 2 - 1) :]}"


def _number(value: float) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def _xml(text: str) -> str:
    """A text for XML, within elements and attributes; control characters have been escaped before."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(char, entity)
    return text
