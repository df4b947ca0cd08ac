"""A checkpoint of one model where `tf.train.Checkpoint` saved several together."""

import re
from collections.abc import Iterator, Set
from dataclasses import replace

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import UnsupportedError
from ckpttool.escape import printable
from ckpttool.object_graph import ObjectGraph
from ckpttool.paths import join_path

_SHOWN = 20
_FEWEST = 2  # models that make a root a holder of several
_DEEPEST = 3  # objects around a model
_OF_MODEL = re.compile(r"layer(_with_weights)?-[0-9]+|keras_api|_operations|_layers")  # children of a model of Keras


def checkpoint_of(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """The part of a checkpoint that its root holds under a name, with the weights that belong to it. Raises
    UnsupportedError where it holds none under that name."""
    graph = checkpoint.object_graph
    node = graph.at(name.split("/")) if graph is not None and graph.nodes else None
    if graph is None or node is None:
        names = [own for own, _ in graph.nodes[0].children][:_SHOWN] if graph is not None and graph.nodes else []
        raise UnsupportedError(
            "has no part of this name",
            path=str(checkpoint.path),
            expected=f"one of {', '.join(map(printable, names))}" if names else "a file with an object graph",
            found=printable(name),
        )
    keys = _keys(graph, node)
    weights = {path: _within(weight, path in keys) for path, weight in checkpoint.weights.items()}
    rooted = ObjectGraph((graph.nodes[node], *graph.nodes[1:]))
    return replace(checkpoint, weights=weights, object_graph=rooted, config=None, training_config=None)


def part_names(checkpoint: Checkpoint) -> list[str]:
    """The names under which the root of a checkpoint holds objects with weights below them, and those of the models in
    such an object; none where the root is a model of Keras itself, or a part that was chosen."""
    graph = checkpoint.object_graph
    # `checkpoint_of` makes a root of one of the nodes.
    if graph is None or not graph.nodes or any(node is graph.nodes[0] for node in graph.nodes[1:]):
        return []
    holders = _holders(graph, {path for path, weight in checkpoint.weights.items() if weight.section is Section.MODEL})
    parts = list(_parts(graph, 0, holders))
    # `save_weights` calls the model itself `root`, and so does `tf.train.Checkpoint(root=...)`, which may hold several.
    if graph.nodes[0].child("root") == 0 and (
        len(parts) < _FEWEST or not all(_is_network(graph, at) for _, at in parts)
    ):
        return []
    return [join_path(name, below) for name, at in parts for below in ("", *_models_in(graph, at, holders))][:_SHOWN]


def _holders(graph: ObjectGraph, own: Set[str]) -> Set[int]:
    """The nodes at or below which there are weights of a model, whose keys are given."""
    above: dict[int, list[int]] = {}
    for number, node in enumerate(graph.nodes):
        for _, child in node.children:
            above.setdefault(child, []).append(number)
    waiting = [number for number, node in enumerate(graph.nodes) if node.key() in own]
    holders = set(waiting)
    while waiting:
        more = [number for number in above.get(waiting.pop(), ()) if number not in holders]
        holders.update(more)
        waiting += more
    return holders


def _parts(graph: ObjectGraph, start: int, holders: Set[int]) -> Iterator[tuple[str, int]]:
    """The names and the nodes of objects that an object holds with weights below them; none where it is a model of
    Keras."""
    if _is_network(graph, start):
        return
    for name, node in graph.nodes[start].children[:_SHOWN]:
        if node != start and node in holders and not graph.nodes[node].attributes:
            yield name, node


def _models_in(graph: ObjectGraph, start: int, holders: Set[int]) -> Iterator[str]:
    """The paths of the models in an object that is none of Keras's own, each by the first that leads to it."""
    waiting, seen = [("", start, 0)], {start}
    while waiting:
        path, node, depth = waiting.pop()
        below = [(join_path(path, name), child) for name, child in _parts(graph, node, holders) if child not in seen]
        seen.update(child for _, child in below)
        yield from (name for name, child in below if _is_network(graph, child))
        waiting += [(name, child, depth + 1) for name, child in below[::-1] if depth < _DEEPEST]


def _is_network(graph: ObjectGraph, node: int) -> bool:
    """Whether a node is a Functional or Sequential model of Keras."""
    return any(_OF_MODEL.match(name) for name, _ in graph.nodes[node].children)


def _keys(graph: ObjectGraph, start: int) -> set[str]:
    """The keys of the variables below a node."""
    return {key for number in graph.reached(start) if (key := graph.nodes[number].key())}


def _within(weight: Weight, belongs: bool) -> Weight:
    """A weight of the part as it is; one of another model is none of this one's."""
    return weight if belongs or weight.section is not Section.MODEL else replace(weight, section=Section.OTHER)
