"""Changes of the layers of Keras 1 (and 0, with the same names of arguments) to classes and arguments of Keras 3.

Sources: `get_config` of the layers in keras/layers of 1.2.2; keras/legacy/interfaces.py of 2.2.4, which turns calls of
Keras 1 into calls of Keras 2.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.model.generations.change import Change
from ckpttool.model.generations.values import Config
from ckpttool.model.sizes import is_integer

_WEIGHTS = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "bias": "use_bias",
    "init": "kernel_initializer",
}
_SPACE = {"border_mode": "padding", "dim_ordering": "data_format"}
_DENSE = {**_WEIGHTS, "output_dim": "units"}
_CONV = {
    **_WEIGHTS,
    **_SPACE,
    "atrous_rate": "dilation_rate",
    "filter_length": "kernel_size",
    "nb_filter": "filters",
    "subsample": "strides",
    "subsample_length": "strides",
}
_RECURRENT = {
    **_DENSE,
    "U_regularizer": "recurrent_regularizer",
    "consume_less": "implementation",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
}
_EMBEDDING = {
    "W_constraint": "embeddings_constraint",
    "W_regularizer": "embeddings_regularizer",
    "init": "embeddings_initializer",
}
_POOLING = {**_SPACE, "pool_length": "pool_size", "stride": "strides"}
_RATE = {"dim_ordering": "data_format", "p": "rate"}
_GATES = {"recurrent_activation": "hard_sigmoid"}  # the default up to 2.2
_IMPLEMENTATIONS = MappingProxyType({"cpu": 0, "mem": 1, "gpu": 2})

_MERGES = MappingProxyType(
    {
        "ave": "Average",
        "concat": "Concatenate",
        "dot": "Dot",
        "max": "Maximum",
        "mul": "Multiply",
        "sum": "Add",
    }
)


def _joined(config: Config, new: str, *old: str) -> Config:
    """The arguments with one list in place of several numbers, if all of them are there."""
    if not all(key in config for key in old):
        return config
    rest = {key: value for key, value in config.items() if key not in old}
    return {**rest, new: [config[key] for key in old]}


def _window_2(config: Config) -> Config:
    return _joined(config, "kernel_size", "nb_row", "nb_col")


def _window_3(config: Config) -> Config:
    return _joined(config, "kernel_size", "kernel_dim1", "kernel_dim2", "kernel_dim3")


def _separable(config: Config) -> Config:
    """The arguments with an initializer for each of both kernels, which had one in common."""
    rest = {key: value for key, value in _window_2(config).items() if key != "kernel_initializer"}
    if "kernel_initializer" not in config:
        return rest
    return {f"{name}_initializer": config["kernel_initializer"] for name in ("depthwise", "pointwise")} | rest


def _convolved_lstm(config: Config) -> Config:
    return _forgetting(_window_2(config))


def _forgetting(config: Config) -> Config:
    """The arguments of a layer with forget gates, which start at one; Keras 3 has no other initializer for them
    alone."""
    rest = {key: value for key, value in config.items() if key != "forget_bias_init"}
    return {**_GATES, **rest, "unit_forget_bias": config.get("forget_bias_init", "one") == "one"}


def _gated(config: Config) -> Config:
    """The arguments with the number of the implementation, on which the order of stored weights depends."""
    how = config.get("implementation")
    return {**config, "implementation": _IMPLEMENTATIONS.get(how, 0) if isinstance(how, str) else 0}


def _lstm(config: Config) -> Config:
    return _forgetting(_gated(config))


def _gru(config: Config) -> Config:
    return {**_GATES, **_gated(config), "reset_after": False}


def _padded(config: Config) -> Config:
    """The arguments with `padding` as pairs, which was an object with sides or four numbers."""
    sides = config.get("padding")
    if isinstance(sides, Mapping):
        sides = [sides.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
    if not isinstance(sides, list) or len(sides) != 4 or not all(map(is_integer, sides)):
        return config
    return {**config, "padding": [sides[:2], sides[2:]]}


def _padded_1(config: Config) -> Config:
    """The arguments with `padding` as a pair, which was an object with sides."""
    sides = config.get("padding")
    if not isinstance(sides, Mapping):
        return config
    return {**config, "padding": [sides.get("left_pad", 0), sides.get("right_pad", 0)]}


def merged(config: Mapping[str, Any]) -> tuple[str, Config] | None:
    """The class and arguments in Keras 3 for a `Merge`: a Lambda where it runs the user's code; a `Merge` in mode
    "cos", for which Keras 3 has no layer. None for a `Merge` that lists its inputs."""
    mode = config.get("mode")
    if isinstance(config.get("layers"), list):
        return None
    arguments = {key: config[key] for key in ("name", "trainable") if key in config}
    if config.get("mode_type", "raw") != "raw" or not isinstance(mode, str) or mode not in (*_MERGES, "cos"):
        return "Lambda", {**arguments, "function": mode, "arguments": config.get("arguments")}
    if mode == "concat":
        arguments["axis"] = config.get("concat_axis", -1)
    if mode in ("dot", "cos"):
        arguments["axes"] = _dot_axes(config.get("dot_axes", -1))
        arguments |= {"normalize": False} if mode == "dot" else {"mode": mode}
    return _MERGES.get(mode, "Merge"), arguments


def _dot_axes(axes: Any) -> Any:
    """The axes of a product; up to 1.0.5 each of the two was in a list of its own."""
    if isinstance(axes, list) and all(isinstance(axis, list) and len(axis) == 1 for axis in axes):
        return [axis[0] for axis in axes]
    return axes


_HIDDEN = {"cache_enabled": (...,), "input_dtype": (...,), "input_length": (...,), "weights": (...,)}
_INPUTS = {**_HIDDEN, "input_dim": (...,)}
_UNTRAINED = {**_INPUTS, "trainable": (...,)}  # SpatialDropout of Keras 3 does not take it

CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "AtrousConv1D": Change("Conv1D", _CONV, _INPUTS),
        "AtrousConv2D": Change("Conv2D", _CONV, _INPUTS, _window_2),
        "AtrousConvolution1D": Change("Conv1D", _CONV, _INPUTS),
        "AtrousConvolution2D": Change("Conv2D", _CONV, _INPUTS, _window_2),
        "AveragePooling1D": Change("", _POOLING, _INPUTS),
        "AveragePooling2D": Change("", _POOLING, _INPUTS),
        "AveragePooling3D": Change("", _POOLING, _INPUTS),
        "BatchNormalization": Change(
            "", {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"}, {**_INPUTS, "mode": (0,)}
        ),
        "ConvLSTM2D": Change("", {**_RECURRENT, **_CONV}, _INPUTS, _convolved_lstm),
        "Convolution1D": Change("Conv1D", _CONV, _INPUTS),
        "Convolution2D": Change("Conv2D", _CONV, _INPUTS, _window_2),
        "Convolution3D": Change("Conv3D", _CONV, _INPUTS, _window_3),
        "Cropping2D": Change("", _SPACE, _INPUTS),
        "Cropping3D": Change("", _SPACE, _INPUTS),
        "Deconvolution2D": Change("Conv2DTranspose", _CONV, {**_INPUTS, "output_shape": (...,)}, _window_2),
        "Dense": Change("", _DENSE, _INPUTS),
        "Dropout": Change("", _RATE, _INPUTS),
        "Embedding": Change("", _EMBEDDING, {**_HIDDEN, "dropout": (0, 0.0)}),
        "GRU": Change("", _RECURRENT, _INPUTS, _gru),
        "GaussianDropout": Change("", _RATE, _INPUTS),
        "GaussianNoise": Change("", {"sigma": "stddev"}, _INPUTS),
        "GlobalAveragePooling2D": Change("", _SPACE, _INPUTS),
        "GlobalAveragePooling3D": Change("", _SPACE, _INPUTS),
        "GlobalMaxPooling2D": Change("", _SPACE, _INPUTS),
        "GlobalMaxPooling3D": Change("", _SPACE, _INPUTS),
        "InputLayer": Change(
            "", {"batch_input_shape": "batch_shape", "input_dtype": "dtype"}, {"create_input_layer": (...,)}
        ),
        "LSTM": Change("", _RECURRENT, _INPUTS, _lstm),
        "LeakyReLU": Change("", {"alpha": "negative_slope"}, _INPUTS),
        "LocallyConnected1D": Change("", _CONV, _INPUTS),
        "LocallyConnected2D": Change("", _CONV, _INPUTS, _window_2),
        "MaxPooling1D": Change("", _POOLING, _INPUTS),
        "MaxPooling2D": Change("", _POOLING, _INPUTS),
        "MaxPooling3D": Change("", _POOLING, _INPUTS),
        "Model": Change("Functional"),
        "PReLU": Change("", {"init": "alpha_initializer"}, _INPUTS),
        "Reshape": Change("", {"dims": "target_shape"}, _INPUTS),
        "SeparableConvolution2D": Change("SeparableConv2D", _CONV, _INPUTS, _separable),
        "SimpleRNN": Change("", _RECURRENT, {**_INPUTS, "consume_less": (...,)}),
        "SpatialDropout1D": Change("", _RATE, _UNTRAINED),
        "SpatialDropout2D": Change("", _RATE, _UNTRAINED),
        "SpatialDropout3D": Change("", _RATE, _UNTRAINED),
        "TimeDistributedDense": Change("Dense", _DENSE, _INPUTS),
        "UpSampling1D": Change("", {"length": "size"}, _INPUTS),
        "UpSampling2D": Change("", _SPACE, _INPUTS),
        "UpSampling3D": Change("", _SPACE, _INPUTS),
        "ZeroPadding1D": Change("", {}, _INPUTS, _padded_1),
        "ZeroPadding2D": Change("", _SPACE, _INPUTS, _padded),
        "ZeroPadding3D": Change("", _SPACE, _INPUTS),
    }
)
"""The classes of Keras 1 with another name or other arguments in Keras 3, including aliases of convolutions."""

OTHERS = Change("", {}, _INPUTS)
"""The change of all other built-in classes of Keras 1, which have the same name in Keras 3."""
