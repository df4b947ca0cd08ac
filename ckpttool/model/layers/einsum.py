"""EinsumDense: kernel and bias from an equation (keras/src/layers/core/einsum_dense.py, 3.15)."""

import re
from dataclasses import dataclass

from ckpttool.model.arguments import Args, first
from ckpttool.model.dtype_policies import Policy
from ckpttool.model.layers import quantized
from ckpttool.model.layers.quantized import fixed
from ckpttool.model.sizes import MAX_RANK, Inputs, Shape, Size, times
from ckpttool.model.slots import Part, Slot

_FORMS = (
    ("", re.compile(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)")),
    ("left", re.compile(r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)")),
    ("right", re.compile(r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\.")),
)


def einsum_dense(args: Args, inputs: Inputs) -> Part:
    """EinsumDense: kernel and bias as `equation`, `output_shape` and `bias_axes` tell."""
    equation, policy = _Equation.of(args, first(inputs)), args.policy
    shape = equation.kernel(args)
    slots = _kernel(equation, shape, policy)
    if "bias_axes" in args:
        slots.append(Slot("bias", equation.bias(args), policy.variable_dtype))
    slots = quantized.lora(args, slots, "kernel", shape)
    return args.part(*slots, write_order=quantized.WRITE_ORDER[policy.mode])


@dataclass(frozen=True, slots=True)
class _Equation:
    """The labels of an equation's inputs, weights and outputs, with the sizes that are known.

    `elided` is the number of axes behind the dots, None where the input is not known.
    """

    inputs: str
    weights: str
    outputs: str
    dots: str
    shape: Shape | None
    partial: Shape

    @classmethod
    def of(cls, args: Args, shape: Shape | None) -> "_Equation":
        """The equation of a layer for an input of this shape."""
        text = args.text("equation")
        for dots, form in _FORMS:
            found = form.match(text)
            if found and max(map(len, found.groups())) <= MAX_RANK:
                summed, weights, made = found.groups()
                return cls(summed, weights, made, dots, shape, args.shape("output_shape")).checked(args)
        raise args.error("equation", "an equation such as ab,bc->ac or ...a,ab->...b")

    def checked(self, args: Args) -> "_Equation":
        """The equation itself, where the input has as many axes as it needs."""
        spare = 0 if self.elided is None else self.elided
        if spare < 0 or (spare > 0 and not self.dots):
            raise args.error("equation", f"an equation for inputs with {len(self.shape or ())} axes")
        return self

    @property
    def elided(self) -> int | None:
        """The number of axes behind the dots, None where the input is not known."""
        return None if self.shape is None else len(self.shape) - len(self.inputs)

    def output_sizes(self, args: Args) -> dict[str, Size]:
        """The size of each output label. The batch axis, and those behind the dots, come from the input."""
        named = self.partial
        if self.dots != "left" or self.elided == 0:
            named = (self.shape[0] if self.shape else None, *named)
        if len(named) < len(self.outputs):
            raise args.error("output_shape", f"sizes for the axes {self.outputs} of the output")
        return dict(zip(self.outputs, named, strict=False))

    def input_sizes(self) -> dict[str, Size]:
        """The size of each input label."""
        if self.shape is None:
            return dict.fromkeys(self.inputs)
        sizes = self.shape[-len(self.inputs) :] if self.dots == "left" else self.shape
        return dict(zip(self.inputs, sizes, strict=False))

    def kernel(self, args: Args) -> Shape:
        """The shape of the kernel: sizes of the output go before those of the input."""
        sizes = {**self.input_sizes(), **self.output_sizes(args)}
        if not set(self.weights) <= sizes.keys():
            raise args.error("equation", "weights with axes of the input or the output only")
        return tuple(sizes[label] for label in self.weights)

    def bias(self, args: Args) -> Shape | None:
        """The shape of the bias, from its first axis on, 1 for axes it lacks; None where its rank is not known."""
        axes, sizes = args.text("bias_axes"), self.output_sizes(args)
        if not axes or not set(axes) <= set(self.outputs):
            raise args.error("bias_axes", f"some of the axes {self.outputs} of the output")
        if self.dots == "right" and self.elided is None:
            return None
        start = min(map(self.outputs.find, axes))
        behind = self.elided or 0 if self.dots == "right" else 0
        return (*(sizes[label] if label in axes else 1 for label in self.outputs[start:]), *(1,) * behind)

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
        """Where Keras puts a summed axis of the kernel if the output has no axis free: where it put the last summed
        axis of the input."""
        free = [at for at, label in enumerate(self.outputs) if label not in self.inputs]
        summed = sum(self.is_reduced(label) for label in self.inputs)
        return free[min(summed, len(free)) - 1] if free and summed else 0


def _kernel(equation: _Equation, shape: Shape, policy: Policy) -> list[Slot]:
    """The kernel with what its quantization keeps beside it, in order of creation."""
    if policy.mode == "int8":
        return [fixed("kernel", shape, "int8"), fixed("kernel_scale", equation.scale(shape), policy.variable_dtype)]
    if policy.mode == "int4":
        rows, columns = _by_reduction(equation, shape)
        return quantized.packed(policy, rows, columns)
    if policy.mode in quantized.NO_KERNEL:
        return quantized.packed(policy, *_by_size(shape), zero="zero_point")
    before = quantized.float8(policy) if policy.mode else []
    return [*before, Slot("kernel", shape, policy.variable_dtype)]


def _by_reduction(equation: _Equation, shape: Shape) -> tuple[Size, Size]:
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
