"""Entries of layers of old Keras in the form of Keras 3.

Unknown parts stay unchanged: classes of the user's own, classes that were removed from Keras 3, arguments without a
counterpart. So nothing that a weight depends on is lost, and a conversion sees what it cannot carry over.
"""

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ckpttool.model import numpy_values
from ckpttool.model.arguments import Args
from ckpttool.model.entries import layer_entry
from ckpttool.model.generations.change import Change
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.unstated_data_formats import ordered
from ckpttool.model.generations.values import Config, Spelling, spelled_1, spelled_2
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS, of_kind
from ckpttool.model.sizes import is_integer, read_shape

_MODELS = of_kind("model")
_INNER = ("layer", "backward_layer", "cell")
_INNER_LISTS = ("layers", "cells")
_ENTRY_KEYS = ("name", "inbound_nodes", "build_config")  # the keys of an entry beside class and config

# The layers of Keras 1 whose `input_dim` is the last axis of their input, with one or with two axes before it.
_FLAT = frozenset({"Dense", "Highway", "MaxoutDense"})
_IN_TIME = frozenset({"Conv1D", "GRU", "LSTM", "LocallyConnected1D", "SimpleRNN"})


class _Dialect(NamedTuple):
    """The changes from one generation to Keras 3: of known classes, of all others, of values of arguments."""

    changes: Mapping[str, Change]
    others: Change
    spelled: Spelling


@functools.cache
def _dialect(generation: Generation) -> _Dialect:
    """The dialect of a generation before Keras 3, whose table is imported when a config is in it."""
    if generation is Generation.KERAS_2:
        from ckpttool.model.generations import keras2

        return _Dialect(keras2.CHANGES, keras2.OTHERS, spelled_2)
    from ckpttool.model.generations import keras1

    return _Dialect(keras1.CHANGES, keras1.OTHERS, spelled_1)


def change_of(class_name: str, generation: Generation) -> Change:
    """The change of a class of this generation to Keras 3; none for one of Keras 3."""
    if generation is Generation.KERAS_3:
        return Change()
    dialect = _dialect(generation)
    return dialect.changes.get(class_name, dialect.others)


def normalized(entry: Any, generation: Generation) -> Mapping[str, Any]:
    """The entry in the form of Keras 3, inner layers included; a new value.

    Entries of Keras 3, of the user's classes and of classes that Keras 3 lacks come back with their arguments, the
    latter in the form of Keras 2 where they were in it. The input shape in the config of a layer becomes the
    `build_config` of a layer by itself and the InputLayer of a Sequential model whose first layer it is; on later
    layers it is dropped, where old Keras used the output of the layer before. Raises ConfigError for an invalid entry
    and for one that is nested too deeply.
    """
    if generation is Generation.KERAS_3:
        return _normalized(entry, generation, 0)
    entry = ordered(numpy_values.plain(entry), generation)
    entry = canonical(entry, generation)
    return _alone(entry, _normalized(entry, generation, 0))


def _alone(entry: Any, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Keras 3 entry of a layer by itself, with the shape that its old entry declares, as there is no graph."""
    args = Args.of(entry)
    if args.foreign or result["class_name"] in {"InputLayer"} | _MODELS or "build_config" in result:
        return result
    shape = _declared(args, result["class_name"])
    return result if shape is None else {**result, "build_config": {"input_shape": list(shape)}}


def canonical(entry: Any, generation: Generation) -> Any:
    """The entry as `{"class_name", "config"}`, with a graph in place of a `Merge` that lists its branches."""
    if generation is Generation.KERAS_0:
        return unflattened(entry)
    if generation is Generation.KERAS_3:
        return entry
    from ckpttool.model.generations.keras1_branches import unmerged  # as above

    return unmerged(entry)


def _normalized(entry: Any, generation: Generation, depth: int) -> Mapping[str, Any]:
    if generation is Generation.KERAS_0:
        entry = unflattened(entry)
    if generation is Generation.KERAS_2:
        entry = _registered(entry)
    args = Args.of(entry, depth)  # checks, and refuses what is too deep
    if generation is Generation.KERAS_3 or args.foreign:
        return dict(entry)
    if args.class_name == "Merge":
        return _merge(entry, args, generation)
    if args.class_name not in LAYERS and args.class_name not in _dialect(generation).changes:
        return _removed(entry, args, generation)
    return _changed(entry, args, generation)


def _registered(entry: Any) -> Any:
    """The entry of Keras 2.13 or later with the registered name of its class as class name, as older files have it, if
    Keras 3 has a layer for that."""
    name = entry.get("registered_name") if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or ">" not in name or name not in _dialect(Generation.KERAS_2).changes:
        return entry
    rest = {key: value for key, value in entry.items() if key not in ("module", "registered_name")}
    return {**rest, "class_name": name}


def _changed(entry: Mapping[str, Any], args: Args, generation: Generation) -> Config:
    """The entry of a built-in layer in the form of Keras 3."""
    dialect = _dialect(generation)
    change = dialect.changes.get(args.class_name, dialect.others)
    class_name = change.class_name or args.class_name
    config = change.of({key: value for key, value in args.config.items() if key not in _SHAPE_ARGUMENTS})
    declared = _declared(args, class_name) if class_name == "InputLayer" else None
    if declared is not None:
        config["batch_shape"] = list(declared)
    config = {key: dialect.spelled(key, value) for key, value in config.items()}
    config = _with_inner(config, generation, args.depth)
    if class_name == "Sequential":
        config = {"name": _name_beside(entry), **_with_input(config, args, generation)}
    return _entry(entry, args, class_name, config)


_SHAPE_ARGUMENTS = frozenset({"batch_input_shape", "input_shape", "query_shape", "value_shape", "key_shape"})


def _entry(entry: Mapping[str, Any], args: Args, class_name: str, config: Config) -> Config:
    known = class_name in LAYERS or class_name in _MODELS
    result = layer_entry(class_name, config) if known else {"class_name": class_name, "config": config}
    result |= {key: entry[key] for key in _ENTRY_KEYS if key in entry}
    if "build_config" not in result and class_name != "InputLayer":
        result |= _built(args, class_name)
    return result | _declared_entry(args, class_name)


def _removed(entry: Mapping[str, Any], args: Args, generation: Generation) -> Config:
    """The entry of a class that Keras 3 lacks: its regularizers and constraints as Keras 3 writes them, and the input
    shape that it declares, since its replacement depends on these; all else is unchanged."""
    if args.class_name not in OLD_LAYERS:
        return dict(entry)
    spelled = _dialect(generation).spelled
    config = {key: spelled(key, value) if key.endswith(_OBJECTS) else value for key, value in args.config.items()}
    return {**entry, "config": config, **_declared_entry(args, args.class_name)}


_OBJECTS = ("_regularizer", "_constraint")


def _declared_entry(args: Args, class_name: str) -> Config:
    """The key of an entry for the input shape that a layer declares whose class Keras 3 lacks."""
    shape = _declared(args, class_name) if class_name in OLD_LAYERS else None
    return {} if shape is None else {"declared_shape": list(shape)}


def _merge(entry: Mapping[str, Any], args: Args, generation: Generation) -> Config:
    """The entry of the layer that replaces a `Merge`; a `Merge` that lists its inputs keeps its class."""
    from ckpttool.model.generations.keras1 import merged

    replacement = merged(args.config)
    if replacement is None:  # of Keras 0, or one whose branches form no graph
        return {**entry, "config": _with_inner(dict(args.config), generation, args.depth)}
    return _entry(entry, args, *replacement)


def _with_inner(config: Config, generation: Generation, depth: int) -> Config:
    """The arguments of a layer with the entries of its inner layers in the form of Keras 3."""
    for key in _INNER:
        if isinstance(config.get(key), Mapping):
            config[key] = _normalized(config[key], generation, depth + 1)
    for key in _INNER_LISTS:
        if isinstance(config.get(key), list):
            entries = [_normalized(entry, generation, depth + 1) for entry in config[key]]
            config[key] = (
                _with_unique_names(entries) if generation is Generation.KERAS_0 else _with_numbered_names(entries)
            )
    return config


_UNNAMED = "sequential"  # up to Keras 2.2.2 the config of a Sequential model has no name


def _name_beside(entry: Mapping[str, Any]) -> str:
    """The name of a model in the graph around it."""
    name = entry.get("name")
    return name if isinstance(name, str) and "class_name" in entry else _UNNAMED


def _with_numbered_names(layers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The layers of a model, unnamed Sequential models among them numbered from the second on."""
    renamed, count = list[Mapping[str, Any]](), 0
    for layer in layers:
        config = layer.get("config")
        unnamed = isinstance(config, Mapping) and config.get("name") == _UNNAMED and layer["class_name"] == "Sequential"
        count += unnamed
        renamed.append(_renamed(layer, f"{_UNNAMED}_{count - 1}") if unnamed and count > 1 else layer)
    return renamed


def _with_unique_names(layers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The layers of a model of Keras 0, which may all have the name of their class, numbered from the second layer of a
    name on."""
    renamed, used, numbers = list[Mapping[str, Any]](), set[str](), defaultdict[str, Iterator[int]](itertools.count)
    for layer in layers:
        name = Args.of(layer).name
        unique = next(unique for at in numbers[name] if (unique := f"{name}_{at}" if at else name) not in used)
        used.add(unique)
        renamed.append(_renamed(layer, unique) if unique != name else layer)
    return renamed


def _renamed(layer: Mapping[str, Any], name: str) -> Config:
    return {**layer, "config": {**layer["config"], "name": name}}


def _built(args: Args, class_name: str) -> Config:
    """The `build_config` of a layer that has the shapes which it was built for among its arguments."""
    shapes = {key: read_shape(args.config.get(key)) for key in ("query_shape", "value_shape", "key_shape")}
    known = {key: list(shape) for key, shape in shapes.items() if shape is not None}
    return {"build_config": {"shapes_dict": known}} if known and class_name == "MultiHeadAttention" else {}


def _declared(args: Args, class_name: str) -> tuple[int | None, ...] | None:
    """The input shape that a layer's config declares, batch axis included."""
    whole = args.config.get("batch_input_shape")
    if whole is None and isinstance(args.config.get("input_shape"), list):
        whole = [None, *args.config["input_shape"]]
    if whole is not None:
        return read_shape(whole)
    return read_shape(list(_by_size(args, class_name)) or None)


def _by_size(args: Args, class_name: str) -> Iterator[Any]:
    """The input shape by `input_dim` and `input_length` of Keras 1, empty where these are missing."""
    size, length = args.config.get("input_dim"), args.config.get("input_length")
    if not is_integer(size) or class_name not in _FLAT | _IN_TIME:
        return
    yield None
    if class_name in _IN_TIME:
        yield length
    yield size


def _with_input(config: Config, args: Args, generation: Generation) -> Config:
    """The arguments of a Sequential model with an InputLayer of the input shape of its first layer, or of the shape
    that it was built for when it was first called (`build_input_shape`, keras/engine/sequential.py, 2.2.4). A first
    layer that is a model has the shape among its own arguments, as TensorFlow 1.15 and 2.0 wrote it, or needs none."""
    layers = config.get("layers")
    if not isinstance(layers, list) or not layers or layers[0]["class_name"] in ("InputLayer", "Merge"):
        return config
    entry = args.config["layers"][0]
    source = Args.of(unflattened(entry) if generation is Generation.KERAS_0 else entry, args.depth + 1)
    built_for = None if layers[0]["class_name"] in _MODELS else config.get("build_input_shape")
    shape = _declared(source, layers[0]["class_name"]) or read_shape(built_for)
    if shape is None:
        return config
    dtype = source.config.get("input_dtype")
    arguments = {"batch_shape": list(shape), "dtype": dtype if isinstance(dtype, str) else "float32"}
    named = {"name": f"{source.name}_input", **arguments}
    return {**config, "layers": [layer_entry("InputLayer", named), *layers]}


def unflattened(entry: Any) -> Any:
    """An entry of Keras 0.3 as `{"class_name", "config"}`; any other entry unchanged."""
    if not isinstance(entry, Mapping) or "class_name" in entry or not isinstance(entry.get("name"), str):
        return entry
    is_model = isinstance(entry.get("layers"), list) and entry["name"] in _MODELS
    config = {key: entry[key] for key in ("layers",) if is_model} or dict(entry)
    config.pop("name", None)
    name = config.pop("custom_name", entry.get("custom_name"))
    return {"class_name": entry["name"], "config": {**({"name": name} if name is not None else {}), **config}}
