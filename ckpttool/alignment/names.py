"""The names to show a weight under: its layer and its name inside the layer, as the user of the model knows them.

Names that the file does not state are taken from an architecture or from paths, and marked as inferred.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.formats.weight_paths import CONTAINERS, as_keras_3, split
from ckpttool.io import scalars
from ckpttool.paths import join_path

if TYPE_CHECKING:
    from ckpttool.alignment.alignment import Alignment
    from ckpttool.model import Architecture, Layer
    from ckpttool.model.layouts import Place

_SCOPE = re.compile(r"(_\d+)?/")  # how a scope of TensorFlow ends, behind the name of its layer

_TENSOR = (".ATTRIBUTES", "VARIABLE_VALUE")
"""The end of the key of a variable in a TensorFlow checkpoint, behind its way through the objects."""


class Name(NamedTuple):
    """The names of one weight: `layer` of its layer, `label` of the weight inside the layer.

    The architecture gives the following, None where it does not say: `class_name` of the layer; `frozen`, whether the
    layer is frozen; `trainable`, whether the weight is among the model's trainable ones; `slot`, the name of the
    weight in Keras (`kernel`). `inferred` says that the layer's name is not stored, but concluded from the architecture
    or the path.
    """

    layer: str
    label: str
    class_name: str | None = None
    frozen: bool | None = None
    trainable: bool | None = None
    inferred: bool = False
    slot: str | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Namer:
    """Names the weights of a checkpoint, from stored names and paths and from an architecture.

    `places` are the slots of the stored weights, by path. `numbered` says that the checkpoint knows its layers by
    number only, as Keras 0.x did. `beside` are the names, by path, of weights stored beside a quantized kernel that the
    config does not mention. `problem` says why the slots are not known from the architecture; empty where they are.
    `several` are the layers whose weights' stored names begin with several scopes, those of the layers inside.
    `guesses_sections` says that the sections of the weights are concluded from their names.
    """

    layers: tuple[Layer, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    numbered: bool = False
    problem: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    several: frozenset[str] = frozenset()
    guesses_sections: bool = False
    _by_path: dict[str, Layer] = field(init=False)
    _by_place: dict[tuple[str, ...], Layer] = field(init=False)

    @classmethod
    def of(cls, checkpoint: Checkpoint, architecture: Architecture | None) -> Namer:
        """The namer of a checkpoint, with its own architecture or another."""
        several = _several_scopes(checkpoint.section(Section.MODEL))
        if architecture is None or not architecture.layers:
            return cls(several=several, guesses_sections=checkpoint.sections_inferred)
        from ckpttool.alignment.alignment import align  # the table of layers is not needed by every listing

        numbered, guessed = checkpoint.format.is_of_keras_0, checkpoint.sections_inferred
        try:
            alignment = align(checkpoint, architecture)
            slots, beside = alignment.by_path(), _beside_kernels(alignment)
            return cls(architecture.layers, slots, numbered, "", beside, several, guessed)
        except CheckpointError as error:
            return cls(architecture.layers, {}, numbered, error.what, {}, several, guessed)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_path", {layer.path: layer for layer in self.layers})
        object.__setattr__(self, "_by_place", {layer.place: layer for layer in self.layers})

    def name(self, weight: Weight) -> Name:
        """The names of a weight."""
        if weight.section is not Section.MODEL:
            return Name(weight.section.value, weight.name or weight.path, inferred=self.guesses_sections)
        place = self.places.get(weight.path)
        if weight.name is not None:
            return self._known(Name(weight.layer or "", self._short(weight)), place)
        parts = as_keras_3(split(weight.path))
        if weight.layer is not None:
            last = place.slot.name if place else self.beside.get(weight.path, parts[-1])
            label = join_path(weight.part, last)
            return self._known(Name(weight.layer, label), place)
        if place is not None:
            return self._known(Name(place.layer, place.name, inferred=True), place)
        return self._by_its_path(parts, weight)

    def _known(self, name: Name, place: Place | None) -> Name:
        """The name with the facts that the architecture has about its layer and its slot."""
        layer = self._numbered(name.layer) if self.numbered else self._by_path.get(name.layer)
        slot, trainable = (place.slot.name, place.slot.trainable) if place else (None, None)
        if layer is None:
            return name._replace(slot=slot, trainable=trainable)
        frozen = not layer.trainable
        trainable = False if frozen and place is None else trainable
        return name._replace(class_name=layer.class_name, frozen=frozen, slot=slot, trainable=trainable)

    def _short(self, weight: Weight) -> str:
        """The stored name of a weight without its layer's name in front and without `:0` behind.

        The layer's name may have the number behind it that TensorFlow appends to a scope used before.
        """
        layer, name = weight.layer or "", (weight.name or "").removesuffix(":0")
        if "/" not in name:
            return name.removeprefix(f"{layer}_") or name  # as Keras 1 writes it: `dense_1_W`
        own = self._by_path.get(layer)
        if layer in self.several or (own is not None and own.is_model):
            return name.removeprefix(f"{layer}/") or name
        repeated = _SCOPE.match(name, len(layer)) if name.startswith(layer) else None
        return name[repeated.end() :] if repeated else name

    def _numbered(self, layer: str) -> Layer | None:
        """The layer that Keras 0 calls `layer_<i>`: the one at position i of the architecture."""
        number = scalars.digits(layer.rpartition("_")[2])
        return self.layers[number] if number is not None and number < len(self.layers) else None

    def _by_its_path(self, parts: tuple[str, ...], weight: Weight) -> Name:
        """The name of a weight that neither the file nor a slot names.

        From the longest beginning of its path at which the architecture has a layer, else from the path alone.
        """
        if parts[-2:] == _TENSOR:
            return Name("/".join(parts[:-3]), "/".join(parts[-3:-2]), inferred=True)
        owner, index = parts[:-2], self.beside.get(weight.path, parts[-1])
        for end in range(len(owner), 1, -1):
            layer = self._by_place.get(owner[:end])
            if layer is not None:
                return self._known(Name(layer.path, "/".join((*owner[end:], index)), inferred=True), None)
        return Name("/".join(part for part in owner if part not in CONTAINERS and part != "vars"), index, inferred=True)


def _beside_kernels(alignment: Alignment) -> dict[str, str]:
    """The names, by path, of the weights that are stored beside int8 kernels and have no slot.

    The layers inside a MultiHeadAttention are quantized one by one, and its config does not mention that
    (keras/src/layers/core/einsum_dense.py, 3.15).
    """
    from ckpttool.model.layers.quantization import WRITE_ORDER

    by_path = alignment.by_path()
    stored = {part.weight.path: part.weight for aligned in alignment.aligned for part in aligned.stored}
    stored |= {weight.path: weight for weight in alignment.left}
    labels: dict[str, str] = {}
    for weight in alignment.left:
        group, _, number = weight.path.rpartition("/")
        place = scalars.digits(number)
        first = stored.get(f"{group}/0")
        names = {by_path[path].slot.name for path in (f"{group}/0", f"{group}/1") if path in by_path}
        if first is not None and first.dtype == "int8" and names and names <= {"kernel", "bias"} and place is not None:
            order = [name for name in WRITE_ORDER["int4"] if name != "bias" or name in names]
            labels |= {weight.path: order[place]} if place < len(order) else {}
    return labels


def _several_scopes(weights: Iterable[Weight]) -> frozenset[str]:
    """The layers whose weights' stored names begin with more than one scope."""
    first: dict[str, str] = {}
    return frozenset(
        layer
        for weight in weights
        if (layer := weight.layer or "") and (scope := (weight.name or "").rpartition("/")[0].partition("/")[0])
        if first.setdefault(layer, scope) != scope
    )
