"""TensorFlow calls in a config: layers that call one of its functions, one of its methods, or a node of a graph.

tf.keras 2.4 to 2.15 and tf_keras make such a layer of every call of TensorFlow on a model's tensors, and repeat the
call when they load the model, with the constants in the config (keras/src/layers/core/tf_op_layer.py, 2.15;
`TensorFlowOpLayer`, keras/src/engine/base_layer.py, is that of 2.0 to 2.3). They look up any name that TensorFlow
exports. So only functions that compute and do nothing else pass.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ckpttool.dangers.allowed_names import Standing, function_standing
from ckpttool.dangers.callables import dangers_of
from ckpttool.dangers.danger import Danger, Kind
from ckpttool.dangers.nodes import operations_of
from ckpttool.dangers.walk import Node

_SHOWN = 80

# The methods and properties of ragged and sparse tensors of which tf.keras makes layers (tf_op_layer.py, 2.4 to 2.15).
_CLASSES = frozenset({"RaggedTensor", "compat.v1.RaggedTensor"})
_CLASS_METHODS = frozenset(
    """
    from_nested_row_splits from_nested_value_rowids from_row_lengths from_row_limits from_row_splits
    from_row_starts from_sparse from_tensor from_uniform_row_length from_value_rowids
    """.split()
)
_METHODS = frozenset(
    """
    bounding_shape merge_dims nested_row_lengths nested_value_rowids nrows row_lengths row_limits row_starts
    to_sparse to_tensor value_rowids with_flat_values with_row_splits_dtype with_values
    """.split()
)
_PROPERTIES = frozenset({"dense_shape", "flat_values", "indices", "nested_row_splits", "row_splits", "values"})


@cache
def functions() -> frozenset[str]:
    """The functions of TensorFlow that compute, by the names under which configs have them."""
    modules: dict[str, str] = _table()["functions"]
    return frozenset(f"{module}.{name}".lstrip(".") for module, names in modules.items() for name in names.split())


@cache
def nodes() -> frozenset[str]:
    """The operations of TensorFlow's graphs that compute."""
    return frozenset(_table()["nodes"].split())


@cache
def registered_operations() -> frozenset[str]:
    """The operations that TensorFlow registers itself, of any version from 1.15 to 2.21."""
    return frozenset(json.loads(Path(__file__).with_name("operations.json").read_text(encoding="utf-8")))


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("functions.json").read_text(encoding="utf-8"))
    return table


def calls(node: Node) -> Iterator[Danger]:
    """Dangers of a layer's calls of TensorFlow: those that are not known to compute only."""
    config = node.value.get("config")
    if not isinstance(config, dict):
        return
    match node.value.get("class_name"):
        case "TFOpLambda" | "SlicingOpLambda":
            yield from _function(f"{node.place}.config.function", config.get("function"))
        case "TensorFlowOpLayer":
            yield from _node(f"{node.place}.config.node_def", config.get("node_def"))
        case "ClassMethod":
            yield from _method(f"{node.place}.config", config.get("cls_symbol"), config.get("method_name"))
        case "InstanceMethod":
            yield from _attribute(f"{node.place}.config.attr_name", config.get("attr_name"), _METHODS)
        case "InstanceProperty":
            yield from _attribute(f"{node.place}.config.attr_name", config.get("attr_name"), _PROPERTIES)


def _function(place: str, name: Any) -> Iterator[Danger]:
    short = name.removeprefix("compat.v1.") if isinstance(name, str) else ""
    module, _, last = short.rpartition(".")
    if short.startswith("keras."):
        standing = function_standing(module, last)
        yield from dangers_of(place, module, last, Standing.UNSAFE if standing is Standing.FOREIGN else standing)
    elif module == "raw_ops":
        yield from _operation(place, last)
    elif not isinstance(name, str) or name not in functions():
        yield _unsafe(place, f"names tf.{name}")


def _node(place: str, node_def: Any) -> Iterator[Danger]:
    operations = operations_of(node_def)
    for name in operations:
        yield from _operation(place, name)
    if not operations:
        yield _unsafe(place, "a node of a graph that cannot be read")


def _operation(place: str, name: str) -> Iterator[Danger]:
    if name not in nodes():
        yield _unsafe(place, f"names TensorFlow's operation {name}")


def _method(place: str, class_name: Any, name: Any) -> Iterator[Danger]:
    if not (_is_one_of(class_name, _CLASSES) and _is_one_of(name, _CLASS_METHODS)):
        yield _unsafe(place, f"names the method tf.{class_name}.{name}")


def _attribute(place: str, name: Any, known: frozenset[str]) -> Iterator[Danger]:
    if not _is_one_of(name, known):
        yield _unsafe(place, f"names the attribute {name} of a tensor")


def _is_one_of(name: Any, known: frozenset[str]) -> bool:
    return isinstance(name, str) and name in known


def _unsafe(place: str, detail: str) -> Danger:
    return Danger(Kind.UNSAFE_CALLABLE, place, detail[:_SHOWN])


JUDGES = (calls,)
