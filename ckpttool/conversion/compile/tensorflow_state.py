"""The state of an optimizer in a file of TensorFlow, listed as the `.h5` of the same version lists it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ckpttool.alignment.optimizer_objects import OptimizerObjects, SlotWeight, UnplacedState, optimizer_objects
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.compile.optimizer_scalars import Lost, finite

_KINDS = "m rms accum_grad accumulator v momentum accum_var linear vhat mg".split()
"""What the slots are called, in the order in which an optimizer lists them: those of one come in this order."""

_BY_WEIGHT = frozenset({"accumulator", "linear"})  # of Ftrl, which lists weight after weight
_PREFIX = "optimizer_weights"


def state_of(checkpoint: Checkpoint, model: frozenset[str]) -> list[Weight]:
    """The variables of the optimizer in the order of a legacy file, each under a path that ends in the path of the
    weight that it is for; `model` are the paths of the weights of the model. Raises Lost where several optimizers may
    be meant."""
    if checkpoint.object_graph is None:
        return list(checkpoint.section(Section.OPTIMIZER))
    found = _objects(checkpoint, model)
    if found is None or found.count is None:
        return []
    return _listed(found, found.count) if found.listed else _slots(found, found.count)


def loss_scale(checkpoint: Checkpoint, model: frozenset[str]) -> float | None:
    """The number that losses are multiplied by, where an optimizer scales them. Raises Lost where it is none."""
    found = _objects(checkpoint, model)
    return finite(found.scale) if found is not None and found.scale is not None else None


def _objects(checkpoint: Checkpoint, model: frozenset[str]) -> OptimizerObjects | None:
    try:
        return optimizer_objects(checkpoint, model)
    except UnplacedState as error:
        raise Lost(str(error)) from None


def _listed(found: OptimizerObjects, count: Weight) -> list[Weight]:
    """The variables of an optimizer since 2.11, the iteration and the learning rate first."""
    rate = found.rate
    front = [rate] if rate is not None and all(weight.path != rate.path for weight in found.listed) else []
    return [
        replace(count, path=f"{_PREFIX}/iteration"),
        *(replace(weight, path=f"{_PREFIX}/learning_rate") for weight in front),
        *(replace(weight, path=f"{_PREFIX}/{weight.name or weight.path}") for weight in found.listed),
    ]


def _slots(found: OptimizerObjects, count: Weight) -> list[Weight]:
    """The variables of an optimizer up to 2.10: the iteration, what it counts beside that, and its slots, kind after
    kind."""
    owner = (count.name or "Optimizer/iter").rpartition("/")[0] or "Optimizer"
    front = {"momentum_cache": found.product} if found.product is not None else {"learning_rate": found.rate}
    return [
        replace(count, path=f"{_PREFIX}/{owner.rpartition('/')[2]}/iter"),
        *(replace(one, path=f"{_PREFIX}/{name}") for name, one in front.items() if one is not None),
        *(replace(one.weight, path=f"{_PREFIX}/{one.owner}/{one.kind}") for one in _in_turn(found.slots)),
    ]


def _in_turn(slots: Sequence[SlotWeight]) -> Iterator[SlotWeight]:
    """Slots in the order in which an optimizer lists them."""
    order = {slot.owner: at for at, slot in reversed(list(enumerate(slots)))}
    by_weight = {slot.kind for slot in slots} == _BY_WEIGHT

    def turn(slot: SlotWeight) -> tuple[int, int]:
        kind = _KINDS.index(slot.kind) if slot.kind in _KINDS else len(_KINDS)
        return (order[slot.owner], kind) if by_weight else (kind, order[slot.owner])

    yield from sorted(slots, key=turn)
