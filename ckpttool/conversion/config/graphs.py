"""Functional models in the notation of Keras 3: the order of layers, the form of calls, the numbering of nodes."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ckpttool.conversion.config.call_arguments import serialized_argument
from ckpttool.conversion.config.layer_order import in_order, layer_order
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor, flat, read_references
from ckpttool.model.shape_inference import first_nodes, name_in_graph, steps_of

_COUNTED_FROM_1 = "Functional"  # in `output_layers`, where Keras counts the node that the model itself begins with


def numbered_names(name: str) -> Iterator[str]:
    """The name followed by _1, _2 and so on."""
    return (f"{name}_{at}" for at in itertools.count(1))


class GraphLayer(NamedTuple):
    """A layer of a graph: its name there, its entry without connections, and its calls, nodes counted from 0."""

    name: str
    entry: Mapping[str, Any]
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Connections:
    """The calls of each layer of an old graph and its ends, nodes counted from 0; `count` is the number of tensors."""

    calls: Mapping[str, tuple[Call, ...]]
    inputs: Any
    outputs: Any
    count: int

    @classmethod
    def of(cls, model: Args, layers: Mapping[str, Args], generation: Generation) -> "Connections":
        """The connections of a model with these layers. Raises ConfigError."""
        # `steps_of` adds the shapes of tensors, as far as they are known.
        calls = {name: step.calls for name, step in zip(layers, steps_of(model), strict=True)}
        ends = [read_ends(model.config.get(key)) for key in ("input_layers", "output_layers")]
        between = [(name, tensor) for name, of in calls.items() for call in of for tensor in call.tensors]
        named = [(model.name, tensor) for tensor in flat(ends)]
        if generation is Generation.KERAS_3:
            inside, outside = first_nodes(layers, between), _first_of_models(layers)
        else:
            inside = outside = first_nodes(layers, [*between, *named])
        counted = {name: tuple(call.replaced(_counted(inside)) for call in of) for name, of in calls.items()}
        resolved_ends = [Call((end,)).replaced(_counted(outside)).args[0] for end in ends]
        return cls(counted, resolved_ends[0], resolved_ends[1], len(between))

    def in_order(self) -> Iterator[tuple[str, int, Call]]:
        """All calls, each after those whose outputs it takes: the name of the layer, the number of the call, the call.

        It stops at a circle, which is an error where the graph is walked for the order of its layers.
        """
        calls = {(name, at): call for name, of in self.calls.items() for at, call in enumerate(of)}
        for key in in_order(calls, lambda key: [(tensor.layer, tensor.node) for tensor in calls[key].tensors]):
            yield *key, calls[key]


def layers_by_name(model: Args) -> dict[str, Args]:
    """The layers of a Functional model by their names in its graph."""
    entries = zip(model.config["layers"], model.layers("layers"), strict=True)
    return {name_in_graph(entry, layer): layer for entry, layer in entries}


def _first_of_models(layers: Mapping[str, Args]) -> dict[str, int]:
    """The number of the first call of each layer in `output_layers` of Keras 3."""
    return {name: 1 if args.class_name == _COUNTED_FROM_1 else 0 for name, args in layers.items()}


def _counted(first: Mapping[str, int]) -> Callable[[Tensor], Tensor]:
    return lambda tensor: replace(tensor, node=tensor.node - first.get(tensor.layer, 0))


def functional(model: Mapping[str, Any], layers: Sequence[GraphLayer], inputs: Any, outputs: Any) -> dict[str, Any]:
    """The config of a Functional model: `model` with layers and connections.

    `inputs` and `outputs` are `Tensor`s in the structure of the model's inputs and outputs. Layers that lead to no
    output are left out, as Keras does. Raises ConfigError.
    """
    by_name = {layer.name: layer for layer in layers}
    calls = {layer.name: layer.calls for layer in layers}
    ends = list(flat(outputs))
    names = layer_order(calls, [tensor.layer for tensor in flat(inputs)], ends)
    ordered = [by_name[name] for name in names]
    config = {
        **model,
        "layers": [_entry(layer, layer.calls, {}) for layer in ordered],
        "input_layers": _referred(inputs, by_name),
        "output_layers": _referred(outputs, by_name),
    }
    steps = steps_of(Args.of({"class_name": "Functional", "config": config}))
    dtypes = {layer.name: dtype for layer in ordered if (dtype := _dtype(layer.entry))}
    entries = [_entry(layer, step.calls, dtypes) for layer, step in zip(ordered, steps, strict=True)]
    return {**config, "layers": entries}


def _entry(layer: GraphLayer, calls: Sequence[Call], dtypes: Mapping[str, str]) -> dict[str, Any]:
    def dtype_of(tensor: Tensor) -> str:
        return dtypes.get(tensor.layer, "float32")

    nodes = [
        {
            "args": serialized_argument(list(call.args), dtype_of),
            "kwargs": serialized_argument(dict(call.kwargs), dtype_of),
        }
        for call in calls
    ]
    return {**layer.entry, "name": layer.name, "inbound_nodes": nodes}


def _dtype(entry: Mapping[str, Any]) -> str | None:
    """The dtype of an input layer, None for other layers: their outputs are written as float32, which Keras ignores."""
    dtype = entry["config"].get("dtype") if entry.get("class_name") == "InputLayer" else None
    return dtype if isinstance(dtype, str) else None


def _referred(value: Any, layers: Mapping[str, GraphLayer]) -> Any:
    """The references to the inputs or outputs of a model in its config."""
    if isinstance(value, Tensor):
        begins = layers[value.layer].entry.get("class_name") == _COUNTED_FROM_1
        return [value.layer, value.node + begins, value.output]
    if isinstance(value, dict):
        return {key: _referred(item, layers) for key, item in value.items()}
    return [_referred(item, layers) for item in value]


def read_ends(value: Any) -> Any:
    """The inputs or outputs in a config as `Tensor`s in their structure. A list with a single tensor becomes that
    tensor, as older models take and return it."""
    ends = _read_ends(value, 0)
    return ends[0] if isinstance(ends, list) and len(ends) == 1 else ends


def _read_ends(value: Any, depth: int) -> Any:
    if depth > 8:
        raise ConfigError("the inputs or outputs of a model are nested too deep")
    if isinstance(value, dict):
        return {key: _read_ends(item, depth + 1) for key, item in value.items()}
    whole = read_references(value)
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and len(whole) == 1:
        return whole[0]
    if not isinstance(value, list):
        raise ConfigError("the inputs or outputs of a model cannot be read", expected='["layer", node, tensor]')
    return [_read_ends(item, depth + 1) for item in value]
