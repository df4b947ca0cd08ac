"""Shapes and dtypes as Keras 3.15 takes them from configs (`standardize_shape` and `standardize_dtype`,
keras/src/backend/common/variables.py)."""

from typing import Any

from ckpttool.io import scalars
from ckpttool.io.dtypes import DTYPES
from ckpttool.model.sizes import MAX_SIZE, Shape

_DTYPES = frozenset({*DTYPES, "int", "string"})


def standard_shape(value: Any) -> Shape | None:
    """The shape that Keras makes of a value, None where it raises: a list of whole numbers and nulls."""
    if not isinstance(value, list | tuple) or len(value) > MAX_RANK:
        return None
    if not all(size is None or (isinstance(size, int) and 0 <= size <= MAX_SIZE) for size in value):
        return None
    return tuple(scalars.truncated(size) for size in value)


def is_alike(shape: Shape | None, other: Shape | None) -> bool:
    """Whether two shapes may be the same, as far as they are known."""
    if shape is None or other is None:
        return True
    return len(shape) == len(other) and all(a is None or b is None or a == b for a, b in zip(shape, other, strict=True))


def is_dtype(value: Any) -> bool:
    """Whether Keras takes a value for the name of a dtype; null is the default."""
    return value is None or (isinstance(value, str) and value in _DTYPES)


MAX_RANK = 254  # that of TensorFlow's tensors
