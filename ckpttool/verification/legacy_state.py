"""The state of an optimizer in a whole legacy `.h5`, as `load_model` takes it; `load_weights` leaves it alone.

`load_model` of Keras 3.15 compiles the model as the file says, builds the optimizer for the weights that the model has
beside those of its layers, which are none, and gives its variables the stored arrays one by one, as far as there are
both (`load_model_from_hdf5`, keras/src/legacy/saving/legacy_h5_format.py; `Optimizer.set_weights`,
keras/src/optimizers/base_optimizer.py). So what the optimizer keeps for the weights is never loaded.
"""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import Spec, SpecSlot, with_optimizer
from ckpttool.verification.pairs import Pairing

NOTE = "the state of the optimizer as load_model takes it, since load_weights leaves it alone"

_OWN = "optimizer/vars/"
_FOR_NO_WEIGHT = frozenset({"iteration", "learning_rate", "step_counter", "dynamic_scale"})
_LEFT = "load_model leaves what is stored alone; a .keras file keeps it"
_SHORT_NAMES = frozenset({"bce", "kld", "mae", "mape", "mse", "msle"})
_NOT_ALONE = "categorical_generalized_cross_entropy"  # which a list may hold


def compiled_spec(spec: Spec, checkpoint: Checkpoint) -> Spec:
    """The spec with the optimizer that a legacy file is compiled with, where it names none itself."""
    return spec if spec.optimizer else with_optimizer(spec, _optimizer(checkpoint.training_config))


def _optimizer(training_config: Any) -> Any:
    """The optimizer that `load_model` makes of a training config: for those of Keras 2.11 to 2.15, which are registered
    as "Custom>Adam", one of that name with its default settings (`_resolve_compile_arguments_compat`,
    keras/src/legacy/saving/saving_utils.py, 3.15)."""
    entry = training_config.get("optimizer_config") if isinstance(training_config, Mapping) else None
    class_name = entry.get("class_name") if isinstance(entry, Mapping) else None
    config = entry.get("config") if isinstance(entry, Mapping) else None
    registered = isinstance(class_name, str) and class_name.startswith("Custom>")
    return config.get("name") if registered and isinstance(config, Mapping) else entry


def refused(checkpoint: Checkpoint) -> Iterator[str]:
    """Why `load_model` raises as it compiles the model of a legacy file."""
    config = checkpoint.training_config
    if not isinstance(config, Mapping):
        return
    loss = config.get("loss")
    names = sorted({name for name in _texts(loss) if name.lower() in _SHORT_NAMES or name == loss == _NOT_ALONE})
    if names:
        yield f"load_model of Keras 3.15 raises on a loss that is stored by such a name: {', '.join(names)}"
    optimizer = config.get("optimizer_config")
    settings = optimizer.get("config") if isinstance(optimizer, Mapping) else None
    if isinstance(settings, Mapping) and "lr" in settings:
        yield "load_model of Keras 3 raises on the setting lr of the optimizer, as Keras before 2.3 calls learning_rate"


def _texts(value: Any) -> Iterator[str]:
    """The texts in a loss, or in lists and mappings of losses; objects are told by their class and have none."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, Mapping) and "class_name" not in value:
            stack.extend(value.values())


def state_by_order(spec: Spec, checkpoint: Checkpoint) -> Pairing:
    """The pairs of the optimizer's variables in a legacy file, by position, as far as `load_model` makes them. Where
    shapes differ it warns and stops there; it never raises."""
    found, stored = Pairing(), checkpoint.section(Section.OPTIMIZER)
    slots = [slot for slot in spec.optimizer if slot.path.startswith(_OWN)]
    taken, other = len(list(takewhile(_is_for_no_weight, slots))), _other_generation(checkpoint)
    for at, (slot, weight) in enumerate(zip(slots, stored, strict=False)):
        fits = shapes_fit(slot.shape, weight.shape)
        taken = taken if fits else min(taken, at)
        if (at < taken) if fits else not other:
            found.pairs.append((slot, weight))
        else:
            found.missing.append((slot, other or _LEFT))
    count = f"the optimizer has {len(slots)} variables, the file {len(stored)}" if stored else "the file holds no state"
    found.missing.extend((slot, count) for slot in slots[len(stored) :])
    found.unexpected.extend((weight, count) for weight in stored[len(slots) :])
    return found


def _is_for_no_weight(slot: SpecSlot) -> bool:
    return slot.name in _FOR_NO_WEIGHT


def _other_generation(checkpoint: Checkpoint) -> str:
    """Why the arrays are no such variables where Keras 3 did not write them, empty where it did."""
    version = checkpoint.producer.keras_version or "1.x"
    return "" if version.startswith("3.") else f"written by Keras {version}, whose optimizers keep other variables"
