"""The dtypes of the outputs of TensorFlow functions, for those of their inputs."""

from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent
from ckpttool.model.tensorflow_ops.integers import divided_dtype
from ckpttool.model.tensorflow_ops.recorded_calls import arguments_of
from ckpttool.model.tensorflow_ops.table import ALIASES
from ckpttool.model.tensorflow_ops.value_functions import dtype_named, one_hot_dtype

_Outputs = tuple[str | None, ...]

_TRUTH = frozenset(
    {
        *("__operators__.eq", "__operators__.ne", "math.equal", "math.greater", "math.greater_equal", "math.is_finite"),
        *("math.is_inf", "math.is_nan", "math.less", "math.less_equal", "math.logical_and", "math.logical_not"),
        *("math.logical_or", "math.logical_xor", "math.not_equal", "math.reduce_all", "math.reduce_any"),
    }
)
_DIVISIONS = frozenset({"math.divide", "math.divide_no_nan", "math.truediv"})
_SAMPLING = frozenset({"image.resize", "raw.resize"})
_MOST = 64  # outputs of a function that gives several


def result_dtypes(args: Args, call: Call) -> _Outputs:
    """The dtypes of the outputs of a call of a TensorFlow function, whose input tensors have theirs."""
    try:
        name, positional, named = arguments_of(args, call)
        return _of_function(ALIASES.get(name, name), positional, named)
    except (NoEquivalent, TypeError, ValueError, KeyError, AttributeError, IndexError):  # a stranger's arguments
        return (None,) * _MOST


def _of_function(name: str, positional: tuple[Any, ...], named: dict[str, Any]) -> _Outputs:
    first = next((tensor.dtype for tensor in Call(positional, named).tensors), None)
    if name in _TRUTH:
        return ("bool",)
    if name == "cast":
        return (dtype_named(named["dtype"] if "dtype" in named else positional[1]),)
    if name in ("math.argmax", "math.argmin"):
        return (dtype_named(named.get("output_type") or "int64"),)
    if name in ("argsort", "shape"):
        return ("int32",)
    if name == "math.top_k":
        return (first, "int32")
    if name == "one_hot":
        return (one_hot_dtype(named.get("on_value"), named.get("off_value"), named.get("dtype")),)
    if name in _DIVISIONS:
        return (divided_dtype(first),)
    if name in _SAMPLING and named.get("method", "bilinear") != "nearest":
        return ("float32",)
    if name in ("fill", "where"):
        return (_of_values([*positional[1:], *(named[key] for key in ("x", "y", "value") if key in named)]),)
    return (first,) * _MOST


def _of_values(values: list[Any]) -> str | None:
    """The dtype of a tensor of these values: that of a tensor among them, else that of a number."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    if tensors or not values:
        return tensors[0].dtype if tensors else None
    return one_hot_dtype(values[0], None, None)
