"""The table from TensorFlow functions to operations of Keras 3, by the names under which configs have them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.model.tensorflow_ops import integers as w
from ckpttool.model.tensorflow_ops import matrix_functions as m
from ckpttool.model.tensorflow_ops import shape_functions as p
from ckpttool.model.tensorflow_ops import value_functions as n
from ckpttool.model.tensorflow_ops.emitter import Emitter, NoEquivalent, Result, typed
from ckpttool.model.tensorflow_ops.shape_functions import Function

_BESIDE = frozenset({"name", "layout"})  # arguments without influence on the result


def _unary(place: str) -> Function:
    def function(e: Emitter, x: Any, **beside: Any) -> Result:
        _check(beside)
        return e.op(place, x)

    return function


def _binary(place: str, name: str = "") -> Function:
    def function(e: Emitter, x: Any, y: Any, **beside: Any) -> Result:
        _check(beside)
        sizes, dtype = p.size_arithmetic(name, x, y), p.dtype_of(x, y)
        return sizes or e.op(place, typed(p.plain(x), dtype), typed(p.plain(y), dtype))

    return function


def _reduced(place: str) -> Function:
    def function(
        e: Emitter, x: Any, axis: Any = None, keepdims: Any = None, reduction_indices: Any = None,
        keep_dims: Any = None,
        **beside: Any,
    ) -> Result:  # fmt: skip
        _check(beside)
        axis = p.static(reduction_indices if axis is None else axis, "the axis")
        return w.reduced(e, place, x, axis, bool(keepdims if keepdims is not None else keep_dims))

    return function


def _check(beside: Mapping[str, Any]) -> None:
    for key, value in beside.items():
        if key not in _BESIDE and value is not None and value is not False:
            raise NoEquivalent(f"an argument {key}")


def _with(place: str, keys: Mapping[str, str]) -> Function:
    """An operation of one tensor whose further arguments have other names in Keras 3."""

    def function(e: Emitter, x: Any, **arguments: Any) -> Result:
        _check({key: value for key, value in arguments.items() if key not in keys})
        config = {keys[key]: p.static(value, key) for key, value in arguments.items() if key in keys}
        return e.op(place, x, **config)

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
    "keras.backend.batch_flatten": lambda e, x: e.layer("Flatten", x, p.dtype_of(x)),
    "linalg.diag_part": m.diag_part,
    "linalg.trace": lambda e, x, name=None: w.cast_back(e, e.op("numpy.Trace", x, axis1=-2, axis2=-1), p.dtype_of(x)),
    "__operators__.eq": n.compared("numpy.Equal"), "__operators__.ne": n.compared("numpy.NotEqual"),
    "compat.v1.div": w.old_division, "math.divide": w.division("numpy.TrueDivide", "math.truediv"),
    "math.divide_no_nan": w.division("numpy.DivideNoNan"), "math.truediv": w.division("numpy.TrueDivide",
    "math.truediv"), "raw.div": w.raw_division, "realdiv": w.raw_division,
    "__operators__.getitem": p.getitem, "add_n": n.add_n, "argsort": n.argsort,
    "broadcast_to": p.broadcast_to, "cast": n.cast, "clip_by_value": n.clip, "concat": p.concat,
    "convert_to_tensor": n.identity, "einsum": n.einsum, "expand_dims": _with("numpy.ExpandDims", {"axis": "axis"}),
    "fill": n.fill, "gather": p.gather, "identity": n.identity, "image.flip_left_right": lambda e, image: e.op(
        "numpy.Flip", image, axis=-2), "image.flip_up_down": lambda e, image: e.op("numpy.Flip", image, axis=-3),
    "image.resize": n.resize, "image.rgb_to_grayscale": _with("image.RGBToGrayscale", {}),
    "linalg.matmul": n.matmul, "linalg.norm": m.norm, "math.add_n": n.add_n, "math.argmax": n.extreme("numpy.Argmax"),
    "math.argmin": n.extreme("numpy.Argmin"), "math.cumprod": n.cumulated("numpy.Cumprod", "numpy.OnesLike"),
    "math.cumsum": n.cumulated("numpy.Cumsum", "numpy.ZerosLike"),
    "math.l2_normalize": n.l2_normalize, "math.multiply_no_nan": n.multiply_no_nan,
    "math.squared_difference": n.squared_difference, "math.top_k": n.top_k, "nn.avg_pool2d": n.pool("nn.AveragePool"),
    "nn.bias_add": n.bias_add, "nn.conv2d": n.conv2d, "nn.depth_to_space": _with(
        "nn.DepthToSpace", {"block_size": "block_size"}), "nn.gelu": n.gelu, "nn.l2_normalize": n.l2_normalize,
    "nn.leaky_relu": n.leaky_relu, "nn.log_softmax": n.log_softmax, "nn.max_pool2d": n.pool("nn.MaxPool"),
    "nn.moments": n.moments, "nn.softmax": n.softmax, "nn.space_to_depth": _with(
        "nn.SpaceToDepth", {"block_size": "block_size"}), "one_hot": n.one_hot, "pad": n.pad, "repeat": n.repeat,
    "reshape": p.reshape, "reverse": _with("numpy.Flip", {"axis": "axis"}), "roll": _with(
        "numpy.Roll", {"shift": "shift", "axis": "axis"}), "shape": p.shape, "slice": p.slice_, "sort": n.sort,
    "split": p.split, "squeeze": _with("numpy.Squeeze", {"axis": "axis"}),
    "linalg.band_part": m.band_part, "math.reduce_euclidean_norm": m.euclidean, "math.sqrt": p.root,
    "image.crop_to_bounding_box": p.crop, "image.extract_patches": n.patches,
    "ensure_shape": lambda e, x, shape, name=None: n.identity(e, x),
    "image.grayscale_to_rgb": n.grayscale_to_rgb, "image.hsv_to_rgb": _with("image.HSVToRGB", {}),
    "image.rgb_to_hsv": _with("image.RGBToHSV", {}), "linalg.matrix_transpose": m.matrix_transpose,
    "linalg.solve": m.solve, "math.accumulate_n": n.add_n, "nn.depthwise_conv2d": n.depthwise_conv2d, "rank": p.rank,
    "ones": n.constants(1), "size": p.size, "tensordot": m.tensordot, "zeros": n.constants(0),
    "stack": p.stack, "strided_slice": p.strided_slice, "tile": _with("numpy.Tile", {"multiples": "repeats"}),
    "transpose": p.transpose, "unstack": p.unstack, "where": n.where, "raw.resize": n.resize_raw,
}  # fmt: skip

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
    table: dict[str, Function] = {name: _unary(place) for name, place in _UNARY.items()}
    table |= {name: _binary(place, name) for name, place in _BINARY.items()}
    table |= {name: _reduced(place) for name, place in _REDUCED.items()}
    table |= _OTHERS
    return table | {alias: table[name] for alias, name in ALIASES.items()}


FUNCTIONS: Mapping[str, Function] = MappingProxyType(_table())
"""The functions by the names that configs have for them."""
