"""The weights of a checkpoint in the form in which they are compared: each with its layer and its name inside it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ckpttool.alignment.alignment import Aligned, Alignment, align
from ckpttool.alignment.assembly import is_reversed, weight_of
from ckpttool.alignment.names import Namer
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.model import Architecture
from ckpttool.paths import join_path

_NUMBER = re.compile(r"_\d+(?=/|$)")
_COMPARED = (Section.MODEL, Section.OTHER)


@dataclass(frozen=True, slots=True)
class Unit:
    """One weight of a model. `layer` is the chain of names down to its layer, `label` the name inside the layer.

    `weight` has the form of Keras 3; it is put together where it is stored in another. `path` is the stored path, of
    its first part where it has several. `slot` says that the architecture has a slot for it. `trainable` says whether
    it is trained; None where that is not known.
    """

    layer: str
    label: str
    path: str
    shape: tuple[int, ...]
    dtype: str
    slot: bool = False
    trainable: bool | None = None
    weight: Weight = field(default=None, repr=False, compare=False)  # type: ignore[assignment]

    __repr__ = brief

    @property
    def name(self) -> str:
        """The full name to show: `encoder/dense/kernel`."""
        return join_path(self.layer, self.label)

    @property
    def key(self) -> str:
        """The name inside the layer without the numbers of objects: `forward_lstm/lstm_cell/kernel`."""
        return _NUMBER.sub("", self.label)

    @property
    def names(self) -> tuple[str, ...]:
        """All names with which a glob is compared."""
        return self.layer, self.name, self.path


class Units(NamedTuple):
    """The weights of a checkpoint, in order. `problem` says why their slots are not known from its architecture."""

    units: tuple[Unit, ...]
    problem: str = ""

    def by_layer(self) -> Mapping[str, list[Unit]]:
        """The weights by layer, in order."""
        layers: dict[str, list[Unit]] = {}
        for unit in self.units:
            layers.setdefault(unit.layer, []).append(unit)
        return layers


def units_of(checkpoint: Checkpoint, architecture: Architecture | None) -> Units:
    """The weights of a checkpoint, named by the slots of an architecture, else by the names or paths in the file."""
    weights = [weight for weight in checkpoint.values() if weight.section in _COMPARED]
    if architecture is None or not architecture.layers:
        return Units(tuple(_named(weights, Namer.of(checkpoint, None))))
    try:
        alignment = align(checkpoint, architecture)
    except CheckpointError as error:
        return Units(tuple(_named(weights, Namer.of(checkpoint, architecture))), error.what)
    return Units(tuple(_aligned(checkpoint, alignment, weights, Namer.of(checkpoint, architecture))))


def _aligned(checkpoint: Checkpoint, alignment: Alignment, weights: Iterable[Weight], namer: Namer) -> Iterable[Unit]:
    """The weights that fill slots, then the others."""
    turned = is_reversed(checkpoint, alignment.generation)
    for aligned in alignment.aligned:
        if not aligned.place.slot.borrowed:  # a borrowed weight is listed under its owner
            yield _slotted(aligned, weight_of(aligned, turned))
    placed = alignment.by_path()
    yield from _named((weight for weight in weights if weight.path not in placed), namer)


def _slotted(aligned: Aligned, weight: Weight) -> Unit:
    place = aligned.place
    return Unit(place.layer, place.name, weight.path, weight.shape, weight.dtype, True, place.slot.trainable, weight)


def _named(weights: Iterable[Weight], namer: Namer) -> Iterable[Unit]:
    for weight in weights:
        name = namer.name(weight)
        in_layer = weight.section is Section.MODEL
        layer, label = (name.layer, name.label) if in_layer else ("", weight.path)
        yield Unit(layer, label, weight.path, weight.shape, weight.dtype, False, name.trainable, weight)
