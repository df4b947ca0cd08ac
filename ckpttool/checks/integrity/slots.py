"""The weights of a file against the slots of its own architecture."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
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
from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Outcome, Unchecked
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError, UnsafeFileError
from ckpttool.escape import and_more
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.layouts import Place, opaque_in
from ckpttool.model.spec import spec_of

T = TypeVar("T")

_SHOWN = 4
_OF_OBJECT = "/.ATTRIBUTES/"  # in the key of a tensor that an object graph names


def slots(subject: Subject) -> Iterator[Outcome]:
    """Slots without weights and weights without slots, or the reason why they cannot be compared."""
    if subject.checkpoint is None:
        return
    if subject.architecture_error is not None:
        yield from _senseless(subject.architecture_error)
    if subject.architecture is None:
        return
    if _has_unread_objects(subject.checkpoint):
        yield Unchecked("", "the objects of the file cannot be read, which say whose its weights are")
    elif subject.alignment is not None:
        yield from _mismatches(subject.checkpoint, subject.architecture, subject.alignment, _opaque(subject))
    elif _has_only_optimizer_state(subject.checkpoint):
        yield Finding(NO_WEIGHTS, "", "the optimizer has state for weights, none of which is stored")
    elif not subject.architecture.layers:
        yield Finding(UNKNOWN_SLOTS, "config", _description(subject.architecture))
    elif subject.alignment_error is not None:
        yield from _senseless(subject.alignment_error)


def _has_unread_objects(checkpoint: Checkpoint) -> bool:
    """Whether the weights of a TensorFlow file are an object graph's, and the graph could not be read."""
    unread = checkpoint.format.is_of_tensorflow and checkpoint.object_graph is None
    return unread and any(_OF_OBJECT in path for path in checkpoint.weights)


def _description(architecture: Architecture) -> str:
    """The model of a config that lists no layers, in a phrase."""
    from ckpttool.model import unlisted_layers  # few configs list no layers

    own = f"a model of class {architecture.class_name}"
    return unlisted_layers.description(architecture) if unlisted_layers.is_of_keras(architecture) else own


def _senseless(error: CheckpointError) -> Iterator[Outcome]:
    if not isinstance(error, UnsafeFileError):  # which the rules of safety report
        yield Finding(SENSELESS_CONFIG, error.where or "config", Refusal.from_error(error).detail)


def _has_only_optimizer_state(checkpoint: Checkpoint) -> bool:
    """Whether the optimizer has state for weights of the model, and none of these is stored."""
    state = checkpoint.section(Section.OPTIMIZER)
    return not checkpoint.section(Section.MODEL) and any(weight.shape for weight in state)


def _mismatches(
    checkpoint: Checkpoint, architecture: Architecture, alignment: Alignment, opaque: tuple[str, ...]
) -> Iterator[Outcome]:
    if not checkpoint.weights and any(refusal.kind == "pointer" for refusal in checkpoint.refusals):
        return  # all weights are in the file that a pointer of git-lfs stands for, which is reported
    if alignment.missing and not checkpoint.section(Section.MODEL):
        yield Finding(NO_WEIGHTS, "", f"the config has {len(alignment.missing):,} weights, and none is stored")
        return
    left = [weight for weight in alignment.left if not _is_below(weight, opaque)]
    near = defaultdict[str | None, list[Weight]](list)
    for weight in left:
        for key in {weight.layer, weight.path}:
            near[key].append(weight)
    by_layer = _grouped(alignment.missing, lambda place: place.layer)
    yield from cap_findings(_missing(places, near) for places in by_layer)
    if left:
        yield from _left_over(left, _too_many(checkpoint, architecture), Namer.of(checkpoint, architecture))


def _left_over(left: Sequence[Weight], counted: Set[str], names: Namer) -> Iterator[Finding]:
    """The weights that no slot takes. `counted` are the paths of those for which Keras raises, as it counts them."""
    extra = _grouped((weight for weight in left if weight.path in counted), _owner)
    yield from cap_findings(
        Finding(TOO_MANY, _owner(weights[0]), f"{_listed(weights, names)}: more than its layer has, which Keras counts")
        for weights in extra
    )
    rest = _grouped((weight for weight in left if weight.path not in counted), _owner)
    yield from cap_findings(
        Finding(
            LEFT_OVER,
            weights[0].path if len(weights) == 1 else _owner(weights[0]),
            f"{_listed(weights, names)}: no layer of the config takes {'it' if len(weights) == 1 else 'them'}",
        )
        for weights in rest
    )


def _too_many(checkpoint: Checkpoint, architecture: Architecture) -> set[str]:
    """The paths of the weights of objects for which the file stores more weights than they have.

    Empty for files that Keras does not load by path: only there it compares the two numbers.
    """
    if not checkpoint.format.has_paths:
        return set()
    from ckpttool.verification import LOADERS  # only where something does not fit

    miscounted = LOADERS["path"](spec_of(architecture), checkpoint).miscounted
    return {weight.path for slots, weights, _ in miscounted if len(weights) > len(slots) for weight in weights}


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> Iterable[list[T]]:
    """The items grouped by key, in the order in which the keys first occur."""
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
    return shown + and_more(len(weights), _SHOWN)


def _missing(places: Sequence[Place], near: Mapping[str | None, list[Weight]]) -> Finding:
    """The finding for the missing weights of one layer. It shows the stored weights at the layer's name or path, which
    may be meant for these places."""
    first, single = places[0], len(places) == 1
    expected = ", ".join(f"{'' if single else f'{place.name} '}{_shape(place)}" for place in places[:_SHOWN])
    more = and_more(len(places), _SHOWN)
    stored_nearby = near.get(first.layer) or near.get(first.path, [])
    stored = f"; stored there: {', '.join(str(weight.shape) for weight in stored_nearby[:3])}" if stored_nearby else ""
    return Finding(SLOT_MISSING, first.label if single else first.layer, f"expected {expected}{more}{stored}")


def _shape(place: Place) -> str:
    return "a shape that is not known" if place.slot.shape is None else f"{place.slot.shape}"


def _opaque(subject: Subject) -> tuple[str, ...]:
    """The beginnings of names and paths below objects of own classes, whose weights no config lists."""
    assert subject.architecture is not None
    objects = list(opaque_in(part_in(subject.architecture)))
    return tuple(f"{place}/" for chain, _, path in objects for place in (chain, path))


def _is_below(weight: Weight, opaque: tuple[str, ...]) -> bool:
    return f"{weight.layer}/".startswith(opaque) or f"{weight.path}/".startswith(opaque)


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (slots,)
