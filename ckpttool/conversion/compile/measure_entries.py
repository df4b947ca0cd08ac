"""The entries of losses and metrics of Keras 1 and 2 as Keras 3 writes them: objects, and functions by their names.

Sources: those of `settings`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

from ckpttool.conversion.compile import addons
from ckpttool.conversion.compile.optimizers import WHERE, UnknownObject, Writer, own_name, refuse_own
from ckpttool.conversion.journal import Journal
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.entries import entry_of
from ckpttool.model.sizes import items

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
_SINGULAR = MappingProxyType({"losses": "loss", "metrics": "metric"})


def function_name(value: Any, journal: Journal) -> str | None:
    """The name of a function of Keras, or of a class given by its name alone; None for an entry of an object."""
    if not _is_function(value):
        return None if isinstance(value, Mapping) else own_name(value)
    name = _function_of_keras(value)
    if "module" in value:
        why = "one of the author's own of this name is stored in the same form"
        journal.guess_once(WHERE, f"the function {name} is that of Keras: {why}")
    return name


def _function_of_keras(value: Mapping[str, Any]) -> str:
    """The name of a function that is given as an entry. Raises UnknownObject where it is none of Keras."""
    name = own_name({**value, "class_name": value.get("config")})
    if "module" in value and name not in FUNCTIONS:
        raise UnknownObject(f"{name[:60]}, a function of the author's own: Keras stores none of its own so", name)
    return name


def _is_function(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and value.get("class_name") in ("function", "builtin_function_or_method")


def object_entry(value: Mapping[str, Any], kind: str, renamed: Mapping[str, str], writer: Writer) -> dict[str, Any]:
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
    return entry_of(f"keras.{kind}", class_name, arguments)


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


def note_need(kind: str, error: UnknownObject, journal: Journal) -> None:
    """Note an object that the author has to provide to compile the model anew."""
    if error.own is not None:
        journal.need(error.own[:60], f"the {error.kind or kind} {error.own[:60]}, to compile the model anew")
