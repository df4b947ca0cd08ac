"""The entry of a layer of old Keras as the entry of Keras 3 that it stands for.

What is not known stays as it is: classes of the user's own, classes that Keras 3 has no more, arguments that have no
place today. So nothing that decides a weight is lost, and what a conversion cannot carry over can still be seen.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.model import numpy_values
from ckpttool.model.arguments import Args
from ckpttool.model.generations import keras1, keras2
from ckpttool.model.generations.change import Change
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.keras1_branches import unmerged
from ckpttool.model.generations.keras1_data_format import ordered
from ckpttool.model.generations.values import Config, Spelling, spelled_1, spelled_2
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS, of_kind
from ckpttool.model.sizes import is_integer, read_shape

_MODELS = of_kind("model")
_HELD = ("layer", "backward_layer", "cell")
_HELD_LISTS = ("layers", "cells")
_BESIDE = ("name", "inbound_nodes", "build_config")  # what an entry may have beside class and config

# The layers of Keras 1 whose `input_dim` is the last axis of what they take: how many axes come before it.
_FLAT = frozenset({"Dense", "Highway", "MaxoutDense"})
_IN_TIME = frozenset({"Conv1D", "GRU", "LSTM", "LocallyConnected1D", "SimpleRNN"})


class _Dialect(NamedTuple):
    """How one generation says things."""

    changes: Mapping[str, Change]
    others: Change
    spelled: Spelling


_FIRST = _Dialect(keras1.CHANGES, keras1.OTHERS, spelled_1)
_DIALECTS: Mapping[Generation, _Dialect] = MappingProxyType(
    {
        Generation.KERAS_0: _FIRST,
        Generation.KERAS_1: _FIRST,
        Generation.KERAS_2: _Dialect(keras2.CHANGES, keras2.OTHERS, spelled_2),
    }
)


def change_of(class_name: str, generation: Generation) -> Change:
    """What happened to the arguments of a class of this generation; nothing to one of Keras 3."""
    dialect = _DIALECTS.get(generation)
    return dialect.changes.get(class_name, dialect.others) if dialect else Change()


def normalized(entry: Any, generation: Generation) -> Mapping[str, Any]:
    """The Keras 3 entry that an entry of this generation stands for, with the layers that it holds; a new value.

    Entries of Keras 3, of the user's classes and of classes that Keras 3 lacks come back with their arguments, the
    latter in the words of Keras 2 where they were in it. The input shape that a layer states is that of a layer alone
    (its `build_config`) and of the first layer of a Sequential model (the InputLayer that Keras 3 has there); further
    behind old Keras took what the layer before gave. Raises ConfigError for what is no layer, or too deep.
    """
    if generation is Generation.KERAS_3:
        return _normalized(entry, generation, 0)
    entry = numpy_values.plain(entry)
    entry = restated(ordered(entry) if generation in (Generation.KERAS_0, Generation.KERAS_1) else entry, generation)
    return _alone(entry, _normalized(entry, generation, 0))


def _alone(entry: Any, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of a layer by itself with the shape that it states, which no graph tells otherwise."""
    args = Args.of(entry)
    if args.foreign or found["class_name"] in {"InputLayer"} | _MODELS or "build_config" in found:
        return found
    shape = _declared(args, found["class_name"])
    return found if shape is None else {**found, "build_config": {"input_shape": list(shape)}}


def restated(entry: Any, generation: Generation) -> Any:
    """An entry as `{"class_name", "config"}`, with a graph in place of branches that are listed in a `Merge`."""
    if generation is Generation.KERAS_0:
        return unflattened(entry)
    return entry if generation is Generation.KERAS_3 else unmerged(entry)


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
    if args.class_name not in LAYERS and args.class_name not in _DIALECTS[generation].changes:
        return _kept(entry, args, generation)
    return _changed(entry, args, generation)


def _registered(entry: Any) -> Any:
    """An entry of Keras 2.13 on under the registered name of its class, as older files have it, where Keras 3 has a
    layer for that."""
    name = entry.get("registered_name") if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or ">" not in name or name not in keras2.CHANGES:
        return entry
    kept = {key: value for key, value in entry.items() if key not in ("module", "registered_name")}
    return {**kept, "class_name": name}


def _changed(entry: Mapping[str, Any], args: Args, generation: Generation) -> Config:
    """The entry of a built-in layer."""
    dialect = _DIALECTS[generation]
    change = dialect.changes.get(args.class_name, dialect.others)
    class_name = change.class_name or args.class_name
    config = change.of({key: value for key, value in args.config.items() if key not in _STATED_APART})
    declared = _declared(args, class_name) if class_name == "InputLayer" else None
    if declared is not None:
        config["batch_shape"] = list(declared)
    config = {key: dialect.spelled(key, value) for key, value in config.items()}
    config = _with_held(config, generation, args.depth)
    if class_name == "Sequential":
        config = {"name": _name_beside(entry), **_with_input(config, args, generation)}
    return _entry(entry, args, class_name, config)


_STATED_APART = frozenset({"batch_input_shape", "input_shape", "query_shape", "value_shape", "key_shape"})


def _entry(entry: Mapping[str, Any], args: Args, class_name: str, config: Config) -> Config:
    known = {"module": "keras.layers", "registered_name": None} if class_name in LAYERS else {}
    if class_name in _MODELS:
        known["module"] = "keras.src.models.functional" if class_name == "Functional" else "keras"
    found = {**known, "class_name": class_name, "config": config}
    found |= {key: entry[key] for key in _BESIDE if key in entry}
    if "build_config" not in found and class_name != "InputLayer":
        found |= _built(args, class_name)
    return found | _stated(args, class_name)


def _kept(entry: Mapping[str, Any], args: Args, generation: Generation) -> Config:
    """The entry of a class that is not in Keras 3: as it is, with its input shape where that was declared, since what
    takes its place depends on the shape."""
    if args.class_name not in OLD_LAYERS:
        return dict(entry)
    return {**entry, "config": dict(args.config), **_stated(args, args.class_name)}


def _stated(args: Args, class_name: str) -> Config:
    """The input shape that a layer states which Keras 3 has not."""
    shape = _declared(args, class_name) if class_name in OLD_LAYERS else None
    return {} if shape is None else {"stated_shape": list(shape)}


def _merge(entry: Mapping[str, Any], args: Args, generation: Generation) -> Config:
    """The entry of the layer that does what a `Merge` does; one that lists its inputs keeps its class."""
    found = keras1.merged(args.config)
    if found is None:  # of Keras 0, or one that lists what tells no graph
        return {**entry, "config": _with_held(dict(args.config), generation, args.depth)}
    return _entry(entry, args, *found)


def _with_held(config: Config, generation: Generation, depth: int) -> Config:
    """The arguments of a layer with the entries of the layers that it holds as those of Keras 3."""
    for key in _HELD:
        if isinstance(config.get(key), Mapping):
            config[key] = _normalized(config[key], generation, depth + 1)
    for key in _HELD_LISTS:
        if isinstance(config.get(key), list):
            held = [_normalized(entry, generation, depth + 1) for entry in config[key]]
            config[key] = _told_apart(held) if generation is Generation.KERAS_0 else _named(held)
    return config


_UNNAMED = "sequential"  # up to Keras 2.2.2 the config of a Sequential model has no name


def _name_beside(entry: Mapping[str, Any]) -> str:
    """The name that a graph has for a model."""
    name = entry.get("name")
    return name if isinstance(name, str) and "class_name" in entry else _UNNAMED


def _named(layers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The layers of a model, those Sequential ones that have no name of their own numbered from the second on."""
    found, count = list[Mapping[str, Any]](), 0
    for layer in layers:
        config = layer.get("config")
        unnamed = isinstance(config, Mapping) and config.get("name") == _UNNAMED and layer["class_name"] == "Sequential"
        count += unnamed
        found.append(_renamed(layer, f"{_UNNAMED}_{count - 1}") if unnamed and count > 1 else layer)
    return found


def _told_apart(layers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The layers of a model of Keras 0, which may all have the name of their class, numbered from the second of a name
    on."""
    found, used, numbers = list[Mapping[str, Any]](), set[str](), defaultdict[str, Iterator[int]](itertools.count)
    for layer in layers:
        name = Args.of(layer).name
        unique = next(unique for at in numbers[name] if (unique := f"{name}_{at}" if at else name) not in used)
        used.add(unique)
        found.append(_renamed(layer, unique) if unique != name else layer)
    return found


def _renamed(layer: Mapping[str, Any], name: str) -> Config:
    return {**layer, "config": {**layer["config"], "name": name}}


def _built(args: Args, class_name: str) -> Config:
    """The `build_config` of a layer that keeps the shapes which it was built for among its arguments."""
    shapes = {key: read_shape(args.config.get(key)) for key in ("query_shape", "value_shape", "key_shape")}
    stated = {key: list(shape) for key, shape in shapes.items() if shape is not None}
    return {"build_config": {"shapes_dict": stated}} if stated and class_name == "MultiHeadAttention" else {}


def _declared(args: Args, class_name: str) -> tuple[int | None, ...] | None:
    """The shape of its input that a layer's config declares, batch axis included."""
    whole = args.config.get("batch_input_shape")
    if whole is None and isinstance(args.config.get("input_shape"), list):
        whole = [None, *args.config["input_shape"]]
    if whole is not None:
        return read_shape(whole)
    return read_shape(list(_by_size(args, class_name)) or None)


def _by_size(args: Args, class_name: str) -> Iterator[Any]:
    """The shape that `input_dim` and `input_length` of Keras 1 tell, empty where they tell none."""
    size, length = args.config.get("input_dim"), args.config.get("input_length")
    if not is_integer(size) or class_name not in _FLAT | _IN_TIME:
        return
    yield None
    if class_name in _IN_TIME:
        yield length
    yield size


def _with_input(config: Config, args: Args, generation: Generation) -> Config:
    """The arguments of a Sequential model with the InputLayer that its first layer's input shape stands for, or the
    shape that it was built for when it was first called (`build_input_shape`, keras/engine/sequential.py, 2.2.4)."""
    layers = config.get("layers")
    if not isinstance(layers, list) or not layers or layers[0]["class_name"] in {"InputLayer", "Merge"} | _MODELS:
        return config
    entry = args.config["layers"][0]
    source = Args.of(unflattened(entry) if generation is Generation.KERAS_0 else entry, args.depth + 1)
    shape = _declared(source, layers[0]["class_name"]) or read_shape(config.get("build_input_shape"))
    if shape is None:
        return config
    dtype = source.config.get("input_dtype")
    own = {"batch_shape": list(shape), "dtype": dtype if isinstance(dtype, str) else "float32"}
    made = {"name": f"{source.name}_input", **own}
    entry_of_input = {"module": "keras.layers", "class_name": "InputLayer", "config": made, "registered_name": None}
    return {**config, "layers": [entry_of_input, *layers]}


def unflattened(entry: Any) -> Any:
    """An entry of Keras 0.3 as `{"class_name", "config"}`; anything else as it is."""
    if not isinstance(entry, Mapping) or "class_name" in entry or not isinstance(entry.get("name"), str):
        return entry
    is_model = isinstance(entry.get("layers"), list) and entry["name"] in _MODELS
    config = {key: entry[key] for key in ("layers",) if is_model} or dict(entry)
    config.pop("name", None)
    name = config.pop("custom_name", entry.get("custom_name"))
    return {"class_name": entry["name"], "config": {**({"name": name} if name is not None else {}), **config}}
