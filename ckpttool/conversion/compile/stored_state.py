"""The stored state of an optimizer: its numbers, and its arrays by kind and trained weight.

Up to Keras 2.10 the arrays are listed kind by kind, those of Ftrl weight by weight; since 2.11 as in Keras 3.
(keras/optimizers.py, 1.2.2 and 2.2.4; tensorflow/python/keras/optimizer_v2, 2.10; keras/src/optimizers, 2.15.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.conversion.compile.optimizer_scalars import StateNotConvertible, finite, number, product, whole_steps
from ckpttool.conversion.journal import Journal
from ckpttool.io import scalars
from ckpttool.model.optimizers import Trained, optimizer_state

WHERE = "optimizer"
_COUNTS_STEPS = frozenset({"Adam", "AdamW", "Adamax", "Lamb", "Nadam"})  # whose steps depend on the iteration

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
"""A kind of array, and the number of the trained weight to which it belongs."""
_Keys = list[tuple[str, int, tuple[int, ...]]]
"""The kinds of arrays in their order, each with the number of its weight, and its shape."""


class StoredState(NamedTuple):
    """The stored state of an optimizer: the numbers in front, and the arrays by kind and weight."""

    front: Sequence[Weight]
    arrays: Mapping[Key, Weight]

    def steps(self, optimizer: Mapping[str, Any], journal: Journal) -> int:
        """The number of steps so far, 0 where it is not stored: Keras 1 and 2 did not for all optimizers."""
        if self.front:
            return whole_steps(self.front[0])
        rate = optimizer["config"].get("learning_rate")
        if isinstance(rate, Mapping) or optimizer["class_name"] in _COUNTS_STEPS:
            journal.lose(WHERE, "the number of steps is not stored, and is counted from 0")
        return 0

    def rate(self) -> float | None:
        """The stored learning rate, None where only the config has one."""
        return finite(self.front[1]) if len(self.front) > 1 and "learning_rate" in self.front[1].path else None

    def product(self, checkpoint: Checkpoint) -> float | None:
        """The product of Nadam's momenta: stored, or computed as in Keras 1 and 2; None where neither is possible."""
        if len(self.front) > 1 and "learning_rate" not in self.front[1].path:
            return finite(self.front[1])
        settings = checkpoint.training_config
        optimizer = settings.get("optimizer_config") if isinstance(settings, Mapping) else None
        config = optimizer.get("config") if isinstance(optimizer, Mapping) else None
        if not isinstance(config, Mapping) or "schedule_decay" not in config or not self.front:
            return None
        decay = number({"config": config}, "schedule_decay", 0.004)
        return product(whole_steps(self.front[0]), number({"config": config}, "beta_1", 0.9), decay)


def stored_state_of(
    stored: Sequence[Weight], shapes: Sequence[tuple[int, ...]], optimizer: Mapping[str, Any]
) -> StoredState:
    """The stored arrays by kind and weight, in the order of Keras 3 or kind by kind. Raises StateNotConvertible.

    In front of the arrays there may be the iteration, and the learning rate or the product of Nadam's momenta.
    """
    readings = [
        reading for keys in _orders(stored, shapes, optimizer) if (reading := _as_listed(stored, keys)) is not None
    ]
    if not readings:
        class_name = optimizer["class_name"]
        raise StateNotConvertible(
            f"{len(stored)} arrays for {len(shapes)} trained weights are not the state of {class_name}"
        )
    # Where arrays of one number fit in several ways: nearly every writer has one number in front, the iteration.
    return min(readings, key=lambda reading: abs(len(reading.front) - 1))


def _as_listed(stored: Sequence[Weight], keys: _Keys) -> StoredState | None:
    """The stored arrays, of which the last are those of these keys; None where their shapes do not allow that."""
    front, rest = stored[: max(0, len(stored) - len(keys))], stored[-len(keys) :] if keys else []
    if len(rest) != len(keys) or len(front) > 2 or any(weight.shape != () for weight in front):
        return None
    if not all(_fits(kind, weight.shape, shape) for (kind, _, shape), weight in zip(keys, rest, strict=True)):
        return None
    return StoredState(front, {(kind, at): weight for (kind, at, _), weight in zip(keys, rest, strict=True)})


def _fits(kind: str, stored: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array has a shape that fits its kind. Without amsgrad, Keras 2 stores one number as `velocity_hat`."""
    return stored == shape or (kind == "velocity_hat" and stored == (1,))


def _orders(
    stored: Sequence[Weight], shapes: Sequence[tuple[int, ...]], optimizer: Mapping[str, Any]
) -> Iterator[_Keys]:
    """The orders in which the writer may have listed its arrays; by their names, that of Keras 3 alone."""
    if _SINCE_2_11.fullmatch(stored[0].path):
        yield _keras3_order(shapes, optimizer)
        if optimizer["class_name"] == "SGD":  # since 2.11 it keeps momenta even where momentum is 0
            yield _keras3_order(shapes, {**optimizer, "config": {**optimizer["config"], "momentum": 0.5}})
        return
    for kinds in _old_kinds(optimizer):
        pairs = [(kind, at) for kind in kinds for at in range(len(shapes))]
        if optimizer["class_name"] == "Ftrl":
            pairs.sort(key=lambda pair: pair[1])
        yield [(kind, at, shapes[at]) for kind, at in pairs]


_SINCE_2_11 = re.compile(r"optimizer_weights/iteration(:0)?|optimizer/(inner_optimizer/)?vars/0")
ITERATION_UNTIL_2_10 = re.compile(r"optimizer_weights/\w+/iter(:0)?$")
# Before, the iteration was "iterations", "Adam/iterations:0", "param_0" or "training/Adam/iter:0".


def _keras3_order(shapes: Sequence[tuple[int, ...]], optimizer: Mapping[str, Any]) -> _Keys:
    trained = [Trained(str(at), shape, "float32", f"w/{at}") for at, shape in enumerate(shapes)]
    variables = [
        variable
        for variable in optimizer_state(optimizer, trained).get("", ())
        if "/" in variable.name and not variable.assigned
    ]
    return [
        (kind, scalars.digits(at) or 0, tuple(axis or 0 for axis in variable.shape or ()))
        for variable in variables
        for at, _, kind in [variable.name.partition("/")]
    ]


def _old_kinds(optimizer: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The lists of kinds of arrays that an old optimizer may have stored, depending on its settings."""
    if optimizer["class_name"] == "RMSprop":
        config = optimizer["config"]
        asked = {"momentum": config.get("momentum"), "average_gradient": config.get("centered")}
        yield ("velocity", *(kind for kind, used in asked.items() if used))
        return
    kinds = _KINDS.get(optimizer["class_name"], ())
    yield from (kinds[:count] for count in range(len(kinds), -1, -1))
