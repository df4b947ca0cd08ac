"""Entries without a module, as legacy files have them (`model_from_config`, keras/src/legacy/saving/saving_utils.py,
and `deserialize_keras_object`, keras/src/legacy/saving/serialization.py, 3.15)."""

from collections.abc import Mapping
from typing import Any

from ckpttool.io import scalars
from ckpttool.model.buildability.context import Context, shown
from ckpttool.model.buildability.deserialization import construct
from ckpttool.model.buildability.lookup import find_layer
from ckpttool.model.buildability.names import is_layer_function
from ckpttool.model.buildability.result import Obstacle
from ckpttool.model.buildability.table import row_of
from ckpttool.model.buildability.values import Layer, Own

_LAMBDA_DROPPED = ("module", "function_type", "output_shape_type", "output_shape_module")


def layer_of(entry: Any, context: Context) -> Any:
    """The layer or model of an entry. Raises Refused where Keras raises."""
    if not isinstance(entry, dict) or "config" not in entry or "class_name" not in entry:
        raise context.refused("", "", f"{shown(entry)} is no config with class_name and config")
    name, config = entry["class_name"], entry["config"]
    if not isinstance(config, dict):
        form = "a list, the form of Keras 2.2.2 and older" if isinstance(config, list) else shown(config)
        raise context.refused(name, "config", f"config is {form}; Keras takes an object")
    written, config = config, _translated(name, dict(config), context)
    place = find_layer(name, config, context)
    if isinstance(place, Own):
        own = config.get("name")
        return Layer("", own if isinstance(own, str) else None, {**config, "class_name": place.name})
    with context.below(config.get("name", name)):
        _refuse_functions(name, config, context)
        _note_dropped_axis(place, written, config, context)
    return construct(place, config, {}, context)


def _refuse_functions(class_name: Any, config: Mapping[str, Any], context: Context) -> None:
    """Refuse a text that the loader of `.h5` replaces by the function of `keras.layers` of that name, such as the
    `score_mode` "dot" of Attention (`class_and_config_for_serialized_keras_object`,
    keras/src/legacy/saving/serialization.py, 3.15)."""
    for key, value in config.items():
        if key != "name" and is_layer_function(value):
            why = f"Keras 3 takes {shown(value)} in a .h5 for its function keras.layers.{value}"
            raise context.refused(class_name, key, why)


def _note_dropped_axis(place: str, written: Mapping[str, Any], config: Mapping[str, Any], context: Context) -> None:
    """Note an `axis` that Keras drops: it is null, or are several, and the layer gets its default, -1
    (`model_from_config`, keras/src/legacy/saving/saving_utils.py, 3.15). Of a mean and a variance that are single
    numbers, Normalization computes the same along any axes."""
    row = row_of(place)
    single = all(isinstance(written.get(key), int | float) for key in ("mean", "variance"))
    if "axis" not in written or "axis" in config or single or row is None or "axis" not in row.rules:
        return
    why = f"Keras 3 drops the axis {shown(written['axis'])} of a layer in a .h5, and takes its default"
    context.misread.append(Obstacle(context.where, place.rpartition(".")[2], "axis", why))


def _axis(name: Any, value: Any, context: Context) -> int:
    axis = scalars.truncated(value)
    if axis is None:
        raise context.refused(name, "axis", f"the axis is {shown(value)}; Keras takes a whole number")
    return axis


def _translated(name: Any, config: dict[str, Any], context: Context) -> dict[str, Any]:
    """The config with what Keras 3 understands of older ones put in its words."""
    shape = config.pop("batch_input_shape", None)
    if shape is not None:
        config["batch_shape" if name == "InputLayer" else "input_shape"] = shape
    axis = config.pop("axis", None)
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0] if isinstance(axis[0], str) else _axis(name, axis[0], context)
    elif isinstance(axis, int | float):
        config["axis"] = _axis(name, axis, context)
    if name == "Lambda":
        config = {key: value for key, value in config.items() if key not in _LAMBDA_DROPPED}
        if isinstance(config.get("function"), list):
            config["function"] = {"class_name": "__lambda__", "config": {}}
    return config
