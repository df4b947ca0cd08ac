"""The weights of a checkpoint as they are compared: each by its layer and what it is called inside it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ckpttool.alignment.alignment import Aligned, Alignment, align
from ckpttool.alignment.assembly import is_reversed, weight_of
from ckpttool.alignment.names import Namer
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.model import Architecture

_NUMBER = re.compile(r"_\d+(?=/|$)")
_COMPARED = (Section.MODEL, Section.OTHER)


@dataclass(frozen=True, slots=True)
class Unit:
    """One weight of a model. `layer` is the chain of names down to its layer, `label` what it is called inside it.

    `weight` is as Keras 3 has it, put together where it is stored otherwise; `path` is where it is stored, the first of
    its parts. `slot` says that the architecture knows it, `trainable` whether it is trained, None where nothing tells.
    """

    layer: str
    label: str
    path: str
    shape: tuple[int, ...]
    dtype: str
    slot: bool = False
    trainable: bool | None = None
    weight: Weight = field(default=None, repr=False, compare=False)  # type: ignore[assignment]

    @property
    def name(self) -> str:
        """What to call it: `encoder/dense/kernel`."""
        return f"{self.layer}/{self.label}" if self.layer else self.label

    @property
    def key(self) -> str:
        """What it is inside its layer, whatever numbers the objects there have: `forward_lstm/lstm_cell/kernel`."""
        return _NUMBER.sub("", self.label)

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which a glob may mean it."""
        return self.layer, self.name, self.path


@dataclass(frozen=True, slots=True)
class Units:
    """The weights of a checkpoint, in order. `problem` says why its architecture does not tell their slots."""

    units: tuple[Unit, ...]
    problem: str = ""

    def by_layer(self) -> Mapping[str, list[Unit]]:
        """The weights by layer, in order."""
        layers: dict[str, list[Unit]] = {}
        for unit in self.units:
            layers.setdefault(unit.layer, []).append(unit)
        return layers


def units_of(checkpoint: Checkpoint, architecture: Architecture | None) -> Units:
    """The weights of a checkpoint by the slots of an architecture as far as they have one, else by the names that the
    file or its paths give."""
    weights = [weight for weight in checkpoint.values() if weight.section in _COMPARED]
    if architecture is None or not architecture.layers:
        return Units(tuple(_named(weights, Namer.of(checkpoint, None))))
    try:
        found = align(checkpoint, architecture)
    except CheckpointError as error:
        return Units(tuple(_named(weights, Namer.of(checkpoint, architecture))), error.what)
    return Units(tuple(_aligned(checkpoint, found, weights, Namer.of(checkpoint, architecture))))


def _aligned(checkpoint: Checkpoint, found: Alignment, weights: Iterable[Weight], namer: Namer) -> Iterable[Unit]:
    """The weights that have slots, and the others behind them."""
    turned = is_reversed(checkpoint, found.generation)
    for one in found.aligned:
        if not one.place.slot.borrowed:  # it is there under its owner, too
            yield _slotted(one, weight_of(one, turned))
    placed = found.by_path()
    yield from _named((weight for weight in weights if weight.path not in placed), namer)


def _slotted(one: Aligned, weight: Weight) -> Unit:
    place = one.place
    return Unit(place.layer, place.name, weight.path, weight.shape, weight.dtype, True, place.slot.trainable, weight)


def _named(weights: Iterable[Weight], namer: Namer) -> Iterable[Unit]:
    for weight in weights:
        name = namer.name(weight)
        in_layer = weight.section is Section.MODEL
        layer, label = (name.layer, name.label) if in_layer else ("", weight.path)
        yield Unit(layer, label, weight.path, weight.shape, weight.dtype, False, name.trainable, weight)
