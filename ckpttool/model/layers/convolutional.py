"""Convolutions (keras/src/layers/convolutional, base_conv.py and its neighbours, 3.15)."""

from collections.abc import Callable
from dataclasses import replace

from ckpttool.model.arguments import Args, first
from ckpttool.model.layers import quantized
from ckpttool.model.sizes import Inputs, Size, times
from ckpttool.model.slots import Part, Slot

Row = Callable[[Args, Inputs], Part]

_WRITE_ORDER = ("kernel", "bias")


def channels(args: Args, inputs: Inputs) -> Size:
    """The number of channels of the input."""
    last = args.choice("data_format", "channels_last", "channels_first") == "channels_last"
    return args.axis_of(first(inputs), -1 if last else 1, "data_format")


def _slot(args: Args, name: str, *shape: Size) -> Slot:
    return Slot(name, shape, args.variable_dtype)


def _bias(args: Args, size: Size) -> Slot | None:
    return _slot(args, "bias", size) if args.flag("use_bias", True) else None


def conv(rank: int) -> Row:
    """Conv1D to 3D: kernel (window, channels of a group, filters), bias (filters); LoRA as in Dense."""

    def row(args: Args, inputs: Inputs) -> Part:
        depth, groups, filters = channels(args, inputs), args.size("groups", 1), args.size("filters")
        if depth is not None and depth % groups:
            raise args.error("groups", f"a number that divides {depth} channels")
        depth = None if depth is None else depth // groups
        kernel = _slot(args, "kernel", *args.numbers("kernel_size", rank), depth, filters)
        bias = _bias(args, filters)
        slots = [kernel, bias] if bias else [kernel]
        return args.part(*quantized.lora(args, slots, "kernel", kernel.shape), write_order=_WRITE_ORDER)

    return row


def conv_transpose(rank: int) -> Row:
    """Conv1DTranspose to 3D: kernel (window, filters, channels), bias (filters)."""

    def row(args: Args, inputs: Inputs) -> Part:
        filters, window = args.size("filters"), args.numbers("kernel_size", rank)
        return args.part(_slot(args, "kernel", *window, filters, channels(args, inputs)), _bias(args, filters))

    return row


def depthwise_conv(rank: int) -> Row:
    """DepthwiseConv1D and 2D: kernel (window, channels, multiplier), bias (channels x multiplier)."""

    def row(args: Args, inputs: Inputs) -> Part:
        depth, multiplier = channels(args, inputs), args.size("depth_multiplier", 1)
        window = args.numbers("kernel_size", rank)
        kernel = replace(_slot(args, "kernel", *window, depth, multiplier), tracked="depthwise_kernel")
        return args.part(kernel, _bias(args, times(depth, multiplier)))

    return row


def separable_conv(rank: int) -> Row:
    """SeparableConv1D and 2D: depthwise_kernel, pointwise_kernel (1, ..., channels x multiplier, filters), bias."""

    def row(args: Args, inputs: Inputs) -> Part:
        depth, multiplier = channels(args, inputs), args.size("depth_multiplier", 1)
        filters, window = args.size("filters"), args.numbers("kernel_size", rank)
        return args.part(
            _slot(args, "depthwise_kernel", *window, depth, multiplier),
            _slot(args, "pointwise_kernel", *(1,) * rank, times(depth, multiplier), filters),
            _bias(args, filters),
        )

    return row
