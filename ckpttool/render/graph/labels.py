"""Texts of layers and arrows between them, which all pictures of a graph share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckpttool.escape import printable
from ckpttool.inspection.graph import Connection, GraphLayer, ModelGraph
from ckpttool.render.style import count_of, shape, short_paths

LONGEST = 80  # characters of a name in a picture
_MOST_SHAPES = 3


@dataclass(frozen=True, slots=True)
class Arrow:
    """All connections from one layer to another, as one arrow."""

    source: int
    target: int
    connections: tuple[Connection, ...]

    @property
    def label(self) -> str:
        """The number of connections where there are several, and the layers on the way that are not shown."""
        through = min(connection.through for connection in self.connections)
        times = f"{len(self.connections)}x" if len(self.connections) > 1 else ""
        return ", ".join(filter(None, (times, f"over {count_of(through, 'layer')}" if through else "")))

    @property
    def change(self) -> str:
        """The change that all of its connections share; empty where they do not agree."""
        changes = {connection.change for connection in self.connections}
        return changes.pop() if len(changes) == 1 else ""


def arrows_of(graph: ModelGraph) -> tuple[Arrow, ...]:
    """The arrows of a graph, in the order of its connections."""
    gathered: dict[tuple[int, int], list[Connection]] = {}
    for connection in graph.connections:
        gathered.setdefault((connection.source, connection.target), []).append(connection)
    return tuple(Arrow(*ends, tuple(connections)) for ends, connections in gathered.items())


def name_of(layer: GraphLayer) -> str:
    """The name of a layer, safe to show."""
    return printable(layer.name, LONGEST) or "(no name)"


def title_of(layer: GraphLayer) -> str:
    """The class of a layer, safe to show."""
    return printable(layer.title, LONGEST)


def sizes_of(layer: GraphLayer) -> str:
    """The output shapes of a layer, as far as they are known."""
    known = [shape(dims) for dims in layer.shapes if dims is not None]
    return ", ".join(known[:_MOST_SHAPES]) + (" ..." if len(known) > _MOST_SHAPES else "")


def facts_of(layer: GraphLayer) -> Iterator[str]:
    """The further facts about a layer: parameters, frozen, calls, hidden layers, an output of its model, changes."""
    if layer.params is None:
        yield "parameters not known"
    elif layer.params:
        yield count_of(layer.params, "parameter")
    if layer.frozen:
        yield "frozen"
    if layer.calls > 1:
        yield f"called {layer.calls} times"
    if layer.hidden:
        yield f"{count_of(layer.hidden, 'layer')} inside"
    if layer.is_output:
        yield "output"
    if layer.change:
        yield changes(layer.change)


def changes(change: str) -> str:
    """A change of a layer in words."""
    return f"{change} changed" if change not in ("added", "removed") else change


def heading(graph: ModelGraph) -> str:
    """The model of a graph in one line: class, name, layers, parameters; of a comparison the changes."""
    name = f"{printable(graph.class_name, LONGEST)} '{printable(graph.name, LONGEST)}'"
    if graph.other:
        other, own = (printable(text, LONGEST) for text in short_paths(Path(graph.other), Path(graph.path)))
        place = f" in {own}" if Path(graph.other).name == Path(graph.path).name else ""
        return f"{name}{place} compared with {other}: {_changed(graph)}"
    params = "" if graph.params is None else f", {count_of(graph.params, 'parameter')}"
    return f"{name}: {count_of(len(graph.layers), 'layer')}{params}"


def _changed(graph: ModelGraph) -> str:
    """The number of layers with each change, models that only contain changed layers left out."""
    around = {layer.model for layer in graph.layers}
    counts = Counter(layer.change for number, layer in enumerate(graph.layers) if number not in around)
    parts = [f"{counts['added']:,} added", f"{counts['removed']:,} removed"]
    changed = sum(count for change, count in counts.items() if change not in ("", "added", "removed"))
    return ", ".join([*parts, f"{changed:,} changed"])
