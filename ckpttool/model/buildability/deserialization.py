"""From an entry of a config to what it stands for (`deserialize_keras_object`,
keras/src/saving/serialization_lib.py, 3.15, in safe mode)."""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.buildability import names
from ckpttool.model.buildability.context import Context, shown
from ckpttool.model.buildability.lookup import find
from ckpttool.model.buildability.removed_classes import is_removed_class
from ckpttool.model.buildability.shapes import is_dtype, standard_shape
from ckpttool.model.buildability.values import Function, Layer, Object, Own, Special, Tensor

_PLAIN = (str, bool, int, float, Special)
_LISTS = (list, tuple)
_LAMBDA = "it is Python code of a lambda, which Keras does not run in safe mode"


def deserialize(value: Any, context: Context) -> Any:
    """The object that a value of a config is deserialized to. Raises Refused where Keras raises."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, _LISTS):
        return [deserialize(item, context) for item in value]
    if not isinstance(value, dict):
        raise context.refused("", "", f"{shown(value)} is nothing that Keras reads")
    if "class_name" not in value or "config" not in value:
        return {key: deserialize(item, context) for key, item in value.items()}
    return _entry(value, context)


def deserialize_named(kind: str, value: Any, context: Context) -> Any:
    """The object of a name or an entry that Keras looks up among the objects of a kind first, as
    `keras.losses.deserialize` does. An unknown name stays a string."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [deserialize(item, context) for item in value]
    if _is_the_users(value):
        return deserialize(value, context)
    name, config = _looked_up(value, context), value.get("config") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise context.refused("", "", f"{shown(name)} is no name among {kind}")
    place = names.named(kind, name)
    if place is None:
        return name
    if names.is_function(place):
        return _function_called(name, place, value, context)
    return construct(place, {} if config is None else config, {}, context)


def _is_the_users(value: Any) -> bool:
    """Whether an entry names no module, and so an object that Keras takes from the user's own ones, or not at all."""
    if not isinstance(value, dict) or value.get("module", "") is not None or "config" not in value:
        return False
    name = value.get("class_name")
    if name == "function":
        return isinstance(value["config"], str)
    return isinstance(name, str) and not names.is_known(name) and not is_removed_class(name)


def _function_called(name: str, place: str, value: Any, context: Context) -> Any:
    """A function that was found by its name is looked up once more, in the module that the entry or Keras names for it,
    which does not have all short names: `mse` is a loss in Keras, and no metric."""
    module = value.get("module") if isinstance(value, dict) else names.public_module(place)
    return _function({"class_name": "function", "module": module, "registered_name": name}, name, context)


def _looked_up(value: Any, context: Context) -> Any:
    """The name to look up: the value itself, an entry's class name, or its function's name."""
    if not isinstance(value, dict):
        return value
    if "class_name" not in value:
        raise context.refused("", "class_name", f"{shown(value)} names no class")
    if value["class_name"] == "function":
        module = value.get("module")
        if module is None:
            raise context.refused("function", "module", "no module is named for a function")
        return value.get("config" if module == "builtins" else "registered_name")
    if value.get("module", "_") is None:
        raise context.refused(value["class_name"], "module", "the module is null, and Keras does not look it up")
    return value["class_name"]


def _entry(entry: dict[str, Any], context: Context) -> Any:
    """The object of an entry `{"class_name", "config"}`."""
    name = entry["class_name"]
    config = {} if entry["config"] is None else entry["config"]
    if isinstance(name, str) and name in _SPECIAL:
        return _SPECIAL[name](config, entry, context)
    if name == "function":
        return _function(entry, config, context)
    if not isinstance(config, dict):
        raise context.refused(name, "config", f"config is {shown(config)}; Keras takes an object")
    shared = entry.get("shared_object_id")
    if context.shared is not None and isinstance(shared, str | int) and shared in context.shared:
        return context.shared[shared]
    target = find(entry, name, context)
    if isinstance(target, Function):
        return target
    result = _own(target, entry, config) if isinstance(target, Own) else construct(target, config, entry, context)
    if context.shared is not None and isinstance(shared, str | int):
        context.shared[shared] = result
    return result


def _own(own: Own, entry: Mapping[str, Any], config: Mapping[str, Any]) -> Layer:
    """An object of the user's, which may be a layer."""
    name = config.get("name")
    return Layer("", name if isinstance(name, str) else None, {**config, "class_name": own.name})


def construct(place: str, config: Any, entry: Mapping[str, Any], context: Context) -> Any:
    """The object of a class made of its config, built and compiled as its entry says."""
    return context.steps.make(place, config, entry, context)


def _function(entry: dict[str, Any], config: Any, context: Context) -> Any:
    if not isinstance(config, str):
        raise context.refused("function", "config", f"a function is named by {shown(config)}; Keras takes a string")
    target = find(entry, config, context)
    if isinstance(target, str):
        return Object(target)  # a class named as a function: Keras hands it on as it is
    return target


def _keras_tensor(config: Any, entry: Mapping[str, Any], context: Context) -> Tensor:
    if not isinstance(config, dict) or not {"shape", "dtype", "keras_history"} <= config.keys():
        raise context.refused("__keras_tensor__", "config", "a tensor lacks its shape, dtype or keras_history")
    shape = () if config["shape"] in ("", {}) else standard_shape(config["shape"])
    if shape is None or not is_dtype(config["dtype"]):
        actual = f"{shown(config['shape'])} and {shown(config['dtype'])}"
        raise context.refused("__keras_tensor__", "shape", f"shape and dtype of a tensor are {actual}")
    return Tensor(shape, config["dtype"], history=config["keras_history"])


def _array(config: Any, entry: Mapping[str, Any], context: Context) -> Special:
    name = str(entry["class_name"])
    if not isinstance(config, dict) or not {"value", "dtype"} <= config.keys():
        raise context.refused(name, "config", "an array lacks its value or dtype")
    if not is_array(config["value"]) or not isinstance(config["dtype"], str | None):
        raise context.refused(name, "value", f"{shown(config['value'])} is no array of {shown(config['dtype'])}")
    return Special(name.strip("_"), config["value"], dict(entry))


def is_array(value: Any, depth: int = 0) -> bool:
    """Whether NumPy makes an array of numbers or strings of a value: nested lists of equal lengths."""
    if not isinstance(value, list | tuple):
        return value is not None and not isinstance(value, dict)
    if depth > 32:
        return False
    lengths = {len(item) if isinstance(item, list | tuple) else -1 for item in value}
    return len(lengths) < 2 and all(is_array(item, depth + 1) for item in value)


def _bytes(config: Any, entry: Mapping[str, Any], context: Context) -> Special:
    if not isinstance(config, dict) or not isinstance(config.get("value"), str):
        raise context.refused("__bytes__", "value", "bytes without a string for them")
    return Special("bytes", config["value"], dict(entry))


def _slice(config: Any, entry: Mapping[str, Any], context: Context) -> Special:
    if not isinstance(config, dict) or not {"start", "stop", "step"} <= config.keys():
        raise context.refused("__slice__", "config", "a slice lacks start, stop or step")
    return Special("slice", [deserialize(config[key], context) for key in ("start", "stop", "step")])


def _lambda(config: Any, entry: Mapping[str, Any], context: Context) -> Any:
    raise context.refused("__lambda__", "", _LAMBDA)


def _typespec(config: Any, entry: Mapping[str, Any], context: Context) -> Any:
    raise context.refused("__typespec__", "", "a TypeSpec of TensorFlow, which Keras 3 does not find")


_SPECIAL = {
    "__keras_tensor__": _keras_tensor,
    "__tensor__": _array,
    "__numpy__": _array,
    "__bytes__": _bytes,
    "__ellipsis__": lambda config, entry, context: Special("ellipsis", None, dict(entry)),
    "__slice__": _slice,
    "__lambda__": _lambda,
    "__typespec__": _typespec,
}
