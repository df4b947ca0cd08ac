"""Activations of Keras 1 with weights of their own, and `Merge` with mode "cos", made of layers and operations.

A weight that has the shape of the input is an EinsumDense that multiplies it, feature by feature, with the input, or
with ones where it is to be had by itself. Source: keras/layers/advanced_activations.py, keras/engine/topology.py and
`relu` in keras/backend, 1.2.2.
"""

from typing import Any

from ckpttool.conversion.removed_layers.functional_builder import Composed
from ckpttool.conversion.removed_layers.replacement import Equivalent
from ckpttool.conversion.tensorflow_ops.emitter import NoEquivalent
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Tensor

_LETTERS = "abcdefgh"
_EPSILON = 1e-7  # K.epsilon()


def _begun(args: Args) -> tuple[Composed, Tensor, list[int]]:
    """The model in the making, its input, and the sizes of that. Raises NoEquivalent."""
    shape = args.built[0] if args.built else None
    if shape is None or None in shape[1:] or not 1 < len(shape) <= len(_LETTERS):
        raise NoEquivalent("an input whose sizes are not known")
    made = Composed(args.name)
    return made, made.entered(shape), [size or 0 for size in shape[1:]]


def _times(made: Composed, x: Tensor, name: str, sizes: list[int]) -> Tensor:
    """The input multiplied by the weight of this name."""
    letters = _LETTERS[1 : len(sizes) + 1]
    equation = f"a{letters},{letters}->a{letters}"
    return made.layer("EinsumDense", x, name=name, equation=equation, output_shape=sizes, bias_axes=None)


def _whole(args: Args, made: Composed, x: Tensor, y: Tensor, told: str, *names: str) -> Equivalent:
    weights = {name: f"{args.name}_{name}/kernel" for name in names}
    return Equivalent("Functional", made.config([x], y), told, weights)


def parametric_softplus(args: Args) -> Equivalent:
    """alpha * log(1 + exp(beta * x)). Raises NoEquivalent."""
    made, x, sizes = _begun(args)
    y = made.layer("Activation", _times(made, x, "betas", sizes), activation="softplus")
    told = "softplus between two EinsumDense with its weights"
    return _whole(args, made, x, _times(made, y, "alphas", sizes), told, "alphas", "betas")


def s_relu(args: Args, theano: bool) -> Equivalent:
    """t_left + relu(x - t_left, a_left, t_right) + a_right * relu(x - t_left - t_right), with the absolute value of
    t_right. Theano limited what a_left made of negative values, too. Raises NoEquivalent."""
    made, x, sizes = _begun(args)
    ones = made.op("numpy.OnesLike", x)
    names = ("t_left", "a_left", "t_right", "a_right")
    left, slope, width, end = (_times(made, ones, name, sizes) for name in names)
    width = made.op("numpy.Absolute", width)
    inner = made.op("numpy.Subtract", x, left)
    above, below = made.op("nn.Relu", inner), made.op("nn.Relu", made.op("numpy.Negative", inner))
    bent = made.op("numpy.Multiply", slope, below)
    if theano:
        middle = made.op("numpy.Minimum", made.op("numpy.Subtract", above, bent), width)
    else:
        middle = made.op("numpy.Subtract", made.op("numpy.Minimum", above, width), bent)
    beyond = made.op("nn.Relu", made.op("numpy.Subtract", x, made.op("numpy.Add", left, width)))
    right = made.op("numpy.Multiply", beyond, end)
    y = made.op("numpy.Add", made.op("numpy.Add", left, middle), right)
    return _whole(args, made, x, y, "operations, and four EinsumDense with its weights", *names)


def cosine(args: Args) -> Equivalent:
    """`Merge` with mode "cos": the products of lengths are those of all pairs, and there is an axis more than in the
    output of Dot. Raises NoEquivalent."""
    axes: Any = args.config.get("axes")
    if len(args.built) != 2 or None in args.built:
        raise NoEquivalent("mode 'cos' of inputs whose numbers of axes are not known")
    made = Composed(args.name)
    first, second = (made.entered(shape or ()) for shape in args.built)
    product, *lengths = (
        made.layer("Dot", [x, y], axes=axes) for x, y in ((first, second), (first, first), (second, second))
    )
    length = made.op("numpy.Maximum", made.op("numpy.Sqrt", made.op("numpy.Multiply", *lengths)), _EPSILON)
    y = made.op("numpy.ExpandDims", made.op("numpy.TrueDivide", product, length), axis=1)
    told = "three Dot layers, one divided by the root of the others"
    return Equivalent("Functional", made.config([first, second], y), told)
