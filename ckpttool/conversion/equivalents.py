"""Layers that Keras 3 has no more, made of layers that it has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ckpttool.architecture.args import Args
from ckpttool.conversion.journal import Edit

GONE = frozenset({"AddLoss", "AddMetric", "DenseFeatures", "SequenceFeatures"})
"""Classes of Keras 2 without weights of a known layout that Keras 3 has not, beside those of the table of layers."""

REPLACE_LAYER = Edit(
    "replace-layer",
    "puts layers that compute the same in place of one that Keras 3 has no more",
    "up to rounding, where sums are taken in another order",
)
EDITS = (REPLACE_LAYER,)


@dataclass(frozen=True, slots=True)
class Cudnn:
    """A weight in the layout of cuDNN: the name of the slot and its number of gates."""

    slot: str
    gates: int


@dataclass(frozen=True, slots=True)
class Equivalent:
    """What computes the same: a class with its arguments, what that is in words, and for each weight of the old layer
    the one that takes its place, by their names below the layer. `laid_out` are those whose values lie otherwise."""

    class_name: str
    config: Mapping[str, Any]
    told: str
    weights: Mapping[str, str] = field(default_factory=dict)
    laid_out: Mapping[str, Cudnn] = field(default_factory=dict)


def equivalent(args: Args) -> Equivalent | None:
    """What computes the same as a layer of a class that Keras 3 has not; None where nothing does."""
    found = _EQUIVALENTS.get(args.class_name)
    return found(args) if found else None


def _entry(class_name: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}


def _thresholded_relu(args: Args) -> Equivalent:
    """x where x > theta, else 0 (keras/layers/advanced_activations.py, 1.2.2 to 2.15)."""
    config = {key: args.config[key] for key in ("name", "trainable", "dtype") if key in args.config}
    theta = args.config.get("theta", 1.0)
    theta = theta.get("value", theta) if isinstance(theta, Mapping) else theta  # an array, as tf.keras writes it
    return Equivalent("ReLU", {**config, "threshold": theta}, f"ReLU with threshold {theta}")


def _maxout_dense(args: Args) -> Equivalent:
    """The maximum of several linear functions (keras/layers/core.py, 1.2.2)."""
    units, count = args.size("output_dim"), args.size("nb_feature", 4)
    bias = args.flag("bias", True)
    dense = _entry(
        "EinsumDense",
        name=f"{args.name}_linear",
        equation="ab,kbu->aku",
        output_shape=[count, units],
        bias_axes="ku" if bias else None,
    )
    largest = _entry("GlobalMaxPooling1D", name=f"{args.name}_max")
    names = {"W": f"{args.name}_linear/kernel", **({"b": f"{args.name}_linear/bias"} if bias else {})}
    config = {"name": args.name, "layers": [dense, largest]}
    return Equivalent("Sequential", config, "EinsumDense and the maximum of its outputs", names)


def _highway(args: Args) -> Equivalent:
    """carry * activation(W x + b) + (1 - carry) * x, with carry = sigmoid(W_carry x + b_carry) (keras/legacy/layers.py,
    2.2.4)."""
    bias = args.flag("bias", True)
    built = args.built[0] if args.built else None
    size = built[-1] if built else args.integer("input_dim")
    if size is None:
        raise args.error("input_dim", "the number of features")
    activation = args.config.get("activation", "linear")
    name = args.name
    names = {key: f"{name}_{key}" for key in ("input", "transform", "carry", "new", "rest", "kept", "sum")}

    def called(entry: dict[str, Any], *sources: str) -> dict[str, Any]:
        tensors = [[source, 0, 0, {}] for source in sources]
        return {**entry, "name": entry["config"]["name"], "inbound_nodes": [tensors] if tensors else []}

    dense = {"units": size, "use_bias": bias}
    layers = [
        called(_entry("InputLayer", name=names["input"], batch_shape=[None, size], dtype="float32")),
        called(_entry("Dense", name=names["transform"], activation=activation, **dense), names["input"]),
        called(_entry("Dense", name=names["carry"], activation="sigmoid", **dense), names["input"]),
        called(_entry("Multiply", name=names["new"]), names["carry"], names["transform"]),
        called(_entry("Rescaling", name=names["rest"], scale=-1.0, offset=1.0), names["carry"]),
        called(_entry("Multiply", name=names["kept"]), names["rest"], names["input"]),
        called(_entry("Add", name=names["sum"]), names["new"], names["kept"]),
    ]
    config = {
        "name": name,
        "layers": layers,
        "input_layers": [names["input"], 0, 0],
        "output_layers": [names["sum"], 0, 0],
    }
    weights = {"W": f"{names['transform']}/kernel", "W_carry": f"{names['carry']}/kernel"}
    weights |= {"b": f"{names['transform']}/bias", "b_carry": f"{names['carry']}/bias"} if bias else {}
    return Equivalent(
        "Functional", config, "two Dense layers, one of which weighs the other against the input", weights
    )


_OF_CUDNN = ("name", "trainable", "units", "return_sequences", "return_state", "go_backwards", "stateful")


def _of_cudnn(class_name: str, gates: int, **beside: Any) -> Callable[[Args], Equivalent]:
    """The layer for any device, which computes the same with weights that lie otherwise (`_convert_rnn_weights`,
    keras/engine/saving.py, 2.2.4)."""

    def made(args: Args) -> Equivalent:
        config = {key: args.config[key] for key in _OF_CUDNN if key in args.config}
        activations = {"activation": "tanh", "recurrent_activation": "sigmoid"}
        names = ("kernel", "recurrent_kernel", "bias")
        cell = f"{class_name.lower()}_cell"
        return Equivalent(
            class_name,
            {**config, **activations, **beside},
            f"{class_name}, whose weights lie otherwise; initializers and regularizers are those by default",
            {name: f"{cell}/{name}" for name in names},
            {name: Cudnn(name, gates) for name in names},
        )

    return made


def _passing(args: Args) -> Equivalent:
    config = {key: args.config[key] for key in ("name", "trainable", "dtype") if key in args.config}
    return Equivalent("Identity", config, "Identity: what it added to the loss or the metrics is gone")


_EQUIVALENTS: Mapping[str, Callable[[Args], Equivalent]] = MappingProxyType(
    {
        "AddLoss": _passing,
        "AddMetric": _passing,
        "CuDNNGRU": _of_cudnn("GRU", 3, reset_after=True),
        "CuDNNLSTM": _of_cudnn("LSTM", 4),
        "Highway": _highway,
        "MaxoutDense": _maxout_dense,
        "ThresholdedReLU": _thresholded_relu,
    }
)
