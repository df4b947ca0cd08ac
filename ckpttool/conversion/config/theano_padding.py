"""`same` padding of Theano, which differs from that of Keras 3 where windows are even or strides are above 1.

Theano pads half a window before the input and behind it (`_preprocess_padding`, `_postprocess_conv2d_output` and
`pool2d`, keras/backend/theano_backend.py, 1.2.2 and 2.2.4); TensorFlow and Keras 3 pad as many zeros as the windows
need, half of them before the input.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ckpttool.conversion.journal import Edit
from ckpttool.io import scalars
from ckpttool.model.arguments import Args
from ckpttool.model.sizes import Shape, is_integer

WRITE_PADDING = Edit(
    "write-padding",
    "puts a ZeroPadding layer before a convolution of Theano, which padded differently from Keras 3",
    "always: the same sums",
    differs_without=True,
)
EDITS = (WRITE_PADDING,)

_CONVOLUTIONS = ("Conv", "DepthwiseConv", "SeparableConv")
_OTHERS = ("AveragePooling", "MaxPooling", "ConvLSTM")


class _Axis(NamedTuple):
    """A window along one axis: its width with dilation, its stride, and the size of the axis, None if not known."""

    window: int
    stride: int
    size: int | None

    def keras3_zeros(self) -> int | None:
        """The number of zeros that Keras 3 pads before the input, None where it depends on a size that is not known."""
        if self.size is None:
            return (self.window - 1) // 2 if self.stride == 1 else None
        count = -(-self.size // self.stride)
        return max((count - 1) * self.stride + self.window - self.size, 0) // 2


def pads(args: Args, shape: Shape | None) -> list[list[int]] | None:
    """The zeros before and behind each axis with which a convolution computes the same as on Theano, None where the
    padding of Keras 3 does."""
    axes = _axes(args, shape, _CONVOLUTIONS)
    if not axes or all(axis.keras3_zeros() == axis.window // 2 for axis in axes):
        return None
    return [[axis.window // 2, (axis.window - 1) // 2] for axis in axes]


def refused(args: Args, shape: Shape | None) -> str | None:
    """The reason why a layer that Theano padded has no equivalent in Keras 3, None where it has one."""
    if args.class_name.endswith("Transpose"):
        other = _is_shifted(args)
    elif args.class_name.startswith("ConvLSTM") and _has_even_window(args):
        other = True  # a layer before it could pad its input, but not its state
    elif args.class_name.startswith("Separable"):
        other = any(axis.window % 2 == 0 for axis in _axes(args, shape, ("SeparableConv",)))
    else:
        pooling = "Pooling" in args.class_name
        other = any(
            axis.keras3_zeros() != (_pooled(axis.window) if pooling else axis.window // 2)
            for axis in _axes(args, shape, _OTHERS)
        )
    reason = f"{args.class_name} as Theano padded for 'same', which began its windows elsewhere than Keras 3 does"
    return reason if other else None


def named(args: Args) -> str:
    """The name of the convolution behind the layer that pads."""
    return f"{args.name}_valid"


def zeros(args: Args, pads: list[list[int]]) -> Args:
    """The layer that pads."""
    config = {"name": f"{args.name}_zeros", "padding": pads if len(pads) > 1 else pads[0]}
    return Args(f"ZeroPadding{len(pads)}D", {**config, "data_format": args.config.get("data_format")})


def unpadded(args: Args, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of the convolution behind the layer that pads."""
    rest = {key: value for key, value in entry.items() if key != "build_config"}
    return {**rest, "config": {**entry["config"], "name": named(args), "padding": "valid"}}


def _pooled(window: int) -> int:
    return window - 2 if window > 2 and window % 2 else window - 1


def _is_shifted(args: Args) -> bool:
    """Whether the output of a transposed convolution is shifted: Theano cuts off half a window, Keras 3 half of the
    values that are too many."""
    output_padding = args.config.get("output_padding")
    axes = _axes(args, None, ("Conv",), "Transpose")
    for axis, more in zip(
        axes, _each(output_padding, len(axes)) if output_padding is not None else [None] * len(axes), strict=True
    ):
        left = axis.window - axis.stride if more is None else 2 * (axis.window // 2) - more
        if max(left, 0) // 2 != axis.window // 2:
            return True
    return False


def _has_even_window(args: Args) -> bool:
    rank = scalars.digits(args.class_name[-2]) or 0
    return any(window % 2 == 0 for window in _each(args.config.get("kernel_size"), rank))


def _axes(args: Args, shape: Shape | None, classes: Sequence[str], end: str = "") -> list[_Axis]:
    """The windows of a layer of these classes with `same` padding, none for others."""
    ranks = [rank for rank in (1, 2, 3) if args.class_name in {f"{name}{rank}D{end}" for name in classes}]
    if not ranks or args.config.get("padding") != "same":
        return []
    [rank] = ranks
    size = args.config.get("kernel_size", args.config.get("pool_size", 2))
    windows = _each(size, rank)
    strides = _each(args.config.get("strides"), rank, windows if "pool_size" in args.config else None)
    dilations = _each(args.config.get("dilation_rate"), rank)
    spans = [(window - 1) * dilation + 1 for window, dilation in zip(windows, dilations, strict=True)]
    return [_Axis(*of) for of in zip(spans, strides, _sizes(args.config, shape, rank), strict=True)]


def _each(value: Any, rank: int, default: list[int] | None = None) -> list[int]:
    """A number for each axis; a single number is that of every axis."""
    if value is None:
        return default or [1] * rank
    values = value if isinstance(value, list) else [value] * rank
    return [number if is_integer(number) else 1 for number in (values * rank if len(values) == 1 else values)[:rank]]


def _sizes(config: Mapping[str, Any], shape: Shape | None, rank: int) -> list[int | None]:
    if shape is None or len(shape) < rank + 2:
        return [None] * rank
    inner = shape[-rank:] if config.get("data_format") == "channels_first" else shape[-rank - 1 : -1]
    return list(inner)
