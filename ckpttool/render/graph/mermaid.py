"""The graph of a model in Mermaid, which GitHub and others draw in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from ckpttool.inspection.graph import GraphLayer, ModelGraph
from ckpttool.render.graph.colors import CHANGES, FAMILIES, UNCHANGED, Color
from ckpttool.render.graph.labels import Arrow, arrows_of, facts_of, heading, name_of, sizes_of, title_of

MAX_TEXT, MAX_ARROWS = 50_000, 500
"""What Mermaid draws at most by default, in characters and in arrows (`maxTextSize` and `maxEdges`, Mermaid 11)."""

_PLAIN = frozenset(" _.,:()+-=/")


def graph(result: ModelGraph) -> str:
    """The text of a flowchart; models that are shown with their layers are subgraphs."""
    lines = ["flowchart TD", f"  %% {_comment(heading(result))}", *_members(result)]
    lines += [f"  {_arrow(arrow)}" for arrow in arrows_of(result)]
    return "\n".join([*lines, *_classes(result), *_links(result)])


def problem(text: str, result: ModelGraph) -> str:
    """The reason why GitHub would not draw a flowchart; empty where it does."""
    arrows = len(arrows_of(result))
    if len(text) <= MAX_TEXT and arrows <= MAX_ARROWS:
        return ""
    return (
        f"{arrows:,} arrows in {len(text):,} characters: Mermaid draws {MAX_ARROWS} and {MAX_TEXT:,} "
        "unless it is configured otherwise; --depth, --match or --output svg help"
    )


def _members(result: ModelGraph) -> Iterator[str]:
    """The lines of layers, with subgraphs for models; a stack, since models may be nested deeply."""
    inside = result.inside()
    stack: list[tuple[int | None, str]] = [(number, "  ") for number in reversed(inside.get(None, ()))]
    while stack:
        number, indent = stack.pop()
        if number is None:
            yield f"{indent}end"
            continue
        label = _label(result.layers[number])
        if number not in inside:
            yield f'{indent}n{number}("{label}")'
            continue
        yield f'{indent}subgraph n{number}["{label}"]'
        stack.append((None, indent))
        stack += [(inner, f"{indent}  ") for inner in reversed(inside[number])]


def _label(layer: GraphLayer) -> str:
    lines = (title_of(layer), name_of(layer), sizes_of(layer), ", ".join(facts_of(layer)))
    return "<br/>".join(_escaped(line) for line in lines if line)


def _arrow(arrow: Arrow) -> str:
    dashed = arrow.change == "removed" or any(connection.through for connection in arrow.connections)
    line = "-.->" if dashed else "-->"
    label = f'|"{_escaped(arrow.label)}"|' if arrow.label else ""
    return f"n{arrow.source} {line}{label} n{arrow.target}"


def _classes(result: ModelGraph) -> Iterator[str]:
    """The colours: a class for each family or change, and the layers that have it."""
    gathered: dict[str, list[int]] = {}
    for number, layer in enumerate(result.layers):
        kind = (layer.change or "unchanged") if result.other else layer.family
        gathered.setdefault(kind, []).append(number)
    for kind, numbers in gathered.items():
        color = CHANGES.get(kind, UNCHANGED) if result.other else FAMILIES[kind]
        name = kind.replace(", ", "_")
        yield f"  classDef {name} {_style(color)}"
        yield f"  class {','.join(f'n{number}' for number in numbers)} {name}"


def _style(color: Color) -> str:
    return f"fill:{color.fill},stroke:{color.edge},color:#1c2128"


def _links(result: ModelGraph) -> Iterator[str]:
    """The colours of arrows that were added or removed."""
    for at, arrow in enumerate(arrows_of(result)):
        if arrow.change:
            yield f"  linkStyle {at} stroke:{CHANGES[arrow.change].edge},stroke-width:2px"


def _escaped(text: str) -> str:
    """A text in which everything but letters, digits and a few signs is a character code: neither Mermaid nor HTML,
    which its labels are, sees anything else in it."""
    return "".join(char if char in _PLAIN or char.isalnum() else f"#{ord(char)};" for char in text)


def _comment(text: str) -> str:
    """A text for a comment: Mermaid looks for directives, which begin with `{`, there too."""
    return "".join(char if char in _PLAIN or char.isalnum() or char == "'" else "?" for char in text)
