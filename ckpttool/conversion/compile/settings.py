"""The compile settings of a model of Keras 1 or 2, written as the `compile_config` of Keras 3.

Sources: `save_model` and `compile` of 1.2.2 and 2.2.4, `model_metadata`, `get_compile_config` and `compile_utils` of
2.15; `compile_from_config` of keras/src/trainers/trainer.py, `CompileLoss` and `CompileMetrics` of compile_utils.py and
the constructors of losses and metrics, 3.15.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ckpttool.conversion.compile import optimizers, output_keys
from ckpttool.conversion.compile.measure_entries import function_name, note_need, object_entry
from ckpttool.conversion.compile.metrics import Metrics, Outputs
from ckpttool.conversion.compile.optimizers import (
    MAX_DEPTH,
    WHERE,
    UnknownObject,
    Writer,
    plain,
    refuse_own,
)
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.io import scalars
from ckpttool.model.compile_names import OLD_MEASURES
from ckpttool.model.defaults import class_called
from ckpttool.model.generations.own_classes import is_dumped
from ckpttool.model.sizes import is_integer, items

RECOMPILE = Edit(
    "rewrite-compile-settings", "writes loss, metrics and optimizer as Keras 3 does", "always: what differs is listed"
)
EDITS = (RECOMPILE, *optimizers.EDITS)

_LABELS_OF_PLUS_MINUS_ONE = frozenset({"hinge", "squared_hinge"})
_SETTINGS = frozenset({"run_eagerly", "jit_compile"})
_ANEW = "compile anew with it and with optimizer=model.optimizer"


def compile_config(
    training: Any,
    version: str | None,
    outputs: Outputs,
    journal: Journal,
    layers: Sequence[str] = (),
    model: Any = None,
) -> dict[str, Any] | None:
    """The `compile_config` of Keras 3 for the training config of another version; settings that are lost are noted.
    `layers` are the names of the layers of outputs that have keys instead, `model` is the config of the model.

    None where the model is not compiled, or where its optimizer is not built into Keras.
    """
    if not isinstance(training, Mapping) or not training:
        return None
    training = plain(training)
    old_optimizer = training.get("optimizer_config", training.get("optimizer"))
    writer = Writer(version, _is_multi_backend(old_optimizer, version), str(version)[:1] == "2" and is_dumped(model))
    try:
        optimizer = optimizers.keras3_optimizer(old_optimizer, writer, journal)
    except UnknownObject as error:
        journal.lose(WHERE, f"all settings of compile: {error}")
        note_need("optimizer", error, journal)
        return None
    loss = _losses(training.get("loss"), writer, outputs, journal)
    weights = _by_output(items(training.get("loss_weights")), outputs, 1.0) if loss is not None else None
    new = {"optimizer": optimizer, "loss": _for_each(loss, weights), "loss_weights": weights}
    if optimizer["config"].get("loss_scale_factor") is not None:
        new["auto_scale_loss"] = False
    for key in ("metrics", "weighted_metrics"):
        new[key] = Metrics(key, writer, training.get("loss"), outputs, journal, layers).of(training.get(key))
    journal.edit(RECOMPILE, WHERE, str(optimizer["class_name"]))
    return new | _settings(training, journal)


def _is_multi_backend(optimizer: Any, version: str | None) -> bool:
    """Whether Keras 1 or 2 with many backends wrote an optimizer: the configs of tf.keras have a name."""
    config = optimizer.get("config") if isinstance(optimizer, Mapping) else None
    inside = config.get("inner_optimizer", config.get("optimizer")) if isinstance(config, Mapping) else None
    if isinstance(inside, Mapping) or not isinstance(config, Mapping):
        return False
    return "name" not in config and "-tf" not in (version or "")


def _settings(training: Mapping[str, Any], journal: Journal) -> dict[str, Any]:
    """The other arguments of `compile`."""
    if training.get("sample_weight_mode"):
        journal.lose(WHERE, f"sample_weight_mode {training['sample_weight_mode']!r}, which Keras 3 chooses by itself")
    settings = {key: training[key] for key in _SETTINGS if isinstance(training.get(key), bool)}
    steps: Any = training.get("steps_per_execution")
    if is_integer(steps) and steps > 0:
        return {**settings, "steps_per_execution": steps}
    if steps is not None:
        journal.lose(WHERE, f"steps_per_execution {str(steps)[:60]}")
    return settings


def _by_output(value: Any, outputs: Outputs, rest: Any) -> Any:
    """A mapping by the names of outputs with their new names and with all of them; other values as they are.

    Keras 2 takes `rest` for outputs that are left out, Keras 3 requires all.
    """
    if not isinstance(value, Mapping) or isinstance(value.get("class_name"), str):
        return value
    new_names = dict(outputs)
    if not new_names or not value.keys() <= new_names.keys():
        return dict(value)
    return {name: value.get(old, rest) for old, name in new_names.items()}


def _for_each(loss: Any, weights: Any) -> Any:
    """The loss once for each weight of losses, as Keras 3 requires as many weights as losses."""
    if isinstance(loss, list) or (isinstance(loss, Mapping) and "class_name" not in loss):
        return loss
    if isinstance(weights, Mapping):
        return dict.fromkeys(weights, loss)
    return [loss] * len(weights) if isinstance(weights, list) and len(weights) > 1 else loss


def _losses(value: Any, writer: Writer, outputs: Outputs, journal: Journal) -> Any:
    """The losses for Keras 3; none where one of them is unknown, since Keras cannot train with only some of them."""
    if _is_empty(value):
        journal.lose(WHERE, f"the loss: the file stores none, as where the model adds its own (add_loss); {_ANEW}")
        return None
    try:
        losses = _by_output(_loss(value, writer, journal, 0), outputs, None)
    except UnknownObject as error:
        journal.lose(WHERE, f"the loss: {error}; {_ANEW}")
        note_need("loss", error, journal)
        return None
    output_keys.note_outputs_without(losses, [name for _, name in outputs], journal)
    return losses


def _is_empty(value: Any) -> bool:
    """Whether a setting for losses names none."""
    if isinstance(value, Mapping) and not isinstance(value.get("class_name"), str):
        value = list(value.values())
    return value in (None, "") or (isinstance(value, list) and all(item in (None, "", [], {}) for item in value))


def _loss(value: Any, writer: Writer, journal: Journal, depth: int) -> Any:
    """A loss for Keras 3, or several in a list or by the names of outputs. Raises UnknownObject."""
    if depth > MAX_DEPTH:
        raise UnknownObject("losses nested too deep")
    if value in (None, "", [], {}):
        return None
    if isinstance(value, list):
        return [_loss(item, writer, journal, depth + 1) for item in value]
    if isinstance(value, Mapping) and not isinstance(value.get("class_name"), str):
        return {key: _loss(item, writer, journal, depth + 1) for key, item in value.items()}
    name = function_name(value, journal)
    if name is None:
        return _noted(object_entry(value, "losses", OLD_MEASURES, writer), journal)
    new_name = OLD_MEASURES.get(name, name)
    refuse_own("losses", name, writer)
    if class_called("losses", new_name) is None:
        raise UnknownObject(f"{name[:60]}, which is not built into Keras 3", name)
    if new_name == "cosine_similarity" and writer.multi_backend and is_before(writer.version, (2, 1, 6)):
        raise UnknownObject(f"{name}, which was divided by the length of the vectors")
    if new_name in _LABELS_OF_PLUS_MINUS_ONE and writer.multi_backend:
        journal.lose(WHERE, f"{name} of Keras 3 takes labels 0 and 1 as -1 and 1, where older ones took 0 as it is")
    return new_name


def _noted(loss: dict[str, Any], journal: Journal) -> dict[str, Any]:
    """The entry of a loss, noted where it gives a number for each sample.

    Gradients were those of their sum, and the reported loss counted a batch by the square of its size
    (`LossesContainer`, keras/src/engine/compile_utils.py, 2.15); Keras 3 takes their mean (`CompileLoss`, a `Loss` that
    averages, keras/src/trainers/compile_utils.py, 3.15).
    """
    if loss["config"].get("reduction") == "none":
        name = loss["class_name"]
        journal.lose(WHERE, f"{name}'s reduction 'none': Keras 3 trains by the mean of a batch, older ones by its sum")
    return loss


def is_before(version: str | None, limit: tuple[int, ...]) -> bool:
    """Whether a version is older than another; a missing one is that of Keras 1, which does not always store it."""
    return scalars.version_numbers(version or "1", 3) < limit
