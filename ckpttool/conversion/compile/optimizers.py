"""Optimizers of Keras 1 and 2 in Keras 3: class, arguments, learning rate, clipping of gradients, scaling of losses.

Sources: keras/optimizers.py of 1.2.2, 2.2.4 and 2.3.1; `OptimizerV2` (keras/src/optimizers/legacy), `Optimizer` and
`LossScaleOptimizer` (keras/src/mixed_precision) of 2.15; the constructors in keras/src/optimizers, 3.15.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.conversion.compile import addons
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.io import scalars
from ckpttool.model.compile_names import SCALING, scales_losses, with_new_rate
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.entries import entry_of, names_no_other
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.known_names import Had, KerasVersion
from ckpttool.model.generations.own_classes import difference
from ckpttool.model.numpy_values import is_array
from ckpttool.model.sizes import items

WHERE = "compile"
MAX_DEPTH = 16
MAX_PLAIN = 64

DECAY = Edit(
    "decay-to-schedule",
    "writes `decay` of an optimizer as InverseTimeDecay",
    "always: learning_rate / (1 + decay * iteration)",
)
CLIP_TOGETHER = Edit(
    "clip-together",
    "writes `clipnorm` of Keras 1 and 2 as `global_clipnorm`: it was the norm of all gradients together",
    "always: clipnorm of tf.keras and Keras 3 is for each gradient alone",
)
FIXED_SCALE = Edit(
    "fixed-loss-scale",
    "writes a loss scale that does not change as `loss_scale_factor` of the optimizer inside",
    "always: the same factor",
)
ADDED = Edit(
    "addons-optimizer",
    "writes an optimizer of TensorFlow Addons as the one of Keras 3 that takes the same steps",
    "weight decay is divided by the learning rate, by which Keras 3 multiplies it, as long as that is not set anew",
)
EDITS = (DECAY, CLIP_TOGETHER, FIXED_SCALE, ADDED)

COMPUTED_PRODUCT = "Nadam's product of momenta, which Keras 2 did not store, is computed as Keras 3 does"
"""What is lost of Nadam of 2.11 to 2.15, unless TensorFlow stored the product."""

_EXCLUDED = "which ones were left out (exclude_from_weight_decay), as it is no part of the config"
_WITHOUT_EFFECT = frozenset({"is_legacy_optimizer", "jit_compile"})  # without influence on the steps
_CLIPPING = ("clipnorm", "global_clipnorm", "clipvalue")  # of which Keras 3 takes only one
_OTHER_RULES = MappingProxyType(
    {
        "Adagrad": "adds epsilon below the root, where older ones added it to the root",
        "Nadam": "has another schedule of momentum",
        "RMSprop": "adds epsilon below the root, where older ones added it to the root",
    }
)
_SINCE_2_11 = frozenset({"ema_momentum", "is_legacy_optimizer", "use_ema", "weight_decay"})
_DEFAULTS_2_11 = MappingProxyType({"Lion": {"learning_rate": 0.0001}})
_RATES_OF_MANY_BACKENDS = MappingProxyType({"Adadelta": 1.0, "Adagrad": 0.01, "Adamax": 0.002, "Nadam": 0.002})
_PACKAGES = frozenset({"", "Custom", "Keras", "keras"})  # Keras 2.11 to 2.15 registers its own classes as "Custom>Adam"
_PREFIX = re.compile(r"^(tf\.|tensorflow\.)?(python\.)?keras\.(src\.)?(losses|metrics|optimizers)\.(?=\w+$)")


class UnknownObject(Exception):
    """An object that Keras 3 does not find; the message says which. `own` is its name if it is the author's own, `kind`
    its kind if that is not the kind of the setting in which it is."""

    def __init__(self, message: str, own: str | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.own = own
        self.kind = kind


class Writer(NamedTuple):
    """The Keras that wrote the settings of compile: its version, if known, and whether it was Keras 1 or 2 with many
    backends, whose optimizers, losses and metrics differ from those of tf.keras. `dumped`: it wrote the model's config,
    too, so that neither is written by hand."""

    version: str | None = None
    multi_backend: bool = False
    dumped: bool = False


def plain(value: Any, depth: int = 0) -> Any:
    """The settings with plain numbers instead of arrays and tensors, which Keras 2 writes as the objects that
    `ckpttool.model.numpy_values` reads, as `__numpy__` or as `__tensor__` (`serialize_keras_object`, keras/src/saving,
    2.15)."""
    if isinstance(value, list) and depth < MAX_PLAIN:
        return [plain(item, depth + 1) for item in value]
    if not isinstance(value, Mapping) or depth >= MAX_PLAIN:
        return value
    if is_array(value):
        return plain(value["value"], depth + 1)
    config = value.get("config")
    if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
        return plain(config.get("value"), depth + 1)
    return {key: plain(item, depth + 1) for key, item in value.items()}


def own_name(value: Any) -> str:
    """The name of a class or function of Keras, from its entry or from a name alone. Raises UnknownObject where it is
    the user's own or of another package."""
    class_name = value.get("class_name") if isinstance(value, Mapping) else value
    module = value.get("module") if isinstance(value, Mapping) else None
    registered = value.get("registered_name") if isinstance(value, Mapping) else None
    if not isinstance(class_name, str):
        raise UnknownObject(f"an object that cannot be read: {str(value)[:60]}")
    packages = {name.rpartition(">")[0] for name in (class_name, registered) if isinstance(name, str)}
    if not packages <= _PACKAGES or (isinstance(module, str) and not names_no_other(module)):
        own = registered if isinstance(registered, str) else class_name
        raise UnknownObject(f"{own[:60]}, which is not built into Keras 3", own)
    if isinstance(registered, str) and module is None and isinstance(value, Mapping) and "module" in value:
        raise UnknownObject(f"{class_name[:60]}, a class of the author's own", registered)
    return _PREFIX.sub("", class_name.rpartition(">")[2])


def refuse_own(kind: str, name: str, writer: Writer, value: Any = None) -> None:
    """Raise UnknownObject for a class or function of the author's own that is called as one of Keras 3: the Keras of
    the writer did not have the name, or the entry `value` has a config that none of its class has. An entry with a
    module says itself whose it is."""
    version = writer.version or ""
    if version[:1] not in ("1", "2") or (isinstance(value, Mapping) and "module" in value):
        return
    known = KerasVersion.of(Generation(1 if version[0] == "1" else 2), version)
    if known.had(kind, name) is Had.NO:
        raise UnknownObject(f"{name[:60]}, which {known} did not have, so that it was the author's own", name)
    if writer.dumped and isinstance(value, Mapping) and (why := difference(kind, name, value.get("config"))):
        raise UnknownObject(f"{name[:60]}, a class of the author's own, as {why}", name)


def keras3_optimizer(value: Any, writer: Writer, journal: Journal, depth: int = 0) -> dict[str, Any]:
    """The entry of an optimizer for Keras 3. Raises UnknownObject where Keras 3 has none such."""
    if (added := _added(value, journal)) is not None:
        return _plain(added.class_name, added.config, writer, journal)
    name = own_name(value)
    config = value.get("config") if isinstance(value, Mapping) else {}
    if not isinstance(config, Mapping) or depth > MAX_DEPTH:
        raise UnknownObject(f"the optimizer {name[:60]}")
    if scales_losses(name):
        return _scaling(config, writer, journal, depth)
    class_name = class_called("optimizers", name) or class_called("optimizers", name.lower())
    if class_name is None:
        raise UnknownObject(f"the optimizer {name[:60]}, which is not built into Keras 3", name)
    refuse_own("optimizers", name, writer, value)
    if isinstance(value, str):
        config = _by_name(class_name, writer.version)
    return _plain(class_name, config, writer, journal)


def _added(value: Any, journal: Journal) -> addons.Counterpart | None:
    """The counterpart of an optimizer of TensorFlow Addons, which is noted; None for all other optimizers."""
    try:
        counterpart = addons.optimizer(value)
    except addons.NoCounterpart as error:
        raise UnknownObject(f"the optimizer {value['class_name']}, which asks for {error}") from None
    if counterpart is None:
        return None
    journal.edit(ADDED, WHERE, f"{value['class_name']} by {counterpart.class_name}")
    if counterpart.guess:
        journal.guess(WHERE, counterpart.guess)
    if counterpart.lost:
        journal.lose(WHERE, counterpart.lost)
    return counterpart


def _by_name(class_name: str, version: str | None) -> dict[str, Any]:
    """The arguments of an optimizer of which the file has only the name: the defaults of the Keras that wrote it, by
    the constructors of 1.2.2, 2.0.9, 2.2.4, 2.3.0-tf, 2.10 and 2.15."""
    since = scalars.version_numbers(version or "3", 2)
    arguments = {key: item for key, item in (defaults_of("optimizers", class_name) or {}).items() if item is not None}
    if since >= (2, 11):
        return arguments | (_DEFAULTS_2_11.get(class_name, {}) if since < (3,) else {})
    arguments = {key: item for key, item in arguments.items() if key not in _SINCE_2_11}
    if since >= (2, 4) or "-tf" in (version or ""):
        return arguments
    arguments.pop("initial_accumulator_value", None)
    rate = {"learning_rate": _RATES_OF_MANY_BACKENDS.get(class_name, arguments["learning_rate"])}
    return arguments | rate | ({"epsilon": 1e-8} if "epsilon" in arguments and since < (2, 1) else {})


def _plain(class_name: str, config: Mapping[str, Any], writer: Writer, journal: Journal) -> dict[str, Any]:
    """The entry of an optimizer without an inner one."""
    known = defaults_of("optimizers", class_name) or {}
    old = with_new_rate(config)
    if class_name == "Nadam" and "decay" in old:  # the name of `schedule_decay` in tf.keras up to 2.10
        old["schedule_decay"] = old.pop("decay")
    rate = _rate(old.pop("learning_rate", None), old.pop("decay", None), writer, journal)
    new = {key: item for key, item in old.items() if (key in known or key == "name") and item is not None}
    if class_name == "Adagrad" and "initial_accumulator_value" not in old:
        new["initial_accumulator_value"] = 0.0
    new = {key: item for key, item in new.items() if key not in _CLIPPING} | _clipping(old, writer, journal)
    new |= {} if rate is None else {"learning_rate": rate}
    _note_lost(class_name, old, new, journal)
    return entry_of("keras.optimizers", class_name, new)


def _note_lost(class_name: str, old: Mapping[str, Any], new: Mapping[str, Any], journal: Journal) -> None:
    if _is_number(new.get("weight_decay")) and new["weight_decay"] > 0:
        journal.guess(WHERE, f"{class_name} applies weight decay to all weights: the file does not say {_EXCLUDED}")
    for key, item in old.items():
        if key not in new and key not in _WITHOUT_EFFECT and key not in _CLIPPING and item not in (None, False, 0):
            journal.lose(WHERE, f"{class_name}'s {key}, which was {str(item)[:60]}")
    if class_name == "Nadam" and not _SINCE_2_11.isdisjoint(old):
        journal.lose(WHERE, COMPUTED_PRODUCT)
    if class_name in _OTHER_RULES and _SINCE_2_11.isdisjoint(old):
        journal.lose(WHERE, f"{class_name} of Keras 3 {_OTHER_RULES[class_name]}")


def _rate(rate: Any, decay: Any, writer: Writer, journal: Journal) -> Any:
    """A learning rate for Keras 3: a number or a schedule."""
    decays = _is_number(decay) and decay > 0
    if isinstance(rate, Mapping):
        if decays:
            journal.lose(WHERE, f"decay={decay} of the optimizer, beside a schedule of learning rates")
        return _schedule(rate, writer)
    if rate is not None and not _is_number(rate):
        raise UnknownObject(f"the learning rate {str(rate)[:60]}")
    if not decays or rate is None:
        return rate
    journal.edit(DECAY, WHERE, f"decay={decay}")
    config = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay, "staircase": False}
    return entry_of("keras.optimizers.schedules", "InverseTimeDecay", config)


def _schedule(value: Mapping[str, Any], writer: Writer) -> dict[str, Any]:
    try:
        name, config = own_name(value), value.get("config")
        refuse_own("schedules", name, writer, value)
    except UnknownObject as error:
        raise UnknownObject(f"the learning rate schedule {error}", error.own, "learning rate schedule") from None
    if defaults_of("schedules", name) is None or not isinstance(config, Mapping):
        raise UnknownObject(f"the schedule of learning rates {name[:60]}")
    arguments = {key: items(item) for key, item in config.items() if key != "name"}
    return entry_of("keras.optimizers.schedules", name, arguments)


def _clipping(old: Mapping[str, Any], writer: Writer, journal: Journal) -> dict[str, Any]:
    """The setting for the clipping of gradients. Of several, the one by their norm is chosen, and the rest noted."""
    clipping = {key: old[key] for key in _CLIPPING if _is_number(old.get(key)) and old[key] > 0}
    if writer.multi_backend and "clipnorm" in clipping:
        journal.edit(CLIP_TOGETHER, WHERE, f"clipnorm={clipping['clipnorm']}")
        clipping = {"global_clipnorm": clipping.pop("clipnorm"), **clipping}
    for key in list(clipping)[1:]:
        journal.lose(WHERE, f"{key}={clipping.pop(key)}, which Keras 3 does not take beside {next(iter(clipping))}")
    return clipping


def _scaling(config: Mapping[str, Any], writer: Writer, journal: Journal, depth: int) -> dict[str, Any]:
    """The entry of an optimizer that scales the loss; where the scale is fixed, that of the inner optimizer."""
    inner = keras3_optimizer(config.get("inner_optimizer", config.get("optimizer")), writer, journal, depth + 1)
    scale, steps, dynamic = _scale(config)
    if dynamic:
        settings = {"initial_scale": scale, "dynamic_growth_steps": steps}
        numbers = {key: value for key, value in settings.items() if _is_number(value)}
        return entry_of("keras.optimizers", SCALING, {"inner_optimizer": inner, **numbers})
    if not _is_number(scale):
        raise UnknownObject("an optimizer that scales the loss by a factor that the file does not store")
    journal.edit(FIXED_SCALE, WHERE, str(scale))
    return {**inner, "config": {**inner["config"], "loss_scale_factor": scale}}


def _scale(config: Mapping[str, Any]) -> tuple[Any, Any, bool]:
    """The scale of the loss, the number of steps after which it grows, and whether it changes at all.

    Up to TensorFlow 2.3 these are in an object of its own (`loss_scale`,
    tensorflow/python/keras/mixed_precision/experimental).
    """
    old_scale = config.get("loss_scale")
    inside = old_scale.get("config") if isinstance(old_scale, Mapping) else None
    if isinstance(old_scale, Mapping) and isinstance(inside, Mapping):
        dynamic = old_scale.get("class_name") == "DynamicLossScale"
        scale = inside.get("initial_loss_scale" if dynamic else "loss_scale_value")
        return scale, inside.get("increment_period"), dynamic
    if _is_number(old_scale):
        return old_scale, None, False
    return config.get("initial_scale"), config.get("dynamic_growth_steps"), config.get("dynamic") is not False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
