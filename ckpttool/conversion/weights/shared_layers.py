"""Layers that two models in a model share, which are two layers after a conversion: they are trained apart.

No file of Keras keeps them shared but a SavedModel. A legacy `.h5` lists the weights of such a layer with each of the
models, under the same names, and Keras makes two layers of them. A `.keras` stores them once, and neither Keras 2.15
nor 3.15 loads it: the second entry of the layer names the object by `shared_object_id`, the first is copied before it
is to do so (`record_object_after_serialization`, keras/src/saving/serialization_lib.py, 3.15).
"""

from collections.abc import Container, Iterable, Iterator

from ckpttool.alignment.alignment import Aligned, Alignment
from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.conversion.config.nested_layers import nested_entries
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.targets import differs
from ckpttool.formats.write.block_copy import silent
from ckpttool.model import Architecture
from ckpttool.model.layouts import Place


def check(
    checkpoint: Checkpoint, architecture: Architecture, alignment: Alignment, missing: Iterable[Place], journal: Journal
) -> bool:
    """Note the layers that were shared, or may have been. Refuse those of a `.keras`, whose weights are `missing`, and
    return whether there are any."""
    for layer, original in dict(_of_one_object(alignment)).items():
        journal.lose(
            layer, f"is one layer with {original} in the source; they are two now, and training moves them apart"
        )
    for layer, original in dict(_of_equal_names(alignment)).items():
        why = (
            f"has weights of the names and values of {original}; if both were one layer, which the file does not record"
        )
        journal.lose(layer, f"{why}, they are two now, as tf.keras loads them, and training moves them apart")
    return checkpoint.format.has_paths and _refuse_stored_once(architecture, missing, journal)


def _refuse_stored_once(architecture: Architecture, missing: Iterable[Place], journal: Journal) -> bool:
    """Refuse the layers whose weights are stored with another layer."""
    shared = {label for label, entry in nested_entries(architecture.config) if "shared_object_id" in entry}
    layers = [layer for layer in dict.fromkeys(place.layer for place in missing) if _is_within(layer, shared)]
    for layer in layers:
        why = "is one layer with another, and Keras stored the weights once, so that no Keras loads this .keras"
        journal.refuse(layer, f"{why}; save the live model as .h5 or as a SavedModel")
    return bool(layers)


def _is_within(layer: str, labels: Container[str]) -> bool:
    """Whether a layer or one of the models around it is among some labels."""
    names = layer.split("/")
    return any("/".join(names[:end]) in labels for end in range(1, len(names) + 1))


def _of_one_object(alignment: Alignment) -> Iterator[tuple[str, str]]:
    """The layers whose weights are stored once for both, with the first layer that has them."""
    first = dict[tuple[str, ...], str]()
    for aligned in _owned(alignment):
        layer = aligned.place.layer
        original = first.setdefault(tuple(stored.weight.path for stored in aligned.stored), layer)
        if original != layer:
            yield layer, original


def _of_equal_names(alignment: Alignment) -> Iterator[tuple[str, str]]:
    """The layers of a legacy file whose weights have the names and values of those of another one before, other than
    the same constant everywhere, with that layer."""
    layers = dict[str, list[Weight]]()
    for aligned in _owned(alignment) if alignment.generation is not None else ():
        layers.setdefault(aligned.place.layer, []).extend(stored.weight for stored in aligned.stored)
    first = dict[tuple[str, ...], str]()
    for layer, weights in layers.items():
        names = tuple(weight.name or "" for weight in weights)
        original = first.setdefault(names, layer)
        if original != layer and all(names) and _are_equal(layers[original], weights):
            yield layer, original


def _owned(alignment: Alignment) -> Iterable[Aligned]:
    return (aligned for aligned in alignment.aligned if not aligned.place.slot.borrowed)


def _are_equal(ones: list[Weight], others: list[Weight]) -> bool:
    """Whether weights have the same values, and not only those that every such layer begins with."""
    pairs = list(zip(ones, others, strict=True))
    return any(_varies(one) for one, _ in pairs) and not any(differs(one, other, silent) for one, other in pairs)


def _varies(weight: Weight) -> bool:
    """Whether the first values of a weight are not all the same."""
    start = bytes(next(iter(weight.stored_blocks()), b""))
    size = max(weight.nbytes // max(weight.size, 1), 1)
    return start[:-size] != start[size:]
