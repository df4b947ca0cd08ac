"""Operations with a window along axes: convolutions, pooling, patches (keras/src/ops/nn.py, math.py and image.py,
3.15)."""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import items, window
from ckpttool.model.operations.binding_rules import single
from ckpttool.model.output_rule import Rule
from ckpttool.model.shape_arithmetic import convolved, pooled, same_size, transposed
from ckpttool.model.sizes import Shape, Size, times


def _padding(args: Args) -> str:
    return args.text("padding", "valid").lower()


def channels_last(args: Args) -> bool:
    """Whether the channels are the last axis; `keras.ops` writes the machine's setting where the user chose none."""
    return args.choice("data_format", "channels_last", "channels_first") == "channels_last"


def _spatial(args: Args, shape: Shape, least: int = 1) -> Shape:
    """The sizes of the axes between batch and channels. Raises ValueError where there are too few."""
    if len(shape) < 2 + least:
        raise ValueError(f"an input with {2 + least} axes at least")
    return shape[1:-1] if channels_last(args) else shape[2:]


def _channels(args: Args, shape: Shape) -> Size:
    return shape[-1] if channels_last(args) else shape[1]


def _assembled(args: Args, shape: Shape, spatial: Shape, channels: Size) -> Shape:
    return (shape[0], *spatial, channels) if channels_last(args) else (shape[0], channels, *spatial)


def _convolved(args: Args, inputs: Shape, kernel: Shape, filters: Size) -> Shape:
    """The output of a convolution with that kernel (`compute_conv_output_shape`)."""
    spatial = _spatial(args, inputs)
    rank, padding = len(spatial), _padding(args)
    if len(kernel) != len(inputs):
        raise ValueError(f"a kernel with {len(inputs)} axes")
    strides, dilation = window(args, "strides", rank, 1), window(args, "dilation_rate", rank, 1)
    places = zip(spatial, kernel[:-2], strides, dilation, strict=True)
    sizes = tuple(convolved(size, length, stride, padding, step) for size, length, stride, step in places)
    return _assembled(args, inputs, sizes, filters)


def _conv(args: Args, inputs: Shape, kernel: Shape) -> Shape:
    """The output of a convolution; Keras's symbolic call refuses groups that share a kernel."""
    return _convolved(args, inputs, kernel, _fitting(args, inputs, kernel)[-1])


def _depthwise(args: Args, inputs: Shape, kernel: Shape) -> Shape:
    return _convolved(args, inputs, kernel, times(*_fitting(args, inputs, kernel)[-2:]))


def _separable(args: Args, inputs: Shape, depthwise: Shape, pointwise: Shape) -> Shape:
    if not pointwise:
        raise ValueError("a pointwise kernel with an axis at least")
    _fitting(args, inputs, depthwise)
    return _convolved(args, inputs, depthwise, pointwise[-1])


def _fitting(args: Args, inputs: Shape, kernel: Shape, channels: int = -2) -> Shape:
    """The kernel itself. Raises ValueError where its axis `channels` does not have the size of the input's channels."""
    _spatial(args, inputs)
    if len(kernel) != len(inputs):
        raise ValueError(f"a kernel with {len(inputs)} axes")
    same_size(kernel[channels], _channels(args, inputs))
    return kernel


def _transposed(args: Args, inputs: Shape, kernel: Shape) -> Shape:
    spatial, filters = _spatial(args, inputs), _fitting(args, inputs, kernel, -1)[-2]
    rank, padding = len(spatial), _padding(args)
    strides, dilation = window(args, "strides", rank, 1), window(args, "dilation_rate", rank, 1)
    out = window(args, "output_padding", rank, least=0) if "output_padding" in args else (None,) * rank
    places = zip(spatial, kernel[:-2], strides, dilation, out, strict=True)
    sizes = tuple(transposed(size, length, stride, padding, step, more) for size, length, stride, step, more in places)
    return _assembled(args, inputs, sizes, filters)


def _pooled(args: Args, inputs: Shape) -> Shape:
    """The output of a pooling (`compute_pooling_output_shape`), in which NumPy broadcasts the spatial axes, windows and
    strides to one number of axes; no data format means channels first."""
    last = args.config.get("data_format") == "channels_last"
    if len(inputs) < (1 if last else 2):
        raise ValueError("an input with axes of batch and channels")
    spatial, padding = inputs[1:-1] if last else inputs[2:], _padding(args)
    windows = _numbers(args, "pool_size")
    strides = _numbers(args, "strides") if args.config.get("strides") is not None else windows
    sized = (spatial, strides) if padding == "same" else (spatial, windows, strides)
    rank = _common(*map(len, sized))
    places = zip(_repeated(spatial, rank), _repeated(windows, rank), _repeated(strides, rank), strict=True)
    sizes = tuple(pooled(size, wide, step or 1, padding) for size, wide, step in places)
    return (inputs[0], *sizes, inputs[-1]) if last else (*inputs[:2], *sizes)


def _numbers(args: Args, key: str) -> tuple[int, ...]:
    """Whole numbers as the config has them, one where it has a single number."""
    return window(args, key, len(items(args, key) or [1]))


def _common(*lengths: int) -> int:
    """The length to which NumPy broadcasts arrays of these lengths. Raises ValueError where it does not."""
    others = {length for length in lengths if length != 1} or {1}
    if len(others) > 1:
        raise ValueError("windows and strides for each axis of space")
    return others.pop()


def _repeated(values: Shape, rank: int) -> Shape:
    """The values broadcast to `rank` axes; ones where their number does not fit. Raises ValueError for an axis of
    unknown size that would be repeated."""
    if len(values) != 1 or rank == 1:
        return values if len(values) == rank else (1,) * rank
    if None in values and rank:
        raise ValueError("axes of known sizes")
    return values * rank


def _adaptive(args: Args, inputs: Shape) -> Shape | None:
    """The output of adaptive pooling; unknown with channels last, where Keras 3.15.1 reports an axis too many."""
    if channels_last(args):
        return None
    spatial = _spatial(args, inputs)
    return _assembled(args, inputs, window(args, "output_size", len(spatial)), _channels(args, inputs))


def _patches(args: Args, images: Shape) -> Shape:
    """Patches of images, their values along the axis of channels; a single image has no batch axis in the output
    either."""
    rank = 3 if len(items(args, "size") or ()) == 3 else 2
    if len(images) not in (rank + 1, rank + 2):
        raise ValueError(f"an input with {rank + 1} or {rank + 2} axes")
    batched = images if len(images) == rank + 2 else (1, *images)
    size = window(args, "size", rank)
    strides = window(args, "strides", rank) if "strides" in args else size
    steps, padding = window(args, "dilation_rate", rank, 1), _padding(args)
    places = zip(_spatial(args, batched), size, strides, steps, strict=True)
    sizes = tuple(convolved(length, wide, stride, padding, step) for length, wide, stride, step in places)
    shape = _assembled(args, batched, sizes, times(*size, _channels(args, batched)))
    return shape if len(images) == rank + 2 else shape[1:]


def _unfolded(args: Args, x: Shape) -> Shape:
    """Patches of an image with channels first: their values along one axis, the patches along another."""
    if len(x) != 4:
        raise ValueError("an input with 4 axes")
    kernel = window(args, "kernel_size", 2)
    keys = (("dilation", 1, 1), ("padding", 0, 0), ("stride", 1, 1))
    settings = zip(*(window(args, key, 2, default, least) for key, default, least in keys), strict=True)
    places = [_patch_count(size, wide, *rest) for size, wide, rest in zip(x[2:], kernel, settings, strict=True)]
    return (x[0], times(x[1], *kernel), times(*places))


def _patch_count(size: Size, wide: int, dilation: int, padding: int, stride: int) -> Size:
    return None if size is None else (size + 2 * padding - dilation * (wide - 1) - 1) // stride + 1


def _folded(args: Args, x: Shape) -> Shape:
    kernel, size = window(args, "kernel_size", 2), window(args, "output_size", 2)
    if len(x) != 3:
        raise ValueError("an input with 3 axes")
    return (x[0], _over(x[1], kernel[0] * kernel[1]), *size)


def _over(size: Size, by: int) -> Size:
    """The size divided by a number. Raises ValueError where the quotient is no whole number."""
    if size is not None and size % by:
        raise ValueError(f"an axis that {by} divides, not {size}")
    return None if size is None else size // by


def _depth_to_space(args: Args, x: Shape) -> Shape:
    block, spatial = args.size("block_size"), _blocks(args, x)
    return _assembled(args, x, tuple(times(size, block) for size in spatial), _over(_channels(args, x), block**2))


def _space_to_depth(args: Args, x: Shape) -> Shape:
    block, spatial = args.size("block_size"), _blocks(args, x)
    return _assembled(args, x, tuple(_over(size, block) for size in spatial), times(_channels(args, x), block**2))


def _blocks(args: Args, x: Shape) -> Shape:
    if len(x) != 4:
        raise ValueError("an input with 4 axes")
    return _spatial(args, x)


def _sequences(args: Args, x: Shape) -> Shape:
    """Sequences of equal length, at equal distances, along the last axis."""
    if not x:
        raise ValueError("an input with an axis at least")
    length, stride = args.size("sequence_length"), args.size("sequence_stride")
    count = None if x[-1] is None else 1 + (x[-1] - length) // stride
    return (*x[:-1], count, length)


WINDOWS: Mapping[str, Rule] = MappingProxyType(
    {
        "AdaptiveAveragePool": single(_adaptive, "inputs"),
        "AdaptiveMaxPool": single(_adaptive, "inputs"),
        "AveragePool": single(_pooled, "inputs"),
        "Conv": single(_conv, "inputs", "kernel"),
        "ConvTranspose": single(_transposed, "inputs", "kernel"),
        "DepthToSpace": single(_depth_to_space, "x"),
        "DepthwiseConv": single(_depthwise, "inputs", "kernel"),
        "ExtractPatches": single(_patches, "images"),
        "ExtractSequences": single(_sequences, "x"),
        "Fold": single(_folded, "x"),
        "MaxPool": single(_pooled, "inputs"),
        "SeparableConv": single(_separable, "inputs", "depthwise_kernel", "pointwise_kernel"),
        "SpaceToDepth": single(_space_to_depth, "x"),
        "Unfold": single(_unfolded, "x"),
    }
)
"""Rules by class name."""
