"""The layers of a SavedModel as tf.keras makes them: each of its own metadata, and not of the config of its model.

The config of a model lists its layers again. Keras takes an entry of that list only where the SavedModel has no layer
of that name among the children of the model (`KerasObjectLoader._reconstruct_model`,
keras/src/saving/legacy/saved_model/load.py, and `reconstruct_from_config`, keras/src/engine/functional.py, 2.15). A
layer that was made with a file of words has the path of that file in such an entry, but not in its own metadata: its
words are a table of the graph.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.checks.rule import Unchecked
from ckpttool.dangers.walk import Node as Entry
from ckpttool.errors import CheckpointError
from ckpttool.formats.tensorflow.keras_metadata import unwrapped
from ckpttool.io import json_text
from ckpttool.model.layers.table import of_kind
from ckpttool.object_graph import Node, ObjectGraph
from ckpttool.saved_model import KerasObject, SavedModel

_NUMBERED = re.compile(r"layer-([0-9]+)")
_READ = ("class_name", "name", "config", "is_graph_network", "training_config", "activity_regularizer")
_MODELS = of_kind("model")


class SavedLayers:
    """The metadata of the layers and models of a SavedModel, and the entries of configs that Keras passes over."""

    def __init__(self, metadata: list[tuple[int, Any]], unread: tuple[Unchecked, ...], graph: ObjectGraph) -> None:
        self.unread = unread
        self._metadata = metadata
        self._graph = graph
        self._names: dict[int, set[str | None]] = {}
        for number, value in metadata:
            self._names.setdefault(number, set()).add(_name(value))
        self._passed_over = {id(entry) for number, value in metadata for entry in self._saved(number, value, value)}

    @classmethod
    def of(cls, saved: SavedModel) -> "SavedLayers":
        """The layers of a SavedModel."""
        # From TensorFlow 2.5 on, the graph lists the objects, too, and has no metadata of them.
        read = [(layer.number, _read(layer)) for layer in saved.keras_objects if layer.metadata]
        metadata = [(number, value) for number, value in read if not isinstance(value, Unchecked)]
        unread = tuple(value for _, value in read if isinstance(value, Unchecked))
        return cls(metadata, unread, saved.objects)

    def values(self) -> Iterator[tuple[str, Any]]:
        """The metadata of each layer and model, with its place."""
        return ((_place(number), value) for number, value in self._metadata)

    def take_root(self, config: Any) -> None:
        """Take the config of the whole model, too, which is that of the first object in a form of its own."""
        roots = [value for number, value in self._metadata if number == 0]
        if len(roots) == 1:
            self._passed_over |= {id(entry) for entry in self._saved(0, roots[0], config)}

    def makes_elsewhere(self, node: Entry | None) -> bool:
        """Whether Keras makes the layers that a part of a config describes of other metadata than that."""
        while node is not None and id(node.value) not in self._passed_over:
            node = node.parent
        return node is not None

    def _saved(self, number: int, metadata: Any, model: Any) -> list[Any]:
        """The entries in the config of a model whose layers are saved themselves, under the model's object."""
        layers = _layers(model)
        if not layers or not _is_network(metadata):
            return []
        names = set(self._children(number))
        return [entry for entry in layers if isinstance(entry, Mapping) and _entry_name(entry) in names]

    def _children(self, number: int) -> Iterator[str]:
        """The names of the layers of a model, of which Keras takes those that are numbered without a gap."""
        node = self._graph.nodes[number] if 0 <= number < len(self._graph.nodes) else Node()
        numbered = {match[1]: child for name, child in node.children if (match := _NUMBERED.match(name))}
        for at in range(len(numbered)):
            if str(at) not in numbered:
                return
            names = self._names.get(numbered[str(at)], set())
            if len(names) == 1 and isinstance(name := next(iter(names)), str):
                yield name


def _read(layer: KerasObject) -> Any:
    """The metadata of a layer as far as Keras makes the layer of it, or why it cannot be read."""
    try:
        value = unwrapped(json_text.parse(layer.metadata, "the metadata of a layer").value)
    except CheckpointError as error:
        return Unchecked(_place(layer.number), error.what)
    return {key: value[key] for key in _READ if key in value} if isinstance(value, Mapping) else {}


def _place(number: int) -> str:
    return f"objects[{number}]"


def _name(metadata: Any) -> str | None:
    """The name of a layer where its metadata and its config agree on it."""
    config = metadata.get("config") if isinstance(metadata, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) and isinstance(config, Mapping) and config.get("name") == name else None


def _entry_name(entry: Mapping[str, Any]) -> object:
    """The name of a layer in its entry, where the entry has one or no name of its own, as in a Sequential."""
    config = entry.get("config")
    own = config.get("name") if isinstance(config, Mapping) else None
    return own if entry.get("name", own) == own else None


def _layers(model: Any) -> list[Any]:
    config = model.get("config") if isinstance(model, Mapping) else None
    layers = config.get("layers") if isinstance(config, Mapping) else None
    return layers if isinstance(layers, list) else []


def _is_network(metadata: Any) -> bool:
    """Whether Keras makes a model of its layers, and not of its config alone (`_revive_graph_network`)."""
    return metadata.get("is_graph_network") is True or metadata.get("class_name") in _MODELS
