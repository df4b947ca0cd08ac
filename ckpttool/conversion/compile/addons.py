"""Optimizers and metrics of TensorFlow Addons that Keras 3 has under another name.

Sources: tensorflow_addons/optimizers/weight_decay_optimizers.py, lamb.py and lazy_adam.py, tensorflow_addons/metrics/
f_scores.py, 0.13 to 0.21; `_apply_weight_decay` of keras/src/optimizers/base_optimizer.py, keras/src/optimizers/lamb.py
and keras/src/metrics/f_score_metrics.py, 3.15.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

PACKAGE = "Addons>"
METRICS = frozenset({"F1Score", "FBetaScore"})
"""Metrics that Keras 3 took over as they were."""


class NoCounterpart(Exception):
    """An optimizer of TensorFlow Addons has settings for which Keras 3 has no place, and which."""


class Counterpart(NamedTuple):
    """An optimizer of Keras 3 that takes the same steps, with its arguments. `guess` is what the file does not tell,
    `lost` what it does otherwise; both are empty where there is nothing to say."""

    class_name: str
    config: dict[str, Any]
    guess: str = ""
    lost: str = ""


def optimizer(value: Any) -> Counterpart | None:
    """What takes the steps of an optimizer of TensorFlow Addons; None for all others. Raises NoCounterpart."""
    stated = value.get("class_name") if isinstance(value, Mapping) else None
    config = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(stated, str) or not isinstance(config, Mapping) or not stated.startswith(PACKAGE):
        return None
    found = _OPTIMIZERS.get(stated.removeprefix(PACKAGE))
    return found(dict(config)) if found else None


def _decoupled(class_name: str) -> Callable[[dict[str, Any]], Counterpart]:
    """An optimizer that takes `weight_decay` of each weight off at each step, where Keras 3 takes off that part of it
    times the learning rate."""

    def made(config: dict[str, Any]) -> Counterpart:
        decay, rate = config.pop("weight_decay", None), config.get("learning_rate")
        if config.pop("exclude_from_weight_decay", None):
            raise NoCounterpart("weight decay of some weights alone, told by their names")
        if not decay:
            return Counterpart(class_name, config | {"weight_decay": 0.0})
        if not _is_positive(decay) or not _is_positive(rate) or config.get("decay"):
            raise NoCounterpart("weight decay beside a learning rate that changes, which does not change it")
        return Counterpart(class_name, config | {"weight_decay": decay / rate})

    return made


def _lamb(config: dict[str, Any]) -> Counterpart:
    """LAMB without weight decay, which Keras 3 has not as part of the step."""
    if config.pop("weight_decay_rate", None) or config.pop("weight_decay", None):
        raise NoCounterpart("weight decay as part of the step")
    lists = [config.pop(f"exclude_from_{what}", ...) for what in ("weight_decay", "layer_adaptation")]
    if any(one not in (None, [], ...) for one in lists):
        raise NoCounterpart("weights that are told by their names and treated otherwise")
    guess = "LAMB treats all weights alike; which it was to leave out, the file does not tell"
    return Counterpart("Lamb", config, guess=guess if lists[1] is ... else "")


def _lazy_adam(config: dict[str, Any]) -> Counterpart:
    """Adam, but for embeddings."""
    config.pop("amsgrad", None)
    return Counterpart(
        "Adam", config, lost="LazyAdam left rows of an Embedding that were not used alone; Adam does not"
    )


_OPTIMIZERS: Mapping[str, Callable[[dict[str, Any]], Counterpart]] = MappingProxyType(
    {"AdamW": _decoupled("AdamW"), "LAMB": _lamb, "LazyAdam": _lazy_adam, "SGDW": _decoupled("SGD")}
)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
