"""`running_std` of BatchNormalization, which was what its name says up to Keras 1.0.5, and a variance from then on.

Keras 0.x to 1.0.5 computed (x - mean) / (running_std + epsilon) (`call`, keras/layers/normalization.py, 0.3.3, 1.0.5),
1.0.6 did so on Theano (`batch_normalization`, keras/backend/theano_backend.py), while it kept a variance on TensorFlow.
1.0.7 kept a variance everywhere, but on Theano still added epsilon to the root of it. From 1.0.8 on epsilon is added to
the variance, as today.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.io import scalars
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation

if TYPE_CHECKING:
    import numpy as np

SQUARE = Edit(
    "square-deviation",
    "makes the moving variance of BatchNormalization of what early Keras 1 kept as running_std, and added epsilon to",
    "up to rounding: (running_std + epsilon) squared, less the epsilon that is added to it today",
)
EDITS = (SQUARE,)
SLOT = "moving_variance"

_EPSILON, _MOMENTUM = 1e-6, 0.9  # the defaults up to 1.0.6, and to no later one


def arranged(args: Args, generation: Generation, origin: Origin, label: str, journal: Journal) -> Arrangement | None:
    """How the moving variance of a layer is made of its `running_std`, None where it is that."""
    if args.class_name != "BatchNormalization" or generation not in (Generation.KERAS_0, Generation.KERAS_1):
        return None
    epsilon = args.config.get("epsilon", _EPSILON)
    number = scalars.real(epsilon)
    if number is None:
        raise args.error("epsilon", "a number")
    if generation is Generation.KERAS_0 or _keeps_deviation(args, origin, label, journal):
        found: Arrangement = Deviation(number)
    elif origin.theano and origin.before(1, 0, 8):
        found = Variance(number)
    else:
        return None
    journal.edit(SQUARE, label, found.told)
    return found


def _keeps_deviation(args: Args, origin: Origin, label: str, journal: Journal) -> bool:
    if origin.version is not None:
        return origin.before(1, 0, 6) or (origin.before(1, 0, 7) and origin.theano)
    early = (args.config.get("epsilon"), args.config.get("momentum")) == (_EPSILON, _MOMENTUM)
    kept, until = ("a standard deviation", "up to") if early else ("a variance", "after")
    why = "nothing tells the version, and epsilon and momentum are" + ("" if early else " not")
    journal.guess(label, f"running_std is {kept}, as {until} Keras 1.0.5: {why} those that were the defaults then")
    return early


class Deviation(NamedTuple):
    """A standard deviation to which epsilon was added."""

    epsilon: float

    @property
    def told(self) -> str:
        """What is done."""
        return "running_std was a standard deviation"

    def shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of today."""
        return stored

    def made(self, values: np.ndarray) -> np.ndarray:
        """The variance."""
        found: np.ndarray = (values.astype("float64") + self.epsilon) ** 2 - self.epsilon
        return found.astype(values.dtype)


class Variance(Deviation):
    """A variance to whose root epsilon was added."""

    __slots__ = ()

    @property
    def told(self) -> str:
        """What is done."""
        return "epsilon was added to the root of running_std, a variance"

    def made(self, values: np.ndarray) -> np.ndarray:
        """The variance to which epsilon is added before the root is taken."""
        return super().made(values**0.5)
