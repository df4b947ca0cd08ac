"""Layers of the author's own whose class has the name of a younger one of Keras.

An `Attention` in a file of Keras 2.2.4 is none of Keras's, which had no such layer; its entry then names no module, as
that of an own class in Keras 3 does, so that nothing takes it for the layer of Keras 3.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.known_names import Had, KerasVersion

_HELD = ("layers", "layer", "backward_layer", "cell", "cells")


def marked(config: Any, version: Any = None) -> Any:
    """The config of a model with null as the module of layers whose class its writer's Keras did not have; the same
    object where there are none. Where neither the config nor `version`, which a file beside it says, tells who wrote
    it, all classes count as those of Keras."""
    if not isinstance(config, Mapping):
        return config
    stated = config.get("keras_version", version)
    generation = generation_of(config, version)
    if not isinstance(stated, str) or generation not in (Generation.KERAS_1, Generation.KERAS_2):
        return config
    return _marked(config, KerasVersion.of(generation, stated), 0)


def _marked(entry: Any, version: KerasVersion, depth: int) -> Any:
    if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
        return entry
    config, class_name = entry.get("config"), entry.get("class_name")
    held = _held(config, version, depth)
    found = entry if held is config else {**entry, "config": held}
    own = isinstance(class_name, str) and "module" not in entry and version.had("layers", class_name) is Had.NO
    return {**found, "module": None} if own else found


def _held(config: Any, version: KerasVersion, depth: int) -> Any:
    """The config of a layer with the marked entries of those that it holds."""
    if isinstance(config, list):
        return _all(config, version, depth)
    if not isinstance(config, Mapping):
        return config
    held = {key: config[key] for key in _HELD if isinstance(config.get(key), list | Mapping)}
    after = {
        key: _all(value, version, depth) if isinstance(value, list) else _marked(value, version, depth + 1)
        for key, value in held.items()
    }
    return {**config, **after} if any(after[key] is not held[key] for key in held) else config


def _all(entries: list[Any], version: KerasVersion, depth: int) -> list[Any]:
    found = [_marked(entry, version, depth + 1) for entry in entries]
    return found if any(one is not other for one, other in zip(found, entries, strict=True)) else entries
