"""The part of a graph that is shown: models folded into one layer, layers that match a glob."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ckpttool.errors import CheckpointError
from ckpttool.inspection.graph import Connection, GraphLayer, ModelGraph

MAX_STEPS = 2_000_000  # over hidden layers, on the way from one shown layer to the next


def folded(graph: ModelGraph, depth: int | None) -> ModelGraph:
    """The graph with models of more than `depth` levels folded into one layer each; 1 shows the top level alone."""
    if depth is None:
        return graph
    levels: list[int] = []
    for layer in graph.layers:
        levels.append(1 if layer.model is None else levels[layer.model] + 1)
    return _part(graph, [number for number, level in enumerate(levels) if level <= depth], graph.connections)


def matching(graph: ModelGraph, globs: Sequence[str]) -> ModelGraph:
    """The graph with the layers whose path matches a glob, and the models around them.

    A connection that leads over layers which are not shown has their number in `through`. Without globs it is the whole
    graph. Raises CheckpointError where nothing matches.
    """
    if not globs:
        return graph
    shown = {n for n, layer in enumerate(graph.layers) if any(fnmatchcase(layer.path, glob) for glob in globs)}
    if not shown:
        raise CheckpointError(f"no layer matches {', '.join(globs)}", path=graph.path)
    for number in sorted(shown, reverse=True):
        model = graph.layers[number].model
        while model is not None and model not in shown:
            shown.add(model)
            model = graph.layers[model].model
    return _part(graph, sorted(shown), _bridged(graph, shown))


def _bridged(graph: ModelGraph, shown: set[int]) -> Iterator[Connection]:
    """The connections between shown layers, over hidden ones where there is no other."""
    onward: dict[int, list[Connection]] = {}
    for connection in graph.connections:
        onward.setdefault(connection.source, []).append(connection)
    steps = 0
    for source in sorted(shown):
        yield from (connection for connection in onward.get(source, ()) if connection.target in shown)
        queue = deque((connection, 1) for connection in onward.get(source, ()) if connection.target not in shown)
        passed = {connection.target for connection, _ in queue}
        reached = {connection.target for connection in onward.get(source, ()) if connection.target in shown}
        while queue:
            before, count = queue.popleft()
            steps += 1
            if steps > MAX_STEPS:
                raise CheckpointError("too many layers lie between those that match", hint="match fewer layers")
            for after in onward.get(before.target, ()):
                if after.target in shown and after.target not in reached:
                    reached.add(after.target)
                    yield replace(after, source=source, source_call=0, output=0, through=count)
                elif after.target not in shown and after.target not in passed:
                    passed.add(after.target)
                    queue.append((after, count + 1))


def _part(graph: ModelGraph, numbers: Sequence[int], connections: Iterable[Connection]) -> ModelGraph:
    """The graph with some of its layers, numbered anew, and the connections between these."""
    new = {old: number for number, old in enumerate(numbers)}
    hidden = _hidden(graph, new)
    layers = tuple(_renumbered(graph.layers[old], new, hidden.get(old, 0)) for old in numbers)
    between = tuple(
        replace(connection, source=new[connection.source], target=new[connection.target])
        for connection in connections
        if connection.source in new and connection.target in new
    )
    inputs, outputs = (tuple(new[end] for end in ends if end in new) for ends in (graph.inputs, graph.outputs))
    return replace(graph, layers=layers, connections=between, inputs=inputs, outputs=outputs)


def _hidden(graph: ModelGraph, new: Mapping[int, int]) -> dict[int, int]:
    """The number of layers that are not shown, by the innermost model around them that is."""
    counts: dict[int, int] = {}
    for number, layer in enumerate(graph.layers):
        if number in new:
            continue
        model = layer.model
        while model is not None and model not in new:
            model = graph.layers[model].model
        if model is not None:
            counts[model] = counts.get(model, 0) + 1
    return counts


def _renumbered(layer: GraphLayer, new: Mapping[int, int], hidden: int) -> GraphLayer:
    model = None if layer.model is None else new[layer.model]
    inputs, outputs = (
        tuple(None if end is None else new.get(end) for end in ends) for ends in (layer.inputs, layer.outputs)
    )
    return replace(layer, model=model, inputs=inputs, outputs=outputs, hidden=layer.hidden + hidden)
