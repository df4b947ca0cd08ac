"""Inputs that calls of single classes take, beside what the tables of shapes say (Keras 3.15)."""

from typing import Any

from ckpttool.io import scalars
from ckpttool.model.buildability import feature_spaces
from ckpttool.model.buildability.context import Context, shown
from ckpttool.model.buildability.shapes import is_alike, standard_shape
from ckpttool.model.buildability.table import row_of
from ckpttool.model.buildability.values import Layer, Tensor
from ckpttool.model.layers.einsum import Equation
from ckpttool.model.layers.table import of_kind
from ckpttool.model.sizes import Inputs, Shape

_MERGING = "keras.src.layers.merging."
_CONVOLUTIONS = "keras.src.layers.convolutional."
_KEEPING_AXES = frozenset({"BatchNormalization", "EinsumDense", "GroupNormalization", "PReLU", "SpectralNormalization"})
_INNER = {"Bidirectional": ("layer", "backward_layer"), "RNN": ("cell",), "TimeDistributed": ("layer",)}
_WITH_STEPS = 3  # axes: batch, time, values
_CELLS = of_kind("cell")
_LISTED = "keras.src.layers.preprocessing.feature_space.TFDConcat"

# Layers whose weights are as large as axes of their input.
_DENSE = frozenset({
    *("BatchNormalization", "Conv1D", "Conv2D", "Conv3D", "Dense", "DepthwiseConv2D", "GRU", "LSTM", "PReLU"),
    *("LayerNormalization", "SeparableConv2D", "SimpleRNN"),
})  # fmt: skip

# Operations that add their argument to the shape of their input (`AdaptiveMaxPool`, keras/src/ops/nn.py).
_ADAPTIVE = frozenset({"AdaptiveAveragePool", "AdaptiveMaxPool"})

# Bases of other layers, which have no call of their own.
_WITHOUT_CALL = frozenset({
    *("BaseAdaptiveAveragePooling", "BaseAdaptiveMaxPooling", "BaseAdaptivePooling", "BaseConvTranspose"),
    *("BaseGlobalPooling", "BaseImagePreprocessingLayer", "Operation", "Wrapper"),
})  # fmt: skip


def check_own(layer: Layer, first: Any, context: Context) -> None:
    """Raises Refused where a class does not take its input."""
    if layer.class_name in _WITHOUT_CALL:
        raise context.refused(layer.class_name, "call", "it is a base of other layers, and cannot be called itself")
    is_listed = layer.place.startswith(_MERGING) or layer.place == _LISTED
    if is_listed and not isinstance(first, list | tuple):
        raise context.refused(layer.class_name, "call", "it is called on one input; Keras takes a list of inputs")
    if layer.class_name == "FeatureSpace" and not isinstance(first, dict):
        raise context.refused("FeatureSpace", "call", "it is called on no object; Keras takes one of inputs by name")
    shape = first.shape if isinstance(first, Tensor) else None
    least = _least_axes(layer)
    if shape is not None and len(shape) < least:
        why = f"its input has {len(shape)} axes, and it takes {least} at least"
        raise context.refused(layer.class_name, "call", why)
    if layer.class_name in _ADAPTIVE and not isinstance(layer.config.get("output_size"), tuple):
        why = f"it is {shown(layer.config.get('output_size'))}; Keras takes a tuple, which JSON does not have"
        raise context.refused(layer.class_name, "output_size", why)
    if layer.class_name == "Equalization":
        why = "it gives out the very tensor that it takes, which Keras 3.15 reports as a cycle of the graph"
        raise context.refused("Equalization", "call", why)
    if shape is not None and shape and shape[0] is None and _is_stateful(layer):
        why = f"it is stateful, and its input {shown(list(shape))} has no fixed batch size"
        raise context.refused(layer.class_name, "stateful", why)
    if layer.class_name in ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D") and shape is not None and not layer.built:
        _check_space(layer, shape, context)
    if layer.class_name == "LayerScale" and shape is not None:
        _check_scale(layer, shape, context)
    if layer.class_name == "CustomScaleLayer" and isinstance(layer.config.get("scale"), str | dict | None):
        why = f"it is {shown(layer.config.get('scale'))}; Keras multiplies by a number"
        raise context.refused(layer.class_name, "scale", why)
    if layer.class_name.startswith("Adaptive"):
        _check_sizes(layer, context)
    if layer.class_name == "EinsumDense" and shape is not None and not layer.built:
        _check_equation(layer, shape, context)
    if layer.class_name == "Normalization" and shape is not None and not layer.built:
        _check_axes_of_values(layer, shape, context)
    if is_without_shape(layer):
        raise context.refused(layer.class_name, "layer", "it is a cell, of which Keras knows no shape of the output")


def is_without_shape(layer: Layer) -> bool:
    """Whether Keras cannot say what comes out of a layer: around a cell, which has no `compute_output_shape`."""
    inner = layer.arguments.get("layer") if layer.class_name == "SpectralNormalization" else None
    return isinstance(inner, Layer) and inner.class_name in _CELLS


def joined(layer: Layer, inputs: list[Tensor], context: Context) -> Shape | None:
    """The shape that a Concatenate gives out which was built before and compares its inputs no more
    (`Concatenate.compute_output_shape`, keras/src/layers/merging/concatenate.py)."""
    axis = layer.config.get("axis", -1)
    shapes = [tensor.shape for tensor in inputs]
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes) or not known or not isinstance(axis, int):
        return None
    if any(not -len(shape) <= axis < len(shape) for shape in known):
        why = f"axis is {axis}, which inputs {shown([list(shape) for shape in known])} do not have"
        raise context.refused(layer.class_name, "axis", why)
    sizes = [shape[axis] for shape in known]
    together = list(known[0])
    together[axis] = None if None in sizes else sum(size for size in sizes if size is not None)
    return tuple(together)


def is_merging(layer: Layer) -> bool:
    """Whether it is a layer that takes a list of inputs and merges them."""
    return layer.place.startswith(_MERGING)


def checks_shapes(layer: Layer) -> bool:
    """Whether a class looks at the shapes that it is built for, as it does at those that it is called on."""
    is_convolution = layer.place.startswith(_CONVOLUTIONS) and not layer.class_name.endswith("Transpose")
    return is_merging(layer) or is_convolution or layer.class_name == "GroupNormalization"


def keeps_axes(layer: Layer) -> bool:
    """Whether a layer takes only inputs with the axes of the one it was built for (`InputSpec`)."""
    return layer.class_name in _KEEPING_AXES


def has_axes_as_built(layer: Layer, shape: tuple[int | None, ...]) -> bool:
    """Whether an input has as many axes as the one that a layer was built for, or for SpectralNormalization the same
    last one (`InputSpec`)."""
    if layer.class_name != "SpectralNormalization":
        return len(shape) == len(layer.built_input)
    return is_alike(shape[-1:], layer.built_input[-1:])


def keeps_weights(layer: Layer) -> bool:
    """Whether a layer of a class that may be built for any input takes only such as it was built for."""
    shares = layer.class_name == "PReLU" and bool(layer.config.get("shared_axes"))
    return shares or layer.class_name == "GroupNormalization"


def check_axes(layer: Layer, inputs: list[Tensor], context: Context) -> None:
    """Raises Refused where a convolution meets more axes than its kernel has
    (`compute_conv_output_shape`, keras/src/ops/operation_utils.py)."""
    shape, ranks = inputs[0].shape if inputs else None, row_of(layer.place)
    most = ranks.ranks[1] if ranks and ranks.ranks and layer.place.startswith(_CONVOLUTIONS) else None
    if shape is not None and most is not None and len(shape) > most:
        why = f"its input has {len(shape)} axes, {shown(list(shape))}, and it takes {most}"
        raise context.refused(layer.class_name, "call", why)


def _least_axes(layer: Layer) -> int:
    """The least number of axes of a layer's input, where Keras looks at single axes without counting them."""
    if layer.class_name.startswith("Adaptive"):
        return 2 if layer.config.get("data_format") == "channels_first" else 1
    return {"RandomHeight": 3, "RandomWidth": 2}.get(layer.class_name, 0)


def _is_stateful(layer: Layer) -> bool:
    """Whether a recurrent layer keeps its state from batch to batch (`RNN.build`, keras/src/layers/rnn/rnn.py)."""
    inner = layer.arguments.get("layer") if layer.class_name == "Bidirectional" else layer
    return isinstance(inner, Layer) and bool(inner.config.get("stateful")) and ".layers.rnn." in inner.place


def has_no_steps(layer: Layer, shape: tuple[int | None, ...] | None) -> bool:
    """Whether a recurrent layer is built for a shape without an axis for time, of which Keras takes the batch axis for
    that of the values."""
    is_recurrent = layer.class_name in ("Bidirectional", "GRU", "LSTM", "RNN", "SimpleRNN")
    return is_recurrent and shape is not None and 0 < len(shape) < _WITH_STEPS and shape[0] is not None


def holds_built(layer: Layer, shape: tuple[int | None, ...] | None) -> bool:
    """Whether all that a layer holds has its weights already, which Keras then leaves as they are."""
    keys = _INNER.get(layer.class_name, ())
    if layer.class_name == "TimeDistributed" and shape is not None and len(shape) < _WITH_STEPS:
        return False  # it looks at the shape all the same
    inner = [layer.arguments.get(key) for key in keys]
    return bool(inner) and all(isinstance(layer, Layer) and layer.built for layer in inner)


def check_build(layer: Layer, settings: dict[str, Any], context: Context) -> None:
    """Raises Refused where a class is not built for the shape that its entry states."""
    if layer.class_name == "FeatureSpace":
        feature_spaces.check_build(layer, settings, context)
        return
    shape = settings.get("input_shape")
    if isinstance(shape, list) and any(isinstance(size, float | str) for size in shape) and layer.class_name in _DENSE:
        why = f"build_config states the shape {shown(shape)}; Keras takes whole numbers and nulls"
        raise context.refused(layer.class_name, "build", why)
    if layer.class_name == "Normalization" and (known := standard_shape(shape)) is not None:
        _check_axes_of_values(layer, known, context)
    if not layer.place.startswith(_MERGING) or "input_shape" not in settings:
        return
    if not isinstance(shape, list | tuple) or not shape or not isinstance(shape[0], list | tuple):
        why = f"build_config states the shape {shown(shape)}; Keras takes a list of shapes"
        raise context.refused(layer.class_name, "build", why)


def _check_scale(layer: Layer, shape: tuple[int | None, ...], context: Context) -> None:
    """LayerScale multiplies the last axis (keras/src/applications/convnext.py)."""
    width = layer.config.get("projection_dim")
    if not isinstance(width, int) or width < 0:
        raise context.refused("LayerScale", "projection_dim", f"it is {shown(width)}; Keras takes a whole number")
    if shape and shape[-1] is not None and 1 not in (width, shape[-1]) and width != shape[-1]:
        why = f"its input has {shape[-1]} channels, and projection_dim is {width}"
        raise context.refused("LayerScale", "call", why)


def _check_sizes(layer: Layer, context: Context) -> None:
    """The sizes that an adaptive pooling asks for are those of its output (`compute_output_shape`)."""
    value = layer.config.get("output_size")
    for size in value if isinstance(value, list | tuple) else ():
        if size is not None and not isinstance(size, int):
            raise context.refused(
                layer.class_name, "output_size", f"it asks for {shown(size)}; Keras takes whole numbers"
            )


def _check_axes_of_values(layer: Layer, shape: Shape, context: Context) -> None:
    """Normalization takes no input of which an axis that it keeps has an open size (`Normalization.build`)."""
    axes = layer.config.get("axis", -1)
    for axis in axes if isinstance(axes, list | tuple) else [axes]:
        if isinstance(axis, int) and -len(shape) <= axis < len(shape) and shape[axis] is None:
            why = f"it keeps axis {axis} of {shown(list(shape))}, of which the size is not known"
            raise context.refused(layer.class_name, "axis", why)


def _check_equation(layer: Layer, shape: Shape, context: Context) -> None:
    """EinsumDense compares sizes that are stated of its output with those of its input, also where the latter are open
    (`_analyze_split_string`, keras/src/layers/core/einsum_dense.py)."""
    equation, output_shape = Equation.read(layer.config.get("equation")), layer.config.get("output_shape")
    if equation is None or equation.dots:
        return
    of_output = output_shape if isinstance(output_shape, list | tuple) else [output_shape]
    sizes = dict(zip(equation.outputs[1:], of_output, strict=False))
    for label, size in zip(equation.inputs, shape, strict=False):
        if size is None and sizes.get(label) is not None:
            why = f"axis {label} of its output has the size {sizes[label]}, and that of its input is open"
            raise context.refused(layer.class_name, "build", why)


def _known_ranks(layer: Layer) -> tuple[int, ...]:
    """The numbers of axes that the tables of shapes know, of layers that Keras calls on inputs of any."""
    name = layer.class_name
    if name.startswith("Adaptive") and name.endswith("D"):
        return ((scalars.digits(name[-2]) or 0) + 2,)
    if name == "RNN" and layer.built:  # its cells have their weights, and it looks at the batch and the steps alone
        return (1, 3)
    return {"Resizing": (1, 3, 4), "RandomCrop": (1, 2, 3, 4), "RNN": (1, 2, 3)}.get(name, ())


def _check_space(layer: Layer, shape: tuple[int | None, ...], context: Context) -> None:
    """ConvLSTM layers make their states when they are built (keras/src/layers/rnn/conv_lstm.py)."""
    first = layer.config.get("data_format") == "channels_first"
    space = shape[3:] if first else shape[2:-1]
    if len(shape) == (scalars.digits(layer.class_name[-2]) or 0) + 3 and None in space:
        raise context.refused(
            layer.class_name, "call", f"its input is {shown(list(shape))}, of which no size may be null"
        )


def of_equation(layer: Layer, inputs: Inputs) -> Inputs:
    """The axes of inputs for which EinsumDense has weights: those that its equation names (`_analyze_split_string`,
    keras/src/layers/core/einsum_dense.py)."""
    shape = inputs[0] if inputs else None
    if layer.class_name != "EinsumDense" or shape is None or not is_left_open(layer, [Tensor(shape)]):
        return inputs
    equation = Equation.read(layer.config.get("equation"))
    return inputs if equation is None else (shape[: len(equation.inputs)], *inputs[1:])


def is_left_open(layer: Layer, inputs: list[Tensor]) -> bool:
    """Whether Keras takes an input of which the tables of shapes know nothing: EinsumDense does not count the axes
    behind those that its equation names, and others do not count any."""
    shape = inputs[0].shape if inputs else None
    if shape is not None and (ranks := _known_ranks(layer)):
        return len(shape) not in ranks
    if layer.class_name != "EinsumDense" or shape is None:
        return False
    equation = Equation.read(layer.config.get("equation"))
    return equation is not None and not equation.dots and len(shape) > len(equation.inputs)
