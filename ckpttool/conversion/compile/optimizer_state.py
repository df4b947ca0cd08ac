"""The state of an optimizer of Keras 1 or 2 in the order of Keras 3, so that training continues where it stopped.

Up to Keras 2.10 an optimizer lists the iteration and then, kind by kind, an array for each trained weight
(keras/optimizers.py, 1.2.2 and 2.2.4; tensorflow/python/keras/optimizer_v2, 2.10); Ftrl does so weight by weight.
Since 2.11 the order is that of Keras 3; SGD stores momenta even if it does not use them (keras/src/optimizers, 2.15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ckpttool.alignment.alignment import Aligned, Alignment, Stored
from ckpttool.alignment.assembly import weight_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.compile import tensorflow_state
from ckpttool.conversion.compile.optimizer_scalars import (
    INNER,
    Numbers,
    StateNotConvertible,
    first_scale,
    inside,
    number,
    whole_steps,
)
from ckpttool.conversion.compile.optimizers import COMPUTED_PRODUCT
from ckpttool.conversion.compile.stored_state import ITERATION_UNTIL_2_10, WHERE, Key, StoredState, stored_state_of
from ckpttool.conversion.compile.trained_weights import OwnWeight, Source, candidates
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.escape import first_of
from ckpttool.formats.hdf5.values import Repeated
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
_NONE_WRITTEN = "none is written, of which Keras warns, and training begins anew"
_SHOWN = 3
MAX_NUMBERS = 5  # variables of an optimizer, and of one that scales its loss, that belong to no weight
_BEGIN_WITH_ZEROS = frozenset(
    {
        *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax"),
        *("Ftrl", "Lamb", "Lion", "Nadam", "RMSprop", "SGD"),
    }
)  # except for the variables for which `_constant` has another value


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
    """The variables of the optimizer by their paths in `.weights.h5`.

    Where none are stored, or where they cannot be assigned, these are the variables of an optimizer that has not begun,
    which is noted. `spec` is that of the new model with the shapes of its weights. `own` are the weights of layers of
    the user's own classes, None where their order is not known. `optimizer` is the entry in the new config.
    """
    if own is None:
        journal.lose(
            WHERE, f"its state: layers of your own classes hold weights in an order of their own; {_NONE_WRITTEN}"
        )
        return {}
    wanted = with_optimizer(spec, optimizer).optimizer
    steps: int | None = 0  # of an optimizer that begins anew, where its state is lost; None while arrays are converted
    try:
        stored = _stored(checkpoint, alignment)
        if not stored and wanted and checkpoint.format.has_paths:  # as with the legacy optimizers in Keras 2.15
            raise StateNotConvertible("the file stores none, so training begins anew")
        if stored and wanted:
            steps = _steps_alone(stored, wanted)
            if steps is None:
                conversion = _Conversion(
                    checkpoint, alignment, rewritten, spec, own, optimizer, reversed_kernels, journal
                )
                return conversion.state(stored)
    except StateNotConvertible as error:
        journal.lose(WHERE, f"its state: {error}")
    return _fresh(wanted, optimizer, own, steps or 0, journal)


def _stored(checkpoint: Checkpoint, alignment: Alignment) -> list[Weight]:
    """The stored variables of the optimizer, in the order of the file. Raises StateNotConvertible."""
    if checkpoint.format.is_of_tensorflow:
        return tensorflow_state.state_of(checkpoint, frozenset(alignment.by_path()))
    weights = checkpoint.section(Section.OPTIMIZER)
    return [weight for weight in weights if not weight.path.startswith(f"optimizer/{INNER}")]  # which are stored twice


def _steps_alone(stored: Sequence[Weight], wanted: Sequence[SpecSlot]) -> int | None:
    """The number of steps where only numbers are stored, as for an optimizer that is compiled and has not begun; None
    where arrays are stored. Raises StateNotConvertible where steps were taken and their arrays are missing."""
    if len(stored) > MAX_NUMBERS or any(weight.shape != () for weight in stored):
        return None
    if not any(slot.shape != () for slot in wanted) and len(wanted) > MAX_NUMBERS:
        return None  # the weights of the model are numbers themselves, and so are their arrays
    steps = whole_steps(stored[0])
    if steps and any("/" in slot.name.removeprefix(INNER) for slot in wanted):
        raise StateNotConvertible(f"{steps} steps were taken, and nothing is stored of what they left")
    return steps


def _fresh(
    wanted: Sequence[SpecSlot],
    optimizer: Mapping[str, Any],
    own: Sequence[OwnWeight],
    steps: int,
    journal: Journal,
) -> dict[str, Weight]:
    """The state of an optimizer that has not begun, as Keras makes it.

    Empty, with a note, for an optimizer that does not begin with zeros, or where shapes are not known.
    """
    inner = inside(optimizer)
    try:
        if inner["class_name"] not in _BEGIN_WITH_ZEROS or not wanted:
            raise StateNotConvertible(f"how {inner['class_name']} begins is not known here")
        numbers = Numbers(optimizer, steps, 1.0)
        variables = {slot.path: numbers.weight(_name(slot)) or _constant(slot, inner) for slot in wanted}
    except StateNotConvertible as error:
        journal.lose(WHERE, f"its state: {error}; {_NONE_WRITTEN}")
        return {}
    journal.edit(BEGIN, WHERE, str(inner["class_name"]))
    if own:
        journal.guess(WHERE, "all weights of layers of your own classes are trained; if not, Keras begins by itself")
    return variables


def _constant(slot: SpecSlot, optimizer: Mapping[str, Any]) -> Weight:
    """The value of an optimizer's variable before its first step. Raises StateNotConvertible."""
    import numpy as np

    if slot.shape is None or None in slot.shape:
        raise StateNotConvertible(f"the shape of {slot.name} follows from a class of your own")
    start = number(optimizer, "initial_accumulator_value", 0.1) if slot.name.endswith("/accumulator") else 0.0
    if slot.dtype not in ("float32", "float64", "int32") and start:
        raise StateNotConvertible(f"{slot.name} of {slot.dtype} does not begin with zeros")
    size = dtypes.itemsize(slot.dtype) or 0
    value = np.asarray(start, dtypes.DTYPES[slot.dtype][1]).tobytes() if start else bytes(max(size, 1))
    shape = tuple(axis or 0 for axis in slot.shape)
    nbytes = math.prod(shape) * size
    return Weight(slot.name, shape, slot.dtype, nbytes, Section.OPTIMIZER, values=Repeated(value, nbytes))


class _Conversion(NamedTuple):
    """The conversion of the state of an optimizer: its source and its target."""

    checkpoint: Checkpoint
    alignment: Alignment
    rewritten: Rewritten
    spec: Spec
    own: Sequence[OwnWeight]
    optimizer: Mapping[str, Any]
    reversed_kernels: bool
    journal: Journal

    def state(self, stored: Sequence[Weight]) -> dict[str, Weight]:
        """The variables of the new optimizer. Raises StateNotConvertible."""
        if self.alignment.generation is Generation.KERAS_3:
            return _as_stored(stored, with_optimizer(self.spec, self.optimizer).optimizer)
        # Arrays are found by the labels of their weights, which have to be unique for that.
        if len({aligned.place.label for aligned in self.alignment.aligned}) < len(self.alignment.aligned):
            raise StateNotConvertible("some weights have the same name, and nothing says which state belongs to which")
        # Many files do not say which weights were trained: likely lists are tried, and the first that fits is taken.
        errors = list[StateNotConvertible]()
        listed = candidates(self.checkpoint, self.alignment, self.rewritten, self.own, stored)
        variables = next(filter(None, (self.variables_or_error(sources, stored, errors) for sources in listed)), None)
        if variables is None:
            raise errors[-1]
        return variables

    def variables_or_error(
        self, sources: Sequence[Source], stored: Sequence[Weight], errors: list[StateNotConvertible]
    ) -> dict[str, Weight]:
        """The variables if the stored arrays fit these weights; none if not, with the reason added to `errors`."""
        try:
            return self.variables(sources, stored)
        except StateNotConvertible as error:
            errors.append(error)
            return {}

    def variables(self, sources: Sequence[Source], stored: Sequence[Weight]) -> dict[str, Weight]:
        """The variables if the stored arrays fit these weights in their order. Raises StateNotConvertible."""
        _refuse_changed(sources, self.rewritten)
        stored_state = stored_state_of(stored, [source.weight.shape for source in sources], inside(self.optimizer))
        by_label = self.arrays_by_label(sources, stored_state)
        notes = Journal()  # of this list alone: the losses of one that does not fit are none
        steps = stored_state.steps(inside(self.optimizer), notes)
        paths = frozenset(self.alignment.by_path())
        scale = tensorflow_state.loss_scale(self.checkpoint, paths)
        good_steps = tensorflow_state.good_steps(self.checkpoint, paths)
        product = tensorflow_state.momenta_product(self.checkpoint, paths)
        if product is None:
            product = stored_state.product(self.checkpoint)
        else:  # TensorFlow stored what the settings announced as computed
            self.journal.losses[:] = [loss for loss in self.journal.losses if loss.what != COMPUTED_PRODUCT]
        if scale is None and inside(self.optimizer) is not self.optimizer:
            notes.lose(WHERE, f"the factor of losses is not stored, and begins with {first_scale(self.optimizer):g}")
        numbers = Numbers(self.optimizer, steps, product, stored_state.rate(), scale, good_steps)
        variables, begun = dict[str, Weight](), list[str]()
        for slot in self.expected_slots(sources):
            name = _name(slot)
            weight = by_label.get(name.removeprefix(INNER)) or numbers.weight(name) or _unused(slot)
            if weight is None and _begins_late(stored):
                weight = _constant(slot, inside(self.optimizer))
                begun.append(slot.name)
            if weight is None or (slot.shape is not None and weight.shape != slot.shape):
                raise StateNotConvertible(f"nothing stored is {slot.name}")
            variables[slot.path] = weight
        self.journal.losses += notes.losses
        self._note_frozen(sources)
        if begun:
            self.journal.edit(BEGIN_LATE, WHERE, f"{len(begun)} variables")
            weights = list(dict.fromkeys(name.rpartition("/")[0] for name in begun))
            self.journal.guess(
                WHERE,
                f"{first_of(weights, _SHOWN)} are trained, and the optimizer has no state for them, as before their "
                "first gradient; if they were frozen as the model was compiled, what was saved did not train them",
            )
        return variables

    def _note_frozen(self, sources: Sequence[Source]) -> None:
        """Note the layers that were trained and are frozen now: where they were frozen after `compile`, the model that
        was saved still trained them, and no older Keras does once it has loaded them: `compile` takes those
        that the config leaves trainable (keras/engine/training.py, 2.2.4 and 2.10)."""
        slots = ((source.aligned.place.layer, source.aligned.place.slot) for source in sources if source.aligned)
        frozen = list(dict.fromkeys(layer for layer, slot in slots if slot.frozen))
        if frozen:
            self.journal.guess(
                WHERE,
                f"layers are frozen ({first_of(frozen, _SHOWN)}), and the optimizer has state for them: if they were "
                "frozen after compile, the model that was saved still trained them, which no Keras does after loading",
            )

    def arrays_by_label(self, sources: Sequence[Source], stored_state: StoredState) -> dict[str, Weight]:
        """The arrays by the labels of their weights and their kinds, such as `dense/kernel/momentum`."""
        numbered = {id(source.part): at for at, source in enumerate(sources) if source.part is not None}
        arrays = dict[str, Weight]()
        for kind in {kind for kind, _ in stored_state.arrays}:
            for at, source in enumerate(sources):
                if source.aligned is None:  # a weight of a class of the user's own, which no slot of the model takes
                    weight = stored_state.arrays.get((kind, at))
                else:
                    weight = _joined(source.aligned, kind, stored_state.arrays, numbered, self.reversed_kernels)
                if weight is not None:
                    arrays[f"{source.label}/{kind}"] = replace(weight, section=Section.OPTIMIZER)
        return arrays

    def expected_slots(self, sources: Sequence[Source]) -> Sequence[SpecSlot]:
        """The variables of the new optimizer, if these weights of the user's own layers are trained."""
        left = {source.slot.label for source in self.own} - {source.label for source in sources}
        slots = tuple(slot for slot in self.spec.slots if slot.label not in left)
        return with_optimizer(replace(self.spec, slots=slots), self.optimizer).optimizer


def _begins_late(stored: Sequence[Weight]) -> bool:
    """Whether the writer's optimizer made the variables for a weight at its first gradient, as in tf.keras up to 2.10
    (`OptimizerV2._create_all_weights`, keras/optimizers/optimizer_v2/optimizer_v2.py)."""
    return ITERATION_UNTIL_2_10.match(stored[0].path) is not None


def _name(slot: SpecSlot) -> str:
    """The name of a variable among all of the optimizer: Keras stores those of an inner optimizer twice."""
    below = slot.path.rpartition("vars/")[0].removeprefix("optimizer/")
    return f"{below}{slot.name}"


def _as_stored(stored: Sequence[Weight], wanted: Sequence[SpecSlot]) -> dict[str, Weight]:
    """The variables that Keras 3 stored, in the order of the new ones."""
    own = [slot for slot in wanted if slot.path.startswith("optimizer/vars/")]
    if len(own) != len(stored):
        raise StateNotConvertible(f"{len(stored)} variables are stored, the optimizer has {len(own)}")
    named = {slot.name: weight for slot, weight in zip(own, stored, strict=True)}
    for slot in wanted:
        if named[_name(slot)].shape != slot.shape:
            raise StateNotConvertible(f"a stored variable is not {slot.name}")
    return {slot.path: named[_name(slot)] for slot in wanted}


def _refuse_changed(sources: Sequence[Source], rewritten: Rewritten) -> None:
    """Raise StateNotConvertible where the values of trained weights are changed, so that steps would differ."""
    labels = [source.aligned.place.label for source in sources if source.aligned is not None]
    multiplied = [scaled for label in labels if (scaled := rewritten.scaled_at(label)) is not None]
    if any(any(scaled.gates) for scaled in multiplied):
        raise StateNotConvertible("weights that it belongs to are multiplied")
    if not rewritten.arrangements.keys().isdisjoint(labels):
        raise StateNotConvertible("weights that it belongs to are rearranged")


def _unused(slot: SpecSlot) -> Weight | None:
    """The number that Adafactor stores instead of factors for a weight without factors, and does not use."""
    if slot.shape != () or slot.dtype != "int32":
        return None
    return Weight(slot.name, (), slot.dtype, 4, Section.OPTIMIZER, values=Repeated(b"\0", 4))


def _joined(
    aligned: Aligned, kind: str, arrays: Mapping[Key, Weight], numbered: Mapping[int, int], reversed_kernels: bool
) -> Weight | None:
    """The array of a kind for a slot, put together of stored arrays as the weight itself is; None where these are
    missing or have other shapes. `numbered` are the numbers of trained weights by the identity of their stored parts.
    """
    arrays_of_parts = [arrays.get((kind, numbered[id(part)])) for part in aligned.stored if id(part) in numbered]
    present = [weight for weight in arrays_of_parts if weight is not None]
    if len(present) != len(aligned.stored):
        return None
    parts = tuple(Stored(weight, part.slot) for weight, part in zip(present, aligned.stored, strict=True))
    # An array of another shape than its weight, such as a factor of Adafactor, cannot be turned or joined as the weight
    # is: it is right only where the weight is taken as it is stored.
    if any(new_part.weight.shape != part.weight.shape for new_part, part in zip(parts, aligned.stored, strict=True)):
        is_unchanged = weight_of(aligned, reversed_kernels) is aligned.stored[0].weight
        return replace(present[0], section=Section.OPTIMIZER) if is_unchanged else None
    return replace(
        weight_of(Aligned(aligned.place, parts, aligned.evidence), reversed_kernels), section=Section.OPTIMIZER
    )
