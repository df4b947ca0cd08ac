"""Operations that pick values by index (keras/src/ops/numpy.py and core.py, 3.15)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Tensor
from ckpttool.model.operations.arguments import axis_of, integers
from ckpttool.model.operations.binding_rules import Bound, custom, nested_shape, single
from ckpttool.model.operations.reductions import flat
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import broadcast_size
from ckpttool.model.sizes import MAX_RANK, Shape, Size, is_integer

_ELLIPSIS = "__ellipsis__"


def _taken(bound: Bound) -> Outputs:
    """Values at some indices; a list of indices is an array of them."""
    x, at = bound.shape("x"), nested_shape(bound.values["indices"])
    if "axis" not in bound.args:
        return (at,)
    if x is None or at is None:
        return (None,)
    axis = axis_of(bound.args, len(x))
    return ((*x[:axis], *at, *x[axis + 1 :]),)


def _taken_along(args: Args, shape: Shape, places: Shape) -> Shape:
    whole = flat(shape) if "axis" not in args else shape
    axis = axis_of(args, len(whole)) if "axis" in args else 0
    if len(whole) != len(places):
        raise ValueError(f"indices with {len(whole)} axes, not {len(places)}")
    return tuple(
        size if at == axis else broadcast_size(own, size)
        for at, (own, size) in enumerate(zip(whole, places, strict=True))
    )


def _picked(bound: Bound) -> Outputs:
    """`x[key]` with numbers, slices, `...` and null for a new axis (`GetItem.compute_output_spec`)."""
    shape, key = bound.shape("x"), bound.values["key"]
    keys = list(key) if isinstance(key, list | tuple) else [key]
    if len(keys) > 2 * MAX_RANK:
        raise ValueError("fewer places")
    if shape is None:
        return (None,)
    axes = list(shape)
    return (tuple(size for place in _all_places(keys, len(axes)) for size in _at(place, axes)),)


def _is_ellipsis(place: Any) -> bool:
    return isinstance(place, Mapping) and place.get("class_name") == _ELLIPSIS


def _all_places(keys: list[Any], rank: int) -> list[Any]:
    """One key for each axis and each new one: the axes of `...`, and those without a key, are taken whole."""
    ellipses = [at for at, place in enumerate(keys) if _is_ellipsis(place)]
    missing = rank - sum(place is not None for place in keys) + len(ellipses)
    if len(ellipses) > 1 or missing < 0:
        raise ValueError(f"places for {rank} axes, '...' once at most")
    at = ellipses[0] if ellipses else len(keys)
    return [*keys[:at], *[slice(None)] * missing, *keys[at + 1 :]]


def _at(place: Any, axes: list[Size]) -> tuple[Size, ...]:
    """The sizes that a key leaves of the next axis, which is removed from the list."""
    if place is None:
        return (1,)
    size = axes.pop(0)
    if isinstance(place, slice):
        return (_sliced(place, size),)
    if not isinstance(place, int):
        raise ValueError("whole numbers, slices, '...' and null as places")
    if size is not None and not -size <= place < size:
        raise ValueError(f"a place in an axis of {size}, not {place}")
    return ()


def _sliced(place: slice, size: Size) -> Size:
    """The size that a slice leaves of an axis; of one of unknown size, Keras looks at no bound."""
    bounds = (place.start, place.stop, place.step)
    if size is None or any(isinstance(bound, Tensor) for bound in bounds):
        return None
    if not all(bound is None or is_integer(bound) for bound in bounds) or place.step == 0:
        raise ValueError("slices of whole numbers")
    return len(range(*place.indices(size)))


def _cut(bound: Bound) -> Outputs:
    """A slice of the requested shape, where -1 reaches to the end of the axis (`Slice.compute_output_spec`)."""
    shape, sizes, start = bound.shape("inputs"), integers(bound.args, "shape"), bound.values["start_indices"]
    if shape is None:
        return (None,)
    starts = start if isinstance(start, list | tuple) else _array(start)
    if len(sizes) != len(shape) or (starts is not None and len(starts) != len(shape)):
        raise ValueError(f"a place and a shape with {len(shape)} axes")
    starts = [None] * len(shape) if starts is None else starts
    return (tuple(_rest(*cut) for cut in zip(shape, sizes, starts, strict=True)),)


def _array(value: Any) -> list[Any] | None:
    """The numbers in a constant array, None where a tensor is computed."""
    config = value.get("config") if isinstance(value, Mapping) else None
    value = config.get("value") if isinstance(config, Mapping) else None
    return value if isinstance(value, list) else None


def _rest(size: Size, asked: int, start: Any) -> Size:
    if asked != -1:
        return asked
    return size - start if size is not None and is_integer(start) else None


INDEXING: Mapping[str, Rule] = MappingProxyType(
    {
        "GetItem": custom(_picked, "x", "key"),
        "Slice": custom(_cut, "inputs", "start_indices"),
        "Take": custom(_taken, "x", "indices"),
        "TakeAlongAxis": single(_taken_along, "x", "indices"),
    }
)
"""Rules by class name."""
