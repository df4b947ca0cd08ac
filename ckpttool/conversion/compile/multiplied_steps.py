"""Steps of training of weights that are multiplied for `hard_sigmoid`.

A weight that is 1.2 times as large has a gradient that is 1.2 times as small, and an optimizer takes a step of the same
size or of a smaller one, where the same model would need one that is 1.2 times as large. So the first step differs
already, of every optimizer, whether it keeps state or not; what regularizers add and what constraints allow are of the
larger weights.
"""

from collections.abc import Iterable

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.journal import Journal, shortened
from ckpttool.conversion.weights.placement import PlacedWeight, is_multiplied

_SHOWN = 3


def note(placed: Iterable[PlacedWeight], journal: Journal) -> None:
    """Note that further training of layers whose trained weights were multiplied is not the same, in a compiled
    model."""
    trained = (weight.place.layer for weight in placed if weight.place.slot.trainable and is_multiplied(weight))
    layers = list(dict.fromkeys(trained))
    if layers:
        journal.lose(
            WHERE,
            f"further training of {shortened(layers, _SHOWN)} is not the same: the weights before a hard_sigmoid are "
            "multiplied, and steps, regularizers and constraints are not; --keep-weights keeps them as they are",
        )
