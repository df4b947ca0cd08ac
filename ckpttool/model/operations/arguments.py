"""Readers for arguments that only operations have: axes that may be missing, signed numbers, windows."""

from typing import Any

from ckpttool.model import sizes
from ckpttool.model.arguments import Args
from ckpttool.model.shape_arithmetic import axis_number
from ckpttool.model.sizes import MAX_SIZE, is_integer

Window = int | tuple[int, ...]
"""One number for all axes, or one for each."""


def axis_or_none(args: Args, rank: int, key: str = "axis", default: int | None = None) -> int | None:
    """The number of an axis of a tensor of that rank, None where the config has null. Raises ValueError."""
    axis = args.integer(key) if key in args.config else default
    return None if axis is None else axis_number(axis, rank)


def axis_of(args: Args, rank: int, key: str = "axis", default: int = 0) -> int:
    """The number of an axis of a tensor of that rank. Raises ValueError where the tensor has no such axis."""
    axis = args.integer(key, default)
    assert axis is not None
    return axis_number(axis, rank)


def items(args: Args, key: str) -> list[Any] | None:
    """The items of an argument that is a list, None for another value; tuples of every spelling are lists."""
    value = sizes.items(args.config.get(key))
    return list(value) if isinstance(value, list) else None


def integers(args: Args, key: str) -> list[int]:
    """Whole numbers, one or a list of them, negative ones too."""
    numbers = items(args, key)
    numbers = [args.config.get(key)] if numbers is None else numbers
    if not all(is_integer(value) and abs(value) <= MAX_SIZE for value in numbers):
        raise args.error(key, "a whole number, or a list of such")
    return numbers


def number(args: Args, key: str, default: int | None = None) -> int:
    """A whole number, which may be negative."""
    value = args.integer(key, default)
    if value is None or abs(value) > MAX_SIZE:
        raise args.error(key, "a whole number")
    return value


def window(args: Args, key: str, rank: int, default: int | None = None, least: int = 1) -> tuple[int, ...]:
    """Whole numbers of `least` at least, one for each of `rank` axes; a single number stands for all of them."""
    values = [default] if args.config.get(key) is None and default is not None else integers(args, key)
    values = values * rank if items(args, key) is None else values
    if len(values) != rank or min(values, default=least) < least:
        raise args.error(key, f"{rank} whole numbers of {least} at least")
    return tuple(values)
