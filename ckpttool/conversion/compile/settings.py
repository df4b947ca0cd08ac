"""The compile settings of a model of Keras 1 or 2, written as the `compile_config` of Keras 3.

Sources: `save_model` and `compile` of 1.2.2 and 2.2.4, `model_metadata`, `get_compile_config` and `compile_utils` of
2.15; `compile_from_config` of keras/src/trainers/trainer.py, `CompileLoss` and `CompileMetrics` of compile_utils.py and
the constructors of losses and metrics, 3.15.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard

from ckpttool.conversion.compile import addons, measures, optimizers, output_keys
from ckpttool.conversion.compile.optimizers import (
    MAX_DEPTH,
    WHERE,
    UnknownObject,
    Writer,
    keras_object,
    own_name,
    plain,
    refuse_own,
)
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.io import scalars
from ckpttool.model.class_names import snake_case
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.generations.own_classes import is_dumped
from ckpttool.model.sizes import is_integer, items

RECOMPILE = Edit(
    "rewrite-compile-settings", "writes loss, metrics and optimizer as Keras 3 does", "always: what differs is listed"
)
EDITS = (RECOMPILE, *optimizers.EDITS)

Outputs = Sequence[tuple[str, str]]
"""The old and the new names of the outputs of a model."""

_LOSSES = MappingProxyType(
    {
        **dict.fromkeys(("cosine", "cosine_proximity"), "cosine_similarity"),
        "huber_loss": "huber",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
    }
)
_METRICS = MappingProxyType({**_LOSSES, **dict.fromkeys(("log_cosh", "logcosh"), "LogCoshError")})
_BY_SHAPE = frozenset({"acc", "accuracy"})  # metrics that Keras resolves by the shape of an output, in any case
_BY_LOSS = frozenset({"ce", "crossentropy"})  # metrics that Keras 2 resolved, and Keras 3 does not
_CROSSENTROPY = MappingProxyType(
    {
        **dict.fromkeys(("categorical_crossentropy", "CategoricalCrossentropy"), "CategoricalCrossentropy"),
        **dict.fromkeys(
            ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"), "SparseCategoricalCrossentropy"
        ),
    }
)
_LABELS_OF_PLUS_MINUS_ONE = frozenset({"hinge", "squared_hinge"})
_WRAPPERS = frozenset({"LossFunctionWrapper", "MeanMetricWrapper", "SumOverBatchSizeMetricWrapper"})
_REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("IoU", "OneHotIoU"), ("num_classes", "target_class_ids")),
        **dict.fromkeys(("MeanIoU", "OneHotMeanIoU"), ("num_classes",)),
        "PrecisionAtRecall": ("recall",),
        "RecallAtPrecision": ("precision",),
        "SensitivityAtSpecificity": ("specificity",),
        "SpecificityAtSensitivity": ("sensitivity",),
    }
)
"""The arguments without a default, beside the name, of metrics that have some."""

FUNCTIONS = frozenset(
    {
        *("binary_accuracy", "binary_crossentropy", "binary_focal_crossentropy", "categorical_accuracy"),
        *("categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "cosine_similarity"),
        *("hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error"),
        *("mean_squared_error", "mean_squared_logarithmic_error", "poisson", "sparse_categorical_accuracy"),
        *("sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy", "squared_hinge"),
        "top_k_categorical_accuracy",
    }
)
"""The names (`__name__`) of the functions of keras.losses and keras.metrics of 2.13 to 2.15, which a `.keras` has in
entries. `mse` and the like are further names of them, which occur only as texts."""

_REDUCTIONS: Mapping[Any, str] = MappingProxyType({None: "none", "auto": "sum_over_batch_size"})
_SETTINGS = frozenset({"run_eagerly", "jit_compile"})
_ANEW = "compile anew with it and with optimizer=model.optimizer"
_SINGULAR = MappingProxyType({"losses": "loss", "metrics": "metric"})


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
        _need("optimizer", error, journal)
        return None
    loss = _losses(training.get("loss"), writer, outputs, journal)
    weights = _by_output(items(training.get("loss_weights")), outputs, 1.0) if loss is not None else None
    new = {"optimizer": optimizer, "loss": _for_each(loss, weights), "loss_weights": weights}
    if optimizer["config"].get("loss_scale_factor") is not None:
        new["auto_scale_loss"] = False
    for key in ("metrics", "weighted_metrics"):
        new[key] = _Metrics(key, writer, training.get("loss"), outputs, journal, layers).of(training.get(key))
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
        _need("loss", error, journal)
        return None
    output_keys.note_outputs_without(losses, [name for _, name in outputs], journal)
    return losses


def _need(kind: str, error: UnknownObject, journal: Journal) -> None:
    """Note an object that the author has to provide to compile the model anew."""
    if error.own is not None:
        journal.need(error.own[:60], f"the {error.kind or kind} {error.own[:60]}, to compile the model anew")


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
    name = _function(value, journal)
    if name is None:
        return _noted(_object(value, "losses", _LOSSES, writer), journal)
    new_name = _LOSSES.get(name, name)
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


def _function(value: Any, journal: Journal) -> str | None:
    """The name of a function of Keras, or of a class given by its name alone; None for an entry of an object."""
    if not _is_function(value):
        return None if isinstance(value, Mapping) else own_name(value)
    name = _function_of_keras(value)
    guess = f"the function {name} is that of Keras: one of the author's own of this name is stored in the same form"
    if "module" in value and all(noted.what != guess for noted in journal.guesses):
        journal.guess(WHERE, guess)
    return name


def _function_of_keras(value: Mapping[str, Any]) -> str:
    """The name of a function that is given as an entry. Raises UnknownObject where it is none of Keras."""
    name = own_name({**value, "class_name": value.get("config")})
    if "module" in value and name not in FUNCTIONS:
        raise UnknownObject(f"{name[:60]}, a function of the author's own: Keras stores none of its own so", name)
    return name


def _is_function(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and value.get("class_name") in ("function", "builtin_function_or_method")


def _object(value: Mapping[str, Any], kind: str, renamed: Mapping[str, str], writer: Writer) -> dict[str, Any]:
    """The entry of a loss or metric for Keras 3, also for a function that is wrapped in one."""
    config, name = value.get("config"), _name(value, kind)
    if not isinstance(config, Mapping):
        raise UnknownObject(f"a {_SINGULAR[kind]} that cannot be read")
    if name in _WRAPPERS:
        fn = config.get("fn")
        name = _function_of_keras(fn) if _is_function(fn) else own_name(fn)
        name = renamed.get(name, name)
        config = {**_arguments_of_loss(fn), **config}
    elif not value["class_name"].startswith(addons.PACKAGE):
        refuse_own(kind, name, writer, value)
    class_name = class_called(kind, name)
    if class_name is None:
        raise UnknownObject(f"{name[:60]}, which is not built into Keras 3", name)
    known = defaults_of(kind, class_name) or {}
    taken = {"name", *known, *_REQUIRED.get(class_name, ())}
    arguments = {key: items(item) for key, item in config.items() if key in taken}
    if isinstance(arguments.get("reduction", ...), str | None):
        arguments["reduction"] = _REDUCTIONS.get(arguments["reduction"], arguments["reduction"])
    return keras_object(kind, class_name, arguments)


def _arguments_of_loss(fn: Any) -> dict[str, Any]:
    """The arguments of an object of a loss that is wrapped in a metric, as `from_logits`; none of a function. Raises
    UnknownObject for one that no metric measures alike."""
    config = fn.get("config") if isinstance(fn, Mapping) and not _is_function(fn) else None
    if not isinstance(config, Mapping):
        return {}
    if own_name(fn) == "CosineSimilarity" or config.get("reduction") == "sum":
        raise UnknownObject(f"{own_name(fn)[:60]}, an object of a loss, which the metric of Keras 3 does not measure")
    return {key: value for key, value in config.items() if key not in ("name", "dtype", "reduction")}


def _name(value: Mapping[str, Any], kind: str) -> str:
    """The class name of an object; metrics of TensorFlow Addons that Keras 3 has are among them."""
    class_name = value.get("class_name")
    if kind == "metrics" and isinstance(class_name, str) and class_name.startswith(addons.PACKAGE):
        added = class_name.removeprefix(addons.PACKAGE)
        return added if added in addons.METRICS else own_name(value)
    return own_name(value)


class _Metrics(NamedTuple):
    """Converts the metrics of a model, or its weighted metrics (`key`). Metrics that Keras 3 does not find are left out
    and noted."""

    key: str
    writer: Writer
    loss: Any
    outputs: Outputs
    journal: Journal
    layers: Sequence[str] = ()

    def of(self, value: Any) -> Any:
        """The metrics for Keras 3: a list for a single output; for several, a list of each or a dict by their names."""
        if value is None:
            return None
        if isinstance(value, Mapping) and not isinstance(value.get("class_name"), str):
            new_names = dict(self.outputs)
            return {new_names.get(key, key): self.of_output(key).listed(item) for key, item in value.items()}
        value, names = value if isinstance(value, list) else [value], [old for old, _ in self.outputs]
        if len(names) < 2:
            return self.of_output(*names).listed(value)
        if any(item is None or isinstance(item, list) for item in value):
            return [self.of_output(name).listed(item) for name, item in zip_longest(names, value)][: len(value)]
        return [self.of_output(name).listed(value) for name in names]

    def of_output(self, name: Any = None) -> "_Metrics":
        """The same for an output, with its loss."""
        names = [old for old, _ in self.outputs]
        loss = self.loss
        if isinstance(loss, Mapping) and not isinstance(loss.get("class_name"), str):
            loss = loss.get(name)
        elif isinstance(loss, list):
            loss = loss[names.index(name)] if name in names and len(loss) == len(names) else None
        return self._replace(loss=loss)

    def listed(self, value: Any) -> list[Any]:
        """The metrics of one output, from lists of any depth."""
        metrics, stack = [], [value]
        while stack:
            item = stack.pop()
            if isinstance(item, list):
                stack.extend(reversed(item))
            elif item is not None:
                metrics += self.known(item)
        return metrics

    def known(self, value: Any) -> list[Any]:
        """A metric in a list, which is empty where Keras 3 does not find it."""
        try:
            name = _function(value, self.journal)
            if name is not None:
                return [self.named(name)]
            metric = _object(value, "metrics", _METRICS, self.writer)
            measures.note_difference(metric, self.loss_of_classes(), self.journal)
            return [self.unprefixed(metric)]
        except UnknownObject as error:
            self.journal.lose(WHERE, f"{self.key}: {error}")
            _need("metric", error, self.journal)
            return []

    def named(self, name: str) -> Any:
        """A metric given by the name of a function or class, with the same name in logs as before."""
        if name.lower() in _BY_SHAPE:
            return name
        refuse_own("metrics", name, self.writer)
        new_name = self.crossentropy(name) if name.lower() in _BY_LOSS else _METRICS.get(name, name)
        class_name = class_called("metrics", new_name)
        if class_name is None:
            raise UnknownObject(f"{name[:60]}, which is not built into Keras 3", None if name in FUNCTIONS else name)
        if class_name == "CosineSimilarity" and self.writer.multi_backend:
            raise UnknownObject(f"{name}, which had the opposite sign")
        if new_name == name != class_name:
            return name
        return keras_object("metrics", class_name, {"name": snake_case(name)})

    def crossentropy(self, name: str) -> str:
        """The metric for "crossentropy", which depends on the loss. Raises UnknownObject for other losses."""
        metric = self.loss_of_classes()
        if metric is None:
            raise UnknownObject(f"{name}, which Keras 3 does not choose by the outputs")
        return metric

    def loss_of_classes(self) -> str | None:
        """The class name of the loss of an output, if that is a crossentropy of classes."""
        loss = self.loss.get("class_name") if isinstance(self.loss, Mapping) else self.loss
        return _CROSSENTROPY.get(loss) if isinstance(loss, str) else None

    def unprefixed(self, metric: dict[str, Any]) -> dict[str, Any]:
        """A metric whose name does not begin with that of an output, which Keras 2 adds if there are several."""
        name = metric["config"].get("name")
        names = self.layers or [old for old, _ in self.outputs]
        fronts = [f"{old}_" for old in names if isinstance(name, str) and name.startswith(f"{old}_")]
        if len(self.outputs) < 2 or not fronts:
            return metric
        return {**metric, "config": {**metric["config"], "name": name.removeprefix(max(fronts, key=len))}}
