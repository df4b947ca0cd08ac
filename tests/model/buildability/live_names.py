"""The classes and functions that live Keras 3.15 finds by name: the content of ckpttool/model/buildability/names.json.

`python -m tests.recorded` writes it.
"""

import importlib
import inspect
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ckpttool.model.buildability import names
from tests.live import keras, modules

PATH = Path(names.__file__).with_name("names.json")

# The lookups of `get` and `deserialize`, by the package that has them.
LOOKUPS = (
    *("activations", "constraints", "dtype_policies", "initializers", "losses", "metrics", "optimizers"),
    *("quantizers", "regularizers"),
)


def table() -> dict[str, dict[str, Any]]:
    """The whole table.

    `symbols` are the public names by public module, `modules` the classes that Keras takes of any of its modules, both
    as `_retrieve_class_or_fn` looks them up (keras/src/saving/serialization_lib.py). `layers` are what a config without
    a module may name, and `lookups` what the name of an activation, a loss and so on may be. A name stands alone where
    it is that of the only class or function that is called so, by `defined`, else as `name=module.name`; functions have
    a colon in front of their names.
    """
    groups = {
        "symbols": _symbols(),
        "modules": _modules(),
        "lookups": {kind: _lookup(kind) for kind in LOOKUPS},
        "legacy": {"layers": _layers()},
    }
    places = {place for part in groups.values() for of in part.values() for place in of.values()}
    only = _unambiguous(places)
    parts = {group: {key: _short(of, only) for key, of in sorted(part.items())} for group, part in groups.items()}
    return {"defined": _by_module(only.values()), **parts}


def _symbols() -> dict[str, dict[str, str]]:
    """The public names that Keras registers, by module: `keras.layers`, `Dense` and the class."""
    names: dict[str, dict[str, str]] = {}
    for path, symbol in keras().src.api_export.REGISTERED_NAMES_TO_OBJS.items():
        module, _, name = path.rpartition(".")
        names.setdefault(module, {})[name] = _place(symbol)
    return names


# What Keras adds to its own module once it loads a config without modules (`model_from_config`, saving_utils.py).
_ADDED = ("Functional", "Model", "Sequential")


def _modules() -> dict[str, dict[str, str]]:
    """The classes that can be saved, by every module of Keras that has them, imported ones included."""
    names = {}
    saveable = importlib.import_module("keras.src.saving.keras_saveable").KerasSaveable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules(keras()):
            added = _ADDED if module.__name__ == "keras.src.layers" else ()
            own = {name: value for name, value in vars(module).items() if isinstance(value, type) and name not in added}
            saveables = {name: _place(cls) for name, cls in own.items() if issubclass(cls, saveable)}
            if saveables:
                names[module.__name__] = saveables
    return names


def _lookup(kind: str) -> dict[str, str]:
    return {name: _place(cls) for name, cls in getattr(keras().src, kind).ALL_OBJECTS_DICT.items()}


def _layers() -> dict[str, str]:
    """The classes among which `model_from_config` looks a name up (keras/src/legacy/saving/saving_utils.py)."""
    models = keras().src.models
    more = {"Functional": models.Functional, "Model": models.Model, "Sequential": models.Sequential}
    every = {**vars(keras().src.layers), **more}
    return {name: _place(cls) for name, cls in every.items() if inspect.isclass(cls)}


def _place(symbol: Any) -> str:
    """The module of a class or function with its name; the type of any other value."""
    if not (inspect.isclass(symbol) or inspect.isfunction(symbol)):
        return f"{type(symbol).__module__}:{type(symbol).__name__}"
    return f"{symbol.__module__}{'.' if inspect.isclass(symbol) else ':'}{symbol.__qualname__}"


def _unambiguous(places: Iterable[str]) -> dict[str, str]:
    """The names that only one class or function has, with their places."""
    by_name: dict[str, list[str]] = {}
    for place in places:
        by_name.setdefault(re.split("[.:]", place)[-1], []).append(place)
    return {name: places[0] for name, places in by_name.items() if len(places) == 1}


def _by_module(places: Iterable[str]) -> dict[str, list[str]]:
    """The names by the module that defines them; a function has a colon in front."""
    by_module: dict[str, list[str]] = {}
    for place in sorted(places):
        module, mark, name = re.match("(.*)([.:])(.*)", place).groups()  # type: ignore[union-attr]
        by_module.setdefault(module, []).append(f"{mark}{name}".removeprefix("."))
    return by_module


def _short(group: Mapping[str, str], only: Mapping[str, str]) -> list[str]:
    return sorted(name if only.get(name) == place else f"{name}={place}" for name, place in group.items())


def text() -> str:
    """The table as the file holds it: a line for each module, kind or name."""
    parts = []
    for group, lists in table().items():
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(' '.join(of))}" for key, of in lists.items())
        parts.append(f"{json.dumps(group)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
