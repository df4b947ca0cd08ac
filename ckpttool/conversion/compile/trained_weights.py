"""The weights that an optimizer kept state for, in the order in which it kept it.

That is the order of `model.trainable_weights` at the time of `compile`. Names of tf.keras tell it where each is the
name of one weight ("Adam/dense/kernel/m:0", tensorflow/python/keras/optimizer_v2, 2.10; "Adam/m/dense/kernel:0",
keras/src/optimizers, 2.15). Else it follows from the config, in which layers may have been frozen since.
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
from ckpttool.conversion.weights.placement import Placed
from ckpttool.io import scalars
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layouts import Place
from ckpttool.model.spec import Spec, SpecSlot

MAX_TRIED = 64


class OwnWeight(NamedTuple):
    """A weight of a layer of the user's own class: its slot in the new model, and what is stored of it."""

    slot: SpecSlot
    weight: Weight


class Source(NamedTuple):
    """A stored weight that may have been trained: its label in the new model, and which part of which slot it is. One
    of a layer of the user's own class is part of no slot."""

    label: str
    weight: Weight
    aligned: Aligned | None = None
    part: Stored | None = None


def own_slots(own: Mapping[str, Weight], spec: Spec) -> tuple[OwnWeight, ...] | None:
    """The weights of layers of the user's own classes, by their paths in the new model, as slots; None where one is in
    a nested model, or in a layer that such a layer holds, since nothing tells its place among the trained weights."""
    found = list[OwnWeight]()
    layers = {one.path: one.layer for one in spec.opaque}
    for path, weight in own.items():
        place, _, at = path.rpartition("/vars/")
        layer = layers.get(place, "/")
        number = scalars.digits(at)
        if "/" in layer or number is None:
            return None
        slot = SpecSlot(layer, f"vars/{at}", weight.shape, weight.dtype, True, path, layer, number)
        found.append(OwnWeight(slot, weight))
    return tuple(found)


def with_placed(spec: Spec, placed: Iterable[Placed], own: Sequence[OwnWeight] | None) -> Spec:
    """The spec of the new model with the shapes of the weights that were placed in it, where its config leaves them
    open, and with the weights of the user's own layers."""
    shapes = {(one.place.label, one.place.path): one.weight.shape for one in placed}
    slots = (replace(slot, shape=shapes.get((slot.label, slot.path), slot.shape)) for slot in spec.slots)
    return replace(spec, slots=(*slots, *(one.slot for one in own or ())))


def candidates(
    checkpoint: Checkpoint,
    alignment: Alignment,
    rewritten: Rewritten,
    own: Sequence[OwnWeight],
    state: Sequence[Weight],
) -> Iterator[list[Source]]:
    """The lists of weights that the stored `state` may be for, the most likely first."""
    listed = _listed(checkpoint, alignment, rewritten, own)
    named = by_names(listed, state)
    if named:
        yield named
    for trained in trainable_of_own(own):
        kept = [one for one in listed if (one.label in trained if one.aligned is None else _is_trained(one.aligned))]
        yield _as_compiled(kept, checkpoint, alignment)
    if not own and alignment.generation is not Generation.KERAS_1:
        yield _before_frozen(listed, alignment)


def trainable_of_own(own: Sequence[OwnWeight]) -> Iterator[frozenset[str]]:
    """Which weights of the user's own layers may be trained, by their labels: the first ones of each layer, since
    legacy files list those that are trained first. All, then fewer."""
    groups = dict[str, list[str]]()
    for one in own:
        groups.setdefault(one.slot.layer, []).append(one.slot.label)
    counts = (range(len(labels), -1, -1) for labels in groups.values())
    for chosen in itertools.islice(itertools.product(*counts), MAX_TRIED):
        pairs = zip(groups.values(), chosen, strict=True)
        yield frozenset(label for labels, count in pairs for label in labels[:count])


def by_names(listed: Sequence[Source], state: Sequence[Weight]) -> list[Source]:
    """The weights whose names are part of the names of the stored state, in the order of these; none where a name tells
    of no weight, or of several."""
    names = dict[str, list[Source]]()
    for one in listed:
        for name in dict.fromkeys(filter(None, (one.weight.name, one.weight.path))):
            names.setdefault(_bare(name), []).append(one)
    found = dict[str, Source]()
    for weight in state:
        name = _bare(weight.path)
        if weight.shape == () and name.rpartition("/")[2] in _FOR_NO_WEIGHT:
            continue
        owner = _only(name.split("/"), names)
        if owner is None:
            return []
        found[owner.weight.path] = owner
    return list(found.values())


_FOR_NO_WEIGHT = frozenset({"iter", "iteration", "iterations", "learning_rate", "momentum_cache"})


def _only(parts: Sequence[str], names: Mapping[str, Sequence[Source]]) -> Source | None:
    """The one weight whose name is the longest that ends a name, or stands before the kind of array that ends it."""
    for start in range(1, len(parts)):
        for stop in (len(parts), len(parts) - 1):
            found = names.get("/".join(parts[start:stop])) if start < stop else None
            if found:
                return found[0] if len(found) == 1 else None
    return None


def _bare(name: str) -> str:
    """A name of TensorFlow without the number of its output."""
    return re.sub(r":\d+$", "", name)


def _listed(
    checkpoint: Checkpoint, alignment: Alignment, rewritten: Rewritten, own: Sequence[OwnWeight]
) -> list[Source]:
    """The weights of the model in the order of the file."""
    by_path = {one.weight.path: Source(one.slot.label, one.weight) for one in own}
    for one in alignment.aligned:
        label = rewritten.label(one.place.layer, one.place.name)
        by_path |= {part.weight.path: Source(label, part.weight, one, part) for part in one.stored}
    return [by_path[weight.path] for weight in checkpoint.section(Section.MODEL) if weight.path in by_path]


def _as_compiled(trained: list[Source], checkpoint: Checkpoint, alignment: Alignment) -> list[Source]:
    """The trained weights in the order of `model.trainable_weights`."""
    if _sorts(checkpoint, alignment):
        return sorted(trained, key=lambda one: one.weight.name or "")
    return _by_layers(trained, alignment) if alignment.generation is None else trained


def _by_layers(trained: list[Source], alignment: Alignment) -> list[Source]:
    """Weights of the path layout, whose file lists them in another order than their layers."""
    turn = {place.group: at for at, place in enumerate(_groups(alignment))}
    placed = [(one, one.aligned.place) for one in trained if one.aligned is not None]
    placed.sort(key=lambda pair: (turn[pair[1].group], pair[1].index or 0))
    return [one for one, _ in placed]


def _before_frozen(listed: Sequence[Source], alignment: Alignment) -> list[Source]:
    """All weights that were made to be trained, in the order that they had before some were frozen."""
    by_slot = {id(one.aligned): one for one in listed}
    made = [one for one in alignment.aligned if one.place.slot.trainable or one.place.slot.frozen]
    made = [one for one in made if id(one) in by_slot and not one.place.slot.borrowed]
    if alignment.generation is not None:
        groups = list(dict.fromkeys(one.aligned.place.group for one in listed if one.aligned is not None))
        made.sort(key=lambda one: groups.index(one.place.group))
    return [by_slot[id(one)] for one in made]


def _sorts(checkpoint: Checkpoint, alignment: Alignment) -> bool:
    """Whether the writer had the trained weights in the order of their names: Keras 1.1 to 2.0.5 (`compile`,
    keras/engine/training.py)."""
    version = checkpoint.producer.keras_version
    if version is None or version.startswith("1."):
        return alignment.generation is Generation.KERAS_1
    return re.fullmatch(r"2\.0\.[0-5]", version) is not None


def _groups(alignment: Alignment) -> list[Place]:
    return list({one.place.group: one.place for one in alignment.aligned}.values())


def _is_trained(aligned: Aligned) -> bool:
    slot = aligned.place.slot
    return slot.trainable and not slot.borrowed
