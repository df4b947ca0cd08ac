"""The changes of the settings that a model was compiled with, whichever Keras wrote them.

Sources: `save_model` of 1.2.2 and 2.2.4 (`optimizer_config`), `model_metadata` and `get_compile_config` of 2.15 and
3.15; `Trainer.compile` of 3.15 for the defaults.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.comparison.arguments import Difference, Sides, differences, shown
from ckpttool.comparison.change import ABSENT, COMPILE, OPTIMIZER, ConfigChange
from ckpttool.comparison.objects import ConfigObject, meaning
from ckpttool.model.compile_names import OLD_MEASURES, RESOLVED_METRICS, SCALING, scales_losses, with_new_rate
from ckpttool.model.defaults import class_called

MAX_DEPTH = 16

_OPTIMIZER = ("optimizer", "optimizer_config")
_KINDS = MappingProxyType({"loss": "losses", "metrics": "metrics", "weighted_metrics": "metrics"})
# The defaults. For `jit_compile` there is none: where it is not set, Keras decides by the machine.
_DEFAULTS: Mapping[str, Any] = MappingProxyType({"run_eagerly": False, "steps_per_execution": 1})
_UNSTATED = frozenset({"jit_compile"})
# Names that Keras resolves by the shape of an output, with the classes that they may become.
_RESOLVED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "accuracy": frozenset({"BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"}),
        "crossentropy": frozenset({"BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"}),
    }
)
_WRAPPERS = frozenset({"MeanMetricWrapper", "SumOverBatchSizeMetricWrapper"})
_EMA = frozenset({"ema_momentum", "ema_overwrite_frequency"})  # of the average of weights that `use_ema` asks for
_LOSS_WRAPPER = "LossFunctionWrapper"
_REDUCTIONS: Mapping[Any, str] = MappingProxyType({None: "none", "auto": "sum_over_batch_size"})
_WITHOUT_EFFECT: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {"decay": (0, None), "dynamic": (True,), "is_legacy_optimizer": (True, False), "jit_compile": (True, False)}
)
"""Arguments of old optimizers that Keras 3 does not have, with the values that have no effect in Keras 3."""


class Compiled(NamedTuple):
    """The training config of a model, the names of its outputs, and whether Keras before 3 wrote it."""

    config: Any
    outputs: tuple[str, ...] = ()
    old: bool = False

    @property
    def settings(self) -> Mapping[str, Any] | None:
        """The settings of `compile` by name; None where the model was not compiled."""
        return self.config if isinstance(self.config, Mapping) and self.config else None


def compile_changes(a: Compiled, b: Compiled) -> Iterator[ConfigChange]:
    """The changes between two training configs; one change where only one model is compiled."""
    one, other = a.settings, b.settings
    if one is None or other is None:
        if one is not other:
            yield ConfigChange("", "compile", _summary(one), _summary(other), COMPILE)
        return
    sides = Sides((a.old, b.old))
    for key, before, after in _optimizers(one, other, sides):
        yield ConfigChange("", key, shown(before), shown(after), OPTIMIZER)
    for key in dict.fromkeys((*one, *other)):
        if key not in _OPTIMIZER:
            kind, left, right = _setting(key, (one.get(key), a.outputs), (other.get(key), b.outputs))
            for path, before, after in differences(key, kind, left, right, sides):
                yield ConfigChange("", path, shown(before), shown(after), COMPILE)


def _summary(config: Mapping[str, Any] | None) -> Any:
    """The optimizer and the loss of a compiled model; ABSENT where the model is not compiled."""
    if config is None:
        return ABSENT
    optimizer = shown(meaning("optimizers", _optimizer(_optimizer_of(config)), False))
    return {"optimizer": optimizer, **{key: config[key] for key in ("loss",) if key in config}}


def _optimizer_of(config: Mapping[str, Any]) -> Any:
    return next((config[key] for key in _OPTIMIZER if config.get(key) is not None), None)


def _optimizers(a: Mapping[str, Any], b: Mapping[str, Any], sides: Sides) -> Iterator[Difference]:
    one, other = (_optimizer(_optimizer_of(config)) for config in (a, b))
    if _is_scaling(one) is not _is_scaling(other):  # `compile` may have wrapped it, which not every file shows
        one, other = _unwrapped(one), _unwrapped(other)
    one, other = (ABSENT if value is None else value for value in (one, other))
    yield from differences("optimizer", "optimizers", one, other, sides)


def _is_scaling(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("class_name") == SCALING


def _unwrapped(value: Any) -> Any:
    """The optimizer inside a LossScaleOptimizer with default arguments, as `compile` creates it; else the value."""
    config = value.get("config") if _is_scaling(value) else None
    if not isinstance(config, Mapping):
        return value
    inner = config.get("inner_optimizer")
    plain = {**value, "config": {"inner_optimizer": inner}}
    return value if any(differences("", "optimizers", value, plain, Sides())) else inner


def _optimizer(value: Any, depth: int = 0) -> Any:
    """An optimizer with the argument names of Keras 3, without arguments that have no effect."""
    config = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(config, Mapping) or depth > MAX_DEPTH:
        return value
    named = with_new_rate(config)
    averaged = named.get("use_ema") is True
    used = (key for key, item in named.items() if not _has_no_effect(key, item) and (averaged or key not in _EMA))
    arguments = {key: named[key] for key in used}
    if "inner_optimizer" in arguments:
        arguments["inner_optimizer"] = _optimizer(arguments["inner_optimizer"], depth + 1)
    class_name = value.get("class_name")
    class_name = SCALING if scales_losses(class_name) else class_name
    return {**value, "class_name": class_name, "config": arguments}


def _has_no_effect(key: str, value: Any) -> bool:
    # 0.0 counts as 0, but False does not.
    return any(value is idle or (value == idle and isinstance(value, float)) for idle in _WITHOUT_EFFECT.get(key, ()))


Setting = tuple[Any, tuple[str, ...]]
"""The value of a setting, and the names of the model's outputs."""


def _setting(key: str, a: Setting, b: Setting) -> tuple[str, Any, Any]:
    """The kind of a setting of `compile`, and its values on both sides in a form that can be compared."""
    kind = _KINDS.get(key, "")
    if kind == "metrics":
        return kind, *_resolved(*_by_outputs(a, b))
    if kind == "losses":
        return kind, _loss(a[0]), _loss(b[0])
    if key in _UNSTATED and not (isinstance(a[0], bool) and isinstance(b[0], bool)):
        return kind, None, None
    default = _DEFAULTS.get(key)
    one, other = (default if value is None else value for value, _ in (a, b))
    return kind, one, other


def _loss(value: Any, depth: int = 0) -> Any:
    """One or more losses in the form of Keras 3: a list of one as its item, functions by name."""
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, list):
        losses = [_loss(item, depth + 1) for item in value]
        return losses[0] if len(losses) == 1 else losses
    if not isinstance(value, Mapping):
        return OLD_MEASURES.get(value, value) if isinstance(value, str) else value
    if not isinstance(value.get("class_name"), str):
        return {key: _loss(item, depth + 1) for key, item in value.items()}
    return _function(value, frozenset({_LOSS_WRAPPER}), "losses")


def _metrics(value: Any, depth: int = 0) -> Any:
    """The metrics of one output as a list, which may be empty; of several outputs as a list or dict of such lists."""
    if value is None or depth > MAX_DEPTH:
        return []
    if isinstance(value, list):
        if any(isinstance(item, list) for item in value):
            by_output = [_metrics(item, depth + 1) for item in value]
            return by_output[0] if len(by_output) == 1 else by_output
        return [_metric(item) for item in value]
    if isinstance(value, Mapping) and not isinstance(value.get("class_name"), str):
        return {key: _metrics(item, depth + 1) for key, item in value.items()}
    return [_metric(value)]


def _by_outputs(a: Setting, b: Setting) -> tuple[Any, Any]:
    """The metrics of two models; a list for each output where one side has that, as legacy files of Keras 2 do."""
    one, other = _metrics(a[0]), _metrics(b[0])
    if not (_is_nested(one) or _is_nested(other)):
        return one, other
    return _for_each(one, a[1], len(other)), _for_each(other, b[1], len(one))


def _is_nested(metrics: Any) -> bool:
    return isinstance(metrics, list) and any(isinstance(item, list) for item in metrics)


def _for_each(metrics: Any, outputs: tuple[str, ...], count: int) -> Any:
    """The metrics in a list for each output, without the name of the output that Keras 2 puts before their names."""
    if isinstance(metrics, Mapping):
        return [metrics.get(name, []) for name in outputs] if metrics.keys() <= set(outputs) else metrics
    if not _is_nested(metrics):
        return [metrics] * count
    names = (*outputs, *("" for _ in metrics[len(outputs) :]))
    return [
        [_without_output(metric, name) for metric in own] if isinstance(own, list) else own
        for own, name in zip(metrics, names, strict=False)
    ]


def _without_output(metric: Any, output: str) -> Any:
    """A metric without the name of its output in front of its own."""
    config = metric.get("config") if isinstance(metric, Mapping) else None
    name = config.get("name") if isinstance(config, Mapping) else None
    if not isinstance(name, str) or not output or not isinstance(config, Mapping):
        return metric
    return {**metric, "config": {**config, "name": name.removeprefix(f"{output}_")}}


def _metric(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _function(value, _WRAPPERS, "metrics")
    value = RESOLVED_METRICS.get(value, value) if isinstance(value, str) else value
    return OLD_MEASURES.get(value, value) if isinstance(value, str) else value


def _function(value: Mapping[str, Any], wrappers: frozenset[str], kind: str) -> Any:
    """A loss or metric without the function that it wraps: as its built-in class, else as the name of the function."""
    config = value.get("config")
    class_name = str(value.get("class_name")).rpartition(">")[2]
    if not isinstance(config, Mapping):
        return meaning("", value, False)
    arguments = {key: item for key, item in config.items() if key != "fn"}
    reduction = arguments.get("reduction", ...)
    if isinstance(reduction, str | None):
        arguments["reduction"] = _REDUCTIONS.get(reduction, reduction)
    if class_name not in wrappers:
        return {**value, "config": arguments}
    fn = meaning("", config.get("fn"), False)
    fn = OLD_MEASURES.get(fn, fn) if isinstance(fn, str) else fn
    built_in = class_called(kind, fn) if isinstance(fn, str) else None
    return {"class_name": built_in, "config": arguments} if built_in else fn


def _resolved(a: Any, b: Any) -> tuple[Any, Any]:
    """Two lists of metrics, in which a name that Keras resolves by an output's shape is the class of the other side."""
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = [_resolved(one, other) for one, other in zip(a, b, strict=True)]
        return [one for one, _ in pairs], [other for _, other in pairs]
    return _as_other(a, b), _as_other(b, a)


def _as_other(name: Any, other: Any) -> Any:
    """The class of `other`, if Keras may resolve the name to it; else the name."""
    if not isinstance(name, str) or not isinstance(other, Mapping):
        return name
    metric = meaning("metrics", other, False)
    if not isinstance(metric, ConfigObject) or metric.class_name not in _RESOLVED.get(name, ()):
        return name
    called = metric.config.get("name")
    same_name = isinstance(called, str) and RESOLVED_METRICS.get(called, called) == name
    return {"class_name": metric.class_name, "config": {"name": called} if same_name else {}}
