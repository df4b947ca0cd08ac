"""The shapes of an optimizer's variables for weights whose shapes are in no config, as after the user's own classes.

Keras creates each variable in the shape of its weight (`Optimizer.add_variable_from_reference`,
keras/src/optimizers/base_optimizer.py, 3.15). The weight has the shape of the stored one, if it loads at all.
"""

from collections.abc import Mapping
from dataclasses import replace

from ckpttool.model.sizes import Shape
from ckpttool.model.spec import Spec, SpecSlot
from ckpttool.verification.pairs import Pairing

_FACTORS = frozenset({"r", "c"})  # of Adafactor, whose shapes are not those of the weight


def with_stored_shapes(spec: Spec, pairing: Pairing) -> Spec:
    """The spec, in which variables of the optimizer without a known shape have the shape of the stored weight."""
    shapes = {slot.label: weight.shape for slot, weight in pairing.pairs if slot.shape is None or None in slot.shape}
    if not shapes:
        return spec
    return replace(spec, optimizer=tuple(_with_shape(slot, shapes) for slot in spec.optimizer))


def _with_shape(slot: SpecSlot, shapes: Mapping[str, Shape]) -> SpecSlot:
    """A variable in the shape of its weight; its name ends in the weight's name and the kind: `kernel/momentum`."""
    weight, _, kind = slot.name.rpartition("/")
    if kind in _FACTORS or (slot.shape is not None and None not in slot.shape):
        return slot
    while weight and weight not in shapes:
        weight = weight.partition("/")[2]
    return replace(slot, shape=shapes[weight]) if weight else slot
