"""The weights of a file against the slots of its own architecture."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from ckpttool.aligning import Alignment
from ckpttool.architecture.layouts import Place, opaque_in
from ckpttool.architecture.spec import part_in
from ckpttool.checkpoint import Checkpoint, Refusal, Section, Weight
from ckpttool.checks.few import few
from ckpttool.checks.integrity.rules import LEFT_OVER, NO_WEIGHTS, SENSELESS_CONFIG, SLOT_MISSING, UNKNOWN_SLOTS
from ckpttool.checks.rule import Finding, Told
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError, UnsafeFileError


def slots(subject: Subject) -> Iterator[Told]:
    """Slots without weights, weights without slots, or why neither can be told."""
    if subject.checkpoint is None:
        return
    if subject.architecture_error is not None:
        yield from _senseless(subject.architecture_error)
    if subject.architecture is None:
        return
    if subject.alignment is not None:
        yield from _compared(subject.checkpoint, subject.alignment, _opaque(subject))
    elif _has_lost_its_weights(subject.checkpoint):
        yield Finding(NO_WEIGHTS, "", "the optimizer has state for weights, none of which is stored")
    elif not subject.architecture.layers:
        yield Finding(UNKNOWN_SLOTS, "config", f"a model of class {subject.architecture.class_name}")
    elif subject.alignment_error is not None:
        yield from _senseless(subject.alignment_error)


def _senseless(error: CheckpointError) -> Iterator[Told]:
    if not isinstance(error, UnsafeFileError):  # what is unsafe is told as such
        yield Finding(SENSELESS_CONFIG, error.where or "config", Refusal.from_error(error).detail)


def _has_lost_its_weights(checkpoint: Checkpoint) -> bool:
    """Whether the optimizer keeps values for weights, and the model has no weight at all."""
    state = checkpoint.section(Section.OPTIMIZER)
    return not checkpoint.section(Section.MODEL) and any(weight.shape for weight in state)


def _compared(checkpoint: Checkpoint, alignment: Alignment, opaque: tuple[str, ...]) -> Iterator[Told]:
    if alignment.missing and not checkpoint.section(Section.MODEL):
        yield Finding(NO_WEIGHTS, "", f"the config has {len(alignment.missing):,} weights, and none is stored")
        return
    left = [weight for weight in alignment.left if not _is_below(weight, opaque)]
    near = defaultdict[str | None, list[Weight]](list)
    for weight in left:
        for key in {weight.layer, weight.path}:
            near[key].append(weight)
    yield from few(Finding(SLOT_MISSING, place.label, _missing(place, near)) for place in alignment.missing)
    yield from few(
        Finding(LEFT_OVER, weight.path, f"{weight.shape} {weight.dtype}, and no layer of the config takes it")
        for weight in left
    )


def _missing(place: Place, near: Mapping[str | None, list[Weight]]) -> str:
    """What is missing, with the stored weights that may be meant for it, which are those of its layer or path."""
    shape = "a shape that is not known" if place.slot.shape is None else f"{place.slot.shape}"
    found = near.get(place.layer) or near.get(place.path, [])
    stored = f"; stored there: {', '.join(str(weight.shape) for weight in found[:3])}" if found else ""
    return f"expected {shape}{stored}"


def _opaque(subject: Subject) -> tuple[str, ...]:
    """The chains of names and the paths of objects whose weights only their own class knows."""
    assert subject.architecture is not None
    found = list(opaque_in(part_in(subject.architecture)))
    return tuple(f"{place}/" for chain, _, path in found for place in (chain, path))


def _is_below(weight: Weight, opaque: tuple[str, ...]) -> bool:
    return f"{weight.layer}/".startswith(opaque) or f"{weight.path}/".startswith(opaque)


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (slots,)
