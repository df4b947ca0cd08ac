"""Calls of TensorFlow functions as configs record them: which function, and its arguments by name.

`TFOpLambda` and `SlicingOpLambda` (keras/layers/core/tf_op_layer.py, 2.4 to 2.15) name a function of `tf`, record the
first argument as input of the node and all others by name. `TensorFlowOpLayer` (tensorflow/python/keras/engine/
base_layer.py, 2.0 to 2.3) holds a node of a graph, some of whose inputs are constants.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from ckpttool.io import scalars
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.sizes import is_integer
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent
from ckpttool.model.tensorflow_ops.raw_ops import LISTS, RAW

CLASSES = frozenset({"SlicingOpLambda", "TFOpLambda", "TensorFlowOpLayer"})


def function_of(args: Args) -> str:
    """The name of the function that a layer calls, or of its operation in a graph. Raises NoEquivalent."""
    if args.class_name != "TensorFlowOpLayer":
        name = args.config.get("function")
        if isinstance(name, str):
            return name
        raise NoEquivalent("a function without a name")
    return str(_node_def(args).get("op"))


def arguments_of(args: Args, call: Call) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """The name of the function in a call, with its arguments by position and by name. Raises NoEquivalent."""
    if args.class_name != "TensorFlowOpLayer":
        return function_of(args), call.args, dict(call.kwargs)
    return _of_graph(args, call)


def _of_graph(args: Args, call: Call) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    node = _node_def(args)
    op, attrs = str(node.get("op")), _attributes(node)
    inputs = _inputs(args, call)
    if op in LISTS:
        name, listed, last, renamed = LISTS[op]
        named = {renamed[key]: value for key, value in attrs.items() if key in renamed}
        if listed is None:
            return name, (named["equation"], *inputs), {}
        return name, (), {listed: inputs[:-1] if last else inputs, **({last: inputs[-1]} if last else {}), **named}
    if op in ("Split", "SplitV"):
        return _split(op, inputs, attrs)
    if op not in RAW:
        return op, (), {}
    name, names, renamed, fixed = RAW[op]
    named = {renamed[key]: value for key, value in attrs.items() if key in renamed}
    first, *rest = dict(zip(names, inputs, strict=False)).items()
    return name, (first[1],), {**dict(rest), **named, **fixed}


def _split(op: str, inputs: list[Any], attrs: Mapping[str, Any]) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    if op == "SplitV":
        value, sizes, axis = inputs
    else:
        axis, value = inputs
        sizes = attrs.get("num_split")
    return "split", (value,), {"num_or_size_splits": sizes, "axis": axis}


def _inputs(args: Args, call: Call) -> list[Any]:
    """The inputs of the node, with its constants at their positions."""
    first = call.args[0] if call.args else []
    inputs = list(first) if isinstance(first, list) else [first]
    constants = args.config.get("constants")
    if isinstance(constants, Mapping):
        for key in sorted(constants, key=lambda key: scalars.digits(key) or 0):
            place = scalars.digits(key)
            if place is None or place > len(inputs):
                raise NoEquivalent("a constant at a position beyond the inputs")
            inputs.insert(place, constants[key])
    return inputs


def _node_def(args: Args) -> Mapping[str, Any]:
    """The node of the graph, which is text in JSON where the config was written by tf.keras."""
    node = args.config.get("node_def")
    if isinstance(node, str):
        try:
            node = json.loads(node)
        except (ValueError, RecursionError):
            node = None
    if not isinstance(node, Mapping) or not isinstance(node.get("op"), str):
        raise NoEquivalent("a node of a graph that cannot be read")
    return node


def _attributes(node: Mapping[str, Any]) -> dict[str, Any]:
    attributes = node.get("attr")
    return {key: _attribute(value) for key, value in attributes.items()} if isinstance(attributes, Mapping) else {}


def _attribute(value: Any) -> Any:
    """A value of `AttrValue` as protobuf writes it in JSON: whole numbers are texts, texts are in base64."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    kind, content = next(iter(value.items()))
    if kind == "i" and (number := scalars.signed_digits(content)) is not None:
        return number
    if kind == "s" and isinstance(content, str):
        return _text(content)
    if kind == "list" and isinstance(content, Mapping):
        return [_attribute({key: item}) for key, items in content.items() if isinstance(items, list) for item in items]
    return content if kind in ("b", "f", "type", "shape") or is_integer(content) else value


def _text(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return value
