"""EinsumDense (keras/src/layers/core/einsum_dense.py, 3.15)."""

import re
from dataclasses import dataclass

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import at_least, differ, misfit, sole
from ckpttool.model.layers.outputs.rule import Infer, Outputs
from ckpttool.model.sizes import MAX_RANK, Shape

_FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


def einsum_dense(args: Args, call: Call, infer: Infer) -> Outputs:
    """EinsumDense: the batch, what `output_shape` states, and the axes that the dots stand for."""
    equation, stated = _Equation.of(args), args.shape("output_shape")
    shape = at_least(args, sole(args, call), 1)
    return (None,) if shape is None else (equation.output(args, shape, stated),)


@dataclass(frozen=True, slots=True)
class _Equation:
    """The labels of an equation, and the side on which dots stand for more axes: left, right or neither."""

    side: str
    inputs: str
    weights: str
    outputs: str

    @classmethod
    def of(cls, args: Args) -> "_Equation":
        """The equation of a layer."""
        found = _FORM.match(args.text("equation"))
        left, inputs, right, weights, before, outputs, behind = found.groups("") if found else ("",) * 7
        made = cls("left" if left else "right" if right else "", inputs, weights, outputs)
        dotted = (left, right) == (before, behind) and not (left and right) and (len(inputs) > 1 or not right)
        if not dotted or not made._is_closed() or max(map(len, (inputs, weights, outputs))) > MAX_RANK:
            raise args.error("equation", "an equation such as ab,bc->ac or ...a,ab->...b")
        if not set(args.text("bias_axes", "")) <= set(outputs):
            raise args.error("bias_axes", f"some of the axes {outputs} of the output")
        return made

    def _is_closed(self) -> bool:
        """Whether every label of the weights and the outputs stands for an axis that something else has."""
        inputs, weights, outputs = set(self.inputs), set(self.weights), set(self.outputs)
        return bool(outputs) and outputs <= inputs | weights and weights <= inputs | outputs

    def output(self, args: Args, shape: Shape, stated: Shape) -> Shape:
        """The shape of the output for an input of this shape."""
        elided = len(shape) - len(self.inputs)
        if elided < 0 or (elided and not self.side):
            raise misfit(args, f"an input with the axes {self.inputs}", shape)
        output = (shape[0], *self._between(shape, elided), *stated, *self._behind(shape))
        if len(output) < len(self.outputs) + elided:
            raise args.error("output_shape", f"sizes for the axes {self.outputs} of the output")
        sizes = dict(zip(self.inputs, self._own(shape, elided), strict=False))
        made = dict(zip(self.outputs, self._own(output, elided), strict=False))
        if any(differ(size, made.get(label)) for label, size in sizes.items()):
            raise misfit(args, "an input whose axes are those that output_shape states", shape)
        return output

    def _between(self, shape: Shape, elided: int) -> Shape:
        """The axes of dots on the left but the batch. Keras puts each before the last, so that they come reversed."""
        return shape[1:elided][::-1] if self.side == "left" else ()

    def _behind(self, shape: Shape) -> Shape:
        """The axes of dots on the right."""
        return shape[len(self.inputs) :] if self.side == "right" else ()

    def _own(self, shape: Shape, elided: int) -> Shape:
        """A shape from the first axis on that has a label."""
        return shape[elided:] if self.side == "left" else shape
