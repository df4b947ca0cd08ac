"""The entry of an object in a config, `{"module", "class_name", "config", "registered_name"}`: whose class or function
it names, by its module, and new entries (`serialize_keras_object`, keras/src/saving/serialization_lib.py, 3.15)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

MODULES_OF_MODELS: Mapping[str, str] = MappingProxyType(
    {"Functional": "keras.src.models.functional", "Sequential": "keras"}
)
"""The modules of Keras 3.15's models in configs; its layers are in `keras.layers`."""

_KERAS_3 = ("keras.",)
_OLD = ("tf_keras.", "tensorflow.keras.", "tensorflow.python.keras.")
_KERAS = (*_KERAS_3, *_OLD)
_OPERATIONS = ("keras.ops.", "keras.src.ops.")


def is_keras(module: Any) -> bool:
    """Whether a module is Keras's own, under any name that Keras has had. `keras_hub` and the like are others'."""
    return _is_within(module, _KERAS)


def is_keras_3(module: Any) -> bool:
    """Whether a module is `keras` itself or inside it, where Keras 3 looks for its own classes."""
    return _is_within(module, _KERAS_3)


def is_old_keras(module: Any) -> bool:
    """Whether a module is of tf.keras, where Keras 3 does not look."""
    return _is_within(module, _OLD)


def names_no_other(module: Any) -> bool:
    """Whether a module is Keras's own or `builtins`, which Keras 2.12 and later write for the functions of losses and
    metrics, their own and the user's."""
    return module == "builtins" or is_keras(module)


def holds_operations(module: Any) -> bool:
    """Whether a module is one of Keras 3's operations, such as `keras.src.ops.numpy`."""
    return _is_within(module, _OPERATIONS)


def _is_within(module: Any, packages: tuple[str, ...]) -> bool:
    return isinstance(module, str) and f"{module}.".startswith(packages)


def is_foreign(entry: Mapping[str, Any]) -> bool:
    """Whether an entry names a module outside Keras, or null in its place; older ones name none."""
    return "module" in entry and not is_keras(entry["module"])


def is_operation(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a Keras 3 config is that of an operation: it names a module of operations, or in a legacy
    `.h5`, which names none, it is called in a graph and has not what the config of every layer has."""
    config, nodes = entry.get("config"), entry.get("inbound_nodes")
    if "module" in entry or not isinstance(config, Mapping) or "trainable" in config or not isinstance(nodes, list):
        return holds_operations(entry.get("module"))
    if not nodes or not all(isinstance(node, Mapping) and "args" in node for node in nodes):
        return False
    from ckpttool.model.buildability.names import operation_module  # few files are such

    return operation_module(entry["class_name"]) is not None


def entry_of(module: str, class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of an object of Keras's own, such as one of `keras.initializers`."""
    return {"module": module, "class_name": class_name, "config": dict(config), "registered_name": None}


def layer_entry(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of one of Keras's own layers or models."""
    return entry_of(MODULES_OF_MODELS.get(class_name, "keras.layers"), class_name, config)


def internal_entry(module: str, class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a class of Keras's own that is in none of its public modules: an operation, or a layer such as
    LayerScale. It has its name as registered name."""
    return {**entry_of(module, class_name, config), "registered_name": class_name}


def node_entry(module: str, class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a layer or an operation in a graph."""
    make = internal_entry if holds_operations(module) else entry_of
    return make(module, class_name, config)


def own_entry(module: str | None, class_name: str, config: Any, registered_name: str) -> dict[str, Any]:
    """The entry of an object of a class of the user's own."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


def function_entry(module: str | None, name: str, registered_name: str = "function") -> dict[str, Any]:
    """The entry of a function."""
    return own_entry(module, "function", name, registered_name)
