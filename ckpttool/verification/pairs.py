"""Which stored weight goes to which slot, as a loader of Keras pairs them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ckpttool.checkpoint import Weight
from ckpttool.io import dtypes, scalars
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import SpecSlot


@dataclass(slots=True)
class Pairing:
    """Which stored weight goes to which slot, what is left over on either side and why, and why Keras would raise.

    `miscounted` are the slots and weights of objects that have another number of them than the file stores. `skipped`
    says why Keras leaves a slot or a stored weight alone, by its `id`, where it is asked to skip mismatches.
    """

    pairs: list[tuple[SpecSlot, Weight]] = field(default_factory=list)
    missing: list[tuple[SpecSlot, str]] = field(default_factory=list)
    unexpected: list[tuple[Weight, str]] = field(default_factory=list)
    unchecked: list[Weight] = field(default_factory=list)
    raises: list[str] = field(default_factory=list)
    miscounted: list[tuple[Sequence[SpecSlot], Sequence[Weight], str]] = field(default_factory=list)
    skipped: dict[int, str] = field(default_factory=dict)

    def add(self, other: "Pairing") -> None:
        """Take over all of another pairing."""
        self.pairs += other.pairs
        self.missing += other.missing
        self.unexpected += other.unexpected
        self.unchecked += other.unchecked
        self.raises += other.raises
        self.skipped |= other.skipped

    def finish(self, skip_mismatch: bool = False) -> "Pairing":
        """The same, with a reason for Keras to raise where a pair differs in shape, or with the slot skipped there
        (`_set_weights`, keras/src/legacy/saving/legacy_h5_format.py, 3.15)."""
        for slot, weight in self.pairs:
            if id(slot) in self.skipped:
                continue
            fits = shapes_fit(slot.shape, weight.shape)
            if skip_mismatch and not fits:
                self.skipped[id(slot)] = "Keras skips it"
            elif dtypes.itemsize(weight.dtype) is None:
                self.raises.append(f"{slot.label}: values of type {weight.dtype}")
            elif not fits:
                self.raises.append(f"{slot.label}: shape {weight.shape} instead of {slot.shape}")
        return self._leave_the_rest() if skip_mismatch else self

    def _leave_the_rest(self) -> "Pairing":
        """The same, with what has no partner skipped too, which Keras leaves alone unless it raises."""
        if not self.raises:
            for lone, why in (*self.missing, *self.unexpected):
                self.skipped.setdefault(id(lone), why)
        return self

    def skip_layers(self) -> None:
        """Skip each layer whole whose number of weights differs, which is all that Keras raises on so far
        (`load_weights_from_hdf5_group_by_name`, keras/src/legacy/saving/legacy_h5_format.py, 3.15)."""
        for slots, weights, count in self.miscounted:
            self.skipped |= dict.fromkeys(map(id, (*slots, *weights)), f"{count}; Keras skips all of it")
        self.raises.clear()

    def skip_objects(self) -> "Pairing":
        """The same with what Keras leaves alone of each object that it cannot load: all of it where the number differs,
        else what comes behind the first weight that does not fit; it raises on none (`load_weights_only` and
        `_load_state`, keras/src/saving/saving_lib.py; `Layer.load_own_variables`, keras/src/layers/layer.py, 3.15)."""
        self.skip_layers()
        loaded = {id(slot): weight for slot, weight in self.pairs}
        for slots in self._objects():
            fits = [_can_be_assigned(slot, loaded.get(id(slot))) for slot in slots]
            if not all(fits):
                first = fits.index(False)
                reason = f"Keras skips it, as {slots[first].label} before it does not load"
                self.skipped.setdefault(id(slots[first]), "Keras skips it")
                for slot in slots[first + 1 :]:
                    self.skipped.setdefault(id(slot), reason)
        return self._leave_the_rest()

    def _objects(self) -> list[list[SpecSlot]]:
        """The slots by the object that owns them, in the order in which Keras loads them."""
        objects: dict[str, list[SpecSlot]] = {}
        for slot in (*(slot for slot, _ in self.pairs), *(slot for slot, _ in self.missing)):
            objects.setdefault(slot.path.rpartition("/")[0], []).append(slot)
        return [sorted(slots, key=_position) for slots in objects.values()]


def _can_be_assigned(slot: SpecSlot, weight: Weight | None) -> bool:
    return weight is not None and dtypes.itemsize(weight.dtype) is not None and shapes_fit(slot.shape, weight.shape)


def _position(slot: SpecSlot) -> int:
    return scalars.digits(slot.path.rpartition("/")[2]) or 0
