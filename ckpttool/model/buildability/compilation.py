"""Compile settings: optimizer, losses, metrics (`Trainer.compile` and `compile_from_config`,
keras/src/trainers/trainer.py; `compile_args_from_training_config`, keras/src/legacy/saving/saving_utils.py, 3.15).

Keras builds losses and metrics at the first step of training only, so that compiling looks at their types alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ckpttool.model.buildability import names
from ckpttool.model.buildability import predicates as are
from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.deserialization import construct, deserialize, deserialize_named
from ckpttool.model.buildability.removed_classes import is_removed_class
from ckpttool.model.buildability.table import row_of
from ckpttool.model.buildability.values import Layer, Object, Own
from ckpttool.model.compile_names import RESOLVED_METRICS

_ARGUMENTS = frozenset({
    *("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution"),
    *("jit_compile", "auto_scale_loss"),
})  # fmt: skip


def compile_from_config(model: Layer, settings: Any, context: Context) -> None:
    """Compile a model as `compile_config` says. Raises Refused where Keras raises."""
    if not isinstance(settings, dict):
        raise context.refused("", "compile_config", f"the compile settings are {shown(settings)}")
    unknown = next((key for key in settings if key not in _ARGUMENTS), None)
    arguments: dict[str, Any] = {}
    for key, value in settings.items():
        with _inside(key, context):
            arguments[key] = deserialize(value, context)
    if unknown is not None:
        raise context.refused("", unknown, "compile of Keras 3 has no such argument")
    _compile(arguments, context)
    if model.built and arguments.get("optimizer", "rmsprop") is None:
        raise _bad("optimizer", context, "there is none, and Keras cannot make its variables")
    if model.built:
        with context.below("optimizer"):
            _check_variables(arguments.get("optimizer"), context)


def compile_from_training_config(model: Layer, settings: Any, context: Context) -> None:
    """Compile a model as `training_config` of a legacy file says. Raises Refused where Keras raises."""
    if not isinstance(settings, dict):
        raise context.refused("", "training_config", f"the compile settings are {shown(settings)}")
    for key in ("optimizer_config", "loss_weights"):
        if key not in settings:
            raise context.refused("", key, "it is not given, and Keras cannot do without it")
    with _inside("optimizer", context):
        optimizer = _legacy_optimizer(settings["optimizer_config"], context)
    arguments: dict[str, Any] = {"optimizer": optimizer, "loss_weights": settings["loss_weights"]}
    for key, kind in (("loss", "losses"), ("metrics", "metrics"), ("weighted_metrics", "metrics")):
        with _inside(key, context):
            arguments[key] = _legacy(kind, settings.get(key), context)
    loss = arguments["loss"]
    if isinstance(loss, str) and names.is_known(loss):  # it would look up config.name of an entry
        raise _bad("loss", context, f"Keras 3 does not find {shown(loss)} in a .h5, unless it is in a list")
    _compile(arguments, context)


def _check_variables(optimizer: Any, context: Context) -> None:
    """A LossScaleOptimizer makes a variable of its first scale (`LossScaleOptimizer.build`)."""
    scale = optimizer.arguments.get("initial_scale", 1.0) if isinstance(optimizer, Object) else 1.0
    if scale is None or not are.numbers_or_null(scale):
        raise context.refused(_called(optimizer), "initial_scale", f"it is {shown(scale)}; Keras takes a number")


@contextmanager
def _inside(key: str, context: Context) -> Iterator[None]:
    with context.below(key):
        yield


def _bad(key: str, context: Context, why: str) -> Refused:
    with context.below(key):
        return context.refused("", "", why)


def _compile(arguments: dict[str, Any], context: Context) -> None:
    """The checks of `Trainer.compile`."""
    with context.below("optimizer"):
        _check_optimizer(arguments.get("optimizer", "rmsprop"), context)
    weights = arguments.get("loss_weights")
    if arguments.get("loss") is not None and weights and not isinstance(weights, list | tuple | dict | float):
        raise _bad("loss_weights", context, f"{shown(weights)}; Keras takes a number with a point, a list or an object")
    for key in ("metrics", "weighted_metrics"):
        value = arguments.get(key)
        if value and not isinstance(value, list | tuple | dict):
            raise _bad(key, context, f"{_called(value)}; Keras takes a list or an object")


def _called(value: Any) -> str:
    return getattr(value, "class_name", None) or shown(value)


def _check_optimizer(value: Any, context: Context) -> None:
    """`optimizers.get`: a name, an entry, or an optimizer."""
    if isinstance(value, dict):
        value = _optimizer(value, context)
    elif isinstance(value, str):
        value = _optimizer({"class_name": value, "config": {}}, context)
    if value is None or isinstance(value, Own) or (isinstance(value, Layer) and not value.place):
        return
    if not isinstance(value, Object) or not _is(value, "optimizer"):
        raise context.refused(_called(value), "", f"{_called(value)} is no optimizer of Keras 3")


def _is(value: Object, kind: str) -> bool:
    row = row_of(value.place)
    return row is not None and row.kind == kind


def _optimizer(entry: Any, context: Context) -> Any:
    """`optimizers.deserialize`, in which the case of a name does not count."""
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise context.refused("", "class_name", f"{shown(entry)} names no optimizer")
    name = entry["class_name"]
    if names.named("optimizers", name.lower()) is not None:
        entry = {**entry, "class_name": name.lower()}
    return deserialize_named("optimizers", entry, context)


def _legacy_optimizer(entry: Any, context: Context) -> Any:
    """The optimizer of a legacy file: one that is not known by its class is looked up by its `name`."""
    optimizer = _optimizer(entry, context)
    if not isinstance(optimizer, str):
        return optimizer
    name = entry["config"].get("name") if isinstance(entry.get("config"), dict) else None
    place = names.named("optimizers", name.lower()) if isinstance(name, str) else None
    if place is not None:
        return construct(place, {}, {}, context)
    if names.is_known(optimizer) or optimizer.startswith("Custom>"):
        raise context.refused(optimizer, "", f"Keras 3 has no optimizer {optimizer}")
    return own_or_refused(optimizer, context, f"Keras 3 has no optimizer {optimizer}")


def own_or_refused(name: str, context: Context, why: str) -> Own:
    """An own object, unless older versions of Keras had one of that name."""
    if is_removed_class(name):
        raise context.refused(name, "", why)
    return context.own(name)


def _legacy(kind: str, value: Any, context: Context) -> Any:
    """Losses or metrics of a legacy file, in lists and objects of any depth."""
    if value is None:
        return None
    if isinstance(value, str) or (isinstance(value, dict) and "class_name" in value):
        return _legacy_named(kind, value, context)
    if isinstance(value, dict):
        return {key: _legacy(kind, item, context) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_legacy(kind, item, context) for item in value]
    raise context.refused("", "", f"{shown(value)} is no setting that Keras understands")


def _legacy_named(kind: str, value: Any, context: Context) -> Any:
    """One loss or metric. A name that Keras does not know stays a name, and compiling does not look at it."""
    if kind == "metrics" and isinstance(value, str) and value in RESOLVED_METRICS:
        return value
    value = deserialize_named(kind, value, context)
    if isinstance(value, str) and not names.is_known(value):
        context.own(value)
    return value
