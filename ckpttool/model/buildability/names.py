"""The names of Keras 3.15: its classes and functions by module, and by the short names of configs.

`names.json` beside this module holds them; `python -m tests.recorded` writes it, and a test
compares it with live Keras. A class is told by its place, the module that defines it and its name
("keras.src.layers.core.dense.Dense"), a function by its module and name with a colon between.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_NOTHING: Mapping[str, str] = {}
_BUILTIN_MODULES = (
    *("activations", "constraints", "initializers", "losses", "metrics", "optimizers"),
    "regularizers",
)


def public(module: str, name: str) -> str | None:
    """The place of a public name: `keras.layers` and `Dense` (`get_symbol_from_name`, keras/src/api_export.py)."""
    return _group("symbols").get(module, _NOTHING).get(name)


def builtin_function(name: str) -> str | None:
    """The place of a function that a config says is of module `builtins`."""
    return next((place for kind in _BUILTIN_MODULES if (place := public(f"keras.{kind}", name))), None)


def saveable(module: str, name: str) -> str | None:
    """The place of a class that Keras takes of a module by importing it: `keras.src.layers.core.dense` and `Dense`."""
    return _group("modules").get(module, _NOTHING).get(name)


def operation_module(name: str) -> str | None:
    """The module of the operation of this class name, `NotEqual`; None where it is in none, or in several."""
    modules = [
        module for module, names in _group("modules").items() if module.startswith("keras.src.ops.") if name in names
    ]
    return modules[0] if len(modules) == 1 else None


def is_module(module: str) -> bool:
    """Whether Keras 3.15 has a module of this name with classes that a config may name."""
    return module in _group("modules")


def legacy_layer(name: str) -> str | None:
    """The place of a class that a config without `module` may name."""
    return _group("legacy")["layers"].get(name)


def is_layer_function(value: Any) -> bool:
    """Whether a text is the name of a function in `keras.layers`, such as `dot`."""
    return isinstance(value, str) and ":" in (public("keras.layers", value) or "")


def named(kind: str, name: str) -> str | None:
    """The place of what a short name means: `relu` of kind `activations`, `mse` of `losses`."""
    return _group("lookups").get(kind, _NOTHING).get(name)


def public_module(place: str) -> str | None:
    """The public module of a class or function, under the first name that Keras exports it by."""
    return _public_modules().get(place)


def is_known(name: str) -> bool:
    """Whether Keras 3.15 has a class or function of this name, wherever."""
    return name in _every_name()


def places(name: str) -> frozenset[str]:
    """The places of all classes and functions that Keras 3.15 has under this name, wherever."""
    return _places().get(name, frozenset())


def is_function(place: str) -> bool:
    """Whether a place is that of a function."""
    return ":" in place


def class_in_keras(entry: Mapping[str, Any]) -> str | None:
    """The place of the class that Keras 3.15 itself finds for `{"module", "class_name", "registered_name"}`.

    None where it finds none, and the class is the user's own or one that Keras 3 has no longer. Covers classes outside
    `keras.layers`, such as `LayerScale` of keras.src.applications.convnext, and those of optimizers, losses and so on.
    """
    module, name = entry.get("module"), entry.get("class_name")
    if not isinstance(name, str):
        return None
    if "module" not in entry:
        return legacy_layer(name)
    if not isinstance(module, str):
        return None
    place = public(module, name)
    if place is None or is_function(place):
        place = saveable(module, name)
    return place


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    table: Mapping[str, Mapping[str, str]] = json.loads(Path(__file__).with_name("names.json").read_text("utf-8"))
    return table


@cache
def _only() -> Mapping[str, str]:
    """The places of the names that only one class or function has."""
    every = ((module, name) for module, names in _table()["defined"].items() for name in names.split())
    return {name.removeprefix(":"): module + (name if name[0] == ":" else f".{name}") for module, name in every}


@cache
def _public_modules() -> Mapping[str, str]:
    return {place: module for module, names in _group("symbols").items() for place in names.values()}


@cache
def _every_name() -> frozenset[str]:
    return frozenset(_places())


@cache
def _places() -> Mapping[str, frozenset[str]]:
    groups, by_name = ("symbols", "modules", "lookups", "legacy"), defaultdict[str, set[str]](set)
    for names in (names for group in groups for names in _group(group).values()):
        for name, place in names.items():
            by_name[name].add(place)
    return {name: frozenset(several) for name, several in by_name.items()}


@cache
def _group(group: str) -> Mapping[str, Mapping[str, str]]:
    return {key: dict(map(_pair, names.split())) for key, names in _table()[group].items()}


def _pair(entry: str) -> tuple[str, str]:
    name, _, place = entry.partition("=")
    return name, place or _only()[name]
