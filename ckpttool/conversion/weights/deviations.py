"""`running_std` of BatchNormalization: a standard deviation up to Keras 1.0.5, and a variance from then on.

Keras 0.x to 1.0.5 computes (x - mean) / (running_std + epsilon) (`call`, keras/layers/normalization.py, 0.3.3, 1.0.5).
1.0.6 does so on Theano (`batch_normalization`, keras/backend/theano_backend.py), and stores a variance on TensorFlow.
1.0.7 stores a variance everywhere, but on Theano still adds epsilon to its root. From 1.0.8 on epsilon is added to the
variance, as in Keras 3.
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
    "computes the moving variance of BatchNormalization from running_std of early Keras 1, which added epsilon to it",
    "up to rounding: (running_std + epsilon) squared, minus the epsilon that Keras 3 adds to the variance",
)
EDITS = (SQUARE,)
SLOT = "moving_variance"

_EPSILON, _MOMENTUM = 1e-6, 0.9  # the defaults up to 1.0.6, and to no later one


def variance_arrangement(
    args: Args, generation: Generation, origin: Origin, label: str, journal: Journal
) -> Arrangement | None:
    """The computation of a layer's moving variance from its `running_std`, None where they are equal."""
    if args.class_name != "BatchNormalization" or generation not in (Generation.KERAS_0, Generation.KERAS_1):
        return None
    epsilon = args.config.get("epsilon", _EPSILON)
    number = scalars.real(epsilon)
    if number is None:
        raise args.error("epsilon", "a number")
    if generation is Generation.KERAS_0 or _keeps_deviation(args, origin, label, journal):
        arrangement: Arrangement = Deviation(number)
    elif origin.theano and origin.before(1, 0, 8):
        arrangement = Variance(number)
    else:
        return None
    journal.edit(SQUARE, label, arrangement.description)
    return arrangement


def _keeps_deviation(args: Args, origin: Origin, label: str, journal: Journal) -> bool:
    if origin.version is not None:
        return origin.before(1, 0, 6) or (origin.before(1, 0, 7) and origin.theano)
    early = (args.config.get("epsilon"), args.config.get("momentum")) == (_EPSILON, _MOMENTUM)
    meaning, until = ("a standard deviation", "up to") if early else ("a variance", "after")
    why = "the version is not known, and epsilon and momentum are" + ("" if early else " not")
    journal.guess(label, f"running_std is {meaning}, as {until} Keras 1.0.5: {why} those that were the defaults then")
    return early


class Deviation(NamedTuple):
    """A standard deviation to which epsilon was added."""

    epsilon: float

    @property
    def description(self) -> str:
        """The change, as a phrase."""
        return "running_std was a standard deviation"

    def shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The new shape."""
        return stored

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The variance."""
        variance: np.ndarray = (values.astype("float64") + self.epsilon) ** 2 - self.epsilon
        return variance.astype(values.dtype)


class Variance(Deviation):
    """A variance to whose root epsilon was added."""

    __slots__ = ()

    @property
    def description(self) -> str:
        """The change, as a phrase."""
        return "epsilon was added to the root of running_std, a variance"

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The variance to which epsilon is added before the root is taken."""
        return super().apply(values**0.5)
