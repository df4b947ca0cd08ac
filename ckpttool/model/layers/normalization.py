"""Normalizing layers, and those with a weight for each feature (keras/src/layers/normalization, activations/prelu.py,
preprocessing/normalization.py and stft_spectrogram.py, 3.15)."""

from dataclasses import replace

from ckpttool.model.arguments import Args, first
from ckpttool.model.layers.quantized import fixed
from ckpttool.model.sizes import Inputs, Shape
from ckpttool.model.slots import Part, Slot


def _of_axes(args: Args, inputs: Inputs) -> Shape:
    """The sizes of the axes that `axis` names, in sorted order of their numbers as given."""
    return tuple(args.axis_of(first(inputs), axis) for axis in sorted(args.axes("axis", -1)))


def _scale_and_offset(args: Args, shape: Shape, scale: bool, center: bool) -> list[Slot]:
    names = (("gamma", scale), ("beta", center))
    return [Slot(name, shape, args.variable_dtype) for name, present in names if present]


def batch_normalization(args: Args, inputs: Inputs) -> Part:
    """BatchNormalization: gamma, beta, then the moving statistics, with `renorm` three more."""
    shape = _of_axes(args, inputs)
    names = ["moving_mean", "moving_variance"]
    if args.flag("renorm", False):
        names += ["moving_stddev", "renorm_mean", "renorm_stddev"]
    statistics = [fixed(name, shape, args.variable_dtype) for name in names]
    slots = _scale_and_offset(args, shape, args.flag("scale", True), args.flag("center", True))
    return args.part(*slots, *statistics)


def layer_normalization(args: Args, inputs: Inputs) -> Part:
    """LayerNormalization: gamma and beta over all axes named; with `rms_scaling` always gamma, never beta."""
    rms = args.flag("rms_scaling", False)
    scale, center = args.flag("scale", True) or rms, args.flag("center", True) and not rms
    return args.part(*_scale_and_offset(args, _of_axes(args, inputs), scale, center))


def group_normalization(args: Args, inputs: Inputs) -> Part:
    """GroupNormalization: gamma and beta, one value a channel."""
    shape = (args.axis_of(first(inputs), args.integer("axis", -1) or 0),)
    return args.part(*_scale_and_offset(args, shape, args.flag("scale", True), args.flag("center", True)))


def rms_normalization(args: Args, inputs: Inputs) -> Part:
    """RMSNormalization: scale."""
    return args.part(Slot("scale", _of_axes(args, inputs), args.variable_dtype))


def normalization(args: Args, inputs: Inputs) -> Part:
    """Normalization: mean, variance and count as adapted; none where the config gives the mean.

    The count is `int`, which is int64 under TensorFlow and int32 under JAX and PyTorch (`standardize_dtype`,
    keras/src/backend/common/variables.py).
    """
    if "mean" in args:
        return args.part()
    shape = _kept(args, first(inputs))
    return args.part(
        replace(fixed("mean", shape, args.variable_dtype), tracked="adapt_mean"),
        replace(fixed("variance", shape, args.variable_dtype), tracked="adapt_variance"),
        fixed("count", (), "int64"),
    )


def _kept(args: Args, shape: Shape | None) -> Shape:
    """The sizes of the axes that are kept, in their order in the input."""
    axes = args.axes("axis", -1)
    if shape is None:
        return (None,) * len(axes)
    sizes = {axis: args.axis_of(shape, axis) for axis in axes}
    return tuple(sizes[axis] for axis in sorted(axes, key=lambda axis: axis % len(shape)))


def prelu(args: Args, inputs: Inputs) -> Part:
    """PReLU: alpha, one value a feature, 1 along `shared_axes`."""
    shape = first(inputs)
    return args.part(Slot("alpha", None if shape is None else _shared(args, shape), args.variable_dtype))


def _shared(args: Args, shape: Shape) -> Shape:
    sizes = list(shape[1:])
    for axis in args.axes("shared_axes"):
        if not -len(sizes) <= axis - 1 < len(sizes):
            raise args.error("shared_axes", f"axes of an input with {len(shape)} axes")
        sizes[axis - 1] = 1
    return tuple(sizes)


def stft_spectrogram(args: Args, inputs: Inputs) -> Part:
    """STFTSpectrogram: the windows of its transform, real_kernel and imag_kernel, as `mode` needs them."""
    length = args.size("frame_length", 256)
    bins = args.size("fft_length", 1 << (length - 1).bit_length()) // 2 + 1
    mode = args.choice("mode", "log", "magnitude", "psd", "real", "imag", "angle", "stft")
    names = (("real_kernel", "imag"), ("imag_kernel", "real"))
    slots = [Slot(name, (length, 1, bins), args.variable_dtype) for name, without in names if mode != without]
    return args.part(*slots)
