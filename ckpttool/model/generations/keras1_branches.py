"""Sequential models of Keras 1 that begin with a `Merge` of other models, turned into graphs.

The config of such a `Merge` lists its branches under `layers` (`Sequential.get_config`, keras/models.py, 1.2.2). The
layers of these branches are then layers of the model itself (`flattened_layers`), and weights are stored in that order.
Two layers of one name are one layer, because a file cannot have two groups of a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.graph import read_references

_UNNAMED = "sequential"
_Tensor = list[Any]
"""The output of a call as a graph refers to it: name of the layer, number of the call, number of the output."""


class _NoGraph(Exception):
    """The branches of a `Merge` do not form a graph."""


def unmerged(entry: Any, depth: int = 0) -> Any:
    """An entry of Keras 1 or 2 with a graph in place of each Sequential model that begins with a `Merge` of branches; a
    model whose branches do not form a graph stays unchanged."""
    if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
        return entry
    config = _unmerged_config(entry.get("config"), depth)
    entry = {**entry, "config": config} if config is not entry.get("config") else entry
    layers = _sequential_layers(entry)
    if not layers or _branches(layers[0]) is None:
        return entry
    graph = _Graph()
    try:
        end = graph.add_chain(layers, depth)
    except _NoGraph:
        return entry
    ends = {"input_layers": graph.inputs, "output_layers": [end]}
    config = {"name": _name(entry), "layers": list(graph.layers.values()), **ends}
    return {**entry, "class_name": "Model", "config": config}


def _unmerged_config(config: Any, depth: int) -> Any:
    """The config of a model or layer with all inner layers unmerged, except for the branches of a `Merge`."""
    if isinstance(config, list):
        return [unmerged(layer, depth + 1) for layer in config]
    if not isinstance(config, Mapping):
        return config
    inner = {key: unmerged(config[key], depth + 1) for key in ("layer",) if isinstance(config.get(key), Mapping)}
    listed = {key: _unmerged_config(config[key], depth) for key in ("layers",) if isinstance(config.get(key), list)}
    return {**config, **inner, **listed} if inner or listed else config


def _sequential_layers(entry: Mapping[str, Any]) -> list[Any]:
    """The layers of a Sequential model; empty for any other entry."""
    config = entry.get("config") if entry.get("class_name") == "Sequential" else None
    layers = config.get("layers") if isinstance(config, Mapping) else config
    return layers if isinstance(layers, list) else []


def _branches(entry: Any) -> list[Any] | None:
    """The branches of a `Merge`, None where the entry is of another class or lists none."""
    is_merge = isinstance(entry, Mapping) and entry.get("class_name") == "Merge"
    layers = entry["config"].get("layers") if is_merge and isinstance(entry.get("config"), Mapping) else None
    return layers if isinstance(layers, list) else None


def _own_name(entry: Mapping[str, Any]) -> Any:
    config = entry.get("config")
    return config.get("name") if isinstance(config, Mapping) else None


@dataclass(slots=True)
class _Graph:
    """The layers added so far, by name, and the inputs."""

    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: list[_Tensor] = field(default_factory=list)

    def add_chain(self, layers: Sequence[Any], depth: int) -> _Tensor:
        """Add layers, each of which takes the output of the one before; returns the output of the last one."""
        if not layers or depth > MAX_DEPTH:
            raise _NoGraph
        end = self.add_first(layers[0], depth)
        for layer in layers[1:]:
            end = self.add_call(layer, [end])
        return end

    def add_branch(self, entry: Any, depth: int) -> _Tensor:
        """Add a branch, which is a model, whose layers are added, or a layer; returns its output."""
        if not isinstance(entry, Mapping):
            raise _NoGraph
        if entry.get("class_name") == "Sequential":
            return self.add_chain(_sequential_layers(entry), depth + 1)
        if entry.get("class_name") in ("Functional", "Model"):
            return self.add_graph(entry.get("config"))
        return self.add_first(entry, depth)

    def add_first(self, entry: Any, depth: int) -> _Tensor:
        """Add the first layer of a branch, with an input layer where it needs one; returns its output."""
        branches = _branches(entry)
        if branches is not None:
            config = {key: value for key, value in entry["config"].items() if key != "layers"}
            return self.add_call({**entry, "config": config}, [self.add_branch(branch, depth) for branch in branches])
        if isinstance(entry, Mapping) and entry.get("class_name") == "InputLayer":
            return self.add_input(_name(entry), entry)
        first = _first_config(entry, depth)
        name = f"{_name(entry)}_input"
        shape = {key: first[key] for key in ("batch_input_shape", "input_dtype", "dtype") if key in first}
        source = {"class_name": "InputLayer", "config": {"name": name, **shape}}
        return self.add_call(entry, [self.add_input(name, source)])

    def add_input(self, name: str, entry: Mapping[str, Any]) -> _Tensor:
        """Add an input layer; returns its tensor."""
        if name not in self.layers:
            self.layers[name] = {**entry, "name": name, "inbound_nodes": []}
            self.inputs.append([name, 0, 0])
        return [name, 0, 0]

    def add_call(self, entry: Any, tensors: list[_Tensor]) -> _Tensor:
        """Add a call of a layer on these tensors, unless an earlier branch has the same call; returns its output."""
        name = self.free_name(entry)
        layer = self.layers.setdefault(name, {**entry, "name": name, "inbound_nodes": []})
        if layer.get("config") != entry.get("config"):
            raise _NoGraph
        nodes: list[Any] = layer["inbound_nodes"]
        if tensors not in nodes:
            nodes.append(tensors)
        return [name, nodes.index(tensors), 0]

    def free_name(self, entry: Any) -> str:
        """The name of a layer in the graph; a Sequential model of Keras 1 has none of its own and gets a free one."""
        name, at = _name(entry), 0
        while _own_name(entry) is None and name in self.layers and self.layers[name].get("config") != entry["config"]:
            at += 1
            name = f"{_name(entry)}_{at}"
        return name

    def add_graph(self, config: Any) -> _Tensor:
        """Add the layers of a graph with their connections; returns its output."""
        ends = read_references(config.get("output_layers")) if isinstance(config, Mapping) else ()
        if len(ends) != 1 or not isinstance(config.get("layers"), list):
            raise _NoGraph
        entries = {_name(entry): entry for entry in config["layers"]}
        if any(name in self.layers and self.layers[name] != entry for name, entry in entries.items()):
            raise _NoGraph
        starts = [[tensor.layer, tensor.node, tensor.output] for tensor in read_references(config.get("input_layers"))]
        self.inputs += [start for start in starts if start not in self.inputs]
        self.layers |= {name: dict(entry) for name, entry in entries.items()}
        return [ends[0].layer, ends[0].node, ends[0].output]


def _name(entry: Any) -> str:
    """The name of a layer. Raises _NoGraph where it has none."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise _NoGraph
    name = next((name for name in (entry.get("name"), _own_name(entry)) if isinstance(name, str)), None)
    if name is None and entry["class_name"] != "Sequential":
        raise _NoGraph
    return name or _UNNAMED


def _first_config(entry: Any, depth: int) -> Mapping[str, Any]:
    """The config that has the input shape: that of the layer, or of the first layer in a model."""
    for _ in range(depth, MAX_DEPTH):
        config = entry.get("config") if isinstance(entry, Mapping) else None
        if isinstance(config, Mapping) and isinstance(config.get("batch_input_shape"), list):
            return config
        layers = config.get("layers") if isinstance(config, Mapping) else config
        entry = layers[0] if isinstance(layers, list) and layers else None
    raise _NoGraph
