"""Layers of an author's own class that has the same name as a newer class of Keras.

An `Attention` in a file of Keras 2.2.4 is not Keras's, which had no such layer. Its entry gets null as its module, as
an own class has in Keras 3, so that it is not mistaken for the layer of Keras 3.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.known_names import Had, KerasVersion

_INNER = ("layers", "layer", "backward_layer", "cell", "cells")


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


def _marked(entry: Any, version: KerasVersion, depth: int) -> Any:
    if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
        return entry
    config, class_name = entry.get("config"), entry.get("class_name")
    marked_config = _marked_config(config, version, depth)
    result = entry if marked_config is config else {**entry, "config": marked_config}
    own = isinstance(class_name, str) and "module" not in entry and version.had("layers", class_name) is Had.NO
    return {**result, "module": None} if own else result


def _marked_config(config: Any, version: KerasVersion, depth: int) -> Any:
    """The config of a layer with the entries of inner layers marked."""
    if isinstance(config, list):
        return _all(config, version, depth)
    if not isinstance(config, Mapping):
        return config
    inner = {key: config[key] for key in _INNER if isinstance(config.get(key), list | Mapping)}
    changed = {
        key: _all(value, version, depth) if isinstance(value, list) else _marked(value, version, depth + 1)
        for key, value in inner.items()
    }
    return {**config, **changed} if any(changed[key] is not inner[key] for key in inner) else config


def _all(entries: list[Any], version: KerasVersion, depth: int) -> list[Any]:
    changed = [_marked(entry, version, depth + 1) for entry in entries]
    return changed if any(entry is not other for entry, other in zip(changed, entries, strict=True)) else entries
