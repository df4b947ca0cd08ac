"""The inputs that a call gives to a layer, by place or name, and the errors for those that do not fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, flat
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import Inputs, Shape, Size, is_integer

_BESIDE = ("mask", "initial_state", "constants", "training")


def main(call: Call) -> Any:
    """The first argument of a call, which may be a tensor or a structure of tensors."""
    if call.args:
        return call.args[0]
    return next((value for key, value in call.kwargs.items() if not key.endswith(_BESIDE)), None)


def argument(call: Call, place: int, name: str) -> Any:
    """The argument that a call gives by place or by name, None where it gives neither."""
    return call.args[place] if place < len(call.args) else call.kwargs.get(name)


def switched(args: Args, call: Call, place: int, name: str) -> bool:
    """Whether a call switches on what is off by default, such as `return_attention_scores`."""
    value = argument(call, place, name)
    if value is not None and value not in (True, False):
        raise ConfigError(f"{_label(args)}: called with {name} that is neither true nor false", where=_where(args))
    return bool(value)


def shapes(value: Any) -> Inputs:
    """The shapes of the tensors of a structure."""
    return tuple(tensor.shape for tensor in flat(value))


def sole(args: Args, call: Call) -> Shape | None:
    """The shape of the only input of a layer, None where it is not known."""
    inputs = shapes(main(call))
    if len(inputs) > 1:
        raise misfit(args, "one input", *inputs)
    return inputs[0] if inputs else None


def listed(args: Args, call: Call, *counts: int) -> Inputs:
    """The shapes of the inputs that a layer takes as one list, which must be as many as `counts` allow."""
    inputs = shapes(main(call))
    if counts and len(inputs) not in counts:
        raise misfit(args, f"a list of {' or '.join(map(str, counts))} inputs", *inputs)
    return inputs


def ranked(args: Args, shape: Shape | None, *ranks: int) -> Shape | None:
    """The shape itself; refuses one that has another number of axes."""
    if shape is not None and len(shape) not in ranks:
        raise misfit(args, f"an input with {' or '.join(map(str, ranks))} axes", shape)
    return shape


def at_least(args: Args, shape: Shape | None, rank: int) -> Shape | None:
    """The shape itself; refuses one that has fewer axes."""
    if shape is not None and len(shape) < rank:
        raise misfit(args, f"an input with at least {rank} axes", shape)
    return shape


def misfit(args: Args, expected: str, *inputs: Shape | None) -> ConfigError:
    """The error for inputs that a layer does not take, to be raised."""
    actual = ", ".join("unknown" if shape is None else str(shape) for shape in inputs[:4])
    actual = f"{actual}, ..." if len(inputs) > 4 else actual or "none"
    return ConfigError(f"{_label(args)}: the input does not fit", where=_where(args), expected=expected, found=actual)


@contextmanager
def fitting(args: Args, *inputs: Shape | None) -> Iterator[None]:
    """Make of what the arithmetic of shapes refuses what is wrong with the inputs of a layer."""
    try:
        yield
    except ValueError as problem:
        raise misfit(args, str(problem), *inputs) from None


def _label(args: Args) -> str:
    return f"{args.class_name} {args.name!r}"


def _where(args: Args) -> str:
    return "/".join(args.path)


def differ(size: Size, other: Size) -> bool:
    """Whether two sizes are known and not the same."""
    return size is not None and other is not None and size != other


def whole(value: Any, least: int) -> bool:
    """Whether a value is a whole number of at least so much."""
    return is_integer(value) and value >= least


def unknown(args: Args, call: Call, infer: object) -> Outputs:
    """Nothing, not even the number of outputs: what these layers do is up to code that no config holds."""
    return ()
