"""EinsumDense: kernel, bias and output from an equation (keras/src/layers/core/einsum_dense.py, 3.15)."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.dtype_policies import Policy
from ckpttool.model.graph import Call
from ckpttool.model.layers import quantization
from ckpttool.model.layers.call_inputs import at_least, differ, misfit, sole
from ckpttool.model.layers.layer_type import Build, LayerType
from ckpttool.model.layers.quantization import fixed
from ckpttool.model.layers.work import Run, Work, elements, with_bias_and_activation
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import MAX_RANK, Inputs, Shape, Size, times
from ckpttool.model.slots import Part, Slot

_EXAMPLES = "an equation such as ab,bc->ac or ...a,ab->...b"

# Keras looks at the beginning of the text alone (`re.match`): what stands behind it only matters when it is called.
_FORMS = (
    ("", r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)"),
    ("left", r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)"),
    ("right", r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\."),
)


def einsum_dense_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """EinsumDense: kernel and bias as `equation`, `output_shape` and `bias_axes` say."""
    return einsum_dense_part(args, first_shape(inputs))


def einsum_dense_part(args: Args, inputs: Shape | None) -> Part:
    """An EinsumDense that takes an input of this shape; layers of attention hold some."""
    equation = Equation.of(args)
    sizes, policy = _Sizes.of(args, equation, inputs), args.policy
    shape = sizes.kernel(args)
    slots = _kernel(equation, shape, policy)
    if "bias_axes" in args:
        slots.append(Slot("bias", sizes.bias(args), policy.variable_dtype))
    slots = quantization.lora(args, slots, "kernel", shape)
    return args.part(*slots, write_order=quantization.WRITE_ORDER[policy.mode])


def einsum_dense_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """EinsumDense: the batch, what `output_shape` states, and the axes that the dots stand for."""
    equation = Equation.of(args)
    equation.check_call(args)
    output_shape = args.shape("output_shape")
    shape = at_least(args, sole(args, call), 1)
    return (None,) if shape is None else (_output(args, equation, shape, output_shape),)


class Equation(NamedTuple):
    """The labels of an equation, the side on which dots stand for more axes (left, right or neither), and the text
    behind what Keras reads of it."""

    dots: str
    inputs: str
    weights: str
    outputs: str
    rest: str

    @classmethod
    def of(cls, args: Args) -> "Equation":
        """The equation of a layer. Raises ConfigError."""
        equation = cls.read(args.text("equation"))
        if equation is None:
            raise args.error("equation", _EXAMPLES)
        return equation

    @classmethod
    def read(cls, text: Any) -> "Equation | None":
        """The equation in a text; None where it is none."""
        for dots, form in _FORMS if isinstance(text, str) else ():
            match = re.match(form, text)
            if match and max(map(len, match.groups())) <= MAX_RANK:
                inputs, weights, outputs = match.groups()
                return cls(dots, inputs, weights, outputs, text[match.end() :])
        return None

    def check_call(self, args: Args) -> None:
        """Refuse an equation with a label of which nothing gives the size, or with dots in the output alone."""
        inputs, weights, outputs = set(self.inputs), set(self.weights), set(self.outputs)
        ragged = self.dots != "right" and self.rest.startswith("...")
        if ragged or not outputs <= inputs | weights or not weights <= inputs | outputs:
            raise args.error("equation", _EXAMPLES)
        if not set(args.text("bias_axes", "")) <= outputs:
            raise args.error("bias_axes", f"some of the axes {self.outputs} of the output")

    def is_reduced(self, label: str) -> bool:
        """Whether the equation sums over a label."""
        return label not in self.outputs

    def scale(self, kernel: Shape) -> Shape | None:
        """The shape of int8's scale: the kernel's without the summed axes, laid out to fit the output.

        What `_analyze_quantization_info` and `_get_kernel_scale_shape` make of it: an axis that is summed over takes
        the place of an output axis that the kernel lacks, or is dropped where there is none left. None for equations
        with dots, which Keras 3.15.1 itself cannot quantize (it takes the length of a number).
        """
        if self.dots:
            return None
        order = [self.weights.index(label) for label in self.outputs if label in self.weights]
        free = [at for at, label in enumerate(self.outputs) if label not in self.weights]
        at, dropped = self._last_free(), set[int]()
        for axis in (axis for axis, label in enumerate(self.weights) if self.is_reduced(label)):
            if free:
                at = free.pop(0)
            else:
                dropped.add(axis)
            order.insert(at, axis)
        sizes = [1 if self.is_reduced(self.weights[axis]) else kernel[axis] for axis in order]
        for place in free:
            sizes.insert(place, 1)
        return tuple(size for place, size in enumerate(sizes) if place not in dropped)

    def _last_free(self) -> int:
        """The place that Keras gives a summed axis of the kernel if the output has no axis free: that of the last
        summed axis of the input."""
        free = [at for at, label in enumerate(self.outputs) if label not in self.inputs]
        summed = sum(self.is_reduced(label) for label in self.inputs)
        return free[min(summed, len(free)) - 1] if free and summed else 0


class _Sizes(NamedTuple):
    """The sizes of an equation's labels: `shape` is that of the input, None where it is not known, `stated` what
    `output_shape` says."""

    equation: Equation
    shape: Shape | None
    output_shape: Shape

    @classmethod
    def of(cls, args: Args, equation: Equation, shape: Shape | None) -> "_Sizes":
        """The sizes for an input of this shape, which must have as many axes as the equation needs."""
        sizes = cls(equation, shape, args.shape("output_shape"))
        spare = sizes.elided or 0
        if spare < 0 or (spare > 0 and not equation.dots):
            raise args.error("equation", f"an equation for inputs with {len(shape or ())} axes")
        return sizes

    @property
    def elided(self) -> int | None:
        """The number of axes behind the dots, None where the input is not known."""
        return None if self.shape is None else len(self.shape) - len(self.equation.inputs)

    def of_outputs(self, args: Args) -> dict[str, Size]:
        """The size of each output label. The batch axis, and those behind the dots, come from the input."""
        named, outputs = self.output_shape, self.equation.outputs
        if self.equation.dots != "left" or self.elided == 0:
            named = (self.shape[0] if self.shape else None, *named)
        if len(named) < len(outputs):
            raise args.error("output_shape", f"sizes for the axes {outputs} of the output")
        return dict(zip(outputs, named, strict=False))

    def of_inputs(self) -> dict[str, Size]:
        """The size of each input label."""
        labels = self.equation.inputs
        if self.shape is None:
            return dict.fromkeys(labels)
        sizes = self.shape[-len(labels) :] if self.equation.dots == "left" else self.shape
        return dict(zip(labels, sizes, strict=False))

    def kernel(self, args: Args) -> Shape:
        """The shape of the kernel: sizes of the output go before those of the input."""
        sizes = {**self.of_inputs(), **self.of_outputs(args)}
        if not set(self.equation.weights) <= sizes.keys():
            raise args.error("equation", "weights with axes of the input or the output only")
        return tuple(sizes[label] for label in self.equation.weights)

    def bias(self, args: Args) -> Shape | None:
        """The shape of the bias, from its first axis on, 1 for axes it lacks; None where its rank is not known."""
        axes, sizes, outputs = args.text("bias_axes"), self.of_outputs(args), self.equation.outputs
        if not axes or not set(axes) <= set(outputs):
            raise args.error("bias_axes", f"some of the axes {outputs} of the output")
        is_right = self.equation.dots == "right"
        if is_right and self.elided is None:
            return None
        start = min(map(outputs.find, axes))
        behind = self.elided or 0 if is_right else 0
        return (*(sizes[label] if label in axes else 1 for label in outputs[start:]), *(1,) * behind)


def _kernel(equation: Equation, shape: Shape, policy: Policy) -> list[Slot]:
    """The kernel with what its quantization keeps beside it, in order of creation."""
    if policy.mode == "int8":
        return [fixed("kernel", shape, "int8"), fixed("kernel_scale", equation.scale(shape), policy.variable_dtype)]
    if policy.mode == "int4":
        rows, columns = _by_reduction(equation, shape)
        return quantization.packed(policy, rows, columns)
    if policy.mode in quantization.NO_KERNEL:
        return quantization.packed(policy, *_by_size(shape), zero="zero_point")
    before = quantization.float8(policy) if policy.mode else []
    return [*before, Slot("kernel", shape, policy.variable_dtype)]


def _by_reduction(equation: Equation, shape: Shape) -> tuple[Size, Size]:
    """Rows and columns of the kernel as a matrix, as int4 sees it: summed axes and others."""
    axes = list(zip(equation.weights, shape, strict=True))
    rows = times(*(size for label, size in axes if equation.is_reduced(label)))
    return rows, times(*(size for label, size in axes if not equation.is_reduced(label)))


def _by_size(shape: Shape) -> tuple[Size, Size]:
    """Rows and columns of the kernel as gptq and awq see it: of three axes, the largest is that of the model."""
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) != 3 or None in shape:
        return None, None
    sizes = [size or 0 for size in shape]
    split = 1 if sizes.index(max(sizes)) == 0 else 2
    return times(*shape[:split]), times(*shape[split:])


def _output(args: Args, equation: Equation, shape: Shape, output_shape: Shape) -> Shape:
    """The shape of the output for an input of this shape.

    Keras puts each axis of dots on the left, but the batch, before the last, so that they come reversed.
    """
    elided, is_left = len(shape) - len(equation.inputs), equation.dots == "left"
    if elided < 0 or (elided and not equation.dots):
        raise misfit(args, f"an input with the axes {equation.inputs}", shape)
    between = shape[1:elided][::-1] if is_left else ()
    behind = shape[len(equation.inputs) :] if equation.dots == "right" else ()
    output = (shape[0], *between, *output_shape, *behind)
    if len(output) < len(equation.outputs) + elided:
        raise args.error("output_shape", f"sizes for the axes {equation.outputs} of the output")
    start = elided if is_left else 0
    sizes = dict(zip(equation.inputs, shape[start:], strict=False))
    named = dict(zip(equation.outputs, output[start:], strict=False))
    if any(differ(size, named.get(label)) for label, size in sizes.items()):
        raise misfit(args, "an input whose axes are those that output_shape states", shape)
    return output if None in shape else _filled(output, start, equation, sizes)


def _filled(output: Shape, start: int, equation: Equation, sizes: Mapping[str, Size]) -> Shape:
    """The shape of the output with the sizes that `output_shape` leaves open, which Keras states as open: a run has
    them from the input."""
    labels = dict(enumerate(equation.outputs, start))
    return tuple(sizes.get(labels.get(at, "")) if size is None else size for at, size in enumerate(output))


def einsum_dense_work(run: Run) -> Work | None:
    """EinsumDense: a multiply-add for each value that comes out and each place of the labels that are summed over."""
    if run.input is None:
        return None
    equation = Equation.of(run.args)
    sizes = _Sizes.of(run.args, equation, run.input).of_inputs()
    summed = [size for label, size in sizes.items() if equation.is_reduced(label)]
    return with_bias_and_activation(run, times(elements(run.output), *summed), "bias_axes" in run.args)


ROWS = {"EinsumDense": LayerType(einsum_dense_weights, einsum_dense_outputs, work=einsum_dense_work)}
