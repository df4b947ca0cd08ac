"""Activations of Keras 1 with weights of their own, and `Merge` with mode "cos", made of layers and operations.

A weight with the shape of the input is put into an EinsumDense, which multiplies it, feature by feature, by the input,
or by ones where the weight itself is needed. Source: keras/layers/advanced_activations.py, keras/engine/topology.py and
`relu` in keras/backend, 1.2.2.
"""

from typing import Any

from ckpttool.conversion.removed_layers.functional_builder import FunctionalBuilder
from ckpttool.conversion.removed_layers.replacement import Equivalent
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Tensor
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent

_LETTERS = "abcdefgh"
_EPSILON = 1e-7  # K.epsilon()


def _begin(args: Args) -> tuple[FunctionalBuilder, Tensor, list[int]]:
    """The builder of the replacement, its input, and the sizes of that. Raises NoEquivalent."""
    shape = args.built[0] if args.built else None
    if shape is None or None in shape[1:] or not 1 < len(shape) <= len(_LETTERS):
        raise NoEquivalent("an input whose sizes are not known")
    builder = FunctionalBuilder(args.name)
    return builder, builder.input(shape), [size or 0 for size in shape[1:]]


def _weighted(builder: FunctionalBuilder, x: Tensor, name: str, sizes: list[int]) -> Tensor:
    """The input multiplied by the weight of this name."""
    letters = _LETTERS[1 : len(sizes) + 1]
    equation = f"a{letters},{letters}->a{letters}"
    return builder.layer("EinsumDense", x, name=name, equation=equation, output_shape=sizes, bias_axes=None)


def _replacement(
    args: Args, builder: FunctionalBuilder, x: Tensor, y: Tensor, description: str, *names: str
) -> Equivalent:
    weights = {name: f"{args.name}_{name}/kernel" for name in names}
    return Equivalent("Functional", builder.config([x], y), description, weights)


def parametric_softplus(args: Args) -> Equivalent:
    """alpha * log(1 + exp(beta * x)). Raises NoEquivalent."""
    builder, x, sizes = _begin(args)
    y = builder.layer("Activation", _weighted(builder, x, "betas", sizes), activation="softplus")
    description = "softplus between two EinsumDense with its weights"
    return _replacement(args, builder, x, _weighted(builder, y, "alphas", sizes), description, "alphas", "betas")


def s_relu(args: Args, theano: bool) -> Equivalent:
    """t_left + relu(x - t_left, a_left, t_right) + a_right * relu(x - t_left - t_right), with the absolute value of
    t_right. On Theano the limit applies to the negative part, which a_left multiplies, too. Raises NoEquivalent."""
    builder, x, sizes = _begin(args)
    ones = builder.op("numpy.OnesLike", x)
    names = ("t_left", "a_left", "t_right", "a_right")
    left, slope, width, end = (_weighted(builder, ones, name, sizes) for name in names)
    width = builder.op("numpy.Absolute", width)
    inner = builder.op("numpy.Subtract", x, left)
    above, below = builder.op("nn.Relu", inner), builder.op("nn.Relu", builder.op("numpy.Negative", inner))
    bent = builder.op("numpy.Multiply", slope, below)
    if theano:
        middle = builder.op("numpy.Minimum", builder.op("numpy.Subtract", above, bent), width)
    else:
        middle = builder.op("numpy.Subtract", builder.op("numpy.Minimum", above, width), bent)
    beyond = builder.op("nn.Relu", builder.op("numpy.Subtract", x, builder.op("numpy.Add", left, width)))
    right = builder.op("numpy.Multiply", beyond, end)
    y = builder.op("numpy.Add", builder.op("numpy.Add", left, middle), right)
    return _replacement(args, builder, x, y, "operations, and four EinsumDense with its weights", *names)


def cosine(args: Args) -> Equivalent:
    """`Merge` with mode "cos": the products of lengths are those of all pairs, and there is an axis more than in the
    output of Dot. Raises NoEquivalent."""
    axes: Any = args.config.get("axes")
    if len(args.built) != 2 or None in args.built:
        raise NoEquivalent("mode 'cos' of inputs whose numbers of axes are not known")
    builder = FunctionalBuilder(args.name)
    first, second = (builder.input(shape or ()) for shape in args.built)
    product, *lengths = (
        builder.layer("Dot", [x, y], axes=axes) for x, y in ((first, second), (first, first), (second, second))
    )
    length = builder.op("numpy.Maximum", builder.op("numpy.Sqrt", builder.op("numpy.Multiply", *lengths)), _EPSILON)
    y = builder.op("numpy.ExpandDims", builder.op("numpy.TrueDivide", product, length), axis=1)
    description = "three Dot layers, one divided by the root of the others"
    return Equivalent("Functional", builder.config([first, second], y), description)
