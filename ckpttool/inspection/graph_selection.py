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


def by_model(graph: ModelGraph) -> dict[int | None, ModelGraph]:
    """The layers of each model as a graph, the models among them folded, by the number of the model; None for the top.

    Models come before those inside them.
    """
    inside = graph.inside()
    places = {number: place for numbers in inside.values() for place, number in enumerate(numbers)}
    hidden = [layer.hidden for layer in graph.layers]
    for number in reversed(range(len(graph.layers))):  # the layers of a model follow it
        model = graph.layers[number].model
        if model is not None:
            hidden[model] += 1 + hidden[number]
    connections: dict[int | None, list[Connection]] = {}
    for connection in graph.connections:
        between = replace(connection, source=places[connection.source], target=places[connection.target])
        connections.setdefault(graph.layers[connection.source].model, []).append(between)
    return {
        model: _alone(graph, model, [_folded(graph.layers[n], hidden[n]) for n in numbers], connections.get(model, ()))
        for model, numbers in inside.items()
    }


def _folded(layer: GraphLayer, hidden: int) -> GraphLayer:
    return replace(layer, model=None, inputs=(), outputs=(), hidden=hidden)


def _alone(
    graph: ModelGraph, model: int | None, layers: Sequence[GraphLayer], connections: Sequence[Connection]
) -> ModelGraph:
    top = replace(graph, layers=tuple(layers), connections=tuple(connections), inputs=(), outputs=())
    if model is None:
        return top
    layer = graph.layers[model]
    return replace(top, class_name=layer.class_name, name=layer.name, params=layer.params)


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
