"""The object graph as it is stored: a scalar text in a checkpoint, whose fields SavedModels have under the same
numbers.

(tensorflow/core/protobuf/trackable_object_graph.proto, saved_object_graph.proto, 2.21.)
"""

from collections.abc import Iterable, Iterator

from ckpttool.errors import CorruptFileError, UnsafeFileError
from ckpttool.formats.tensorflow.wire import SPAN, VARINT, fields, signed, text
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.object_graph import Attribute, Node, ObjectGraph, SlotVariable

KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The name of the tensor that holds the graph."""

MAX_NODES = 1_000_000
_NODE_STEPS = 4
_CHILD_STEPS = 2


def read_graph(raw: memoryview, budget: Budget) -> ObjectGraph:
    """The graph in a message. Raises where it leads out of itself."""
    nodes = [node(value, budget) for _, value in fields(raw, {1: SPAN}, budget) if isinstance(value, memoryview)]
    if len(nodes) > MAX_NODES:
        raise UnsafeFileError("the object graph has too many objects", found=f"{len(nodes):,}")
    graph = ObjectGraph(tuple(nodes))
    check(graph)
    return graph


def check(graph: ObjectGraph) -> None:
    """Raise where a graph leads out of itself."""
    count = len(graph.nodes)
    wrong = next((number for number in _references(graph) if not 0 <= number < count), None)
    if wrong is not None:
        raise CorruptFileError(
            "the object graph names an object that it does not have", expected=f"below {count:,}", found=f"{wrong:,}"
        )


def _references(graph: ObjectGraph) -> Iterator[int]:
    for one in graph.nodes:
        yield from (number for _, number in one.children)
        for slot in one.slots:
            yield slot.node
            yield slot.variable


def node(raw: memoryview, budget: Budget) -> Node:
    """One object."""
    budget.spend(_NODE_STEPS)
    children: list[tuple[str, int]] = []
    attributes: list[Attribute] = []
    slots: list[SlotVariable] = []
    for number, value in fields(raw, {1: SPAN, 2: SPAN, 3: SPAN}, budget):
        assert isinstance(value, memoryview)
        if number == 1:
            children.append(child(value, budget))
        elif number == 2:
            attributes.append(_attribute(value, budget))
        else:
            slots.append(slot_variable(value, budget))
    return Node(tuple(children), tuple(attributes), tuple(slots))


def child(raw: memoryview, budget: Budget) -> tuple[str, int]:
    """The name under which an object is held, and its number."""
    name, number = "", 0
    for field, value in fields(raw, {1: VARINT, 2: SPAN}, budget):
        if isinstance(value, memoryview):
            name = text(value)
        elif field == 1:
            number = signed(value)
    budget.spend(_CHILD_STEPS + steps_of_text(name))
    return name, number


def _attribute(raw: memoryview, budget: Budget) -> Attribute:
    found = texts(fields(raw, {1: SPAN, 2: SPAN, 3: SPAN}, budget), budget)
    return Attribute(found.get(1, ""), found.get(2, ""), found.get(3, ""))


def slot_variable(raw: memoryview, budget: Budget) -> SlotVariable:
    """What an optimizer keeps for a variable."""
    numbers: dict[int, int] = {}
    slot = ""
    for field, value in fields(raw, {1: VARINT, 2: SPAN, 3: VARINT}, budget):
        if isinstance(value, memoryview):
            slot = text(value)
        else:
            numbers[field] = signed(value)
    budget.spend(_CHILD_STEPS)
    return SlotVariable(numbers.get(1, 0), slot, numbers.get(3, 0))


def texts(found: Iterable[tuple[int, int | memoryview]], budget: Budget) -> dict[int, str]:
    """The texts in the fields of a message, by number; the last of each counts."""
    result: dict[int, str] = {}
    for number, value in found:
        if isinstance(value, memoryview):
            result[number] = text(value)
            budget.spend(steps_of_text(result[number]))
    return result
