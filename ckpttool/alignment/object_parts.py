"""A checkpoint of one model where `tf.train.Checkpoint` saved several together."""

import re
from dataclasses import replace

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import UnsupportedError
from ckpttool.escape import printable
from ckpttool.object_graph import ObjectGraph

_SHOWN = 20
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
    """The names under which the root of a checkpoint holds objects with weights below them; none where the root is a
    model of Keras itself, or a part that was chosen."""
    graph = checkpoint.object_graph
    if graph is None or not graph.nodes or any(_OF_MODEL.match(name) for name, _ in graph.nodes[0].children):
        return []
    # `save_weights` calls the model itself `root`; `checkpoint_of` makes a root of one of the nodes.
    if graph.nodes[0].child("root") == 0 or any(node is graph.nodes[0] for node in graph.nodes[1:]):
        return []
    own = {path for path, weight in checkpoint.weights.items() if weight.section is Section.MODEL}
    children = [(name, node) for name, node in graph.nodes[0].children[:_SHOWN] if not graph.nodes[node].attributes]
    return [name for name, node in children if not own.isdisjoint(_keys(graph, node))]


def _keys(graph: ObjectGraph, start: int) -> set[str]:
    """The keys of the variables below a node."""
    return {key for number in graph.reached(start) if (key := graph.nodes[number].key())}


def _within(weight: Weight, belongs: bool) -> Weight:
    """A weight of the part as it is; one of another model is none of this one's."""
    return weight if belongs or weight.section is not Section.MODEL else replace(weight, section=Section.OTHER)
