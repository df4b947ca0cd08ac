"""TensorFlow functions of vectors and matrices: norms, diagonals, triangles, equations, products.

Each takes an emitter and the arguments under TensorFlow's names, and returns the output. Sources:
tensorflow/python/ops/linalg_ops.py and array_ops.py of 2.15 for the functions, keras/src/ops of 3.15 for their
replacements.
"""

import math
from typing import Any

from ckpttool.model.tensorflow_ops.emitter import Emitter, NoEquivalent, Result, typed
from ckpttool.model.tensorflow_ops.integers import check_floats
from ckpttool.model.tensorflow_ops.shape_functions import dtype_of, is_tensor, rank_of, static


def norm(
    e: Emitter, tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None, name: Any = None
) -> Result:
    """The length of vectors, or that of matrices by their values."""
    keepdims = bool(keepdims)
    axes = axis if isinstance(axis, list) else [axis]
    if ord in ("euclidean", "fro") or (ord in (2, 2.0) and len(axes) == 1):
        return e.op("numpy.Sqrt", e.op("numpy.Sum", e.op("numpy.Square", tensor), axis=axis, keepdims=keepdims))
    if len(axes) == 1 and ord in (1, 1.0, math.inf):
        return e.op(
            "numpy.Sum" if ord == 1 else "numpy.Max", e.op("numpy.Absolute", tensor), axis=axis, keepdims=keepdims
        )
    raise NoEquivalent("a norm other than the euclidean one, the sum and the largest value of vectors")


def euclidean(e: Emitter, input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None) -> Result:
    """The length of vectors."""
    check_floats(e, input_tensor, "the length")
    return norm(e, input_tensor, axis=static(axis, "the axis"), keepdims=keepdims)


def band_part(e: Emitter, input: Any, num_lower: Any, num_upper: Any, name: Any = None) -> Result:
    """A triangle of matrices."""
    below, above = static(num_lower, "the band"), static(num_upper, "the band")
    if below < 0 <= above:
        return e.op("numpy.Tril", input, k=above)
    if above < 0 <= below:
        return e.op("numpy.Triu", input, k=-below)
    raise NoEquivalent("a band with two ends")


def matrix_transpose(e: Emitter, a: Any, name: Any = None, conjugate: bool = False) -> Result:
    """The last two axes change places."""
    if conjugate:
        raise NoEquivalent("the complex conjugate")
    return e.op("numpy.Swapaxes", a, axis1=-2, axis2=-1)


def solve(e: Emitter, matrix: Any, rhs: Any, adjoint: bool = False, name: Any = None) -> Result:
    """The solutions of linear equations."""
    if adjoint:
        raise NoEquivalent("the adjoint of a matrix")
    return e.op("linalg.Solve", matrix, rhs)


def diag_part(
    e: Emitter, input: Any, name: Any = "diag_part", k: Any = 0, padding_value: Any = 0, align: Any = "RIGHT_LEFT"
) -> Result:
    """A diagonal of matrices."""
    return e.op("numpy.Diagonal", input, offset=static(k, "the diagonal"), axis1=-2, axis2=-1)


def tensordot(e: Emitter, a: Any, b: Any, axes: Any, name: Any = None) -> Result:
    """The sums of products along axes of two tensors: of lists of axes, which are moved to the end of the first and the
    beginning of the second, Keras 3 has the shape wrong where the batch is open (`Tensordot.compute_output_spec`,
    keras/src/ops/numpy.py, 3.15)."""
    axes, dtype = static(axes, "the axes"), dtype_of(a, b)
    if isinstance(axes, list):
        first, second = (axis if isinstance(axis, list) else [axis] for axis in axes)
        a, b, axes = _moved(e, a, first, last=True), _moved(e, b, second, last=False), len(first)
    return e.op("numpy.Tensordot", typed(a, dtype), typed(b, dtype), axes=axes)


def _moved(e: Emitter, x: Any, axes: list[int], last: bool) -> Any:
    """A tensor or a list of numbers with some axes at its end or beginning. Raises NoEquivalent."""
    import numpy as np

    array = None if is_tensor(x) else np.array(x)
    count = array.ndim if array is not None else rank_of(x)
    if count is None:
        raise NoEquivalent("axes of a tensor whose number of axes is not known")
    moved = [axis % count for axis in axes]
    others = [axis for axis in range(count) if axis not in moved]
    order = [*others, *moved] if last else [*moved, *others]
    if order == sorted(order):
        return x
    return e.op("numpy.Transpose", x, axes=order) if array is None else np.transpose(array, order).tolist()
