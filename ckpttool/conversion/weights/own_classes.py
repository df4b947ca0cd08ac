"""The weights of layers of the user's own classes, which no table knows: where they go without a live model.

A layer with weights of its own alone writes them in the order in which it has them, in every layout. One that holds
other layers has theirs at the paths of its attributes, which no legacy file tells. From one file of the path layout to
another its group stays as it is, for the paths of Keras 2.13 to 2.15 are those of Keras 3.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ckpttool.alignment.alignment import Alignment, is_scope_of, moved_layers, moved_path, of_unknown, scopes_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.config.nested import LIVE
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.payload import LEGACY
from ckpttool.conversion.weights.placement import Placed
from ckpttool.formats.weights_h5 import PATH_KINDS, keras3_path
from ckpttool.formats.write.legacy import Layers, Named
from ckpttool.io import dtypes
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layouts import opaque_in
from ckpttool.model.slots import Part
from ckpttool.model.spec import part_in

_OF_ANOTHER = re.compile(r"_\d+_[A-Za-z]")  # `dense_3_W`: how Keras 1 called the weights of every layer
_NO_WORD = re.compile(r"\W")


_MOVING = frozenset({"moving_mean", "moving_variance"})
_NORMALIZATION = _MOVING | {"beta", "gamma"}
_OF_KERAS = _NORMALIZATION | set(
    "alpha bias depthwise_kernel embeddings kernel pointwise_kernel recurrent_kernel".split()
)


@dataclass(slots=True)
class OwnWeights:
    """The weights of layers of own classes: by their paths of today, and all weights of the legacy groups that have
    such, in order, by the layer's name of today. `names` are the stored ones of objects, by paths of today; `judged`
    are the paths in the source of the weights that were placed or refused."""

    by_path: dict[str, Weight] = field(default_factory=dict)
    groups: dict[str, list[Weight]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)


class _Owner(NamedTuple):
    """An object of an own class: its chain of names and its path in the source, and both today."""

    chain: str
    path: str
    label: str
    place: str
    class_name: str


def own_weights(
    checkpoint: Checkpoint,
    architecture: Architecture,
    alignment: Alignment,
    rewritten: Rewritten,
    today: Part,
    form: str,
    journal: Journal,
) -> OwnWeights:
    """The weights of own classes in a checkpoint, for a form. What only a live model could place is refused."""
    old = part_in(architecture)
    places = {chain: path for chain, _, path in opaque_in(today)}
    owners = [
        _Owner(chain, path, label, places.get(label, ""), part.class_name)
        for chain, part, path in opaque_in(old)
        if (label := rewritten.label(chain, "")) in places or journal.refusals  # which leave holes in the config
    ]
    if checkpoint.kind in PATH_KINDS:
        moved = moved_layers(architecture, old)
        stored = {moved_path(keras3_path(weight.path), moved): weight for weight in _all(checkpoint)}
        named = {moved_path(path, moved): name for path, name in checkpoint.object_names.items()}
        own = _by_path(owners, stored, form, journal)
        own.names |= {
            owner.place + path.removeprefix(owner.path): name
            for owner in owners
            for path, name in named.items()
            if _below(f"{path}/", owner.path)
        }
        return own
    return _legacy(checkpoint, old, alignment, owners, rewritten, form, journal)


def _all(checkpoint: Checkpoint) -> Iterator[Weight]:
    """The weights of the model, with what layers wrote under names of their own."""
    yield from checkpoint.section(Section.MODEL)
    yield from (one for one in checkpoint.section(Section.OTHER) if is_of_layer(one))


def is_of_layer(weight: Weight) -> bool:
    """Whether an array is what a layer of an own class wrote under a name of its own."""
    return weight.path.rpartition("/")[0].endswith("/vars") and dtypes.itemsize(weight.dtype) is not None


def _by_path(owners: Iterable[_Owner], stored: Mapping[str, Weight], form: str, journal: Journal) -> OwnWeights:
    """The groups of own classes as they are; in a legacy file, the weights of those that are nothing but a list."""
    own = OwnWeights()
    for owner in owners:
        held = {path.removeprefix(f"{owner.path}/"): one for path, one in stored.items() if _below(path, owner.path)}
        own.judged |= {weight.path for weight in held.values()}
        if form != LEGACY:
            own.by_path |= {f"{owner.place}/{rest}": weight for rest, weight in held.items()}
        elif [f"vars/{at}" for at in range(len(held))] == list(held) and "/" not in owner.label:
            own.groups[owner.label] = list(held.values())
        elif held:
            told = f"{len(held)} weights of the class {owner.class_name} of your own, whose order in this layout"
            journal.refuse(owner.label, f"{told} only a live model tells; {LIVE}")
    return own


def _below(path: str, place: str) -> bool:
    return path.startswith(f"{place}/")


def _legacy(
    checkpoint: Checkpoint,
    old: Part,
    alignment: Alignment,
    owners: Sequence[_Owner],
    rewritten: Rewritten,
    form: str,
    journal: Journal,
) -> OwnWeights:
    """The weights of own classes in the groups of a legacy file."""
    own, by_chain, guessed = OwnWeights(), {owner.chain: owner for owner in owners}, list[str]()
    theirs = {one.place.group: one.stored[0].weight.layer for one in alignment.aligned}
    groups: dict[str | None, list[Weight]] = {}
    for weight in checkpoint.section(Section.MODEL):
        groups.setdefault(weight.layer, []).append(weight)
    for _, top in old.tracks:
        group = groups.get(theirs.get(top.name, top.name), [])
        for chain, held in of_unknown(top, group).items():
            owner = by_chain.get(chain)
            if owner is None:
                continue
            own.judged |= {weight.path for weight in held}
            told = f"{len(held)} weights of the class {owner.class_name} of your own"
            if chain in rewritten.holders or not _are_of_one(held, chain):
                journal.refuse(chain, f"{told}, which holds layers: only a live model tells where they go; {LIVE}")
            elif chain in rewritten.unlike_layers and _are_named_as_by_keras(held):
                why = "which may be a model: its config states no trainable, as that of every layer does"
                journal.refuse(chain, f"{told}, {why}; where it keeps layers, only a live model tells; {LIVE}")
            else:
                own.by_path |= {f"{owner.place}/vars/{at}": weight for at, weight in enumerate(held)}
                own.groups[rewritten.label(top.name, "")] = group
                guessed.append(chain)
    _refuse_absent(
        checkpoint, {theirs.get(top, top): top for top in (one.chain.split("/")[0] for one in owners)}, journal
    )
    if guessed and form != LEGACY:
        told = f"weights in their order as the own ones of {', '.join(guessed)}; if the class keeps layers"
        journal.guess("own classes", f"{told} in itself, give the model: {LIVE}")
    without = [owner.chain for owner in by_chain.values() if not any(_below(path, owner.place) for path in own.by_path)]
    if without and not journal.refusals and _saves_own_weights_alone(checkpoint, alignment):
        told = f"the file stores no weights for {', '.join(without)}"
        journal.guess("own classes", f"{told}; this Keras did not save those of layers that a class keeps in itself")
    return own


def _refuse_absent(checkpoint: Checkpoint, tops: Mapping[str | None, str], journal: Journal) -> None:
    """Refuse layers with own classes of whose listed weights some are not stored, which no slots would miss. `tops` are
    the names of the layers by those of their groups."""
    for refusal in checkpoint.refusals:
        group = refusal.place.removeprefix("model_weights/").partition("/")[0]
        if refusal.kind == "missing" and group in tops:
            journal.refuse(tops[group], f"{refusal.place}: {refusal.detail}")


def _saves_own_weights_alone(checkpoint: Checkpoint, alignment: Alignment) -> bool:
    """Whether a Keras wrote a file whose layers do not track the layers that are their attributes, as those of 2.3 do
    (`Layer.__setattr__`, keras/engine/base_layer.py)."""
    origin = Origin(checkpoint.producer.keras_version)
    first = alignment.generation in (Generation.KERAS_0, Generation.KERAS_1)
    return first or (origin.of_many_backends and origin.before(2, 3))


def _are_of_one(held: Sequence[Weight], chain: str) -> bool:
    """Whether the stored names say nothing against all weights being those of one object, and not of others in it."""
    scopes = {scopes_of(weight) for weight in held}
    if len(scopes) > 1 or _holds_normalization(held):
        return False
    last = next(iter(scopes))[-1:]
    names = chain.split("/")
    if last:
        return any(is_scope_of(last[0], name) for name in names)
    return not any(
        _is_of_another(name) and not name.startswith(f"{names[-1]}_")
        for name in ((weight.name or "").removesuffix(":0") for weight in held)
    )


def _are_named_as_by_keras(held: Iterable[Weight]) -> bool:
    """Whether all weights have names that layers of Keras give to theirs, as where a model of the user's own builds a
    layer that it keeps in its own `build`: the name of that layer is in none of them then."""
    return all((weight.name or "").removesuffix(":0").rpartition("/")[2] in _OF_KERAS for weight in held)


def _is_of_another(name: str) -> bool:
    """Whether a name ends as those do that Keras 1 gave to the weights of any layer."""
    return _OF_ANOTHER.search(name, max(1, len(name) - len(_NO_WORD.split(name)[-1]))) is not None


def _holds_normalization(held: Sequence[Weight]) -> bool:
    """Whether the weights of a BatchNormalization are among others, as where a model of the user's own is a layer whose
    name alone is in the stored names of all its weights."""
    lasts = {(weight.name or "").removesuffix(":0").rpartition("/")[2] for weight in held}
    return lasts >= _MOVING and bool(lasts - _NORMALIZATION)


def with_own(layers: Layers, own: OwnWeights, found: Iterable[Placed], journal: Journal) -> Layers:
    """The layers of a legacy file with the weights of own classes among the others, in the order of the source. Where
    the others have another order today, that of the own ones is not known."""
    placed = {path: id(one.weight) for one in found for path in one.stored}
    merged = dict(layers.layers)
    for name, group in own.groups.items():
        known = {id(weight): told for told, weight in layers.layers.get(name, {}).items()}
        names = [known.get(placed.get(weight.path, 0)) for weight in group]
        if [told for told in names if told] != list(known.values()):
            told = "weights of a class of your own among others, whose order is another in Keras 3"
            journal.refuse(name, f"{told}; {LIVE}")
            continue
        merged[name] = _named(name, zip(names, group, strict=True), layers.layers.get(name, {}))
    return replace(layers, layers=merged)


def _named(layer: str, weights: Iterable[tuple[str | None, Weight]], known: Named) -> dict[str, Weight]:
    """The weights of a group by their names; those of own classes are called by their stored name's end, or number."""
    found = dict[str, Weight]()
    for at, (name, weight) in enumerate(weights):
        if name is None:
            last = (weight.name or "").removesuffix(":0").rpartition("/")[2]
            name = f"{layer}/{last if last.isidentifier() else at}"
            name = f"{name}_{at}" if name in known or name in found else name
        found[name] = known.get(name, weight)
    return found
