"""Arithmetic of shapes that layers and operations share: broadcasting, windows, axes.

Sizes are whole numbers or None where one is not known; the ValueError of each function has the expected value. Sources:
keras/src/ops/operation_utils.py and keras/src/backend/common/backend_utils.py, 3.15.
"""

import math
from collections.abc import Sequence

from ckpttool.model.sizes import Shape, Size, divided

PADDINGS = ("valid", "same", "causal")


def axis_number(axis: int, rank: int) -> int:
    """The number of an axis, counted from the front, of a tensor of that rank (`canonicalize_axis`).

    Raises ValueError where there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"an axis of a tensor with {rank} axes, not {axis}")
    return axis % rank


def axis_numbers(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """The numbers of some axes, counted from the front. Raises ValueError where one is missing or named twice."""
    numbers = tuple(axis_number(axis, rank) for axis in axes)
    if len(set(numbers)) != len(numbers):
        raise ValueError("axes that differ from each other")
    return numbers


def same_size(size: Size, other: Size) -> Size:
    """The common size of two axes, as far as either is known. Raises ValueError where they differ."""
    if size is not None and other is not None and size != other:
        raise ValueError(f"equal sizes, not {size} and {other}")
    return other if size is None else size


def merged(shape: Shape | None, other: Shape | None) -> Shape | None:
    """The common shape of two tensors, as far as either is known. Raises ValueError where they differ."""
    if shape is None or other is None:
        return other if shape is None else shape
    if len(shape) != len(other):
        raise ValueError(f"equal numbers of axes, not {len(shape)} and {len(other)}")
    return tuple(same_size(a, b) for a, b in zip(shape, other, strict=True))


def broadcast_size(size: Size, other: Size) -> Size:
    """The size of an axis of two tensors that are broadcast against each other. Raises ValueError where they differ.

    An unknown size beside a number other than 1 is taken to be that number or 1, as Keras does.
    """
    if size == 1 or other == 1:
        return other if size == 1 else size
    return same_size(size, other)


def broadcast(*shapes: Shape | None) -> Shape | None:
    """The shape of tensors that are broadcast together, None where the rank of one is not known.

    Raises ValueError where two sizes of an axis fit neither each other nor 1 (`broadcast_shapes`).
    """
    together: Shape = ()
    for shape in shapes:
        if shape is None:
            return None
        rank = max(len(shape), len(together))
        pairs = zip(_padded(together, rank), _padded(shape, rank), strict=True)
        together = tuple(broadcast_size(a, b) for a, b in pairs)
    return together


def _padded(shape: Shape, rank: int) -> Shape:
    return (*(1,) * (rank - len(shape)), *shape)


def convolved(size: Size, kernel: Size, stride: int = 1, padding: str = "valid", dilation: float = 1) -> Size:
    """The number of places of a window along an axis of that size (`compute_conv_output_shape`).

    Raises ValueError where the window does not fit or padding is none of `PADDINGS`.
    """
    if padding not in PADDINGS:
        raise ValueError(f"a padding: {', '.join(PADDINGS)}")
    if padding != "valid":
        return divided(size, stride)
    if size is None or kernel is None:
        return None
    span = dilation * (kernel - 1) + 1
    if size < span:
        raise ValueError(f"at least {span} values along an axis, for its window, not {size}")
    return math.floor((size - span) // stride) + 1


def pooled(size: Size, window: Size, stride: int, padding: str = "valid") -> Size:
    """The size of an axis after pooling (`compute_pooling_output_shape`). Raises ValueError as `convolved` does."""
    if padding == "causal":
        raise ValueError("a padding: valid, same")
    return convolved(size, window, stride, padding)


def transposed(
    size: Size,
    kernel: Size,
    stride: int = 1,
    padding: str = "valid",
    dilation: int = 1,
    output_padding: int | None = None,
) -> Size:
    """The size of an axis after a transposed convolution (`_get_output_shape_given_tf_padding`,
    keras/src/backend/common/backend_utils.py, 3.15).

    Raises ValueError for another padding than valid and same, and where nothing would be left.
    """
    if padding not in ("valid", "same"):
        raise ValueError("a padding: valid, same")
    if size is None or kernel is None:
        return None
    result = _transposed(size, dilation * (kernel - 1) + 1, stride, padding, output_padding)
    if result < 0:
        raise ValueError(f"strides and output_padding that leave a size of 0 at least, not {result}")
    return result


def _transposed(size: int, span: int, stride: int, padding: str, output_padding: int | None) -> int:
    """The size before it is checked; `span` is what the window covers."""
    if output_padding is None:
        return size * stride + (max(span - stride, 0) if padding == "valid" else 0)
    pad = span // 2 if padding == "same" else 0
    return (size - 1) * stride + span - 2 * pad + output_padding
