"""Operations that join tensors or take them apart (keras/src/ops/numpy.py and core.py, 3.15)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import axis_of, integers, items, number
from ckpttool.model.operations.binding_rules import MAX_OUTPUTS, Bound, custom, several, shape_of, single
from ckpttool.model.operations.manipulation import without
from ckpttool.model.operations.reductions import flat
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import axis_number, merged
from ckpttool.model.sizes import Shape, Size, times


def joined(shapes: Sequence[Shape], axis: int) -> Shape:
    """The shape of tensors joined along an axis; the other sizes are those of the first tensor, as in Keras.

    Raises ValueError where the other sizes differ.
    """
    axis = axis_number(axis, len(shapes[0]))
    for shape in shapes[1:]:
        axis_number(axis, len(shape))
        merged(without(shapes[0], [axis]), without(shape, [axis]))
    sizes = [shape[axis] for shape in shapes]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def _known_shapes(bound: Bound, name: str) -> list[Shape] | None:
    """The shapes of a list of tensors, None where one is not known."""
    shapes = [shape for shape in bound.shapes(name) if shape is not None]
    return shapes if len(shapes) == len(bound.values[name]) else None


def _concatenated(bound: Bound) -> Outputs:
    shapes = _known_shapes(bound, "xs")
    return (None,) if shapes is None else (joined(shapes, number(bound.args, "axis", 0)),)


def _joined_along(axis: int) -> Rule:
    """The rule of Hstack or Vstack, which join along the axis of that number."""

    def shapes(bound: Bound) -> Outputs:
        shapes = _known_shapes(bound, "xs")
        return (None,) if shapes is None else (joined(shapes, axis),)

    return custom(shapes, "xs")


def _in_depth(bound: Bound) -> Outputs:
    """Dstack: inputs joined along the third axis, which is added where they lack it."""
    shapes = _known_shapes(bound, "xs")
    return (None,) if shapes is None else (joined([_with_third_axis(shape) for shape in shapes], 2),)


def _with_third_axis(shape: Shape) -> Shape:
    if len(shape) > 2:
        return shape
    return (*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1)


def _stacked(bound: Bound) -> Outputs:
    """Tensors of one shape along a new axis."""
    shapes = _known_shapes(bound, "x")
    if shapes is None:
        return (None,)
    for shape in shapes[1:]:
        merged(shapes[0], shape)
    axis = axis_of(bound.args, len(shapes[0]) + 1)
    return ((*shapes[0][:axis], len(shapes), *shapes[0][axis:]),)


def _appended(args: Args, x1: Shape, x2: Shape) -> Shape:
    if "axis" in args:
        return joined((x1, x2), number(args, "axis"))
    ends = flat(x1)[0], flat(x2)[0]
    return (None if ends[0] is None or ends[1] is None else ends[0] + ends[1],)


def _split(bound: Bound) -> Outputs:
    return _pieces(bound.args, bound.shape("x"), number(bound.args, "axis", 0))


def _split_along(axis: int) -> Rule:
    """The rule of Vsplit, Hsplit or Dsplit, which split along the axis of that number. Hsplit splits a vector along its
    only axis."""

    def shapes(bound: Bound) -> Outputs:
        shape = bound.shape("x")
        vector = axis == 1 and shape is not None and len(shape) == 1
        return _pieces(bound.args, shape, 0 if vector else axis)

    return custom(shapes, "x")


def _pieces(args: Args, shape: Shape | None, axis: int) -> Outputs:
    """Equal pieces, or the pieces between some indices (`_compute_split_output_spec`)."""
    equal = items(args, "indices_or_sections") is None
    places = integers(args, "indices_or_sections")
    count = places[0] if equal else len(places) + 1
    if count < 1:
        raise args.error("indices_or_sections", "a positive number, or a list of places")
    if count > MAX_OUTPUTS:
        return ()
    if shape is None:
        return (None,) * count
    axis = axis_number(axis, len(shape))
    sizes = _equal_sizes(shape[axis], count) if equal else _sizes_between([0, *places, shape[axis]])
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes)


def _equal_sizes(size: Size, count: int) -> list[Size]:
    if size is not None and size % count:
        raise ValueError(f"an axis that {count} divides, not {size}")
    return [None if size is None else size // count] * count


def _sizes_between(places: Sequence[Size]) -> list[Size]:
    return [None if end is None or start is None else end - start for start, end in pairwise(places)]


def _nearly_equal(bound: Bound) -> Outputs:
    """ArraySplit: the first pieces are one longer where the number of pieces does not divide the axis."""
    args, shape, count = bound.args, bound.shape("x"), bound.args.size("indices_or_sections")
    if count > MAX_OUTPUTS or shape is None:
        return () if count > MAX_OUTPUTS else (None,) * count
    axis = axis_of(args, len(shape))
    size = shape[axis]
    sizes = [None if size is None else size // count + (piece < size % count) for piece in range(count)]
    return tuple((*shape[:axis], piece, *shape[axis + 1 :]) for piece in sizes)


def _unstacked(bound: Bound) -> Outputs:
    """One tensor for each index along an axis; Keras requires `num` where the size is not known."""
    shape, count = bound.shape("x"), bound.args.integer("num")
    axis = None if shape is None else axis_of(bound.args, len(shape))
    if shape is not None and axis is not None and count is None:
        count = shape[axis]
    if count is None or not 0 <= count <= MAX_OUTPUTS:
        return ()
    return (None if shape is None or axis is None else without(shape, [axis]),) * count


def _meshed(bound: Bound) -> Outputs:
    """One tensor for each input, each with an axis for every input; the first two axes are swapped with "xy"."""
    shapes = [shape_of(value) for value in bound.rest]
    sizes = [None if shape is None else times(*shape) for shape in shapes]
    if bound.args.choice("indexing", "xy", "ij") == "xy":
        if len(sizes) < 2:
            raise ValueError("two inputs at least")
        sizes[:2] = sizes[1], sizes[0]
    return (tuple(sizes),) * len(sizes)


def _selected(bound: Bound) -> Outputs:
    """Values selected by conditions; Keras reports the shape of the first choice."""
    return (bound.shapes("choicelist")[0],)


def _highest(args: Args, shape: Shape) -> Outputs:
    """The highest values along the last axis, and their indices."""
    if not shape:
        raise ValueError("an input with an axis at least")
    return ((*shape[:-1], number(args, "k")),) * 2


def _segments(args: Args, data: Shape, ids: Shape) -> Shape:
    """One row for each segment; their number is not known where it depends on the values."""
    if not data or len(ids) > 1:
        raise ValueError("data with an axis at least, and one for its segments")
    return (args.integer("num_segments"), *data[1:])


JOINS: Mapping[str, Rule] = MappingProxyType(
    {
        **dict.fromkeys(
            ("SegmentReduction", "SegmentMax", "SegmentMin", "SegmentProd", "SegmentSum"),
            single(_segments, "data", "segment_ids"),
        ),
        "Append": single(_appended, "x1", "x2"),
        "ArraySplit": custom(_nearly_equal, "x"),
        "Concatenate": custom(_concatenated, "xs"),
        "Dsplit": _split_along(2),
        "Dstack": custom(_in_depth, "xs"),
        "Hsplit": _split_along(1),
        "Hstack": _joined_along(1),
        "Meshgrid": custom(_meshed, rest=True),
        "Select": custom(_selected, "condlist", "choicelist", more=("default",)),
        "Split": custom(_split, "x"),
        "Stack": custom(_stacked, "x"),
        "TopK": several(2, _highest, "x"),
        "Unstack": custom(_unstacked, "x"),
        "Vsplit": _split_along(0),
        "Vstack": _joined_along(0),
    }
)
"""Rules by class name."""
