"""LocallyConnected1D and 2D made of slices of the input, put side by side, and an EinsumDense with its kernel.

Sources: keras/layers/local.py (1.2.2, 2.2.4); keras/src/layers/locally_connected, `local_conv` and `bias_add` in
keras/src/backend.py and `conv_kernel_idxs` in keras/src/utils/conv_utils.py (2.15).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.conversion.removed_layers.functional_builder import FunctionalBuilder
from ckpttool.conversion.removed_layers.replacement import Equivalent
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.io import scalars
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Tensor
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent

if TYPE_CHECKING:
    import numpy as np

_MAX_SLICES = 1024
_Sizes = tuple[int, ...]


class _Windows(NamedTuple):
    """The windows of a layer: the sizes of its spatial axes before and after, the sizes of a window, its strides, and
    the zeros padded before and behind each axis."""

    before: _Sizes
    after: _Sizes
    sizes: _Sizes
    strides: _Sizes
    pads: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, args: Args, before: _Sizes) -> _Windows:
        """The windows of a layer. Raises NoEquivalent, and ConfigError."""
        rank, whole = len(before), args.choice("padding", "valid", "same") == "same"
        sizes, strides = args.numbers("kernel_size", rank), args.numbers("strides", rank, 1)
        if math.prod(sizes) > _MAX_SLICES or any(size > 2 * of for size, of in zip(sizes, before, strict=True)):
            raise NoEquivalent(f"a window of {' x '.join(map(str, sizes))}, which is too large to be cut up")
        spans = [of if whole else of - size + 1 for of, size in zip(before, sizes, strict=True)]
        after = tuple(-(-span // stride) for span, stride in zip(spans, strides, strict=True))
        if min(after) < 1:
            raise args.error("kernel_size", "a window that fits into the input")
        axes = zip(before, after, sizes, strides, strict=True)
        pads = tuple((0, 0) if not whole else _pads(*axis) for axis in axes)
        return cls(before, after, sizes, strides, pads)

    @property
    def places(self) -> int:
        """The number of positions of the window."""
        return math.prod(self.after)

    def offsets(self) -> list[_Sizes]:
        """The positions within a window."""
        return list(itertools.product(*map(range, self.sizes)))

    def connected(self) -> tuple[np.ndarray, np.ndarray]:
        """The position in the input for each place of the window and each offset in it, and whether it is inside."""
        import numpy as np

        index, inside = np.zeros((self.places, math.prod(self.sizes)), "int64"), np.ones((1, 1), bool)
        corners = np.stack(np.meshgrid(*map(np.arange, self.after), indexing="ij"), -1).reshape(-1, len(self.after))
        offsets = np.asarray(self.offsets())
        for axis, (size, stride, (pad, _)) in enumerate(zip(self.before, self.strides, self.pads, strict=True)):
            at = corners[:, axis : axis + 1] * stride - pad + offsets[:, axis]
            inside = inside & (at >= 0) & (at < size)
            index = index * size + np.clip(at, 0, size - 1)
        return index, inside


def _pads(before: int, after: int, window: int, stride: int) -> tuple[int, int]:
    """The zeros before and behind an axis (`conv_connected_inputs`)."""
    left = window // 2
    return left, max(0, (after - 1) * stride - left + window - before)


def locally_connected(args: Args) -> Equivalent:
    """The replacement of a layer with a kernel for each place. Raises NoEquivalent."""
    rank, first = scalars.digits(args.class_name[-2]) or 0, args.config.get("data_format") == "channels_first"
    shape = args.built[0] if args.built else None
    if shape is None or len(shape) != rank + 2 or None in shape[1:]:
        raise NoEquivalent("an input whose sizes are not known")
    sizes = [size or 0 for size in shape[1:]]
    depth = sizes.pop(0 if first else -1)
    windows, filters = _Windows.of(args, tuple(sizes)), args.size("filters")
    builder = FunctionalBuilder(args.name)
    entry = builder.input(shape)
    patches = _patches(builder, entry, windows, first, depth)
    name, bias = f"{args.name}_local", args.flag("use_bias", True)
    regularizers = {key: args.config[key] for key in ("kernel_regularizer", "bias_regularizer") if args.config.get(key)}
    x = builder.layer(
        "EinsumDense",
        patches,
        name="local",
        equation="alp,lpf->alf",
        output_shape=[windows.places, filters],
        bias_axes="lf" if bias else None,
        **regularizers,
    )
    x = builder.layer("Permute", x, dims=[2, 1]) if first else x
    x = builder.layer("Reshape", x, target_shape=[filters, *windows.after] if first else [*windows.after, filters])
    activation = args.config.get("activation")
    if activation not in (None, "linear"):
        x = builder.layer("Activation", x, activation=activation)
    how = args.integer("implementation", 1)
    arrangements: dict[str, Arrangement] = (
        {"kernel": Kernel(windows, first, depth, filters, how)} if how in (2, 3) else {}
    )
    arrangements |= {"bias": Bias(windows.places, filters, first)} if bias and (rank > 1 or first) else {}
    names = ("kernel", "bias") if bias else ("kernel",)
    return Equivalent(
        "Functional",
        builder.config([entry], x),
        "slices of its input and an EinsumDense with its kernel; initializers are those by default",
        {slot: f"{name}/{slot}" for slot in names},
        arrangements,
        retained=regularizers,
    )


def _patches(builder: FunctionalBuilder, entry: Tensor, windows: _Windows, first: bool, depth: int) -> Tensor:
    """The values in each window, in the order of the kernel: channels last or first."""
    rank, order = len(windows.before), "channels_first" if first else "channels_last"
    x = entry
    if any(map(any, windows.pads)):
        pads = [list(pair) for pair in windows.pads]
        order_of = {"data_format": order}
        x = builder.layer(f"ZeroPadding{rank}D", x, padding=pads if rank > 1 else pads[0], **order_of)
    everything, parts = slice(None), list[Tensor]()
    for offset in windows.offsets():
        axes = zip(offset, windows.after, windows.strides, strict=True)
        cut = [slice(at, at + (count - 1) * stride + 1, stride) for at, count, stride in axes]
        key = [everything, everything, *cut] if first else [everything, *cut, everything]
        parts.append(builder.op("numpy.GetItem", x, key))
    width = len(parts) * depth
    if first:
        stacked = builder.op("numpy.Stack", parts, axis=2)
        return builder.layer(
            "Permute", builder.layer("Reshape", stacked, target_shape=[width, windows.places]), dims=[2, 1]
        )
    joined = builder.layer("Concatenate", parts, axis=-1) if len(parts) > 1 else parts[0]
    return builder.layer("Reshape", joined, target_shape=[windows.places, width])


class Bias(NamedTuple):
    """A bias for the replacement, (places, filters). With channels first, the values of the old one are read as
    (filters, places), whatever its axes."""

    places: int
    filters: int
    first: bool

    @property
    def description(self) -> str:
        """The change, as a phrase."""
        return "axes as EinsumDense has them"

    def shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The new shape."""
        return self.places, self.filters

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The new values."""
        turned = values.reshape(self.filters, self.places).T if self.first else values
        return turned.reshape(self.places, self.filters)


class Kernel(NamedTuple):
    """A kernel for the replacement, (places, values in a window, filters).

    The old one is of implementation 2, between all places of input and output, or of 3, a list of those that are
    connected, in the order of the output, then of the input.
    """

    windows: _Windows
    first: bool
    depth: int
    filters: int
    implementation: int

    @property
    def description(self) -> str:
        """The change, as a phrase."""
        return (
            "what each window sees, out of all places"
            if self.implementation == 2
            else "zeros for what lies beside the input"
        )

    def shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The new shape."""
        return self.windows.places, math.prod(self.windows.sizes) * self.depth, self.filters

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The new values."""
        import numpy as np

        index, inside = self.windows.connected()
        arranged = self._of_all(values, index) if self.implementation == 2 else self._of_list(values, inside)
        arranged = np.where(inside[:, :, None, None], arranged, values.dtype.type(0))
        arranged = arranged.transpose(0, 2, 1, 3) if self.first else arranged
        return arranged.reshape(self.shape(values.shape))

    def _of_all(self, values: np.ndarray, index: np.ndarray) -> np.ndarray:
        """The values at (place, offset, channel, filter)."""
        import numpy as np

        here, size = np.arange(self.windows.places)[:, None], math.prod(self.windows.before)
        if self.first:
            values = values.reshape(self.depth, size, self.filters, -1).transpose(1, 0, 3, 2)
        picked: np.ndarray = values.reshape(size, self.depth, -1, self.filters)[index, :, here]
        return picked

    def _of_list(self, values: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """The values at (place, offset, channel, filter); any value at positions that are not inside."""
        import numpy as np

        count = inside.sum(axis=1)[:, None, None, None]  # of positions in a window that are inside
        rank = np.maximum(inside.cumsum(axis=1) - 1, 0)[:, :, None, None]
        before = (count.cumsum(axis=0) - count) * self.depth
        channel, filter_ = np.arange(self.depth)[:, None], np.arange(self.filters)
        if self.first:
            at = filter_ * (count.sum() * self.depth) + before + channel * count + rank
        else:
            at = before * self.filters + filter_ * (count * self.depth) + rank * self.depth + channel
        picked: np.ndarray = values[at]
        return picked
