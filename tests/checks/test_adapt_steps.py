"""The step with which Keras adapts a Discretization calls Python's functions, and is no alarm; all others are."""

from pathlib import Path

import pytest

from ckpttool.formats.tensorflow.operations import operations_in
from tests.checks.test_operations import _call, function, message, node, with_graph
from tests.formats.tensorflow.writer import number

STEP = "__inference_adapt_step_399"


def _child(name: str, at: int) -> bytes:
    return message(1, number(1, at) + message(2, name.encode()))


def _object(*children: bytes, kind: bytes = b"") -> bytes:
    return message(1, b"".join(children) + kind)


def _layer(identifier: str = "_tf_keras_layer") -> bytes:
    return message(4, message(1, identifier.encode()))


def _function(name: str = STEP) -> bytes:
    return message(6, message(1, name.encode()))


def _bare(name: str = STEP) -> bytes:
    return message(8, message(1, name.encode()))


GRAPH = function(STEP, node("PyFunc", "PyFunc", 3))
OBJECTS = (
    _object(_child("layer-1", 1)),
    _object(_child("_adapt_function", 2), kind=_layer()),
    _object(_child("trace_0", 3), kind=_function()),
    _object(kind=_bare()),
)
"""The step of a layer as TensorFlow 2.15 stores it."""


def _reported(folder: Path, graph: bytes, *objects: bytes) -> list[str]:
    path = with_graph(folder, b"")
    with (path / "saved_model.pb").open("ab") as file:
        file.write(message(2, message(2, graph) + message(7, b"".join(objects))))
    return [operation.name for operation in operations_in(path)]


def test_the_step_of_a_layer_is_harmless(tmp_path: Path) -> None:
    """Nothing but `adapt` of the layer runs it."""
    assert _reported(tmp_path, GRAPH, *OBJECTS) == []


def _with(at: int, changed: bytes) -> tuple[bytes, ...]:
    return (*OBJECTS[:at], changed, *OBJECTS[at + 1 :])


def _gradient(name: str) -> bytes:
    return message(2, message(2, message(1, b"other") + message(2, name.encode())))


_SAVER = message(11, message(1, b"x") + message(2, number(2, 0) + number(3, 2)))
_HARMFUL = {
    "of another name": (function("serve", node("PyFunc", "PyFunc", 3)), _with(2, _object(kind=_function("serve")))),
    "that goes on after the name": (
        function(f"{STEP}_x", node("PyFunc", "PyFunc", 3)),
        _with(2, _object(kind=_function(f"{STEP}_x"))),
    ),
    "that a graph calls": (GRAPH + _call("c", STEP, ""), OBJECTS),
    "that a function calls": (GRAPH + function("g", _call("c", STEP, "", 3)), OBJECTS),
    "that a node has as its kind": (GRAPH + node("c", STEP), OBJECTS),
    "that is a gradient": (GRAPH + _gradient(STEP), OBJECTS),
    "of the whole model": (GRAPH, _with(0, _object(_child("_adapt_function", 2)))),
    "that initializes something": (GRAPH, (*OBJECTS, _object(_child("_initialize", 2)))),
    "whose trace initializes something": (GRAPH, (*OBJECTS, _object(_child("_initialize", 3)))),
    "that another function has": (GRAPH, (*OBJECTS, _object(kind=_function()))),
    "that is no layer's": (GRAPH, _with(1, _object(_child("_adapt_function", 2), kind=_layer("_generic")))),
    "under another name": (GRAPH, _with(1, _object(_child("call", 2), kind=_layer()))),
    "that restores": (GRAPH, (*OBJECTS, _object(kind=_SAVER))),
    "that nobody holds": (GRAPH, OBJECTS[:1]),
    "that runs something else": (function(STEP, node("PyFunc", "EagerPyFunc", 3)), OBJECTS),
}


@pytest.mark.parametrize("case", _HARMFUL)
def test_every_other_function_that_calls_python_is_reported(case: str, tmp_path: Path) -> None:
    """A function is called as the step of a layer, and can be reached in another way."""
    graph, objects = _HARMFUL[case]
    assert _reported(tmp_path, graph, *objects) == ["PyFunc"]


def test_a_step_that_reads_files_too_is_reported(tmp_path: Path) -> None:
    """An operation that acts beside it in the step is reported, and the function of Python with it."""
    graph = function(STEP, node("PyFunc", "PyFunc", 3), node("look", "ReadFile", 3))
    assert _reported(tmp_path, graph, *OBJECTS) == ["PyFunc", "look"]
