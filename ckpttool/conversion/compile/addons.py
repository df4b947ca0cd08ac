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
"""Metrics of TensorFlow Addons that Keras 3 has unchanged."""


class NoCounterpart(Exception):
    """An optimizer of TensorFlow Addons has settings without an equivalent in Keras 3; the message names them."""


class Counterpart(NamedTuple):
    """An optimizer of Keras 3 that takes the same steps, with its arguments. `guess` is an assumption about settings
    that the file does not store, `lost` a difference in the steps; both may be empty."""

    class_name: str
    config: dict[str, Any]
    guess: str = ""
    lost: str = ""


def optimizer(value: Any) -> Counterpart | None:
    """The counterpart of an optimizer of TensorFlow Addons; None for all other optimizers. Raises NoCounterpart."""
    class_name = value.get("class_name") if isinstance(value, Mapping) else None
    config = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(class_name, str) or not isinstance(config, Mapping) or not class_name.startswith(PACKAGE):
        return None
    counterpart = _OPTIMIZERS.get(class_name.removeprefix(PACKAGE))
    return counterpart(dict(config)) if counterpart else None


def _decoupled(class_name: str) -> Callable[[dict[str, Any]], Counterpart]:
    """The counterpart of an optimizer that subtracts `weight_decay` times each weight at each step; Keras 3 subtracts
    that times the learning rate."""

    def counterpart(config: dict[str, Any]) -> Counterpart:
        decay, rate = config.pop("weight_decay", None), config.get("learning_rate")
        if config.pop("exclude_from_weight_decay", None):
            raise NoCounterpart("weight decay of some weights alone, chosen by their names")
        if not decay:
            return Counterpart(class_name, config | {"weight_decay": 0.0})
        if not _is_positive(decay) or not _is_positive(rate) or config.get("decay"):
            raise NoCounterpart("weight decay that does not change with the learning rate, which changes")
        return Counterpart(class_name, config | {"weight_decay": decay / rate})

    return counterpart


def _lamb(config: dict[str, Any]) -> Counterpart:
    """The counterpart of LAMB without weight decay, which is no part of the step in Keras 3."""
    if config.pop("weight_decay_rate", None) or config.pop("weight_decay", None):
        raise NoCounterpart("weight decay as part of the step")
    lists = [config.pop(f"exclude_from_{effect}", ...) for effect in ("weight_decay", "layer_adaptation")]
    if any(names not in (None, [], ...) for names in lists):
        raise NoCounterpart("weights that are chosen by their names and treated differently")
    guess = "LAMB treats all weights alike; the file does not say which it left out"
    return Counterpart("Lamb", config, guess=guess if lists[1] is ... else "")


def _lazy_adam(config: dict[str, Any]) -> Counterpart:
    """The counterpart of LazyAdam: Adam, which differs only for embeddings."""
    config.pop("amsgrad", None)
    return Counterpart(
        "Adam", config, lost="LazyAdam did not change rows of an Embedding that were not used; Adam does"
    )


_OPTIMIZERS: Mapping[str, Callable[[dict[str, Any]], Counterpart]] = MappingProxyType(
    {"AdamW": _decoupled("AdamW"), "LAMB": _lamb, "LazyAdam": _lazy_adam, "SGDW": _decoupled("SGD")}
)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
