"""The numbers of parameters and bytes of the weights that a model expects."""

import math
from collections.abc import Iterable

from ckpttool.io import dtypes
from ckpttool.model.spec import SpecSlot


def params_of(slots: Iterable[SpecSlot]) -> int | None:
    """The number of parameters of weights; None where a shape is not known."""
    total = 0
    for slot in slots:
        if slot.shape is None or None in slot.shape:
            return None
        total += math.prod(size or 0 for size in slot.shape)
    return total


def nbytes_of(slots: Iterable[SpecSlot]) -> int | None:
    """The number of bytes of weights; None where a shape or a dtype is not known."""
    total = 0
    for slot in slots:
        params, item = params_of([slot]), dtypes.itemsize(slot.dtype)
        if params is None or item is None:
            return None
        total += params * item
    return total
