"""Lambda layers: a function with a name is kept; code is replaced by a function of the user's own (--replace)."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ckpttool.conversion.journal import Edit, Journal, NeedKind
from ckpttool.errors import ConversionError
from ckpttool.model import numpy_values
from ckpttool.model.arguments import MAX_DEPTH, Args
from ckpttool.model.entries import function_entry
from ckpttool.paths import join_path

REPLACE_LAMBDA = Edit(
    "replace-lambda",
    "puts a function of yours in place of the code of a Lambda layer (--replace)",
    "as your function is",
)
NAME_LAMBDA = Edit(
    "name-lambda",
    "writes the function of a Lambda layer, which the file has by name, so that Keras 3 looks it up in custom_objects",
    "as that function is",
)
EDITS = (REPLACE_LAMBDA, NAME_LAMBDA)

Names = tuple[str, str]
"""The label and the name of a Lambda layer."""


def place_of(functions: Mapping[str, str], layer: Names) -> str | None:
    """The user's function for a Lambda layer, by its name, its label, or a pattern of either; None if there is none."""
    label, name = layer
    by_name = functions.get(name) or functions.get(label)
    return by_name or next((place for pattern, place in functions.items() if _matches(pattern, layer)), None)


def _matches(pattern: str, layer: Names) -> bool:
    return pattern in layer or any(fnmatchcase(text, pattern) for text in layer)


def check(functions: Mapping[str, str], layers: Iterable[Names]) -> None:
    """Raise ConversionError for functions whose Lambda layer does not exist."""
    layers = list(layers)
    idle = [pattern for pattern in functions if not any(_matches(pattern, layer) for layer in layers)]
    if not idle:
        return
    there = ", ".join(label for label, _ in layers)
    raise ConversionError(
        f"--replace {', '.join(idle)}: no Lambda layer of this name",
        expected=f"the name or label of one, or a pattern: {there}" if there else "a model with Lambda layers",
        found="" if there else "a model without",
    )


def layers_in(entry: Any, label: str = "", depth: int = 0) -> Iterator[Names]:
    """The Lambda layers in a config, at any depth."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if depth > MAX_DEPTH or not isinstance(config, Mapping | list):
        return
    for layer in _inner_entries(config):
        if not isinstance(layer, Mapping):
            continue
        inner = layer.get("config")
        name = inner.get("name") if isinstance(inner, Mapping) else layer.get("name")
        below = join_path(label, str(name))
        if layer.get("class_name") == "Lambda":
            yield below, str(name)
        yield from layers_in(layer, below, depth + 1)


def _inner_entries(config: Mapping[str, Any] | list[Any]) -> list[Any]:
    if isinstance(config, list):
        return config
    lists = [config[key] for key in ("layers", "cells") if isinstance(config.get(key), list)]
    return [*(item for entries in lists for item in entries), *(config.get(key) for key in ("layer", "cell"))]


def named_function(args: Args) -> str | None:
    """The name of the function of a Lambda layer, None where the file has its code, or names a module to import."""
    function = args.config.get("function")
    if isinstance(function, Mapping):
        name, of_python = function.get("config"), function.get("module") in (None, "builtins")
        is_function = function.get("class_name") == "function" and of_python
        return name if is_function and isinstance(name, str) and _is_name(name) else None
    by_name = args.config.get("function_type") == "function" and isinstance(function, str)
    return function if by_name and _is_name(str(function)) else None


def _is_name(name: str) -> bool:
    return name.rpartition(">")[2].isidentifier() and "<" not in name


def bare(args: Args) -> dict[str, Any]:
    """The arguments of a Lambda layer without its function."""
    return {key: args.config[key] for key in ("name", "trainable", "dtype") if key in args.config}


def named(old: Args, args: Args, name: str, label: str, journal: Journal) -> dict[str, Any]:
    """The arguments of a Lambda layer whose function has a name."""
    how = "import the module that registers it, or " if ">" in name else ""
    value = "..." if ">" in name else name
    need = f'the function {name} of the Lambda {label}: {how}load_model(..., custom_objects={{"{name}": {value}}})'
    journal.need(name, need, NeedKind.FUNCTION)
    function = args.config.get("function")
    if isinstance(function, Mapping) and "module" in function:  # as Keras 3 writes it
        return {**args.config, "arguments": _arguments(old)}
    journal.edit(NAME_LAMBDA, label, name)
    return {**bare(args), "function": function_entry(None, name), "arguments": _arguments(old)}


def replaced(old: Args, args: Args, place: str, label: str, journal: Journal) -> dict[str, Any]:
    """The arguments of a Lambda layer with the function `package.module:function` and the old one's own arguments."""
    module, _, name = place.partition(":")
    journal.edit(REPLACE_LAMBDA, label, place)
    how = f'keras.models.load_model(..., custom_objects={{"{name}": {module}.{name}}})'
    journal.need(name, how, NeedKind.FUNCTION)
    return {**bare(args), "function": function_entry(module, name), "arguments": _arguments(old)}


def _arguments(old: Args) -> dict[str, Any]:
    """The arguments of the function beside its input."""
    arguments = old.config.get("arguments")
    return (
        {key: numpy_values.keras3_value(value) for key, value in arguments.items()}
        if isinstance(arguments, Mapping)
        else {}
    )
