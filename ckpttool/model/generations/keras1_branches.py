"""Sequential models of Keras 1 that begin with a `Merge` of other models, as the graphs that they are.

The config of such a `Merge` lists what it merges, under `layers` (`Sequential.get_config`, keras/models.py, 1.2.2). The
layers of these branches are then layers of the model itself (`flattened_layers`), in their order: so are their weights
stored. Two layers of one name are one layer, because no file takes two groups of a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.graph import read_references

_UNNAMED = "sequential"
_Tensor = list[Any]
"""The output of a call as a graph refers to it: name of the layer, number of the call, number of the output."""


class _Untold(Exception):
    """What a `Merge` lists does not tell a graph."""


def unmerged(entry: Any, depth: int = 0) -> Any:
    """An entry of Keras 1 or 2 with a graph in place of each Sequential model that begins with a `Merge` of branches;
    one whose branches do not tell a graph stays as it is."""
    if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
        return entry
    config = _with_held(entry.get("config"), depth)
    found = {**entry, "config": config} if config is not entry.get("config") else entry
    layers = _chained(found)
    if not layers or _listed(layers[0]) is None:
        return found
    graph = _Graph()
    try:
        end = graph.chained(layers, depth)
    except _Untold:
        return found
    made = {"name": _name(found), "layers": list(graph.layers.values())}
    return {**found, "class_name": "Model", "config": {**made, "input_layers": graph.inputs, "output_layers": [end]}}


def _with_held(config: Any, depth: int) -> Any:
    """The config of a model or layer with all that it holds unmerged; what a `Merge` lists is looked at later."""
    if isinstance(config, list):
        return [unmerged(layer, depth + 1) for layer in config]
    if not isinstance(config, Mapping):
        return config
    held = {key: unmerged(config[key], depth + 1) for key in ("layer",) if isinstance(config.get(key), Mapping)}
    listed = {key: _with_held(config[key], depth) for key in ("layers",) if isinstance(config.get(key), list)}
    return {**config, **held, **listed} if held or listed else config


def _chained(entry: Mapping[str, Any]) -> list[Any]:
    """The layers of a Sequential model, none of anything else."""
    config = entry.get("config") if entry.get("class_name") == "Sequential" else None
    layers = config.get("layers") if isinstance(config, Mapping) else config
    return layers if isinstance(layers, list) else []


def _listed(entry: Any) -> list[Any] | None:
    """What a `Merge` merges, None where the entry is of another class or tells nothing."""
    is_merge = isinstance(entry, Mapping) and entry.get("class_name") == "Merge"
    layers = entry["config"].get("layers") if is_merge and isinstance(entry.get("config"), Mapping) else None
    return layers if isinstance(layers, list) else None


def _own_name(entry: Mapping[str, Any]) -> Any:
    config = entry.get("config")
    return config.get("name") if isinstance(config, Mapping) else None


@dataclass(slots=True)
class _Graph:
    """The layers found so far, by name, and the inputs."""

    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: list[_Tensor] = field(default_factory=list)

    def chained(self, layers: Sequence[Any], depth: int) -> _Tensor:
        """What comes out of layers of which each takes what comes out of the one before."""
        if not layers or depth > MAX_DEPTH:
            raise _Untold
        end = self.begun(layers[0], depth)
        for layer in layers[1:]:
            end = self.called(layer, [end])
        return end

    def branch(self, entry: Any, depth: int) -> _Tensor:
        """What comes out of one of the things that are merged: a model, whose layers are taken, or a layer."""
        if not isinstance(entry, Mapping):
            raise _Untold
        if entry.get("class_name") == "Sequential":
            return self.chained(_chained(entry), depth + 1)
        if entry.get("class_name") in ("Functional", "Model"):
            return self.grafted(entry.get("config"))
        return self.begun(entry, depth)

    def begun(self, entry: Any, depth: int) -> _Tensor:
        """What comes out of the first layer of a branch."""
        listed = _listed(entry)
        if listed is not None:
            config = {key: value for key, value in entry["config"].items() if key != "layers"}
            return self.called({**entry, "config": config}, [self.branch(one, depth) for one in listed])
        if isinstance(entry, Mapping) and entry.get("class_name") == "InputLayer":
            return self.entered(_name(entry), entry)
        first = _first_config(entry, depth)
        name = f"{_name(entry)}_input"
        made = {key: first[key] for key in ("batch_input_shape", "input_dtype", "dtype") if key in first}
        return self.called(entry, [self.entered(name, {"class_name": "InputLayer", "config": {"name": name, **made}})])

    def entered(self, name: str, entry: Mapping[str, Any]) -> _Tensor:
        """The tensor of an input layer."""
        if name not in self.layers:
            self.layers[name] = {**entry, "name": name, "inbound_nodes": []}
            self.inputs.append([name, 0, 0])
        return [name, 0, 0]

    def called(self, entry: Any, tensors: list[_Tensor]) -> _Tensor:
        """What comes out of a layer for these tensors, a call more where it stands in a branch before with others."""
        name = self.free(entry)
        found = self.layers.setdefault(name, {**entry, "name": name, "inbound_nodes": []})
        if found.get("config") != entry.get("config"):
            raise _Untold
        nodes: list[Any] = found["inbound_nodes"]
        if tensors not in nodes:
            nodes.append(tensors)
        return [name, nodes.index(tensors), 0]

    def free(self, entry: Any) -> str:
        """The name of a layer in the graph: a Sequential model of Keras 1 has none of its own."""
        name, at = _name(entry), 0
        while _own_name(entry) is None and name in self.layers and self.layers[name].get("config") != entry["config"]:
            at += 1
            name = f"{_name(entry)}_{at}"
        return name

    def grafted(self, config: Any) -> _Tensor:
        """What comes out of a graph, whose layers are taken with their connections."""
        ends = read_references(config.get("output_layers")) if isinstance(config, Mapping) else ()
        if len(ends) != 1 or not isinstance(config.get("layers"), list):
            raise _Untold
        entries = {_name(entry): entry for entry in config["layers"]}
        if any(name in self.layers and self.layers[name] != entry for name, entry in entries.items()):
            raise _Untold
        starts = [[tensor.layer, tensor.node, tensor.output] for tensor in read_references(config.get("input_layers"))]
        self.inputs += [start for start in starts if start not in self.inputs]
        self.layers |= {name: dict(entry) for name, entry in entries.items()}
        return [ends[0].layer, ends[0].node, ends[0].output]


def _name(entry: Any) -> str:
    """The name of a layer."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise _Untold
    found = next((name for name in (entry.get("name"), _own_name(entry)) if isinstance(name, str)), None)
    if found is None and entry["class_name"] != "Sequential":
        raise _Untold
    return found or _UNNAMED


def _first_config(entry: Any, depth: int) -> Mapping[str, Any]:
    """The config in which the shape of the input stands: that of the layer, or of the first in a model."""
    for _ in range(depth, MAX_DEPTH):
        config = entry.get("config") if isinstance(entry, Mapping) else None
        if isinstance(config, Mapping) and isinstance(config.get("batch_input_shape"), list):
            return config
        layers = config.get("layers") if isinstance(config, Mapping) else config
        entry = layers[0] if isinstance(layers, list) and layers else None
    raise _Untold
