"""The stored state of an optimizer: which of its arrays are numbers, and which are of what kind for which weight.

Up to Keras 2.10 the arrays are listed kind after kind, those of Ftrl weight after weight; since 2.11 as in Keras 3.
(keras/optimizers.py, 1.2.2 and 2.2.4; tensorflow/python/keras/optimizer_v2, 2.10; keras/src/optimizers, 2.15.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.conversion.compile.optimizer_scalars import Lost, finite, number, product, whole_steps
from ckpttool.conversion.journal import Journal
from ckpttool.io import scalars
from ckpttool.model.optimizers import Trained, optimizer_state

WHERE = "optimizer"
_COUNTS_STEPS = frozenset({"Adam", "AdamW", "Adamax", "Lamb", "Nadam"})  # whose rule asks for the iteration

# The kinds of arrays in their old order, by the names that Keras 3 has for them.
_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Adadelta": ("accumulated_grad", "accumulated_delta_var"),
        "Adagrad": ("accumulator",),
        "Adam": ("momentum", "velocity", "velocity_hat"),
        "AdamW": ("momentum", "velocity", "velocity_hat"),
        "Adamax": ("momentum", "norm"),
        "Ftrl": ("accumulator", "linear"),
        "Lamb": ("momentum", "velocity"),
        "Nadam": ("momentum", "velocity"),
        "SGD": ("momentum",),
    }
)
Key = tuple[str, int]
"""A kind of array, and the number of the trained weight that it is for."""


class Held(NamedTuple):
    """What an optimizer held: the numbers in front, and the arrays by what they are."""

    front: Sequence[Weight]
    arrays: Mapping[Key, Weight]

    def steps(self, optimizer: Mapping[str, Any], journal: Journal) -> int:
        """The number of steps so far. Keras 1 and 2 did not store it for all optimizers."""
        if self.front:
            return whole_steps(self.front[0])
        rate = optimizer["config"].get("learning_rate")
        if isinstance(rate, Mapping) or optimizer["class_name"] in _COUNTS_STEPS:
            journal.lose(WHERE, "the number of steps is not stored, and is counted from 0")
        return 0

    def rate(self) -> float | None:
        """The learning rate, where it is stored beside the config."""
        return finite(self.front[1]) if len(self.front) > 1 and "learning_rate" in self.front[1].path else None

    def product(self, checkpoint: Checkpoint) -> float | None:
        """The product of the momenta of Nadam, where it is stored, or follows from the rule of Keras 1 and 2."""
        if len(self.front) > 1 and "learning_rate" not in self.front[1].path:
            return finite(self.front[1])
        settings = checkpoint.training_config
        stated = settings.get("optimizer_config") if isinstance(settings, Mapping) else None
        config = stated.get("config") if isinstance(stated, Mapping) else None
        if not isinstance(config, Mapping) or "schedule_decay" not in config or not self.front:
            return None
        decay = number({"config": config}, "schedule_decay", 0.004)
        return product(whole_steps(self.front[0]), number({"config": config}, "beta_1", 0.9), decay)


def held_in(stored: Sequence[Weight], shapes: Sequence[tuple[int, ...]], optimizer: Mapping[str, Any]) -> Held:
    """What the stored arrays are, in their order: that of Keras 3, or kind after kind. In front of them are the
    iteration, if it is stored, and the learning rate or the product of Nadam's momenta."""
    found = [held for keys in _orders(stored, shapes, optimizer) if (held := _as_listed(stored, keys)) is not None]
    if not found:
        kept = optimizer["class_name"]
        raise Lost(f"{len(stored)} arrays for {len(shapes)} trained weights are not what {kept} keeps")
    return min(found, key=lambda held: abs(len(held.front) - 1))


def _as_listed(stored: Sequence[Weight], keys: _Keys) -> Held | None:
    """The stored arrays as the last of them are listed, None where they cannot be that."""
    front, rest = stored[: max(0, len(stored) - len(keys))], stored[-len(keys) :] if keys else []
    if len(rest) != len(keys) or len(front) > 2 or any(weight.shape != () for weight in front):
        return None
    if not all(_fits(kind, weight.shape, shape) for (kind, _, shape), weight in zip(keys, rest, strict=True)):
        return None
    return Held(front, {(kind, at): weight for (kind, at, _), weight in zip(keys, rest, strict=True)})


def _fits(kind: str, stored: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array may be of a kind. Keras 2 had one number for each where Adam did not keep the last."""
    return stored == shape or (kind == "velocity_hat" and stored == (1,))


_Keys = list[tuple[str, int, tuple[int, ...]]]
"""The kinds of some arrays in their order, each with the number of the weight that it is for, and its shape."""


def _orders(
    stored: Sequence[Weight], shapes: Sequence[tuple[int, ...]], optimizer: Mapping[str, Any]
) -> Iterator[_Keys]:
    """The orders in which the writer may have listed its arrays. Names tell whether that was as it is today."""
    if _SINCE_2_11.fullmatch(stored[0].path):
        yield _today(shapes, optimizer)
        if optimizer["class_name"] == "SGD":
            yield _today(shapes, {**optimizer, "config": {**optimizer["config"], "momentum": 0.5}})
        return
    for kinds in _old_kinds(optimizer):
        pairs = [(kind, at) for kind in kinds for at in range(len(shapes))]
        if optimizer["class_name"] == "Ftrl":
            pairs.sort(key=lambda pair: pair[1])
        yield [(kind, at, shapes[at]) for kind, at in pairs]


_SINCE_2_11 = re.compile(r"optimizer_weights/iteration(:0)?|optimizer/(inner_optimizer/)?vars/0")
LATE = re.compile(r"optimizer_weights/\w+/iter(:0)?$")
# Before, the iteration was "iterations", "Adam/iterations:0", "param_0" or "training/Adam/iter:0".


def _today(shapes: Sequence[tuple[int, ...]], optimizer: Mapping[str, Any]) -> _Keys:
    trained = [Trained(str(at), shape, "float32", f"w/{at}") for at, shape in enumerate(shapes)]
    found = [one for one in optimizer_state(optimizer, trained).get("", ()) if "/" in one.name and not one.assigned]
    return [
        (kind, scalars.digits(at) or 0, tuple(axis or 0 for axis in one.shape or ()))
        for one in found
        for at, _, kind in [one.name.partition("/")]
    ]


def _old_kinds(optimizer: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The kinds of arrays that an old optimizer may have kept: all, or as many as its settings asked for."""
    if optimizer["class_name"] == "RMSprop":
        config = optimizer["config"]
        asked = {"momentum": config.get("momentum"), "average_gradient": config.get("centered")}
        yield ("velocity", *(kind for kind, used in asked.items() if used))
        return
    kinds = _KINDS.get(optimizer["class_name"], ())
    yield from (kinds[:count] for count in range(len(kinds), -1, -1))
