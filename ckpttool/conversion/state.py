"""The state of an optimizer of Keras 1 or 2 in the order of Keras 3, so that training goes on where it stopped.

Up to Keras 2.10 an optimizer listed the iteration and then, kind after kind, one array for each trained weight
(keras/optimizers.py, 1.2.2 and 2.2.4; tensorflow/python/keras/optimizer_v2, 2.10). Since 2.11 its order is that of
Keras 3, which `ckpttool.architecture.optimizers` knows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ckpttool import dtypes
from ckpttool.aligning import Aligned, Alignment, Stored
from ckpttool.architecture.dialects import Generation
from ckpttool.architecture.layouts import Place
from ckpttool.architecture.optimizers import Trained, optimizer_state
from ckpttool.architecture.spec import SpecSlot
from ckpttool.assembled import weight_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.rewriting import Rewritten
from ckpttool.formats.hdf5.values import InMemory, Repeated

WHERE = "optimizer"
BEGIN = Edit(
    "begin-optimizer",
    "writes the state of an optimizer that has not begun, which Keras 3 looks for where a model is compiled",
    "always: as Keras makes it",
)
EDITS = (BEGIN,)
_BEGIN_WITH_ZEROS = frozenset({"Adadelta", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "RMSprop", "SGD"})

# The kinds of arrays in their old order, by the names that Keras 3 has for them.
_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Adadelta": ("accumulated_grad", "accumulated_delta_var"),
        "Adagrad": ("accumulator",),
        "Adam": ("momentum", "velocity", "velocity_hat"),
        "Adamax": ("momentum", "norm"),
        "Ftrl": ("accumulator", "linear"),
        "RMSprop": ("velocity", "momentum", "average_gradient"),
        "SGD": ("momentum",),
    }
)
_Key = tuple[str, int]
"""A kind of array, and the number of the trained weight that it is for."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A trained weight of the old model as it is stored: in which slot, and as which part of it."""

    aligned: Aligned
    stored: Stored


def state(
    checkpoint: Checkpoint,
    alignment: Alignment,
    rewritten: Rewritten,
    wanted: Sequence[SpecSlot],
    optimizer: Mapping[str, Any],
    reversed_kernels: bool,
    journal: Journal,
) -> dict[str, Weight]:
    """The variables of the optimizer by their paths in `.weights.h5`; those of one that has not begun where none are
    stored, or they cannot all be told, which is noted. `wanted` are those that Keras 3 has, `optimizer` is its entry in
    the new config."""
    stored = checkpoint.section(Section.OPTIMIZER)
    try:
        if not stored and wanted:
            raise _Lost("none is stored, so training begins anew")
        if wanted:
            return _state(stored, alignment, rewritten, wanted, optimizer, reversed_kernels, checkpoint)
    except _Lost as error:
        journal.lose(WHERE, f"its state: {error}")
    return _fresh(wanted, optimizer, journal)


def _fresh(wanted: Sequence[SpecSlot], optimizer: Mapping[str, Any], journal: Journal) -> dict[str, Weight]:
    """The state of an optimizer that has not begun, as Keras makes it; none of one that does not begin with zeros."""
    if optimizer["class_name"] not in _BEGIN_WITH_ZEROS or any(slot.shape is None for slot in wanted):
        return {}
    found = {slot.path: _scalar(slot.name, 0, optimizer) or _zeros(slot) for slot in wanted}
    if found:
        journal.edit(BEGIN, WHERE, str(optimizer["class_name"]))
    return found


def _zeros(slot: SpecSlot) -> Weight:
    shape = tuple(size or 0 for size in slot.shape or ())
    nbytes = math.prod(shape) * (dtypes.itemsize(slot.dtype) or 0)
    return Weight(slot.name, shape, slot.dtype, nbytes, Section.OPTIMIZER, values=Repeated(b"\0", nbytes))


class _Lost(Exception):
    """The state cannot be carried, and why."""


def _state(
    stored: Sequence[Weight],
    alignment: Alignment,
    rewritten: Rewritten,
    wanted: Sequence[SpecSlot],
    optimizer: Mapping[str, Any],
    reversed_kernels: bool,
    checkpoint: Checkpoint,
) -> dict[str, Weight]:
    if any(any(one.gates) for one in rewritten.scaled):
        raise _Lost("weights that it was kept for are multiplied")
    sources = _trained(checkpoint, alignment)
    iteration, rest = _iteration(stored)
    keys = _order(rest, sources, optimizer)
    by_key = dict(zip(keys, rest, strict=True))
    labels = {
        f"{rewritten.label(one.aligned.place.layer, one.aligned.place.name)}/{kind}": _joined(
            one.aligned, kind, by_key, sources, reversed_kernels
        )
        for one in sources
        for kind in {kind for kind, _ in keys}
    }
    found = dict[str, Weight]()
    for slot in wanted:
        weight = labels.get(slot.name) or _scalar(slot.name, iteration, optimizer)
        if weight is None or (slot.shape is not None and weight.shape != slot.shape):
            raise _Lost(f"nothing stored is {slot.name}")
        found[slot.path] = weight
    return found


def _trained(checkpoint: Checkpoint, alignment: Alignment) -> list[_Source]:
    """The stored arrays that were trained, in the order of `model.trainable_weights`."""
    by_path = {stored.weight.path: _Source(one, stored) for one in alignment.aligned for stored in one.stored}
    listed = [by_path[weight.path] for weight in checkpoint.section(Section.MODEL) if weight.path in by_path]
    trained = [one for one in listed if _is_trained(one)]
    if _sorts(checkpoint, alignment):
        return sorted(trained, key=lambda one: one.stored.weight.name or "")
    if alignment.generation is None:
        turn = {place.group: at for at, place in enumerate(_groups(alignment))}
        trained.sort(key=lambda one: (turn[one.aligned.place.group], one.aligned.place.index or 0))
    return trained


def _sorts(checkpoint: Checkpoint, alignment: Alignment) -> bool:
    """Whether the writer had the trained weights in the order of their names: Keras 1.1 to 2.0.5 (`compile`,
    keras/engine/training.py)."""
    version = checkpoint.producer.keras_version
    if version is None or version.startswith("1."):
        return alignment.generation is Generation.KERAS_1
    return re.fullmatch(r"2\.0\.[0-5]", version) is not None


def _groups(alignment: Alignment) -> list[Place]:
    return list({one.place.group: one.place for one in alignment.aligned}.values())


def _is_trained(source: _Source) -> bool:
    slot = source.aligned.place.slot
    return slot.trainable and not slot.frozen and not slot.borrowed


def _iteration(stored: Sequence[Weight]) -> tuple[int, list[Weight]]:
    """The number of steps so far, and the arrays behind it and the learning rate."""
    rest = list(stored)
    steps = 0
    if rest and rest[0].shape == () and "learning_rate" not in rest[0].path:
        steps = int(rest.pop(0).read())
    if rest and rest[0].shape == () and "learning_rate" in rest[0].path:
        rest.pop(0)
    return steps, rest


def _order(rest: Sequence[Weight], sources: Sequence[_Source], optimizer: Mapping[str, Any]) -> list[_Key]:
    """What the arrays are, in their order: that of Keras 3, or kind after kind."""
    shapes = [one.stored.weight.shape for one in sources]
    candidates = [_today(shapes, optimizer), *_by_kind(len(sources), len(rest), str(optimizer["class_name"]))]
    if not _is_of_today(rest):
        candidates = candidates[1:] + candidates[:1]
    for keys in candidates:
        if len(keys) == len(rest) and all(
            weight.shape == shapes[at] or (kind == "velocity_hat" and weight.shape == (1,))
            for (kind, at), weight in zip(keys, rest, strict=True)
        ):
            return keys
    raise _Lost(f"{len(rest)} arrays for {len(sources)} trained weights are not what {optimizer['class_name']} keeps")


def _is_of_today(rest: Sequence[Weight]) -> bool:
    """Whether names have the kind in front of the weight, or behind an underscore, as since Keras 2.11."""
    names = [weight.path.removeprefix("optimizer_weights/") for weight in rest]
    return any(f"/{kind}/" in name for name in names for kind in "mv") or all("/vars/" in name for name in names)


def _today(shapes: Sequence[tuple[int, ...]], optimizer: Mapping[str, Any]) -> list[_Key]:
    trained = [Trained(str(at), shape, "float32", f"w/{at}") for at, shape in enumerate(shapes)]
    names = [one.name for one in optimizer_state(optimizer, trained).get("", ()) if "/" in one.name]
    return [(kind, int(at)) for at, _, kind in (name.partition("/") for name in names)]


def _by_kind(count: int, arrays: int, class_name: str) -> list[list[_Key]]:
    kinds = _KINDS.get(class_name, ())
    given = arrays // count if count else 0
    if given * count != arrays or given > len(kinds):
        return []
    return [[(kind, at) for kind in kinds[:given] for at in range(count)]]


def _joined(
    aligned: Aligned, kind: str, by_key: Mapping[_Key, Weight], sources: Sequence[_Source], reversed_kernels: bool
) -> Weight:
    """The array of a kind for a slot, made as the weight of the slot is made of what is stored."""
    number = {id(one.stored): at for at, one in enumerate(sources)}
    parts = tuple(Stored(by_key[kind, number[id(part)]], part.slot) for part in aligned.stored)
    return replace(
        weight_of(Aligned(aligned.place, parts, aligned.evidence), reversed_kernels), section=Section.OPTIMIZER
    )


def _scalar(name: str, iteration: int, optimizer: Mapping[str, Any]) -> Weight | None:
    """The iteration, the learning rate, which the config tells, and what follows from them."""
    import numpy as np

    if name == "iteration":
        return _number(name, np.asarray(iteration, "<i8").tobytes(), "int64")
    if name == "u_product":
        return _number(
            name, np.asarray(_u_product(iteration, optimizer["config"].get("beta_1")), "<f4").tobytes(), "float32"
        )
    rate = optimizer["config"].get("learning_rate")
    if name == "learning_rate" and isinstance(rate, int | float):
        return _number(name, np.asarray(rate, "<f4").tobytes(), "float32")
    return None


def _u_product(iteration: int, beta_1: Any) -> float:
    """What Nadam multiplies up from step to step, which Keras 2 did not store (keras/src/optimizers/nadam.py, 2.15)."""
    product = 1.0
    for step in range(1, iteration + 1):
        product *= (0.9 if beta_1 is None else beta_1) * (1 - 0.5 * 0.96**step)
        if not product:
            break
    return product


def _number(name: str, raw: bytes, dtype: str) -> Weight:
    return Weight(name, (), dtype, len(raw), Section.OPTIMIZER, values=InMemory(raw))
