"""A model in NumPy: what a `.keras` predicts, computed from its config and its weights without Keras.

It knows the layers and operations that take the place of those that Keras 3 has no more, and what stands beside them in
the models of genuine Keras 1 and 2 that the tests have; masks, and other classes, raise NotImplementedError.
"""

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

import ckpttool
from ckpttool import Section

Array = np.ndarray
Weights = list[Array]


class NumpyModel:
    """The model of a `.keras`."""

    def __init__(self, path: Path) -> None:
        with ckpttool.open(path) as checkpoint:
            stored = checkpoint.section(Section.MODEL)
            layers = groupby(stored, lambda weight: weight.layer)
            self.weights = {layer: [weight.read() for weight in weights] for layer, weights in layers}
            self.config: Any = json.loads(json.dumps(checkpoint.config))

    def __call__(self, inputs: Sequence[Array]) -> Array:
        """The output of the model for its inputs, in their order."""
        return self._called(self.config, "", *inputs)

    def _called(self, entry: Any, path: str, *inputs: Any, **options: Any) -> Any:
        """The output of a layer at a path, or of a model: of its layers in turn, or of its graph."""
        kind, config = entry["class_name"], entry["config"]
        prefix = f"{path}/" if path else ""
        if kind == "Sequential":
            (x,) = inputs
            for layer in config["layers"]:
                x = self._called(layer, prefix + layer["config"]["name"], x)
            return x
        if kind == "Functional":
            return self._of_graph(config, prefix, *inputs)
        if kind == "TimeDistributed":
            (x,) = inputs
            layer = config["layer"]
            inner = prefix + layer["config"]["name"] if "layers" in layer["config"] else path
            steps = [self._called(layer, inner, x[:, step]) for step in range(x.shape[1])]
            return np.stack(steps, 1)
        return _function(kind, config)(config, self.weights.get(path, []), *inputs, **options)

    def _of_graph(self, config: Any, prefix: str, *inputs: Any) -> Any:
        """The output of a Functional model. Keras writes a layer behind those whose outputs it is called on."""
        inputs = tuple(inputs[0]) if len(inputs) == 1 and isinstance(inputs[0], list) else inputs
        tensors = {(name, node): x for (name, node, _), x in zip(_ends(config["input_layers"]), inputs, strict=True)}
        left = [(layer, at, call) for layer in config["layers"] for at, call in enumerate(layer["inbound_nodes"])]
        while left:
            ready = [item for item in left if set(_tensors_in(item[2])) <= tensors.keys()]
            assert ready, "a graph without a beginning"
            for layer, at, call in ready:
                args, options = _values(call["args"], tensors), _values(call["kwargs"], tensors)
                tensors[layer["name"], at] = self._called(layer, prefix + layer["name"], *args, **options)
            left = [item for item in left if (item[0]["name"], item[1]) not in tensors]
        ((name, node, _),) = _ends(config["output_layers"])
        return tensors[name, node]


def _ends(value: Any) -> list[Any]:
    return value if isinstance(value[0], list) else [value]


def _tensors_in(value: Any) -> list[tuple[str, int]]:
    """The tensors in the arguments of a call."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [tuple(value["config"]["keras_history"][:2])]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tensor for item in items for tensor in _tensors_in(item)]


def _values(value: Any, tensors: dict[tuple[str, int], Array]) -> Any:
    """The arguments of a call with the values of their tensors."""
    if isinstance(value, list):
        return [_values(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__keras_tensor__":
        return tensors[_tensors_in(value)[0]]
    if value.get("class_name") == "__slice__":
        return slice(*(value["config"][key] for key in ("start", "stop", "step")))
    return {key: _values(item, tensors) for key, item in value.items()}


def sigmoid(x: Array) -> Array:
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    """Exponentials that sum to one."""
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "softmax": softmax,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


def _activated(config: Any, x: Array) -> Array:
    """The array behind the activation of a layer."""
    return ACTIVATIONS[config.get("activation") or "linear"](x)


def _dense(config: Any, weights: Weights, x: Array) -> Array:
    return _activated(config, x @ weights[0] + (weights[1] if config.get("use_bias", True) else 0))


def _einsum_dense(config: Any, weights: Weights, x: Array) -> Array:
    bias = weights[1] if config.get("bias_axes") else 0
    return _activated(config, np.einsum(config["equation"], x, weights[0]) + bias)


def _embedding(config: Any, weights: Weights, x: Array) -> Array:
    if config.get("mask_zero"):
        raise NotImplementedError("mask_zero")
    return weights[0][x.astype(int)]


def _dot(config: Any, weights: Weights, pair: list[Array]) -> Array:
    """The products along an axis of each, for each sample; what has no axis left is a column."""
    axes = config["axes"]
    first, other = (axes, axes) if isinstance(axes, int) else axes
    pairs = zip(*pair, strict=True)
    output = np.stack([np.tensordot(x, y, (_inner(x, first), _inner(y, other))) for x, y in pairs])
    return output if output.ndim > 1 else output[:, None]


def _inner(sample: Array, axis: int) -> int:
    """The axis of a sample for one of the batch."""
    return axis - 1 if axis > 0 else axis


def _convolution(config: Any, weights: Weights, x: Array) -> Array:
    """A convolution of one or two axes with channels last, and as many outputs as windows that fit."""
    if config["padding"] != "valid" or config.get("data_format") == "channels_first" or _is_dilated(config):
        raise NotImplementedError("another convolution")
    kernel, bias = weights
    axes = tuple(range(1, x.ndim - 1))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:-2], axes)
    windows = windows[(slice(None), *(slice(None, None, stride) for stride in np.ravel(config["strides"])))]
    inner = tuple(range(windows.ndim - len(axes), windows.ndim))
    output = np.tensordot(windows, kernel, ((*inner, x.ndim - 1), tuple(range(kernel.ndim - 1))))
    return _activated(config, output + bias)


def _is_dilated(config: Any) -> bool:
    return bool(np.any(np.ravel(config.get("dilation_rate", 1)) != 1))


def _zero_padding(config: Any, weights: Weights, x: Array) -> Array:
    padding = config["padding"]
    pairs = [(size, size) if isinstance(size, int) else size for size in (padding if x.ndim > 3 else [padding])]
    pads = [(0, 0), *pairs, (0, 0)] if config.get("data_format") != "channels_first" else [(0, 0), (0, 0), *pairs]
    return np.pad(x, pads)


def _batch_normalization(config: Any, weights: Weights, x: Array) -> Array:
    shape = [1] * x.ndim
    shape[config.get("axis", -1)] = -1
    left = [weight.reshape(shape) for weight in weights]
    gamma = left.pop(0) if config.get("scale", True) else 1
    beta = left.pop(0) if config.get("center", True) else 0
    mean, variance = left
    return (x - mean) / np.sqrt(variance + config.get("epsilon", 1e-3)) * gamma + beta


def _lstm(config: Any, weights: Weights, state: Array, x: Array) -> Array:
    """A step. All gates stand in one kernel: input, forget, cell, output."""
    kernel, recurrent, bias = weights
    activation, gate = ACTIVATIONS[config["activation"]], ACTIVATIONS[config["recurrent_activation"]]
    h, c = state
    i, f, new, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
    c = gate(f) * c + gate(i) * activation(new)
    return np.stack([gate(o) * activation(c), c])


def _gru(config: Any, weights: Weights, state: Array, x: Array) -> Array:
    """A step. All gates stand in one kernel: update, reset, new state; where the state is reset after its product there
    are two rows of biases."""
    kernel, recurrent, bias = weights
    activation, gate = ACTIVATIONS[config["activation"]], ACTIVATIONS[config["recurrent_activation"]]
    h, units = state[0], config["units"]
    outer, inner = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    from_input, from_state = x @ kernel + outer, h @ recurrent + inner
    z, r = np.split(gate(from_input[:, : 2 * units] + from_state[:, : 2 * units]), 2, axis=1)
    product = r * from_state[:, 2 * units :] if bias.ndim == 2 else (r * h) @ recurrent[:, 2 * units :]
    new = activation(from_input[:, 2 * units :] + product)
    return np.stack([z * h + (1 - z) * new])


_STEPS = {"LSTM": _lstm, "GRU": _gru}


def _recurrent(kind: str, config: Any, weights: Weights, x: Array) -> Array:
    """The last output, or all of them."""
    state = np.zeros((2, len(x), config["units"]))
    outputs = []
    for step in x.swapaxes(0, 1)[:: -1 if config.get("go_backwards") else 1]:
        state = _STEPS[kind](config, weights, state, step)
        outputs.append(state[0])
    return np.stack(outputs, 1) if config.get("return_sequences") else outputs[-1]


def _bidirectional(config: Any, weights: Weights, x: Array) -> Array:
    """Both directions; the weights of the one backwards come first in a file."""
    kind, inner = config["layer"]["class_name"], config["layer"]["config"]
    backwards = _recurrent(kind, {**inner, "go_backwards": True}, weights[:3], x)
    forwards = _recurrent(kind, inner, weights[3:], x)
    backwards = backwards[:, ::-1] if inner.get("return_sequences") else backwards
    if config["merge_mode"] == "sum":
        return np.asarray(forwards + backwards)
    return np.concatenate([forwards, backwards], -1)


Function = Callable[..., Any]
FUNCTIONS: dict[str, Function] = {
    "InputLayer": lambda c, w, x: x,
    "Dropout": lambda c, w, x: x,
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Embedding": _embedding,
    "LSTM": lambda c, w, x: _recurrent("LSTM", c, w, x),
    "GRU": lambda c, w, x: _recurrent("GRU", c, w, x),
    "Bidirectional": _bidirectional,
    "BatchNormalization": _batch_normalization,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
    "Activation": lambda c, w, x: _activated(c, x),
    "Softmax": lambda c, w, x: softmax(x),
    "Flatten": lambda c, w, x: x.reshape(len(x), -1),
    "Reshape": lambda c, w, x: x.reshape(len(x), *c["target_shape"]),
    "LeakyReLU": lambda c, w, x: np.where(x < 0, c["negative_slope"] * x, x),
    "Permute": lambda c, w, x: x.transpose(0, *c["dims"]),
    "Rescaling": lambda c, w, x: x * np.asarray(c["scale"], "float32") + np.asarray(c.get("offset", 0), "float32"),
    "Concatenate": lambda c, w, xs: np.concatenate(xs, c.get("axis", -1)),
    "Average": lambda c, w, xs: sum(xs) / len(xs),
    "Dot": _dot,
    "GetItem": lambda c, w, x, key: x[tuple(key) if isinstance(key, list) else key],
    "Stack": lambda c, w, xs: np.stack(xs, c["axis"]),
    "ExpandDims": lambda c, w, x: np.expand_dims(x, c["axis"]),
    "OnesLike": lambda c, w, x: np.ones_like(x),
    "Absolute": lambda c, w, x: np.abs(x),
    "Negative": lambda c, w, x: -x,
    "Relu": lambda c, w, x: np.maximum(x, 0),
    "Sqrt": lambda c, w, x: np.sqrt(x),
    "Subtract": lambda c, w, x, y: x - y,
    "TrueDivide": lambda c, w, x, y: x / y,
}
_OF_SEVERAL: dict[str, np.ufunc] = {
    "Add": np.add,
    "Multiply": np.multiply,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
}
"""Layers that take a list, and operations that take two values."""


def _function(kind: str, config: Any) -> Function:
    """The function of a class. Raises NotImplementedError."""
    if kind in _OF_SEVERAL:
        return lambda c, w, *xs: _of_several(_OF_SEVERAL[kind], xs[0] if isinstance(xs[0], list) else xs)
    if kind not in FUNCTIONS or not isinstance(config.get("activation") or "", str):
        raise NotImplementedError(kind)
    return FUNCTIONS[kind]


def _of_several(function: np.ufunc, values: Sequence[Any]) -> Any:
    first, *others = values
    for other in others:
        first = function(first, other)
    return first
