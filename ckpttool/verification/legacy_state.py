"""The state of an optimizer in a whole legacy `.h5`, as `load_model` loads it; `load_weights` does not load it.

`load_model` of Keras 3.15 compiles the model with the settings in the file. It builds the optimizer for the weights of
the model outside its layers, which are none. Then it assigns the stored arrays to the optimizer's variables one by one,
as far as there are both (`load_model_from_hdf5`, keras/src/legacy/saving/legacy_h5_format.py; `Optimizer.set_weights`,
keras/src/optimizers/base_optimizer.py). So the variables that an optimizer has for each weight are never loaded.
"""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.model.compile_names import OLD_RATE, SCALING
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import Spec, SpecSlot, with_optimizer
from ckpttool.verification import graph_state
from ckpttool.verification.pairs import Pairing

NOTE = "the state of the optimizer as load_model of Keras 3 takes it, since load_weights leaves it alone"

_OWN = "optimizer/vars/"
_SCALARS = frozenset({"iteration", "learning_rate", "step_counter", "dynamic_scale"})
_LEFT = "load_model does not load it from a legacy file; a .keras file keeps it"
_SHORT_NAMES = frozenset({"bce", "kld", "mae", "mape", "mse", "msle"})
_NOT_ALONE = "categorical_generalized_cross_entropy"  # allowed in a list of losses


def compiled_spec(spec: Spec, checkpoint: Checkpoint) -> Spec:
    """The spec, with the optimizer in the training config of a legacy file where the spec has none itself."""
    return spec if spec.optimizer else with_optimizer(spec, _optimizer(checkpoint.training_config))


def _optimizer(training_config: Any) -> Any:
    """The entry of the optimizer that `load_model` creates from a training config.

    For the optimizers of Keras 2.11 to 2.15, which are registered as "Custom>Adam", it is the name alone: they get
    their default settings (`_resolve_compile_arguments_compat`, keras/src/legacy/saving/saving_utils.py, 3.15).
    """
    entry = training_config.get("optimizer_config") if isinstance(training_config, Mapping) else None
    if graph_state.scales_losses(entry):
        return graph_state.built_in(entry)
    class_name = entry.get("class_name") if isinstance(entry, Mapping) else None
    config = entry.get("config") if isinstance(entry, Mapping) else None
    registered = isinstance(class_name, str) and class_name.startswith("Custom>")
    return config.get("name") if registered and isinstance(config, Mapping) else entry


def refused(checkpoint: Checkpoint) -> Iterator[str]:
    """The reasons for which `load_model` raises when it compiles the model of a legacy file."""
    config = checkpoint.training_config
    if not isinstance(config, Mapping):
        return
    loss = config.get("loss")
    names = sorted({name for name in _texts(loss) if name.lower() in _SHORT_NAMES or name == loss == _NOT_ALONE})
    if names:
        yield f"load_model of Keras 3.15 raises on a loss that is stored under this name: {', '.join(names)}"
    optimizer = config.get("optimizer_config")
    settings = optimizer.get("config") if isinstance(optimizer, Mapping) else None
    if isinstance(optimizer, Mapping) and graph_state.scales_losses(optimizer) and not _scales_in_keras_3(optimizer):
        yield f"load_model of Keras 3 raises on the {optimizer['class_name']} of Keras 2, of another class or arguments"
    if isinstance(settings, Mapping) and OLD_RATE in settings:
        yield "load_model of Keras 3 raises on the optimizer's setting lr, the name of learning_rate before Keras 2.3"


def _scales_in_keras_3(optimizer: Mapping[str, Any]) -> bool:
    """Whether Keras 3 makes an optimizer that scales losses of an entry: it looks for the inner optimizer in a module,
    and knows neither `dynamic` nor `loss_scale` (`LossScaleOptimizer.from_config`,
    keras/src/optimizers/loss_scale_optimizer.py, 3.15)."""
    config = optimizer.get("config")
    inner = config.get("inner_optimizer") if isinstance(config, Mapping) else None
    has_module = not isinstance(inner, Mapping) or "module" in inner
    older = isinstance(config, Mapping) and not {"dynamic", "loss_scale"}.isdisjoint(config)
    return optimizer["class_name"] == SCALING and has_module and not older


def _texts(value: Any) -> Iterator[str]:
    """The names in a loss, or in lists and mappings of losses; an object has a class and counts as none."""
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
    """The pairs of the optimizer's variables in a legacy file, by position, as far as `load_model` loads them.

    Where shapes differ, it warns and stops there; it never raises.
    """
    pairing, stored = Pairing(), checkpoint.section(Section.OPTIMIZER)
    slots = [slot for slot in spec.optimizer if slot.path.startswith(_OWN)]
    taken, other = len(list(takewhile(_is_for_no_weight, slots))), _other_generation(checkpoint)
    for at, (slot, weight) in enumerate(zip(slots, stored, strict=False)):
        fits = shapes_fit(slot.shape, weight.shape)
        taken = taken if fits else min(taken, at)
        if (at < taken) if fits else not other:
            pairing.pairs.append((slot, weight))
        else:
            pairing.missing.append((slot, other or _LEFT))
    count = f"the optimizer has {len(slots)} variables, the file {len(stored)}" if stored else "the file has no state"
    pairing.missing.extend((slot, count) for slot in slots[len(stored) :])
    pairing.unexpected.extend((weight, count) for weight in stored[len(slots) :])
    return pairing


def reason_for_new_state(checkpoint: Checkpoint) -> str:
    """The reason why `load_model` begins with a new state of the optimizer; empty where the file has none."""
    trained = any(weight.shape for weight in checkpoint.section(Section.OPTIMIZER))
    compiled = isinstance(checkpoint.training_config, Mapping)
    return _other_generation(checkpoint) or _LEFT if trained and compiled else ""


def _is_for_no_weight(slot: SpecSlot) -> bool:
    return slot.name in _SCALARS


def _other_generation(checkpoint: Checkpoint) -> str:
    """The reason why the arrays are other variables where an older Keras wrote them; empty where Keras 3 did."""
    version = checkpoint.producer.keras_version or "1.x"
    return "" if version.startswith("3.") else f"written by Keras {version}, whose optimizers have other variables"
