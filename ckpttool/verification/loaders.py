"""The pairs that the three loaders of Keras make: by path, by order, by the names of layers.

Each imitates Keras 3.15 and returns, beside the pairs, the reasons for which Keras would raise. With `skip_mismatch`
each skips the weights that Keras skips with that option. Sources: `load_weights_only`, `H5IOStore.get`
(keras/src/saving/saving_lib.py), `Layer.load_own_variables` (keras/src/layers/layer.py), `load_weights_from_hdf5_group`
and `..._by_name` (keras/src/legacy/saving/legacy_h5_format.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.formats.weight_paths import is_of_inner_optimizer, split
from ckpttool.io import scalars
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import Opaque, Spec, SpecSlot
from ckpttool.verification.pairs import Pairing

_SKIPPED = "Keras skips them all"
_OLD_LIST = "_layer_checkpoint_dependencies"  # the name of `layers` in files of Keras 2.12 and 2.13


def by_path(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of `.weights.h5`, `.keras` and sharded weights: by path, an object at a time."""
    # Keras fills the optimizer of a model in the model where it compiles that model, and passes over it elsewhere.
    others = [w for w in checkpoint.section(Section.OTHER) if not is_of_inner_optimizer(split(w.path))]
    stored = _groups((*checkpoint.section(Section.MODEL), *others))
    pairing = Pairing()
    has_old_list = any(group.startswith(f"{_OLD_LIST}/") for group in stored)
    owners, adapted, aliases = _owners(spec.slots), _with_factors(spec), _aliases(spec)
    for group, slots in owners.items():
        old = group.replace("layers", _OLD_LIST)
        places = [group, _private(group), *([old, _private(old)] if has_old_list else [])]
        takes_extra = _stem(slots[0]) in adapted
        place = _place(slots, stored, places, _other_places(group, aliases, owners), takes_extra)
        _pair_owner(pairing, slots, stored.pop(place, {}), takes_extra)
    for group in _owners(spec.optimizer):
        stored.pop(group, None)  # an optimizer that is an attribute of the model is not one of its layers
    opaque, empty = [f"{part.path}/" for part in spec.opaque], set(spec.empty)
    for group, rest in stored.items():
        if any(f"{group}/".startswith(path) for path in opaque):
            pairing.unchecked.extend(rest.values())
        else:
            pairing.unexpected.extend((weight, "the architecture has no such layer") for weight in rest.values())
        if group in empty:
            count = f"{group or 'the model'} has no weights of its own, and {len(rest)} are stored"
            pairing.raises.append(count)
            pairing.miscounted.append(((), tuple(rest.values()), count))
    return pairing.skip_objects() if skip_mismatch else pairing.finish()


def _aliases(spec: Spec) -> dict[str, list[str]]:
    """The other paths at which Keras looks for an object, by its path."""
    aliases: dict[str, list[str]] = {}
    for path, other in spec.aliases or ():
        aliases.setdefault(path, []).append(other)
    return aliases


def _other_places(group: str, aliases: Mapping[str, list[str]], owners: Mapping[str, object]) -> Iterator[str]:
    """The alternative paths at which Keras retries an object that it could not load.

    They are the object's own aliases, and those of its ancestors up to the first that has weights itself; these are
    stored at one place only (`_load_state`, keras/src/saving/saving_lib.py, 3.15).
    """
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
    """The path at which Keras loads the weights of an object.

    The first of its paths that is stored. Another one only where the weights at the first do not load.
    """
    there = [place for place in places if place in stored][:1] + [place for place in others if place in stored]
    fitting = (place for place in there if _takes(slots, stored[place], takes_extra))
    return next(fitting, there[0] if there else places[0])


def _takes(slots: Sequence[SpecSlot], stored: Mapping[str, Weight], takes_extra: bool) -> bool:
    """Whether an object loads the weights that are stored at a path without an error."""
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
    """The path of an object under the private attribute of its owner, which Keras 2 wrote and Keras 3 tries, too.

    Source: `_walk_saveable`, keras/src/saving/saving_lib.py, 3.15.
    """
    owner, _, attribute = group.rpartition("/")
    return f"{owner}/_{attribute}"


def _stem(slot: SpecSlot) -> str:
    return slot.label.rpartition("/")[0]


def _with_factors(spec: Spec) -> set[str]:
    """The objects with factors of LoRA, which `.weights.h5` does not store; they do not count the stored weights.

    Source: `Dense.load_own_variables`, keras/src/layers/core/dense.py, 3.15.
    """
    return {_stem(slot) for slot in spec.slots if not slot.path and slot.name.rpartition("/")[2].startswith("lora_")}


def _pair_owner(pairing: Pairing, slots: list[SpecSlot], stored: dict[str, Weight], takes_extra: bool) -> None:
    """Pair the variables of one object. Keras counts them and then reads the keys 0, 1, 2 ..."""
    place, everything = slots[0].path.rpartition("/")[0], list(stored.values())
    wrong_count = len(stored) != len(slots) and not takes_extra
    count = f"{place} holds {len(stored)} of {len(slots)} weights" if stored else f"nothing is stored at {place}"
    for slot in slots:
        weight = stored.pop(slot.path.rpartition("/")[2], None)
        if weight is None:
            pairing.missing.append((slot, count))
            pairing.raises.append(f"{slot.label}: {count}")
        else:
            pairing.pairs.append((slot, weight))
    for weight in stored.values():
        pairing.unexpected.append((weight, f"{place} holds more than the layer's {len(slots)} weights"))
    if wrong_count:
        pairing.miscounted.append((slots, everything, count))
    if wrong_count and stored:
        pairing.raises.append(f"{slots[0].label}: {place} holds more than {len(slots)} weights")


def state(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of the optimizer's variables in the path layout.

    Keras loads none of an optimizer's variables where their number differs, and warns (`Optimizer.load_own_variables`,
    keras/src/optimizers/base_optimizer.py, 3.15).
    """
    pairing = Pairing()
    stored, scaled = _groups(checkpoint.section(Section.OPTIMIZER)), _scaled(spec, checkpoint)
    owners, model = _owners(spec.optimizer), _groups(checkpoint.section(Section.MODEL))
    stored |= {owner: model[owner] for owner in owners if owner in model}
    for owner, slots in owners.items():
        variables = stored.pop(owner, {})
        if spec.opaque and len(variables) > len(slots):  # some may be for weights of layers of unknown classes
            pairing.unchecked.extend(variables.values())
        else:
            _pair_state(pairing, slots, variables, scaled)
    for rest in stored.values():
        pairing.unexpected.extend((weight, "the architecture has no such optimizer") for weight in rest.values())
    return pairing.skip_objects() if skip_mismatch else pairing.finish()


def reason_for_skipped_state(state: Pairing, checkpoint: Checkpoint) -> str:
    """The reason why Keras skips the variables that the optimizer keeps for weights; empty where it does not, or where
    the file has none, as of a model that was not trained."""
    whys = (why for _, why in (*state.missing, *state.unexpected) if _SKIPPED in why)
    trained = any(weight.shape for weight in checkpoint.section(Section.OPTIMIZER))
    return next(whys, "") if trained else ""


def _pair_state(pairing: Pairing, slots: list[SpecSlot], stored: dict[str, Weight], scaled: str) -> None:
    """Pair the variables of one optimizer."""
    if len(stored) != len(slots):
        count = f"the optimizer has {len(slots)} variables, the file {len(stored)}: {_SKIPPED}{scaled}"
        pairing.missing.extend((slot, count) for slot in slots[len(stored) :])
        pairing.unexpected.extend((weight, count) for weight in list(stored.values())[len(slots) :])
        return
    for slot in slots:
        weight = stored.get(slot.path.rpartition("/")[2])
        if weight is None:
            pairing.missing.append((slot, f"nothing is stored at {slot.path}"))
            pairing.raises.append(f"nothing is stored at {slot.path}")
        else:
            pairing.pairs.append((slot, weight))


_INNER = "optimizer/inner_optimizer/"


def _scaled(spec: Spec, checkpoint: Checkpoint) -> str:
    """The reason, as text, why the numbers of variables differ; empty where it is not a LossScaleOptimizer.

    Under mixed_float16, `compile` wraps the optimizer of the config in one (`Trainer.compile`,
    keras/src/trainers/trainer.py, 3.15).
    """
    expected = any(slot.path.startswith(_INNER) for slot in spec.optimizer)
    stored = any(weight.path.startswith(_INNER) for weight in checkpoint.section(Section.OPTIMIZER))
    if expected or not stored:
        return ""
    return ". They belong to a LossScaleOptimizer, which compile creates only under the policy mixed_float16"


def by_order(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of a legacy file: layers with weights in their order, whatever their names."""
    stored, expected, opaque, pairing = _legacy(spec, checkpoint)
    listed = [name for name in checkpoint.layer_names if name in stored] or list(stored)
    # A layer of an unknown class may have weights or none: it counts where the file has some under its name.
    names = [name for name in spec.layers if name in expected or (name in opaque and name in stored)]
    if len(names) != len(listed):
        pairing.raises.append(f"the model has {len(names)} layers with weights, the file {len(listed)}")
        pairs = _aligned(names, expected, stored)
    else:
        pairs = list(zip(names, listed, strict=True))
    _pair_layers(pairing, pairs, expected, stored, opaque)
    return pairing.finish(skip_mismatch)


def by_name(spec: Spec, checkpoint: Checkpoint, skip_mismatch: bool = False) -> Pairing:
    """The pairs of a legacy file loaded with `by_name=True`: layers of one name; others are silently skipped."""
    stored, expected, opaque, pairing = _legacy(spec, checkpoint)
    pairs: list[tuple[str | None, str | None]] = [(name, name if name in stored else None) for name in expected]
    pairs += [(None if name not in opaque else name, name) for name in stored if name not in expected]
    _pair_layers(pairing, pairs, expected, stored, opaque)
    if skip_mismatch:
        pairing.skip_layers()
    return pairing.finish(skip_mismatch)


def _legacy(
    spec: Spec, checkpoint: Checkpoint
) -> tuple[dict[str, list[Weight]], dict[str, list[SpecSlot]], set[str], Pairing]:
    """The weights and the slots of a legacy file by layer, the layers of unknown classes, and a pairing of the rest.

    The rest are weights of no layer.
    """
    stored, own = _layers(checkpoint.section(Section.MODEL))
    expected, pairing = _expected_layers(spec), Pairing()
    _pair_own(pairing, expected.pop("", []), own, bool(own) or _keeps_own(checkpoint))
    pairing.unexpected.extend((weight, "no layer of the file lists it") for weight in checkpoint.section(Section.OTHER))
    return stored, expected, {part.group for part in opaque_in_order(spec)}, pairing


def opaque_in_order(spec: Spec) -> tuple[Opaque, ...]:
    """The objects whose weights in a legacy file are not known; none for a live model."""
    return spec.opaque if spec.aliases is None else ()


def _keeps_own(checkpoint: Checkpoint) -> bool:
    """Whether a file has a place for weights of the model itself, used or not: Keras writes it from 2.9 on."""
    return scalars.version_numbers(checkpoint.producer.keras_version, 2) >= (2, 9)


def _pair_own(pairing: Pairing, slots: list[SpecSlot], weights: list[Weight], has_place: bool) -> None:
    """Pair the weights of the model itself by position; Keras loads none where the file has no place for them."""
    pairing.pairs.extend(zip(slots, weights, strict=False))
    if len(slots) == len(weights):
        return
    count = f"the model itself has {len(slots)} weights, the file {len(weights)} for it"
    if has_place:
        pairing.raises.append(count)
        pairing.miscounted.append((slots, weights, count))
    pairing.missing.extend((slot, count) for slot in slots[len(weights) :])
    pairing.unexpected.extend((weight, count) for weight in weights[len(slots) :])


def _layers(weights: Iterable[Weight]) -> tuple[dict[str, list[Weight]], list[Weight]]:
    """The stored weights by layer, in the order of the file, and the weights of no layer."""
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
    """The pairs of layers of equal names or equal shapes, in order, and the other layers without a partner.

    Keras raises in any case; these pairs show which layer is one too many.
    """
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
    pairing: Pairing,
    pairs: Iterable[tuple[str | None, str | None]],
    expected: Mapping[str, list[SpecSlot]],
    stored: Mapping[str, list[Weight]],
    opaque: set[str],
) -> None:
    """Pair the weights of paired layers; where one side is None, the other has no partner."""
    for ours, theirs in pairs:
        weights = stored[theirs] if theirs is not None else []
        if ours in opaque:
            pairing.unchecked.extend(weights)
            continue
        slots = expected[ours] if ours is not None else []
        if ours is None or theirs is None:
            pairing.missing.extend((slot, "no layer of the file is loaded into it") for slot in slots)
            pairing.unexpected.extend((weight, "the architecture has no such layer") for weight in weights)
        else:
            _pair_layer(pairing, slots, weights)


def _pair_layer(pairing: Pairing, slots: list[SpecSlot], weights: list[Weight]) -> None:
    """Pair the weights of one layer by position."""
    pairing.pairs.extend(zip(slots, weights, strict=False))
    if len(slots) == len(weights):
        return
    count = f"the layer has {len(slots)} weights, the file {len(weights)} for it"
    pairing.raises.append(f"{slots[0].label}: {count}")
    pairing.miscounted.append((slots, weights, count))
    pairing.missing.extend((slot, count) for slot in slots[len(weights) :])
    pairing.unexpected.extend((weight, count) for weight in weights[len(slots) :])
