"""Operations that create values, put them on diagonals, or count them (keras/src/ops/numpy.py, 3.15)."""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import axis_of, number
from ckpttool.model.operations.binding_rules import Bound, custom, nested_shape, several, single
from ckpttool.model.operations.manipulation import without
from ckpttool.model.operations.reductions import flat
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import axis_numbers, broadcast
from ckpttool.model.sizes import Shape, Size


def _diag(args: Args, shape: Shape) -> Shape:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    if len(shape) not in (1, 2):
        raise ValueError("an input with 1 or 2 axes")
    offset = number(args, "k", 0)
    return (_diagonal_size(*shape, offset),) if len(shape) == 2 else _with_diagonal(shape[0], offset)


def _with_diagonal(size: Size, offset: int) -> Shape:
    return (None if size is None else size + abs(offset),) * 2


def _diagflat(args: Args, shape: Shape) -> Shape:
    return _with_diagonal(flat(shape)[0], number(args, "k", 0))


def _diagonal_size(rows: Size, columns: Size, offset: int) -> Size:
    if rows is None or columns is None:
        return None
    remaining = columns - offset if offset > 0 else rows + offset
    return max(0, min(remaining, rows, columns))


def _pair_of_axes(args: Args, shape: Shape) -> tuple[int, int]:
    axes = axis_of(args, len(shape), "axis1", 0), axis_of(args, len(shape), "axis2", 1)
    axis_numbers(axes, len(shape))
    return axes


def _diagonal(args: Args, shape: Shape) -> Shape:
    rows, columns = _pair_of_axes(args, shape)
    size = _diagonal_size(shape[rows], shape[columns], number(args, "offset", 0))
    return (*without(shape, (rows, columns)), size)


def _trace(args: Args, shape: Shape) -> Shape:
    return without(shape, _pair_of_axes(args, shape))


def _spaced(args: Args, start: Shape, stop: Shape) -> Shape:
    """The shape of `num` values from each start to each stop, along a new axis."""
    between = broadcast(start, stop) or ()
    axis = axis_of(args, len(between) + 1)
    return (*between[:axis], number(args, "num", 50), *between[axis:])


def _linspace(bound: Bound) -> Outputs:
    """Values at equal distances. With `retstep` Keras returns the values and None, which no node of a model can
    have."""
    start, stop = bound.shape("start"), bound.shape("stop")
    if bound.args.flag("retstep", False):
        raise bound.args.error("retstep", "false in a model")
    return (None,) if start is None or stop is None else (_spaced(bound.args, start, stop),)


def _vander(args: Args, shape: Shape) -> Shape:
    if not shape:
        raise ValueError("an input with an axis at least")
    return (*shape, number(args, "N") if "N" in args else shape[0])


def _viewed(args: Args, shape: Shape) -> Shape:
    """The values with another dtype; the size of the last axis depends on the input's dtype, which is not known
    here."""
    return shape if "dtype" not in args else (*shape[:-1], None) if shape else ()


def _ndim(args: Args, shape: Shape) -> Shape:
    """The number of axes. Keras reports a vector of that length, although the value is one number."""
    return (len(shape),)


def _bincount(args: Args, shape: Shape) -> Shape:
    return (*shape[:-1], None)


def _scalar(bound: Bound) -> Outputs:
    return ((),)


def _full(bound: Bound) -> Outputs:
    return (bound.args.shape("shape"),)


def _arange(bound: Bound) -> Outputs:
    """A range; the number of its values depends on the values of the inputs."""
    return ((None,),)


def _nonzero(bound: Bound) -> Outputs:
    """The indices of values other than zero, along each axis; their number depends on the values."""
    shape = bound.shape("x")
    return () if shape is None else ((None,),) * len(shape)


def _unraveled(bound: Bound) -> Outputs:
    """The indices along each axis of `shape` for flat indices."""
    axes, indices = bound.args.shape("shape"), bound.values["indices"]
    shape = (1,) if isinstance(indices, int) else nested_shape(indices)
    return ((None,) if None in axes else shape,) * len(axes)


def _histogram(args: Args, shape: Shape) -> Outputs:
    bins = number(args, "bins", 10)
    return ((bins,), (bins + 1,))


def _unique(bound: Bound) -> Outputs:
    """The unique values, and if requested their first indices, the index of each input among them, and their counts."""
    args, shape = bound.args, bound.shape("x")
    size = number(args, "size") if "size" in args else None
    values: Shape | None = (size,)
    places = shape
    if "axis" in args and shape is not None:
        axis = axis_of(args, len(shape))
        values, places = (*shape[:axis], size, *shape[axis + 1 :]), (shape[axis],)
    elif "axis" in args:
        values = None
    optional = (("return_index", (size,)), ("return_inverse", places), ("return_counts", (size,)))
    return (values, *(output for key, output in optional if args.flag(key, False)))


CREATION: Mapping[str, Rule] = MappingProxyType(
    {
        "AllClose": custom(_scalar, "x1", "x2"),
        "Arange": custom(_arange, "start", more=("stop", "step")),
        "Bincount": single(_bincount, "x"),
        "Diag": single(_diag, "x"),
        "Diagflat": single(_diagflat, "x"),
        "Diagonal": single(_diagonal, "x"),
        "Full": custom(_full, "fill_value"),
        "Geomspace": single(_spaced, "start", "stop"),
        "Histogram": several(2, _histogram, "x"),
        "Linspace": custom(_linspace, "start", "stop"),
        "Logspace": single(_spaced, "start", "stop"),
        "Ndim": single(_ndim, "x"),
        "Nonzero": custom(_nonzero, "x"),
        "Size": custom(_scalar, "x"),
        "Trace": single(_trace, "x"),
        "Unique": custom(_unique, "x"),
        "UnravelIndex": custom(_unraveled, "indices"),
        "Vander": single(_vander, "x"),
        "View": single(_viewed, "x"),
    }
)
"""Rules by class name."""
