"""The graph of a model in DOT, the language of Graphviz: `dot -Tsvg` draws it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ckpttool.inspection.graph import GraphLayer, ModelGraph
from ckpttool.render.graph.colors import CHANGES, color_of
from ckpttool.render.graph.labels import Arrow, arrows_of, facts_of, heading, name_of, sizes_of, title_of

_STYLE = (
    'graph [compound=true, rankdir=TB, nodesep=0.3, ranksep=0.35, fontname="Helvetica,Arial,sans-serif", fontsize=12]',
    'node [shape=box, style="rounded,filled", fontname="Helvetica,Arial,sans-serif", fontsize=11, margin="0.15,0.08"]',
    'edge [color="#7a8494", arrowsize=0.7, fontname="Helvetica,Arial,sans-serif", fontsize=9]',
)

_Inside = Mapping[int | None, tuple[int, ...]]


def graph(result: ModelGraph) -> str:
    """The text of a digraph; models that are shown with their layers are clusters."""
    inside = result.inside()
    lines = [f"digraph {_quoted(heading(result))} {{", *(f"  {line}" for line in _STYLE)]
    lines += _members(result, inside)
    lines += [f"  {_arrow(result, inside, arrow)}" for arrow in arrows_of(result)]
    return "\n".join([*lines, "}"])


def _members(result: ModelGraph, inside: _Inside) -> Iterator[str]:
    """The lines of layers, with clusters for models; a stack, since models may be nested deeply."""
    stack: list[tuple[int | None, str]] = [(number, "  ") for number in reversed(inside.get(None, ()))]
    while stack:
        number, indent = stack.pop()
        if number is None:
            yield f"{indent}}}"
            continue
        layer = result.layers[number]
        if number not in inside:
            yield f"{indent}n{number} [{_attributes(layer, bool(result.other))}]"
            continue
        color = color_of(layer.family, layer.change, bool(result.other))
        yield f"{indent}subgraph cluster_{number} {{"
        label = _quoted("\n".join(_lines(layer)))
        yield f'{indent}  graph [label={label}, style=rounded, color="{color.edge}", fontcolor="{color.edge}"]'
        stack.append((None, indent))
        stack += [(inner, f"{indent}  ") for inner in reversed(inside[number])]


def _attributes(layer: GraphLayer, compared: bool) -> str:
    color = color_of(layer.family, layer.change, compared)
    label = _quoted("\n".join(_lines(layer)))
    return f'label={label}, fillcolor="{color.fill}", color="{color.edge}"'


def _lines(layer: GraphLayer) -> list[str]:
    facts = ", ".join(facts_of(layer))
    return [line for line in (title_of(layer), name_of(layer), sizes_of(layer), facts) if line]


def _arrow(result: ModelGraph, inside: _Inside, arrow: Arrow) -> str:
    """One arrow; Graphviz draws arrows between nodes, so that one to a cluster names a node inside it."""
    source, tail = _end(result, inside, arrow.source, arrow.connections[0].output, "outputs")
    target, head = _end(result, inside, arrow.target, arrow.connections[0].place, "inputs")
    attributes = [f'ltail="cluster_{tail}"'] if tail is not None else []
    attributes += [f'lhead="cluster_{head}"'] if head is not None else []
    attributes += [f"label={_quoted(arrow.label)}"] if arrow.label else []
    attributes += [f'color="{CHANGES[arrow.change].edge}"'] if arrow.change else []
    attributes += ["style=dashed"] if arrow.change == "removed" or any(c.through for c in arrow.connections) else []
    return f"n{source} -> n{target}" + (f" [{', '.join(attributes)}]" if attributes else "")


def _end(result: ModelGraph, inside: _Inside, number: int, place: int, side: str) -> tuple[int, int | None]:
    """The node at an end of an arrow, and the outermost cluster that the arrow stops at, None for a plain layer."""
    cluster = None
    while number in inside:
        cluster = number if cluster is None else cluster
        layer = result.layers[number]
        ends = [end for end in (layer.inputs if side == "inputs" else layer.outputs) if end is not None]
        members = inside[number]
        number = ends[min(place, len(ends) - 1)] if ends else members[0 if side == "inputs" else -1]
        place = 0
    return number, cluster


def _quoted(text: str) -> str:
    r"""A quoted string of DOT: a backslash would begin an escape such as `\N`, the name of the node."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
