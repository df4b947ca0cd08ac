"""The weights of a file against the slots of its own architecture."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from ckpttool.alignment.alignment import Alignment
from ckpttool.alignment.names import Namer
from ckpttool.checkpoint import Checkpoint, Refusal, Section, Weight
from ckpttool.checks.integrity.rules import (
    LEFT_OVER,
    NO_WEIGHTS,
    SENSELESS_CONFIG,
    SLOT_MISSING,
    TOO_MANY,
    UNKNOWN_SLOTS,
)
from ckpttool.checks.limits import few
from ckpttool.checks.rule import Finding, Told
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError, UnsafeFileError
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.model import Architecture, unlisted
from ckpttool.model.layouts import Place, opaque_in
from ckpttool.model.spec import part_in, spec_of
from ckpttool.verification import LOADERS

T = TypeVar("T")

_SHOWN = 4


def slots(subject: Subject) -> Iterator[Told]:
    """Slots without weights, weights without slots, or why neither can be told."""
    if subject.checkpoint is None:
        return
    if subject.architecture_error is not None:
        yield from _senseless(subject.architecture_error)
    if subject.architecture is None:
        return
    if subject.alignment is not None:
        yield from _compared(subject.checkpoint, subject.architecture, subject.alignment, _opaque(subject))
    elif _has_lost_its_weights(subject.checkpoint):
        yield Finding(NO_WEIGHTS, "", "the optimizer has state for weights, none of which is stored")
    elif not subject.architecture.layers:
        yield Finding(UNKNOWN_SLOTS, "config", _unlisted(subject.architecture))
    elif subject.alignment_error is not None:
        yield from _senseless(subject.alignment_error)


def _unlisted(architecture: Architecture) -> str:
    """What a config describes that lists no layers."""
    own = f"a model of class {architecture.class_name}"
    return unlisted.description(architecture) if unlisted.is_of_keras(architecture) else own


def _senseless(error: CheckpointError) -> Iterator[Told]:
    if not isinstance(error, UnsafeFileError):  # what is unsafe is told as such
        yield Finding(SENSELESS_CONFIG, error.where or "config", Refusal.from_error(error).detail)


def _has_lost_its_weights(checkpoint: Checkpoint) -> bool:
    """Whether the optimizer keeps values for weights, and the model has no weight at all."""
    state = checkpoint.section(Section.OPTIMIZER)
    return not checkpoint.section(Section.MODEL) and any(weight.shape for weight in state)


def _compared(
    checkpoint: Checkpoint, architecture: Architecture, alignment: Alignment, opaque: tuple[str, ...]
) -> Iterator[Told]:
    if alignment.missing and not checkpoint.section(Section.MODEL):
        yield Finding(NO_WEIGHTS, "", f"the config has {len(alignment.missing):,} weights, and none is stored")
        return
    left = [weight for weight in alignment.left if not _is_below(weight, opaque)]
    names = Namer.of(checkpoint, architecture) if left else Namer()
    near = defaultdict[str | None, list[Weight]](list)
    for weight in left:
        for key in {weight.layer, weight.path}:
            near[key].append(weight)
    by_layer = _grouped(alignment.missing, lambda place: place.layer)
    yield from few(_missing(places, near) for places in by_layer)
    counted = _too_many(checkpoint, architecture)
    extra = _grouped((weight for weight in left if weight.path in counted), _owner)
    yield from few(
        Finding(TOO_MANY, _owner(weights[0]), f"{_listed(weights, names)}: more than its layer has, which Keras counts")
        for weights in extra
    )
    rest = _grouped((weight for weight in left if weight.path not in counted), _owner)
    yield from few(
        Finding(
            LEFT_OVER,
            weights[0].path if len(weights) == 1 else _owner(weights[0]),
            f"{_listed(weights, names)}: no layer of the config takes {'it' if len(weights) == 1 else 'them'}",
        )
        for weights in rest
    )


def _too_many(checkpoint: Checkpoint, architecture: Architecture) -> set[str]:
    """The paths of the weights of objects of which a file that Keras loads by path stores more than they have."""
    if checkpoint.kind not in PATH_KINDS:
        return set()
    miscounted = LOADERS["path"](spec_of(architecture), checkpoint).miscounted
    return {weight.path for slots, weights, _ in miscounted if len(weights) > len(slots) for weight in weights}


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> Iterable[list[T]]:
    """The items by key, in the order of their first."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.values()


def _owner(weight: Weight) -> str:
    """The layer of a stored weight, else the group that it is in."""
    return weight.layer or weight.path.rpartition("/")[0] or weight.path


def _listed(weights: Sequence[Weight], names: Namer) -> str:
    """The first weights with shapes and dtypes, and how many more there are."""
    shown = ", ".join(f"{names.name(weight).label} {weight.shape} {weight.dtype}" for weight in weights[:_SHOWN])
    return shown + (f" and {len(weights) - _SHOWN:,} more" if len(weights) > _SHOWN else "")


def _missing(places: Sequence[Place], near: Mapping[str | None, list[Weight]]) -> Finding:
    """What is missing of a layer, with the stored weights that may be meant for it, which are those of its layer or
    path."""
    first, single = places[0], len(places) == 1
    expected = ", ".join(f"{'' if single else f'{place.name} '}{_shape(place)}" for place in places[:_SHOWN])
    more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
    found = near.get(first.layer) or near.get(first.path, [])
    stored = f"; stored there: {', '.join(str(weight.shape) for weight in found[:3])}" if found else ""
    return Finding(SLOT_MISSING, first.label if single else first.layer, f"expected {expected}{more}{stored}")


def _shape(place: Place) -> str:
    return "a shape that is not known" if place.slot.shape is None else f"{place.slot.shape}"


def _opaque(subject: Subject) -> tuple[str, ...]:
    """The chains of names and the paths of objects whose weights only their own class knows."""
    assert subject.architecture is not None
    found = list(opaque_in(part_in(subject.architecture)))
    return tuple(f"{place}/" for chain, _, path in found for place in (chain, path))


def _is_below(weight: Weight, opaque: tuple[str, ...]) -> bool:
    return f"{weight.layer}/".startswith(opaque) or f"{weight.path}/".startswith(opaque)


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (slots,)
