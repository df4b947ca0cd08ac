"""Operations of TensorFlow's graphs, as tf.keras 2.0 to 2.3 wrote them, and the functions that they stand for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def _raw(name: str, *inputs: str, attrs: Mapping[str, str] | None = None, **fixed: Any) -> "RawOp":
    return name, inputs, dict(attrs or {}), fixed


RawOp = tuple[str, tuple[str, ...], dict[str, str], dict[str, Any]]
"""A function, the names of its inputs, the arguments that attributes become, and arguments that are fixed."""

_KEEP = {"keep_dims": "keepdims"}
_MASKS = {key: key for key in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")}
_GRID = {"half_pixel_centers": "half_pixel_centers", "align_corners": "align_corners"}
RAW: Mapping[str, RawOp] = MappingProxyType(
    {
        **{
            op: _raw(f"math.{name}", "x")
            for op, name in {
                "Abs": "abs", "Acos": "acos", "Asin": "asin", "Atan": "atan", "Ceil": "ceil", "Cos": "cos",
                "Cosh": "cosh",
                "Erf": "erf", "Exp": "exp", "Expm1": "expm1", "Floor": "floor", "Inv": "reciprocal", "IsNan": "is_nan",
                "Log": "log", "Log1p": "log1p", "LogicalNot": "logical_not", "Neg": "negative",
                "Reciprocal": "reciprocal", "Rint": "rint", "Round": "round", "Rsqrt": "rsqrt", "Sigmoid": "sigmoid",
                "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Softplus": "softplus", "Sqrt": "sqrt",
                "Square": "square", "Tan": "tan", "Tanh": "tanh",
            }.items()
        },
        **{
            op: _raw(f"math.{name}", "x", "y")
            for op, name in {
                "Add": "add", "AddV2": "add", "DivNoNan": "divide_no_nan",
                "Equal": "equal", "FloorDiv": "floordiv", "FloorMod": "floormod", "Greater": "greater",
                "GreaterEqual": "greater_equal", "Less": "less", "LessEqual": "less_equal",
                "LogicalAnd": "logical_and", "LogicalOr": "logical_or", "Maximum": "maximum", "Minimum": "minimum",
                "Mul": "multiply", "NotEqual": "not_equal", "Pow": "pow",
                "SquaredDifference": "squared_difference", "Sub": "subtract",
            }.items()
        },
        **{
            op: _raw(f"math.reduce_{name}", "x", "axis", attrs=_KEEP)
            for op, name in {"All": "all", "Any": "any", "Max": "max", "Mean": "mean", "Min": "min", "Prod": "prod",
                             "Sum": "sum"}.items()
        },
        **{
            op: _raw(f"nn.{name}", "x")
            for op, name in {"Elu": "elu", "Relu": "relu", "Relu6": "relu6", "Selu": "selu",
            "Softsign": "softsign"}.items()
        },
        "ArgMax": _raw("math.argmax", "input", "axis", attrs={"output_type": "output_type"}),
        "ArgMin": _raw("math.argmin", "input", "axis", attrs={"output_type": "output_type"}),
        "BatchMatMul": _raw("linalg.matmul", "a", "b", attrs={"adj_x": "adjoint_a", "adj_y": "adjoint_b"}),
        "BatchMatMulV2": _raw("linalg.matmul", "a", "b", attrs={"adj_x": "adjoint_a", "adj_y": "adjoint_b"}),
        "BiasAdd": _raw("nn.bias_add", "value", "bias", attrs={"data_format": "data_format"}),
        "BroadcastTo": _raw("broadcast_to", "input", "shape"),
        "Cast": _raw("cast", "x", attrs={"DstT": "dtype"}),
        "ClipByValue": _raw("clip_by_value", "t", "clip_value_min", "clip_value_max"),
        "Cumsum": _raw("math.cumsum", "x", "axis", attrs={"exclusive": "exclusive", "reverse": "reverse"}),
        "DepthToSpace": _raw("nn.depth_to_space", "x", attrs={"block_size": "block_size"}),
        "ExpandDims": _raw("expand_dims", "x", "axis"),
        "Div": _raw("raw.div", "x", "y"),
        "RealDiv": _raw("realdiv", "x", "y"),
        "Fill": _raw("fill", "dims", "value"),
        "GatherV2": _raw("gather", "params", "indices", "axis", attrs={"batch_dims": "batch_dims"}),
        "Identity": _raw("identity", "input"),
        "LeakyRelu": _raw("nn.leaky_relu", "features", attrs={"alpha": "alpha"}),
        "LogSoftmax": _raw("nn.log_softmax", "logits"),
        "MatMul": _raw(
            "linalg.matmul", "a", "b", attrs={"transpose_a": "transpose_a", "transpose_b": "transpose_b"}
        ),
        "MirrorPad": _raw("pad", "tensor", "paddings", attrs={"mode": "mode"}),
        "OneHot": _raw("one_hot", "indices", "depth", "on_value", "off_value", attrs={"axis": "axis", "T": "dtype"}),
        "OnesLike": _raw("ones_like", "x"),
        "Pad": _raw("pad", "tensor", "paddings"),
        "PadV2": _raw("pad", "tensor", "paddings", "constant_values"),
        "Reshape": _raw("reshape", "tensor", "shape"),
        "ResizeBilinear": _raw("raw.resize", "images", "size", attrs=_GRID, method="bilinear"),
        "ResizeNearestNeighbor": _raw("raw.resize", "images", "size", attrs=_GRID, method="nearest"),
        "ReverseV2": _raw("reverse", "x", "axis"),
        "Select": _raw("where", "condition", "x", "y"),
        "SelectV2": _raw("where", "condition", "x", "y"),
        "Shape": _raw("shape", "input"),
        "Slice": _raw("slice", "input_", "begin", "size"),
        "Softmax": _raw("nn.softmax", "logits"),
        "SpaceToDepth": _raw("nn.space_to_depth", "x", attrs={"block_size": "block_size"}),
        "Squeeze": _raw("squeeze", "x", attrs={"squeeze_dims": "axis"}),
        "StopGradient": _raw("stop_gradient", "x"),
        "StridedSlice": _raw("strided_slice", "input_", "begin", "end", "strides", attrs=_MASKS),
        "Tile": _raw("tile", "x", "multiples"),
        "TopKV2": _raw("math.top_k", "input", "k", attrs={"sorted": "sorted"}),
        "Transpose": _raw("transpose", "a", "perm"),
        "Unpack": _raw("unstack", "value", attrs={"num": "num", "axis": "axis"}),
        "ZerosLike": _raw("zeros_like", "x"),
    }
)  # fmt: skip
"""Operations of TensorFlow's graphs, as Keras 2.0 to 2.3 of tf.keras wrote them, by the functions that they are of."""

# Operations whose inputs are a list, and one more at its end or beginning.
LISTS = MappingProxyType(
    {
        "AddN": ("add_n", "inputs", None, {}),
        "ConcatV2": ("concat", "values", "axis", {}),
        "Pack": ("stack", "values", None, {"axis": "axis"}),
        "Einsum": ("einsum", None, None, {"equation": "equation"}),
    }
)
