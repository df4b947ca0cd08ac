"""The state of an optimizer of Keras 1 or 2 in the order of Keras 3, so that training goes on where it stopped.

Up to Keras 2.10 an optimizer listed the iteration and then, kind after kind, one array for each trained weight
(keras/optimizers.py, 1.2.2 and 2.2.4; tensorflow/python/keras/optimizer_v2, 2.10); Ftrl did so weight after weight.
Since 2.11 its order is that of Keras 3; SGD keeps momenta that it does not use (keras/src/optimizers, 2.15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ckpttool.alignment.alignment import OF_TENSORFLOW, Aligned, Alignment, Stored
from ckpttool.alignment.assembly import weight_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.compile import tensorflow_state
from ckpttool.conversion.compile.optimizer_scalars import (
    INNER,
    Lost,
    Numbers,
    inside,
    number,
    whole_steps,
)
from ckpttool.conversion.compile.stored_state import LATE, WHERE, Held, Key, held_in
from ckpttool.conversion.compile.trained_weights import OwnWeight, Source, candidates
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.formats.hdf5.values import Repeated
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.io import dtypes
from ckpttool.model.generations.generation import Generation
from ckpttool.model.spec import Spec, SpecSlot, with_optimizer

BEGIN = Edit(
    "begin-optimizer",
    "writes the state of an optimizer that has not begun, which Keras 3 looks for where a model is compiled",
    "always: as Keras makes it",
)
BEGIN_LATE = Edit(
    "begin-optimizer-late",
    "writes what an optimizer of tf.keras had not made yet for weights that had no gradient so far",
    "always: tf.keras up to 2.10 makes it at the first gradient",
)
EDITS = (BEGIN, BEGIN_LATE)
_NONE = "none is written, of which Keras warns, and training begins anew"
MAX_NUMBERS = 5  # that an optimizer and one that scales its loss store for no weight
_BEGIN_WITH_ZEROS = frozenset(
    {
        *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax"),
        *("Ftrl", "Lamb", "Lion", "Nadam", "RMSprop", "SGD"),
    }
)  # but for what `_constant` tells


def state(
    checkpoint: Checkpoint,
    alignment: Alignment,
    rewritten: Rewritten,
    spec: Spec,
    own: Sequence[OwnWeight] | None,
    optimizer: Mapping[str, Any],
    reversed_kernels: bool,
    journal: Journal,
) -> dict[str, Weight]:
    """The variables of the optimizer by their paths in `.weights.h5`; those of one that has not begun where none are
    stored, or they cannot all be told, which is noted. `spec` is that of the new model with the shapes of its weights,
    `own` are those of layers of the user's own classes, None where their order is not known; `optimizer` is its entry
    in the new config."""
    if own is None:
        journal.lose(WHERE, f"its state: layers of your own classes hold weights in an order of their own; {_NONE}")
        return {}
    wanted = with_optimizer(spec, optimizer).optimizer
    steps: int | None = 0
    try:
        stored = _stored(checkpoint, alignment)
        if not stored and wanted and checkpoint.kind in PATH_KINDS:  # as of the old optimizers that 2.15 still has
            raise Lost("the file stores none, so training begins anew")
        if stored and wanted:
            steps = _steps_alone(stored, wanted)
            if steps is None:
                old = _Old(checkpoint, alignment, rewritten, spec, own, optimizer, reversed_kernels, journal)
                return old.state(stored)
    except Lost as error:
        journal.lose(WHERE, f"its state: {error}")
    return _fresh(wanted, optimizer, own, steps or 0, journal)


def _stored(checkpoint: Checkpoint, alignment: Alignment) -> list[Weight]:
    """The variables that a file has of the optimizer, in its order. Raises Lost."""
    if checkpoint.kind in OF_TENSORFLOW:
        return tensorflow_state.state_of(checkpoint, frozenset(alignment.by_path()))
    held = checkpoint.section(Section.OPTIMIZER)
    return [weight for weight in held if not weight.path.startswith(f"optimizer/{INNER}")]  # which is there twice


def _steps_alone(stored: Sequence[Weight], wanted: Sequence[SpecSlot]) -> int | None:
    """The number of steps where nothing but numbers is stored, as of an optimizer that is compiled and has not begun.
    Raises Lost where steps were taken, and arrays were kept that are not stored."""
    if len(stored) > MAX_NUMBERS or any(weight.shape != () for weight in stored):
        return None
    if not any(slot.shape != () for slot in wanted) and len(wanted) > MAX_NUMBERS:
        return None  # a model whose weights are numbers
    steps = whole_steps(stored[0])
    if steps and any("/" in slot.name.removeprefix(INNER) for slot in wanted):
        raise Lost(f"{steps} steps were taken, and nothing is stored of what they left")
    return steps


def _fresh(
    wanted: Sequence[SpecSlot],
    optimizer: Mapping[str, Any],
    own: Sequence[OwnWeight],
    steps: int,
    journal: Journal,
) -> dict[str, Weight]:
    """The state of an optimizer that has not begun, as Keras makes it; none of one that does not begin with zeros, or
    where shapes are not known, which is noted."""
    inner = inside(optimizer)
    try:
        if inner["class_name"] not in _BEGIN_WITH_ZEROS or not wanted:
            raise Lost(f"how {inner['class_name']} begins is not known here")
        numbers = Numbers(optimizer, steps, 1.0)
        found = {slot.path: numbers.weight(_name(slot)) or _constant(slot, inner) for slot in wanted}
    except Lost as error:
        journal.lose(WHERE, f"its state: {error}; {_NONE}")
        return {}
    journal.edit(BEGIN, WHERE, str(inner["class_name"]))
    if own:
        journal.guess(WHERE, "all weights of layers of your own classes are trained; if not, Keras begins by itself")
    return found


def _constant(slot: SpecSlot, optimizer: Mapping[str, Any]) -> Weight:
    """What an optimizer keeps for a weight before its first step. Raises Lost."""
    import numpy as np

    if slot.shape is None or None in slot.shape:
        raise Lost(f"the shape of {slot.name} follows from a class of your own")
    start = number(optimizer, "initial_accumulator_value", 0.1) if slot.name.endswith("/accumulator") else 0.0
    if slot.dtype not in ("float32", "float64", "int32") and start:
        raise Lost(f"{slot.name} of {slot.dtype} does not begin with zeros")
    size = dtypes.itemsize(slot.dtype) or 0
    value = np.asarray(start, dtypes.DTYPES[slot.dtype][1]).tobytes() if start else bytes(max(size, 1))
    shape = tuple(axis or 0 for axis in slot.shape)
    nbytes = math.prod(shape) * size
    return Weight(slot.name, shape, slot.dtype, nbytes, Section.OPTIMIZER, values=Repeated(value, nbytes))


class _Old(NamedTuple):
    """What the state of an optimizer is carried from and to."""

    checkpoint: Checkpoint
    alignment: Alignment
    rewritten: Rewritten
    spec: Spec
    own: Sequence[OwnWeight]
    optimizer: Mapping[str, Any]
    reversed_kernels: bool
    journal: Journal

    def state(self, stored: Sequence[Weight]) -> dict[str, Weight]:
        """The variables of the new optimizer. Raises Lost."""
        if self.alignment.generation is Generation.KERAS_3:
            return _as_stored(stored, with_optimizer(self.spec, self.optimizer).optimizer)
        if len({one.place.label for one in self.alignment.aligned}) < len(self.alignment.aligned):
            raise Lost("some weights have one name, and nothing tells what it keeps for each")
        errors = list[Lost]()
        listed = candidates(self.checkpoint, self.alignment, self.rewritten, self.own, stored)
        found = next(filter(None, (self.tried(sources, stored, errors) for sources in listed)), None)
        if found is None:
            raise errors[-1]
        return found

    def tried(self, sources: Sequence[Source], stored: Sequence[Weight], errors: list[Lost]) -> dict[str, Weight]:
        """The variables where the stored arrays are for these weights; none where not, and why is noted."""
        try:
            return self.of(sources, stored)
        except Lost as error:
            errors.append(error)
            return {}

    def of(self, sources: Sequence[Source], stored: Sequence[Weight]) -> dict[str, Weight]:
        """The variables where the stored arrays are for these weights, in their order. Raises Lost."""
        _refuse_changed(sources, self.rewritten)
        held = held_in(stored, [one.weight.shape for one in sources], inside(self.optimizer))
        labels, notes = self.labels(sources, held), Journal()
        steps = held.steps(inside(self.optimizer), notes)
        scale = tensorflow_state.loss_scale(self.checkpoint, frozenset(self.alignment.by_path()))
        numbers = Numbers(self.optimizer, steps, held.product(self.checkpoint), held.rate(), scale)
        found, begun = dict[str, Weight](), list[str]()
        for slot in self.wanted(sources):
            name = _name(slot)
            weight = labels.get(name.removeprefix(INNER)) or numbers.weight(name) or _unused(slot)
            if weight is None and _begins_late(stored):
                weight = _constant(slot, inside(self.optimizer))
                begun.append(slot.name)
            if weight is None or (slot.shape is not None and weight.shape != slot.shape):
                raise Lost(f"nothing stored is {slot.name}")
            found[slot.path] = weight
        self.journal.losses += notes.losses
        if begun:
            self.journal.edit(BEGIN_LATE, WHERE, f"{len(begun)} variables")
        return found

    def labels(self, sources: Sequence[Source], held: Held) -> dict[str, Weight]:
        """The arrays by the labels of their weights and by what they are."""
        numbered = {id(one.part): at for at, one in enumerate(sources) if one.part is not None}
        found = dict[str, Weight]()
        for kind in {kind for kind, _ in held.arrays}:
            for at, one in enumerate(sources):
                if one.aligned is None:
                    weight = held.arrays.get((kind, at))
                else:
                    weight = _joined(one.aligned, kind, held.arrays, numbered, self.reversed_kernels)
                if weight is not None:
                    found[f"{one.label}/{kind}"] = replace(weight, section=Section.OPTIMIZER)
        return found

    def wanted(self, sources: Sequence[Source]) -> Sequence[SpecSlot]:
        """The variables of the new optimizer, where of the user's own layers these weights are trained."""
        left = {one.slot.label for one in self.own} - {one.label for one in sources}
        slots = tuple(slot for slot in self.spec.slots if slot.label not in left)
        return with_optimizer(replace(self.spec, slots=slots), self.optimizer).optimizer


def _begins_late(stored: Sequence[Weight]) -> bool:
    """Whether the writer made what it keeps for a weight at the first gradient of this weight: tf.keras up to 2.10
    (`OptimizerV2._create_all_weights`, keras/optimizers/optimizer_v2/optimizer_v2.py)."""
    return LATE.match(stored[0].path) is not None


def _name(slot: SpecSlot) -> str:
    """The name of a variable among all those of the optimizer: Keras stores those of an inner one twice."""
    below = slot.path.rpartition("vars/")[0].removeprefix("optimizer/")
    return f"{below}{slot.name}"


def _as_stored(stored: Sequence[Weight], wanted: Sequence[SpecSlot]) -> dict[str, Weight]:
    """The variables that Keras 3 stored, which are those of today in their order."""
    own = [slot for slot in wanted if slot.path.startswith("optimizer/vars/")]
    if len(own) != len(stored):
        raise Lost(f"{len(stored)} variables are stored, the optimizer has {len(own)}")
    named = {slot.name: weight for slot, weight in zip(own, stored, strict=True)}
    for slot in wanted:
        if named[_name(slot)].shape != slot.shape:
            raise Lost(f"what is stored is not {slot.name}")
    return {slot.path: named[_name(slot)] for slot in wanted}


def _refuse_changed(sources: Sequence[Source], rewritten: Rewritten) -> None:
    """Raises where trained weights become others, for which no step would be the old one."""
    labels = [one.aligned.place.label for one in sources if one.aligned is not None]
    multiplied = [found for label in labels if (found := rewritten.scaled_at(label)) is not None]
    if any(any(found.gates) for found in multiplied):
        raise Lost("weights that it was kept for are multiplied")
    if not rewritten.laid_out.keys().isdisjoint(labels):
        raise Lost("weights that it was kept for are rearranged")


def _unused(slot: SpecSlot) -> Weight | None:
    """The number that Adafactor has in place of factors where there is nothing to factor, which nothing uses."""
    if slot.shape != () or slot.dtype != "int32":
        return None
    return Weight(slot.name, (), slot.dtype, 4, Section.OPTIMIZER, values=Repeated(b"\0", 4))


def _joined(
    aligned: Aligned, kind: str, arrays: Mapping[Key, Weight], numbered: Mapping[int, int], reversed_kernels: bool
) -> Weight | None:
    """The array of a kind for a slot, made as the weight of the slot is made of what is stored; None where there is
    none that could be made so. `numbered` are the trained weights by the identity of what is stored of them."""
    found = [arrays.get((kind, numbered[id(part)])) for part in aligned.stored if id(part) in numbered]
    held = [weight for weight in found if weight is not None]
    if len(held) != len(aligned.stored):
        return None
    parts = tuple(Stored(weight, part.slot) for weight, part in zip(held, aligned.stored, strict=True))
    if any(one.weight.shape != part.weight.shape for one, part in zip(parts, aligned.stored, strict=True)):
        as_it_is = weight_of(aligned, reversed_kernels) is aligned.stored[0].weight
        return replace(held[0], section=Section.OPTIMIZER) if as_it_is else None
    return replace(
        weight_of(Aligned(aligned.place, parts, aligned.evidence), reversed_kernels), section=Section.OPTIMIZER
    )
