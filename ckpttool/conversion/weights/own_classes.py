"""The weights of layers of the user's own classes, which no table has: their places without a live model.

A layer that has only weights of its own writes them in their order, in every layout. A layer with other layers in it
has their weights at the paths of its attributes, which no legacy file shows. Between files of the path layout, its
group does not change, as the paths of Keras 2.13 to 2.15 are those of Keras 3.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ckpttool.alignment.alignment import Alignment, is_scope_of, moved_layers, moved_path, of_unknown, scopes_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.config.nested_layers import LIVE
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.payload import LEGACY
from ckpttool.conversion.weights.placement import PlacedWeight
from ckpttool.formats.weight_paths import keras3_path
from ckpttool.formats.write.legacy import Layers, Named
from ckpttool.io import dtypes
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layouts import opaque_in
from ckpttool.model.slots import Part

_OF_ANOTHER = re.compile(r"_\d+_[A-Za-z]")  # `dense_3_W`: the form of names that Keras 1 gave to weights of any layer
_SEPARATORS = re.compile(r"\W")


_MOVING = frozenset({"moving_mean", "moving_variance"})
_NORMALIZATION = _MOVING | {"beta", "gamma"}
_OF_KERAS = _NORMALIZATION | set(
    "alpha bias depthwise_kernel embeddings kernel pointwise_kernel recurrent_kernel".split()
)


@dataclass(slots=True)
class OwnWeights:
    """The weights of layers of own classes: by their new paths, and all weights of the legacy groups that have such, in
    order, by the new name of the layer. `names` are the stored names of objects, by new paths; `handled` are the paths
    in the source of the weights that were placed or refused."""

    by_path: dict[str, Weight] = field(default_factory=dict)
    groups: dict[str, list[Weight]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    handled: set[str] = field(default_factory=set)


class _Owner(NamedTuple):
    """An object of an own class: its label and its path in the source, and its new label and path."""

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
    target: Part,
    form: str,
    journal: Journal,
) -> OwnWeights:
    """The weights of own classes in a checkpoint, for a form. Weights that only a live model can place are refused."""
    old = part_in(architecture)
    places = {chain: path for chain, _, path in opaque_in(target)}
    owners = [
        _Owner(chain, path, label, places.get(label, ""), part.class_name)
        for chain, part, path in opaque_in(old)
        if (label := rewritten.label(chain, "")) in places
        or journal.refusals  # then layers may be missing from `places`
    ]
    if checkpoint.format.has_paths:
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
    """The weights of the model, with arrays that layers of own classes wrote under names of their own."""
    yield from checkpoint.section(Section.MODEL)
    yield from (weight for weight in checkpoint.section(Section.OTHER) if is_of_layer(weight))


def is_of_layer(weight: Weight) -> bool:
    """Whether an array was written by a layer of an own class, under a name of its own."""
    return weight.path.rpartition("/")[0].endswith("/vars") and dtypes.itemsize(weight.dtype) is not None


def _by_path(owners: Iterable[_Owner], stored: Mapping[str, Weight], form: str, journal: Journal) -> OwnWeights:
    """The weights of own classes from a file of the path layout, whose groups do not change. For a legacy file, only
    groups that are a plain list of weights."""
    own = OwnWeights()
    for owner in owners:
        weights = {
            path.removeprefix(f"{owner.path}/"): weight for path, weight in stored.items() if _below(path, owner.path)
        }
        own.handled |= {weight.path for weight in weights.values()}
        if form != LEGACY:
            own.by_path |= {f"{owner.place}/{rest}": weight for rest, weight in weights.items()}
        elif [f"vars/{at}" for at in range(len(weights))] == list(weights) and "/" not in owner.label:
            own.groups[owner.label] = list(weights.values())
        elif weights:
            text = f"{len(weights)} weights of the class {owner.class_name} of your own, whose order in this layout"
            journal.refuse(owner.label, f"{text} only a live model shows; {LIVE}")
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
    """The weights of own classes from the groups of a legacy file."""
    own, by_chain, guessed = OwnWeights(), {owner.chain: owner for owner in owners}, list[str]()
    theirs = {aligned.place.group: aligned.stored[0].weight.layer for aligned in alignment.aligned}
    groups: dict[str | None, list[Weight]] = {}
    for weight in checkpoint.section(Section.MODEL):
        groups.setdefault(weight.layer, []).append(weight)
    for _, top in old.tracks:
        group = groups.get(theirs.get(top.name, top.name), [])
        for chain, weights in of_unknown(top, group).items():
            owner = by_chain.get(chain)
            if owner is None:
                continue
            own.handled |= {weight.path for weight in weights}
            text = f"{len(weights)} weights of the class {owner.class_name} of your own"
            if chain in rewritten.holders or not _are_of_one(weights, chain):
                journal.refuse(chain, f"{text}, which has layers in it: only a live model shows their places; {LIVE}")
            elif chain in rewritten.unlike_layers and _are_named_as_by_keras(weights):
                why = "which may be a model: its config has no trainable, which that of every layer has"
                journal.refuse(chain, f"{text}, {why}; if it has layers in it, only a live model shows them; {LIVE}")
            else:
                own.by_path |= {f"{owner.place}/vars/{at}": weight for at, weight in enumerate(weights)}
                own.groups[rewritten.label(top.name, "")] = group
                guessed.append(chain)
    _refuse_absent(
        checkpoint, {theirs.get(top, top): top for top in (owner.chain.split("/")[0] for owner in owners)}, journal
    )
    if guessed and form != LEGACY:
        text = f"weights in their order as the own ones of {', '.join(guessed)}; if the class has layers"
        journal.guess("own classes", f"{text} in it, give the model: {LIVE}")
    without = [owner.chain for owner in by_chain.values() if not any(_below(path, owner.place) for path in own.by_path)]
    if without and not journal.refusals and _saves_own_weights_alone(checkpoint, alignment):
        text = f"the file stores no weights for {', '.join(without)}"
        journal.guess("own classes", f"{text}; this Keras did not save those of layers in the attributes of a class")
    return own


def _refuse_absent(checkpoint: Checkpoint, tops: Mapping[str | None, str], journal: Journal) -> None:
    """Refuse layers with own classes if weights that the file lists are not stored: without slots, they would not be
    missed. `tops` are the names of the layers by those of their groups."""
    for refusal in checkpoint.refusals:
        group = refusal.place.removeprefix("model_weights/").partition("/")[0]
        if refusal.kind == "missing" and group in tops:
            journal.refuse(tops[group], f"{refusal.place}: {refusal.detail}")


def _saves_own_weights_alone(checkpoint: Checkpoint, alignment: Alignment) -> bool:
    """Whether the layers of the writer's Keras do not track layers in their attributes, as they do since 2.3
    (`Layer.__setattr__`, keras/engine/base_layer.py)."""
    origin = Origin(checkpoint.producer.keras_version)
    first = alignment.generation in (Generation.KERAS_0, Generation.KERAS_1)
    return first or (origin.of_many_backends and origin.before(2, 3))


def _are_of_one(weights: Sequence[Weight], chain: str) -> bool:
    """Whether all weights may be those of one object, and none of objects in it, by their stored names."""
    scopes = {scopes_of(weight) for weight in weights}
    if len(scopes) > 1 or _holds_normalization(weights):
        return False
    last = next(iter(scopes))[-1:]
    names = chain.split("/")
    if last:
        return any(is_scope_of(last[0], name) for name in names)
    return not any(
        _is_of_another(name) and not name.startswith(f"{names[-1]}_")
        for name in ((weight.name or "").removesuffix(":0") for weight in weights)
    )


def _are_named_as_by_keras(weights: Iterable[Weight]) -> bool:
    """Whether all weights have names that layers of Keras give to their weights.

    They may be those of a layer that a model of the user's own builds in its own `build`: then no name of a weight has
    the name of that layer in it.
    """
    return all((weight.name or "").removesuffix(":0").rpartition("/")[2] in _OF_KERAS for weight in weights)


def _is_of_another(name: str) -> bool:
    """Whether a name ends as the names that Keras 1 gave to the weights of any layer."""
    return _OF_ANOTHER.search(name, max(1, len(name) - len(_SEPARATORS.split(name)[-1]))) is not None


def _holds_normalization(weights: Sequence[Weight]) -> bool:
    """Whether the weights of a BatchNormalization are among others: then the object is a model of the user's own, whose
    name is in the stored names of all weights of its layers."""
    lasts = {(weight.name or "").removesuffix(":0").rpartition("/")[2] for weight in weights}
    return lasts >= _MOVING and bool(lasts - _NORMALIZATION)


def with_own(layers: Layers, own: OwnWeights, placed: Iterable[PlacedWeight], journal: Journal) -> Layers:
    """The layers of a legacy file with the weights of own classes among the others, in the order of the source.

    Refused where Keras 3 has the other weights in another order, as that of the own ones is then not known.
    """
    ids_by_path = {path: id(weight.weight) for weight in placed for path in weight.stored}
    merged = dict(layers.layers)
    for name, group in own.groups.items():
        known = {id(weight): text for text, weight in layers.layers.get(name, {}).items()}
        names = [known.get(ids_by_path.get(weight.path, 0)) for weight in group]
        if [text for text in names if text] != list(known.values()):
            text = "weights of a class of your own among others, whose order differs in Keras 3"
            journal.refuse(name, f"{text}; {LIVE}")
            continue
        merged[name] = _named(name, zip(names, group, strict=True), layers.layers.get(name, {}))
    return replace(layers, layers=merged)


def _named(layer: str, weights: Iterable[tuple[str | None, Weight]], known: Named) -> dict[str, Weight]:
    """The weights of a group by their names; those of own classes have the end of their stored name, or a number."""
    named = dict[str, Weight]()
    for at, (name, weight) in enumerate(weights):
        if name is None:
            last = (weight.name or "").removesuffix(":0").rpartition("/")[2]
            name = f"{layer}/{last if last.isidentifier() else at}"
            name = f"{name}_{at}" if name in known or name in named else name
        named[name] = known.get(name, weight)
    return named
