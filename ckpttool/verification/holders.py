"""Models of own classes that hold the whole model as one layer, which no config tells: their weights stand below it."""

from collections.abc import Mapping

from ckpttool.alignment.alignment import align
from ckpttool.checkpoint import Checkpoint
from ckpttool.model import Architecture
from ckpttool.model.layers.table import MODELS
from ckpttool.model.spec import Spec, SpecSlot
from ckpttool.verification.pairs import Pairing

_MODELS = MODELS | {"Graph"}


def inner_pairing(architecture: Architecture | None, spec: Spec, checkpoint: Checkpoint) -> Pairing | None:
    """The pairs of a model of an own class with all that a file stores, below whichever object; None where the class is
    Keras's own, or something is missing or left over."""
    if architecture is None or architecture.part is not None or architecture.class_name in _MODELS:
        return None
    found = align(checkpoint, architecture)
    if found.missing or found.left or not found.aligned or any(len(one.stored) > 1 for one in found.aligned):
        return None
    slots: Mapping[str, SpecSlot] = {slot.label: slot for slot in spec.slots}
    return Pairing([(slots[one.place.label], one.stored[0].weight) for one in found.aligned])
