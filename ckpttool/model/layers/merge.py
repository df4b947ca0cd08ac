"""Merging layers (keras/src/layers/merging, 3.15).

Keras takes a list of inputs; older configs do not tell a list of one input from that input.
"""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import differ, listed, misfit
from ckpttool.model.layers.layer_type import LayerType, Trait, each
from ckpttool.model.layers.work import Run, Work, average_work, counted, elements, merge_work, no_work
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import Shape, Size, times, total


def elementwise(*counts: int) -> Rule:
    """Add and its like: shapes aligned at their ends, an axis of 1 stretched to what it meets."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        known = _known(args, listed(args, call, *counts))
        if known is None:
            return (None,)
        merged = known[0][1:]
        for shape in known[1:]:
            merged = _stretched(args, merged, shape[1:])
        return ((_batch(args, known), *merged),)

    return rule


def scaled_sum(args: Args, call: Call, infer: Infer) -> Outputs:
    """CustomScaleLayer of InceptionResNetV2: the sum of two inputs, the second scaled; known where both are alike, for
    the layer itself looks at nothing."""
    inputs = listed(args, call)
    return (inputs[0] if len(inputs) == 2 and inputs[0] == inputs[1] else None,)


def _known(args: Args, shapes: tuple[Shape | None, ...]) -> list[Shape] | None:
    """The shapes of all inputs, None where one is not known."""
    known = [shape for shape in shapes if shape is not None]
    if not shapes or not all(known):
        raise misfit(args, "a list of inputs that have axes", *shapes)
    return known if len(known) == len(shapes) else None


def _batch(args: Args, shapes: list[Shape]) -> Size:
    """The size of the batch, as far as any input tells it."""
    sizes = {shape[0] for shape in shapes} - {None}
    if len(sizes) > 1:
        raise misfit(args, "inputs with the same batch", *shapes)
    return sizes.pop() if sizes else None


def _stretched(args: Args, shape: Shape, other: Shape) -> Shape:
    """Two shapes without their batch, merged."""
    longer, shorter = (shape, other) if len(shape) >= len(other) else (other, shape)
    start = len(longer) - len(shorter)
    pairs = list(zip(longer[start:], shorter, strict=True))
    if any(differ(a, b) and 1 not in (a, b) for a, b in pairs):
        raise misfit(args, "inputs with the same axes, or axes of 1", shape, other)
    return (*longer[:start], *(None if None in (a, b) else b if a == 1 else a for a, b in pairs))


def concatenate(args: Args, call: Call, infer: Infer) -> Outputs:
    """Concatenate: the sum of one axis; the others are those of the first input, which all must share.

    A single input comes out as it is.
    """
    known = _known(args, listed(args, call))
    axes = args.axes("axis", -1)
    if len(axes) != 1:
        raise args.error("axis", "the number of an axis")
    return (None,) if known is None else (_concatenated(args, known, axes[0]),)


def _concatenated(args: Args, known: list[Shape], axis: int) -> Shape:
    if len(known) == 1 and axis >= -len(known[0]):
        return known[0]
    if any(not -len(shape) <= axis < len(shape) for shape in known):
        raise misfit(args, f"inputs with an axis {axis}", *known)
    rests = [_without(shape, axis) for shape in known]
    if any(len(rest) != len(rests[0]) for rest in rests) or any(_disagree(sizes) for sizes in zip(*rests, strict=True)):
        raise misfit(args, f"inputs that differ in axis {axis} only", *known)
    at, joined = axis % len(known[0]), list(known[0])
    joined[at] = total(*(shape[axis] for shape in known))
    return tuple(joined)


def _without(shape: Shape, axis: int) -> Shape:
    at = axis % len(shape)
    return (*shape[:at], *shape[at + 1 :])


def _disagree(sizes: Shape) -> bool:
    return len(set(sizes) - {None}) > 1


def dot(args: Args, call: Call, infer: Infer) -> Outputs:
    """Dot: both inputs without the axes that are summed over; a single number has an axis of 1."""
    known = _known(args, listed(args, call, 2))
    axes = args.axes("axes")
    if len(axes) not in (1, 2):
        raise args.error("axes", "the number of an axis, or two")
    if known is None:
        return (None,)
    left, right = (_summed(args, shape, axis) for shape, axis in zip(known, (axes[0], axes[-1]), strict=True))
    if differ(known[0][left], known[1][right]) or differ(known[0][0], known[1][0]):
        raise misfit(args, "two inputs with the same batch and the same size where they are summed", *known)
    output = (*_without(known[0], left), *_without(known[1], right)[1:])
    return (output if len(output) > 1 else (*output, 1),)


def dot_work(run: Run) -> Work | None:
    """Dot: a multiply-add for each value of the summed axis and each value that comes out; with `normalize` both
    inputs are divided by their lengths."""
    if len(run.inputs) != 2:
        return None
    macs = dot_macs(run.args, *run.inputs)
    normalized = run.args.flag("normalize", False)
    sizes = [elements(shape) for shape in run.inputs]
    lengths = None if None in sizes else 3 * sum(size or 0 for size in sizes)
    return counted(macs, lengths if normalized else 0)


def dot_macs(args: Args, left: Shape | None, right: Shape | None) -> Size:
    """The multiply-adds of the product of two tensors along `axes`, example by example."""
    axes = args.axes("axes")
    if left is None or right is None or not axes:
        return None
    return times(*left, *_without(right, _summed(args, right, axes[-1]))[1:])


def _summed(args: Args, shape: Shape, axis: int) -> int:
    """The number of an axis that is summed over, counted from the front; not that of the batch."""
    at = axis + len(shape) if axis < 0 else axis
    if not 0 < at < len(shape):
        raise misfit(args, f"an input with an axis {axis} behind the batch", shape)
    return at


ROWS = {
    **each(
        "Add Maximum Minimum Multiply",
        LayerType(outputs=elementwise(), kind="elementwise merge", work=merge_work, traits=Trait.PASSES_DTYPE),
    ),
    "Average": LayerType(outputs=elementwise(), kind="elementwise merge", work=average_work),
    "Subtract": LayerType(outputs=elementwise(2), kind="elementwise merge", work=merge_work, traits=Trait.PASSES_DTYPE),
    "Concatenate": LayerType(outputs=concatenate, work=no_work, traits=Trait.PASSES_DTYPE),
    "Dot": LayerType(outputs=dot, work=dot_work, traits=Trait.PASSES_DTYPE),
}
