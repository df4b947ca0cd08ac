"""The state of an optimizer in a file of TensorFlow and the variables of the optimizer that an architecture names.

Both are paired as the objects of the file say. A slot variable belongs to its variable (`OptimizerV2`,
keras/optimizers/optimizer_v2/optimizer_v2.py, 2.10). Since 2.11 variables are a list, which is restored by number
(`Optimizer._variables`, keras/src/optimizers/optimizer.py, 2.15); its order is that of Keras 3, but for the learning
rate, which stands beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ckpttool.alignment.optimizer_objects import OptimizerObjects, UnplacedState, optimizer_objects
from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.model import compile_names
from ckpttool.model.spec import Spec, SpecSlot, with_optimizer
from ckpttool.verification.pairs import Pairing

NOTE = "the state of the optimizer by the objects, too"
LATE = "tf.keras makes it at the first gradient, which this weight did not have before the save"
"""Why what an optimizer up to 2.10 keeps for a weight may be missing without a loss."""

_INNER = "inner_optimizer/"
_NUMBERS = frozenset({"iteration", "learning_rate", "u_product", "step_counter", "dynamic_scale"})
_UNSTORED = frozenset({"learning_rate", "u_product"})  # which tf.keras does not store of every optimizer
_KINDS: Mapping[str, tuple[str, ...]] = {
    "m": ("momentum",), "v": ("norm", "velocity"), "vhat": ("velocity_hat",), "rms": ("velocity",),
    "mg": ("average_gradient",), "accum_grad": ("accumulated_grad",), "accum_var": ("accumulated_delta_var",),
}  # fmt: skip
"""The names in Keras 3 of the kinds of slot variables that have another there: `v` is the norm of Adamax, and the
velocity of others."""


def compiled_spec(spec: Spec, checkpoint: Checkpoint) -> Spec:
    """The spec, with the optimizer in the compile settings of a SavedModel where the spec has none itself."""
    settings = checkpoint.training_config
    config = settings.get("optimizer_config") if isinstance(settings, Mapping) else None
    return spec if spec.optimizer or not config else with_optimizer(spec, built_in(config))


def built_in(entry: Any) -> Any:
    """The entry of an optimizer under the name of its class: Keras 2.11 to 2.15 writes "Custom>Adam".

    Of one that scales losses by a factor that does not change, that of the optimizer inside, which has all the state.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        return entry
    class_name, config = entry["class_name"].rpartition(">")[2], entry.get("config")
    if not isinstance(config, Mapping) or not scales_losses(entry):
        return {"class_name": class_name, "config": config}
    inner = config.get("inner_optimizer", config.get("optimizer"))
    built = {"class_name": "", "config": {}}
    if isinstance(inner, Mapping):
        built = {"class_name": str(inner.get("class_name")).rpartition(">")[2], "config": inner.get("config", {})}
    return {"class_name": compile_names.SCALING, "config": {"inner_optimizer": built}} if _is_dynamic(config) else built


def scales_losses(entry: Any) -> bool:
    """Whether the optimizer of an entry is one of TensorFlow's or of Keras's that scale losses."""
    return isinstance(entry, Mapping) and compile_names.scales_losses(entry.get("class_name"))


def _is_dynamic(config: Mapping[str, Any]) -> bool:
    """Whether a factor of losses changes. Up to TensorFlow 2.3 an object of its own says so
    (tensorflow/python/keras/mixed_precision/experimental/loss_scale_optimizer.py, 2.3)."""
    scale = config.get("loss_scale")
    if isinstance(scale, Mapping):
        return scale.get("class_name") == "DynamicLossScale"
    return scale is None and config.get("dynamic") is not False


def state(spec: Spec, checkpoint: Checkpoint, model: Pairing) -> Pairing:
    """The pairs of the optimizer's variables; `model` has those of the weights."""
    pairing = Pairing()
    owners = {weight.path: slot.label for slot, weight in model.pairs}
    try:
        objects = optimizer_objects(checkpoint, frozenset(owners))
    except UnplacedState as error:
        pairing.missing.extend((slot, str(error)) for slot in spec.optimizer)
        return pairing
    if objects is None or objects.count is None:
        pairing.missing.extend((slot, "the file has no state") for slot in spec.optimizer)
        return pairing
    named = dict(_numbers(objects))
    named |= _by_number(spec, objects) if objects.listed else _by_variable(objects, owners)
    _pair(pairing, spec, named, objects)
    return pairing


def _numbers(objects: OptimizerObjects) -> Iterator[tuple[str, Weight]]:
    """The stored variables that are for no weight, by the names that Keras 3 has for them."""
    numbers = (objects.count, objects.rate, objects.product, objects.good_steps, objects.scale)
    names = ("iteration", "learning_rate", "u_product", "step_counter", "dynamic_scale")
    yield from ((name, weight) for name, weight in zip(names, numbers, strict=True) if weight is not None)


def _by_variable(objects: OptimizerObjects, owners: Mapping[str, str]) -> Iterator[tuple[str, Weight]]:
    """Slot variables by the name of the weight that they are for, and their kind."""
    for slot in objects.slots:
        owner = owners.get(slot.owner, slot.owner)
        yield from ((f"{owner}/{kind}", slot.weight) for kind in _KINDS.get(slot.kind, (slot.kind,)))


def _by_number(spec: Spec, objects: OptimizerObjects) -> Iterator[tuple[str, Weight]]:
    """The variables of a list by the names of those that Keras 3 lists at their places."""
    names = [name for slot in _own(spec) if (name := _name(slot)) not in _NUMBERS]
    yield from zip(names, _stored_weights(objects), strict=False)


def _own(spec: Spec) -> Iterator[SpecSlot]:
    """The variables of the optimizer itself, each once: those of one inside another are stored twice by Keras 3."""
    yield from (slot for slot in spec.optimizer if slot.path.startswith("optimizer/vars/"))


def _name(slot: SpecSlot) -> str:
    return slot.name.removeprefix(_INNER)


def _stored_weights(objects: OptimizerObjects) -> Sequence[Weight]:
    """The stored variables that are for a weight each."""
    rate = objects.rate.path if objects.rate else ""
    return [*(weight for weight in objects.listed if weight.path != rate), *(slot.weight for slot in objects.slots)]


def _pair(pairing: Pairing, spec: Spec, named: Mapping[str, Weight], objects: OptimizerObjects) -> None:
    """Pair the variables that Keras 3 has for the optimizer with those of these names."""
    begun, of_keras_3 = {name.rpartition("/")[0] for name in named}, _of_keras_3(spec)
    keeps_some = False
    for slot in _own(spec):
        name = _name(slot)
        keeps_some |= name not in _NUMBERS
        weight = None if slot.name in of_keras_3 else named.get(name)
        if weight is not None:
            pairing.pairs.append((slot, weight))
        elif name not in _UNSTORED and slot.name not in of_keras_3:
            late = bool(objects.slots) and name.rpartition("/")[0] not in begun
            pairing.missing.append((slot, LATE if late else "the file keeps none of this kind for it"))
    used = {weight.path for _, weight in pairing.pairs}
    if keeps_some or objects.slots:  # SGD since 2.11 keeps momenta that it does not use
        rest = (weight for weight in _stored_weights(objects) if weight.path not in used)
        pairing.unexpected.extend((weight, "the optimizer has no such variable") for weight in rest)


def _of_keras_3(spec: Spec) -> frozenset[str]:
    """The variables that an optimizer around another has in Keras 3 alone."""
    outer = any(slot.name.startswith(_INNER) for slot in spec.optimizer)
    return frozenset({"iteration", "learning_rate"}) if outer else frozenset()
