"""Operations that reduce axes, or compute along one (keras/src/ops/numpy.py, math.py, nn.py and linalg.py, 3.15)."""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import axis_or_none, number
from ckpttool.model.operations.binding_rules import Bound, custom, several, single
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import axis_numbers, merged
from ckpttool.model.sizes import Shape, times

_REDUCED = """
    All Any Amax Amin Argmax Argmin Max Mean Median Min Nanargmax Nanargmin Nanmax Nanmean Nanmedian Nanmin Nanprod
    Nanstd Nansum Nanvar Prod Ptp Std Sum Var Logsumexp CountNonzero
""".split()
_QUANTILES = ["Quantile", "Nanquantile"]
_PERCENTILES = ["Percentile", "Nanpercentile"]
_SORTED = ["Argsort", "Sort"]
_ACCUMULATED = ["Cumprod", "Cumsum", "Nancumprod", "Nancumsum"]


def flat(shape: Shape) -> Shape:
    """The shape of all values in a row."""
    return (times(*shape),)


def reduced(args: Args, shape: Shape, key: str = "axis") -> Shape:
    """The shape without the axes that `axis` names, all of them where it is null; with 1 in their places if `keepdims`
    (`reduce_shape`, keras/src/ops/operation_utils.py)."""
    named = args.axes(key) if key in args else range(len(shape))
    reduced = axis_numbers(tuple(named), len(shape))
    if args.flag("keepdims", False):
        return tuple(1 if axis in reduced else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in reduced)


def _average(bound: Bound) -> Outputs:
    """The shape of an average; weights have the shape of the input, or one axis, the one that is reduced."""
    x, weights = bound.shape("x"), bound.shape("weights")
    if x is None:
        return (None,)
    shape = reduced(bound.args, x)
    along = "axis" in bound.args and weights is not None and len(weights) == 1
    if bound.values.get("weights") is not None and not along:
        merged(x, weights)
    return (shape,)


def _quantiles(least: int) -> Rule:
    """The rule for quantiles: a new first axis for `q`; a list of fewer than `least` counts as one number."""

    def shapes(bound: Bound) -> Outputs:
        x, q, numbers = bound.shape("x"), bound.shape("q"), bound.values["q"]
        if isinstance(numbers, list | tuple):
            q = (len(numbers),) if len(numbers) >= least else ()
        if x is None or q is None:
            return (None,)
        return ((*q[:1], *reduced(bound.args, x)),)

    return custom(shapes, "x", "q")


def _sorted(args: Args, shape: Shape) -> Shape:
    """The shape of the input, flat where the axis is null."""
    return flat(shape) if axis_or_none(args, len(shape), default=-1) is None else shape


def _accumulated(args: Args, shape: Shape) -> Shape:
    return flat(shape) if axis_or_none(args, len(shape)) is None else shape


def _trapezoid(args: Args, shape: Shape) -> Shape:
    axis = axis_or_none(args, len(shape), default=-1) if shape else None
    return tuple(size for at, size in enumerate(shape) if at != axis)


def _moments(args: Args, shape: Shape) -> Outputs:
    return (reduced(args, shape, "axes"),) * 2


def _norm(args: Args, shape: Shape) -> Shape:
    """The shape of norms of vectors or matrices, for which `ord` has different values."""
    result = reduced(args, shape)
    along = len(args.axes("axis")) if "axis" in args else len(shape)
    if isinstance(args.config.get("ord"), str):
        args.choice("ord", "fro", "nuc")
        if along == 1:
            raise args.error("ord", "a number, for the norm of vectors")
    return result


def _diff(args: Args, shape: Shape) -> Shape:
    axis, steps = axis_or_none(args, len(shape), default=-1), number(args, "n", 1)
    return tuple(max(size - steps, 0) if at == axis and size is not None else size for at, size in enumerate(shape))


REDUCTIONS: Mapping[str, Rule] = MappingProxyType(
    {
        **dict.fromkeys(_REDUCED, single(reduced, "x")),
        **dict.fromkeys(_SORTED, single(_sorted, "x")),
        **dict.fromkeys(_ACCUMULATED, single(_accumulated, "x")),
        **dict.fromkeys(_QUANTILES, _quantiles(2)),
        **dict.fromkeys(_PERCENTILES, _quantiles(0)),
        "Argpartition": single(_sorted, "x"),
        "Average": custom(_average, "x", more=("weights",)),
        "Diff": single(_diff, "a"),
        "Moments": several(2, _moments, "x"),
        "Norm": single(_norm, "x"),
        "Trapezoid": single(_trapezoid, "y"),
    }
)
"""Rules by class name."""
