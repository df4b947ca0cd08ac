"""Calls of TensorFlow functions as configs record them, the nodes of graphs of TensorFlow 2.0 to 2.3 among them."""

import base64
import json
from typing import Any

import pytest

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent
from ckpttool.model.tensorflow_ops.recorded_calls import arguments_of, function_of

A, B, C = (Tensor(name, 0, 0, (None, 4)) for name in "abc")


def operation(op: str, constants: dict[str, Any] | None = None, **attributes: Any) -> Args:
    """A node of a graph as tf.keras wrote it: JSON in the config."""
    node = {"name": "n", "op": op, "attr": attributes}
    return Args("TensorFlowOpLayer", {"name": "n", "node_def": json.dumps(node), "constants": constants or {}})


def text(value: str) -> dict[str, str]:
    """A text of an attribute."""
    return {"s": base64.b64encode(value.encode()).decode()}


CASES: dict[str, tuple[Args, list[Any], Any]] = {
    "one input": (operation("Tanh"), [A], ("math.tanh", (A,), {})),
    "a constant behind": (operation("Mul", {"1": 2.0}), [A], ("math.multiply", (A,), {"y": 2.0})),
    "a constant in front": (operation("Sub", {"0": 1.0}), [A], ("math.subtract", (1.0,), {"y": A})),
    "an attribute": (
        operation("Sum", {"1": [1]}, keep_dims={"b": True}),
        [A],
        ("math.reduce_sum", (A,), {"axis": [1], "keepdims": True}),
    ),
    "a sum of many": (operation("AddN", N={"i": "2"}), [A, B], ("add_n", (), {"inputs": [A, B]})),
    "a stack": (operation("Pack", axis={"i": "-1"}), [A, B], ("stack", (), {"values": [A, B], "axis": -1})),
    "a join": (operation("ConcatV2", {"2": -1}), [A, B], ("concat", (), {"values": [A, B], "axis": -1})),
    "an equation": (operation("Einsum", equation=text("ab,bc->ac")), [A, B], ("einsum", ("ab,bc->ac", A, B), {})),
    "equal parts": (
        operation("Split", {"0": 1}, num_split={"i": "2"}),
        [A],
        ("split", (A,), {"num_or_size_splits": 2, "axis": 1}),
    ),
    "given parts": (
        operation("SplitV", {"1": [1, 3], "2": 1}),
        [A],
        ("split", (A,), {"num_or_size_splits": [1, 3], "axis": 1}),
    ),
    "an unknown operation": (operation("Own"), [A], ("Own", (), {})),
    "constants in their order": (
        operation("ClipByValue", {"2": 1.0, "1": -1.0}),
        [A],
        ("clip_by_value", (A,), {"clip_value_min": -1.0, "clip_value_max": 1.0}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_nodes(name: str) -> None:
    """A node is the function of `tf` that it stands for, with its inputs, constants and attributes by their names."""
    args, inputs, expected = CASES[name]
    function, positional, named = arguments_of(args, Call((inputs if len(inputs) > 1 else inputs[0],)))
    assert (function, positional, named) == expected
    assert function_of(args) == json.loads(args.config["node_def"])["op"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"list": {"i": ["1", "2"]}}, [1, 2]),
        ({"list": {"s": [text("a")["s"]], "i": ["3"]}}, ["a", 3]),
        ({"list": {"i": "1"}}, []),
        ({"f": 0.5}, 0.5),
        ({"i": "many"}, {"i": "many"}),
        ({"s": "no base64"}, "no base64"),
        ({"s": base64.b64encode(b"\xff").decode()}, base64.b64encode(b"\xff").decode()),
        ({"i": "1", "f": 2.0}, {"i": "1", "f": 2.0}),
        (7, 7),
    ],
    ids=str,
)
def test_values_of_attributes(value: Any, expected: Any) -> None:
    """Whole numbers are texts in protobuf's JSON, texts are in base64; what is neither stays as it is."""
    assert arguments_of(operation("Pack", axis=value), Call(([A, B],)))[2]["axis"] == expected


def test_functions_by_name() -> None:
    """A TFOpLambda names its function, and its call has the arguments."""
    args = Args("TFOpLambda", {"name": "f", "function": "math.add"})
    assert arguments_of(args, Call((A,), {"y": B})) == ("math.add", (A,), {"y": B})
    with pytest.raises(NoEquivalent, match="a function without a name"):
        function_of(Args("TFOpLambda", {"name": "f", "function": 3}))


@pytest.mark.parametrize("node", [None, "{", "[1]", '{"op": 3}', "[" * 100_000])
def test_nodes_that_cannot_be_read(node: Any) -> None:
    """A node without an operation has no equivalent."""
    with pytest.raises(NoEquivalent, match="a node of a graph that cannot be read"):
        function_of(Args("TensorFlowOpLayer", {"name": "n", "node_def": node}))


@pytest.mark.parametrize("place", ["3", "x", "-1"])
def test_constants_beyond_the_inputs(place: str) -> None:
    """A constant at a position that no input leads to has no equivalent."""
    with pytest.raises(NoEquivalent, match="a constant at a position beyond the inputs"):
        arguments_of(operation("Mul", {place: 2.0}), Call((A,)))
