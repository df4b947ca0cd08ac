"""The work of one call of a layer: multiply-adds of kernels and products, and other operations, counted from shapes.

A multiply-add counts as two floating-point operations, every other addition, multiplication, comparison or function of
one number as one, a softmax as five. The layer runs as in inference: dropout and augmentation at random do nothing, a
normalization by batches uses its moving statistics, whose values for a channel are worked out once and not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import TYPE_CHECKING, Any, NamedTuple

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.call_inputs import main, shapes
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import Inputs, Shape, Size, times
from ckpttool.model.slots import Part

if TYPE_CHECKING:
    from ckpttool.model.layers.spatial import Image

SOFTMAX = 5  # maximum, difference, exponential, sum, quotient
_NEIGHBOURS = {"nearest": 0, "bilinear": 4, "bicubic": 16, "lanczos3": 36, "lanczos5": 100}
"""The values of which an interpolation of an image is a weighted sum; one that is repeated takes no work."""
_OF_NUMBERS = ("dtype", "quantization_config", "lora_rank")


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds, and other operations on single numbers."""

    macs: int = 0
    other: int = 0

    @property
    def flops(self) -> int:
        """The floating-point operations: two for each multiply-add, one for each other operation."""
        return 2 * self.macs + self.other

    def __add__(self, more: Work) -> Work:
        return Work(self.macs + more.macs, self.other + more.other)

    def repeated(self, count: int) -> Work:
        """The same work so many times."""
        return Work(self.macs * count, self.other * count)


class Run(NamedTuple):
    """One call of a layer with the shapes that go in and come out. `work_of` counts the work of an inner layer,
    `outputs_of` gives its output shapes, `build` the weights of a layer."""

    args: Args
    call: Call
    outputs: Outputs
    work_of: Callable[[Args, Call], Work | None]
    outputs_of: Callable[[Args, Call], Outputs]
    build: Callable[[Args, Inputs], Part]

    @property
    def inputs(self) -> Inputs:
        """The shapes of the first argument."""
        return shapes(main(self.call))

    @property
    def input(self) -> Shape | None:
        """The shape of the first input."""
        return next(iter(self.inputs), None)

    @property
    def output(self) -> Shape | None:
        """The shape of the first output."""
        return next(iter(self.outputs), None)

    def part(self, *inputs: Shape | None) -> Part:
        """The weights of the layer for these inputs, else for its own, as if none were quantized."""
        config = {key: value for key, value in self.args.config.items() if key not in _OF_NUMBERS}
        return self.build(replace(self.args, config=config), inputs or self.inputs)

    def kernels(self, *names: str) -> Size:
        """The number of values of all kernels of these names in the layer."""
        sizes = list(_sizes(self.part(), names))
        return None if None in sizes else sum(size or 0 for size in sizes)


WorkRule = Callable[[Run], Work | None]
"""The work of one call of a class, None where it is not known."""


def _sizes(part: Part, names: tuple[str, ...]) -> list[Size]:
    own = [elements(slot.shape) for slot in part.slots if slot.name in names and not slot.borrowed]
    return own + [size for _, child in part.children for size in _sizes(child, names)]


def elements(shape: Shape | None) -> Size:
    """The number of values of a tensor, None where it is not known."""
    return None if shape is None else times(*shape)


def counted(macs: Size = 0, other: Size = 0) -> Work | None:
    """The work of these two numbers; None where one is not known."""
    return None if macs is None or other is None else Work(macs, other)


def added(*works: Work | None) -> Work | None:
    """The sum of some work; None where any is not known."""
    total = Work()
    for work in works:
        if work is None:
            return None
        total += work
    return total


def interpolated(interpolation: str, count: Size) -> Work | None:
    """A multiply-add for each neighbour of so many interpolated values; None for an interpolation of another kind."""
    return counted(times(count, _NEIGHBOURS.get(interpolation)))


def transform(length: Size, half: bool = False) -> Size:
    """The operations of a fast Fourier transform of so many values: 5 n log2 n, half of that where they are real."""
    if length is None or length < 2:
        return None if length is None else 0
    return ceil((2.5 if half else 5) * length * log2(length))


def unknown_work(run: Run) -> Work | None:
    """The work of a layer that depends on code or values that no config has."""
    return None


def no_work(run: Run) -> Work | None:
    """The work of a layer that only moves values, or that does nothing in inference."""
    return Work()


def each_output(count: int) -> WorkRule:
    """So many operations for each value that comes out."""
    return lambda run: counted(other=times(elements(run.output), count))


def each_input(count: int) -> WorkRule:
    """So many operations for each value that goes in."""
    return lambda run: counted(other=times(elements(run.input), count))


def merge_work(run: Run) -> Work | None:
    """One operation less than there are inputs, for each value that comes out."""
    return counted(other=times(elements(run.output), max(0, len(run.inputs) - 1)))


def average_work(run: Run) -> Work | None:
    """The sum of all inputs, and a quotient."""
    return counted(other=times(elements(run.output), max(1, len(run.inputs))))


def activation_work(run: Run) -> Work | None:
    """One operation for each value; five of a softmax, none of the identity."""
    return counted(other=of_activation(run.args.config.get("activation"), elements(run.output)))


def softmax_work(run: Run) -> Work | None:
    """Five operations for each value."""
    return counted(other=times(elements(run.output), SOFTMAX))


def of_activation(activation: Any, count: Size) -> Size:
    """The operations of an activation function on so many values."""
    config = activation.get("config", activation) if isinstance(activation, Mapping) else activation
    name = config.get("name", activation.get("class_name")) if isinstance(config, Mapping) else config
    lower = name.lower() if isinstance(name, str) else ""
    if activation is None or lower == "linear":
        return 0
    return times(count, SOFTMAX if lower in ("softmax", "log_softmax", "logsoftmax") else 1)


def with_bias_and_activation(run: Run, macs: Size, bias: bool = True) -> Work | None:
    """Multiply-adds, then a bias and an activation for each value that comes out."""
    count = elements(run.output)
    function = of_activation(run.args.config.get("activation"), count)
    return added(counted(macs), counted(other=count if bias else 0), counted(other=function))


def has_bias(args: Args) -> bool:
    """Whether a layer adds a bias."""
    return args.flag("use_bias", True)


def positions(image: Image) -> Size:
    """The number of places of all images of a batch."""
    return times(image.batch, *image.space)


def called_on(shape: Shape | None) -> Call:
    """A call of an inner layer on one tensor of this shape."""
    return Call((Tensor("", 0, 0, shape),))
