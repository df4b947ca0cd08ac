"""What a model of Keras 0 to 2 was compiled with, as `compile_config` of Keras 3.

Sources: `save_model` of 1.2.2 and 2.2.4, `model_metadata` and `get_compile_config` of 2.15; `compile_from_config` of
keras/src/trainers/trainer.py and the constructors of optimizers, losses and metrics, 3.15.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.architecture.defaults import class_called, defaults_of
from ckpttool.architecture.sizes import items
from ckpttool.conversion.journal import Edit, Journal

RECOMPILE = Edit(
    "rewrite-compile-settings", "writes loss, metrics and optimizer as Keras 3 does", "always: what differs is listed"
)
DECAY = Edit(
    "decay-to-schedule",
    "writes `decay` of an optimizer as InverseTimeDecay",
    "always: learning_rate / (1 + decay * iteration)",
)
EDITS = (RECOMPILE, DECAY)

WHERE = "compile"
MAX_DEPTH = 16

_LOSSES = MappingProxyType(
    {"huber_loss": "huber", "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh"}
)
_METRICS = MappingProxyType(
    {
        **dict.fromkeys(("acc", "Accuracy"), "accuracy"),
        **_LOSSES,
        "cosine": "cosine_similarity",
        "cosine_proximity": "cosine_similarity",
    }
)
_BY_SHAPE = frozenset({"accuracy", "crossentropy", "ce"})  # names that Keras resolves by the shape of an output
_WRAPPERS = frozenset({"LossFunctionWrapper", "MeanMetricWrapper", "SumOverBatchSizeMetricWrapper"})
_REDUCTIONS: Mapping[Any, str] = MappingProxyType({None: "none", "auto": "sum_over_batch_size"})
_SETTINGS = frozenset({"run_eagerly", "steps_per_execution", "jit_compile"})
_GONE = frozenset({"dynamic", "is_legacy_optimizer", "jit_compile"})  # of optimizers: they say nothing of the rule
_OTHER_RULES = MappingProxyType(
    {
        "Adagrad": "adds epsilon below the root, where older ones added it to the root",
        "Nadam": "has another schedule of momentum",
        "RMSprop": "adds epsilon below the root, where older ones added it to the root",
    }
)
_SINCE_2_11 = frozenset({"clipnorm", "ema_momentum", "global_clipnorm", "use_ema", "weight_decay"})


class _Unknown(Exception):
    """Something that Keras 3 does not find, and what."""


def compile_config(training: Any, journal: Journal) -> dict[str, Any] | None:
    """The `compile_config` of Keras 3 for what an older file states, None where the model is not compiled, or with what
    is not built into Keras; what is lost is noted."""
    if not isinstance(training, Mapping) or not training:
        return None
    try:
        optimizer = _optimizer(training.get("optimizer_config", training.get("optimizer")), journal)
        loss = _loss(training.get("loss"), 0)
    except _Unknown as error:
        journal.lose(WHERE, f"all settings of compile: {error}")
        return None
    found = {"optimizer": optimizer, "loss": loss, "loss_weights": items(training.get("loss_weights"))}
    for key in ("metrics", "weighted_metrics"):
        found[key] = _metrics(training.get(key), key, journal)
    if training.get("sample_weight_mode"):
        journal.lose(WHERE, f"sample_weight_mode {training['sample_weight_mode']!r}, which Keras 3 works out by itself")
    journal.edit(RECOMPILE, WHERE, str(optimizer["class_name"]))
    return found | {key: training[key] for key in _SETTINGS if training.get(key) is not None}


def _object(module: str, class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": f"keras.{module}", "class_name": class_name, "config": dict(config), "registered_name": None}


def _optimizer(value: Any, journal: Journal) -> dict[str, Any]:
    """An optimizer with its arguments of today."""
    name = value.get("class_name") if isinstance(value, Mapping) else value
    config = value.get("config") if isinstance(value, Mapping) else {}
    class_name = class_called("optimizers", name.rpartition(">")[2]) if isinstance(name, str) else None
    if class_name is None or not isinstance(config, Mapping):
        raise _Unknown(f"the optimizer {str(name)[:60]}")
    known = defaults_of("optimizers", class_name) or {}
    given = {"learning_rate" if key == "lr" else key: item for key, item in config.items()}
    found = {key: item for key, item in given.items() if (key in known or key == "name") and item is not None}
    rate = _rate(given.get("learning_rate"))
    decay = given.get("decay")
    if isinstance(decay, int | float) and decay:
        journal.edit(DECAY, WHERE, f"decay={decay}")
        rate = _object(
            "optimizers.schedules",
            "InverseTimeDecay",
            {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay, "staircase": False},
        )
    if rate is not None:
        found["learning_rate"] = rate
    if class_name == "LossScaleOptimizer" and isinstance(given.get("inner_optimizer"), Mapping):
        found["inner_optimizer"] = _optimizer(given["inner_optimizer"], journal)
    _note_lost(class_name, {key: item for key, item in given.items() if key not in {*found, "decay"}}, journal)
    if class_name == "Nadam" and not _SINCE_2_11.isdisjoint(config):
        journal.lose(WHERE, "Nadam's product of momenta, which Keras 2 did not store, is worked out as Keras 3 does")
    if class_name in _OTHER_RULES and _SINCE_2_11.isdisjoint(config):
        journal.lose(WHERE, f"{class_name} of Keras 3 {_OTHER_RULES[class_name]}")
    return _object("optimizers", class_name, found)


def _note_lost(class_name: str, rest: Mapping[str, Any], journal: Journal) -> None:
    for key, item in rest.items():
        if item not in (None, False, 0) and key not in _GONE:
            journal.lose(WHERE, f"{class_name}'s {key}, which was {str(item)[:60]}")


def _rate(value: Any) -> Any:
    """A learning rate: a number, or a schedule of today."""
    if not isinstance(value, Mapping):
        return value
    name, config = value.get("class_name"), value.get("config")
    known = defaults_of("schedules", name) if isinstance(name, str) else None
    if known is None or not isinstance(config, Mapping):
        raise _Unknown(f"the schedule of learning rates {str(name)[:60]}")
    return _object(
        "optimizers.schedules", str(name), {key: items(item) for key, item in config.items() if key != "name"}
    )


def _loss(value: Any, depth: int) -> Any:
    """A loss, or several in a list or by the names of outputs."""
    if depth > MAX_DEPTH:
        raise _Unknown("losses nested too deep")
    if value is None:
        return None
    if isinstance(value, str):
        return _named(value, "losses", _LOSSES)
    if isinstance(value, list):
        return [_loss(item, depth + 1) for item in value]
    if isinstance(value, Mapping) and not isinstance(value.get("class_name"), str):
        return {key: _loss(item, depth + 1) for key, item in value.items()}
    return _thing(value, "losses", _LOSSES)


def _named(name: str, kind: str, renamed: Mapping[str, str]) -> str:
    """The name of a function or class of today."""
    tail = name.rpartition(">")[2]
    today = renamed.get(tail, tail)
    if tail in ("cosine", "cosine_proximity") and kind == "losses":
        raise _Unknown(f"the loss {tail}, whose scale was another")
    if class_called(kind, today) is None and not (kind == "metrics" and today in _BY_SHAPE):
        raise _Unknown(f"the {_SINGULAR[kind]} {tail[:60]}, which is not built into Keras 3")
    return today


_SINGULAR = MappingProxyType({"losses": "loss", "metrics": "metric"})


def _thing(value: Any, kind: str, renamed: Mapping[str, str]) -> Any:
    """An object of a loss or metric, or a function in one that wraps it."""
    config = value.get("config") if isinstance(value, Mapping) else None
    class_name = value.get("class_name") if isinstance(value, Mapping) else None
    if class_name in ("function", "builtin_function_or_method") and isinstance(config, str):
        return _named(config, kind, renamed)
    if not isinstance(class_name, str) or not isinstance(config, Mapping):
        raise _Unknown(f"a {_SINGULAR[kind]} that cannot be read")
    if class_name in _WRAPPERS:
        fn = config.get("fn")
        fn = fn.get("config") if isinstance(fn, Mapping) else fn
        class_name = class_called(kind, _named(str(fn), kind, renamed)) or str(fn)
    else:
        class_name = class_called(kind, class_name.rpartition(">")[2]) or class_name
    known = defaults_of(kind, class_name)
    if known is None:
        raise _Unknown(f"the {_SINGULAR[kind]} {class_name[:60]}, which is not built into Keras 3")
    kept = {key: items(item) for key, item in config.items() if key in known or key in ("name", "num_classes")}
    if isinstance(kept.get("reduction", ...), str | None):
        kept["reduction"] = _REDUCTIONS.get(kept["reduction"], kept["reduction"])
    return _object(kind, class_name, kept)


def _metrics(value: Any, key: str, journal: Journal) -> Any:
    """Metrics in a list, or by the names of outputs; those that Keras 3 does not find are left out."""

    def one(item: Any) -> Any:
        try:
            return _named(item, "metrics", _METRICS) if isinstance(item, str) else _thing(item, "metrics", _METRICS)
        except _Unknown as error:
            journal.lose(WHERE, f"{key}: {error}")
            return None

    return _each(value, one, 0)


def _each(value: Any, change: Callable[[Any], Any], depth: int) -> Any:
    if value is None or depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        found = [_each(item, change, depth + 1) for item in value]
        if len(found) == 1 and isinstance(found[0], list):
            return found[0]
        return [item for item in found if item is not None]
    if isinstance(value, Mapping) and not isinstance(value.get("class_name"), str):
        return {key: _each(item, change, depth + 1) for key, item in value.items()}
    return change(value)
