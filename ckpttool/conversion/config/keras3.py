"""Configs that Keras 3 wrote: every layer is unchanged, except Lambda layers with code, which is replaced."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpttool.conversion.config.nested_layers import MAX_NESTING, Nested, is_layer
from ckpttool.conversion.config.result import Rewritten, Unfilled
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.buildability.lookup import is_of_keras
from ckpttool.model.buildability.names import legacy_layer, operation_module, public_module
from ckpttool.model.entries import MODULES_OF_MODELS, layer_entry
from ckpttool.model.layers.internal_layers import INTERNAL_LAYERS, internal_layer
from ckpttool.model.layers.table import LAYERS

Replace = Callable[[Mapping[str, Any], str], Mapping[str, Any]]
"""From the entry and the label of a Lambda layer with code to an entry without code."""


def unchanged_config(config: Any, replace: Replace, without_function: Iterable[Unfilled]) -> Rewritten:
    """The result for a config of Keras 3. `without_function` are the layers whose code is not replaced, to which
    `replace` adds as it meets them."""
    walk = _Walk(replace)
    entry = walk.config(config)
    entry = {**layer_entry(entry["class_name"], {}), **entry}  # legacy files leave out the module
    return Rewritten(entry, {}, {}, {}, {}, tuple(without_function), frozenset(walk.holders))


@dataclass(slots=True)
class _Walk:
    """A walk through a config of Keras 3. `holders` are the labels of the layers of own classes whose config holds
    other layers."""

    replace: Replace
    holders: set[str] = field(default_factory=set)

    def config(self, value: Any, path: tuple[str, ...] = (), depth: int = 0) -> Any:
        """A value of the config, without code. `path` are the names of the layers around it. Raises ConfigError."""
        if depth > MAX_NESTING:
            raise ConfigError(f"a config nested more than {MAX_NESTING} deep", where="/".join(path))
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
        copy = {key: self.config(item, below, depth + 1) for key, item in value.items()}
        return {**_module(copy), **copy} if depth else copy


def _module(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The module and registered name of a class, which the entries of legacy files leave out.

    Without a module Keras makes a layer as one of a legacy file. If the file is none, it then forgets the user's
    custom objects before it makes the layers within (`functional_from_config`, keras/src/models/functional.py, 3.15).
    """
    if "module" in entry or not (is_layer(entry) or _is_in_graph(entry)):
        return {}
    name, layer = entry["class_name"], legacy_layer(entry["class_name"])
    of_keras = is_of_keras(name, entry["config"])
    operations = None if is_layer(entry) or not of_keras else operation_module(name)  # "Add" may be either
    if operations is not None:
        return {"module": operations, "registered_name": name}
    if layer is not None:
        return {
            "module": MODULES_OF_MODELS.get(name) or public_module(layer) or "keras.layers",
            "registered_name": None,
        }
    outside_layer = (
        internal_layer(Args.of(entry)) if name in INTERNAL_LAYERS and isinstance(entry["config"], Mapping) else None
    )
    if outside_layer is not None:
        return {"module": outside_layer.module, "registered_name": name}
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
    """Whether a layer is a Lambda whose function is code, or from a module that may be any program's.

    A function that the author registered, or wrote in the script that saved the model, is not.
    """
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
