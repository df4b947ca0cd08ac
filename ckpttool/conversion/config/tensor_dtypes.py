"""The dtypes of the tensors in a model of Keras 1 or 2, as far as they follow from its config.

Functions and layers of TensorFlow compute with integers where those of Keras 3 compute with floating-point numbers. A
layer casts floating-point inputs to its compute dtype, and leaves others as they are (`_maybe_cast_inputs`,
keras/src/engine/base_layer.py, 2.15); a model casts them to the dtypes of its input layers
(`_conform_to_reference_input`, functional.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ckpttool.conversion.config.graphs import Connections, layers_by_name
from ckpttool.conversion.tensorflow_ops import CLASSES, result_dtypes
from ckpttool.model.arguments import Args
from ckpttool.model.dtype_policies import read_policy
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor, flat
from ckpttool.model.layers.layer_type import Trait
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS, of_kind, with_trait
from ckpttool.model.shape_inference import is_model, steps_of
from ckpttool.model.tensorflow_ops.integers import is_whole

_Outputs = tuple[str | None, ...]
_Key = tuple[str, int]

_LOOKUPS = of_kind("lookup") | with_trait(Trait.HASHES) | {"Discretization"}
_PASSING = with_trait(Trait.PASSES_DTYPE)
_OPEN = with_trait(Trait.CODE)  # whose code may give anything


class Dtypes(NamedTuple):
    """The dtypes of the outputs of each call of the layers of a graph."""

    outputs: Mapping[_Key, _Outputs]

    def of(self, tensor: Tensor) -> str | None:
        """The dtype of a tensor, None where it is not known."""
        outputs = self.outputs.get((tensor.layer, tensor.node), ())
        return outputs[tensor.output] if 0 <= tensor.output < len(outputs) else None

    def taken(self, calls: Sequence[Call]) -> str | None:
        """The dtype of the first input of these calls, None where it is not known."""
        return next((self.of(tensor) for call in calls for tensor in call.tensors), None)


def dtypes_in(layers: Mapping[str, Args], connections: Connections, generation: Generation) -> Dtypes:
    """The dtypes of the tensors of a graph of these layers."""
    return Dtypes(_Walk(generation).graph(layers, connections))


def after_layer(args: Args, dtype: str | None, generation: Generation) -> str | None:
    """The dtype of the output of a layer of a Sequential model, for that of its input."""
    return _first(_Walk(generation).layer(args, (dtype,)))


@dataclass(slots=True)
class _Walk:
    generation: Generation
    known: dict[tuple[int, _Outputs], _Outputs] = field(default_factory=dict)

    def graph(self, layers: Mapping[str, Args], connections: Connections) -> dict[_Key, _Outputs]:
        """The dtypes of the outputs of each call of the layers of a graph."""
        known_outputs: dict[_Key, _Outputs] = {
            (name, 0): (_declared(args),) for name, args in layers.items() if not connections.calls[name]
        }
        dtypes = Dtypes(known_outputs)
        for name, at, call in connections.in_order():
            call = call.replaced(lambda tensor: replace(tensor, dtype=dtypes.of(tensor)))
            args = layers[name]
            if args.class_name in CLASSES:
                known_outputs[name, at] = result_dtypes(args, call)
            else:
                known_outputs[name, at] = self.layer(args, tuple(tensor.dtype for tensor in call.tensors))
        return known_outputs

    def layer(self, args: Args, input_dtypes: _Outputs) -> _Outputs:
        """The dtypes of the outputs of a layer, for those of its inputs."""
        if args.class_name == "InputLayer":
            return (_declared(args),)
        if is_model(args):
            key = (id(args.config), input_dtypes)
            if key not in self.known:
                self.known[key] = self.model(args, input_dtypes)
            return self.known[key]
        if args.foreign or args.class_name in _OPEN or not (args.class_name in LAYERS or args.class_name in OLD_LAYERS):
            return (None,)
        if args.class_name == "TimeDistributed":
            return self.layer(args.layer("layer"), input_dtypes)
        return (_output_dtype(args, _first(input_dtypes)),)

    def model(self, args: Args, input_dtypes: _Outputs) -> _Outputs:
        """The dtypes of the outputs of a model, for those of its inputs."""
        if args.class_name != "Sequential":
            layers = layers_by_name(args)
            connections = Connections.of(args, layers, self.generation)
            dtypes = Dtypes(self.graph(layers, connections))
            return tuple(dtypes.of(tensor) for tensor in flat(connections.outputs))
        current = input_dtypes
        for step in steps_of(args):
            current = self.layer(step.args, current)
        return current


def _first(dtypes: Sequence[str | None]) -> str | None:
    return dtypes[0] if dtypes else None


def _declared(args: Args) -> str | None:
    """The dtype of an input layer."""
    dtype = args.config.get("dtype")
    return dtype if isinstance(dtype, str) else "float32"


def _output_dtype(args: Args, taken: str | None) -> str | None:
    """The dtype of the output of a built-in layer, for that of its input."""
    if args.class_name in _LOOKUPS and args.config.get("output_mode", "int") == "int":
        return "int64"
    sampled = args.class_name.startswith("UpSampling") and args.config.get("interpolation", "nearest") != "nearest"
    if args.class_name in _PASSING and not sampled and (taken is None or is_whole(taken)):
        return taken
    try:
        return read_policy(args.config.get("dtype")).compute_dtype
    except ValueError:
        return None
