"""Convolutions of `channels_first` whose bias Keras 3 adds along another axis than that of the channels.

On TensorFlow it takes a tensor with one axis for a bias, and adds it along the last axis of the other if that has as
many values (`add`, keras/src/backend/tensorflow/numpy.py, 3.15). So it does with the bias of a convolution of 32
filters whose outputs are 32 wide, as in the first layer of many networks. Measured with live Keras 3.15.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.conversion.journal import Edit
from ckpttool.errors import ConfigError
from ckpttool.io import scalars
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers import convolutional
from ckpttool.model.shape_inference import outputs_of
from ckpttool.model.sizes import Shape

WRITE_LAST = Edit(
    "write-channels-last",
    "puts a convolution of channels_last between two Permute layers in the place of one of channels_first that gives "
    "as many channels as its outputs are wide: Keras 3.15 on TensorFlow would add its bias along the width",
    "always: the same sums",
    differs_without=True,
)
EDITS = (WRITE_LAST,)

_OF_EACH_VALUE = frozenset({None, "linear", "relu", "elu", "selu", "tanh", "sigmoid", "softplus", "softsign"})
"""Activations that take each value by itself, on whichever axis the channels are."""


def is_misadded(args: Args, shape: Shape | None) -> bool:
    """Whether the bias of a layer with an input of this shape is added along the last axis."""
    if args.class_name not in convolutional.ROWS or args.config.get("data_format") != "channels_first":
        return False
    if shape is None or not args.flag("use_bias", True):
        return False
    try:
        outputs = outputs_of(args, Call((Tensor("", 0, 0, shape),)))
    except ConfigError:
        return False
    return any(output is not None and output[1] == output[-1] and output[1] not in (None, 1) for output in outputs)


def named(args: Args) -> str:
    """The name of the convolution between the layers that move the channels."""
    return f"{args.name}_last"


def layers_around(args: Args) -> tuple[list[Args], list[Args]]:
    """The layers before the convolution and behind it, which move the channels, and the activation where it takes
    several values together."""
    rank = scalars.digits(args.class_name.removesuffix("Transpose")[-2]) or 0
    last = Args("Permute", {"name": f"{args.name}_channels_last", "dims": [*range(2, rank + 2), 1]})
    first = Args("Permute", {"name": f"{args.name}_channels_first", "dims": [rank + 1, *range(1, rank + 1)]})
    if _is_of_each_value(args):
        return [last], [first]
    config = {"name": f"{args.name}_activation", "activation": args.config["activation"]}
    return [last], [first, Args("Activation", config)]


def of_channels_last(args: Args, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of the convolution between them."""
    config = {**entry["config"], "name": named(args), "data_format": "channels_last"}
    rest = {key: value for key, value in entry.items() if key != "build_config"}
    return {**rest, "config": config if _is_of_each_value(args) else {**config, "activation": "linear"}}


def _is_of_each_value(args: Args) -> bool:
    activation = args.config.get("activation")
    return activation is None or (isinstance(activation, str) and activation in _OF_EACH_VALUE)
