"""The pairs of a legacy file as an older Keras loads it into an architecture that Keras 3 does not build.

Keras 1 stores each gate of a recurrent layer in arrays of its own, and the axes of kernels in the order of its backend
(`load_weights_from_hdf5_group`, keras/engine/topology.py, 1.2.2). Keras 2 converts both when it loads them. It also
converts weights of cuDNN layers to those of plain layers and back (`preprocess_weights_for_loading`,
keras/engine/saving.py, 2.2.4, and keras/src/saving/legacy/hdf5_format.py, 2.15). It takes a file without a version for
one of Keras 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from ckpttool.alignment.alignment import key_of, stored_orders
from ckpttool.checkpoint import Checkpoint
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.stored_order import StoredSlot
from ckpttool.model.layouts import places_of
from ckpttool.model.sizes import Shape, shapes_fit
from ckpttool.model.spec import Spec, SpecSlot
from ckpttool.model.support import Support
from ckpttool.verification.pairs import Pairing

Loader = Callable[[Spec, Checkpoint, bool], Pairing]

_Slots = list[tuple[SpecSlot, tuple[Shape | None, ...]]]
"""The slots that a generation expects, each with the shapes in which the generation loads it."""


def generations_for(checkpoint: Checkpoint, support: Support | None) -> tuple[Generation, ...]:
    """The generations in whose layouts the Keras that wrote an architecture reads a checkpoint, the likeliest first.

    None where Keras 3 builds the architecture, or where the file has no old layout.
    """
    if support is None or not support.by_writer_alone:
        return ()
    writer = support.writer
    if checkpoint.format.is_of_keras_0:
        return (Generation.KERAS_0,) if writer <= Generation.KERAS_1 else ()
    if not checkpoint.format.is_legacy or writer is Generation.KERAS_0:
        return ()
    version = checkpoint.producer.keras_version
    stored = generation_of(None, version) if version else Generation.KERAS_1
    return tuple(dict.fromkeys((min(stored, writer), writer)))


def reads(checkpoint: Checkpoint, support: Support) -> bool:
    """Whether the Keras that wrote an architecture reads a file in the old layout.

    Keras 2 reads files with two suffixes in another layout, Keras 0 and 1 none (`load_weights`,
    keras/src/engine/training.py, 2.15; keras/engine/topology.py, 1.2.2).
    """
    other = support.writer is Generation.KERAS_2 and checkpoint.path.name.endswith((".keras", ".weights.h5"))
    return bool(generations_for(checkpoint, support)) and not other


def pair(
    architecture: Architecture,
    spec: Spec,
    checkpoint: Checkpoint,
    generations: tuple[Generation, ...],
    load: Loader,
    skip_mismatch: bool,
) -> Pairing:
    """The pairs of a legacy file as the first generation loads them that does not raise, else as the first of all."""
    pairings = [
        _pair(_expected(architecture, generation), spec, checkpoint, load, skip_mismatch) for generation in generations
    ]
    return next((pairing for pairing in pairings if not pairing.raises), pairings[0])


def _pair(expected: _Slots, spec: Spec, checkpoint: Checkpoint, load: Loader, skip_mismatch: bool) -> Pairing:
    """The pairs; a slot that loads in several shapes has the shape of its stored weight."""
    shapes = {(slot.group, slot.index): others for slot, others in expected}
    slots = tuple(slot for slot, _ in expected)
    paired = load(replace(spec, slots=slots), checkpoint, skip_mismatch).pairs
    stored = {(slot.group, slot.index): weight.shape for slot, weight in paired}
    fitting = (
        replace(slot, shape=next((shape for shape in shapes[key] if shapes_fit(shape, stored[key])), slot.shape))
        if (key := (slot.group, slot.index)) in stored
        else slot
        for slot in slots
    )
    return load(replace(spec, slots=tuple(fitting)), checkpoint, skip_mismatch)


def _expected(architecture: Architecture, generation: Generation) -> _Slots:
    """The slots of an architecture in the form of a legacy file of a generation."""
    places = {key_of(place): place for place in places_of(part_in(architecture))}
    return [
        (_slot(places[top, slot.owner, slot.slot.name].layer, top, at, slot), tuple(_shapes(slot, generation)))
        for top, order in stored_orders(architecture, generation).items()
        for at, slot in enumerate(order)
    ]


def _slot(layer: str, group: str, index: int, stored: StoredSlot) -> SpecSlot:
    inside = [name for name in stored.chain if name not in layer.split("/")]
    name = "/".join((*inside, stored.name)) if stored.gates == 1 else stored.name
    return SpecSlot(layer, name, stored.shape, stored.slot.written_dtype, stored.trainable, "", group, index)


def _shapes(stored: StoredSlot, generation: Generation) -> Iterator[Shape | None]:
    """The shapes in which a generation loads an array.

    Keras 1 writes no shared axes into the config, and so builds the layer without them (`get_config` of PReLU,
    keras/layers/advanced_activations.py, 1.2.2).
    """
    forms = stored.forms[:1] if generation <= Generation.KERAS_1 and _is_open(stored.forms[-1].shape) else stored.forms
    yield from (form.shape for form in forms)


def _is_open(shape: Shape | None) -> bool:
    return shape is not None and set(shape) == {None}
