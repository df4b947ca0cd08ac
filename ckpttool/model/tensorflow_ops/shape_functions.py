"""TensorFlow functions of shapes and indices: reshaping, slicing, joining, splitting.

Each takes an emitter and the arguments under TensorFlow's names, and returns the output. Sources: tensorflow/python/ops
of 2.15 for the functions, keras/src/ops of 3.15 for their replacements.
"""

import math
from collections.abc import Callable
from typing import Any

from ckpttool.io import scalars
from ckpttool.model.graph import Tensor
from ckpttool.model.sizes import is_integer
from ckpttool.model.tensorflow_ops.emitter import Emitter, Inner, NoEquivalent, Number, Result, Sizes

Function = Callable[..., Result]


def is_tensor(value: Any) -> bool:
    """Whether a value is only known when the model runs."""
    return isinstance(value, Tensor | Inner)


def dtype_of(*values: Any) -> str | None:
    """The dtype of the first tensor among some values, None where it is not known."""
    return next((value.dtype for value in values if isinstance(value, Tensor)), None)


def static(value: Any, subject: str) -> Any:
    """A value that is known before the model runs. Raises NoEquivalent for any other, which it calls by `subject`."""
    if isinstance(value, Sizes):
        known = value.sizes[0] if value.alone else list(value.sizes)
        if known is None or (isinstance(known, list) and None in known):
            raise NoEquivalent(f"{subject} depends on the size of a batch")
        return known
    if isinstance(value, list | tuple):
        return [static(item, subject) for item in value]
    if is_tensor(value):
        raise NoEquivalent(f"{subject} is computed by the model")
    return value


def target_sizes(value: Any) -> list[int | None]:
    """The sizes of a target shape, None for one that only the running model knows."""
    if isinstance(value, Sizes) and not value.alone:
        return list(value.sizes)
    if not isinstance(value, list | tuple):
        raise NoEquivalent("the shape is computed by the model")
    sizes = list[int | None]()
    for item in value:
        if isinstance(item, Sizes) and item.alone:
            sizes.append(item.sizes[0])
        elif is_integer(item):
            sizes.append(item)
        else:
            raise NoEquivalent("the shape is computed by the model")
    return sizes


def shape(e: Emitter, input: Any, out_type: Any = None, name: Any = None) -> Result:
    """The sizes of a tensor."""
    if not isinstance(input, Tensor) or input.shape is None:
        raise NoEquivalent("the shape of a tensor whose number of axes is not known")
    return Sizes(input.shape, batch_of=input)


def reshape(e: Emitter, tensor: Any, shape: Any, name: Any = None) -> Result:
    """A tensor in another shape. A size that is not known becomes -1; where there is a -1 already, it has to be that of
    the batch, which the layer Reshape does not change."""
    sizes = target_sizes(shape)
    unknown = [at for at, size in enumerate(sizes) if size is None]
    if not unknown:
        return e.op("numpy.Reshape", tensor, newshape=sizes)
    if len(unknown) == 1 and -1 not in sizes:
        return e.op("numpy.Reshape", tensor, newshape=[-1 if size is None else size for size in sizes])
    if unknown == [0]:
        return e.layer("Reshape", tensor, dtype_of(tensor), target_shape=sizes[1:])
    raise NoEquivalent("more than one size of the shape is not known")


def getitem(e: Emitter, tensor: Any, slice_spec: Any) -> Result:
    """The result of indexing; that of a shape is known beforehand."""
    keys = slice_spec if isinstance(slice_spec, list) else [slice_spec]
    indices = tuple(_key(key) for key in keys)
    if isinstance(tensor, Sizes):
        return _sizes_at(tensor, indices[0] if len(indices) == 1 else None)
    return e.getitem(tensor, list(indices))


def _key(key: Any) -> Any:
    if isinstance(key, dict) and key.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(key, dict):
        return slice(*(static(key.get(end), "a slice") for end in ("start", "stop", "step")))
    return static(key, "an index")


def _sizes_at(sizes: Sizes, key: Any) -> Sizes:
    places = range(len(sizes.sizes))
    if isinstance(key, slice) and not sizes.alone:
        return Sizes(sizes.sizes[key], batch_of=sizes.batch_of if places[key][:1] == places[:1] else None)
    if is_integer(key) and not sizes.alone and -len(places) <= key < len(places):
        return Sizes((sizes.sizes[key],), alone=True, batch_of=None if places[key] else sizes.batch_of)
    raise NoEquivalent("an index into a shape")


def strided_slice(
    e: Emitter, input_: Any, begin: Any, end: Any, strides: Any = None, *,
    begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0,
    name: Any = None,
) -> Result:  # fmt: skip
    """A slice by begin, end and strides, each axis left out where its bit in a mask is set."""
    begin, end = static(begin, "a slice"), static(end, "a slice")
    strides = [1] * len(begin) if strides is None else static(strides, "a slice")
    keys = list[Any]()
    for at, (start, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << at
        if ellipsis_mask & bit:
            keys.append({"class_name": "__ellipsis__"})
        elif new_axis_mask & bit:
            keys.append(None)
        elif shrink_axis_mask & bit:
            keys.append(start)
        else:
            ends = (None if begin_mask & bit else start, None if end_mask & bit else stop, step)
            keys.append(dict(zip(("start", "stop", "step"), ends, strict=True)))
    return getitem(e, input_, keys)


def slice_(e: Emitter, input_: Any, begin: Any, size: Any, name: Any = None) -> Result:
    """A slice by begin and size; -1 stands for all that follows."""
    begin, size = static(begin, "a slice"), static(size, "a slice")
    keys = [
        {"start": start, "stop": None if length == -1 else start + length}
        for start, length in zip(begin, size, strict=True)
    ]
    return getitem(e, input_, keys)


def concat(e: Emitter, values: Any, axis: Any, name: Any = None) -> Result:
    """Tensors joined along an axis; sizes are joined to a shape."""
    values = values if isinstance(values, list) else [values]
    if all(isinstance(item, Sizes | list) for item in values):
        return Sizes(tuple(size for item in values for size in target_sizes(item)), batch_of=_batch_of(values[0]))
    return e.op("numpy.Concatenate", values, axis=static(axis, "the axis"))


def stack(e: Emitter, values: Any, axis: Any = 0, name: Any = None) -> Result:
    """Tensors along a new axis; sizes become the sizes of a shape."""
    if isinstance(values, list) and all(is_integer(item) or isinstance(item, Sizes) for item in values):
        return Sizes(tuple(target_sizes(values)), batch_of=_batch_of(values))
    return e.op("numpy.Stack", values, axis=static(axis, "the axis"))


def split(e: Emitter, value: Any, num_or_size_splits: Any, axis: Any = 0, num: Any = None, name: Any = None) -> Result:
    """Equal parts, or parts of given sizes, of which the last may be -1."""
    parts = static(num_or_size_splits, "the sizes of the parts")
    if isinstance(parts, list):
        if -1 in parts[:-1]:
            raise NoEquivalent("a part of unknown size that is not the last")
        ends, total = list[int](), 0
        for size in parts[:-1]:
            total += size
            ends.append(total)
        parts = ends
    return e.op("numpy.Split", value, indices_or_sections=parts, axis=static(axis, "the axis"))


def unstack(e: Emitter, value: Any, num: Any = None, axis: Any = 0, name: Any = None) -> Result:
    """The slices along an axis."""
    if isinstance(value, Sizes):
        raise NoEquivalent("the sizes of a shape one by one")
    return e.op("core.Unstack", value, num=num, axis=static(axis, "the axis"))


def transpose(e: Emitter, a: Any, perm: Any = None, conjugate: bool = False, name: Any = None) -> Result:
    """Axes in another order."""
    if conjugate:
        raise NoEquivalent("the complex conjugate")
    return e.op("numpy.Transpose", a, axes=static(perm, "the order of axes"))


def gather(
    e: Emitter, params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: Any = 0,
    name: Any = None,
) -> Result:  # fmt: skip
    """Slices at indices along one axis; with `batch_dims`, each example has indices of its own."""
    if batch_dims:
        return _gather_in_batch(e, params, indices, static(axis, "the axis"), batch_dims)
    return e.op("numpy.Take", params, indices, axis=static(axis, "the axis") or 0)


def _gather_in_batch(e: Emitter, params: Any, indices: Any, axis: Any, batch_dims: Any) -> Result:
    """Slices at indices of each example, along the first axis behind those of the batch: one slice or a row of them."""
    if not is_integer(batch_dims) or None in (rank_of(params), rank_of(indices)):
        raise NoEquivalent("batch_dims of tensors whose number of axes is not known")
    params_rank, index_axes = rank_of(params) or 0, (rank_of(indices) or 0) - batch_dims
    axis = batch_dims if axis is None else axis + params_rank if axis < 0 else axis
    if batch_dims < 0 or axis != batch_dims or index_axes not in (0, 1):
        raise NoEquivalent("batch_dims with indices of several axes, or along another axis")
    for new_axis in [axis] * (1 - index_axes) + [-1] * (params_rank - axis - 1):  # TakeAlongAxis wants equal ranks
        indices = e.op("numpy.ExpandDims", indices, axis=new_axis)
    gathered = e.op("numpy.TakeAlongAxis", params, indices, axis=axis)
    return gathered if index_axes else e.op("numpy.Squeeze", gathered, axis=axis)


def rank_of(tensor: Any) -> int | None:
    """The number of axes of a tensor, None where it is not known."""
    return len(tensor.shape) if isinstance(tensor, Tensor) and tensor.shape is not None else None


def _batch_of(shape: Any) -> Any:
    """A tensor whose batch has the first size of a target shape; None where there is none."""
    first = shape[0] if isinstance(shape, list) and shape else shape
    return first.batch_of if isinstance(first, Sizes) else None


def filled(e: Emitter, shape: Any, value: Any, dtype: str) -> Result:
    """A tensor filled with one number, whose first axis is a batch. Raises NoEquivalent for other shapes and values."""
    sizes, batch = target_sizes(shape), _batch_of(shape)
    if batch is None or batch.shape[:1] != tuple(sizes[:1]) or None in sizes[1:]:
        raise NoEquivalent("the shape depends on the size of a batch" if None in sizes else "a tensor without inputs")
    if not isinstance(value, int | float) or isinstance(value, bool) or {dtype, dtype_of(batch)} - _NUMBERS:
        raise NoEquivalent("a value or a batch that is no plain number")
    row = getitem(e, batch, [{"start": None, "stop": None}, *[0] * (len(batch.shape) - 1)])
    result = e.op("numpy.ZerosLike", e.op("core.Cast", row, dtype=dtype))
    for _ in sizes[1:]:
        result = e.op("numpy.ExpandDims", result, axis=-1)
    result = e.op("numpy.Tile", result, repeats=[1, *sizes[1:]]) if len(sizes) > 1 else result
    return e.op("numpy.Add", result, value) if value else result


_NUMBERS = frozenset({"bfloat16", "float16", "float32", "float64", "int32", "int64", None})


def rank(e: Emitter, input: Any, name: Any = None) -> Result:
    """The number of axes."""
    count = rank_of(input)
    if count is None:
        raise NoEquivalent("the number of axes, which is not known")
    return Sizes((count,), alone=True)


def size(e: Emitter, input: Any, name: Any = None, out_type: Any = None) -> Result:
    """The number of values."""
    if rank_of(input) is None:
        raise NoEquivalent("the size of a tensor whose number of axes is not known")
    return Sizes((None if None in input.shape else math.prod(input.shape),), alone=True)


def broadcast_to(e: Emitter, input: Any, shape: Any, name: Any = None) -> Result:
    """A tensor broadcast to a shape, of which the size of the batch stays as it is."""
    sizes = target_sizes(shape)
    if None not in sizes:
        return e.op("numpy.BroadcastTo", input, shape=sizes)
    if sizes.count(None) != 1 or rank_of(input) != len(sizes) or input.shape[0] is not None or sizes[0] is not None:
        raise NoEquivalent("the shape depends on the size of a batch")
    repeats = [1, *(_repeats(old, new) for old, new in zip(input.shape[1:], sizes[1:], strict=True))]
    return e.op("numpy.Tile", input, repeats=repeats)


def _repeats(old: int | None, new: int | None) -> int:
    """The number of times that an axis is repeated to grow from `old` to `new`. Raises NoEquivalent."""
    if old != new and old != 1:
        raise NoEquivalent("an axis whose size does not fit the shape")
    return 1 if old == new else new or 0


def size_arithmetic(name: str, x: Any, y: Any) -> Sizes | Number | None:
    """The result of arithmetic with sizes, None where neither operand is a size, or one is known and the other one a
    tensor. Raises NoEquivalent."""
    if not any(isinstance(value, Sizes | Number) for value in (x, y)):
        return None
    left, right = as_number(x), as_number(y)
    if is_tensor(left) or is_tensor(right):
        if not isinstance(right if is_tensor(left) else left, int | float):
            raise NoEquivalent(_ARITHMETIC)
        return None
    if isinstance(x, Number) or isinstance(y, Number):
        return _number_arithmetic(name, left, right, (x if isinstance(x, Number) else y).dtype)
    if any(isinstance(value, Sizes) and value.alone for value in (left, right)):
        return Sizes((None,), alone=True)
    if not (is_integer(left) and is_integer(right)):
        raise NoEquivalent(_ARITHMETIC)
    if name in ("math.floordiv", "math.truediv", "compat.v1.floor_div") and right and left % right == 0:
        return Sizes((left // right,), alone=True)
    size = {
        "__operators__.add": left + right,
        "math.add": left + right,
        "math.subtract": left - right,
        "math.multiply": left * right,
    }.get(name)
    if size is None:
        raise NoEquivalent(_ARITHMETIC)
    return Sizes((size,), alone=True)


_ARITHMETIC = "arithmetic with a shape"


def as_number(value: Any) -> Any:
    """A known size, or a number that follows from sizes, as a plain number; other values unchanged."""
    if isinstance(value, Number):
        return value.value
    known = isinstance(value, Sizes) and value.alone and value.sizes[0] is not None
    return value.sizes[0] if known else value


def _number_arithmetic(name: str, left: Any, right: Any, dtype: str) -> Number:
    """A number from two others, as TensorFlow computes it. Raises NoEquivalent."""
    import numpy as np

    function = {
        "__operators__.add": np.add,
        "math.add": np.add,
        "math.subtract": np.subtract,
        "math.multiply": np.multiply,
        "math.truediv": np.divide,
    }.get(name)
    if function is None or not all(isinstance(value, int | float) for value in (left, right)):
        raise NoEquivalent(_ARITHMETIC)
    as_dtype = np.dtype(dtype).type
    with np.errstate(all="ignore"):
        return _number(scalars.as_float(function(as_dtype(left), as_dtype(right))), dtype)


def _number(value: float, dtype: str) -> Number:
    if scalars.real(value) is None:
        raise NoEquivalent(_ARITHMETIC)
    return Number(value, dtype)


def root(e: Emitter, x: Any, name: Any = None) -> Result:
    """The square root; that of a number from sizes is a number, too."""
    if not isinstance(x, Number):
        return e.op("numpy.Sqrt", x)
    import numpy as np

    with np.errstate(all="ignore"):
        return _number(scalars.as_float(np.sqrt(np.dtype(x.dtype).type(x.value))), x.dtype)


def crop(
    e: Emitter, image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Result:
    """A part of images, by where it begins and how large it is."""
    starts, sizes = static([offset_height, offset_width], "a slice"), static([target_height, target_width], "a slice")
    ends = [{"start": start, "stop": start + size} for start, size in zip(starts, sizes, strict=True)]
    return getitem(e, image, [{"class_name": "__ellipsis__"}, *ends, {"start": None, "stop": None}])
