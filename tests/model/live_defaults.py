"""The defaults of the constructors of live Keras 3.15: the content of ckpttool/model/defaults.json.

`python -m tests.recorded` writes it.
"""

import inspect
import json
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ckpttool.model import defaults
from ckpttool.model.class_names import ALIASES, snake_case
from ckpttool.model.layers.table import LAYERS
from tests.live import keras
from tests.model.layer_cases import _REQUIRED

PATH = Path(defaults.__file__).with_name("defaults.json")

# What a class cannot be made without, where that is not the same for all classes that have the argument.
REQUIRED: dict[str, dict[str, Any]] = {
    **_REQUIRED,
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "Embedding": {"input_dim": 3, "output_dim": 2},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "GroupedQueryAttention": {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 2},
    "Lambda": {},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 2},
    "ReversibleEmbedding": {"input_dim": 3, "output_dim": 2},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [1], "values": [0.1, 0.2]},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 2},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 2},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 2},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "STFT": {"window": None},  # a named window needs scipy
    "STFTSpectrogram": {"window": None},
}
COMMON: dict[str, Any] = {
    **{"units": 2, "filters": 2, "kernel_size": 2, "num_classes": 2, "target_class_ids": [0]},
    **dict.fromkeys(("layer", "cell", "cells", "layers", "inner_optimizer")),  # objects, made anew each time
}

# Arguments whose default is worked out from others, or drawn; the table says what the constructor does, mostly None.
DERIVED = {
    *(("AveragePooling1D", "strides"), ("AveragePooling2D", "strides"), ("AveragePooling3D", "strides")),
    *(("MaxPooling1D", "strides"), ("MaxPooling2D", "strides"), ("MaxPooling3D", "strides")),
    ("Bidirectional", "backward_layer"),
    ("InputLayer", "batch_shape"),
    ("IntegerLookup", "vocabulary_size"),
    ("MelSpectrogram", "max_freq"),
    ("MelSpectrogram", "sequence_length"),
    ("MultiHeadAttention", "value_dim"),
    ("RandomCrop", "seed"),
    ("StringLookup", "vocabulary_size"),
    ("TextVectorization", "vocabulary_size"),
}
# Arguments that no config has: they are turned into others, or set weights; and names of layers, which have no default.
NEVER_WRITTEN = {"batch_size", "input_tensor", "shape", "weights"}
KINDS = ("layers", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers", "schedules")
# Classes that are no settings of a model, or that only the user's own are made of.
LEFT_OUT = {
    *("Initializer", "Regularizer", "Constraint", "Loss", "LossFunctionWrapper", "Metric", "MeanMetricWrapper"),
    *("Optimizer", "LearningRateSchedule", "MultiOptimizer", "OptimizerMap", "Functional", "Model", "Sequential"),
}


def table() -> dict[str, dict[str, Any]]:
    """The whole table: arguments with their defaults by kind and class, those that layers need, and the further names
    of classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults = {kind: {name: arguments(kind, classes[name]) for name in sorted(classes)}
                 for kind in KINDS for classes in [classes_of(kind)]}  # fmt: skip
        layers = classes_of("layers")
        needed = {"required": {name: keys for name in sorted(layers) if (keys := required(layers[name]))}}
        refused = {"refused": {name: keys for name in sorted(layers) if (keys := refused_by(layers[name]))}}
        return {**defaults, **needed, **refused, "names": names()}


def classes_of(kind: str) -> dict[str, Any]:
    """The built-in classes of a kind by their own names."""
    if kind == "layers":
        known = {name: getattr(keras().layers, _public(name)) for name in {*LAYERS, "Layer"} - set(ALIASES) - LEFT_OUT}
        return dict(known)
    module = keras().optimizers.schedules if kind == "schedules" else getattr(keras(), kind)
    classes = {value.__name__: value for value in vars(module).values() if inspect.isclass(value)}
    return {name: value for name, value in classes.items() if name not in LEFT_OUT}


def _public(name: str) -> str:
    return {"GroupedQueryAttention": "GroupQueryAttention"}.get(name, name)


def arguments(kind: str, cls: Any) -> dict[str, Any]:
    """The arguments of a class with their defaults, as short as configs may have them."""
    signature = dict(_signature(cls))
    needed = required_arguments(cls)
    written = json.loads(json.dumps(keras().saving.serialize_keras_object(cls(**needed))))["config"]
    classes = {}
    for key in sorted({*signature, *written} - NEVER_WRITTEN - {*required(cls)}):
        default = _plain(signature.get(key))
        if (key == "name" and (kind == "layers" or default is None)) or (key not in signature and kind != "layers"):
            continue
        if key not in written and not _is_taken(cls, needed, key, signature[key]):
            continue
        derived = (cls.__name__, key) in DERIVED or key not in written or key in needed
        classes[key] = default if derived or _is_rounded(written[key], default) else short(written[key])
    base = {} if cls is keras().layers.Layer or kind != "layers" else arguments("layers", keras().layers.Layer)
    return {key: value for key, value in classes.items() if key not in base or base[key] != value}


def _signature(cls: Any) -> Iterator[tuple[str, Any]]:
    """The arguments of a class and, as far as it passes them on, of its bases, with the default or `...`."""
    seen = set()
    for owner in cls.__mro__:
        if owner in (keras().layers.Layer, object) or "__init__" not in vars(owner):
            continue
        parameters = list(inspect.signature(owner.__init__).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name in seen:
                continue
            seen.add(parameter.name)
            yield parameter.name, ... if parameter.default is parameter.empty else parameter.default
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return


def required(cls: Any) -> list[str]:
    """The arguments that have no default."""
    signature = dict(_signature(cls))
    return sorted(key for key in required_arguments(cls) if signature.get(key, ...) is ...)


def refused_by(cls: Any) -> list[str]:
    """The arguments of all layers that this one does not take."""
    base = arguments("layers", keras().layers.Layer)
    if cls is keras().layers.Layer:
        return []
    return sorted(key for key, value in base.items() if not _is_taken(cls, required_arguments(cls), key, value))


def required_arguments(cls: Any) -> dict[str, Any]:
    """The arguments without which an object of a class cannot be made."""
    if cls.__name__ == "Lambda":
        return {"function": keras().activations.relu}
    if cls.__name__ in REQUIRED:
        return REQUIRED[cls.__name__]
    own = inspect.signature(cls.__init__).parameters.values()
    return {
        parameter.name: _argument(cls, parameter.name)
        for parameter in own
        if parameter.default is parameter.empty and parameter.name in COMMON
    }


def _argument(cls: Any, key: str) -> Any:
    """An argument that a class needs, in a call of its own: layers cannot be shared."""
    layers = keras().layers
    objects = {
        "layer": layers.LSTM if cls.__name__ == "Bidirectional" else layers.Dense,
        "cell": layers.LSTMCell,
        "cells": lambda units: [layers.LSTMCell(units)],
        "layers": lambda _: [],
        "inner_optimizer": lambda _: keras().optimizers.SGD(),
    }
    return objects[key](2) if key in objects else COMMON[key]


def _is_taken(cls: Any, needed: dict[str, Any], key: str, default: Any) -> bool:
    """Whether the constructor takes the argument from its caller; bases have some that it sets itself."""
    if default is ...:
        return False
    try:
        cls(**needed, **{key: default})
    except TypeError:
        return False
    except ValueError:  # taken, and of no use
        return True
    return True


def _is_rounded(written: Any, default: Any) -> bool:
    """Whether a number that was written is the default after it has been a float32."""
    return isinstance(default, float) and written == struct.unpack("f", struct.pack("f", default))[0]


def _plain(value: Any) -> Any:
    return None if value is ... else json.loads(json.dumps(value))


def short(value: Any) -> Any:
    """An object that is as its class makes it by default by its name, a dtype policy by its own, others as they are."""
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    if value["class_name"] == "DTypePolicy":
        return value["config"]["name"]
    name = snake_case(value["class_name"])
    module = getattr(keras(), value["module"].rpartition(".")[2])
    same = keras().saving.serialize_keras_object(module.get(name))["config"] == value["config"]
    return name if same else {key: value[key] for key in ("class_name", "config")}


def names() -> dict[str, dict[str, str]]:
    """The names that configs may have for classes and functions beside those of the classes, in either spelling."""
    names: dict[str, dict[str, str]] = {"activations": {}}
    for name, value in keras().src.activations.ALL_OBJECTS_DICT.items():
        if name != value.__name__:
            names["activations"][name] = value.__name__
    for kind in ("initializers", "losses", "metrics"):
        classes = classes_of(kind)
        names_of_functions = {cls().fn: name for name, cls in classes.items()} if kind == "losses" else {}
        every = {
            name: value.__name__ if inspect.isclass(value) else names_of_functions[value]
            for name, value in getattr(keras().src, kind).ALL_OBJECTS_DICT.items()
        }
        names[kind] = {
            name: of for name, of in sorted(every.items()) if of in classes and name not in (of, snake_case(of))
        }
    return names


def text() -> str:
    """The table as the file holds it: a line for each class."""
    parts = []
    for kind, classes in table().items():
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(of)}" for name, of in classes.items())
        parts.append(f"{json.dumps(kind)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
