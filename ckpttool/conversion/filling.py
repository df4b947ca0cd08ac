"""What is written of a model of Keras 3 whose slots are filled, wherever its config came from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ckpttool.aligning import Alignment
from ckpttool.architecture import Architecture
from ckpttool.architecture.dialects import Generation, stored_order
from ckpttool.architecture.layouts import Place, opaque_in, shapes_fit
from ckpttool.architecture.slots import Part, in_weights_order
from ckpttool.assembled import is_reversed
from ckpttool.checkpoint import Checkpoint, Producer, Weight
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.targets import Payload
from ckpttool.conversion.weights import Placed
from ckpttool.writing.legacy import KERAS_VERSION, Layers

LEGACY = "legacy-h5"
_TOP_LEVEL = "top_level_model_weights"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is written, the weights that were placed for it, and what was found out about the source. `live` is the
    model that the weights were placed in, where it did not come from a config."""

    payload: Payload
    placed: tuple[Placed, ...]
    model: str
    writer: str
    renamed: tuple[tuple[str, str], ...] = ()
    written: Mapping[str, Weight] = field(default_factory=dict)
    live: Architecture | None = None


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


def refuse_missing(missing: Iterable[Place], journal: Journal) -> None:
    """Refuses slots without weights."""
    for place in missing:
        shape = "" if place.slot.shape is None else f" {place.slot.shape}"
        journal.refuse(place.label, f"the source has no weight for {place.slot.name}{shape}")


def refuse_left(left: Iterable[Weight], part: Part, journal: Journal) -> None:
    """Refuses weights without slots; those of a layer with objects of own classes in one line."""
    own = {chain.split("/")[0]: top.class_name for chain, top, _ in opaque_in(part)}
    groups = Counter[str]()
    for weight in left:
        if weight.layer in own:
            groups[weight.layer] += 1
        else:
            journal.refuse(weight.path, f"a weight {weight.shape} that no slot of the model takes")
    for layer, count in groups.items():
        told = f"{count:,} weights of a layer of a class of your own ({own[layer]}) that no slot of the model takes"
        journal.refuse(layer, f"{told}: only a live model tells where they go; --arch package.module:function")


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
