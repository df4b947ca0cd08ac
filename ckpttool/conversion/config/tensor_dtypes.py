"""The dtypes of the tensors in a model of Keras 1 or 2, as far as its config tells them.

Functions and layers of TensorFlow compute with integers where those of Keras 3 compute with floating-point numbers. A
layer casts floating-point inputs to the dtype that it computes in, and leaves others as they are (`_maybe_cast_inputs`,
keras/src/engine/base_layer.py, 2.15); a model casts to what its inputs are (`_conform_to_reference_input`,
functional.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ckpttool.conversion.config.graphs import Connections
from ckpttool.conversion.config.layer_order import in_order
from ckpttool.conversion.tensorflow_ops import CLASSES, result_dtypes
from ckpttool.conversion.tensorflow_ops.integers import is_whole
from ckpttool.model.arguments import Args
from ckpttool.model.dtype_policies import read_policy
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor, flat
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS, of_kind
from ckpttool.model.shape_inference import is_model, name_in_graph, steps_of

_Outputs = tuple[str | None, ...]
_Key = tuple[str, int]

# Layers that give the dtype of what they take.
_PASSING = frozenset(
    {
        *("Activation", "ActivityRegularization", "Add", "CenterCrop", "Concatenate", "Cropping1D", "Cropping2D"),
        *("Cropping3D", "Dot", "Dropout", "Flatten", "GaussianDropout", "GaussianNoise", "GlobalMaxPooling1D"),
        *("GlobalMaxPooling2D", "GlobalMaxPooling3D", "Identity", "Masking", "MaxPooling1D", "MaxPooling2D"),
        *("MaxPooling3D", "Maximum", "Minimum", "Multiply", "Permute", "ReLU", "RepeatVector", "Reshape"),
        *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Subtract", "UpSampling1D", "UpSampling2D"),
        *("UpSampling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
    }
)
_LOOKUPS = of_kind("lookup") | {"Discretization", "HashedCrossing", "Hashing"}
_OPEN = frozenset({"Lambda"})  # whose code may give anything


class Dtypes(NamedTuple):
    """The dtypes of what comes out of each call of the layers of a graph."""

    found: Mapping[_Key, _Outputs]

    def of(self, tensor: Tensor) -> str | None:
        """The dtype of a tensor, None where it is not known."""
        outputs = self.found.get((tensor.layer, tensor.node), ())
        return outputs[tensor.output] if 0 <= tensor.output < len(outputs) else None

    def taken(self, calls: Sequence[Call]) -> str | None:
        """The dtype of the first tensor that some calls take, None where it is not known."""
        return next((self.of(tensor) for call in calls for tensor in call.tensors), None)


def dtypes_in(layers: Mapping[str, Args], connections: Connections, generation: Generation) -> Dtypes:
    """The dtypes of the tensors of a graph of these layers."""
    return Dtypes(_Walk(generation).graph(layers, connections))


def after_layer(args: Args, dtype: str | None, generation: Generation) -> str | None:
    """The dtype of what comes out of a layer of a Sequential model, for that of what goes in."""
    return _first(_Walk(generation).layer(args, (dtype,)))


@dataclass(slots=True)
class _Walk:
    generation: Generation
    known: dict[tuple[int, _Outputs], _Outputs] = field(default_factory=dict)

    def graph(self, layers: Mapping[str, Args], connections: Connections) -> dict[_Key, _Outputs]:
        """What comes out of each call of the layers of a graph."""
        calls = {(name, at): call for name, of in connections.calls.items() for at, call in enumerate(of)}
        found: dict[_Key, _Outputs] = {
            (name, 0): (_declared(args),) for name, args in layers.items() if (name, 0) not in calls
        }
        dtypes = Dtypes(found)
        for key in in_order(calls, lambda key: [(tensor.layer, tensor.node) for tensor in calls[key].tensors]):
            call = calls[key].replaced(lambda tensor: replace(tensor, dtype=dtypes.of(tensor)))
            args = layers[key[0]]
            if args.class_name in CLASSES:
                found[key] = result_dtypes(args, call)
            else:
                found[key] = self.layer(args, tuple(tensor.dtype for tensor in call.tensors))
        return found

    def layer(self, args: Args, given: _Outputs) -> _Outputs:
        """What comes out of a layer for what goes in."""
        if args.class_name == "InputLayer":
            return (_declared(args),)
        if is_model(args):
            key = (id(args.config), given)
            if key not in self.known:
                self.known[key] = self.model(args, given)
            return self.known[key]
        if args.foreign or args.class_name in _OPEN or not (args.class_name in LAYERS or args.class_name in OLD_LAYERS):
            return (None,)
        if args.class_name == "TimeDistributed":
            return self.layer(args.layer("layer"), given)
        return (_given(args, _first(given)),)

    def model(self, args: Args, given: _Outputs) -> _Outputs:
        """What comes out of a model."""
        if args.class_name != "Sequential":
            entries = zip(args.config["layers"], args.layers("layers"), strict=True)
            layers = {name_in_graph(entry, layer): layer for entry, layer in entries}
            connections = Connections.of(args, layers, self.generation)
            dtypes = Dtypes(self.graph(layers, connections))
            return tuple(dtypes.of(tensor) for tensor in flat(connections.outputs))
        found = given
        for step in steps_of(args):
            found = self.layer(step.args, found)
        return found


def _first(dtypes: Sequence[str | None]) -> str | None:
    return dtypes[0] if dtypes else None


def _declared(args: Args) -> str | None:
    """The dtype of what an input layer gives."""
    dtype = args.config.get("dtype")
    return dtype if isinstance(dtype, str) else "float32"


def _given(args: Args, taken: str | None) -> str | None:
    """The dtype of what a layer of Keras gives for what it takes."""
    if args.class_name in _LOOKUPS and args.config.get("output_mode", "int") == "int":
        return "int64"
    sampled = args.class_name.startswith("UpSampling") and args.config.get("interpolation", "nearest") != "nearest"
    if args.class_name in _PASSING and not sampled and (taken is None or is_whole(taken)):
        return taken
    try:
        return read_policy(args.config.get("dtype")).compute_dtype
    except ValueError:
        return None
