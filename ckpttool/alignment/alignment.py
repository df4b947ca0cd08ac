"""The alignment of a checkpoint with an architecture: which stored weight fills which slot, and on what evidence.

The weight of a slot may be stored as several arrays, as Keras 1 stored the gates of a recurrent layer, with other axes,
or, by Theano, with its kernel reversed; `assembly` puts such a weight together.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from ckpttool.alignment.legacy_order import order_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.formats.weight_paths import as_keras_3, public, split
from ckpttool.io import scalars
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import model_args, normalized_config, part_in
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.stored_order import StoredSlot, stored_order
from ckpttool.model.layers.table import INPUTS
from ckpttool.model.layouts import Place, layers_in, places_of
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.slots import Part, in_weights_order


class Evidence(Enum):
    """The evidence for an alignment: the path in the file, the stored name of the layer, or the order of layers."""

    PATH = "path"
    NAME = "name"
    ORDER = "order"


class Stored(NamedTuple):
    """A stored array that is the weight of a slot, or a part of it.

    `slot` says which part, and in what form; None where the array is the whole weight, unchanged.
    """

    weight: Weight
    slot: StoredSlot | None = None


class Aligned(NamedTuple):
    """A slot of an architecture and the arrays that a checkpoint stores for it: one, or one for each gate."""

    place: Place
    stored: tuple[Stored, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Alignment:
    """The slots of an architecture that a checkpoint fills, the missing ones, and the weights that fill no slot.

    `generation` is the generation of Keras whose order and names a legacy file follows; None for the path layout.
    `inside` is the name of the one layer of a legacy file that is itself the whole architecture, as the inner model of
    `multi_gpu_model` is; empty for every other file.
    """

    aligned: tuple[Aligned, ...]
    missing: tuple[Place, ...]
    left: tuple[Weight, ...]
    generation: Generation | None = None
    inside: str = ""

    def by_path(self) -> dict[str, Place]:
        """The slots by the paths of the stored weights that fill them."""
        return {stored.weight.path: aligned.place for aligned in self.aligned for stored in aligned.stored}


def align(checkpoint: Checkpoint, architecture: Architecture) -> Alignment:
    """The weights of a checkpoint's model, each with its slot in an architecture, as far as shapes agree.

    Raises ConfigError where the layers or connections of the architecture make no sense.
    """
    of, alignment = checkpoint.facts.once(
        ("alignment", id(architecture)), lambda: (architecture, _align(checkpoint, architecture))
    )
    assert of is architecture  # the fact refers to it, so that no other object can get its id
    return alignment


def _align(checkpoint: Checkpoint, architecture: Architecture) -> Alignment:
    part = part_in(architecture)
    places = tuple(places_of(part))
    weights = checkpoint.section(Section.MODEL)
    if checkpoint.format.is_of_tensorflow:
        return _tracked_alignment(part, places, checkpoint)
    if not (checkpoint.format.is_legacy or checkpoint.format.is_of_keras_0):
        moved = moved_layers(architecture, part)
        by_path = list(_by_path(places, weights, moved)) or list(_below_one(places, weights, moved))
        return _alignment(places, weights, by_path, None)
    pairs, generation = _legacy(_Layers.of(architecture, part), checkpoint, weights)
    if not pairs and (inside := _in_one_model(architecture, part, checkpoint, weights)):
        alignment = _alignment(places, weights, *inside)
        return replace(alignment, inside=weights[0].layer or "")
    return _alignment(places, weights, pairs, generation)


_Pair = tuple[tuple[str, str, str], Stored, Evidence]
"""The key of a slot (top layer, owner, name), the array that is stored for it, and the evidence."""


def key_of(place: Place) -> tuple[str, str, str]:
    """The key of a slot, which no other slot of the model has, not even where objects have the same name.

    Its top layer, the path of its owner below that layer, and its own name.
    """
    return place.group, place.owner, place.slot.name


def _alignment(
    places: Sequence[Place], weights: Iterable[Weight], pairs: Iterable[_Pair], generation: Generation | None
) -> Alignment:
    """The alignment that pairs of slots and stored arrays amount to."""
    by_slot: dict[tuple[str, str, str], list[tuple[Stored, Evidence]]] = {}
    for key, stored, evidence in pairs:
        by_slot.setdefault(key, []).append((stored, evidence))
    used = {stored.weight.path for arrays in by_slot.values() for stored, _ in arrays}
    return Alignment(
        tuple(
            Aligned(place, tuple(stored for stored, _ in arrays), arrays[0][1])
            for place in places
            if (arrays := by_slot.get(key_of(place)))
        ),
        tuple(place for place in places if key_of(place) not in by_slot and _is_stored(place, generation)),
        tuple(weight for weight in weights if weight.path not in used),
        generation,
    )


def _is_stored(place: Place, generation: Generation | None) -> bool:
    """Whether the layout stores the slot.

    The path layout leaves out the weights that LoRA adds, the legacy layout a weight that is stored already.
    """
    return bool(place.path) if generation is None else place.index is not None


def moved_layers(architecture: Architecture, part: Part) -> dict[str, str]:
    """Old to new paths of the layers whose path changed because Keras 3 has their class under another name."""
    new = {chain: path for chain, path, _ in layers_in(part)}
    old = {layer.path: "/".join(layer.place) for layer in architecture.layers}
    return {path: new[chain] for chain, path in old.items() if chain in new and new[chain] != path}


def moved_path(path: str, moved: Mapping[str, str]) -> str:
    """The path of a weight or a file, in which the path of its innermost moved layer is the one of Keras 3."""
    place = path if moved else ""
    while place and place not in moved:
        place = place.rpartition("/")[0]
    return moved[place] + path[len(place) :] if place else path


def _by_path(places: Iterable[Place], weights: Iterable[Weight], moved: Mapping[str, str]) -> Iterator[_Pair]:
    """The weights of the path layout; private attributes of Keras 2 (`_query_dense`) count as those of Keras 3."""
    by_path = {public(split(place.path)): place for place in places if place.path}
    for weight in weights:
        place = by_path.get(moved_path(public(as_keras_3(split(weight.path))), moved))
        if place is not None and shapes_fit(place.slot.shape, weight.shape):
            yield key_of(place), Stored(weight), Evidence.PATH


def _below_one(places: Iterable[Place], weights: Sequence[Weight], moved: Mapping[str, str]) -> Iterator[_Pair]:
    """The weights of the path layout where an object of the user's own class has the whole model as an attribute.

    The config describes the inner model alone; all weights are below that object (`layers/functional/layers/dense`).
    """
    start = next((weight.path.partition("/layers/") for weight in weights), None)
    prefix = f"{start[0]}/" if start and start[1] else ""
    if not prefix or not all(weight.path.startswith(f"{prefix}layers/") for weight in weights):
        return
    inside = {weight.path.removeprefix(prefix): weight for weight in weights}
    below = [replace(weight, path=path) for path, weight in inside.items()]
    for key, stored, evidence in _by_path(places, below, moved):
        yield key, Stored(inside[stored.weight.path]), evidence


def _tracked_alignment(model: Part, places: Sequence[Place], checkpoint: Checkpoint) -> Alignment:
    """The alignment of a TensorFlow checkpoint. A counter beside the model is none of its weights."""
    from ckpttool.alignment.object_graphs import without_counters  # here, since no other kind has one

    pairs = list(_tracked(model, places, checkpoint))
    return _alignment(places, without_counters(checkpoint, {stored.weight.path for _, stored, _ in pairs}), pairs, None)


def _tracked(model: Part, places: Iterable[Place], checkpoint: Checkpoint) -> Iterator[_Pair]:
    """The pairs of a TensorFlow checkpoint: by its object graph, else by the names of the variables."""
    from ckpttool.alignment.object_graphs import by_variable_name, has_attributes_alone, in_object_graph
    from ckpttool.object_graph import TRAINED  # here, since no other kind has one

    by_graph = dict(in_object_graph(model, checkpoint))
    yield from ((key, Stored(weight), Evidence.PATH) for key, weight in by_graph.items())
    places = [place for place in places if key_of(place) not in by_graph]
    # Beside an object graph, names are asked only for weights that the optimizer alone lists, and no layer does.
    by_names = not by_graph and not has_attributes_alone(model, checkpoint)
    stored = [weight for weight in checkpoint.section(Section.MODEL) if by_names or f"/{TRAINED}/" in weight.path]
    for place, weight in by_variable_name(model.name, places, stored):
        yield key_of(place), Stored(weight), Evidence.NAME


class _Layers(NamedTuple):
    """The top layers of a model by name, in order: their parts, and their entries in the form of Keras 3.

    A live model has no entries. A model that has weights itself is among the parts, under the empty name.
    """

    parts: Mapping[str, Part]
    entries: Mapping[str, object]

    @classmethod
    def of(cls, architecture: Architecture, model: Part) -> "_Layers":
        parts = {child.name: child for _, child in model.tracks}
        if model.slots:
            parts[""] = replace(model, children=())
        if architecture.part is not None:
            return cls(parts, {layer.name: layer.entry for layer in architecture.layers if layer.path == layer.name})
        args = model_args(architecture)
        entries = zip(args.layers("layers"), args.config["layers"], strict=True)
        return cls(parts, {layer.name: entry for layer, entry in entries})

    def orders(self, generation: Generation) -> dict[str, list[StoredSlot]]:
        """The arrays that a legacy file of a generation stores for each layer, in their order."""
        return {name: stored_order(part, generation, self.entries.get(name)) for name, part in self.parts.items()}


def stored_orders(architecture: Architecture, generation: Generation) -> dict[str, list[StoredSlot]]:
    """The arrays that a legacy file of a generation stores for each top layer, by the layer's name, in their order.

    The arrays of the model itself are under the empty name. Raises ConfigError.
    """
    return _Layers.of(architecture, part_in(architecture)).orders(generation)


def _legacy(
    layers: _Layers, checkpoint: Checkpoint, weights: Iterable[Weight]
) -> tuple[list[_Pair], Generation | None]:
    """The pairs of a legacy file, by the generation of Keras whose order and names fit the most weights."""
    stored: dict[str, list[Weight]] = {}
    for weight in weights:
        stored.setdefault(weight.layer or "", []).append(weight)
    best: tuple[list[_Pair], Generation | None] = ([], None)
    # The stated generation is tried first and wins a tie. Not every file states one, so the best fit decides.
    for generation in _candidates(checkpoint):
        pairs = list(_in_generation(layers, stored, generation, checkpoint.layer_names))
        if len(pairs) > len(best[0]):
            best = pairs, generation
        if len(pairs) == sum(map(len, stored.values())):
            break
    return best


def _in_one_model(
    architecture: Architecture, model: Part, checkpoint: Checkpoint, weights: Sequence[Weight]
) -> tuple[list[_Pair], Generation] | None:
    """The pairs of a file whose only layer is a model that is itself the architecture; None for any other file.

    The parallel models of `multi_gpu_model` are stored so.
    """
    if len({weight.layer for weight in weights}) != 1 or not weights[0].layer:
        return None
    is_live = architecture.part is not None
    entry = None if is_live else normalized_config(architecture)
    for generation in _candidates(checkpoint):
        order = order_of(model, stored_order(replace(model, is_model=True), generation, entry), weights)
        if order:
            tops = {at: top.name for at, top in model.tracks}
            slots = [(*_below_top(slot.owner, tops), slot) for slot in order]
            return [
                ((top, owner, slot.slot.name), Stored(weight, slot), Evidence.ORDER)
                for (top, owner, slot), weight in zip(slots, weights, strict=True)
            ], generation
    return None


def _below_top(path: str, tops: Mapping[str, str]) -> tuple[str, str]:
    """The top layer that a path in a model leads through, and the path below it."""
    for at, name in tops.items():
        if path == at or path.startswith(f"{at}/"):
            return name, path[len(at) + 1 :]
    return "", path


def _candidates(checkpoint: Checkpoint) -> tuple[Generation, ...]:
    """The generations to try, the one that the file states first."""
    if checkpoint.format.is_of_keras_0:
        return (Generation.KERAS_0,)
    version = checkpoint.producer.keras_version
    first = generation_of(None, version) if version else Generation.KERAS_1
    rest = (Generation.KERAS_2, Generation.KERAS_3, Generation.KERAS_1)
    return tuple(dict.fromkeys((first, *rest)))


def _in_generation(
    layers: _Layers, stored: Mapping[str, list[Weight]], generation: Generation, listed: Sequence[str]
) -> Iterator[_Pair]:
    """The pairs of the layers whose weights have the order, the names and a form of one generation."""
    orders = layers.orders(generation)
    for ours, theirs, evidence in _layer_pairs(layers, orders, stored, generation):
        order, weights = orders[ours], stored[theirs]
        # The weights of the user's own classes are in no table: without them, the others may be in the order.
        unknown = {weight.path for own in of_unknown(layers.parts[ours], weights).values() for weight in own}
        weights = [weight for weight in weights if weight.path not in unknown] if unknown else weights
        if own := order_of(layers.parts[ours], order, weights):
            for slot, weight in zip(own, weights, strict=True):
                yield (ours, slot.owner, slot.slot.name), Stored(weight, slot), evidence


def _layer_pairs(
    layers: _Layers, orders: Mapping[str, Sequence[StoredSlot]], stored: Mapping[str, object], generation: Generation
) -> Iterator[tuple[str, str, Evidence]]:
    """The layers of the architecture, each with the layer of the file that has its weights.

    By name where the architecture has all layers of the file. Else by order where both have equally many layers, since
    Keras numbers names anew in every session.
    """
    if generation is Generation.KERAS_0:
        numbered = [name for name, part in layers.parts.items() if part.class_name not in INPUTS]
        pairs = ((name, f"layer_{at}") for at, name in enumerate(numbered))  # Keras 0 counted no input layers
        yield from ((ours, theirs, Evidence.ORDER) for ours, theirs in pairs if theirs in stored)
        return
    named = [name for name in stored if name in orders]
    ours = [name for name, order in orders.items() if name and order]
    theirs = [name for name in stored if name]
    if len(named) == len(stored) or len(ours) != len(theirs):
        yield from ((name, name, Evidence.NAME) for name in named)
        return
    yield from (("", "", Evidence.NAME) for name in named if not name)
    for one, other in zip(ours, theirs, strict=True):
        yield one, other, Evidence.NAME if one == other else Evidence.ORDER


def of_unknown(top: Part, weights: Sequence[Weight]) -> dict[str, list[Weight]]:
    """The weights of a legacy group that belong to objects of unknown classes in its layer, by their chains of names.

    All weights where the layer consists of one such object; else the weights whose stored names lead to the object.
    """
    chains = list(_unknown_in(top, (top.name,)))
    if not chains or not weights:
        return {}
    if len(chains) == 1 and not any(True for _ in in_weights_order(top)):
        return {"/".join(chains[0]): list(weights)}
    known = {name for names, _ in in_weights_order(top) for name in names}
    by_chain: dict[str, list[Weight]] = {}
    for weight in weights:
        scopes = scopes_of(weight)
        fitting = [chain for chain in chains if _leads_to(scopes, chain, known)]
        if len(fitting) == 1:
            by_chain.setdefault("/".join(fitting[0]), []).append(weight)
    return by_chain


def _unknown_in(part: Part, chain: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The chains of names of all objects in an object, itself included, whose weights are not known."""
    if not part.known and not part.slots and not part.children:
        yield chain
    for _, child in part.tracks:
        yield from _unknown_in(child, (*chain, child.name))


def scopes_of(weight: Weight) -> tuple[str, ...]:
    """The names before the last one of a stored name."""
    return tuple((weight.name or "").split("/")[:-1])


def is_scope_of(scope: str, name: str) -> bool:
    """Whether a scope has this name, or this name and the number that TensorFlow appends to a scope used before."""
    stem, _, number = scope.rpartition("_")
    return scope == name or (stem == name and scalars.digits(number) is not None)


def _leads_to(scopes: Sequence[str], chain: Sequence[str], known: Container[str]) -> bool:
    """Whether a stored name leads through an object.

    The last name of the object's chain is among the scopes, and the scopes before it agree with the rest of the chain.
    """
    at = next((at for at in reversed(range(len(scopes))) if is_scope_of(scopes[at], chain[-1])), None)
    # `dense_1` may be the scope of `dense`, used again, but not where another layer is called dense_1.
    if at is None or (scopes[at] != chain[-1] and scopes[at] in known):
        return False
    pairs = zip(reversed(scopes[:at]), reversed(chain[:-1]), strict=False)
    return all(is_scope_of(one, other) for one, other in pairs)
