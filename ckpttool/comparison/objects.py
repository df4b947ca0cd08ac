"""The meanings of values in a config, whatever their spelling: objects, names, dtype policies, tuples, numbers.

The spellings are those of `get_config` and `serialize_keras_object` of Keras 1.2.2, 2.2.4, 2.15 and 3.15. Arguments
have the names of Keras 3 already (`ckpttool.model.generations`).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ckpttool.model.class_names import ALIASES
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.dtype_policies import Policy, read_policy
from ckpttool.model.entries import is_foreign
from ckpttool.model.generations.values import SCALING, named_scaling
from ckpttool.model.layers.layer_type import Trait
from ckpttool.model.layers.table import CHAINS, INPUTS, with_trait
from ckpttool.model.sizes import items

Config = Mapping[str, Any]

OLD_HARD_SIGMOID = "hard_sigmoid of Keras 1 and 2 (0.2 * x + 0.5)"
"""The one activation that is another function in Keras 3: x / 6 + 0.5 (activations.py of 2.15 and of 3.15)."""

_LIST_WITHOUT_GRAPH = with_trait(Trait.LISTS)


@dataclass(frozen=True, slots=True)
class ConfigObject:
    """An object that a config describes by class and arguments: a layer, an initializer, a loss.

    `kind` is a kind of the table of defaults; empty where the object is of no built-in kind. `own` says that its class
    is not one of Keras 3, but the user's. `old` says that Keras before 3 wrote it.
    """

    kind: str
    class_name: str
    config: Config = field(default_factory=dict)
    own: bool = False
    old: bool = False

    @property
    def title(self) -> str:
        """The name of the class; marked where it is the user's own and a built-in class has the same name."""
        known = self.own and defaults_of(self.kind, self.class_name) is not None
        return f"{self.class_name} of its own" if known else self.class_name or "no layer"

    @property
    def is_model(self) -> bool:
        """Whether the object is a model whose config lists its layers."""
        return isinstance(self.config.get("layers"), list) and self.class_name not in _LIST_WITHOUT_GRAPH

    @property
    def is_input(self) -> bool:
        """Whether the object is the layer that declares an input."""
        return self.class_name in INPUTS

    @property
    def defaults(self) -> Config:
        """The default arguments of its class; for a layer of the user's own class, those of all layers."""
        defaults = None if self.own else defaults_of(self.kind, self.class_name)
        if defaults is None and self.kind == "layers":
            defaults = defaults_of("layers", "Layer")
        return {} if defaults is None else defaults


@dataclass(frozen=True, slots=True)
class DTypePolicy:
    """A dtype policy and its name; policies of the same dtypes are equal under any name."""

    policy: Policy
    name: str = field(compare=False)


_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "activation": "activations",
        "constraint": "constraints",
        "initializer": "initializers",
        "regularizer": "regularizers",
    }
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("backward_layer", "cell", "cells", "forward_layer", "layer", "layers"), "layers"),
        "dtype": "dtype",
        "inner_optimizer": "optimizers",
        "learning_rate": "schedules",
    }
)
BY_NAME = frozenset({"constraints", "initializers", "losses", "metrics", "optimizers", "regularizers"})
"""The kinds of objects that a config may have as a name alone."""

_MODULES = frozenset({*BY_NAME, "layers", "schedules"})
_POLICIES = ("DTypePolicy", "Policy")
_VALUES = frozenset({"__numpy__", "__tensor__"})
_FUNCTIONS = frozenset({"builtin_function_or_method", "function"})


def kind_of(key: str) -> str:
    """The kind of object that an argument takes, by the name of the argument; empty where that is not known."""
    return _KINDS.get(key) or _ROLES.get(key.rpartition("_")[2], "")


def meaning(kind: str, value: Any, old: bool) -> Any:
    """The meaning of a value where an object of a kind is expected: `ConfigObject`, `DTypePolicy` or a plain value."""
    if kind == "activations":
        return _activation(value, old)
    if kind == "dtype":
        return _dtype(value)
    if isinstance(value, str) and kind in BY_NAME:
        class_name = class_called(kind, _tail(value))
        return value if class_name is None else _unified(ConfigObject(kind, class_name, {}, old=old))
    return _object(kind, value, old) if isinstance(value, Mapping) else items(value)


def _activation(value: Any, old: bool) -> Any:
    """The Keras 3 name of an activation, or the layer or object that is used as one."""
    if value is None:
        return "linear"
    activation = _object("layers", value, old) if isinstance(value, Mapping) else value
    if isinstance(activation, ConfigObject) and not activation.config and activation.class_name.islower():
        activation = activation.class_name  # a function, serialized as an object
    if not isinstance(activation, str):
        return activation
    if old and activation == "hard_sigmoid":
        return OLD_HARD_SIGMOID
    return class_called("activations", activation) or activation


def _dtype(value: Any) -> Any:
    """The dtype policy of a layer, or its map of policies; any other value as it is."""
    if isinstance(value, Mapping) and value.get("class_name") == "DTypePolicyMap":
        return _object("", value, False)
    try:
        return DTypePolicy(read_policy(value), policy_name(value))
    except ValueError:
        return value


def policy_name(value: Any) -> str:
    """The name of a dtype policy that `read_policy` can read."""
    config = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(config, Mapping):
        return value if isinstance(value, str) else "float32"
    if "mode" in config:
        return f"{config['mode']}_from_{config.get('source_name') or 'float32'}"
    return str(config.get("name") or "float32")


def _object(kind: str, value: Config, old: bool) -> Any:
    """The meaning of a serialized object; its module says its kind where none is expected."""
    class_name, config = value.get("class_name"), value.get("config")
    if not isinstance(class_name, str):
        return value
    if class_name == "__tuple__" or "config" not in value:
        return items(value)
    if class_name in _VALUES and isinstance(config, Mapping) and "value" in config:
        return config["value"]
    if class_name in _FUNCTIONS and isinstance(config, str):
        return config
    if class_name.endswith(_POLICIES) and kind in ("", "layers"):
        return _dtype(value)
    if isinstance(config, list) and class_name in CHAINS:
        config = {"layers": config}
    if not isinstance(config, Mapping):
        return value
    return _unified(_config_object(kind, value, class_name, config, old))


def _config_object(kind: str, value: Config, class_name: str, config: Config, old: bool) -> ConfigObject:
    module, registered = value.get("module"), value.get("registered_name")
    module_kind = module.rpartition(".")[2] if isinstance(module, str) else ""
    kind = module_kind if module_kind in _MODULES and (not kind or kind == "schedules") else kind
    plain = _tail(class_name)
    called = class_called(kind, plain) if kind in BY_NAME else ALIASES.get(plain, plain)
    packaged = kind == "layers" and ">" in f"{class_name}{registered}"  # of built-in ones, 2.11 says "Custom>Adam"
    own = packaged or is_foreign(value) or defaults_of(kind, called or plain) is None
    return ConfigObject(kind, called or plain, config, own, old)


def _tail(name: str) -> str:
    """A class name without the package it is registered in."""
    return name.rpartition(">")[2]


def _unified(obj: ConfigObject) -> ConfigObject:
    """The same object in one of several equal forms: `L1L2` for `L1` and `L2`, `HeNormal` for its `VarianceScaling`."""
    if obj.class_name in ("L1", "L2") and obj.kind == "regularizers":
        return ConfigObject(obj.kind, "L1L2", {**obj.defaults, **obj.config}, old=obj.old)
    if obj.class_name == "VarianceScaling" and obj.kind == "initializers":
        class_name = named_scaling({**obj.defaults, **obj.config})
        rest = {key: value for key, value in obj.config.items() if key not in SCALING}
        return obj if class_name is None else ConfigObject(obj.kind, class_name, rest, old=obj.old)
    return obj


def equal(a: Any, b: Any, spread: bool = False) -> bool:
    """Whether two plain values are equal, at any depth and without recursion.

    A tuple is equal to a list. A number is equal to its rounding in float32. NaN is equal to NaN. With `spread` a
    number is equal to a list that repeats it, as in sizes of windows.
    """
    stack = [(a, b)]
    while stack:
        one, other = stack.pop()
        if one is other:
            continue
        one, other = items(one), items(other)
        pairs = _pairs(one, other, spread)
        if pairs is None:
            return False
        stack.extend(pairs)
    return True


def _pairs(one: Any, other: Any, spread: bool) -> Iterator[tuple[Any, Any]] | list[tuple[Any, Any]] | None:
    """The pairs of parts that must be equal for two values to be equal; None where the values are not equal."""
    if isinstance(one, list) and isinstance(other, list):
        return list(zip(one, other, strict=True)) if len(one) == len(other) else None
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return [(one[key], other[key]) for key in one] if one.keys() == other.keys() else None
    if isinstance(one, int | float) and isinstance(other, int | float):
        return [] if same_number(one, other) else None
    if spread and isinstance(one, list) and one and isinstance(other, int):
        return [(each, other) for each in one]
    if spread and isinstance(other, list) and other and isinstance(one, int):
        return [(one, each) for each in other]
    if isinstance(one, list | Mapping | int | float) or isinstance(other, list | Mapping | int | float):
        return None
    return [] if one == other else None


def same_number(one: float, other: float) -> bool:
    """Whether two numbers are equal, or one is the other rounded to float32."""
    if one == other or (one != one and other != other):
        return True
    if not (isinstance(one, float) and isinstance(other, float)):
        return False
    return one == _in_float32(other) or other == _in_float32(one)


def _in_float32(number: float) -> float | None:
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return None
