"""Rules of operations from functions of shapes: the arguments of a call are bound to their names first.

In a config, the arguments of the constructor are in `config` and those of the call in `inbound_nodes`, by position or
by name (`serialize_node`, keras/src/models/functional.py; `Operation.get_config`, keras/src/ops/operation.py, 3.15).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Shape, is_integer

MAX_OUTPUTS = 1024
"""The most outputs of a call; of a call with more, not even the number counts as known."""

Compute = Callable[..., Shape | None]
"""A function that returns the shape of the one output, from the arguments of the constructor and the shapes of some
arguments of the call. Raises ValueError with the expected value."""

Several = Callable[..., Outputs]
"""As `Compute`, for several outputs."""


class Bound(NamedTuple):
    """An operation and the arguments of one call of it by name; further ones by position are in `rest`."""

    args: Args
    values: Mapping[str, Any]
    rest: tuple[Any, ...] = ()

    def shape(self, name: str) -> Shape | None:
        """The shape of an argument, `()` where it is missing."""
        return shape_of(self.values.get(name))

    def shapes(self, name: str) -> list[Shape | None]:
        """The shapes of an argument that is a list of tensors, one at least. Raises ValueError where it is none."""
        value = self.values.get(name)
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"tensors in {name}")
        return [shape_of(item) for item in value]


def shape_of(value: Any) -> Shape | None:
    """The shape of an argument of a call: a tensor, an array, a number. None where it is not known.

    A list of numbers is an array to some operations of Keras, and a number or an error to others, so None here.
    """
    if isinstance(value, Tensor):
        return value.shape
    if not isinstance(value, Mapping):
        return None if isinstance(value, list | tuple | str) else ()
    if value.get("class_name") not in ("__numpy__", "__tensor__"):
        return None
    config = value.get("config")
    return nested_shape(config.get("value") if isinstance(config, Mapping) else None)


def nested_shape(value: Any) -> Shape | None:
    """The shape of nested lists of numbers as an array. Raises ValueError where they do not form one."""
    if isinstance(value, Tensor | Mapping):
        return shape_of(value)
    sizes: list[int] = []
    level = [value]
    while level and all(isinstance(item, list | tuple) for item in level):
        lengths = {len(item) for item in level}
        if len(lengths) > 1 or len(sizes) >= MAX_RANK:
            raise ValueError("numbers nested as an array")
        sizes.append(lengths.pop())
        level = [inner for item in level for inner in item]
    if any(isinstance(item, list | tuple) for item in level):
        raise ValueError("numbers nested as an array")
    return tuple(sizes) if not any(isinstance(item, Tensor | Mapping) for item in level) else None


def single(compute: Compute, *names: str, more: Sequence[str] = ()) -> Rule:
    """The rule of an operation with one output, whose shape follows from those of the arguments `names`.

    Where the rank of one of them is not known, neither is the output. `more` are arguments that do not matter.
    """

    def shapes(bound: Bound) -> Outputs:
        shapes = [bound.shape(name) for name in names]
        return (None,) if None in shapes else (compute(bound.args, *shapes),)

    return custom(shapes, *names, more=more)


def several(count: int, compute: Several, *names: str, more: Sequence[str] = ()) -> Rule:
    """As `single`, for an operation with `count` outputs."""

    def shapes(bound: Bound) -> Outputs:
        shapes = [bound.shape(name) for name in names]
        return (None,) * count if None in shapes else compute(bound.args, *shapes)

    return custom(shapes, *names, more=more)


def custom(shapes: Callable[[Bound], Outputs], *names: str, more: Sequence[str] = (), rest: bool = False) -> Rule:
    """The rule of an operation whose outputs follow from its bound arguments; `names` are required, `more` optional.

    `rest` says that its call takes further arguments, by position (`*args`) or by name (`**kwargs`).
    """

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        bound = _bound(args, call, names, (*names, *more), rest)
        try:
            return _checked(shapes(bound))
        except ValueError as error:
            raise _unfit(args, call, str(error)) from None

    return rule


def _bound(args: Args, call: Call, needed: Sequence[str], names: Sequence[str], rest: bool) -> Bound:
    if len(call.args) > len(names) and not rest:
        raise _unfit(args, call, f"at most {len(names)} arguments")
    values = dict(zip(names, call.args, strict=False))
    twice = [name for name in call.kwargs if name in values]
    if twice:
        raise _unfit(args, call, f"{twice[0]} once")
    unknown = [] if rest else [name for name in call.kwargs if name not in names]
    if unknown:
        raise _unfit(args, call, f"no arguments but {', '.join(names)}")
    values |= call.kwargs
    missing = [name for name in needed if name not in values]
    if missing:
        raise _unfit(args, call, f"the argument {missing[0]}")
    return Bound(args, values, call.args[len(names) :])


def _checked(outputs: Outputs) -> Outputs:
    """The outputs themselves. Raises ValueError where one is no possible shape of a tensor."""
    if len(outputs) > MAX_OUTPUTS:
        return ()
    for shape in set(outputs):
        _check(shape or ())
    return outputs


def _check(shape: Shape) -> None:
    if len(shape) > MAX_RANK:
        raise ValueError(f"an output with {MAX_RANK} axes at most")
    if not all(size is None or (is_integer(size) and 0 <= size <= MAX_SIZE) for size in shape):
        raise ValueError("an output with sizes of 0 at least, and no beyond 64 bits")


def _unfit(args: Args, call: Call, expected: str) -> ConfigError:
    name = f"{args.class_name} {args.name!r}"
    shapes = ", ".join("unknown" if shape is None else str(list(shape)) for shape in call.inputs[:4])
    return ConfigError(
        f"{name}: a call does not fit", where="/".join(args.path), expected=expected, found=f"inputs {shapes or 'none'}"
    )
