"""The table from TensorFlow functions to operations of Keras 3, by the names under which configs have them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.model.tensorflow_ops import image_functions as images
from ckpttool.model.tensorflow_ops import integers
from ckpttool.model.tensorflow_ops import matrix_functions as matrices
from ckpttool.model.tensorflow_ops import shape_functions as shapes
from ckpttool.model.tensorflow_ops import value_functions as values
from ckpttool.model.tensorflow_ops.emitter import Emitter, NoEquivalent, Result, typed
from ckpttool.model.tensorflow_ops.shape_functions import Function

_BESIDE = frozenset({"name", "layout"})  # arguments without influence on the result


def _unary(operation: str) -> Function:
    def function(e: Emitter, x: Any, **beside: Any) -> Result:
        _check(beside)
        return e.op(operation, x)

    return function


def _binary(operation: str, name: str = "") -> Function:
    def function(e: Emitter, x: Any, y: Any, **beside: Any) -> Result:
        _check(beside)
        sizes, dtype = shapes.size_arithmetic(name, x, y), shapes.dtype_of(x, y)
        return sizes or e.op(operation, typed(shapes.as_number(x), dtype), typed(shapes.as_number(y), dtype))

    return function


def _reduced(operation: str) -> Function:
    def function(
        e: Emitter, x: Any, axis: Any = None, keepdims: Any = None, reduction_indices: Any = None,
        keep_dims: Any = None,
        **beside: Any,
    ) -> Result:  # fmt: skip
        _check(beside)
        axis = shapes.static(reduction_indices if axis is None else axis, "the axis")
        return integers.reduced(e, operation, x, axis, bool(keepdims if keepdims is not None else keep_dims))

    return function


def _check(beside: Mapping[str, Any]) -> None:
    for key, value in beside.items():
        if key not in _BESIDE and value is not None and value is not False:
            raise NoEquivalent(f"an argument {key}")


def _with(operation: str, keys: Mapping[str, str]) -> Function:
    """An operation of one tensor whose further arguments have other names in Keras 3."""

    def function(e: Emitter, x: Any, **arguments: Any) -> Result:
        _check({key: value for key, value in arguments.items() if key not in keys})
        config = {keys[key]: shapes.static(value, key) for key, value in arguments.items() if key in keys}
        return e.op(operation, x, **config)

    return function


_UNARY = {
    "math.abs": "numpy.Absolute", "math.acos": "numpy.Arccos", "math.acosh": "numpy.Arccosh",
    "math.asin": "numpy.Arcsin",
    "math.asinh": "numpy.Arcsinh", "math.atan": "numpy.Arctan", "math.atanh": "numpy.Arctanh",
    "math.ceil": "numpy.Ceil",
    "math.cos": "numpy.Cos", "math.cosh": "numpy.Cosh", "math.erf": "math.Erf", "math.erfc": "math.Erfc",
    "math.erfinv": "math.Erfinv", "math.exp": "numpy.Exp", "math.expm1": "numpy.Expm1", "math.floor": "numpy.Floor",
    "math.is_finite": "numpy.Isfinite", "math.is_inf": "numpy.Isinf", "math.is_nan": "numpy.Isnan",
    "math.log": "numpy.Log", "math.log1p": "numpy.Log1p", "math.log_sigmoid": "nn.LogSigmoid",
    "math.logical_not": "numpy.LogicalNot", "math.negative": "numpy.Negative", "math.reciprocal": "numpy.Reciprocal",
    "math.rint": "numpy.Round", "math.round": "numpy.Round", "math.rsqrt": "math.Rsqrt", "math.sigmoid": "nn.Sigmoid",
    "math.sign": "numpy.Sign", "math.sin": "numpy.Sin", "math.sinh": "numpy.Sinh", "math.softplus": "nn.Softplus",
    "math.square": "numpy.Square", "math.tan": "numpy.Tan", "math.tanh": "numpy.Tanh",
    "nn.elu": "nn.Elu", "nn.relu": "nn.Relu", "nn.relu6": "nn.Relu6", "nn.selu": "nn.Selu", "nn.sigmoid": "nn.Sigmoid",
    "nn.silu": "nn.Silu", "nn.softplus": "nn.Softplus", "nn.softsign": "nn.Softsign", "nn.swish": "nn.Silu",
    "nn.tanh": "numpy.Tanh", "ones_like": "numpy.OnesLike", "stop_gradient": "core.StopGradient",
    "zeros_like": "numpy.ZerosLike",
    "linalg.det": "linalg.Det", "linalg.inv": "linalg.Inv", "linalg.cholesky": "linalg.Cholesky",
}  # fmt: skip
_BINARY = {
    "__operators__.add": "numpy.Add", "math.add": "numpy.Add",
    "math.equal": "numpy.Equal",
    "math.floordiv": "numpy.FloorDivide", "math.floormod": "numpy.Mod", "math.greater": "numpy.Greater",
    "math.greater_equal": "numpy.GreaterEqual", "math.less": "numpy.Less", "math.less_equal": "numpy.LessEqual",
    "math.logical_and": "numpy.LogicalAnd", "math.logical_or": "numpy.LogicalOr",
    "math.logical_xor": "numpy.LogicalXor",
    "math.maximum": "numpy.Maximum", "math.minimum": "numpy.Minimum", "math.mod": "numpy.Mod",
    "math.multiply": "numpy.Multiply", "math.not_equal": "numpy.NotEqual",
    "math.pow": "numpy.Power", "math.subtract": "numpy.Subtract",
    "bitwise.bitwise_and": "numpy.BitwiseAnd",
    "bitwise.bitwise_or": "numpy.BitwiseOr", "bitwise.bitwise_xor": "numpy.BitwiseXor",
}  # fmt: skip
_REDUCED = {
    "math.reduce_all": "numpy.All", "math.reduce_any": "numpy.Any", "math.reduce_logsumexp": "math.Logsumexp",
    "math.reduce_max": "numpy.Max", "math.reduce_mean": "numpy.Mean", "math.reduce_min": "numpy.Min",
    "math.reduce_prod": "numpy.Prod", "math.reduce_std": "numpy.Std", "math.reduce_sum": "numpy.Sum",
    "math.reduce_variance": "numpy.Var",
}  # fmt: skip

_OTHERS: dict[str, Function] = {
    "math.atan2": lambda e, y, x, name=None: e.op("numpy.Arctan2", y, x),
    "keras.backend.batch_flatten": lambda e, x: e.layer("Flatten", x, shapes.dtype_of(x)),
    "linalg.diag_part": matrices.diag_part,
    "linalg.trace": lambda e, x, name=None: integers.cast_back(
        e, e.op("numpy.Trace", x, axis1=-2, axis2=-1), shapes.dtype_of(x)
    ),
    "__operators__.eq": values.compared("numpy.Equal"),
    "__operators__.ne": values.compared("numpy.NotEqual"),
    "compat.v1.div": integers.old_division,
    "math.divide": integers.division("numpy.TrueDivide", "math.truediv"),
    "math.divide_no_nan": integers.division("numpy.DivideNoNan"),
    "math.truediv": integers.division("numpy.TrueDivide", "math.truediv"),
    "raw.div": integers.raw_division,
    "realdiv": integers.raw_division,
    "__operators__.getitem": shapes.getitem,
    "add_n": values.add_n,
    "argsort": values.argsort,
    "broadcast_to": shapes.broadcast_to,
    "cast": values.cast,
    "clip_by_value": values.clip,
    "concat": shapes.concat,
    "convert_to_tensor": values.identity,
    "einsum": values.einsum,
    "expand_dims": _with("numpy.ExpandDims", {"axis": "axis"}),
    "fill": values.fill,
    "gather": shapes.gather,
    "identity": values.identity,
    "image.flip_left_right": lambda e, image: e.op("numpy.Flip", image, axis=-2),
    "image.flip_up_down": lambda e, image: e.op("numpy.Flip", image, axis=-3),
    "image.resize": images.resize,
    "image.rgb_to_grayscale": _with("image.RGBToGrayscale", {}),
    "linalg.matmul": values.matmul,
    "linalg.norm": matrices.norm,
    "math.add_n": values.add_n,
    "math.argmax": values.extreme("numpy.Argmax"),
    "math.argmin": values.extreme("numpy.Argmin"),
    "math.cumprod": values.cumulated("numpy.Cumprod", "numpy.OnesLike"),
    "math.cumsum": values.cumulated("numpy.Cumsum", "numpy.ZerosLike"),
    "math.l2_normalize": values.l2_normalize,
    "math.multiply_no_nan": values.multiply_no_nan,
    "math.squared_difference": values.squared_difference,
    "math.top_k": values.top_k,
    "nn.avg_pool2d": images.pool("nn.AveragePool"),
    "nn.bias_add": values.bias_add,
    "nn.conv2d": images.conv2d,
    "nn.depth_to_space": _with("nn.DepthToSpace", {"block_size": "block_size"}),
    "nn.gelu": values.gelu,
    "nn.l2_normalize": values.l2_normalize,
    "nn.leaky_relu": values.leaky_relu,
    "nn.log_softmax": values.log_softmax,
    "nn.max_pool2d": images.pool("nn.MaxPool"),
    "nn.moments": values.moments,
    "nn.softmax": values.softmax,
    "nn.space_to_depth": _with("nn.SpaceToDepth", {"block_size": "block_size"}),
    "one_hot": values.one_hot,
    "pad": values.pad,
    "repeat": values.repeat,
    "reshape": shapes.reshape,
    "reverse": _with("numpy.Flip", {"axis": "axis"}),
    "roll": _with("numpy.Roll", {"shift": "shift", "axis": "axis"}),
    "shape": shapes.shape,
    "slice": shapes.slice_,
    "sort": values.sort,
    "split": shapes.split,
    "squeeze": _with("numpy.Squeeze", {"axis": "axis"}),
    "linalg.band_part": matrices.band_part,
    "math.reduce_euclidean_norm": matrices.euclidean,
    "math.sqrt": shapes.root,
    "image.crop_to_bounding_box": shapes.crop,
    "image.extract_patches": images.patches,
    "ensure_shape": lambda e, x, shape, name=None: values.identity(e, x),
    "image.grayscale_to_rgb": images.grayscale_to_rgb,
    "image.hsv_to_rgb": _with("image.HSVToRGB", {}),
    "image.rgb_to_hsv": _with("image.RGBToHSV", {}),
    "linalg.matrix_transpose": matrices.matrix_transpose,
    "linalg.solve": matrices.solve,
    "math.accumulate_n": values.add_n,
    "nn.depthwise_conv2d": images.depthwise_conv2d,
    "rank": shapes.rank,
    "ones": values.constants(1),
    "size": shapes.size,
    "tensordot": matrices.tensordot,
    "zeros": values.constants(0),
    "stack": shapes.stack,
    "strided_slice": shapes.strided_slice,
    "tile": _with("numpy.Tile", {"multiples": "repeats"}),
    "transpose": shapes.transpose,
    "unstack": shapes.unstack,
    "where": values.where,
    "raw.resize": images.resize_raw,
}

# Names of one function under others: older and newer modules of TensorFlow.
ALIASES = {
    "abs": "math.abs", "add": "math.add", "argmax": "math.argmax", "argmin": "math.argmin",
    "compat.v1.argmax": "math.argmax", "compat.v1.argmin": "math.argmin", "compat.v1.concat": "concat",
    "compat.v1.expand_dims": "expand_dims", "compat.v1.floor_div": "math.floordiv",
    "compat.v1.floordiv": "math.floordiv", "compat.v1.gather": "gather",
    "compat.v1.nn.conv2d": "nn.conv2d", "compat.v1.nn.depth_to_space": "nn.depth_to_space",
    "compat.v1.nn.depthwise_conv2d": "nn.depthwise_conv2d", "compat.v1.size": "size",
    "linalg.tensordot": "tensordot",
    "compat.v1.nn.leaky_relu": "nn.leaky_relu", "compat.v1.nn.log_softmax": "nn.log_softmax",
    "compat.v1.nn.moments": "nn.moments", "compat.v1.nn.softmax": "nn.softmax", "compat.v1.norm": "linalg.norm",
    "compat.v1.one_hot": "one_hot", "compat.v1.pad": "pad", "compat.v1.reduce_max": "math.reduce_max",
    "compat.v1.reduce_mean": "math.reduce_mean", "compat.v1.reduce_min": "math.reduce_min",
    "compat.v1.reduce_prod": "math.reduce_prod", "compat.v1.reduce_sum": "math.reduce_sum",
    "compat.v1.shape": "shape", "compat.v1.space_to_depth": "nn.space_to_depth", "compat.v1.depth_to_space":
    "nn.depth_to_space", "compat.v1.squeeze": "squeeze", "compat.v1.transpose": "transpose",
    "compat.v1.where": "where", "compat.v1.nn.max_pool2d": "nn.max_pool2d", "compat.v1.nn.max_pool": "nn.max_pool2d",
    "compat.v1.nn.avg_pool": "nn.avg_pool2d", "nn.avg_pool": "nn.avg_pool2d", "divide": "math.truediv",
    "exp": "math.exp", "floor": "math.floor", "greater": "math.greater", "less": "math.less",
    "linalg.l2_normalize": "math.l2_normalize", "log": "math.log", "matmul": "linalg.matmul",
    "maximum": "math.maximum", "minimum": "math.minimum", "multiply": "math.multiply", "negative": "math.negative",
    "norm": "linalg.norm", "nn.top_k": "math.top_k", "pow": "math.pow", "reduce_max": "math.reduce_max",
    "reduce_mean": "math.reduce_mean", "reduce_min": "math.reduce_min", "reduce_sum": "math.reduce_sum",
    "reduce_prod": "math.reduce_prod", "round": "math.round", "sigmoid": "math.sigmoid", "sign": "math.sign",
    "sqrt": "math.sqrt", "square": "math.square", "subtract": "math.subtract", "tanh": "math.tanh",
    "truediv": "math.truediv", "nn.log_sigmoid": "math.log_sigmoid", "math.softsign": "nn.softsign",
    "math.floor_div": "math.floordiv", "math.floor_mod": "math.floormod",
}  # fmt: skip


def _table() -> dict[str, Function]:
    table: dict[str, Function] = {name: _unary(operation) for name, operation in _UNARY.items()}
    table |= {name: _binary(operation, name) for name, operation in _BINARY.items()}
    table |= {name: _reduced(operation) for name, operation in _REDUCED.items()}
    table |= _OTHERS
    return table | {alias: table[name] for alias, name in ALIASES.items()}


FUNCTIONS: Mapping[str, Function] = MappingProxyType(_table())
"""The functions by the names that configs have for them."""
