"""Wrappers of the TensorFlow Model Optimization Toolkit, of which those that compute what their layer does are removed.

PruneLowMagnitude multiplies the largest weight of its layer by a mask whenever it is called, and stores that mask, a
threshold and a step beside it (tensorflow_model_optimization/python/core/sparsity/keras/pruning_wrapper.py, 0.8.1).
QuantizeAnnotate marks a layer and does nothing (quantization/keras/quantize_annotate.py). Layers that compute with
quantized or clustered weights have no equivalent in Keras 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ckpttool.alignment.alignment import is_scope_of, scopes_of
from ckpttool.checkpoint import Checkpoint, Section, Values, Weight
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model import Architecture, with_config
from ckpttool.model.config import MAX_DEPTH

if TYPE_CHECKING:
    import numpy as np

STRIP = Edit(
    "strip-wrapper",
    "takes a PruneLowMagnitude or QuantizeAnnotate off the layer that it holds",
    "always: what was pruned is multiplied by its mask, and mask, threshold and step of pruning are left out",
)
EDITS = (STRIP,)

_TOOLKIT_CLASSES = frozenset(
    {
        *("ClusterWeights", "PruneLowMagnitude", "QuantizeAnnotate", "QuantizeLayer"),
        *("QuantizeWrapper", "QuantizeWrapperV2"),
    }
)


_WRAPPERS = frozenset({"PruneLowMagnitude", "QuantizeAnnotate"})
_OUTER_KEYS = ("name", "inbound_nodes")  # which an entry has beside its class and config
_STATE = frozenset({"mask", "threshold", "pruning_step"})
_PRUNED = ("pointwise_kernel", "kernel", "embeddings")  # by precedence, where several have the mask's shape


def check(class_name: str, label: str, journal: Journal) -> None:
    """Refuse a layer of the toolkit, whose layers are for Keras 2 only."""
    if class_name in _TOOLKIT_CLASSES:
        journal.refuse(
            label, f"{class_name} of tensorflow_model_optimization, which is for Keras 2 only: strip it there first"
        )


def unwrapped(checkpoint: Checkpoint, architecture: Architecture, journal: Journal) -> tuple[Checkpoint, Architecture]:
    """A checkpoint and an architecture of Keras 2 without such wrappers; their layers get the names of the wrappers."""
    wrappers = [layer for layer in architecture.layers if _is_wrapper_entry(layer.entry)]
    new = with_config(architecture, _without_wrappers(architecture.config, 0)) if wrappers else None
    if new is None:
        return checkpoint, architecture
    for layer in wrappers:
        journal.edit(STRIP, layer.path, f"{layer.class_name} of {layer.entry['config']['layer'].get('class_name')}")
    names = [layer.name for layer in wrappers]
    if checkpoint.format.has_paths:
        weights = dict(_weights_at_paths(checkpoint, architecture, new, {layer.place for layer in wrappers}))
    else:
        weights = dict(_weights_in_groups(checkpoint, names))
    return replace(checkpoint, weights=weights), new


def _is_wrapper_entry(entry: Any) -> bool:
    """Whether an entry is that of such a wrapper, with a layer in it."""
    if not isinstance(entry, Mapping) or str(entry.get("class_name")) not in _WRAPPERS:
        return False
    config = entry.get("config")
    return isinstance(config, Mapping) and isinstance(config.get("name"), str) and _is_entry(config.get("layer"))


def _is_entry(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("config"), Mapping)


def _without_wrappers(entry: Any, depth: int) -> Any:
    """An entry with wrappers replaced by their layers, at any depth of models."""
    if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
        return entry
    if _is_wrapper_entry(entry):
        outer, inner = entry["config"], entry["config"]["layer"]
        arguments = {key: outer[key] for key in ("name", "batch_input_shape") if key in outer}
        beside = {key: entry[key] for key in _OUTER_KEYS if key in entry}
        return {**inner, **beside, "config": {**inner["config"], **arguments}}
    config = entry.get("config")
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), list):
        return entry
    return {
        **entry,
        "config": {**config, "layers": [_without_wrappers(layer, depth + 1) for layer in config["layers"]]},
    }


def _weights_in_groups(checkpoint: Checkpoint, names: Sequence[str]) -> Iterator[tuple[str, Weight]]:
    """The weights of a legacy file without the state of pruning; those that were pruned, multiplied by their masks."""
    masks = dict[tuple[str | None, str], Weight]()
    others = list[Weight]()
    for weight in checkpoint.values():
        name = (weight.name or "").removesuffix(":0").rpartition("/")[2]
        scope = (scopes_of(weight) or ("",))[-1]
        owner = next((wrapper for wrapper in names if is_scope_of(scope, wrapper)), None)
        if weight.section is Section.MODEL and owner is not None and name in _STATE:
            if name == "mask":
                masks[weight.layer, owner] = weight
        else:
            others.append(weight)
    pruned = {_pruned(others, layer, owner, mask): mask for (layer, owner), mask in masks.items()}
    for weight in others:
        yield weight.path, _masked(weight, pruned[weight.path]) if weight.path in pruned else weight


def _pruned(weights: Sequence[Weight], layer: str | None, owner: str, mask: Weight) -> str:
    """The path of the weight to which a mask belongs, in the group of its layer or in that of the model around it."""
    inner = owner.removeprefix("prune_low_magnitude_")
    own = [weight for weight in weights if weight.layer == layer and weight.shape == mask.shape]
    own = [weight for weight in own if layer == owner or scopes_of(weight)[-1:] == (inner,)]
    by_name = {(weight.name or "").removesuffix(":0").rpartition("/")[2]: weight.path for weight in own}
    return next((by_name[name] for name in _PRUNED if name in by_name), "")


def _weights_at_paths(
    checkpoint: Checkpoint, old: Architecture, new: Architecture, wrappers: set[tuple[str, ...]]
) -> Iterator[tuple[str, Weight]]:
    """The weights of the path layout at the paths that they have without the wrappers."""
    places = {layer.path: layer.place for layer in new.layers}
    moved = {"/".join(layer.place): "/".join(places[layer.path]) for layer in old.layers}
    wrapped = {"/".join(place) for place in wrappers}
    masks = {place: checkpoint.get(f"{place}/vars/1") for place in wrapped}
    for path, weight in checkpoint.items():
        place = path
        while place and place not in moved:
            place = place.rpartition("/")[0]
        rest = path[len(place) + 1 :]
        if place not in wrapped:
            new_path = f"{moved[place]}/{rest}" if place else path
        elif rest.startswith("vars/"):
            continue
        else:
            new_path = f"{moved[place]}/{rest.removeprefix('layer/')}"
        mask = masks.get(place) if place in wrapped else None
        fits = mask is not None and mask.shape == weight.shape and _is_pruned(checkpoint, place, weight)
        moved_weight = _masked(weight, mask) if mask is not None and fits else weight
        yield new_path, replace(moved_weight, path=new_path)


def _is_pruned(checkpoint: Checkpoint, place: str, weight: Weight) -> bool:
    """Whether a weight is the pruned one: its wrapper lists that as its own, too, and it is the last of its shape."""
    first = checkpoint.get(f"{place}/vars/0")
    same_shape = [
        other.path
        for other in checkpoint.values()
        if other.path.startswith(f"{place}/layer/") and other.shape == weight.shape
    ]
    return first is not None and first.shape == weight.shape and same_shape[-1] == weight.path


def _masked(weight: Weight, mask: Weight) -> Weight:
    """The weight multiplied by its mask, when it is read."""
    return replace(weight, big_endian=False, values=_Masked(weight, mask))


@dataclass(frozen=True, slots=True)
class _Masked:
    """The values of a weight multiplied by those of a mask, in memory."""

    weight: Weight
    mask: Weight

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, little-endian, in pieces of `limit` bytes."""
        import numpy as np

        values: np.ndarray = self.weight.read() * self.mask.read()
        code = values.dtype.newbyteorder("<")
        raw = np.ascontiguousarray(values, code).reshape(-1).view(np.uint8).data
        for start in range(0, len(raw), limit):
            yield raw[start : start + limit]

    def part(self, start: int, stop: int) -> Values | None:
        """None: a part takes as much work as the whole."""
        return None
