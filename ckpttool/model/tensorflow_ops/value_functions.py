"""TensorFlow functions of values with arguments of their own: products, norms, sorts, activations.

Each takes an emitter and the arguments under TensorFlow's names, and returns the output. Sources: tensorflow/python/ops
of 2.15 for the functions, keras/src/ops of 3.15 for their replacements.
"""

from typing import Any

from ckpttool.io import scalars
from ckpttool.model.tensorflow_ops.emitter import Emitter, NoEquivalent, Number, Result, Sizes, typed
from ckpttool.model.tensorflow_ops.integers import check_floats, is_whole
from ckpttool.model.tensorflow_ops.shape_functions import Function, dtype_of, filled, getitem, is_tensor, static


def matmul(
    e: Emitter, a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False,
    adjoint_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False, output_type: Any = None,
    grad_a: bool = False, grad_b: bool = False, name: Any = None,
) -> Result:  # fmt: skip
    """The product of matrices; the last two axes of each may change places before."""
    if output_type is not None:
        raise NoEquivalent("another dtype of the product")
    a = e.op("numpy.Swapaxes", a, axis1=-2, axis2=-1) if transpose_a or adjoint_a else a
    b = e.op("numpy.Swapaxes", b, axis1=-2, axis2=-1) if transpose_b or adjoint_b else b
    return e.op("numpy.Matmul", a, b)


_NO_TENSORS = (
    "the config does not have the tensors of the call, so that Keras 2 does not load the model either; build it by "
    "your code with keras.ops.einsum, and give it with --arch package.module:function"
)


def einsum(e: Emitter, equation: Any, *inputs: Any, **_: Any) -> Result:
    """A sum of products; Keras 2 leaves the tensors out of its config, and cannot load it itself."""
    if not inputs:
        raise NoEquivalent(_NO_TENSORS)
    return e.op("numpy.Einsum", *inputs, subscripts=equation)


def clip(e: Emitter, t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Result:
    """Values between two limits."""
    if is_tensor(clip_value_min) or is_tensor(clip_value_max):
        return e.op("numpy.Minimum", e.op("numpy.Maximum", t, clip_value_min), clip_value_max)
    return e.op("numpy.Clip", t, x_min=clip_value_min, x_max=clip_value_max)


_LEFT_OUT: Any = object()


def compared(operation: str) -> Function:
    """The comparison of `==` and `!=`, whose second operand TensorFlow 2.4 to 2.15 leave out of configs."""

    def comparison(e: Emitter, self: Any, other: Any = _LEFT_OUT) -> Result:
        if other is _LEFT_OUT:
            raise NoEquivalent("the config lacks the second operand of the comparison, which TensorFlow leaves out")
        return e.op(operation, self, typed(other, dtype_of(self)))

    return comparison


def where(e: Emitter, condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Result:
    """Values of one tensor where a condition is true, else of another."""
    if x is None or y is None:
        raise NoEquivalent("the indices at which a condition is true, of which there may be any number")
    return e.op("numpy.Where", condition, x, y)


def multiply_no_nan(e: Emitter, x: Any, y: Any, name: Any = None) -> Result:
    """A product that is 0 wherever `y` is 0, even where `x` is infinite or NaN."""
    if not is_tensor(y):
        raise NoEquivalent("a second factor that is no tensor")
    product = e.op("numpy.Multiply", x, y)
    return e.op("numpy.Where", e.op("numpy.Equal", y, 0), e.op("numpy.ZerosLike", product), product)


def cast(e: Emitter, x: Any, dtype: Any, name: Any = None) -> Result:
    """The values in another dtype. A known size becomes a number, and a number a size; other sizes are unchanged."""
    wanted = dtype_named(dtype)
    if isinstance(x, Sizes):
        known = x.alone and x.sizes[0] is not None and wanted in _FLOATS
        return Number(1.0 * (x.sizes[0] or 0), wanted) if known else x
    if isinstance(x, Number):
        return _number_cast(x, wanted)
    return e.op("core.Cast", x, dtype=wanted)


def _number_cast(number: Number, dtype: str) -> Result:
    if dtype in _FLOATS:
        return Number(number.value, dtype)
    size = scalars.truncated(number.value) if dtype in ("int32", "int64") else None
    if size is None:
        raise NoEquivalent(f"a number from a shape as {dtype}")
    return Sizes((size,), alone=True)


_FLOATS = frozenset({"float32", "float64"})


def dtype_named(dtype: Any) -> str:
    """The name of a dtype as Keras has it."""
    if isinstance(dtype, dict):
        dtype = dtype.get("config", dtype.get("type"))
    if not isinstance(dtype, str):
        raise NoEquivalent("a dtype that cannot be read")
    name = dtype.removeprefix("DT_").lower()
    return {"float": "float32", "double": "float64", "half": "float16"}.get(name, name)


def pad(
    e: Emitter, tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: Any = None
) -> Result:
    """A tensor padded with values."""
    widths = static(paddings, "the widths")
    keras_mode = {"constant": "constant", "reflect": "reflect", "symmetric": "symmetric"}[mode.lower()]
    if keras_mode == "constant" and constant_values:
        return e.op("numpy.Pad", tensor, constant_values, pad_width=widths, mode=keras_mode)
    return e.op("numpy.Pad", tensor, pad_width=widths, mode=keras_mode)


def one_hot(
    e: Emitter, indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: Any = None,
    dtype: Any = None, name: Any = None,
) -> Result:  # fmt: skip
    """One-hot vectors of indices."""
    if on_value not in (None, 1, 1.0) or off_value not in (None, 0, 0.0):
        raise NoEquivalent("values other than one and zero")
    vector_dtype = one_hot_dtype(on_value, off_value, dtype)
    return e.op(
        "nn.OneHot",
        indices,
        num_classes=static(depth, "the depth"),
        axis=-1 if axis is None else axis,
        dtype=vector_dtype,
    )


def one_hot_dtype(on_value: Any, off_value: Any, dtype: Any) -> str:
    """The dtype of one-hot vectors: that of the values where there is no `dtype`."""
    value = next((candidate for candidate in (on_value, off_value) if candidate is not None), 1.0)
    value_dtype = "bool" if isinstance(value, bool) else "int32" if isinstance(value, int) else "float32"
    return value_dtype if dtype is None else dtype_named(dtype)


def sort(e: Emitter, values: Any, axis: Any = -1, direction: Any = "ASCENDING", name: Any = None) -> Result:
    """Sorted values, the smallest first, or the largest."""
    if direction not in ("ASCENDING", "DESCENDING"):
        raise NoEquivalent(f"the order {direction!r}")
    ordered = e.op("numpy.Sort", values, axis=static(axis, "the axis"))
    return ordered if direction == "ASCENDING" else e.op("numpy.Flip", ordered, axis=static(axis, "the axis"))


def argsort(
    e: Emitter, values: Any, axis: Any = -1, direction: Any = "ASCENDING", stable: Any = False, name: Any = None
) -> Result:
    """The indices that sort values, of equal ones the first before the others (`_argsort`,
    tensorflow/python/ops/sort_ops.py, 2.15)."""
    if direction not in ("ASCENDING", "DESCENDING"):
        raise NoEquivalent(f"the order {direction!r}")
    if direction == "DESCENDING":
        if is_whole(dtype_of(values)):
            raise NoEquivalent("the descending order of whole numbers")
        check_floats(e, values, "the descending order")
        values = e.op("numpy.Negative", values)
    return e.op("numpy.Argsort", values, axis=static(axis, "the axis"))


def l2_normalize(
    e: Emitter, x: Any, axis: Any = None, epsilon: float = 1e-12, name: Any = None, dim: Any = None
) -> Result:
    """x / sqrt(max(sum(x ** 2), epsilon))."""
    axis = dim if axis is None else axis
    total = e.op("numpy.Sum", e.op("numpy.Square", x), axis=axis, keepdims=True)
    return e.op("numpy.Multiply", x, e.op("math.Rsqrt", e.op("numpy.Maximum", total, epsilon)))


def softmax(e: Emitter, logits: Any, axis: Any = None, name: Any = None, dim: Any = None) -> Result:
    """exp(x) divided by its sum along an axis."""
    axis = dim if axis is None else axis
    return e.op("nn.Softmax", logits, axis=-1 if axis is None else axis)


def log_softmax(e: Emitter, logits: Any, axis: Any = None, name: Any = None, dim: Any = None) -> Result:
    """The logarithm of softmax."""
    axis = dim if axis is None else axis
    return e.op("nn.LogSoftmax", logits, axis=-1 if axis is None else axis)


def extreme(operation: str) -> Function:
    """The index of the largest or smallest value; TensorFlow's default is the first axis."""

    def index_of_extreme(
        e: Emitter, input: Any, axis: Any = None, output_type: Any = "int64", dimension: Any = None, name: Any = None
    ) -> Result:
        axis = dimension if axis is None else axis
        index = e.op(operation, input, axis=0 if axis is None else axis)
        return e.op("core.Cast", index, dtype=dtype_named(output_type))

    return index_of_extreme


def cumulated(operation: str, first_values: str) -> Function:
    """Cumulative sums or products, from the other end with `reverse`; exclusive ones begin with those that the
    operation `first_values` gives, zeros or ones."""

    def cumulation(
        e: Emitter, x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: Any = None
    ) -> Result:
        along = static(axis, "the axis")
        x = e.op("numpy.Flip", x, axis=along) if reverse else x
        values: Result = e.op(operation, x, axis=along)
        values = _shifted(e, values, along, first_values) if exclusive else values
        return e.op("numpy.Flip", values, axis=along) if reverse else values

    return cumulation


def _shifted(e: Emitter, x: Any, axis: int, first_values: str) -> Result:
    """A tensor one place further along an axis, with zeros or ones in front."""

    def part(start: int | None, stop: int | None) -> Any:
        others = [{"start": None, "stop": None}] * (axis if axis >= 0 else -axis - 1)
        own, around = {"start": start, "stop": stop}, {"class_name": "__ellipsis__"}
        return getitem(e, x, [*others, own] if axis >= 0 else [around, own, *others])

    return e.op("numpy.Concatenate", [e.op(first_values, part(None, 1)), part(None, -1)], axis=axis)


def top_k(e: Emitter, input: Any, k: Any = 1, sorted: bool = True, index_type: Any = None, name: Any = None) -> Result:
    """The largest values and their indices."""
    return e.op("math.TopK", input, k=static(k, "k"), sorted=sorted)


def fill(e: Emitter, dims: Any, value: Any, name: Any = None, layout: Any = None) -> Result:
    """A tensor of one value."""
    if is_tensor(value):
        return e.op("numpy.Full", value, shape=static(dims, "the shape"))
    return filled(e, dims, value, "float32" if isinstance(value, float) else "int32")


def constants(value: int) -> Function:
    """A tensor of zeros or ones."""

    def of_constants(e: Emitter, shape: Any, dtype: Any = "float32", name: Any = None, layout: Any = None) -> Result:
        return filled(e, shape, value, dtype_named(dtype))

    return of_constants


def moments(e: Emitter, x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> Result:
    """Mean and variance."""
    check_floats(e, x, "moments")
    return e.op("nn.Moments", x, axes=axes if isinstance(axes, list) else [axes], keepdims=bool(keepdims))


def repeat(e: Emitter, input: Any, repeats: Any, axis: Any = None, name: Any = None) -> Result:
    """Every element several times."""
    return e.op("numpy.Repeat", input, repeats=static(repeats, "the number of times"), axis=axis)


def leaky_relu(e: Emitter, features: Any, alpha: Any = 0.2, name: Any = None) -> Result:
    """x, or alpha x where x is negative."""
    return e.op("nn.LeakyRelu", features, negative_slope=static(alpha, "alpha"))


def gelu(e: Emitter, features: Any, approximate: bool = False, name: Any = None) -> Result:
    """The Gaussian error linear unit; TensorFlow's default is the exact one."""
    return e.op("nn.Gelu", features, approximate=bool(approximate))


def add_n(e: Emitter, inputs: Any, name: Any = None) -> Result:
    """The sum of several tensors."""
    first, *rest = inputs if isinstance(inputs, list) else [inputs]
    for other in rest:
        first = e.op("numpy.Add", first, other)
    return first


def squared_difference(e: Emitter, x: Any, y: Any, name: Any = None) -> Result:
    """(x - y) ** 2."""
    dtype = dtype_of(x, y)
    return e.op("numpy.Square", e.op("numpy.Subtract", typed(x, dtype), typed(y, dtype)))


def bias_add(e: Emitter, value: Any, bias: Any, data_format: Any = None, name: Any = None) -> Result:
    """A bias for every channel."""
    if data_format not in (None, "NHWC", "N...C"):
        raise NoEquivalent(f"data_format {data_format!r}")
    return e.op("numpy.Add", value, typed(bias, dtype_of(value)))


def identity(e: Emitter, input: Any, name: Any = None, **_: Any) -> Result:
    """The tensor itself."""
    return input if is_tensor(input) or isinstance(input, Sizes) else e.op("core.ConvertToTensor", input)
