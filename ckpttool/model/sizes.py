"""Sizes and shapes in configs and in shape inference: whole numbers, None where one is not known."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_RANK = 64
MAX_SIZE = 2**63 - 1

Size = int | None
"""The length of one axis, None where it is not known."""

Shape = tuple[int | None, ...]

Inputs = tuple[Shape | None, ...]
"""The shapes of a layer's inputs in the order of its `build`, batch axis included, None where not known."""


def read_shape(value: Any) -> Shape | None:
    """The shape in a value of a config, None where it is none; tuples may have any spelling.

    Keras 2.13 on writes `{"class_name": "__tuple__", "items": [...]}` for a tuple.
    """
    if isinstance(value, Mapping) and value.get("class_name", "__tuple__") in ("__tuple__", "TensorShape"):
        value = value.get("items")
    if not isinstance(value, list | tuple) or len(value) > MAX_RANK:
        return None
    if not all(size is None or (is_integer(size) and 0 <= size <= MAX_SIZE) for size in value):
        return None
    return tuple(value)


def items(value: Any) -> Any:
    """The items of a list or of a tuple in any spelling; any other value itself."""
    if isinstance(value, Mapping) and value.get("class_name") == "__tuple__":
        value = value.get("items")
    return list(value) if isinstance(value, tuple) else value


def shapes_fit(expected: Shape | None, shape: Sequence[int]) -> bool:
    """Whether an array has the expected shape, as far as that is known."""
    if expected is None:
        return True
    pairs = zip(expected, shape, strict=False)
    return len(expected) == len(shape) and all(size in (None, stored) for size, stored in pairs)


def is_integer(value: Any) -> bool:
    """Whether a value is a whole number; neither `2.0` nor `true` is one."""
    return isinstance(value, int) and not isinstance(value, bool)


def total(*sizes: Size) -> Size:
    """The sum of some sizes, None where one is not known."""
    return None if None in sizes else sum(size or 0 for size in sizes)


def times(*sizes: Size) -> Size:
    """The product of some sizes, None where one is not known."""
    product = 1
    for size in sizes:
        if size is None:
            return None
        product *= size
    return product


def divided(size: Size, by: int) -> Size:
    """The size divided by a positive number and rounded up, None where it is not known."""
    return None if size is None else -(-size // by)
