"""Inputs with axes for space and one for channels, in both data formats."""

from collections.abc import Callable
from typing import NamedTuple

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import fitting, ranked, sole
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import Shape, Size


class Image(NamedTuple):
    """The axes of an input; `first` says that its channels stand before the axes of space."""

    batch: Size
    space: Shape
    channels: Size
    first: bool

    @classmethod
    def of(cls, args: Args, shape: Shape) -> "Image":
        """The axes of a shape, in the data format of a layer; Keras takes channels_last where it states none."""
        if channels_first(args):
            return cls(shape[0], shape[2:], shape[1], True)
        return cls(shape[0], shape[1:-1], shape[-1], False)

    @property
    def shape(self) -> Shape:
        """All axes, in the order of the data format."""
        if self.first:
            return (self.batch, self.channels, *self.space)
        return (self.batch, *self.space, self.channels)

    def with_space(self, *space: Size) -> "Image":
        """The same with other axes of space."""
        return self._replace(space=space)

    def with_channels(self, channels: Size) -> "Image":
        """The same with another number of channels."""
        return self._replace(channels=channels)


Change = Callable[[Args, Image], Image]


def channels_first(args: Args) -> bool:
    """Whether the channels of a layer's input stand before the axes of space."""
    return args.choice("data_format", "channels_last", "channels_first") == "channels_first"


def channels(args: Args, shape: Shape | None) -> Size:
    """The number of channels of a layer's input."""
    return args.axis_of(shape, 1 if channels_first(args) else -1, "data_format")


def changed(rank: int, change: Change) -> Rule:
    """The rule of a layer that changes an input with so many axes of space."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = ranked(args, sole(args, call), rank + 2)
        blank = Image.of(args, (None,) * (rank + 2))
        with fitting(args, shape):
            image = change(args, blank if shape is None else Image.of(args, shape))
        return (None if shape is None else image.shape,)

    return rule
