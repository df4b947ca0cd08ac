"""Classes of an author's own that have the same name as a class of Keras: layers, and the objects in their arguments.

An `Attention` in a file of Keras 2.2.4 is not Keras's, which had no such layer, nor is one of TensorFlow 2.4 that takes
one tensor, and no `MaxNorm` is that lacks the `axis` which Keras's own `get_config` always states. Its entry gets null
as its module, as an own class has in Keras 3, so that it is not mistaken for the class of Keras.
"""

from collections.abc import Container, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.defaults import arguments_of, defaults_of
from ckpttool.model.generations.generation import Generation, entries_in, generation_of
from ckpttool.model.generations.known_names import Had, KerasVersion, config_keys

_INNER = ("layers", "layer", "backward_layer", "cell", "cells")
_KINDS = MappingProxyType(
    {
        **{"initializer": "initializers", "regularizer": "regularizers", "constraint": "constraints"},
        "activation": "layers",
    }
)
"""The kinds of the objects in arguments, by the last words of the names of these."""

_OF_ALL_LAYERS = frozenset(
    """
    activity_regularizer autocast batch_input_shape batch_size dtype dynamic experimental_autocast implementation
    input_dim input_shape name ragged sparse trainable weights
    """.split()
)
"""Arguments that every layer of Keras 2 takes (`Layer.__init__`, keras/engine/base_layer.py, 2.2.4 and 2.15), or has in
its config."""

_MERGING = frozenset({"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"})
ONE_TENSOR = (2, 5)
"""The first Keras that may merge a list of one tensor: `Concatenate` of 2.6 and all others of 2.10 do (`build`,
keras/layers/merge.py and merging/base_merge.py), all of 2.4 raise."""


_MAX_NESTING = 4 * MAX_DEPTH
_SEVERAL = 4
"""The least number of keys by which a config is told from one that is written by hand: `trainable` and three more."""


class _Writer(NamedTuple):
    """The Keras that wrote a config. `dumped`: by `get_config`; people who write one by hand leave arguments out."""

    version: KerasVersion
    dumped: bool


def is_dumped(config: Any) -> bool:
    """Whether `get_config` of Keras 2 wrote the config of a model: some layer of several arguments has all keys that
    Keras states for its class."""
    return isinstance(config, Mapping) and any(_is_whole(entry) for entry in entries_in(config))


def _is_whole(entry: Mapping[str, Any]) -> bool:
    """Whether the entry of a layer has all keys that Keras states for its class, and several."""
    class_name, arguments = entry.get("class_name"), entry.get("config")
    row = _config_keys()["layers"].get(class_name) if isinstance(class_name, str) else None
    if row is None or not isinstance(arguments, Mapping):
        return False
    return any(len(always) >= _SEVERAL and always <= arguments.keys() for always in row.always)


def marked(config: Any, version: Any = None) -> Any:
    """The config of a model with null as the module of objects that are not of Keras's class of their name; the same
    object where there are none. Where neither the config nor the file, whose version is `version`, says which Keras
    wrote it, all classes count as Keras's."""
    if not isinstance(config, Mapping):
        return config
    text = config.get("keras_version", version)
    generation = generation_of(config, version)
    if not isinstance(text, str) or generation not in (Generation.KERAS_1, Generation.KERAS_2):
        return config
    keras = KerasVersion.of(generation, text)
    return _marked(config, _Writer(keras, keras.version >= (2,) and is_dumped(config)), 0)


def unmarked(value: Any, names: Container[str], depth: int = 0) -> Any:
    """A config with the classes of these names as those of Keras, whatever their configs say; the same object where
    none has null as its module."""
    if depth > _MAX_NESTING:
        return value
    if isinstance(value, list):
        items = [unmarked(item, names, depth + 1) for item in value]
        return items if any(item is not other for item, other in zip(items, value, strict=True)) else value
    if not isinstance(value, Mapping):
        return value
    changed = {key: unmarked(item, names, depth + 1) for key, item in value.items()}
    if value.get("module", "") is None and isinstance(value.get("class_name"), str) and value["class_name"] in names:
        return {key: item for key, item in changed.items() if key not in ("module", "registered_name")}
    return changed if any(changed[key] is not item for key, item in value.items()) else value


def _marked(entry: Any, writer: _Writer, depth: int, chained: bool = False) -> Any:
    """An entry with null as its module where its class is the author's own. `chained`: in a Sequential model, behind
    another layer."""
    if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
        return entry
    config, class_name = entry.get("config"), entry.get("class_name")
    marked_config = _marked_config(config, writer, depth, class_name == "Sequential")
    result = entry if marked_config is config else {**entry, "config": marked_config}
    if not isinstance(class_name, str) or "module" in entry:
        return result
    version = writer.version
    own = (
        version.had("layers", class_name) is Had.NO
        or (version.version >= (2,) and is_unlike(class_name, config))
        or (writer.dumped and difference("layers", class_name, config) != "")
        or (class_name in _MERGING and (chained or (version.version < ONE_TENSOR and takes_one_tensor(entry))))
    )
    return {**result, "module": None} if own else result


def is_unlike(class_name: str, config: Any) -> bool:
    """Whether the config of a layer has none of the arguments that all versions of Keras 2 state for its class, or,
    where there are no such, one that no version has. A config without `trainable`, which Keras 2 states for every
    layer, is written by hand, and says nothing of that."""
    row = _config_keys()["layers"].get(class_name)
    if row is None or not isinstance(config, Mapping) or "trainable" not in config:
        return False
    arguments = config.keys() - _OF_ALL_LAYERS
    always = frozenset.union(*row.always) - _OF_ALL_LAYERS
    return always.isdisjoint(arguments) if always else not arguments <= row.sometimes


def difference(kind: str, class_name: str, config: Any) -> str:
    """The difference between a config that `get_config` wrote and those of Keras 2 for its class of this name and kind:
    keys that Keras always states, or that it never does; empty where there is none."""
    row = _config_keys().get(kind, {}).get(class_name)
    if row is None or not isinstance(config, Mapping):
        return ""
    missing = min((always - config.keys() for always in row.always), key=lambda keys: (len(keys), sorted(keys)))
    if missing:
        return f"its config lacks {_shown(missing)}, which that of Keras always has"
    more = config.keys() - row.arguments
    return f"its config has {_shown(more)}, which that of Keras never has" if more else ""


def _shown(keys: frozenset[str] | set[str]) -> str:
    """The first of some keys, shortened for a message."""
    first = [key[:40] for key in sorted(keys)[:3]]
    return ", ".join(first) + (" and others" if len(keys) > len(first) else "")


class _Row(NamedTuple):
    """The keys of the config of a class: the sets of which each version always has one, those that it may have beside
    them, and all these with what else its constructors take."""

    always: tuple[frozenset[str], ...]
    sometimes: frozenset[str]
    arguments: frozenset[str]


@cache
def _config_keys() -> Mapping[str, Mapping[str, _Row]]:
    """The rows of all classes, by kind and class."""
    return {kind: {name: _row(kind, name, row) for name, row in rows.items()} for kind, rows in config_keys().items()}


def _row(kind: str, class_name: str, keys: Mapping[str, Any]) -> _Row:
    always, sometimes = tuple(frozenset(each) for each in keys["always"]), frozenset(keys["sometimes"])
    every = arguments_of(class_name) if kind == "layers" else defaults_of(kind, class_name)
    return _Row(always, sometimes, sometimes.union(*always, every or (), _OF_ALL_LAYERS if kind == "layers" else ()))


def takes_one_tensor(entry: Mapping[str, Any]) -> bool:
    """Whether a layer of Keras 2 is called, and each call gives it one tensor."""
    nodes = entry.get("inbound_nodes")
    return isinstance(nodes, list) and bool(nodes) and all(isinstance(node, list) and len(node) == 1 for node in nodes)


def _marked_config(config: Any, writer: _Writer, depth: int, chain: bool) -> Any:
    """The config of a layer with the entries of inner layers and of other objects marked. `chain`: that of a Sequential
    model."""
    if isinstance(config, list):
        return _all(config, writer, depth, chain)
    if not isinstance(config, Mapping):
        return config
    changed = {key: _marked_argument(key, value, writer, depth, chain) for key, value in config.items()}
    return changed if any(changed[key] is not value for key, value in config.items()) else config


def _marked_argument(key: str, value: Any, writer: _Writer, depth: int, chain: bool) -> Any:
    """The value of an argument with the entries in it marked."""
    if key in _INNER:
        return _all(value, writer, depth, chain) if isinstance(value, list) else _marked(value, writer, depth + 1)
    kind = _KINDS.get(key.rpartition("_")[2])
    if kind is None or not writer.dumped or not isinstance(value, Mapping) or "module" in value:
        return value
    class_name = value.get("class_name")
    if not isinstance(class_name, str) or not difference(kind, class_name, value.get("config")):
        return value
    return {**value, "module": None, "registered_name": class_name}  # as Keras 2.13 to 2.15 write an own class


def _all(entries: list[Any], writer: _Writer, depth: int, chain: bool) -> list[Any]:
    changed = [_marked(entry, writer, depth + 1, chain and at > 0) for at, entry in enumerate(entries)]
    return changed if any(entry is not other for entry, other in zip(changed, entries, strict=True)) else entries
