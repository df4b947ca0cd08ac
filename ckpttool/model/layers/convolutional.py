"""Convolutions (keras/src/layers/convolutional, base_conv.py and its neighbours, 3.15)."""

from dataclasses import replace

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.graph import Call
from ckpttool.model.layers import quantization
from ckpttool.model.layers.call_inputs import at_least, sole, whole
from ckpttool.model.layers.layer_type import Build, LayerType, Weights
from ckpttool.model.layers.spatial import Change, Image, changed, channels
from ckpttool.model.layers.work import Run, Work, has_bias, positions, with_bias_and_activation
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.shape_arithmetic import convolved, transposed
from ckpttool.model.sizes import MAX_SIZE, Inputs, Shape, Size, items, times
from ckpttool.model.slots import Part, Slot

_WRITE_ORDER = ("kernel", "bias")


def _slot(args: Args, name: str, *shape: Size) -> Slot:
    return Slot(name, shape, args.variable_dtype)


def _bias(args: Args, size: Size) -> Slot | None:
    return _slot(args, "bias", size) if args.flag("use_bias", True) else None


def conv_weights(rank: int) -> Weights:
    """Conv1D to 3D: kernel (window, channels of a group, filters), bias (filters); LoRA as in Dense."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        depth, groups, filters = channels(args, first_shape(inputs)), args.size("groups", 1), args.size("filters")
        if depth is not None and depth % groups:
            raise args.error("groups", f"a number that divides {depth} channels")
        depth = None if depth is None else depth // groups
        kernel = _slot(args, "kernel", *args.numbers("kernel_size", rank), depth, filters)
        bias = _bias(args, filters)
        slots = [kernel, bias] if bias else [kernel]
        return args.part(*quantization.lora(args, slots, "kernel", kernel.shape), write_order=_WRITE_ORDER)

    return weights


def conv_outputs(rank: int) -> Rule:
    """Conv1D to 3D: the places of the window, `filters` channels."""

    def change(args: Args, image: Image) -> Image:
        filters, groups = args.size("filters"), args.size("groups", 1)
        _exclusive(args, rank)
        if filters % groups or (image.channels is not None and image.channels % groups):
            raise args.error("groups", f"a number that divides {filters} filters and {image.channels} channels")
        return image.with_space(*windowed(args, image.space)).with_channels(filters)

    return _convolution(rank, change)


def conv_transpose_weights(rank: int) -> Weights:
    """Conv1DTranspose to 3DTranspose: kernel (window, filters, channels), bias (filters)."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        filters, window = args.size("filters"), args.numbers("kernel_size", rank)
        return args.part(
            _slot(args, "kernel", *window, filters, channels(args, first_shape(inputs))), _bias(args, filters)
        )

    return weights


def conv_transpose_outputs(rank: int) -> Rule:
    """Conv1DTranspose to 3DTranspose: the places that the window reaches, `filters` channels."""

    def change(args: Args, image: Image) -> Image:
        window, strides = args.numbers("kernel_size", rank), args.numbers("strides", rank, 1)
        padding = args.choice("padding", "valid", "same")
        _exclusive(args, rank)
        is_open = all(size is None for size in image.space)  # where nothing is computed, Keras takes fractions, too
        rates = (1,) * rank if is_open and args.rates("dilation_rate", rank) else args.numbers("dilation_rate", rank, 1)
        axes = zip(image.space, window, strides, rates, _output_padding(args, rank), strict=True)
        space = (transposed(size, width, stride, padding, rate, more) for size, width, stride, rate, more in axes)
        return image.with_space(*space).with_channels(args.size("filters"))

    return _convolution(rank, change)


def depthwise_conv_weights(rank: int) -> Weights:
    """DepthwiseConv1D and 2D: kernel (window, channels, multiplier), bias (channels x multiplier)."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        depth, multiplier = channels(args, first_shape(inputs)), args.size("depth_multiplier", 1)
        window = args.numbers("kernel_size", rank)
        kernel = replace(_slot(args, "kernel", *window, depth, multiplier), tracked="depthwise_kernel")
        return args.part(kernel, _bias(args, times(depth, multiplier)))

    return weights


def depthwise_conv_outputs(rank: int) -> Rule:
    """DepthwiseConv1D and 2D: each channel becomes `depth_multiplier` of them."""

    def change(args: Args, image: Image) -> Image:
        depth = times(image.channels, args.size("depth_multiplier", 1))
        return image.with_space(*windowed(args, image.space)).with_channels(depth)

    return _convolution(rank, change)


def separable_conv_weights(rank: int) -> Weights:
    """SeparableConv1D and 2D: depthwise_kernel, pointwise_kernel (1, ..., channels x multiplier, filters), bias."""

    def weights(args: Args, inputs: Inputs, build: Build) -> Part:
        depth, multiplier = channels(args, first_shape(inputs)), args.size("depth_multiplier", 1)
        filters, window = args.size("filters"), args.numbers("kernel_size", rank)
        return args.part(
            _slot(args, "depthwise_kernel", *window, depth, multiplier),
            _slot(args, "pointwise_kernel", *(1,) * rank, times(depth, multiplier), filters),
            _bias(args, filters),
        )

    return weights


def separable_conv_outputs(rank: int) -> Rule:
    """SeparableConv1D and 2D: as a convolution; causal padding is of Keras 2, for the first."""

    def change(args: Args, image: Image) -> Image:
        args.size("depth_multiplier", 1)
        return image.with_space(*windowed(args, image.space)).with_channels(args.size("filters"))

    return _convolution(rank, change)


def _convolution(rank: int, change: Change) -> Rule:
    """The rule of a convolution. With more axes than it needs, Keras 2.3 to 2.15 take the first ones for further batch
    axes, and Keras 3.15 refuses the input; what comes out is left open."""
    exact = changed(rank, change)

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = at_least(args, sole(args, call), rank + 2)
        return (None,) if shape is not None and len(shape) > rank + 2 else exact(args, call, infer)

    return rule


def windowed(args: Args, space: Shape) -> Shape:
    """The axes of space after a convolution. Raises ValueError where its window does not fit."""
    rank = len(space)
    window, strides = args.numbers("kernel_size", rank), args.numbers("strides", rank, 1)
    dilation = args.rates("dilation_rate", rank)
    padding = args.choice("padding", "valid", "same", *(("causal",) if rank == 1 else ()))
    axes = zip(space, window, strides, dilation, strict=True)
    return tuple(convolved(size, width, stride, padding, rate) for size, width, stride, rate in axes)


def _exclusive(args: Args, rank: int) -> None:
    """Refuse strides together with dilation, as Keras does."""
    if max(args.numbers("strides", rank, 1)) > 1 and max(args.rates("dilation_rate", rank)) > 1:
        raise args.error("dilation_rate", "1, where strides are more than 1")


def _output_padding(args: Args, rank: int) -> tuple[int | None, ...]:
    """The padding behind each axis, which must be less than its stride; None where there is none."""
    if "output_padding" not in args:
        return (None,) * rank
    padding, strides = items(args.config["output_padding"]), args.numbers("strides", rank, 1)
    padding = padding if isinstance(padding, list) else [padding] * rank
    if len(padding) != rank or not all(whole(size, 0) and size <= MAX_SIZE for size in padding):
        raise args.error("output_padding", f"{rank} whole numbers")
    if any(size >= stride for size, stride in zip(padding, strides, strict=True)):
        raise args.error("output_padding", "less than the strides")
    return tuple(padding)


KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def conv_work(run: Run) -> Work | None:
    """Convolutions: all kernels at each place of the output, padding included."""
    return _at_places(run, run.output)


def conv_transpose_work(run: Run) -> Work | None:
    """Transposed convolutions: the kernel at each place of the input."""
    return _at_places(run, run.input)


def _at_places(run: Run, shape: Shape | None) -> Work | None:
    if shape is None:
        return None
    macs = times(positions(Image.of(run.args, shape)), run.kernels(*KERNELS))
    return with_bias_and_activation(run, macs, has_bias(run.args))


ROWS = {
    **{f"Conv{rank}D": LayerType(conv_weights(rank), conv_outputs(rank), work=conv_work) for rank in (1, 2, 3)},
    **{
        f"Conv{rank}DTranspose": LayerType(
            conv_transpose_weights(rank), conv_transpose_outputs(rank), work=conv_transpose_work
        )
        for rank in (1, 2, 3)
    },
    **{
        f"DepthwiseConv{rank}D": LayerType(depthwise_conv_weights(rank), depthwise_conv_outputs(rank), work=conv_work)
        for rank in (1, 2)
    },
    **{
        f"SeparableConv{rank}D": LayerType(separable_conv_weights(rank), separable_conv_outputs(rank), work=conv_work)
        for rank in (1, 2)
    },
}
