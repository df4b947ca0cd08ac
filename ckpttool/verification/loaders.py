"""What Keras's three loaders pair with what: by path, by order, by name of layer.

Each imitates Keras 3.15 and tells, beside the pairs, why Keras would raise. Sources: `load_weights_only`,
`H5IOStore.get` (keras/src/saving/saving_lib.py), `Layer.load_own_variables` (keras/src/layers/layer.py),
`load_weights_from_hdf5_group` and `..._by_name` (keras/src/legacy/saving/legacy_h5_format.py). With
`skip_mismatch` each passes over what Keras passes over with that option.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.io import scalars
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import Opaque, Spec, SpecSlot
from ckpttool.verification.pairs import Pairing

_OLD_LIST = "_layer_checkpoint_dependencies"


def by_path(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of `.weights.h5`, `.keras` and sharded weights: by place, an object at a time."""
    stored = _groups((*checkpoint.section(Section.MODEL), *checkpoint.section(Section.OTHER)))
    found = Pairing()
    has_old_list = any(group.startswith(f"{_OLD_LIST}/") for group in stored)
    owners, adapted, aliases = _owners(spec.slots), _with_factors(spec), _aliases(spec)
    for group, slots in owners.items():
        old = group.replace("layers", _OLD_LIST)
        places = [group, _private(group), *([old, _private(old)] if has_old_list else [])]
        takes_extra = _stem(slots[0]) in adapted
        others = _other_places(group, aliases, owners)
        place = _place(slots, stored, places, others, takes_extra)
        _pair_owner(found, slots, stored.pop(place, {}), takes_extra)
    for group in _owners(spec.optimizer):
        stored.pop(group, None)  # the state of an optimizer that the model holds beside the one it is compiled with
    opaque, empty = [f"{part.path}/" for part in spec.opaque], set(spec.empty)
    for group, rest in stored.items():
        if any(f"{group}/".startswith(path) for path in opaque):
            found.unchecked.extend(rest.values())
        else:
            found.unexpected.extend((weight, "the architecture has no such layer") for weight in rest.values())
        if group in empty:
            count = f"{group or 'the model'} has no weights of its own, and {len(rest)} are stored"
            found.raises.append(count)
            found.miscounted.append(((), tuple(rest.values()), count))
    return found.skip_objects() if skip_mismatch else found.finish()


def _aliases(spec: Spec) -> dict[str, list[str]]:
    """The further places where Keras looks for an object, by its path."""
    found: dict[str, list[str]] = {}
    for path, other in spec.aliases or ():
        found.setdefault(path, []).append(other)
    return found


def _other_places(group: str, aliases: Mapping[str, list[str]], owners: Mapping[str, object]) -> Iterator[str]:
    """Where Keras looks once more for an object that it could not load: at its aliases and below those of what holds
    it, except of one that has weights itself, which are not at the other place (`_load_state`,
    keras/src/saving/saving_lib.py, 3.15)."""
    holder, below = group, ""
    while holder:
        yield from (other + below for other in aliases.get(holder, ()))
        holder, _, attribute = holder.rpartition("/")
        below = f"/{attribute}{below}"
        if holder in owners:
            return


def _place(
    slots: Sequence[SpecSlot],
    stored: Mapping[str, Mapping[str, Weight]],
    places: Sequence[str],
    others: Iterable[str],
    takes_extra: bool,
) -> str:
    """Where Keras finds the weights of an object: at the first of its places that is stored, at another one only where
    what is there does not load."""
    there = [place for place in places if place in stored][:1] + [place for place in others if place in stored]
    fitting = (place for place in there if _takes(slots, stored[place], takes_extra))
    return next(fitting, there[0] if there else places[0])


def _takes(slots: Sequence[SpecSlot], stored: Mapping[str, Weight], takes_extra: bool) -> bool:
    """Whether an object loads what is stored at a place without an error."""
    if len(stored) != len(slots) and not takes_extra:
        return False
    weights = [stored.get(slot.path.rpartition("/")[2]) for slot in slots]
    return all(weight and shapes_fit(slot.shape, weight.shape) for slot, weight in zip(slots, weights, strict=True))


def _groups(weights: Iterable[Weight]) -> dict[str, dict[str, Weight]]:
    """The stored weights by the path of the object that owns them and their key in its `vars`."""
    groups: dict[str, dict[str, Weight]] = {}
    for weight in weights:
        group, _, key = weight.path.rpartition("/")
        owner, _, marker = group.rpartition("/")
        groups.setdefault(owner if marker == "vars" else weight.path, {})[key] = weight
    return groups


def _owners(slots: Iterable[SpecSlot]) -> dict[str, list[SpecSlot]]:
    """The slots by the path of the object that owns them."""
    owners: dict[str, list[SpecSlot]] = {}
    for slot in slots:
        if slot.path:
            owners.setdefault(slot.path.rpartition("/vars/")[0], []).append(slot)
    return owners


def _private(group: str) -> str:
    """The path of an object under the private attribute of its owner: Keras 3 tries it too, and 2.x wrote it
    (`_walk_saveable`, keras/src/saving/saving_lib.py, 3.15)."""
    owner, _, attribute = group.rpartition("/")
    return f"{owner}/_{attribute}"


def _stem(slot: SpecSlot) -> str:
    return slot.label.rpartition("/")[0]


def _with_factors(spec: Spec) -> set[str]:
    """The objects with LoRA's factors, which `.weights.h5` leaves out: these do not count what they are given
    (`Dense.load_own_variables`, keras/src/layers/core/dense.py, 3.15)."""
    return {_stem(slot) for slot in spec.slots if not slot.path and slot.name.rpartition("/")[2].startswith("lora_")}


def _pair_owner(found: Pairing, slots: list[SpecSlot], stored: dict[str, Weight], takes_extra: bool) -> None:
    """Pairs the variables of one object. Keras counts them and then asks for 0, 1, 2 ..."""
    place, everything = slots[0].path.rpartition("/")[0], list(stored.values())
    wrong_count = len(stored) != len(slots) and not takes_extra
    count = f"{place} holds {len(stored)} of {len(slots)} weights" if stored else f"nothing is stored at {place}"
    for slot in slots:
        weight = stored.pop(slot.path.rpartition("/")[2], None)
        if weight is None:
            found.missing.append((slot, count))
            found.raises.append(f"{slot.label}: {count}")
        else:
            found.pairs.append((slot, weight))
    for weight in stored.values():
        found.unexpected.append((weight, f"{place} holds more than the layer's {len(slots)} weights"))
    if wrong_count:
        found.miscounted.append((slots, everything, count))
    if wrong_count and stored:
        found.raises.append(f"{slots[0].label}: {place} holds more than {len(slots)} weights")


def state(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of the optimizer's variables in the layout of paths. Keras leaves those of an optimizer all alone where
    their number differs, and warns (`Optimizer.load_own_variables`, keras/src/optimizers/base_optimizer.py, 3.15)."""
    found = Pairing()
    stored, scaled = _groups(checkpoint.section(Section.OPTIMIZER)), _scaled(spec, checkpoint)
    owners, model = _owners(spec.optimizer), _groups(checkpoint.section(Section.MODEL))
    stored |= {owner: model[owner] for owner in owners if owner in model}
    for owner, slots in owners.items():
        variables = stored.pop(owner, {})
        if spec.opaque and len(variables) > len(slots):  # also those for the weights of layers of unknown classes
            found.unchecked.extend(variables.values())
        else:
            _pair_state(found, slots, variables, scaled)
    for rest in stored.values():
        found.unexpected.extend((weight, "the architecture has no such optimizer") for weight in rest.values())
    return found.skip_objects() if skip_mismatch else found.finish()


def _pair_state(found: Pairing, slots: list[SpecSlot], stored: dict[str, Weight], scaled: str) -> None:
    """Pairs the variables of one optimizer."""
    if len(stored) != len(slots):
        count = f"the optimizer has {len(slots)} variables, the file {len(stored)}: Keras skips them all{scaled}"
        found.missing.extend((slot, count) for slot in slots[len(stored) :])
        found.unexpected.extend((weight, count) for weight in list(stored.values())[len(slots) :])
        return
    for slot in slots:
        weight = stored.get(slot.path.rpartition("/")[2])
        if weight is None:
            found.missing.append((slot, f"nothing is stored at {slot.path}"))
            found.raises.append(f"nothing is stored at {slot.path}")
        else:
            found.pairs.append((slot, weight))


_INNER = "optimizer/inner_optimizer/"


def _scaled(spec: Spec, checkpoint: Checkpoint) -> str:
    """Why the numbers may differ: under mixed_float16 `compile` puts a LossScaleOptimizer around the optimizer that the
    config names (`Trainer.compile`, keras/src/trainers/trainer.py, 3.15)."""
    expected = any(slot.path.startswith(_INNER) for slot in spec.optimizer)
    stored = any(weight.path.startswith(_INNER) for weight in checkpoint.section(Section.OPTIMIZER))
    if expected or not stored:
        return ""
    return ". They are of a LossScaleOptimizer, which compile makes only where the policy is mixed_float16"


def by_order(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of a legacy file: layers with weights one after another, names do not matter."""
    stored, expected, opaque, found = _legacy(spec, checkpoint)
    listed = [name for name in checkpoint.layer_names if name in stored] or list(stored)
    names = [name for name in spec.layers if name in expected or (name in opaque and name in stored)]
    if len(names) != len(listed):
        found.raises.append(f"the model has {len(names)} layers with weights, the file {len(listed)}")
        pairs = _aligned(names, expected, stored)
    else:
        pairs = list(zip(names, listed, strict=True))
    _pair_layers(found, pairs, expected, stored, opaque)
    return found.finish(skip_mismatch)


def by_name(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of a legacy file loaded with `by_name=True`: layers of one name; others are left alone silently."""
    stored, expected, opaque, found = _legacy(spec, checkpoint)
    pairs: list[tuple[str | None, str | None]] = [(name, name if name in stored else None) for name in expected]
    pairs += [(None if name not in opaque else name, name) for name in stored if name not in expected]
    _pair_layers(found, pairs, expected, stored, opaque)
    if skip_mismatch:
        found.skip_layers()
    return found.finish(skip_mismatch)


def _legacy(
    spec: Spec, checkpoint: Checkpoint
) -> tuple[dict[str, list[Weight]], dict[str, list[SpecSlot]], set[str], Pairing]:
    """Both sides of a legacy file by layer, the layers of unknown classes, and a pairing with what is of no layer."""
    stored, own = _layers(checkpoint.section(Section.MODEL))
    expected, found = _expected_layers(spec), Pairing()
    _pair_own(found, expected.pop("", []), own, bool(own) or _keeps_own(checkpoint))
    found.unexpected.extend((weight, "no layer of the file lists it") for weight in checkpoint.section(Section.OTHER))
    return stored, expected, {part.group for part in opaque_in_order(spec)}, found


def opaque_in_order(spec: Spec) -> tuple[Opaque, ...]:
    """The objects whose weights in a legacy file are not known; a live model tells those of all."""
    return spec.opaque if spec.aliases is None else ()


def _keeps_own(checkpoint: Checkpoint) -> bool:
    """Whether the writer of a file made a place for weights of the model itself, used or not: Keras 2.9 on."""
    return scalars.version_numbers(checkpoint.producer.keras_version, 2) >= (2, 9)


def _pair_own(found: Pairing, slots: list[SpecSlot], weights: list[Weight], has_place: bool) -> None:
    """Pairs the weights of the model itself by position; Keras leaves them alone where the file has no place for
    them."""
    found.pairs.extend(zip(slots, weights, strict=False))
    if len(slots) == len(weights):
        return
    count = f"the model itself has {len(slots)} weights, the file {len(weights)} for it"
    if has_place:
        found.raises.append(count)
        found.miscounted.append((slots, weights, count))
    found.missing.extend((slot, count) for slot in slots[len(weights) :])
    found.unexpected.extend((weight, count) for weight in weights[len(slots) :])


def _layers(weights: Iterable[Weight]) -> tuple[dict[str, list[Weight]], list[Weight]]:
    """The stored weights by layer, in the order of the file, and those of no layer."""
    layers: dict[str, list[Weight]] = {}
    stray: list[Weight] = []
    for weight in weights:
        if weight.layer is None:
            stray.append(weight)
        else:
            layers.setdefault(weight.layer, []).append(weight)
    return layers, stray


def _expected_layers(spec: Spec) -> dict[str, list[SpecSlot]]:
    """The slots of each top layer in their legacy order."""
    layers: dict[str, list[SpecSlot]] = {}
    for slot in spec.slots:
        if slot.index is not None:
            layers.setdefault(slot.group, []).append(slot)
    return {name: sorted(slots, key=lambda slot: slot.index or 0) for name, slots in layers.items()}


def _aligned(
    names: list[str], expected: Mapping[str, list[SpecSlot]], stored: Mapping[str, list[Weight]]
) -> list[tuple[str | None, str | None]]:
    """Layers of equal name or of equal shapes in both lists, in order, and the rest alone: for Keras raises anyway, and
    what matters is which layer is one too many."""
    ours, theirs = list(names), list(stored)
    named = set(ours) & set(theirs)
    if len(named) * 2 >= min(len(ours), len(theirs)):
        left = _keys(ours, lambda name: name)
        right = _keys(theirs, lambda name: name)
    else:
        left = _keys(ours, lambda name: tuple(slot.shape for slot in expected.get(name, ())))
        right = _keys(theirs, lambda name: tuple(weight.shape for weight in stored[name]))
    pairs: list[tuple[str | None, str | None]] = []
    for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs.extend(zip(ours[a:b], theirs[c:d], strict=True))
        else:
            pairs.extend((name, None) for name in ours[a:b])
            pairs.extend((None, name) for name in theirs[c:d])
    return pairs


def _keys(names: list[str], key: Callable[[str], object]) -> list[str]:
    return [repr(key(name)) for name in names]


def _pair_layers(
    found: Pairing,
    pairs: Iterable[tuple[str | None, str | None]],
    expected: Mapping[str, list[SpecSlot]],
    stored: Mapping[str, list[Weight]],
    opaque: set[str],
) -> None:
    """Pairs the weights of layers that go together; a side that is None has no partner."""
    for ours, theirs in pairs:
        weights = stored[theirs] if theirs is not None else []
        if ours in opaque:
            found.unchecked.extend(weights)
            continue
        slots = expected[ours] if ours is not None else []
        if ours is None or theirs is None:
            found.missing.extend((slot, "no layer of the file is loaded into it") for slot in slots)
            found.unexpected.extend((weight, "the architecture has no such layer") for weight in weights)
        else:
            _pair_layer(found, slots, weights)


def _pair_layer(found: Pairing, slots: list[SpecSlot], weights: list[Weight]) -> None:
    """Pairs the weights of one layer by position."""
    found.pairs.extend(zip(slots, weights, strict=False))
    if len(slots) == len(weights):
        return
    count = f"the layer has {len(slots)} weights, the file {len(weights)} for it"
    found.raises.append(f"{slots[0].label}: {count}")
    found.miscounted.append((slots, weights, count))
    found.missing.extend((slot, count) for slot in slots[len(weights) :])
    found.unexpected.extend((weight, count) for weight in weights[len(slots) :])
