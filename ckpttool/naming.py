"""What to call a weight: its layer and its place inside the layer, as the user of the model knows them.

Names that the file does not state are taken from an architecture or from paths, and marked as inferred.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ckpttool.architecture import Architecture, Layer
from ckpttool.checkpoint import Section, Weight
from ckpttool.formats.weights_h5 import CONTAINERS, split

if TYPE_CHECKING:
    from ckpttool.architecture.slots import Slot


@dataclass(frozen=True, slots=True)
class Name:
    """The names of one weight. `layer` is what to call its layer, `label` what to call the weight inside it.

    `class_name` and `trainable` come from the architecture and are None where it does not tell; `inferred` says that
    the layer's name is not stored but concluded from the architecture or the path. `slot` is what Keras calls the
    weight (`kernel`) where the layout does not name it and the class of the layer does.
    """

    layer: str
    label: str
    class_name: str | None = None
    trainable: bool | None = None
    inferred: bool = False
    slot: str | None = None


@dataclass(slots=True)
class Namer:
    """Gives every weight of a checkpoint the names to show it under, from what is stored and from an architecture.

    `numbered` says that the checkpoint knows its layers by number only, as Keras 0.x did.
    """

    architecture: Architecture | None
    numbered: bool = False
    _by_path: dict[str, Layer] = field(init=False)
    _by_place: dict[tuple[str, ...], Layer] = field(init=False)
    _layers: tuple[Layer, ...] = field(init=False)
    _positions: dict[str, int] = field(init=False)
    _inside: dict[str, dict[str, set[bool]]] = field(default_factory=dict)
    _slots: dict[str, Mapping[str, "Slot"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._layers = self.architecture.layers if self.architecture else ()
        self._positions = {layer.path: at for at, layer in enumerate(self._layers)}
        self._by_path = self.architecture.by_path() if self.architecture else {}
        self._by_place = self.architecture.by_place() if self.architecture else {}

    def name(self, weight: Weight) -> Name:
        """The names of a weight."""
        if weight.section is not Section.MODEL:
            return Name(weight.section.value, weight.name or weight.path)
        if weight.name is not None:
            return self._named(weight, weight.layer or "", _short(weight))
        parts = _as_keras_3(split(weight.path))
        if weight.layer is None:
            return self._placed(weight, parts)
        slot = self._slot(self._by_path.get(weight.layer), weight, parts)
        label = "/".join(filter(None, (weight.part, slot or parts[-1])))
        return replace(self._named(weight, weight.layer, label), slot=slot)

    def _slot(self, layer: Layer | None, weight: Weight, parts: tuple[str, ...]) -> str | None:
        """What Keras calls a weight of the path layout, by the class of its layer and its place and shape; private
        attributes of Keras 2 (`_query_dense`) count as those of Keras 3."""
        if layer is None or parts[: len(layer.place)] != layer.place:
            return None
        from ckpttool.architecture.layouts import (  # the table of layers is not needed by every listing
            shapes_fit,
            slots_of,
        )

        if layer.path not in self._slots:
            self._slots[layer.path] = slots_of(layer)
        slot = self._slots[layer.path].get("/".join(part.lstrip("_") for part in parts[len(layer.place) :]))
        return slot.name if slot is not None and shapes_fit(slot.shape, weight.shape) else None

    def _named(self, weight: Weight, layer: str, label: str) -> Name:
        known = self._numbered(layer) if self.numbered else self._by_path.get(layer)
        if known is None:
            return Name(layer, label)
        trainable = self._trainable_inside(known, weight) if known.is_model else known.trainable
        return Name(layer, label, known.class_name, trainable)

    def _numbered(self, layer: str) -> Layer | None:
        """The layer that `layer_<i>` is, by the order of the architecture."""
        number = layer.rpartition("_")[2]
        return self._layers[int(number)] if number.isdigit() and int(number) < len(self._layers) else None

    def _trainable_inside(self, model: Layer, weight: Weight) -> bool | None:
        """Whether a weight of a nested model is of a trainable layer: legacy files name the model as its layer, and
        the layer itself at best in the weight's name. None where that does not tell."""
        inside = self._inside.get(model.path)
        if inside is None:
            inside = self._inside[model.path] = self._settings_inside(model)
        if len(inside[""]) < 2:
            return next(iter(inside[""]), model.trainable)
        found = set[bool]().union(*(inside.get(name, ()) for name in (weight.name or "").split("/")[:-1] if name))
        return found.pop() if len(found) == 1 else None

    def _settings_inside(self, model: Layer) -> dict[str, set[bool]]:
        """Whether the layers in a nested model are trainable, by their names; those of all under the empty name."""
        found: dict[str, set[bool]] = {"": set()}
        for layer in itertools.islice(self._layers, self._positions[model.path] + 1, None):
            if not layer.path.startswith(f"{model.path}/"):
                break
            if not layer.is_model:
                found[""].add(layer.trainable)
                found.setdefault(layer.name, set()).add(layer.trainable)
        return found

    def _placed(self, weight: Weight, parts: tuple[str, ...]) -> Name:
        """The name of a weight whose layer's name is not stored: by the config if its path fits, else by its path."""
        owner, index = parts[:-2], parts[-1]
        for end in range(len(owner), 1, -1):
            known = self._by_place.get(owner[:end])
            if known is not None:
                slot = self._slot(known, weight, parts)
                label = "/".join((*owner[end:], slot or index))
                return Name(known.path, label, known.class_name, known.trainable, True, slot)
        return Name("/".join(part for part in owner if part not in CONTAINERS and part != "vars"), index, inferred=True)


def _as_keras_3(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The path of an object as Keras 3 would write it.

    Keras 2.12 and 2.13 list each layer with weights twice in `_layer_checkpoint_dependencies`, as
    `layer_with_weights-N` and as `layer-N`, and number both: their `dense_2` is the second Dense
    (`Functional._layer_checkpoint_dependencies`, keras/engine/functional.py, 2.12).
    """
    found = list(parts)
    for at, part in enumerate(parts):
        if part == "_layer_checkpoint_dependencies":
            found[at] = "layers"
            stem, _, number = parts[at + 1].rpartition("_") if at + 1 < len(parts) else ("", "", "")
            if stem and number.isdigit():
                found[at + 1] = f"{stem}_{int(number) // 2}" if int(number) > 1 else stem
    return tuple(found)


def _short(weight: Weight) -> str:
    """The stored name of a weight without what repeats its layer's name in front and `:0` behind."""
    name, layer = weight.name or "", weight.layer or ""
    name = name.removesuffix(":0")
    return name.removeprefix(f"{layer}/").removeprefix(f"{layer}_") or name
