"""The relation of two weights where no config states it: the change by `convert` that makes one of the other, bit for
bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Weight
from ckpttool.conversion.config.hard_sigmoid import FACTOR
from ckpttool.conversion.weights.deviations import Deviation, Variance
from ckpttool.conversion.weights.transforms import Arrangement, Cudnn
from ckpttool.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np

MAX_BYTES = 1 << 27
"""The size in bytes beyond which weights are not looked at."""

MULTIPLIED = f"multiplied by {FACTOR}"
"""The beginning of every relation that hard_sigmoid is the reason for."""

_EPSILON = 1e-6  # the default of BatchNormalization in the versions of Keras that stored a deviation
_GATES = (3, 4)


def relation(old: Weight, new: Weight, epsilon: float = _EPSILON) -> str:
    """The change, as text, that makes `new` of `old`; empty where no change by `convert` does, or it cannot be known.

    Both must have the same float dtype. `epsilon` is the argument of a BatchNormalization.
    """
    if old.dtype != new.dtype or not old.dtype.startswith("float") or max(old.nbytes, new.nbytes) > MAX_BYTES:
        return ""
    try:
        if not _may_be_related(old, new):
            return ""
        before, after = old.read(), new.read()
    except CheckpointError:
        return ""
    if not before.any():  # most changes leave zeros as they are, so that zeros prove nothing
        return ""
    import numpy as np

    with np.errstate(all="ignore"):  # a change that is tried need not make sense
        return next((text for text, holds in _candidates(before, after, epsilon) if holds()), "")


def _may_be_related(old: Weight, new: Weight) -> bool:
    """Whether the first numbers leave a relation possible; True where they cannot be read alone.

    So large weights that are plainly different, as after training, are not read a second time. Each test is what every
    change of that kind leaves: a factor multiplies whole columns, a reversed kernel has its first numbers in the last
    place of space, and the layout of cuDNN keeps the first number of a kernel.
    """
    if len(old.shape) < 2 or not old.size:
        return True
    columns, last = old.shape[-1], old.size - old.shape[-2] * old.shape[-1]
    rows = old.between(0, columns), new.between(0, columns), new.between(last, last + columns)
    if None in rows or old.shape != new.shape:
        return True
    import numpy as np

    first, same_place, last_place = (row.read() for row in rows if row)
    with np.errstate(all="ignore"):
        grown = first * first.dtype.type(FACTOR) == same_place
    if np.all(grown | (first == same_place)):
        return True
    return _are_same(first[:1], same_place[:1]) if len(old.shape) == 2 else _are_same(first, last_place)


_Candidate = tuple[str, Callable[[], bool]]


def _candidates(old: np.ndarray, new: np.ndarray, epsilon: float) -> Iterator[_Candidate]:
    """The possible changes as text, each with a function that says whether it was made."""
    if old.shape == new.shape and old.ndim:
        yield from _multiplied(old, new)
        if old.ndim > 2:  # the kernel of a convolution; its last two axes are channels
            axes = tuple(slice(None, None, -1) for _ in range(old.ndim - 2))
            yield "reversed along all spatial axes, as Theano has kernels", lambda: _are_same(old[axes], new)
    if old.ndim == 1:
        yield from (_arranged(how, old, new) for how in (Deviation(epsilon), Variance(epsilon)))
    if old.ndim in (1, 2):
        slots = ("bias",) if old.ndim == 1 else ("kernel", "recurrent_kernel")
        for slot, gates in ((slot, gates) for slot in slots for gates in _GATES if old.shape[-1] % gates == 0):
            yield _arranged(Cudnn(slot, gates), old, new)


def _multiplied(old: np.ndarray, new: np.ndarray) -> Iterator[_Candidate]:
    """The factor of hard_sigmoid, in some columns or in all."""
    import numpy as np

    scaled = old * old.dtype.type(FACTOR)
    axes = tuple(range(old.ndim - 1))
    grown, same = (np.all(before == new, axis=axes) for before in (scaled, old))
    count, columns = (grown & ~same).sum().item(), new.shape[-1]
    text = MULTIPLIED if count == columns else f"{MULTIPLIED} in {count:,} of {columns:,} columns"
    yield text, lambda: count > 0 and bool(np.all(grown | same))


def _arranged(how: Arrangement, old: np.ndarray, new: np.ndarray) -> _Candidate:
    def holds() -> bool:
        return how.shape(old.shape) == new.shape and _are_same(how.apply(old), new)

    return f"changed ({how.description})", holds


def _are_same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()
