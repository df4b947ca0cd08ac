"""Steps of training of weights that are multiplied for `hard_sigmoid`.

A weight that is 1.2 times as large has a gradient that is 1.2 times as small, and an optimizer takes a step of the same
size or of a smaller one, where the same model would need one that is 1.2 times as large. So the first step differs
already, of every optimizer, whether it keeps state or not. What regularizers add to the loss and what constraints allow
are of the larger weights.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.compile.regularizers import ACTIVITY, regularized
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.weights.placement import PlacedWeight, is_multiplied
from ckpttool.escape import first_of

_SHOWN = 3


def note(placed: Iterable[PlacedWeight], config: Mapping[str, Any], journal: Journal) -> None:
    """Note that further training of layers whose trained weights were multiplied is not the same, in a compiled model
    in the form of Keras 3, nor the loss of those that are regularized."""
    trained = (weight.place.layer for weight in placed if weight.place.slot.trainable and is_multiplied(weight))
    layers = list(dict.fromkeys(trained))
    if not layers:
        return
    journal.lose(
        WHERE,
        f"further training of {first_of(layers, _SHOWN)} is not the same: the weights before a hard_sigmoid are "
        "multiplied, and steps and constraints are not; --keep-weights keeps them as they are",
    )
    names = {each.layer for each in regularized(config) if each.argument != ACTIVITY}
    counted = [layer for layer in layers if layer.rpartition("/")[2] in names]
    if counted:
        journal.lose(WHERE, f"the loss: the regularizers of {first_of(counted, _SHOWN)} count the multiplied weights")
