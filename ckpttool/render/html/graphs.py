"""The graph of a model on a page: the picture of all layers, one of each model with those inside it folded, a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ckpttool.escape import printable
from ckpttool.inspection.graph import GraphLayer, ModelGraph
from ckpttool.inspection.graph_selection import by_model
from ckpttool.render.graph.labels import arrows_of, changes, heading, name_of, sizes_of, title_of
from ckpttool.render.graph.svg import drawing
from ckpttool.render.graph.svg_style import kinds_of, page_style
from ckpttool.render.html.pages import Block, Section, page
from ckpttool.render.style import count_of, short_paths

if TYPE_CHECKING:
    from markupsafe import Markup

_HEADERS = ["layer", "class", "output shape", "parameters", "calls", "takes", "change"]
_MOST_SOURCES = 8


@dataclass(frozen=True, slots=True)
class Folded:
    """A model as a picture of its own, and the models inside it."""

    title: str
    label: str
    picture: Markup
    path: str = ""
    below: list[Folded] = field(default_factory=list)


def graph_page(result: ModelGraph) -> str:
    """The page of a graph. Raises UnsupportedError for one that is too large."""
    names = short_paths(Path(result.other), Path(result.path)) if result.other else (Path(result.path).name,)
    title = " → ".join(printable(name, 100) for name in names if name) or "Graph"
    return page(title, heading(result), [graph_section(result)])


def graph_section(result: ModelGraph) -> Section:
    """The pictures of a graph and its layers as a table. Raises UnsupportedError for one that is too large."""
    from markupsafe import Markup

    style = page_style(result)
    context = {
        "style": Markup(style),
        "figures": list(_figures(result)),
        "legend": [(kind, text) for kind, (text, _) in kinds_of(result).items()],
        "picture": Markup(drawing(result)),
        "label": heading(result),
        "folded": _folded(result),
        "block": _table(result),
        "notes": [printable(note, 400) for note in result.notes],
    }
    return Section("graph", "Graph", "graph.html", context, (style,))


def _figures(result: ModelGraph) -> Iterator[tuple[str, str]]:
    models = len(result.inside()) - 1
    yield f"{len(result.layers):,}", "layers"
    yield f"{len(arrows_of(result)):,}", "connections"
    if models > 0:
        yield f"{models:,}", "models inside"
    if result.params is not None:
        yield f"{result.params:,}", "parameters"


def _folded(result: ModelGraph) -> Folded | None:
    """The pictures of a model and of those inside it, each with its models folded; None where it has none inside."""
    from markupsafe import Markup

    views = dict[int | None, Folded]()
    graphs = by_model(result)
    if len(graphs) < 2:
        return None
    for model, alone in graphs.items():
        layer = None if model is None else result.layers[model]
        title = _title(layer) if layer else "Models inside folded, each with a picture of its own"
        path = printable(layer.path, 300) if layer else ""
        views[model] = Folded(title, heading(alone), Markup(drawing(alone)), path)
        if layer is not None:
            views[layer.model].below.append(views[model])
    return views[None]


def _title(layer: GraphLayer) -> str:
    facts = [title_of(layer), sizes_of(layer), changes(layer.change) if layer.change else ""]
    return f"{printable(layer.path, 200)} · {' · '.join(filter(None, facts))}"


def _table(result: ModelGraph) -> Block:
    """All layers with what they take, for those who read and for those who listen."""
    sources = _sources(result)
    rows = [
        [
            printable(layer.path, 300) or "(no name)",
            title_of(layer),
            sizes_of(layer),
            "?" if layer.params is None else f"{layer.params:,}" if layer.params else "",
            f"{layer.calls}" if layer.calls > 1 else "",
            sources.get(number, ""),
            changes(layer.change) if layer.change else "",
        ]
        for number, layer in enumerate(result.layers)
    ]
    block = Block("Layers and connections as a table", _HEADERS, rows, right=frozenset({"parameters", "calls"}))
    return block.without_empty_columns()


def _sources(result: ModelGraph) -> Mapping[int, str]:
    """The names of the layers that lead to each layer."""
    gathered: dict[int, list[str]] = {}
    for arrow in arrows_of(result):
        more = f" ({arrow.label})" if arrow.label else ""
        more += f" ({arrow.change})" if arrow.change else ""
        gathered.setdefault(arrow.target, []).append(f"{name_of(result.layers[arrow.source])}{more}")
    return {
        number: ", ".join(names[:_MOST_SOURCES])
        + (f" and {count_of(len(names) - _MOST_SOURCES, 'more layer')}" if len(names) > _MOST_SOURCES else "")
        for number, names in gathered.items()
    }
