"""TensorFlow functions that compute with whole numbers where those of Keras 3 compute with floating-point ones.

Sources: `reduce_mean` and `_truediv_python3` (tensorflow/python/ops/math_ops.py, 2.15) and what TensorFlow 2.1 and 2.15
compute; `Mean` and `Sum` of keras/src/ops/numpy.py, 3.15.
"""

from typing import Any

from ckpttool.model.tensorflow_ops.emitter import Emitter, NoEquivalent, Result, typed
from ckpttool.model.tensorflow_ops.shape_functions import Function, as_number, dtype_of, is_tensor, size_arithmetic

_DIVIDED_AS = {"int32": "float64", "int64": "float64", **dict.fromkeys(("int8", "int16", "uint8", "uint16"), "float32")}
_GROWING = frozenset({"int8", "int16", "uint8", "uint16"})  # whose sums have a larger dtype in Keras 3
_GUESS = "is taken to compute with floating-point numbers; with whole numbers TensorFlow returns a whole number"


def is_whole(dtype: str | None) -> bool:
    """Whether a dtype is known to be one of whole numbers or truth values."""
    return dtype is not None and (dtype == "bool" or dtype.startswith(("int", "uint")))


def check_floats(e: Emitter, x: Any, subject: str) -> None:
    """Refuse a tensor of whole numbers; note a guess where the dtype is not known. Raises NoEquivalent."""
    dtype = dtype_of(x)
    if is_whole(dtype):
        raise NoEquivalent(f"{subject} of {dtype}, which TensorFlow returns as whole numbers")
    if dtype is None:
        e.guesses.append(_GUESS)


def reduced(e: Emitter, operation: str, x: Any, axis: Any, keepdims: bool) -> Result:
    """A reduction of values along some axes."""
    if operation == "numpy.Mean" and dtype_of(x) in ("int32", "int64"):
        return _whole_mean(e, x, axis, keepdims)
    if operation in ("numpy.Mean", "numpy.Std", "numpy.Var"):
        check_floats(e, x, "the mean" if operation == "numpy.Mean" else "the variance")
    total = e.op(operation, x, axis=axis, keepdims=keepdims)
    return cast_back(e, total, dtype_of(x)) if operation in ("numpy.Prod", "numpy.Sum") else total


def _whole_mean(e: Emitter, x: Any, axis: Any, keepdims: bool) -> Result:
    """The mean of whole numbers: their sum divided by their count, without the remainder."""
    total = e.op("numpy.Sum", x, axis=axis, keepdims=keepdims)
    count = e.op("numpy.Sum", e.op("numpy.OnesLike", x), axis=axis, keepdims=keepdims)
    quotient = e.op("numpy.FloorDivide", e.op("numpy.Absolute", total), count)
    return e.op("numpy.Multiply", e.op("numpy.Sign", total), quotient)


def cast_back(e: Emitter, total: Any, dtype: str | None) -> Result:
    """A sum in the dtype of its summands."""
    return e.op("core.Cast", total, dtype=dtype) if dtype in _GROWING else total


def division(operation: str, name: str = "") -> Function:
    """A division, which makes floating-point numbers of whole ones."""

    def divided(e: Emitter, x: Any, y: Any, name_: Any = None, **beside: Any) -> Result:
        if any(value is not None for key, value in beside.items() if key != "name"):
            raise NoEquivalent("further arguments of a division")
        dtype = dtype_of(x, y)
        if (sizes := size_arithmetic(name, x, y)) is not None:
            return sizes
        x, y = as_number(x), as_number(y)
        if is_whole(dtype):
            wide = divided_dtype(dtype)
            x, y = (
                e.op("core.Cast", operand, dtype=wide) if is_tensor(operand) else typed(operand, wide)
                for operand in (x, y)
            )
            return e.op(operation, x, y)
        return e.op(operation, typed(x, dtype), typed(y, dtype))

    return divided


def divided_dtype(dtype: str | None) -> str | None:
    """The dtype of a quotient. Raises NoEquivalent."""
    if not is_whole(dtype):
        return dtype
    if dtype not in _DIVIDED_AS:
        raise NoEquivalent(f"a quotient of {dtype}")
    return _DIVIDED_AS[dtype]


def old_division(e: Emitter, x: Any, y: Any, name: Any = None) -> Result:
    """The division of Python 2, which rounds the quotient of whole numbers down."""
    dtype = dtype_of(x, y)
    if dtype is None:
        e.guesses.append(_GUESS)
    operation = "numpy.FloorDivide" if is_whole(dtype) else "numpy.TrueDivide"
    return e.op(operation, typed(x, dtype), typed(y, dtype))


def raw_division(e: Emitter, x: Any, y: Any, name: Any = None) -> Result:
    """An operation of the graph that divides in the dtype of its inputs."""
    if (sizes := size_arithmetic("math.truediv", x, y)) is not None:
        return sizes
    x, y, dtype = as_number(x), as_number(y), dtype_of(x, y)
    if is_whole(dtype):
        raise NoEquivalent(f"a quotient of {dtype}, cut off to a whole number")
    return e.op("numpy.TrueDivide", typed(x, dtype), typed(y, dtype))
