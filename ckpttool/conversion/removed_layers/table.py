"""The table of replacements for layers that Keras 3 no longer has."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.conversion.journal import Edit
from ckpttool.conversion.removed_layers.advanced_activations import cosine, parametric_softplus, s_relu
from ckpttool.conversion.removed_layers.functional_builder import FunctionalBuilder
from ckpttool.conversion.removed_layers.locally_connected_layers import locally_connected
from ckpttool.conversion.removed_layers.replacement import Equivalent
from ckpttool.conversion.weights.transforms import Cudnn
from ckpttool.model.arguments import Args
from ckpttool.model.entries import layer_entry
from ckpttool.model.generations.values import dtype_policy
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent

NO_LAYOUT = frozenset({"AddLoss", "AddMetric", "DenseFeatures", "SequenceFeatures"})
"""Classes of Keras 2 that Keras 3 does not have and whose weights, if any, have no known layout. Other classes are in
the table of layers."""

REPLACE_LAYER = Edit(
    "replace-layer",
    "replaces a layer that Keras 3 no longer has by layers that compute the same",
    "up to rounding, where sums are taken in another order",
)
EDITS = (REPLACE_LAYER,)


def equivalent(args: Args, theano: bool) -> Equivalent:
    """The replacement of a layer of a class that Keras 3 does not have, which ran on Theano or on another backend.
    Raises NoEquivalent where there is none."""
    if args.class_name == "SReLU":
        return s_relu(args, theano)
    replacement = _EQUIVALENTS.get(args.class_name)
    if replacement is None or (args.class_name == "Merge" and args.config.get("mode") != "cos"):
        raise NoEquivalent(f"{args.class_name}, which Keras 3 no longer has, and nothing that computes the same")
    return replacement(args).without_others(args.config)


def _common(args: Args) -> dict[str, Any]:
    """The arguments that every layer of Keras 2 and 3 takes."""
    config = {key: args.config[key] for key in ("name", "trainable") if key in args.config}
    return {**config, "dtype": dtype_policy(args.config["dtype"])} if "dtype" in args.config else config


def _thresholded_relu(args: Args) -> Equivalent:
    """x where x > theta, else 0 (keras/layers/advanced_activations.py, 1.2.2 to 2.15)."""
    config = _common(args)
    theta = args.config.get("theta", 1.0)
    theta = theta.get("value", theta) if isinstance(theta, Mapping) else theta  # an array, as tf.keras writes it
    return Equivalent("ReLU", {**config, "threshold": theta}, f"ReLU with threshold {theta}")


_OF_DENSE = {
    "W_regularizer": "kernel_regularizer",
    "W_constraint": "kernel_constraint",
    "b_regularizer": "bias_regularizer",
    "b_constraint": "bias_constraint",
}
"""Arguments that MaxoutDense and Highway have for W and b alone."""


def _of_weights(args: Args, names: Mapping[str, str]) -> dict[str, Any]:
    """The regularizers and constraints of an old layer that it has, under the names of the new one."""
    return {new: args.config[old] for old, new in names.items() if args.config.get(old) is not None}


def _maxout_dense(args: Args) -> Equivalent:
    """The maximum of several linear functions (keras/layers/core.py, 1.2.2)."""
    units, count = args.size("output_dim"), args.size("nb_feature", 4)
    bias = args.flag("bias", True)
    arguments = {
        "name": f"{args.name}_linear",
        "equation": "ab,kbu->aku",
        "output_shape": [count, units],
        "bias_axes": "ku" if bias else None,
    }
    dense = layer_entry("EinsumDense", {**arguments, **_of_weights(args, _OF_DENSE)})
    largest = layer_entry("GlobalMaxPooling1D", {"name": f"{args.name}_max"})
    names = {"W": f"{args.name}_linear/kernel", **({"b": f"{args.name}_linear/bias"} if bias else {})}
    config = {"name": args.name, "layers": [dense, largest]}
    return Equivalent("Sequential", config, "EinsumDense and the maximum of its outputs", names, retained=_OF_DENSE)


def _highway(args: Args) -> Equivalent:
    """carry * activation(W x + b) + (1 - carry) * x, with carry = sigmoid(W_carry x + b_carry) (keras/legacy/layers.py,
    2.2.4)."""
    bias = args.flag("bias", True)
    built = args.built[0] if args.built else None
    size = built[-1] if built else args.integer("input_dim")
    if size is None:
        raise args.error("input_dim", "the number of features")
    builder = FunctionalBuilder(args.name)
    x = builder.input((None, size))
    dense = {"units": size, "use_bias": bias}
    activation = args.config.get("activation", "linear")
    new = builder.layer("Dense", x, name="transform", activation=activation, **dense, **_of_weights(args, _OF_DENSE))
    carry = builder.layer("Dense", x, name="carry", activation="sigmoid", **dense)
    rest = builder.layer("Rescaling", carry, name="rest", scale=-1.0, offset=1.0)
    carried_input = builder.layer("Multiply", [rest, x], name="kept")
    y = builder.layer("Add", [builder.layer("Multiply", [carry, new], name="new"), carried_input], name="sum")
    weights = {"W": "transform/kernel", "W_carry": "carry/kernel"}
    weights |= {"b": "transform/bias", "b_carry": "carry/bias"} if bias else {}
    return Equivalent(
        "Functional",
        builder.config([x], y),
        "two Dense layers, one of which weighs the other against the input",
        {old: f"{args.name}_{new}" for old, new in weights.items()},
        retained=_OF_DENSE,
    )


_SUMS_OF_CUDNN = ("kernel_regularizer", "recurrent_regularizer", "activity_regularizer")
"""Regularizers that do not mind in which order values are."""
_OF_CUDNN = ("name", "trainable", "units", "return_sequences", "return_state", "go_backwards", "stateful")


def _of_cudnn(class_name: str, gates: int, **beside: Any) -> Callable[[Args], Equivalent]:
    """The replacement by the layer for any device, which computes the same with rearranged weights
    (`_convert_rnn_weights`, keras/engine/saving.py, 2.2.4)."""

    def replacement(args: Args) -> Equivalent:
        config = {key: args.config[key] for key in _OF_CUDNN if key in args.config}
        activations = {"activation": "tanh", "recurrent_activation": "sigmoid"}
        names = ("kernel", "recurrent_kernel", "bias")
        cell = f"{class_name.lower()}_cell"
        retained = dict(zip(_SUMS_OF_CUDNN, _SUMS_OF_CUDNN, strict=True))
        return Equivalent(
            class_name,
            {**config, **activations, **beside, **_of_weights(args, retained)},
            f"{class_name} with rearranged weights; initializers are the default ones",
            {name: f"{cell}/{name}" for name in names},
            {name: Cudnn(name, gates) for name in names},
            retained=retained,
        )

    return replacement


def _passing(target: str) -> Callable[[Args], Equivalent]:
    """The replacement of the layers that `add_loss` and `add_metric` put into the graph of a Functional model
    (keras/engine/base_layer.py, 2.10). Keras 3 has no layer that adds a tensor to the loss."""

    def replacement(args: Args) -> Equivalent:
        config = _common(args)
        lost = f"the tensor that it added to the {target}, for which Keras 3 has no layer"
        return Equivalent("Identity", config, "Identity, which passes its input on", lost=lost)

    return replacement


def _of_random_size(args: Args) -> Equivalent:
    """Inputs as floating-point numbers, which is all that RandomHeight and RandomWidth do outside of training
    (keras/src/layers/preprocessing/image_preprocessing.py, 2.15)."""
    config = _common(args)
    return Equivalent(
        "Rescaling",
        {**config, "scale": 1.0, "offset": 0.0},
        "Rescaling by 1, which passes its input on",
        lost="the random sizes of images in training, so that training goes another way; predictions are the same",
    )


_EQUIVALENTS: Mapping[str, Callable[[Args], Equivalent]] = MappingProxyType(
    {
        "AddLoss": _passing("loss of the model, so that training goes another way"),
        "AddMetric": _passing("metrics"),
        "CuDNNGRU": _of_cudnn("GRU", 3, reset_after=True),
        "CuDNNLSTM": _of_cudnn("LSTM", 4),
        "Highway": _highway,
        "LocallyConnected1D": locally_connected,
        "LocallyConnected2D": locally_connected,
        "MaxoutDense": _maxout_dense,
        "Merge": cosine,
        "ParametricSoftplus": parametric_softplus,
        **dict.fromkeys(("RandomHeight", "RandomWidth"), _of_random_size),
        "ThresholdedReLU": _thresholded_relu,
    }
)
