"""The pairs of stored weights and slots, as a loader of Keras makes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ckpttool.checkpoint import Weight
from ckpttool.io import dtypes, scalars
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import SpecSlot


@dataclass(slots=True)
class Pairing:
    """The pairs of slots and stored weights, the leftovers of both sides with reasons, and why Keras would raise.

    `unchecked` are weights of objects of unknown classes. `miscounted` are the slots and weights of objects with
    another number of weights than the file stores. `skipped` has, by the `id` of a slot or a stored weight, the reason
    why Keras skips it where it is asked to skip mismatches. `by_attributes` is True where pairs follow from attributes
    of the user's classes, beside which the names of variables say nothing.
    """

    pairs: list[tuple[SpecSlot, Weight]] = field(default_factory=list)
    missing: list[tuple[SpecSlot, str]] = field(default_factory=list)
    unexpected: list[tuple[Weight, str]] = field(default_factory=list)
    unchecked: list[Weight] = field(default_factory=list)
    raises: list[str] = field(default_factory=list)
    miscounted: list[tuple[Sequence[SpecSlot], Sequence[Weight], str]] = field(default_factory=list)
    skipped: dict[int, str] = field(default_factory=dict)
    by_attributes: bool = False

    def add(self, other: "Pairing") -> None:
        """Add all pairs, leftovers and reasons of another pairing."""
        self.pairs += other.pairs
        self.missing += other.missing
        self.unexpected += other.unexpected
        self.unchecked += other.unchecked
        self.raises += other.raises
        self.skipped |= other.skipped

    def finish(self, skip_mismatch: bool = False) -> "Pairing":
        """Record for each pair of unequal shapes that Keras raises, or skips it with `skip_mismatch`; return self.

        Source: `_set_weights`, keras/src/legacy/saving/legacy_h5_format.py, 3.15.
        """
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
        return self._skip_leftovers() if skip_mismatch else self

    def _skip_leftovers(self) -> "Pairing":
        """Skip the slots and weights without a partner, too, which Keras does unless it raises; return self."""
        if not self.raises:
            for lone, why in (*self.missing, *self.unexpected):
                self.skipped.setdefault(id(lone), why)
        return self

    def skip_layers(self) -> None:
        """Skip each layer as a whole whose number of weights differs; clear the reasons to raise, which are these.

        Source: `load_weights_from_hdf5_group_by_name`, keras/src/legacy/saving/legacy_h5_format.py, 3.15.
        """
        for slots, weights, count in self.miscounted:
            self.skipped |= dict.fromkeys(map(id, (*slots, *weights)), f"{count}; Keras skips all of it")
        self.raises.clear()

    def skip_objects(self) -> "Pairing":
        """Skip the weights that Keras does not load of an object, without raising; return self.

        Of an object with another number of weights it loads none, else none from the first weight on that does not fit
        (`load_weights_only` and `_load_state`, keras/src/saving/saving_lib.py; `Layer.load_own_variables`,
        keras/src/layers/layer.py, 3.15).
        """
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
        return self._skip_leftovers()

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
