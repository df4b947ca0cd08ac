"""Operations on each element: outputs as the first input, or as all inputs broadcast against each other.

Sources: `compute_output_spec` in keras/src/ops/numpy.py, nn.py, math.py, core.py, keras/src/activations/activations.py
and keras/src/quantizers/quantizers.py, 3.15. Where Keras reports the shape of the first input although it computes with
broadcasting (the bitwise operations), later layers are built for that shape, so it is the output shape here too.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model import shape_arithmetic
from ckpttool.model.arguments import Args
from ckpttool.model.operations.binding_rules import single
from ckpttool.model.output_rule import Rule
from ckpttool.model.sizes import Shape

_OF_X = """
    Absolute Abs Fabs Conjugate Conj Copy Expm1 Floor Imag Log1p OnesLike Real Round Sign Signbit Negative Square
    Sqrt Angle Arccos Arccosh Cos Cosh Sinc Corrcoef Arcsin Arcsinh Arctan Arctanh Ceil Sin Sinh Tan Tanh Array
    BitwiseInvert BitwiseNot Cbrt Clip EmptyLike Exp Exp2 I0 Isfinite Isinf Isnan Isneginf Isposinf Isreal Log Log10
    Log2 LogicalNot NanToNum Tril Triu Trunc Deg2rad Rad2deg ZerosLike Reciprocal Relu Relu6 Sigmoid SparseSigmoid
    Softplus Softsign SoftShrink SparsePlus Silu Squareplus LogSigmoid LeakyRelu HardSigmoid HardSilu Elu Selu Gelu
    Celu TanhShrink HardTanh HardShrink Threshold Rsqrt Erf Erfc Erfinv Cast SaturateCast ConvertToTensor ReLU Mish
""".split()
_BROADCAST = """
    Add Maximum Fmax Minimum Fmin Subtract Arctan2 Heaviside Hypot Equal Gcd Greater GreaterEqual Lcm Ldexp Less
    LessEqual Logaddexp Logaddexp2 LogicalAnd LogicalOr Mod Fmod NotEqual Power Nextafter FloorDivide LogicalXor
    Multiply Divide DivideNoNan TrueDivide
""".split()
_OF_X_BESIDE_Y = "BitwiseAnd BitwiseOr BitwiseXor BitwiseLeftShift LeftShift BitwiseRightShift RightShift".split()
_OF_AXES = ["Softmax", "LogSoftmax", "Normalize", "Flip", "Roll"]


def same(args: Args, shape: Shape) -> Shape:
    """The shape of the input."""
    return shape


def broadcast(args: Args, *shapes: Shape) -> Shape | None:
    """The shape of all inputs together."""
    return shape_arithmetic.broadcast(*shapes)


def _along_axes(args: Args, shape: Shape) -> Shape:
    """The shape of the input, which must have the axes that `axis` names; null is all of them."""
    for axis in args.axes("axis", -1):
        shape_arithmetic.axis_number(axis, len(shape))
    return shape


def _with_rank(least: int) -> Rule:
    def compute(args: Args, array: Shape) -> Shape:
        if len(array) < least:
            raise ValueError(f"an input with {least} axes at least")
        return array

    return single(compute, "x")


def _digitize(args: Args, x: Shape, bins: Shape) -> Shape:
    if len(bins) > 1:
        raise ValueError("bins along one axis")
    return x


def _search(args: Args, sequence: Shape, values: Shape) -> Shape:
    if len(sequence) != 1:
        raise ValueError("a sorted sequence along one axis")
    return values


ELEMENTWISE: Mapping[str, Rule] = MappingProxyType(
    {
        **dict.fromkeys(_OF_X, single(same, "x")),
        **dict.fromkeys(_BROADCAST, single(broadcast, "x1", "x2")),
        **dict.fromkeys(_OF_X_BESIDE_Y, single(same, "x", more=("y",))),
        **dict.fromkeys(_OF_AXES, single(_along_axes, "x")),
        "Sparsemax": single(_along_axes, "x"),
        "Digitize": single(_digitize, "x", "bins"),
        "FakeQuantWithMinMaxVars": single(same, "inputs", more=("min_vals", "max_vals")),
        "Fliplr": _with_rank(2),
        "Flipud": _with_rank(1),
        "FullLike": single(same, "x", more=("fill_value",)),
        "IsIn": single(same, "x1", more=("x2",)),
        "Isclose": single(broadcast, "x1", "x2", more=("rtol", "atol")),
        "Polar": single(same, "abs_", more=("angle",)),
        "SearchSorted": single(_search, "sorted_sequence", "values"),
        "StopGradient": single(same, "variable"),
        "Where": single(broadcast, "condition", "x1", "x2"),
    }
)
"""Rules by class name."""
