"""Values of arguments of old Keras in the form of Keras 3: initializers, regularizers, constraints, dtype policies.

Sources: keras/initializations.py, regularizers.py and constraints.py (1.2.2), `serialize_keras_object` of 2.2.4 and
2.15, `get_config` of the objects in 3.15.
"""

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.model.entries import entry_of

Config = dict[str, Any]
"""The arguments of a layer, by name."""

DATA_FORMATS = MappingProxyType({"th": "channels_first", "tf": "channels_last", "default": None})

_UNSEEDED = MappingProxyType({"seed": None})

# Initializers by the names that configs use in place of objects: (class, arguments).
_INITIALIZERS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "glorot_normal": ("GlorotNormal", _UNSEEDED),
        "glorot_uniform": ("GlorotUniform", _UNSEEDED),
        "he_normal": ("HeNormal", _UNSEEDED),
        "he_uniform": ("HeUniform", _UNSEEDED),
        "identity": ("Identity", {"gain": 1.0}),
        "lecun_normal": ("LecunNormal", _UNSEEDED),
        "lecun_uniform": ("LecunUniform", _UNSEEDED),
        "normal": ("RandomNormal", {"mean": 0.0, "stddev": 0.05, "seed": None}),
        "one": ("Ones", {}),
        "ones": ("Ones", {}),
        "orthogonal": ("Orthogonal", {"gain": 1.1, "seed": None}),  # the scale of Keras 1; 1.0 from 2 on
        "uniform": ("RandomUniform", {"minval": -0.05, "maxval": 0.05, "seed": None}),
        "zero": ("Zeros", {}),
        "zeros": ("Zeros", {}),
    }
)
# The initializers that are a `VarianceScaling`, and were written so up to 2.2: (scale, mode, distribution).
_SCALINGS: Mapping[tuple[Any, ...], str] = MappingProxyType(
    {
        (scale, mode, distribution): f"{name}{'Uniform' if distribution == 'uniform' else 'Normal'}"
        for name, scale, mode in (("Glorot", 1.0, "fan_avg"), ("He", 2.0, "fan_in"), ("Lecun", 1.0, "fan_in"))
        for distribution in ("uniform", "normal", "truncated_normal")
    }
)
SCALING = ("scale", "mode", "distribution")
_CONSTRAINTS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "MaxNorm": ("MaxNorm", {"m": "max_value"}),
        "MinMaxNorm": ("MinMaxNorm", {"low": "min_value", "high": "max_value"}),
        "NonNeg": ("NonNeg", {}),
        "UnitNorm": ("UnitNorm", {}),
    }
)
_REGULARIZERS_1 = frozenset({"ActivityRegularizer", "L1L2Regularizer", "WeightRegularizer"})
_KNOWN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "keras.initializers": frozenset(
            {name for name, _ in _INITIALIZERS.values()}
            | {"Constant", "IdentityInitializer", "OrthogonalInitializer", "TruncatedNormal", "VarianceScaling"}
        ),
        "keras.regularizers": frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"}),
        "keras.constraints": frozenset(_CONSTRAINTS),
    }
)
_POLICIES = frozenset({"Policy", "PolicyV1"})
_NO_POLICY = frozenset({"_infer", "infer"})  # tf.keras 2.0 - 2.3: the dtype of the first input


def spelled_1(key: str, value: Any) -> Any:
    """The value of an argument of Keras 1 in the form of Keras 3; an unknown value unchanged."""
    if key.endswith("_initializer") and isinstance(value, str):
        return _by_name(value)
    if key.endswith("_regularizer"):
        return _regularizer_1(value)
    if key.endswith("_constraint"):
        return _constraint_1(value)
    if key == "data_format" and isinstance(value, str):
        return DATA_FORMATS.get(value, value)
    return value


def spelled_2(key: str, value: Any) -> Any:
    """The value of an argument of Keras 2 in the form of Keras 3; an unknown value unchanged."""
    if key == "dtype":
        return dtype_policy(value)
    kind = _KINDS.get(key.rpartition("_")[2]) if "_" in key else None
    if kind is None or not isinstance(value, Mapping) or not isinstance(value.get("config", {}), Mapping):
        return value
    class_name = value.get("class_name")
    if not isinstance(class_name, str) or class_name not in _KNOWN[kind] or _registered(value):
        return value
    config = {name: item for name, item in value.get("config", {}).items() if name != "dtype"}
    return entry_of(kind, *_initializer_2(class_name, config))


_KINDS = MappingProxyType(
    {"initializer": "keras.initializers", "regularizer": "keras.regularizers", "constraint": "keras.constraints"}
)


def _registered(value: Mapping[str, Any]) -> bool:
    """Whether an object is the user's own, which may have the name of a built-in one."""
    registered, class_name = value.get("registered_name"), value["class_name"]
    without_module = value.get("module", "keras") is None  # objects of Keras have one since 2.13
    return isinstance(registered, str) and (registered != class_name or without_module)


def _by_name(name: str) -> Any:
    initializer = _INITIALIZERS.get(name)
    return entry_of("keras.initializers", *initializer) if initializer else name


def _initializer_2(class_name: str, config: Config) -> tuple[str, Config]:
    """An initializer with its class name in Keras 3: 2.0 to 2.2 wrote `VarianceScaling` for the six named ones."""
    if class_name != "VarianceScaling":
        return class_name.removesuffix("Initializer"), config
    if named := named_scaling(config):
        return named, {"seed": config.get("seed")}
    if config.get("distribution") == "normal":
        config = {**config, "distribution": "truncated_normal"}
    return class_name, config


def named_scaling(config: Mapping[str, Any]) -> str | None:
    """The class that a `VarianceScaling` with these arguments is by another name; None for any other."""
    scaling = tuple(config.get(key) for key in SCALING)
    return _SCALINGS.get(scaling) if all(isinstance(item, str | int | float) for item in scaling) else None


def _regularizer_1(value: Any) -> Any:
    """A regularizer, `{"name": "WeightRegularizer", "l1": ..., "l2": ...}`, as the object of Keras 3."""
    if not isinstance(value, Mapping) or not _is_named(value, _REGULARIZERS_1):
        return value
    return entry_of("keras.regularizers", "L1L2", {key: value.get(key, 0.0) for key in ("l1", "l2")})


def _constraint_1(value: Any) -> Any:
    """A constraint, `{"name": "MaxNorm", "m": ..., "axis": ...}`, as the object of Keras 3."""
    if not isinstance(value, Mapping) or not _is_named(value, _CONSTRAINTS):
        return value
    class_name, renames = _CONSTRAINTS[value["name"]]
    config = {renames.get(key, key): item for key, item in value.items() if key != "name"}
    return entry_of("keras.constraints", class_name, config)


def _is_named(value: Mapping[str, Any], known: Container[str]) -> bool:
    name = value.get("name")
    return isinstance(name, str) and name in known


def dtype_policy(value: Any) -> Any:
    """A dtype policy in the form of Keras 3, where `Policy` is called `DTypePolicy`."""
    if not isinstance(value, Mapping) or not isinstance(value.get("class_name"), str):
        return value
    config = value.get("config")
    name = config.get("name") if isinstance(config, Mapping) else None
    if value["class_name"] not in _POLICIES or not isinstance(name, str):
        return value
    return None if name in _NO_POLICY else entry_of("keras", "DTypePolicy", {"name": name})


Spelling = Callable[[str, Any], Any]
