"""The object graph as stored: a scalar text in a checkpoint. The objects of a SavedModel have the same fields.

(tensorflow/core/protobuf/trackable_object_graph.proto, saved_object_graph.proto, 2.21.)
"""

from collections.abc import Iterator, Sequence

from ckpttool.errors import CorruptFileError, UnsafeFileError
from ckpttool.formats.tensorflow.wire import LEN, VARINT, Message, numbered_payloads, payloads
from ckpttool.io.budget import Budget
from ckpttool.object_graph import Attribute, Node, ObjectGraph, SlotVariable

KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The name of the tensor that holds the graph."""

MAX_NODES = 1_000_000
_NODE_STEPS = 4
_CHILD_STEPS = 2


def read_graph(raw: memoryview, budget: Budget) -> ObjectGraph:
    """The graph in a message. Raises where it names an object that it does not have."""
    nodes = [_node(value, budget) for value in payloads(raw, 1, budget)]
    if len(nodes) > MAX_NODES:
        raise UnsafeFileError("the object graph has too many objects", found=f"{len(nodes):,}")
    return checked_graph(nodes)


def checked_graph(nodes: Sequence[Node]) -> ObjectGraph:
    """The graph of some objects. Raises where it names an object that it does not have."""
    graph, count = ObjectGraph(tuple(nodes)), len(nodes)
    wrong = next((number for number in _references(graph) if not 0 <= number < count), None)
    if wrong is not None:
        raise CorruptFileError(
            "the object graph names an object that it does not have", expected=f"below {count:,}", found=f"{wrong:,}"
        )
    return graph


def _references(graph: ObjectGraph) -> Iterator[int]:
    """The numbers by which the objects of a graph name others."""
    for node in graph.nodes:
        yield from (number for _, number in node.children)
        for slot in node.slots:
            yield slot.node
            yield slot.variable


def _node(raw: memoryview, budget: Budget) -> Node:
    """One object."""
    budget.spend(_NODE_STEPS)
    children: list[tuple[str, int]] = []
    attributes: list[Attribute] = []
    slots: list[SlotVariable] = []
    for number, value in numbered_payloads(raw, {1: LEN, 2: LEN, 3: LEN}, budget):
        if number == 1:
            children.append(child(value, budget))
        elif number == 2:
            attributes.append(_attribute(value, budget))
        else:
            slots.append(_slot_variable(value, budget))
    return Node(tuple(children), tuple(attributes), tuple(slots))


def child(raw: memoryview, budget: Budget) -> tuple[str, int]:
    """The name under which an object has a child, and the number of the child."""
    budget.spend(_CHILD_STEPS)
    message = Message(raw, {1: VARINT, 2: LEN}, budget)
    return message.text(2), message.integer(1)


def _attribute(raw: memoryview, budget: Budget) -> Attribute:
    message = Message(raw, {1: LEN, 2: LEN, 3: LEN}, budget)
    return Attribute(message.text(1), message.text(2), message.text(3))


def _slot_variable(raw: memoryview, budget: Budget) -> SlotVariable:
    """An optimizer's state for a variable."""
    budget.spend(_CHILD_STEPS)
    message = Message(raw, {1: VARINT, 2: LEN, 3: VARINT}, budget)
    return SlotVariable(message.integer(1), message.text(2), message.integer(3))
