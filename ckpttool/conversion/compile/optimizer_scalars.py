"""The variables of an optimizer that belong to no weight: iteration, learning rate, and numbers computed of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ckpttool.checkpoint import Section, Weight
from ckpttool.formats.hdf5.values import InMemory
from ckpttool.io import scalars

INNER = "inner_optimizer/"
MAX_STEPS = 2**53
MAX_NUMBER = 3e38
MAX_FACTORS = 200_000  # beyond this step, 0.96 ** (step * 0.004) is too small to change a factor
MIN_PRODUCT = 1e-45


class StateNotConvertible(Exception):
    """The state of an optimizer cannot be converted; the message says why."""


def inside(optimizer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The optimizer itself, or the inner one of a LossScaleOptimizer."""
    inner = optimizer["config"].get("inner_optimizer")
    return inner if isinstance(inner, Mapping) else optimizer


def finite(weight: Weight) -> float:
    """A stored number that counts something. Raises StateNotConvertible."""
    array = weight.read()
    read = array.item() if array.size == 1 else None
    value = scalars.real(read)
    if value is None or not 0 <= value <= MAX_STEPS:
        raise StateNotConvertible(f"{weight.path} is {str(read)[:60]}")
    return value


def whole_steps(weight: Weight) -> int:
    """A stored number of steps, without a fraction. Raises StateNotConvertible."""
    return scalars.truncated(finite(weight)) or 0


class Numbers(NamedTuple):
    """The variables of an optimizer that belong to no weight, by the iteration, the config and stored numbers.

    `momenta_product` is the product of Nadam's momenta, `rate` the learning rate and `scale` the factor of losses, each
    None where it is not stored; `good_steps` counts the steps with that factor.
    """

    optimizer: Mapping[str, Any]
    iteration: int
    momenta_product: float | None
    rate: float | None = None
    scale: float | None = None
    good_steps: int = 0

    def weight(self, name: str) -> Weight | None:
        """The variable of this name, None where it is none of these."""
        inner = inside(self.optimizer)
        if inner is not self.optimizer:
            own = {"iteration": 0, "learning_rate": 0.0, "step_counter": self.good_steps}
            if name in own:
                return _scalar(name, own[name])
            if name == "dynamic_scale":
                return _scalar(name, self.scale or first_scale(self.optimizer))
            name = name.removeprefix(INNER)
        if name == "iteration":
            return _scalar(name, self.iteration)
        if name == "u_product":
            return _scalar(name, self.product_of_momenta())
        if name == "learning_rate" and not isinstance(inner["config"].get(name), Mapping):
            return _scalar(name, number(inner, name, None) if self.rate is None else self.rate)
        return None

    def product_of_momenta(self) -> float:
        """The product of Nadam's momenta, by the rule of Keras 3 where it is not known."""
        known = self.momenta_product
        return known if known is not None else product(self.iteration, number(self.optimizer, "beta_1", 0.9), 1.0)


def number(optimizer: Mapping[str, Any], key: str, default: float | None) -> float:
    """A setting of an optimizer that is a number that Keras can hold. Raises StateNotConvertible."""
    value = optimizer["config"].get(key, default)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER:
        return scalars.real(value) or 0.0
    raise StateNotConvertible(f"{key} is {str(value)[:60]}")


def first_scale(optimizer: Mapping[str, Any]) -> float:
    """The factor of losses with which an optimizer begins. Raises StateNotConvertible."""
    return number(optimizer, "initial_scale", 2.0**15)


def product(steps: int, beta_1: float, schedule_decay: float) -> float:
    """The product of Nadam's momenta after so many steps (keras/optimizers.py, 2.2.4; keras/src/optimizers/nadam.py,
    3.15)."""
    if not (0 <= beta_1 < 1 and schedule_decay >= 0):
        raise StateNotConvertible(f"beta_1 is {beta_1}, schedule_decay {schedule_decay}")
    product = 1.0
    for step in range(1, min(steps, MAX_FACTORS) + 1):
        product *= beta_1 * (1 - 0.5 * 0.96 ** (step * schedule_decay))
        if product < MIN_PRODUCT:
            return 0.0
    return product * beta_1 ** max(0, steps - MAX_FACTORS)


def _scalar(name: str, value: float) -> Weight:
    import numpy as np

    code, dtype = ("<i8", "int64") if isinstance(value, int) else ("<f4", "float32")
    raw = np.asarray(value, code).tobytes()
    return Weight(name, (), dtype, len(raw), Section.OPTIMIZER, values=InMemory(raw))
