"""Models of the user's own classes that contain the whole model as one layer: all weights are stored below that layer.

No config shows this; only the paths of the weights do.
"""

from collections.abc import Mapping

from ckpttool.alignment.alignment import align
from ckpttool.checkpoint import Checkpoint
from ckpttool.model import Architecture
from ckpttool.model.layers.table import MODELS
from ckpttool.model.spec import Spec, SpecSlot
from ckpttool.verification.pairs import Pairing

_MODELS = MODELS | {"Graph"}


def inner_pairing(architecture: Architecture | None, spec: Spec, checkpoint: Checkpoint) -> Pairing | None:
    """The pairs of such a model with all weights of a file, below whichever object they are stored.

    None where the class is Keras's own, or where a weight is missing or left over.
    """
    if architecture is None or architecture.part is not None or architecture.class_name in _MODELS:
        return None
    alignment = align(checkpoint, architecture)
    aligned = alignment.aligned
    if alignment.missing or alignment.left or not aligned or any(len(pair.stored) > 1 for pair in aligned):
        return None
    slots: Mapping[str, SpecSlot] = {slot.label: slot for slot in spec.slots}
    return Pairing([(slots[pair.place.label], pair.stored[0].weight) for pair in aligned])
