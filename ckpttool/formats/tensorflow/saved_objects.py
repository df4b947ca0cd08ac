"""The objects of a SavedModel's graph: its variables, layers, constants, asset files and functions.

(tensorflow/core/protobuf/saved_object_graph.proto, 2.21.) What an object is follows from the number of its field.
"""

from dataclasses import dataclass, field

from ckpttool.formats.tensorflow import messages, trackables
from ckpttool.formats.tensorflow.messages import DTYPES
from ckpttool.formats.tensorflow.wire import (
    LEN,
    VARINT,
    Message,
    map_entry,
    numbered_payloads,
    packed_numbers,
    paid_text,
    payloads,
)
from ckpttool.io.budget import Budget
from ckpttool.object_graph import Node
from ckpttool.saved_model import KerasObject, VariableType

_CHILD, _USER_OBJECT, _ASSET, _FUNCTION, _VARIABLE, _BARE, _CONSTANT, _SAVEABLE = 1, 4, 5, 6, 7, 8, 9, 11
_NODE = dict.fromkeys((_CHILD, _USER_OBJECT, _ASSET, _FUNCTION, _VARIABLE, _BARE, _CONSTANT, _SAVEABLE), LEN)
_MAX_CAPTURES = 100  # of one function; a lookup table has two


@dataclass(slots=True)
class Objects:
    """The objects of a SavedModel by number. Of variables dtype and shape, of constants the names of their operations,
    of files their numbers among the assets, of functions the names of their concrete functions; the captured objects of
    each concrete function; and the objects that are functions which save and restore others.
    """

    nodes: list[Node] = field(default_factory=list)
    keras_objects: list[KerasObject] = field(default_factory=list)
    variables: int = 0
    variable_types: dict[int, VariableType] = field(default_factory=dict)
    constants: dict[int, str] = field(default_factory=dict)
    files: dict[int, int] = field(default_factory=dict)
    functions: dict[int, list[str]] = field(default_factory=dict)
    captured: dict[str, list[int]] = field(default_factory=dict)
    savers: set[int] = field(default_factory=set)


def read_objects(raw: memoryview, budget: Budget) -> Objects:
    """The objects in a message."""
    objects = Objects()
    for number, value in numbered_payloads(raw, {1: LEN, 2: LEN}, budget):
        if number == 1:
            _add_node(objects, value, budget)
        else:
            _add_function(objects, value, budget)
    return objects


def _add_node(objects: Objects, raw: memoryview, budget: Budget) -> None:
    at, children = len(objects.nodes), []
    for kind, value in numbered_payloads(raw, _NODE, budget):
        if kind == _CHILD:
            children.append(trackables.child(value, budget))
        elif kind == _VARIABLE:
            objects.variables += 1
            objects.variable_types[at] = _variable_type(Message(value, {1: VARINT, 2: LEN}, budget), budget)
        elif kind == _USER_OBJECT:
            _add_keras_object(objects, at, Message(value, {1: LEN, 3: LEN}, budget))
        elif kind == _ASSET:
            objects.files[at] = Message(value, {1: VARINT}, budget).integer(1)
        elif kind == _FUNCTION:
            objects.functions.setdefault(at, []).extend(paid_text(name, budget) for name in payloads(value, 1, budget))
        elif kind == _BARE:
            objects.functions.setdefault(at, []).append(Message(value, {1: LEN}, budget).text(1))
        elif kind == _SAVEABLE:
            saver = Message(map_entry(value, budget)[1], {2: VARINT, 3: VARINT}, budget)
            objects.savers |= {saver.integer(2), saver.integer(3)}
        else:
            objects.constants[at] = Message(value, {1: LEN}, budget).text(1)
    objects.nodes.append(Node(tuple(children)))


def _variable_type(variable: Message, budget: Budget) -> VariableType:
    """The dtype and the shape of a variable (SavedVariable: dtype 1, shape 2); the shape is None where it is open."""
    sizes = messages.sizes(variable.payload(2), budget) if 2 in variable else ()
    known = sizes is not None and min(sizes, default=0) >= 0
    dtype = variable.integer(1)
    return DTYPES[dtype][0] if dtype in DTYPES else "", sizes if known else None


def _add_keras_object(objects: Objects, number: int, user_object: Message) -> None:
    """Add an object of the user's classes if it is one of Keras."""
    identifier = user_object.text(1)
    if identifier.startswith("_tf_keras"):
        objects.keras_objects.append(KerasObject(number, identifier, user_object.text(3)))


def _add_function(objects: Objects, raw: memoryview, budget: Budget) -> None:
    """Add the captured objects of a concrete function (an entry of a map)."""
    name, value = map_entry(raw, budget)
    captured = [number for packed in payloads(value, 2, budget) for number in packed_numbers(packed, budget)]
    if captured:
        objects.captured[name] = captured[:_MAX_CAPTURES]
