"""Layers that give out the shape they take: activations, regularization, normalization, random images
(keras/src/layers/activations, regularization, normalization, preprocessing, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import main, misfit, ranked, shapes, sole
from ckpttool.model.layers.outputs.rule import Infer, Outputs, Rule
from ckpttool.model.layers.outputs.spatial import channels_first


def same(args: Args, call: Call, infer: Infer) -> Outputs:
    """What comes in comes out, be it one tensor or several."""
    return shapes(main(call))


def same_of_rank(rank: int) -> Rule:
    """A layer that takes inputs with so many axes only."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        return (ranked(args, sole(args, call), rank),)

    return rule


def along(default: int | None) -> Rule:
    """A layer that works along axes which its input must have."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = sole(args, call)
        for axis in args.axes("axis", default):
            args.axis_of(shape, axis)
        return (shape,)

    return rule


def group_normalization(args: Args, call: Call, infer: Infer) -> Outputs:
    """GroupNormalization: the groups must divide the axis; -1 makes each channel a group."""
    shape, axes = sole(args, call), args.axes("axis", -1)
    groups = 1 if args.integer("groups") == -1 else args.size("groups", 32)
    if len(axes) != 1:
        raise args.error("axis", "the number of an axis")
    size = args.axis_of(shape, axes[0])
    if size is not None and (size < groups or size % groups):
        raise misfit(args, f"an input whose axis {axes[0]} is a multiple of {groups}", shape)
    return (shape,)


def prelu(args: Args, call: Call, infer: Infer) -> Outputs:
    """PReLU: shared axes are counted from 1, behind the batch."""
    shape = sole(args, call)
    behind = None if shape is None else shape[1:]
    for axis in args.axes("shared_axes"):
        args.axis_of(behind, axis - 1, "shared_axes")
    return (shape,)


def colored(args: Args, call: Call, infer: Infer) -> Outputs:
    """RandomColorDegeneration: images of three channels, alone or in a batch."""
    shape = ranked(args, sole(args, call), 3, 4)
    if shape is not None and shape[-3 if channels_first(args) else -1] not in (3, None):
        raise misfit(args, "images with 3 channels", shape)
    return (shape,)
