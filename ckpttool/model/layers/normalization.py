"""Normalizing layers, and those with a weight for each feature (keras/src/layers/normalization, activations/prelu.py,
preprocessing/normalization.py, 3.15)."""

from dataclasses import replace

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import misfit, sole
from ckpttool.model.layers.layer_type import Build, LayerType, MaskUse
from ckpttool.model.layers.quantization import fixed
from ckpttool.model.layers.work import each_output
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import Inputs, Shape
from ckpttool.model.slots import Part, Slot


def _of_axes(args: Args, inputs: Inputs) -> Shape:
    """The sizes of the axes that `axis` names, in sorted order of their numbers as given."""
    return tuple(args.axis_of(first_shape(inputs), axis) for axis in sorted(args.axes("axis", -1)))


def _scale_and_offset(args: Args, shape: Shape, scale: bool, center: bool) -> list[Slot]:
    names = (("gamma", scale), ("beta", center))
    return [Slot(name, shape, args.variable_dtype) for name, present in names if present]


def batch_normalization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """BatchNormalization: gamma, beta, then the moving statistics, with `renorm` three more."""
    shape = _of_axes(args, inputs)
    names = ["moving_mean", "moving_variance"]
    if args.flag("renorm", False):
        names += ["moving_stddev", "renorm_mean", "renorm_stddev"]
    statistics = [fixed(name, shape, args.variable_dtype) for name in names]
    slots = _scale_and_offset(args, shape, args.flag("scale", True), args.flag("center", True))
    return args.part(*slots, *statistics)


def same_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """The shape of the input, which must have the axes that `axis` names."""
    shape = sole(args, call)
    for axis in args.axes("axis", -1):
        args.axis_of(shape, axis)
    return (shape,)


def layer_normalization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """LayerNormalization: gamma and beta over all axes named; with `rms_scaling` always gamma, never beta."""
    rms = args.flag("rms_scaling", False)
    scale, center = args.flag("scale", True) or rms, args.flag("center", True) and not rms
    return args.part(*_scale_and_offset(args, _of_axes(args, inputs), scale, center))


def group_normalization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """GroupNormalization: gamma and beta, one value a channel."""
    shape = (args.axis_of(first_shape(inputs), args.integer("axis", -1) or 0),)
    return args.part(*_scale_and_offset(args, shape, args.flag("scale", True), args.flag("center", True)))


def group_normalization_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """GroupNormalization: the groups must divide the axis; -1 makes each channel a group."""
    shape, axes = sole(args, call), args.axes("axis", -1)
    groups = 1 if args.integer("groups") == -1 else args.size("groups", 32)
    if len(axes) != 1:
        raise args.error("axis", "the number of an axis")
    size = args.axis_of(shape, axes[0])
    if size is not None and (size < groups or size % groups):
        raise misfit(args, f"an input whose axis {axes[0]} is a multiple of {groups}", shape)
    return (shape,)


def rms_normalization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """RMSNormalization: scale."""
    return args.part(Slot("scale", _of_axes(args, inputs), args.variable_dtype))


def normalization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Normalization: mean, variance and count as adapted; none where the config gives the mean.

    The count is `int`, which is int64 under TensorFlow and int32 under JAX and PyTorch (`standardize_dtype`,
    keras/src/backend/common/variables.py).
    """
    if "mean" in args:
        return args.part()
    shape = _without_axes(args, first_shape(inputs))
    return args.part(
        replace(fixed("mean", shape, args.variable_dtype), tracked="adapt_mean"),
        replace(fixed("variance", shape, args.variable_dtype), tracked="adapt_variance"),
        fixed("count", (), "int64"),
    )


def _without_axes(args: Args, shape: Shape | None) -> Shape:
    """The sizes of the axes that are kept, in their order in the input."""
    axes = args.axes("axis", -1)
    if shape is None:
        return (None,) * len(axes)
    sizes = {axis: args.axis_of(shape, axis) for axis in axes}
    return tuple(sizes[axis] for axis in sorted(axes, key=lambda axis: axis % len(shape)))


def prelu_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """PReLU: alpha, one value a feature, 1 along `shared_axes`."""
    return args.part(Slot("alpha", features(args, first_shape(inputs)), args.variable_dtype))


def prelu_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """PReLU: shared axes are counted from 1, behind the batch."""
    shape = sole(args, call)
    behind = None if shape is None else shape[1:]
    for axis in args.axes("shared_axes"):
        args.axis_of(behind, axis - 1, "shared_axes")
    return (shape,)


def features(args: Args, shape: Shape | None) -> Shape | None:
    """The shape of a weight that has one value for each feature of an input, 1 along `shared_axes`."""
    if shape is None:
        return None
    sizes = list(shape[1:])
    for axis in args.axes("shared_axes"):
        if not -len(sizes) <= axis - 1 < len(sizes):
            raise args.error("shared_axes", f"axes of an input with {len(shape)} axes")
        sizes[axis - 1] = 1
    return tuple(sizes)


ROWS = {
    "BatchNormalization": LayerType(
        batch_normalization_weights,
        same_outputs,
        masks=MaskUse.PASSED | MaskUse.TAKEN,
        takes_training=True,
        work=each_output(2),
    ),
    "GroupNormalization": LayerType(
        group_normalization_weights, group_normalization_outputs, masks=MaskUse.PASSED, work=each_output(5)
    ),
    "LayerNormalization": LayerType(
        layer_normalization_weights, same_outputs, masks=MaskUse.PASSED, work=each_output(5)
    ),
    "Normalization": LayerType(normalization_weights, same_outputs, masks=MaskUse.PASSED_NOW, work=each_output(2)),
    "PReLU": LayerType(prelu_weights, prelu_outputs, masks=MaskUse.PASSED, work=each_output(1)),
    "RMSNormalization": LayerType(rms_normalization_weights, same_outputs, work=each_output(4)),
    "UnitNormalization": LayerType(outputs=same_outputs, masks=MaskUse.PASSED, work=each_output(3)),
}
