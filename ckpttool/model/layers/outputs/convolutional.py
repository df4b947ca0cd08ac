"""Convolutions (keras/src/layers/convolutional, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import at_least, sole, whole
from ckpttool.model.layers.outputs.rule import Infer, Outputs, Rule
from ckpttool.model.layers.outputs.spatial import Change, Image, changed
from ckpttool.model.shape_arithmetic import convolved, transposed
from ckpttool.model.sizes import MAX_SIZE, Shape, items, times


def _convolution(rank: int, change: Change) -> Rule:
    """The rule of a convolution. With more axes than it needs, Keras 2.3 to 2.15 take the first ones for further batch
    axes, and Keras 3.15 refuses the input; what comes out is left open."""
    exact = changed(rank, change)

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = at_least(args, sole(args, call), rank + 2)
        return (None,) if shape is not None and len(shape) > rank + 2 else exact(args, call, infer)

    return rule


def windowed(args: Args, space: Shape) -> Shape:
    """What a convolution makes of the axes of space. Raises ValueError where its window does not fit."""
    rank = len(space)
    window, strides = args.numbers("kernel_size", rank), args.numbers("strides", rank, 1)
    dilation, padding = args.numbers("dilation_rate", rank, 1), _padding(args, rank)
    axes = zip(space, window, strides, dilation, strict=True)
    return tuple(convolved(size, width, stride, padding, rate) for size, width, stride, rate in axes)


def _padding(args: Args, rank: int) -> str:
    return args.choice("padding", "valid", "same", *(("causal",) if rank == 1 else ()))


def _exclusive(args: Args, rank: int) -> None:
    """Refuses strides together with dilation, as Keras does."""
    if max(args.numbers("strides", rank, 1)) > 1 and max(args.numbers("dilation_rate", rank, 1)) > 1:
        raise args.error("dilation_rate", "1, where strides are more than 1")


def conv(rank: int) -> Rule:
    """Conv1D to 3D."""

    def change(args: Args, image: Image) -> Image:
        filters, groups = args.size("filters"), args.size("groups", 1)
        _exclusive(args, rank)
        if filters % groups or (image.channels is not None and image.channels % groups):
            raise args.error("groups", f"a number that divides {filters} filters and {image.channels} channels")
        return image.with_space(*windowed(args, image.space)).with_channels(filters)

    return _convolution(rank, change)


def separable_conv(rank: int) -> Rule:
    """SeparableConv1D and 2D; causal padding is of Keras 2, for the first."""

    def change(args: Args, image: Image) -> Image:
        args.size("depth_multiplier", 1)
        return image.with_space(*windowed(args, image.space)).with_channels(args.size("filters"))

    return _convolution(rank, change)


def depthwise_conv(rank: int) -> Rule:
    """DepthwiseConv1D and 2D: each channel becomes `depth_multiplier` of them."""

    def change(args: Args, image: Image) -> Image:
        channels = times(image.channels, args.size("depth_multiplier", 1))
        return image.with_space(*windowed(args, image.space)).with_channels(channels)

    return _convolution(rank, change)


def conv_transpose(rank: int) -> Rule:
    """Conv1DTranspose to 3DTranspose."""

    def change(args: Args, image: Image) -> Image:
        window, strides = args.numbers("kernel_size", rank), args.numbers("strides", rank, 1)
        rates, padding = args.numbers("dilation_rate", rank, 1), args.choice("padding", "valid", "same")
        _exclusive(args, rank)
        axes = zip(image.space, window, strides, rates, _output_padding(args, rank), strict=True)
        space = (transposed(size, width, stride, padding, rate, more) for size, width, stride, rate, more in axes)
        return image.with_space(*space).with_channels(args.size("filters"))

    return _convolution(rank, change)


def _output_padding(args: Args, rank: int) -> tuple[int | None, ...]:
    """The padding behind each axis, which must be less than its stride; None where there is none."""
    if "output_padding" not in args:
        return (None,) * rank
    given, strides = items(args.config["output_padding"]), args.numbers("strides", rank, 1)
    given = given if isinstance(given, list) else [given] * rank
    if len(given) != rank or not all(whole(size, 0) and size <= MAX_SIZE for size in given):
        raise args.error("output_padding", f"{rank} whole numbers")
    if any(size >= stride for size, stride in zip(given, strides, strict=True)):
        raise args.error("output_padding", "less than the strides")
    return tuple(given)
