"""Files of tables whose names one function of a SavedModel hands to another, or an object to a function.

A function may fill a table from the file that it is called with. Then those who call it say which file that is: a node
of the graph, another function, or, with a capture, an object of the SavedModel. The last inputs of a call are the
arguments of its function, and the last arguments of a function are what it captures. (NameAttrList,
tensorflow/core/framework/attr_value.proto; FunctionDef, function.proto; OpDef, op_def.proto; SavedConcreteFunction,
tensorflow/core/protobuf/saved_object_graph.proto, 2.15.) Each argument is followed once, and nothing is run.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ckpttool.formats.tensorflow.conditional_operations import (
    TABLES,
    Place,
    Scope,
    file_of,
    functions_named,
    inputs_of,
    is_handed_in,
    origin,
)
from ckpttool.formats.tensorflow.saved_objects import Objects

Argument = tuple[str, int]
"""An argument of a function: the function's name, and the number of the argument."""

_FROM_OUTSIDE, _NAMED_HERE = -1, -2  # in place of the number of an argument
_READS, _ASSIGNS = "ReadVariableOp", "AssignVariableOp"


class Function(NamedTuple):
    """A function, or a graph, which has no name and no arguments, with its nodes."""

    name: str
    arguments: Sequence[str]
    scope: Scope


class File(NamedTuple):
    """A file that is named in a graph: the kind of the operation that reads it, the node or constant that names it, and
    the function that this is in."""

    kind: str
    name: str
    function: str


class _Call(NamedTuple):
    """A node that calls functions. Of its inputs there are the numbers of the caller's arguments that they are."""

    caller: str
    node: str
    inputs: Sequence[int]


def tables_of_arguments(function: Function) -> Iterator[tuple[Argument, str]]:
    """The arguments of a function that are files of tables, with the kinds of the operations that read these."""
    numbers = {name: number for number, name in enumerate(function.arguments)}
    for kind, place in function.scope.nodes.values():
        file = file_of(function.scope, place) if kind in TABLES else None
        if file in numbers and file not in function.scope.nodes:
            yield (function.name, numbers[file]), kind


def files_named(
    tables: Mapping[Argument, str], functions: Iterable[Function], counts: Mapping[str, int], objects: Objects
) -> Iterator[File]:
    """The files that are handed to functions and are named in a graph or by an object.

    `tables` are the arguments of functions that are files, `counts` the numbers of arguments of all functions.
    """
    calls: dict[str, list[_Call]] = {}
    for function in functions:
        for callee, call in _calls(function, counts):
            calls.setdefault(callee, []).append(call)
    kinds, waiting, reported = dict(tables), deque(tables), set[File]()
    while waiting:
        callee, number = waiting.popleft()
        kind = kinds[callee, number]
        named = _captured(objects, callee, number - counts[callee], kind)
        for call in calls.get(callee, ()):
            at = len(call.inputs) - counts[callee] + number
            argument = call.inputs[at] if 0 <= at < len(call.inputs) else _NAMED_HERE
            if argument == _NAMED_HERE:
                named.append(File(kind, call.node, call.caller))
            elif argument >= 0 and (call.caller, argument) not in kinds:
                kinds[call.caller, argument] = kind
                waiting.append((call.caller, argument))
        yield from (file for file in dict.fromkeys(named) if file not in reported)
        reported.update(named)


def _calls(function: Function, counts: Mapping[str, int]) -> Iterator[tuple[str, _Call]]:
    """The calls in a function with the names of the functions that they call. A node may have such a name as its
    kind."""
    scope, numbers = function.scope, {name: number for number, name in enumerate(function.arguments)}
    assigned = _assigned(scope)
    for node, (kind, place) in scope.nodes.items():
        callees = list(dict.fromkeys(name for name in _named(scope, kind, place) if name in counts))
        if callees:
            inputs = _inputs(scope, node)
            scope.source.budget.spend(len(inputs))
            call = _Call(function.name, node, [_origin_of(scope, name, numbers, assigned) for name in inputs])
            yield from ((callee, call) for callee in callees)


def _named(scope: Scope, kind: str, place: Place) -> Iterator[str]:
    """The names that may be those of the functions that a node calls."""
    yield kind
    if kind != "Const":  # whose values may be large
        yield from functions_named(scope.source, place)


def _inputs(scope: Scope, node: str) -> list[str]:
    """The inputs of a node, without those that only come before it."""
    return [name for name in inputs_of(scope.source, *scope.nodes[node][1]) if not name.startswith("^")]


def _assigned(scope: Scope) -> dict[str, list[str]]:
    """The nodes that variables are set to. TensorFlow keeps the path of an asset in a variable (`Asset`,
    tensorflow/python/trackable/asset.py, 2.15)."""
    assigned: dict[str, list[str]] = {}
    for node in (node for node, (kind, _) in scope.nodes.items() if kind == _ASSIGNS):
        variable, *values = _inputs(scope, node)[:2] or [""]
        assigned.setdefault(variable, []).extend(values)
    return assigned


def _origin_of(scope: Scope, name: str, numbers: Mapping[str, int], assigned: Mapping[str, list[str]]) -> int:
    """The number of the argument that an input is, or whether it comes from outside or is named here."""
    end = origin(scope, name) or ""
    if end in numbers and end not in scope.nodes:
        return numbers[end]
    if scope.nodes.get(end, ("",))[0] == _READS:
        values = assigned.get(next(iter(_inputs(scope, end)), ""), [])
        return _FROM_OUTSIDE if values and all(value in scope.assets for value in values) else _NAMED_HERE
    return _FROM_OUTSIDE if is_handed_in(scope, end or None) else _NAMED_HERE


def _captured(objects: Objects, function: str, from_end: int, kind: str) -> list[File]:
    """The constant that a function captures as an argument; none where that is no capture, or a file of the assets."""
    captured = objects.captured.get(function, [])
    number = captured[from_end] if -len(captured) <= from_end else -1
    return [File(kind, objects.constants[number], function)] if number in objects.constants else []
