"""The payload of a conversion: the weights in the slots of a new model, checked and in the order of each form."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ckpttool.alignment.alignment import Alignment, key_of
from ckpttool.alignment.assembly import is_reversed
from ckpttool.checkpoint import Checkpoint, Producer, Weight
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.targets import Payload
from ckpttool.conversion.weights.placement import PlacedWeight
from ckpttool.escape import first_of
from ckpttool.formats.write.legacy import KERAS_VERSION, Layers
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.stored_order import stored_order
from ckpttool.model.layouts import Place, opaque_in
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.slots import Part, in_weights_order

LEGACY = "legacy-h5"
_TOP_LEVEL = "top_level_model_weights"
_MOST = 8  # weights of a layer that a message lists


@dataclass(frozen=True, slots=True)
class Prepared:
    """A conversion that is ready to be written: the payload, its placed weights, and facts about the source. `live` is
    the user's live model, where the weights were placed in one; `target` is the architecture of the new model, where it
    has a config."""

    payload: Payload
    placed: tuple[PlacedWeight, ...]
    model: str
    writer: str
    renamed: tuple[tuple[str, str], ...] = ()
    written: Mapping[str, Weight] = field(default_factory=dict)
    live: Architecture | None = None
    target: Architecture | None = None


def reversed_kernels(checkpoint: Checkpoint, alignment: Alignment, journal: Journal) -> bool:
    """Whether kernels are reversed, as on Theano. That is noted where it is a guess and matters."""
    generation = alignment.generation
    turned = is_reversed(checkpoint, generation)
    backend = checkpoint.producer.backend or checkpoint.producer.inferred_backend
    parts = (part for aligned in alignment.aligned for part in aligned.stored)
    spatial = any(part.slot is not None and part.slot.spatial for part in parts)
    if spatial and checkpoint.producer.backend is None:
        name = "Theano" if turned else "TensorFlow"
        why = "by the names of its weights" if backend else "the file does not say which backend it is of"
        if generation in (Generation.KERAS_0, Generation.KERAS_1):
            journal.guess("kernels", f"as {name} has them: {why}; --source-backend says it")
    return turned


def refuse_other_shapes(placed: Sequence[PlacedWeight], journal: Journal) -> None:
    """Refuse weights that do not fit into their slots, as their layer was another than its config says."""
    for weight in placed:
        expected, stored = weight.place.slot.shape, weight.weight.shape
        if expected is not None and not shapes_fit(expected, stored):
            journal.refuse(weight.place.label, f"a weight of shape {stored}, where its config requires {expected}")


def refuse_unmatched(missing: Iterable[Place], left: Iterable[Weight], part: Part, journal: Journal) -> None:
    """Refuse slots without weights and weights without slots, with one reason for each layer.

    Where a layer has as many of both, the reason names only those whose shapes differ, as the others may fit.
    """
    own = {chain.split("/")[0]: top.class_name for chain, top, _ in opaque_in(part)}
    stored = dict[str, list[Weight]]()
    for weight in left:
        stored.setdefault(weight.layer or weight.path.rpartition("/")[0] or weight.path, []).append(weight)
    expected = dict[str, list[Place]]()
    for place in missing:
        expected.setdefault(place.group if place.group in stored else place.layer, []).append(place)
    for layer, places in expected.items():
        weights = [] if layer in own else stored.pop(layer, [])
        where = layer if len(places) > 1 or weights else places[0].label
        journal.refuse(where, _unmatched(places, weights))
    for layer, weights in stored.items():
        if layer in own:
            text = f"{len(weights):,} weights of a layer of a class of your own ({own[layer]})"
            text = f"{text}, for which the config has no slots; give the live model, which has them"
            journal.refuse(layer, f"{text}: --arch package.module:function")
        elif len(weights) == 1:
            journal.refuse(weights[0].path, f"a weight of shape {weights[0].shape}, for which the model has no slot")
        else:
            text = first_of([f"{weight.path.rpartition('/')[2]} {weight.shape}" for weight in weights], _MOST)
            journal.refuse(layer, f"{len(weights):,} weights for which the model has no slots: {text}")


def _unmatched(places: Sequence[Place], weights: Sequence[Weight]) -> str:
    """The mismatch between the slots of a layer and the weights that are stored for it, in a phrase."""
    slots = first_of([_slot(place) for place in places], _MOST)
    if not weights:
        return f"the source has no weight for {slots}"
    if len(places) != len(weights):
        shapes = first_of([str(weight.shape) for weight in weights], _MOST)
        return f"it has {len(places):,} weights, {slots}, and the source stores {len(weights):,}: {shapes}"
    pairs = list(zip(places, weights, strict=True))
    wrong = [(place, weight) for place, weight in pairs if not shapes_fit(place.slot.shape, weight.shape)]
    if wrong:
        return first_of([f"the source stores {weight.shape} for {_slot(place)}" for place, weight in wrong], _MOST)
    return f"the stored names for {slots} are those of other weights"


def _slot(place: Place) -> str:
    return f"{place.name} {place.slot.shape}" if place.slot.shape is not None else place.name


def layers_of(part: Part, placed: Sequence[PlacedWeight]) -> Layers:
    """The weights in the order and under the names of a legacy file of Keras 3."""
    weights = {key_of(weight.place): weight.weight for weight in placed}
    layers = dict[str, dict[str, Weight]]()
    for _, top in part.tracks:
        order = stored_order(top, Generation.KERAS_3)
        keys = [((top.name, slot.owner, slot.slot.name), "/".join((*slot.chain, slot.slot.name))) for slot in order]
        layers[top.name] = _named((name, weights[key]) for key, name in keys if key in weights)
    tracked = in_weights_order(replace(part, children=()))
    own = [(("", "", slot.name), f"{part.name}/{slot.name}") for _, slot in tracked]
    return Layers(layers, _named((name, weights[key]) for key, name in own if key in weights))


def _named(weights: Iterable[tuple[str, Weight]]) -> dict[str, Weight]:
    """The weights by their names. A repeated name gets a number: Keras tells such weights apart by their order."""
    named, used = dict[str, Weight](), Counter[str]()
    for name, weight in weights:
        used[name] += 1
        named[name if used[name] == 1 else f"{name}_{used[name] - 1}"] = weight
    return named


def in_layers(layers: Layers) -> dict[str, Weight]:
    """The weights by their paths in a legacy file."""
    return dict(_in_layers(layers))


def _in_layers(layers: Layers) -> Iterator[tuple[str, Weight]]:
    for group, weights in (*layers.layers.items(), (_TOP_LEVEL, layers.own)):
        yield from ((f"{group}/{name}", weight) for name, weight in weights.items())


def metadata(producer: Producer) -> dict[str, Any]:
    """The metadata of a new `.keras`: its version of Keras and the date."""
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d@%H:%M:%S")
    return {"keras_version": KERAS_VERSION, "date_saved": date}
