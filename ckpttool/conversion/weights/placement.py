"""The placement of an old model's weights in the slots of its new config, with changes of their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.alignment.alignment import Aligned, Alignment, key_of
from ckpttool.alignment.assembly import weight_of
from ckpttool.checkpoint import Values, Weight
from ckpttool.conversion.config.hard_sigmoid import FACTOR
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.io import dtypes
from ckpttool.model.layouts import Place
from ckpttool.paths import path_from

if TYPE_CHECKING:
    import numpy as np

JOINED, TURNED = "joined from", "axes turned as Keras 3 has them"
"""The changes of weights of old layouts that are the same for all layers."""
_MULTIPLIED = f"multiplied by {FACTOR}"


class PlacedWeight(NamedTuple):
    """The weight of a slot of the new model. `stored` are the paths of its sources, `changes` the changes of their
    values, empty where it is equal to its source, bit for bit."""

    place: Place
    weight: Weight
    stored: tuple[str, ...]
    changes: tuple[str, ...] = ()


def placed_weights(
    alignment: Alignment, rewritten: Rewritten, places: Sequence[Place], reversed_kernels: bool
) -> tuple[list[PlacedWeight], list[Place]]:
    """The weights of the new model's slots, and the slots for which the source has none."""
    sources = {rewritten.label(aligned.place.layer, aligned.place.name): aligned for aligned in alignment.aligned}
    owned = {key_of(place): place for place in places}
    placed, missing = list[PlacedWeight](), list[Place]()
    for place in places:
        source = sources.get(place.label)
        if source is None and place.slot.borrowed:
            owner = path_from(place.owner, place.slot.borrowed)
            lent = owned.get((place.group, owner, place.slot.name))
            source = sources.get(lent.label) if lent else None
        if source is None:
            missing.append(place)
        else:
            placed.append(placed_at(place, source, rewritten, reversed_kernels))
    return placed, missing


def placed_at(place: Place, source: Aligned, rewritten: Rewritten, reversed_kernels: bool) -> PlacedWeight:
    """The weight of one slot."""
    weight, changes = weight_of(source, reversed_kernels), list[str]()
    if weight is not source.stored[0].weight:
        parts = len(source.stored)
        changes.append(f"{JOINED} {parts} arrays" if parts > 1 else TURNED)
    how = rewritten.arrangements.get(source.place.label)
    if how is not None:
        changes.append(how.description)
        weight = _arranged(weight, how)
    gates = _gates(source.place, rewritten)
    if gates is not None:
        changes.append(_MULTIPLIED + ("" if all(gates) else " in the gates that use hard_sigmoid"))
        weight = changed(weight, _Columns(tuple(FACTOR if marked else 1.0 for marked in gates)))
    return PlacedWeight(place, weight, tuple(aligned.weight.path for aligned in source.stored), tuple(changes))


def is_multiplied(placed: PlacedWeight) -> bool:
    """Whether a weight of the new model is one of the old model multiplied for hard_sigmoid, in some gates at least."""
    return any(change.startswith(_MULTIPLIED) for change in placed.changes)


def _gates(place: Place, rewritten: Rewritten) -> tuple[bool, ...] | None:
    """The gates of a weight that are multiplied, None where it is not."""
    placed = rewritten.scaled_at(place.label)
    return placed.gates if placed is not None and place.slot.name in placed.slots and any(placed.gates) else None


Change = Callable[["np.ndarray", int, int], "np.ndarray"]
"""A function that computes new values from a flat run of old ones. It also gets the index of the first value of the run
and the length of the weight's last axis."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Multiplies equal parts of the last axis, each by its factor."""

    factors: tuple[float, ...]

    def __call__(self, values: np.ndarray, start: int, width: int) -> np.ndarray:
        import numpy as np

        if len(set(self.factors)) == 1:
            same: np.ndarray = values * values.dtype.type(self.factors[0])
            return same
        row = np.repeat(np.asarray(self.factors, values.dtype), width // len(self.factors))
        placed: np.ndarray = values * row[np.arange(start, start + len(values)) % width]
        return placed


def changed(weight: Weight, change: Change) -> Weight:
    """The weight with every value changed when it is read, block by block."""
    return replace(weight, big_endian=False, values=_Changed(weight, change))


class _Changed(NamedTuple):
    """The values of a weight, each of them changed."""

    weight: Weight
    change: Change

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, little-endian, in pieces of at most `limit` bytes."""
        import numpy as np

        width, at = (self.weight.shape or (1,))[-1], 0
        code = f"<{dtypes.DTYPES[self.weight.dtype][1]}"
        for block in self.weight.blocks(limit):
            values = self.change(block, at, width)
            at += len(block)
            yield np.ascontiguousarray(values, code).view(np.uint8).data

    def part(self, start: int, stop: int) -> Values | None:
        """None: a part cannot be changed by itself."""
        return None


def _arranged(weight: Weight, how: Arrangement) -> Weight:
    """The weight with its values in the new arrangement."""
    shape = how.shape(weight.shape)
    item = dtypes.itemsize(weight.dtype) or 0
    return replace(weight, shape=shape, nbytes=math.prod(shape) * item, big_endian=False, values=_Arranged(weight, how))


class _Arranged(NamedTuple):
    """The values of a weight in a new arrangement, in memory."""

    weight: Weight
    how: Arrangement

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, little-endian, in pieces of `limit` bytes."""
        import numpy as np

        code = f"<{dtypes.DTYPES[self.weight.dtype][1]}"
        raw = np.ascontiguousarray(self.how.apply(self.weight.read()), code).reshape(-1).view(np.uint8).data
        for start in range(0, len(raw), limit):
            yield raw[start : start + limit]

    def part(self, start: int, stop: int) -> Values | None:
        """None: a part takes as much work as the whole."""
        return None
