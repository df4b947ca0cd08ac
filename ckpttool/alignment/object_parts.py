"""A checkpoint of one model where `tf.train.Checkpoint` saved several together."""

from dataclasses import replace

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import UnsupportedError
from ckpttool.escape import printable
from ckpttool.object_graph import ObjectGraph

_SHOWN = 20


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


def _keys(graph: ObjectGraph, start: int) -> set[str]:
    """The keys of the variables below a node."""
    return {key for number in graph.reached(start) if (key := graph.nodes[number].key())}


def _within(weight: Weight, belongs: bool) -> Weight:
    """A weight of the part as it is; one of another model is none of this one's."""
    return weight if belongs or weight.section is not Section.MODEL else replace(weight, section=Section.OTHER)
