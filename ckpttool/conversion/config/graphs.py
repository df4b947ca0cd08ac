"""Functional models in the notation of Keras 3: layers in its order, calls in its words, nodes counted as it does."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ckpttool.conversion.config.call_arguments import written
from ckpttool.conversion.config.layer_order import layer_order
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor, flat, read_references
from ckpttool.model.shape_inference import first_nodes, steps_of

_COUNTED_FROM_1 = "Functional"  # in `output_layers`, where Keras counts the node that the model itself begins with


def numbered_names(name: str) -> Iterator[str]:
    """The name with the numbers from 1 on behind it."""
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
        calls = {
            name: step.calls for name, step in zip(layers, steps_of(model), strict=True)
        }  # with the shapes that are known
        ends = [read_ends(model.config.get(key)) for key in ("input_layers", "output_layers")]
        between = [(name, tensor) for name, of in calls.items() for call in of for tensor in call.tensors]
        named = [(model.name, tensor) for tensor in flat(ends)]
        if generation is Generation.KERAS_3:
            inside, outside = first_nodes(layers, between), _first_of_models(layers)
        else:
            inside = outside = first_nodes(layers, [*between, *named])
        counted = {name: tuple(call.replaced(_counted(inside)) for call in of) for name, of in calls.items()}
        found = [Call((end,)).replaced(_counted(outside)).args[0] for end in ends]
        return cls(counted, found[0], found[1], len(between))


def _first_of_models(layers: Mapping[str, Args]) -> dict[str, int]:
    """The number of the first call of each layer in `output_layers` of Keras 3."""
    return {name: 1 if args.class_name == _COUNTED_FROM_1 else 0 for name, args in layers.items()}


def _counted(first: Mapping[str, int]) -> Callable[[Tensor], Tensor]:
    return lambda tensor: replace(tensor, node=tensor.node - first.get(tensor.layer, 0))


def functional(model: Mapping[str, Any], layers: Sequence[GraphLayer], inputs: Any, outputs: Any) -> dict[str, Any]:
    """The config of a Functional model: `model` with layers and connections.

    `inputs` and `outputs` are `Tensor`s in the structure that the model takes and gives. What leads to no output is
    left out, as Keras does. Raises ConfigError.
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
    found = [_entry(layer, step.calls, dtypes) for layer, step in zip(ordered, steps, strict=True)]
    return {**config, "layers": found}


def _entry(layer: GraphLayer, calls: Sequence[Call], dtypes: Mapping[str, str]) -> dict[str, Any]:
    def dtype_of(tensor: Tensor) -> str:
        return dtypes.get(tensor.layer, "float32")

    nodes = [
        {"args": written(list(call.args), dtype_of), "kwargs": written(dict(call.kwargs), dtype_of)} for call in calls
    ]
    return {**layer.entry, "name": layer.name, "inbound_nodes": nodes}


def _dtype(entry: Mapping[str, Any]) -> str | None:
    """The dtype of what an input layer gives; other tensors are written as float32, which Keras does not look at."""
    dtype = entry["config"].get("dtype") if entry.get("class_name") == "InputLayer" else None
    return dtype if isinstance(dtype, str) else None


def _referred(value: Any, layers: Mapping[str, GraphLayer]) -> Any:
    """The ends of a model as its config names them."""
    if isinstance(value, Tensor):
        begins = layers[value.layer].entry.get("class_name") == _COUNTED_FROM_1
        return [value.layer, value.node + begins, value.output]
    if isinstance(value, dict):
        return {key: _referred(item, layers) for key, item in value.items()}
    return [_referred(item, layers) for item in value]


def read_ends(value: Any) -> Any:
    """The inputs or outputs that a config names, as `Tensor`s in their structure; one in a list of one by itself, as
    older models take and give it."""
    found = _read_ends(value, 0)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


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
