"""What is written of a model of Keras 3 whose slots are filled, wherever its config came from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ckpttool.alignment.alignment import Alignment
from ckpttool.alignment.assembly import is_reversed
from ckpttool.checkpoint import Checkpoint, Producer, Weight
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.targets import Payload
from ckpttool.conversion.weights.placement import Placed
from ckpttool.formats.write.legacy import KERAS_VERSION, Layers
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.stored_order import stored_order
from ckpttool.model.layouts import Place, opaque_in
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.slots import Part, in_weights_order

LEGACY = "legacy-h5"
_TOP_LEVEL = "top_level_model_weights"
_MOST = 8  # weights of a layer that are named


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is written, the weights that were placed for it, and what was found out about the source. `live` is the
    model that the weights were placed in, where it did not come from a config, `today` the architecture of what is
    written, where there is one."""

    payload: Payload
    placed: tuple[Placed, ...]
    model: str
    writer: str
    renamed: tuple[tuple[str, str], ...] = ()
    written: Mapping[str, Weight] = field(default_factory=dict)
    live: Architecture | None = None
    today: Architecture | None = None


def reversed_kernels(checkpoint: Checkpoint, alignment: Alignment, journal: Journal) -> bool:
    """Whether kernels run the other way, which is noted where it is a guess and matters."""
    generation = alignment.generation
    turned = is_reversed(checkpoint, generation)
    told = checkpoint.producer.backend or checkpoint.producer.inferred_backend
    spatial = any(stored.slot is not None and stored.slot.spatial for one in alignment.aligned for stored in one.stored)
    if spatial and checkpoint.producer.backend is None:
        name = "Theano" if turned else "TensorFlow"
        why = "by the names of its weights" if told else "nothing in the file tells the backend"
        if generation in (Generation.KERAS_0, Generation.KERAS_1):
            journal.guess("kernels", f"as {name} has them: {why}; --source-backend says it")
    return turned


def refuse_other_shapes(found: Sequence[Placed], journal: Journal) -> None:
    """Refuses weights that do not fit into their slots: their layer was another than its config says."""
    for one in found:
        told, stored = one.place.slot.shape, one.weight.shape
        if told is not None and not shapes_fit(told, stored):
            journal.refuse(one.place.label, f"a weight {stored}, where its config asks for {told}")


def refuse_unmatched(missing: Iterable[Place], left: Iterable[Weight], part: Part, journal: Journal) -> None:
    """Refuses slots without weights and weights without slots, in a line a layer; where a layer has as many of both,
    only those whose shapes differ are told, for the others may well belong together."""
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
            told = f"{len(weights):,} weights of a layer of a class of your own ({own[layer]})"
            told = f"{told} that no slot of the model takes: only a live model tells where they go"
            journal.refuse(layer, f"{told}; --arch package.module:function")
        elif len(weights) == 1:
            journal.refuse(weights[0].path, f"a weight {weights[0].shape} that no slot of the model takes")
        else:
            told = _few([f"{weight.path.rpartition('/')[2]} {weight.shape}" for weight in weights])
            journal.refuse(layer, f"{len(weights):,} weights that no slot of the model takes: {told}")


def _unmatched(places: Sequence[Place], weights: Sequence[Weight]) -> str:
    """What is wrong between the slots of a layer and the weights that are stored for it."""
    if not weights:
        return f"the source has no weight for {_few([_slot(place) for place in places])}"
    if len(places) != len(weights):
        slots, shapes = _few([_slot(place) for place in places]), _few([str(weight.shape) for weight in weights])
        return f"it has {len(places):,} weights, {slots}, and the source stores {len(weights):,}: {shapes}"
    pairs = list(zip(places, weights, strict=True))
    wrong = [(place, one) for place, one in pairs if not shapes_fit(place.slot.shape, one.shape)]
    if wrong:
        return _few([f"the source stores {one.shape} for {_slot(place)}" for place, one in wrong])
    return f"the names that are stored for {_few([_slot(place) for place in places])} are those of other weights"


def _slot(place: Place) -> str:
    return f"{place.name} {place.slot.shape}" if place.slot.shape is not None else place.name


def _few(texts: Sequence[str]) -> str:
    return ", ".join(texts[:_MOST]) + (f" and {len(texts) - _MOST:,} more" if len(texts) > _MOST else "")


def layers_of(part: Part, found: Sequence[Placed]) -> Layers:
    """The weights in the order and under the names of a legacy file of Keras 3."""
    weights = {(one.place.group, one.place.owner, one.place.slot.name): one.weight for one in found}
    layers = dict[str, dict[str, Weight]]()
    for _, top in part.tracks:
        order = stored_order(top, Generation.KERAS_3)
        keys = [((top.name, slot.owner, slot.slot.name), "/".join((*slot.chain, slot.slot.name))) for slot in order]
        layers[top.name] = _named((name, weights[key]) for key, name in keys if key in weights)
    tracked = in_weights_order(replace(part, children=()))
    own = [(("", "", slot.name), f"{part.name}/{slot.name}") for _, slot in tracked]
    return Layers(layers, _named((name, weights[key]) for key, name in own if key in weights))


def _named(weights: Iterable[tuple[str, Weight]]) -> dict[str, Weight]:
    """The weights by their names, of which the second of one name gets a number, for order alone tells them apart."""
    found, used = dict[str, Weight](), Counter[str]()
    for name, weight in weights:
        used[name] += 1
        found[name if used[name] == 1 else f"{name}_{used[name] - 1}"] = weight
    return found


def in_layers(layers: Layers) -> dict[str, Weight]:
    """The weights by their paths in a legacy file."""
    return dict(_in_layers(layers))


def _in_layers(layers: Layers) -> Iterator[tuple[str, Weight]]:
    for group, weights in (*layers.layers.items(), (_TOP_LEVEL, layers.own)):
        yield from ((f"{group}/{name}", weight) for name, weight in weights.items())


def metadata(producer: Producer) -> dict[str, Any]:
    """What a `.keras` says of its writer."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d@%H:%M:%S")
    return {"keras_version": KERAS_VERSION, "date_saved": now}
