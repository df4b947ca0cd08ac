"""The work of one call of an operation of `keras.ops`; docs/cost.md says what counts how.

What an operation computes is that of Keras 3.15 (keras/src/ops and keras/src/backend). An operation that calls a
function, or repeats steps until its values are close enough, has no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.work import SOFTMAX, Work, counted, elements, interpolated, transform
from ckpttool.model.operations.arguments import items, window
from ckpttool.model.operations.binding_rules import shape_of
from ckpttool.model.operations.creation import CREATION
from ckpttool.model.operations.elementwise import ELEMENTWISE
from ckpttool.model.operations.index_functions import INDEXING
from ckpttool.model.operations.joins import JOINS
from ckpttool.model.operations.manipulation import MANIPULATION
from ckpttool.model.operations.products import letter_sizes
from ckpttool.model.operations.reductions import REDUCTIONS
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import Shape, Size, times


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of an operation with the shapes of its outputs."""

    args: Args
    call: Call
    outputs: Outputs

    def value(self, at: int, name: str) -> Any:
        """An argument of the call, by its place or by its name."""
        return self.call.args[at] if at < len(self.call.args) else self.call.kwargs.get(name)

    def shape(self, at: int, name: str) -> Shape | None:
        """The shape of an argument: of a tensor, an array or a number."""
        return None if self.value(at, name) is None else shape_of(self.value(at, name))

    def size(self, at: int, name: str) -> Size:
        """The number of values of an argument."""
        return elements(self.shape(at, name))

    @property
    def output(self) -> Shape | None:
        """The shape of the first output."""
        return self.outputs[0] if self.outputs else None

    @property
    def count(self) -> Size:
        """The number of values of the first output."""
        return elements(self.output)


Rule = Callable[[Operation], Work | None]


def _each_output(count: int) -> Rule:
    return lambda op: counted(other=times(op.count, count))


def _each_input(count: int) -> Rule:
    return lambda op: counted(other=times(elements(next(iter(op.call.inputs), None)), count))


def _no_work(op: Operation) -> Work | None:
    return Work()


def _product(x: str, y: str) -> Rule:
    """The rule of a product that sums over the last axis of its first input; numbers multiply each value."""

    def rule(op: Operation) -> Work | None:
        left, right = op.shape(0, x), op.shape(1, y)
        if left is None or right is None:
            return None
        if not left or not right:
            return counted(other=op.count)
        return counted(times(op.count, left[-1]))

    return rule


def _tensordot(op: Operation) -> Work | None:
    """The summed axes are in both inputs and not in the output: their size is a square root."""
    left, right, count = op.size(0, "x1"), op.size(1, "x2"), op.count
    if left is None or right is None or count is None:
        return None
    return counted(count * isqrt(left * right // count) if count else 0)


def _einsum(op: Operation) -> Work | None:
    """As many multiply-adds as products for each combination of all indices, one at least; one input only moves or
    sums its values."""
    shapes = [shape_of(value) for value in op.call.args]
    if None in shapes:
        return None
    every = times(*letter_sizes(op.args.text("subscripts"), [shape or () for shape in shapes]))
    if len(shapes) == 1:
        return counted(other=0 if every == op.count else every)
    return counted(times(every, len(shapes) - 1))


def _correlate(op: Operation) -> Work | None:
    left, right = op.size(0, "x1"), op.size(1, "x2")
    return None if left is None or right is None else counted(times(op.count, min(left, right)))


def _distances(op: Operation) -> Work | None:
    """Difference, square and sum for each pair of values, and a root for each distance."""
    shape = op.shape(0, "x1")
    values = times(op.count, shape[-1], 3) if shape else None
    return None if values is None or op.count is None else counted(other=values + op.count)


def _conv(op: Operation) -> Work | None:
    kernel = op.shape(1, "kernel")
    return counted(times(op.count, *kernel[:-1])) if kernel else None


def _depthwise(op: Operation) -> Work | None:
    kernel = op.shape(1, "kernel")
    return counted(times(op.count, *kernel[:-2])) if kernel else None


def _separable(op: Operation) -> Work | None:
    """Both kernels at each place."""
    filters = (op.shape(2, "pointwise_kernel") or (None,))[-1]
    kernels = op.size(1, "depthwise_kernel"), op.size(2, "pointwise_kernel")
    if not filters or op.count is None or None in kernels:
        return None
    return counted(op.count // filters * sum(size or 0 for size in kernels))


def _transposed(op: Operation) -> Work | None:
    """The kernel at each place of the input."""
    kernel = op.shape(1, "kernel")
    return counted(times(op.size(0, "inputs"), *kernel[:-1])) if kernel else None


def _pooled(op: Operation) -> Work | None:
    rank = len(op.output or ()) - 2
    sizes = items(op.args, "pool_size")
    return counted(other=times(op.count, *window(op.args, "pool_size", len(sizes) if sizes else max(1, rank))))


def _attention(op: Operation) -> Work | None:
    """Queries by keys and scores by values; a scale and a softmax for each score."""
    query, key = op.shape(0, "query"), op.shape(1, "key")
    if query is None or key is None or len(query) != 4 or len(key) != 4:
        return None
    scores = times(query[0], query[2], query[1], key[1])
    return counted(times(scores, query[3], 2), times(scores, 1 + SOFTMAX))


def _crossentropy(plain: int) -> Rule:
    """The rule of a cross-entropy that takes so many operations for each value, a softmax more from logits."""

    def rule(op: Operation) -> Work | None:
        return counted(other=times(op.size(1, "output"), plain + SOFTMAX * op.args.flag("from_logits", False)))

    return rule


def _resized(op: Operation) -> Work | None:
    if op.args.flag("antialias", False):
        return None
    return interpolated(op.args.text("interpolation", "bilinear"), op.count)


def _mapped(op: Operation) -> Work | None:
    """The rule of an operation that looks values up between others; where these are is not counted."""
    return interpolated(op.args.text("interpolation", "bilinear"), op.count)


def _coordinates(op: Operation) -> Work | None:
    coordinates = op.shape(1, "coordinates")
    if not coordinates or coordinates[0] is None:
        return None
    order = op.args.integer("order")
    return Work() if order == 0 else counted(times(op.count, 2 ** min(coordinates[0], 32))) if order == 1 else None


def _blurred(op: Operation) -> Work | None:
    return counted(times(op.count, *window(op.args, "kernel_size", 2, 3)))


def _matrices(op: Operation, work: Callable[[int, int], int]) -> Work | None:
    """Some operations on numbers for each matrix of the first input, from its numbers of rows and columns."""
    shape = next(iter(op.call.inputs), None)
    if shape is None or len(shape) < 2 or None in shape:
        return None
    *batch, rows, columns = (size or 0 for size in shape)
    return counted(other=times(*batch, work(rows, columns)))


def _direct(work: Callable[[int, int], int]) -> Rule:
    return lambda op: _matrices(op, work)


def _qr(rows: int, columns: int) -> int:
    """Householder's reflections, and their product."""
    least = min(rows, columns)
    return 4 * rows * columns * least - 2 * (rows + columns) * least**2 + 4 * least**3 // 3


def _solved(factored: bool) -> Rule:
    """The rule of a system: its factors, where it has none, then two triangular systems, or one."""

    def rule(op: Operation) -> Work | None:
        right, shape = op.shape(1, "b"), op.shape(0, "a")
        if shape is None or right is None or len(shape) < 2:
            return None
        columns = times(*right[len(shape) - 1 :])
        triangular = times(*shape, columns, 1 if factored else 2)
        factors = Work() if factored else _matrices(op, lambda n, _: 2 * n**3 // 3)
        work = counted(other=triangular)
        return None if factors is None or work is None else factors + work

    return rule


def _fourier(axes: int, half: bool = False) -> Rule:
    """The rule of a transform along the last axes; that of real values takes half the operations."""

    def rule(op: Operation) -> Work | None:
        shape = op.output if op.args.class_name == "IRFFT" else next(iter(op.call.inputs), None)
        if shape is None or len(shape) < axes:
            return None
        length = op.args.integer("fft_length") if half and op.args.config.get("fft_length") else times(*shape[-axes:])
        return counted(other=times(*shape[:-axes], transform(length, half)))

    return rule


def _frames(op: Operation) -> Work | None:
    """A window and a transform for each frame: those of STFT come out, those of ISTFT go in."""
    shape = op.output if op.args.class_name == "STFT" else next(iter(op.call.inputs), None)
    length = op.args.size("fft_length")
    if shape is None or len(shape) < 2:
        return None
    frames = times(*shape[:-1])
    return counted(other=None if frames is None else frames * (length + (transform(length, True) or 0)))


_MOVES = frozenset(
    {*CREATION, *INDEXING, *JOINS, *MANIPULATION, "Cast", "Copy", "CropImages", "DepthToSpace", "ExtractPatches"}
    | {"ExtractSequences", "Flip", "Fliplr", "Flipud", "FullLike", "Identity", "MultiHot", "OneHot", "OnesLike"}
    | {"PadImages", "Rearrange", "Roll", "Scatter", "ScatterUpdate", "SliceUpdate", "SpaceToDepth", "StopGradient"}
    | {"Unfold", "ViewAsComplex", "ViewAsReal", "ZerosLike"}
)

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, _each_output(1)),
    **dict.fromkeys(REDUCTIONS, _each_input(1)),
    **dict.fromkeys(_MOVES, _no_work),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _each_output(SOFTMAX)),
    **dict.fromkeys(("AveragePool", "MaxPool"), _pooled),
    **dict.fromkeys(("AdaptiveAveragePool", "AdaptiveMaxPool", "Fold", "InTopK"), _each_input(1)),
    **dict.fromkeys(("Outer", "Kron"), _each_output(1)),
    **dict.fromkeys(("Det", "Logdet", "LuFactor", "Slogdet"), _direct(lambda n, _: 2 * n**3 // 3)),
    **dict.fromkeys(("FFT2", "IFFT2"), _fourier(2)),
    **dict.fromkeys(("RFFT", "IRFFT"), _fourier(1, half=True)),
    **dict.fromkeys(("STFT", "ISTFT"), _frames),
    **dict.fromkeys(("AffineTransform", "PerspectiveTransform"), _mapped),
    "BatchNorm": _each_output(2),
    "BinaryCrossentropy": _crossentropy(7),
    "CDist": _distances,
    "CategoricalCrossentropy": _crossentropy(3),
    "Cholesky": _direct(lambda n, _: n**3 // 3),
    "CholeskyInverse": _direct(lambda n, _: 2 * n**3 // 3),
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "Correlate": _correlate,
    "Cross": _each_output(3),
    "DepthwiseConv": _depthwise,
    "Dot": _product("x1", "x2"),
    "DotProductAttention": _attention,
    "Einsum": _einsum,
    "FFT": _fourier(1),
    "GaussianBlur": _blurred,
    "Glu": _each_output(2),
    "HSVToRGB": _each_output(4),
    "Inner": _product("x1", "x2"),
    "Inv": _direct(lambda n, _: 2 * n**3),
    "LayerNorm": _each_output(5),
    "MapCoordinates": _coordinates,
    "Matmul": _product("x1", "x2"),
    "PSNR": _each_input(3),
    "Qr": _direct(_qr),
    "RGBToGrayscale": lambda op: counted(times(op.count, 3)),
    "RGBToHSV": _each_output(4),
    "RMSNorm": _each_output(4),
    "Resize": _resized,
    "SeparableConv": _separable,
    "SobelEdges": lambda op: counted(times(op.count, 9)),
    "Solve": _solved(factored=False),
    "SolveTriangular": _solved(factored=True),
    "SparseCategoricalCrossentropy": _crossentropy(1),
    "Tensordot": _tensordot,
    "Vdot": lambda op: counted(op.size(0, "x1")),
}


def work_of_operation(args: Args, call: Call, outputs: Outputs) -> Work | None:
    """The work of an operation; None for one that calls a function, or whose steps depend on its values."""
    rule = RULES.get(args.class_name)
    return rule(Operation(args, call, outputs)) if rule else None
