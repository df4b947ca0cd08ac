"""The state of an optimizer in a file of TensorFlow, listed as the `.h5` of the same version lists it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ckpttool.alignment.optimizer_objects import OptimizerObjects, SlotWeight, UnplacedState, optimizer_objects
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.compile.optimizer_scalars import StateNotConvertible, finite, whole_steps

_KINDS = "m rms accum_grad accumulator v momentum accum_var linear vhat mg".split()
"""The names of slots, in the order in which an optimizer lists them."""

_BY_WEIGHT = frozenset({"accumulator", "linear"})  # the slots of Ftrl, which lists them weight by weight
_PREFIX = "optimizer_weights"


def state_of(checkpoint: Checkpoint, model: frozenset[str]) -> list[Weight]:
    """The variables of the optimizer in the order of a legacy file, each under a path that ends in that of its weight.

    `model` are the paths of the weights of the model. Raises StateNotConvertible where several optimizers are possible.
    """
    if checkpoint.object_graph is None:
        return list(checkpoint.section(Section.OPTIMIZER))
    variables = _objects(checkpoint, model)
    if variables is None or variables.count is None:
        return []
    return _listed(variables, variables.count) if variables.listed else _slots(variables, variables.count)


def loss_scale(checkpoint: Checkpoint, model: frozenset[str]) -> float | None:
    """The factor of losses, None where no optimizer scales them. Raises StateNotConvertible where it is none."""
    objects = _objects(checkpoint, model)
    return finite(objects.scale) if objects is not None and objects.scale is not None else None


def good_steps(checkpoint: Checkpoint, model: frozenset[str]) -> int:
    """The number of steps with this factor, 0 where it is not stored. Raises StateNotConvertible where it is none."""
    objects = _objects(checkpoint, model)
    return whole_steps(objects.good_steps) if objects is not None and objects.good_steps is not None else 0


def momenta_product(checkpoint: Checkpoint, model: frozenset[str]) -> float | None:
    """The product of Nadam's momenta, where it is stored. Raises StateNotConvertible where it is no number."""
    optimizer = _objects(checkpoint, model)
    stored = optimizer.product if optimizer is not None else None
    return finite(stored) if stored is not None and not stored.shape else None


def _objects(checkpoint: Checkpoint, model: frozenset[str]) -> OptimizerObjects | None:
    try:
        return optimizer_objects(checkpoint, model)
    except UnplacedState as error:
        raise StateNotConvertible(str(error)) from None


def _listed(objects: OptimizerObjects, count: Weight) -> list[Weight]:
    """The variables of an optimizer since 2.11, the iteration and the learning rate first."""
    rate = objects.rate
    front = [rate] if rate is not None and all(weight.path != rate.path for weight in objects.listed) else []
    return [
        replace(count, path=f"{_PREFIX}/iteration"),
        *(replace(weight, path=f"{_PREFIX}/learning_rate") for weight in front),
        *(replace(weight, path=f"{_PREFIX}/{weight.name or weight.path}") for weight in objects.listed),
    ]


def _slots(objects: OptimizerObjects, count: Weight) -> list[Weight]:
    """The variables of an optimizer up to 2.10: the iteration, the momentum cache or learning rate, and its slots, kind
    by kind."""
    owner = (count.name or "Optimizer/iter").rpartition("/")[0] or "Optimizer"
    front = {"momentum_cache": objects.product} if objects.product is not None else {"learning_rate": objects.rate}
    return [
        replace(count, path=f"{_PREFIX}/{owner.rpartition('/')[2]}/iter"),
        *(replace(weight, path=f"{_PREFIX}/{name}") for name, weight in front.items() if weight is not None),
        *(replace(weight.weight, path=f"{_PREFIX}/{weight.owner}/{weight.kind}") for weight in _in_turn(objects.slots)),
    ]


def _in_turn(slots: Sequence[SlotWeight]) -> Iterator[SlotWeight]:
    """Slots in the order in which an optimizer lists them."""
    order = {slot.owner: at for at, slot in reversed(list(enumerate(slots)))}
    by_weight = {slot.kind for slot in slots} == _BY_WEIGHT

    def turn(slot: SlotWeight) -> tuple[int, int]:
        kind = _KINDS.index(slot.kind) if slot.kind in _KINDS else len(_KINDS)
        return (order[slot.owner], kind) if by_weight else (kind, order[slot.owner])

    yield from sorted(slots, key=turn)
