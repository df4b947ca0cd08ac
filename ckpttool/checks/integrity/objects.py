"""The variables of a SavedModel against its checkpoint: each is stored in the dtype and shape that the graph states.

(tensorflow/core/protobuf/saved_object_graph.proto, SavedVariable, 2.21.) The two object graphs number their objects
each in its own way, and have the same names for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.checks.integrity.rules import OBJECTS_DIFFER
from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Outcome
from ckpttool.checks.subject import Subject

if TYPE_CHECKING:
    from ckpttool.object_graph import ObjectGraph


def objects(subject: Subject) -> Iterator[Outcome]:
    """Variables that are stored in another shape or dtype than the graph of a SavedModel states for them."""
    checkpoint = subject.checkpoint
    if checkpoint is not None and checkpoint.saved_model is not None and checkpoint.object_graph is not None:
        yield from cap_findings(_differing(checkpoint, checkpoint.object_graph))


def _differing(checkpoint: Checkpoint, stored: ObjectGraph) -> Iterator[Finding]:
    assert checkpoint.saved_model is not None
    types = checkpoint.saved_model.variable_types
    for number, node in _same_objects(checkpoint.saved_model.objects, stored):
        if number not in types:
            continue
        dtype, shape = types[number]
        for weight in _values(checkpoint, stored, node):
            if shape not in (None, weight.shape) or dtype not in ("", weight.dtype):
                detail = f"{weight.shape} {weight.dtype} is stored, the graph states {shape} {dtype}"
                yield Finding(OBJECTS_DIFFER, weight.path, detail)


def _values(checkpoint: Checkpoint, graph: ObjectGraph, node: int) -> Iterator[Weight]:
    """The stored values of a variable."""
    from ckpttool.object_graph import VALUE  # here, since only checkpoints of TensorFlow have object graphs

    keys = (attribute.key for attribute in graph.nodes[node].attributes if attribute.name == VALUE)
    yield from (checkpoint.weights[key] for key in keys if key in checkpoint.weights)


def _same_objects(saved: ObjectGraph, stored: ObjectGraph) -> Iterator[tuple[int, int]]:
    """The objects of two graphs that have the same path from the root, each of the first once."""
    if not saved.nodes or not stored.nodes:
        return
    seen, waiting = {0}, deque([(0, 0)])
    while waiting:
        number, node = waiting.popleft()
        yield number, node
        children = dict(stored.nodes[node].children)
        for name, child in saved.nodes[number].children:
            if child not in seen and name in children:
                seen.add(child)
                waiting.append((child, children[name]))


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (objects,)
