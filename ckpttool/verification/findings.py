"""The findings on weights, slots and their pairs, and those that do not count."""

import fnmatch
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter

from ckpttool.alignment.names import Namer
from ckpttool.arrays.statistics import measure
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.io import dtypes
from ckpttool.model import architecture_of
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import SpecSlot
from ckpttool.verification import evidence, graph_state
from ckpttool.verification.pairs import Pairing
from ckpttool.verification.result import Status, WeightProblem

_GENERATOR_STATE = "seed_generator/vars/"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The differences that do not count against a checkpoint.

    `missing` and `unexpected` are globs over layers, weights and paths. With `strict_dtypes` every other dtype counts,
    with `optimizer` also the state of the optimizer.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    strict_dtypes: bool = False
    optimizer: bool = False


NOTHING = Allowed()


def findings_on(checkpoint: Checkpoint, pairing: Pairing, loader: str, allowed: Allowed) -> list[WeightProblem]:
    """The findings on weights, slots and their pairs."""
    names = Namer.of(checkpoint, architecture_of(checkpoint))
    crossed = () if pairing.by_attributes else _crossed(checkpoint, pairing, loader, names)
    findings = [*_leftovers(pairing), *_mismatches(pairing, allowed), *crossed]
    return list(_with_skips(findings, pairing))


def _leftovers(pairing: Pairing) -> Iterator[WeightProblem]:
    """The findings on slots and weights without a partner; a slot with the path of a weight that might fill it."""
    free = dict[tuple[int, ...], list[Weight]]()
    for weight, _ in pairing.unexpected:
        free.setdefault(weight.shape, []).append(weight)
    for slot, why in pairing.missing:
        yield WeightProblem(Status.MISSING, slot, None, why, _same_shape(slot, free), accepted=why == graph_state.LATE)
    for weight, why in pairing.unexpected:
        state = _GENERATOR_STATE in weight.path
        why = "the state of a random generator, which Keras does not load" if state else why
        yield WeightProblem(Status.UNEXPECTED, None, weight, why, accepted=state)


def _same_shape(slot: SpecSlot, free: Mapping[tuple[int, ...], list[Weight]]) -> str:
    """A hint to the weight without a slot that has the shape of this slot; empty unless exactly one has it."""
    if slot.shape is None or None in slot.shape:
        return ""
    weights = free.get(slot.shape, [])  # type: ignore[arg-type]
    return f"the same shape is stored as {weights[0].path}" if len(weights) == 1 else ""


def _mismatches(pairing: Pairing, allowed: Allowed) -> Iterator[WeightProblem]:
    for slot, weight in pairing.pairs:
        if not shapes_fit(slot.shape, weight.shape):
            remedy = _other_layout(slot, weight)
            yield WeightProblem(Status.SHAPE, slot, weight, f"expected {slot.shape}, stored {weight.shape}", remedy)
        if slot.dtype and slot.dtype != weight.dtype:
            harmless = dtypes.castable(weight.dtype, slot.dtype) and not allowed.strict_dtypes
            why = f"expected {slot.dtype}, stored {weight.dtype}, which Keras converts"
            yield WeightProblem(Status.DTYPE, slot, weight, why, accepted=harmless)


_OF_CUDNN = (("lstm_cell/bias", 1, 2), ("gru_cell/bias", 2, 1))  # axes, and how many times as many numbers with cuDNN


def _other_layout(slot: SpecSlot, weight: Weight) -> str:
    """A hint why a stored weight has another shape than its slot; empty where none is known."""
    if len(weight.shape) > 1 and shapes_fit(slot.shape, weight.shape[::-1]):
        return "the stored one is transposed"
    for name, axes, times in _OF_CUDNN:
        if slot.name.endswith(name) and slot.shape is not None and len(slot.shape) == axes and None not in slot.shape:
            sizes = [size for size in slot.shape if size is not None]
            if weight.shape == (times * math.prod(sizes),):
                return "weights of a layer for cuDNN; ckpttool convert --arch lays them out for this one"
    return ""


def _crossed(checkpoint: Checkpoint, pairing: Pairing, loader: str, names: Namer) -> Iterator[WeightProblem]:
    """The findings on pairs whose stored names say that the weight belongs to another slot."""
    owner, layers = attrgetter("layer" if loader == "path" else "group"), dict[str, str]()
    if loader != "name":
        layers = evidence.swapped_layers(pairing.pairs, owner, *_stored_names(checkpoint, loader, names))
    inside = evidence.swapped_weights(pairing.pairs, owner)
    remedy = "order the layers as in the file" + (", or load by name" if loader == "order" else "")
    for slot, weight in pairing.pairs:
        other = layers.get(owner(slot))
        if other is not None:
            why = f"would get the weights that the file stores for {other}"
            yield WeightProblem(Status.ORDER, slot, weight, why, remedy)
        elif slot in inside:
            yield WeightProblem(Status.ORDER, slot, weight, f"would get what the file stores as {inside[slot]}")


def _stored_names(checkpoint: Checkpoint, loader: str, names: Namer) -> tuple[Callable[[Weight], str | None], set[str]]:
    """A function that gives the layer's name in the file for a weight, and all these names."""

    def layer_of(weight: Weight) -> str | None:
        if loader == "path" and weight.layer is None:
            name = names.name(weight)
            return name.layer if name.class_name is not None else None
        return weight.layer

    weights = checkpoint.section(Section.MODEL)
    return layer_of, {name for weight in weights if (name := layer_of(weight)) is not None}


def _with_skips(findings: list[WeightProblem], pairing: Pairing) -> Iterator[WeightProblem]:
    """The findings, those that Keras skips accepted, and one for each fitting pair that is skipped with others."""
    for finding in findings:
        reason = pairing.skipped.get(id(finding.slot or finding.weight))
        if reason is None:
            yield finding
        elif finding.status is Status.SHAPE:
            yield replace(finding, why=f"{finding.why}; {reason}", accepted=True)
        elif finding.status in (Status.MISSING, Status.UNEXPECTED):
            yield replace(finding, why=reason, accepted=True)
    for slot, weight in pairing.pairs:
        if id(slot) in pairing.skipped and shapes_fit(slot.shape, weight.shape):
            yield WeightProblem(Status.SKIPPED, slot, weight, pairing.skipped[id(slot)], accepted=True)


def bad_values(pairing: Pairing, progress: Callable[[int], None]) -> Iterator[WeightProblem]:
    """The findings on weights that contain NaN or Inf, or cannot be read."""
    for slot, weight in pairing.pairs:
        if id(slot) in pairing.skipped:
            continue
        try:
            stats = measure(weight, stats=True, progress=progress).stats
        except CheckpointError as error:
            yield WeightProblem(Status.VALUE, slot, weight, f"cannot be read: {error.what}")
            continue
        if stats is not None and (stats.nan or stats.inf):
            why = f"{stats.nan:,} NaN and {stats.inf:,} Inf of {weight.size:,}"
            yield WeightProblem(Status.VALUE, slot, weight, why)


def accepted(finding: WeightProblem, allowed: Allowed) -> WeightProblem:
    """The finding, accepted where the user allows it."""
    globs = {Status.MISSING: allowed.missing, Status.UNEXPECTED: allowed.unexpected}.get(finding.status, ())
    slot, weight = finding.slot, finding.weight
    place = slot.path if slot else weight.path if weight else ""
    layer = slot.layer if slot else (weight.layer or "") if weight else ""
    return replace(finding, accepted=finding.accepted or matches(place, layer, (*globs,), finding.label))


def matches(path: str, layer: str, globs: tuple[str, ...], label: str = "") -> bool:
    """Whether a glob has the path, the layer or the label of something."""
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs for name in (path, layer, label) if name)
