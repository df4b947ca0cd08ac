"""Making objects of their configs (`from_config` of each class, Keras 3.15)."""

from collections.abc import Callable, Mapping
from typing import Any

from ckpttool.model.buildability import functional, sequential
from ckpttool.model.buildability.calls import build
from ckpttool.model.buildability.combinations import check_together
from ckpttool.model.buildability.compilation import compile_from_config
from ckpttool.model.buildability.context import Context, shown
from ckpttool.model.buildability.rules import rule_of
from ckpttool.model.buildability.table import Row, row_of
from ckpttool.model.buildability.values import FUNCTIONAL, MODEL, SEQUENTIAL, Layer, Object


def make(place: str, config: Any, entry: Mapping[str, Any], context: Context) -> Any:
    """The object of a class, built and compiled as its entry says. Raises Refused where Keras raises."""
    row = row_of(place)
    if row is None:
        raise context.refused(place.rpartition(".")[2], "", "Keras makes no objects of this class from a config")
    model = _MODELS.get(place)
    result = model(place, config, context) if model else _constructed(place, row, config, context)
    _after(result, entry, context)
    return result


def _constructed(place: str, row: Row, config: Any, context: Context) -> Any:
    class_name = place.rpartition(".")[2]
    if not isinstance(config, dict):
        raise context.refused(class_name, "config", f"config is {shown(config)}; Keras takes an object")
    if row.is_operation:
        with context.below(config.get("name", class_name)):
            return _layer(place, row, config, context)
    return Object(place, _arguments(class_name, row, config, context))


def _layer(place: str, row: Row, config: dict[str, Any], context: Context) -> Layer:
    arguments = _arguments(place.rpartition(".")[2], row, config, context)
    name, shape = config.get("name"), config.get("input_shape")
    if config.get("input_dim") is not None and not place.endswith("Embedding"):  # which has it for itself
        shape = [config["input_dim"]]
    layer = Layer(place, name if isinstance(name, str) else None, config, arguments, input_shape=shape)
    functional.begin(layer)
    return layer


def _arguments(class_name: str, row: Row, config: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The arguments of a constructor, checked one by one, then together."""
    missing = next((key for key in row.required if key not in config), None)
    if missing is not None:
        raise context.refused(class_name, missing, "it is not given, and Keras cannot do without it")
    unknown = next((key for key in config if key not in row.rules), None)
    if unknown is not None and not row.open:
        raise context.refused(class_name, unknown, f"{class_name} of Keras 3 has no such argument")
    arguments = {key: _argument(class_name, row, key, value, context) for key, value in config.items()}
    check_together(class_name, arguments, context)
    return arguments


def _argument(class_name: str, row: Row, key: str, value: Any, context: Context) -> Any:
    """The value of an argument once it is deserialized. Raises Refused where the class does not take it."""
    rule = rule_of(row.rules[key]) if key in row.rules else None
    if rule is None:
        return value
    return rule(value, lambda why: context.refused(class_name, key, why), context)


def _after(result: Any, entry: Mapping[str, Any], context: Context) -> None:
    """Build and compile an object as its entry says."""
    if entry.get("build_config"):
        if not isinstance(result, Layer):
            return
        if isinstance(entry["build_config"], int | float) and not result.built:
            value = shown(entry["build_config"])
            raise context.refused(result.class_name, "build_config", f"it is {value}; Keras takes an object")
        build(result, entry["build_config"], context)
    settings = entry.get("compile_config")
    if settings:
        if not isinstance(result, Layer) or not result.is_model:
            raise context.refused(getattr(result, "class_name", ""), "compile_config", "only models are compiled")
        compile_from_config(result, settings, context)


_MODELS: Mapping[str, Callable[[str, Any, Context], Layer]] = {
    FUNCTIONAL: functional.from_config,
    MODEL: functional.from_config,
    SEQUENTIAL: sequential.from_config,
}
