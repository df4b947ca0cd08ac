"""Products of tensors, and patterns of axes: matmul, einsum, einops (keras/src/ops/numpy.py, math.py and einops.py,
3.15)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import axis_of, items
from ckpttool.model.operations.binding_rules import Bound, custom, shape_of, single
from ckpttool.model.operations.manipulation import without
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import axis_numbers, broadcast, merged, same_size
from ckpttool.model.sizes import MAX_RANK, Shape, Size, is_integer, times


def multiplied(args: Args, left: Shape, right: Shape) -> Shape:
    """The shape of the matrix product of the last two axes, the others broadcast; vectors are rows left, columns right
    (`compute_matmul_output_shape`)."""
    if not left or not right:
        raise ValueError("inputs with an axis at least")
    rows, columns = left[-2:-1], right[-1:] if len(right) > 1 else ()
    same_size(left[-1], right[-2] if len(right) > 1 else right[0])
    return (*(broadcast(left[:-2], right[:-2]) or ()), *rows, *columns)


def _dotted(args: Args, left: Shape, right: Shape) -> Shape | None:
    """The dot product of the last axis of the left input and the last but one of the right; numbers multiply each
    value."""
    if not left or not right:
        return broadcast(left, right)
    at = max(len(right) - 2, 0)
    same_size(left[-1], right[at])
    return (*left[:-1], *right[:at], *right[at + 1 :])


def _inner(args: Args, left: Shape, right: Shape) -> Shape:
    if left and right:
        same_size(left[-1], right[-1])
        return (*left[:-1], *right[:-1])
    return left or right


def _tensordot(args: Args, left: Shape, right: Shape) -> Shape:
    """Sums over the axes of each input that `axes` names, or over that many last axes of the left and first of the
    right."""
    pairs = items(args, "axes")
    if pairs is None:
        count = max(args.integer("axes", 2) or 0, 0)
        if count > min(len(left), len(right)):
            raise args.error("axes", "no more axes than the inputs have")
        pairs = [list(range(len(left) - count, len(left))), list(range(count))]
    if len(pairs) != 2:
        raise args.error("axes", "axes of two inputs")
    contracted = [axis_numbers(_axes(args, axes), len(shape)) for axes, shape in zip(pairs, (left, right), strict=True)]
    merged(tuple(left[axis] for axis in contracted[0]), tuple(right[axis] for axis in contracted[1]))
    return (*without(left, contracted[0]), *without(right, contracted[1]))


def _axes(args: Args, axes: Any) -> list[int]:
    if isinstance(axes, Mapping) and axes.get("class_name") == "__tuple__":
        axes = axes.get("items")
    if not isinstance(axes, list | tuple) or not all(map(is_integer, axes)):
        raise args.error("axes", "lists of axes")
    return list(axes)


def _cross(args: Args, left: Shape, right: Shape) -> Shape | None:
    """Cross products of vectors of 2 or 3 along an axis of each input; two vectors of 2 result in a number."""
    names = ("axis",) * 3 if "axis" in args else ("axisa", "axisb", "axisc")
    at, beside = (axis_of(args, len(shape), name, -1) for shape, name in zip((left, right), names, strict=False))
    sizes = {left[at], right[beside]}
    if not sizes <= {2, 3, None}:
        raise ValueError("vectors of 2 or 3")
    if None in sizes and 3 not in sizes:
        return None
    rest = broadcast(without(left, [at]), without(right, [beside])) or ()
    new_axis: Shape = (3,) if 3 in sizes else ()
    to = axis_of(args, len(rest) + len(new_axis), names[2], -1)
    return (*rest[:to], *new_axis, *rest[to:])


def _outer(args: Args, one_shape: Shape, other: Shape) -> Shape:
    return (times(*one_shape), times(*other))


def _kron(args: Args, one_shape: Shape, other: Shape) -> Shape:
    """The Kronecker product; Keras pairs the axes from the front, as far as both have them."""
    return tuple(times(a, b) for a, b in zip(one_shape, other, strict=False))


def _correlated(args: Args, left: Shape, right: Shape) -> Shape:
    mode = args.choice("mode", "valid", "same", "full")
    if len(left) != 1 or len(right) != 1:
        raise ValueError("inputs along one axis")
    if left[0] is None or right[0] is None:
        return (None,)
    longer, shorter = max(left[0], right[0]), min(left[0], right[0])
    return ({"valid": longer - shorter + 1, "same": longer, "full": longer + shorter - 1}[mode],)


def _distances(args: Args, left: Shape, right: Shape) -> Shape:
    if min(len(left), len(right)) < 2:
        raise ValueError("inputs with 2 axes at least")
    same_size(left[-1], right[-1])
    return (*(broadcast(left[:-2], right[:-2]) or ()), left[-2], right[-2])


def _scalar(args: Args, left: Shape, right: Shape) -> Shape:
    return ()


def _summed(bound: Bound) -> Outputs:
    """A sum in Einstein's notation: each letter is an axis, `...` are the axes without a letter."""
    text = bound.args.text("subscripts")
    source, arrow, target = text.partition("->")
    specs = source.split(",")
    if len(specs) != len(bound.rest):
        raise bound.args.error("subscripts", f"{len(bound.rest)} inputs")
    shapes = [shape_of(value) for value in bound.rest]
    if not all(map(_is_spec, (*specs, target))) or None in shapes:
        return (None,)
    wanted = target if arrow else "..." + "".join(sorted(_once(specs)))
    return (broadcast(*(_spread(spec, shape or (), wanted) for spec, shape in zip(specs, shapes, strict=True))),)


def letter_sizes(text: str, shapes: Sequence[Shape]) -> list[Size]:
    """The sizes of all axes of a sum in Einstein's notation, those that it sums over included."""
    specs = text.partition("->")[0].split(",")
    if len(specs) != len(shapes) or not all(map(_is_spec, specs)):
        return [None]
    letters = "".join(dict.fromkeys(letter for spec in specs for letter in spec if letter != "."))
    spread = [_spread(spec, shape, f"...{letters}") for spec, shape in zip(specs, shapes, strict=True)]
    return list(broadcast(*spread) or (None,))


def _is_spec(spec: str) -> bool:
    return re.fullmatch(r"[A-Za-z]*(\.\.\.[A-Za-z]*)?", spec) is not None


def _once(specs: list[str]) -> list[str]:
    counts = Counter(letter for spec in specs for letter in spec if letter != ".")
    return [letter for letter, count in counts.items() if count == 1]


def _spread(spec: str, shape: Shape, wanted: str) -> Shape:
    """The shape of an input with its axes in the order of the output, 1 for those that it lacks."""
    front, dots, back = spec.partition("...")
    if len(shape) < len(front + back) or (not dots and len(shape) != len(front)):
        raise ValueError(f"an input with the axes {spec}, not {len(shape)}")
    whole = shape[len(front) : len(shape) - len(back)]
    sizes: dict[str, Size] = {}
    for letter, size in zip(front + back, (*shape[: len(front)], *shape[len(shape) - len(back) :]), strict=False):
        same_size(sizes.setdefault(letter, size), size)
    before, ellipsis, after = wanted.partition("...")
    return (
        *(sizes.get(letter, 1) for letter in before),
        *(whole if ellipsis else ()),
        *(sizes.get(letter, 1) for letter in after),
    )


def _rearranged(bound: Bound) -> Outputs:
    """A pattern of einops; the output is unknown where the pattern does not name each axis."""
    shape, pattern = bound.shape("tensor"), bound.values["pattern"]
    if not isinstance(pattern, str) or pattern.count("->") != 1:
        raise ValueError("a pattern such as 'b h w -> b (h w)'")
    source, target = (_groups(side) for side in pattern.split("->"))
    if shape is None or len(source) != len(shape) or "." in pattern:
        return (None,)
    pairs = zip(source, shape, strict=True)
    sizes = dict(solved for group, whole in pairs for solved in _solved(bound, group, whole))
    if not all(group and sizes.keys() >= set(group) for group in target):
        raise ValueError("a pattern with the same names on both sides")
    return (tuple(times(*(sizes[name] for name in group)) for group in target),)


def _groups(side: str) -> list[list[str]]:
    """The names on one side of a pattern, those in brackets together; of more than an array has axes, one too many."""
    parts = islice(re.finditer(r"\w+|\([^()]*\)", side), MAX_RANK + 1)
    return [re.findall(r"\w+", part[0]) for part in parts]


def _solved(bound: Bound, group: list[str], whole: Size) -> list[tuple[str, Size]]:
    """The sizes of the names in brackets, of which one may be missing in the call. Raises ValueError."""
    if len(group) == 1:
        return [(group[0], whole)]
    known = {name: bound.values.get(name) for name in group}
    free = [name for name, size in known.items() if size is None]
    if len(free) > 1 or not all(size is None or (is_integer(size) and size > 0) for size in known.values()):
        raise ValueError(f"a positive size for all but one of {', '.join(group)}")
    others = times(*(size for size in known.values() if size is not None)) or 1
    if whole is not None and whole % others:
        raise ValueError(f"sizes that divide {whole}")
    left = None if whole is None else whole // others
    return [(name, left if size is None else size) for name, size in known.items()]


PRODUCTS: Mapping[str, Rule] = MappingProxyType(
    {
        "CDist": single(_distances, "x", "y"),
        "Correlate": single(_correlated, "x1", "x2"),
        "Cross": single(_cross, "x1", "x2"),
        "Dot": single(_dotted, "x1", "x2"),
        "Einsum": custom(_summed, rest=True),
        "Inner": single(_inner, "x1", "x2"),
        "Kron": single(_kron, "x1", "x2"),
        "Matmul": single(multiplied, "x1", "x2"),
        "Outer": single(_outer, "x1", "x2"),
        "Rearrange": custom(_rearranged, "tensor", "pattern", rest=True),
        "Tensordot": single(_tensordot, "x1", "x2"),
        "Vdot": single(_scalar, "x1", "x2"),
    }
)
"""Rules by class name."""
