"""Configs that Keras 3 wrote: every layer stays as it is, but for code in Lambda layers, which is replaced."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ckpttool.conversion.config.nested import Nested, is_layer
from ckpttool.conversion.config.result import Rewritten, Unfilled
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import MAX_DEPTH, Args
from ckpttool.model.buildability.lookup import is_of_keras
from ckpttool.model.buildability.names import legacy_layer, operation_module, public_module
from ckpttool.model.layers.beyond import BEYOND, beyond
from ckpttool.model.layers.table import LAYERS

Replace = Callable[[Mapping[str, Any], str], Mapping[str, Any]]
"""Makes the entry of a Lambda layer that holds code, of which it is given the label, one that holds none."""

MODULES: Mapping[str, str] = MappingProxyType({"Functional": "keras.src.models.functional", "Sequential": "keras"})
"""The modules that Keras 3.15 states for its models, which legacy files leave out."""

_MAX_NESTING = 4 * MAX_DEPTH


def current(config: Any, replace: Replace, without_function: Iterable[Unfilled]) -> Rewritten:
    """A config of Keras 3 as it stays, with all that is to be known of it. `without_function` are the layers whose code
    is not replaced, as `replace` finds them."""
    walk = _Walk(replace)
    found = walk.config(config)
    stated = {"module": MODULES.get(found["class_name"], "keras.layers"), "registered_name": None, **found}
    return Rewritten(stated, {}, {}, {}, {}, tuple(without_function), walk.holders)


@dataclass(slots=True)
class _Walk:
    """A walk through a config of Keras 3. `holders` are the labels of the layers of own classes whose config holds
    other layers."""

    replace: Replace
    holders: set[str] = field(default_factory=set)

    def config(self, value: Any, path: tuple[str, ...] = (), depth: int = 0) -> Any:
        """A value of the config, without code; `path` are the names of the layers that hold it. Raises ConfigError."""
        if depth > _MAX_NESTING:
            raise ConfigError(f"a config nested more than {_MAX_NESTING} deep", where="/".join(path))
        if isinstance(value, list):
            return [self.config(item, path, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        below = (*path, *_name(value)) if depth else path
        label = "/".join(below)
        if _holds_code(value):
            return self.replace(value, label)
        if depth and _holds_layers(value):
            self.holders.add(label)
        found = {key: self.config(item, below, depth + 1) for key, item in value.items()}
        return {**_module(found), **found} if depth else found


def _module(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry in a legacy file leaves out: where Keras finds the class.

    Without it Keras makes a layer as one of a legacy file, and forgets the user's objects before it makes what the
    layer holds, if the file is none (`functional_from_config`, keras/src/models/functional.py, 3.15).
    """
    if "module" in entry or not (is_layer(entry) or _is_in_graph(entry)):
        return {}
    name, layer = entry["class_name"], legacy_layer(entry["class_name"])
    of_keras = is_of_keras(name, entry["config"])
    operations = None if is_layer(entry) or not of_keras else operation_module(name)  # "Add" may be either
    if operations is not None:
        return {"module": operations, "registered_name": name}
    if layer is not None:
        return {"module": MODULES.get(name) or public_module(layer) or "keras.layers", "registered_name": None}
    found = beyond(Args.of(entry)) if name in BEYOND and isinstance(entry["config"], Mapping) else None
    if found is not None:
        return {"module": found.module, "registered_name": name}
    return {} if of_keras else {"module": None, "registered_name": name}


def _is_in_graph(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is that of a layer or an operation of a graph."""
    parts = entry.get("class_name"), entry.get("config"), entry.get("inbound_nodes")
    return all(isinstance(part, kind) for part, kind in zip(parts, (str, Mapping, list), strict=True))


def _name(entry: Mapping[str, Any]) -> Iterator[str]:
    """The name of a layer."""
    config = entry.get("config")
    if isinstance(entry.get("class_name"), str) and isinstance(config, Mapping) and isinstance(config.get("name"), str):
        yield config["name"]


def _holds_code(entry: Mapping[str, Any]) -> bool:
    """Whether a layer is a Lambda whose function is not one that the author of the model registered, or wrote in the
    script that saved it: any other module may be a program's."""
    if entry.get("class_name") != "Lambda" or not isinstance(entry.get("config"), Mapping):
        return False
    function = entry["config"].get("function")
    if not isinstance(function, Mapping) or function.get("class_name") != "function":
        return True
    names = [function.get(key) for key in ("config", "registered_name")]
    registered = any(isinstance(name, str) and ">" in name for name in names)
    return not registered and function.get("module") not in (None, "builtins", "__main__")


def _holds_layers(entry: Mapping[str, Any]) -> bool:
    """Whether a layer of an own class has other layers in its config."""
    if not is_layer(entry) or not isinstance(entry["config"], Mapping):
        return False
    args = Args.of(entry)
    if args.class_name in LAYERS and not args.foreign:
        return False
    nested = Nested(lambda inner: inner)
    for value in args.config.values():
        nested.value(value)
    return bool(nested.classes)
