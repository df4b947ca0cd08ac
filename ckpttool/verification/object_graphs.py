"""The weights of a TensorFlow checkpoint or SavedModel and the slots of an architecture, as tf.keras pairs them.

`load_weights` of tf.keras walks the object graph of the file along that of the model
(`CheckpointPosition.restore`, tensorflow/python/checkpoint/restore.py, 2.15). Keras 3 reads no such file
(`load_weights`, keras/src/saving/saving_api.py, 3.15).
"""

from collections.abc import Iterator

from ckpttool.alignment.alignment import align
from ckpttool.alignment.object_graphs import by_variable_name, has_attributes_alone, without_counters
from ckpttool.alignment.object_parts import part_names
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.model import Architecture
from ckpttool.model.spec import Spec
from ckpttool.verification.pairs import Pairing

BECAUSE = "as tf.keras does, by the objects of the file"
UNSUPPORTED = (
    "File format not supported: Keras 3 cannot load weights from a file of TensorFlow; `ckpttool convert` writes them "
    "to a .weights.h5 or .keras"
)
_NO_OBJECT = "the file has no object of this kind at its place"
_NO_SLOT = "the architecture has no such layer"


def by_graph(
    architecture: Architecture | None, spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False
) -> Pairing:
    """The pairs of an architecture; those of a spec alone by the names of the variables."""
    pairs = dict(_by_name(spec, checkpoint) if architecture is None else _aligned(architecture, spec, checkpoint))
    live = architecture.part if architecture is not None else None
    pairing = Pairing(by_attributes=live is not None and has_attributes_alone(live, checkpoint))
    for slot in spec.slots:
        if id(slot) in pairs:
            pairing.pairs.append((slot, pairs[id(slot)]))
        elif slot.path or architecture is None:
            pairing.missing.append((slot, _NO_OBJECT))
    used = {weight.path for weight in pairs.values()}
    rest = (weight for weight in without_counters(checkpoint, used) if weight.path not in used)
    pairing.unexpected.extend((weight, _NO_SLOT) for weight in rest)
    return pairing.finish(skip_mismatch)


def parts(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The names of the models that a checkpoint holds side by side; none where it holds one model."""
    names = part_names(checkpoint)
    return tuple(names) if len(names) > 1 else ()


def _aligned(architecture: Architecture, spec: Spec, checkpoint: Checkpoint) -> Iterator[tuple[int, Weight]]:
    """The stored weights by the identity of the slots that they fill."""
    slots = {(slot.label, slot.path, slot.group, slot.index): slot for slot in spec.slots}
    for aligned in align(checkpoint, architecture).aligned:
        place = aligned.place
        slot = slots.get((place.label, place.path, place.group, place.index))
        if slot is not None:
            yield id(slot), aligned.stored[0].weight


def _by_name(spec: Spec, checkpoint: Checkpoint) -> Iterator[tuple[int, Weight]]:
    """The stored weights by the identity of the slots whose labels are the names of the variables."""
    weights = checkpoint.section(Section.MODEL)
    return ((id(slot), weight) for slot, weight in by_variable_name(spec.model, spec.slots, weights))
