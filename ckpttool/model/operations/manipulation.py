"""Operations that change the shape or the order of axes (keras/src/ops/numpy.py, 3.15)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import axis_of, integers, items, number
from ckpttool.model.operations.binding_rules import single
from ckpttool.model.operations.reductions import flat
from ckpttool.model.output_rule import Rule
from ckpttool.model.shape_arithmetic import axis_number, axis_numbers, broadcast
from ckpttool.model.sizes import Shape, Size, is_integer, times


def without(shape: Shape, axes: Iterable[int]) -> Shape:
    """The shape without some axes."""
    axes = set(axes)
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def reshaped(args: Args, shape: Shape) -> Shape:
    """The requested shape, in which -1 takes all remaining values (`compute_reshape_output_shape`)."""
    requested = items(args, "newshape")
    requested = [args.config.get("newshape")] if requested is None else requested
    if not all(size is None or (is_integer(size) and size >= -1) for size in requested) or requested.count(-1) > 1:
        raise args.error("newshape", "sizes, one of them -1 at most")
    if None in requested:
        return tuple(None if size == -1 else size for size in requested)
    remaining = _remaining_size(shape, times(*(size for size in requested if size != -1)), -1 in requested)
    return tuple(remaining if size == -1 else size for size in requested)


def _remaining_size(shape: Shape, others: Size, has_open_axis: bool) -> Size:
    """The size of the axis that takes all remaining values, where there is one. Raises ValueError where the values do
    not fit."""
    total = times(*shape)
    if total is None or others is None:
        return None
    if (has_open_axis and (others == 0 or total % others)) or (not has_open_axis and total != others):
        raise ValueError(f"a shape for {total} values")
    return total // others if has_open_axis else None


def _expanded(args: Args, shape: Shape) -> Shape:
    new = args.axes("axis") if "axis" in args else (-1,)
    rank = len(shape) + len(new)
    new_axes, sizes = axis_numbers(new, rank), iter(shape)
    return tuple(1 if axis in new_axes else next(sizes) for axis in range(rank))


def _squeezed(args: Args, shape: Shape) -> Shape | None:
    """The shape without axes of size 1. Of axes of unknown size, only a batch axis is certain not to be one."""
    if "axis" not in args and None in shape[1:]:
        return None
    if "axis" not in args:
        return tuple(size for size in shape if size != 1)
    squeezed = axis_numbers(args.axes("axis"), len(shape))
    if any(shape[axis] not in (1, None) for axis in squeezed):
        raise args.error("axis", "axes of size 1")
    return without(shape, squeezed)


def _transposed(args: Args, shape: Shape) -> Shape:
    if "axes" not in args:
        return shape[::-1]
    order = axis_numbers(args.axes("axes"), len(shape))
    if len(order) != len(shape):
        raise args.error("axes", f"each of {len(shape)} axes once")
    return tuple(shape[axis] for axis in order)


def _swapped(args: Args, shape: Shape, one_axis: int, other: int) -> Shape:
    sizes = list(shape)
    one_axis, other = axis_number(one_axis, len(shape)), axis_number(other, len(shape))
    sizes[one_axis], sizes[other] = sizes[other], sizes[one_axis]
    return tuple(sizes)


def _swapaxes(args: Args, shape: Shape) -> Shape:
    return _swapped(args, shape, number(args, "axis1"), number(args, "axis2"))


def _rotated(args: Args, shape: Shape) -> Shape:
    """The shape after a rotation; Keras swaps the two axes whatever `k` is."""
    axes = args.axes("axes") if "axes" in args else (0, 1)
    if len(axes) != 2 or len(shape) < 2:
        raise args.error("axes", "two different axes of an input that has them")
    return _swapped(args, shape, *axis_numbers(axes, len(shape)))


def _moved(args: Args, shape: Shape) -> Shape:
    rank = len(shape)
    source, target = axis_numbers(args.axes("source"), rank), axis_numbers(args.axes("destination"), rank)
    if len(source) != len(target):
        raise args.error("destination", "as many axes as source has")
    moved = {to: shape[axis] for axis, to in zip(source, target, strict=True)}
    others = iter(without(shape, source))
    return tuple(moved[axis] if axis in moved else next(others) for axis in range(rank))


def _broadcast_to(args: Args, shape: Shape) -> Shape:
    target = args.shape("shape")
    broadcast(shape, target)
    return target


def _repeated(args: Args, shape: Shape) -> Shape:
    """Values repeated along an axis, or all values in a row."""
    if "axis" not in args:
        return (_repeated_size(args, flat(shape)[0]),)
    axis = axis_of(args, len(shape))
    return (*shape[:axis], _repeated_size(args, shape[axis]), *shape[axis + 1 :])


def _repeated_size(args: Args, size: Size) -> Size:
    repeats = integers(args, "repeats")
    if size is None:
        return None
    if len(repeats) == 1:
        return size * repeats[0]
    if len(repeats) != size:
        raise args.error("repeats", f"one number, or {size}")
    return sum(repeats)


def _tiled(args: Args, shape: Shape) -> Shape:
    repeats = integers(args, "repeats")
    rank = max(len(repeats), len(shape))
    padded = [*[1] * (rank - len(repeats)), *repeats]
    sizes = (*(1,) * (rank - len(shape)), *shape)
    return tuple(times(size, repeat) for size, repeat in zip(sizes, padded, strict=True))


def _padded(args: Args, shape: Shape) -> Shape:
    """The shape with `pad_width` around it: one number, a pair for all axes, or a pair for each."""
    widths = [_pair(args, width) for width in _widths(args)]
    widths = widths * len(shape) if len(widths) == 1 else widths
    if len(widths) != len(shape):
        raise args.error("pad_width", f"one pair, or {len(shape)}")
    return tuple(None if size is None else size + sum(width) for size, width in zip(shape, widths, strict=True))


def _widths(args: Args) -> list[object]:
    widths = items(args, "pad_width")
    if widths is None:
        return [[args.config.get("pad_width")]]
    return [widths] if widths and is_integer(widths[0]) else widths


def _pair(args: Args, width: object) -> tuple[int, int]:
    if isinstance(width, Mapping) and width.get("class_name") == "__tuple__":
        width = width.get("items")
    if not isinstance(width, list | tuple) or len(width) not in (1, 2) or not all(map(is_integer, width)):
        raise args.error("pad_width", "pairs of whole numbers")
    return width[0], width[-1]


MANIPULATION: Mapping[str, Rule] = MappingProxyType(
    {
        "BroadcastTo": single(_broadcast_to, "x"),
        "ExpandDims": single(_expanded, "x"),
        "Moveaxis": single(_moved, "x"),
        "Pad": single(_padded, "x", more=("constant_values",)),
        "Ravel": single(lambda _args, shape: flat(shape), "x"),
        "Repeat": single(_repeated, "x"),
        "Reshape": single(reshaped, "x"),
        "Rot90": single(_rotated, "array"),
        "Squeeze": single(_squeezed, "x"),
        "Swapaxes": single(_swapaxes, "x"),
        "Tile": single(_tiled, "x"),
        "Transpose": single(_transposed, "x"),
    }
)
"""Rules by class name."""
