"""The weights for which an optimizer has state, in the order of that state.

It is the order of `model.trainable_weights` at the time of `compile`. In tf.keras the names of the state show it, if
each name is that of one weight ("Adam/dense/kernel/m:0", tensorflow/python/keras/optimizer_v2, 2.10;
"Adam/m/dense/kernel:0", keras/src/optimizers, 2.15). Else it follows from the config, in which layers may have been
frozen since.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ckpttool.alignment.alignment import Aligned, Alignment, Stored
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.weights.placement import PlacedWeight
from ckpttool.io import scalars
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layouts import Place
from ckpttool.model.spec import Spec, SpecSlot

MAX_TRIED = 64  # combinations of trainable weights of layers of the user's own


class OwnWeight(NamedTuple):
    """A weight of a layer of the user's own class: its slot in the new model, and the stored weight."""

    slot: SpecSlot
    weight: Weight


class Source(NamedTuple):
    """A stored weight that may have been trained: its label in the new model, its slot, and the part of the slot that
    it fills. A weight of a layer of the user's own class has no slot."""

    label: str
    weight: Weight
    aligned: Aligned | None = None
    part: Stored | None = None


def own_slots(own: Mapping[str, Weight], spec: Spec) -> tuple[OwnWeight, ...] | None:
    """The weights of layers of the user's own classes, by their paths in the new model, as slots.

    None where one is in a nested model, or in a layer within such a layer: its place among the trained weights is then
    not known.
    """
    own_weights = list[OwnWeight]()
    layers = {opaque.path: opaque.layer for opaque in spec.opaque}
    for path, weight in own.items():
        place, _, at = path.rpartition("/vars/")
        layer = layers.get(place, "/")
        number = scalars.digits(at)
        if "/" in layer or number is None:
            return None
        slot = SpecSlot(layer, f"vars/{at}", weight.shape, weight.dtype, True, path, layer, number)
        own_weights.append(OwnWeight(slot, weight))
    return tuple(own_weights)


def with_placed(spec: Spec, placed: Iterable[PlacedWeight], own: Sequence[OwnWeight] | None) -> Spec:
    """The spec of the new model with the shapes of the weights placed in it, where its config leaves them open, and
    with the weights of the user's own layers."""
    shapes = {(weight.place.label, weight.place.path): weight.weight.shape for weight in placed}
    slots = (replace(slot, shape=shapes.get((slot.label, slot.path), slot.shape)) for slot in spec.slots)
    return replace(spec, slots=(*slots, *(weight.slot for weight in own or ())))


def candidates(
    checkpoint: Checkpoint,
    alignment: Alignment,
    rewritten: Rewritten,
    own: Sequence[OwnWeight],
    state: Sequence[Weight],
) -> Iterator[list[Source]]:
    """The lists of weights to which the stored `state` may belong, the most likely first."""
    listed = _listed(checkpoint, alignment, rewritten, own)
    named = by_names(listed, state)
    if named:
        yield named
    for trained in trainable_of_own(own):
        chosen = [
            source
            for source in listed
            if (source.label in trained if source.aligned is None else _is_trained(source.aligned))
        ]
        yield _as_compiled(chosen, checkpoint, alignment)
    if not own and alignment.generation is not Generation.KERAS_1:
        yield _before_frozen(listed, alignment)


def by_config(checkpoint: Checkpoint, alignment: Alignment) -> list[Source]:
    """The weights that are trained as the config has it, with the labels of the old model."""
    trained = (aligned for aligned in alignment.aligned if _is_trained(aligned))
    sources = itertools.chain.from_iterable(_parts(aligned, aligned.place.label) for aligned in trained)
    return _as_compiled(_as_stored(sources, checkpoint), checkpoint, alignment)


def trainable_of_own(own: Sequence[OwnWeight]) -> Iterator[frozenset[str]]:
    """The sets of weights of the user's own layers that may be trained, by their labels: first all, then fewer.

    In each layer these are the first weights, since legacy files list trainable weights first.
    """
    groups = dict[str, list[str]]()
    for own_weight in own:
        groups.setdefault(own_weight.slot.layer, []).append(own_weight.slot.label)
    counts = (range(len(labels), -1, -1) for labels in groups.values())
    for chosen in itertools.islice(itertools.product(*counts), MAX_TRIED):
        pairs = zip(groups.values(), chosen, strict=True)
        yield frozenset(label for labels, count in pairs for label in labels[:count])


def by_names(listed: Sequence[Source], state: Sequence[Weight]) -> list[Source]:
    """The weights whose names are part of the names of the stored state, in the order of the state; none where a name
    fits no weight, or several."""
    names = dict[str, list[Source]]()
    for source in listed:
        for name in dict.fromkeys(filter(None, (source.weight.name, source.weight.path))):
            names.setdefault(_bare(name), []).append(source)
    by_path = dict[str, Source]()
    for weight in state:
        name = _bare(weight.path)
        if weight.shape == () and name.rpartition("/")[2] in _SCALARS:
            continue
        owner = _only(name.split("/"), names)
        if owner is None:
            return []
        by_path[owner.weight.path] = owner
    return list(by_path.values())


_SCALARS = frozenset({"iter", "iteration", "iterations", "learning_rate", "momentum_cache"})


def _only(parts: Sequence[str], names: Mapping[str, Sequence[Source]]) -> Source | None:
    """The weight with the longest name that ends the name of a variable, or precedes its last part, the kind of array;
    None where no weight or several have it."""
    for start in range(1, len(parts)):
        for stop in (len(parts), len(parts) - 1):
            matches = names.get("/".join(parts[start:stop])) if start < stop else None
            if matches:
                return matches[0] if len(matches) == 1 else None
    return None


def _bare(name: str) -> str:
    """A name of TensorFlow without the number of its output."""
    return re.sub(r":\d+$", "", name)


def _listed(
    checkpoint: Checkpoint, alignment: Alignment, rewritten: Rewritten, own: Sequence[OwnWeight]
) -> list[Source]:
    """The weights of the model in the order of the file."""
    sources = [Source(weight.slot.label, weight.weight) for weight in own]
    for aligned in alignment.aligned:
        label = rewritten.label(aligned.place.layer, aligned.place.name)
        sources += _parts(aligned, label)
    return _as_stored(sources, checkpoint)


def _parts(aligned: Aligned, label: str) -> Iterator[Source]:
    """The stored arrays of one weight of this label."""
    return (Source(label, part.weight, aligned, part) for part in aligned.stored)


def _as_stored(sources: Iterable[Source], checkpoint: Checkpoint) -> list[Source]:
    """Weights in the order of the file."""
    by_path = {source.weight.path: source for source in sources}
    return [by_path[weight.path] for weight in checkpoint.section(Section.MODEL) if weight.path in by_path]


def _as_compiled(trained: list[Source], checkpoint: Checkpoint, alignment: Alignment) -> list[Source]:
    """The trained weights in the order of `model.trainable_weights`."""
    if _sorts(checkpoint, alignment):
        return sorted(trained, key=lambda source: source.weight.name or "")
    return _by_layers(trained, alignment) if alignment.generation is None else trained


def _by_layers(trained: list[Source], alignment: Alignment) -> list[Source]:
    """Weights of the path layout, whose file lists them in another order than their layers."""
    turn = {place.group: at for at, place in enumerate(_groups(alignment))}
    placed = [(source, source.aligned.place) for source in trained if source.aligned is not None]
    placed.sort(key=lambda pair: (turn[pair[1].group], pair[1].index or 0))
    return [source for source, _ in placed]


def _before_frozen(listed: Sequence[Source], alignment: Alignment) -> list[Source]:
    """All weights that are trainable or were before they were frozen, in the order that they had before."""
    by_slot = {id(source.aligned): source for source in listed}
    trainable = [aligned for aligned in alignment.aligned if aligned.place.slot.trainable or aligned.place.slot.frozen]
    trainable = [aligned for aligned in trainable if id(aligned) in by_slot and not aligned.place.slot.borrowed]
    if alignment.generation is not None:
        groups = list(dict.fromkeys(source.aligned.place.group for source in listed if source.aligned is not None))
        trainable.sort(key=lambda aligned: groups.index(aligned.place.group))
    return [by_slot[id(aligned)] for aligned in trainable]


def _sorts(checkpoint: Checkpoint, alignment: Alignment) -> bool:
    """Whether the writer sorted the trained weights by their names, as Keras 1.1 to 2.0.5 does (`compile`,
    keras/engine/training.py)."""
    version = checkpoint.producer.keras_version
    if version is None or version.startswith("1."):
        return alignment.generation is Generation.KERAS_1
    return re.fullmatch(r"2\.0\.[0-5]", version) is not None


def _groups(alignment: Alignment) -> list[Place]:
    return list({aligned.place.group: aligned.place for aligned in alignment.aligned}.values())


def _is_trained(aligned: Aligned) -> bool:
    slot = aligned.place.slot
    return slot.trainable and not slot.borrowed
