"""Layers of an author's own class that has the same name as a class of Keras.

An `Attention` in a file of Keras 2.2.4 is not Keras's, which had no such layer, nor is one of TensorFlow 2.4 that takes
one tensor and states none of the arguments that Keras's own `get_config` always states. Its entry gets null as its
module, as an own class has in Keras 3, so that it is not mistaken for the layer of Keras.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.known_names import Had, KerasVersion

_INNER = ("layers", "layer", "backward_layer", "cell", "cells")
_BASE_KEYS = frozenset({"name", "trainable", "dtype", "batch_input_shape", "dynamic", "ragged", "sparse", "autocast"})
_MERGING = frozenset({"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"})
ONE_TENSOR = (2, 5)
"""The first Keras that may merge a list of one tensor: `Concatenate` of 2.6 and all others of 2.10 do (`build`,
keras/layers/merge.py and merging/base_merge.py), all of 2.4 raise."""


def marked(config: Any, version: Any = None) -> Any:
    """The config of a model with null as the module of layers whose class the writer's Keras did not have; the same
    object where there are none. Where neither the config nor the file, whose version is `version`, says which Keras
    wrote it, all classes count as Keras's."""
    if not isinstance(config, Mapping):
        return config
    text = config.get("keras_version", version)
    generation = generation_of(config, version)
    if not isinstance(text, str) or generation not in (Generation.KERAS_1, Generation.KERAS_2):
        return config
    return _marked(config, KerasVersion.of(generation, text), 0)


def _marked(entry: Any, version: KerasVersion, depth: int, chained: bool = False) -> Any:
    """An entry with null as its module where its class is the author's own. `chained`: in a Sequential model, behind
    another layer."""
    if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
        return entry
    config, class_name = entry.get("config"), entry.get("class_name")
    marked_config = _marked_config(config, version, depth, class_name == "Sequential")
    result = entry if marked_config is config else {**entry, "config": marked_config}
    if not isinstance(class_name, str) or "module" in entry:
        return result
    own = (
        version.had("layers", class_name) is Had.NO
        or (version.version >= (2,) and is_unlike(class_name, config))
        or (class_name in _MERGING and (chained or (version.version < ONE_TENSOR and takes_one_tensor(entry))))
    )
    return {**result, "module": None} if own else result


def is_unlike(class_name: str, config: Any) -> bool:
    """Whether the config of a layer is none that Keras 2 wrote for its own class: it has none of the arguments that all
    versions state, or, where there are no such, one that no version has. A config without `trainable`, which Keras 2
    states for every layer, is written by hand, and says nothing of that."""
    row = _config_keys().get(class_name)
    if row is None or not isinstance(config, Mapping) or "trainable" not in config:
        return False
    always, arguments = row["always"], config.keys() - _BASE_KEYS
    return always.isdisjoint(arguments) if always else not arguments <= row["sometimes"]


@cache
def _config_keys() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """The arguments that `get_config` states for each class, without those of all layers: in all versions, and in some
    (Keras 2.0.0 to 2.3.1, tf.keras of 1.15 to 2.15; `tests/model/old_config_keys.py` asked them)."""
    rows = json.loads(Path(__file__).with_name("config_keys.json").read_text("utf-8"))
    return {name: {key: frozenset(keys) for key, keys in row.items()} for name, row in rows.items()}


def takes_one_tensor(entry: Mapping[str, Any]) -> bool:
    """Whether a layer of Keras 2 is called, and each call gives it one tensor."""
    nodes = entry.get("inbound_nodes")
    return isinstance(nodes, list) and bool(nodes) and all(isinstance(node, list) and len(node) == 1 for node in nodes)


def _marked_config(config: Any, version: KerasVersion, depth: int, chain: bool) -> Any:
    """The config of a layer with the entries of inner layers marked. `chain`: that of a Sequential model."""
    if isinstance(config, list):
        return _all(config, version, depth, chain)
    if not isinstance(config, Mapping):
        return config
    inner = {key: config[key] for key in _INNER if isinstance(config.get(key), list | Mapping)}
    changed = {
        key: _all(value, version, depth, chain) if isinstance(value, list) else _marked(value, version, depth + 1)
        for key, value in inner.items()
    }
    return {**config, **changed} if any(changed[key] is not inner[key] for key in inner) else config


def _all(entries: list[Any], version: KerasVersion, depth: int, chain: bool) -> list[Any]:
    changed = [_marked(entry, version, depth + 1, chain and at > 0) for at, entry in enumerate(entries)]
    return changed if any(entry is not other for entry, other in zip(changed, entries, strict=True)) else entries
