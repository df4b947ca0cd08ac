"""The default arguments of the constructors of Keras 3.15, which count where a config leaves an argument out.

`defaults.json` beside this module has them, a line for each class; `python -m tests.recorded` writes it,
and a test compares it with live Keras. An object with default arguments is written as its name ("glorot_uniform"), a
dtype policy likewise; null where the default follows from other arguments. Arguments without a default are under
`required`; the arguments of all layers are under `Layer`, the exceptions under `refused`.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ckpttool.model.class_names import ALIASES, snake_case

_NOTHING: Mapping[str, Any] = {}


def defaults_of(kind: str, class_name: str) -> Mapping[str, Any] | None:
    """The optional arguments of a built-in class with their defaults; None where there is no such class.

    `kind` is layers, initializers, regularizers, constraints, losses, metrics, optimizers or schedules.
    """
    return _by_kind(kind).get(class_name)


def arguments_of(class_name: str) -> frozenset[str] | None:
    """The arguments that the config of a built-in layer may have; None where there is no such class."""
    defaults = defaults_of("layers", class_name)
    if defaults is None:
        return None
    own = ALIASES.get(class_name, class_name)
    return frozenset({"name", *defaults, *_table()["required"].get(own, ())}).difference(
        _table()["refused"].get(own, ())
    )


def class_called(kind: str, name: str) -> str | None:
    """The class of a kind that a name in a config stands for: the class's own name, its snake case, or a further one
    ("glorot_uniform", "GlorotUniform", "mse"); None where there is no such class."""
    return _called(kind).get(name)


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    table: Mapping[str, Mapping[str, Any]] = json.loads(Path(__file__).with_name("defaults.json").read_text("utf-8"))
    return table


@cache
def _by_kind(kind: str) -> Mapping[str, Mapping[str, Any]]:
    """The defaults of all classes of a kind; layers with those that all layers have, and under their aliases."""
    classes = _table().get(kind, _NOTHING)
    if kind != "layers":
        return classes
    every = classes["Layer"]
    defaults = {name: {**every, **own} for name, own in classes.items()}
    defaults |= {name: dict(every) for name in ("Functional", "Sequential")}
    return defaults | {alias: defaults[name] for alias, name in ALIASES.items()}


@cache
def _called(kind: str) -> Mapping[str, str]:
    """The classes of a kind by all their names; those of optimizers also in lower case."""
    classes = _table().get(kind, _NOTHING)
    names = {name: name for name in classes} | {snake_case(name): name for name in classes}
    names |= {name.lower(): name for name in classes} if kind == "optimizers" else {}
    return {**names, **_table()["names"].get(kind, _NOTHING)}
