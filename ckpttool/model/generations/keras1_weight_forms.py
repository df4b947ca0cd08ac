"""Names, shapes and gates of the weights of Keras 1 and 0 in their files.

Sources: `build` of the layers of 1.2.2; `preprocess_weights_for_loading`, keras/engine/saving.py, 2.2.4, which turns
them into those of Keras 2.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.model.sizes import Shape, divided, shapes_fit
from ckpttool.model.slots import Part, Slot

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "alpha": "alphas",
        "bias": "b",
        "embeddings": "W",
        "kernel": "W",
        "moving_mean": "running_mean",
        "moving_variance": "running_std",
        "recurrent_kernel": "U",
    }
)
"""The old names of slots; a slot that is not here had the same name."""


class Form(NamedTuple):
    """A shape in which a weight may be stored. To get the weight of Keras 3 (or its part), take the axes in the order
    of `axes` (empty: unchanged), then leave out the axis `extra`, which has size 1 and which the weight of Keras 3
    lacks. `counterpart` marks the bias of the layer's counterpart for cuDNN, or without it, all of whose weights are
    stored in another layout."""

    shape: Shape | None
    axes: tuple[int, ...] = ()
    extra: int | None = None
    counterpart: bool = False

    @property
    def is_current(self) -> bool:
        """Whether the stored array has the axes of the weight in Keras 3."""
        return not self.axes and self.extra is None

    def turned(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape in Keras 3 of an array that is stored in this form."""
        turned = [shape[axis] for axis in self.axes] if self.axes else list(shape)
        return tuple(size for axis, size in enumerate(turned) if axis != self.extra)

    def has(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape may be in this form."""
        return shapes_fit(self.shape, shape)


class Gate(NamedTuple):
    """A part of the weights of a recurrent layer: its position in the weight of Keras 3, its turn in the file, and the
    suffix of its name."""

    at: int
    turn: int
    suffix: str


WHOLE = (Gate(0, 0, ""),)
_GRU = (Gate(0, 0, "_z"), Gate(1, 1, "_r"), Gate(2, 2, "_h"))
_LSTM = (Gate(0, 0, "_i"), Gate(1, 2, "_f"), Gate(2, 1, "_c"), Gate(3, 3, "_o"))
_GATES: Mapping[str, tuple[Gate, ...]] = MappingProxyType({"ConvLSTMCell": _LSTM, "GRUCell": _GRU, "LSTMCell": _LSTM})
_JOINED = 2  # `consume_less="gpu"`, with which Keras 1 has all gates in one array, in the order of Keras 3


def gates_of(part: Part, config: Mapping[str, Any]) -> tuple[Gate, ...]:
    """The parts into which the weights of an object were split."""
    joined = config.get("implementation") == _JOINED
    return WHOLE if joined else _GATES.get(part.class_name, WHOLE)


# Kernels whose axes follow the data format: the class, the slot, and the number of axes.
_KERNELS = frozenset(
    {
        ("Conv2D", "kernel", 4),
        ("Conv3D", "kernel", 5),
        ("ConvLSTMCell", "kernel", 4),
        ("ConvLSTMCell", "recurrent_kernel", 4),
        ("SeparableConv2D", "depthwise_kernel", 4),
        ("SeparableConv2D", "pointwise_kernel", 4),
    }
)
_SHARING = frozenset({"PReLU", "ParametricSoftplus", "SReLU"})  # `get_config` of 1.2.2 forgets `shared_axes`
# Transposed convolutions have the axes of the others: (channels, filters) at the end, or (filters, channels) in front.
_TRANSPOSED = MappingProxyType({True: (2, 3, 0, 1), False: (0, 1, 3, 2)})


def forms_of(part: Part, slot: Slot, config: Mapping[str, Any], gates: int) -> tuple[Form, ...]:
    """The forms in which a slot, or one of its parts, was stored; that of 1.2 first."""
    shape = slot.shape
    if shape is None:
        return (Form(None),)
    if gates > 1:
        shape = (*shape[:-1], divided(shape[-1], gates))
    first = config.get("data_format") == "channels_first"
    rank = len(shape)
    if part.class_name == "Conv1D" and slot.name == "kernel":
        return _one_dimension(shape)
    if part.class_name == "Conv2DTranspose" and slot.name == "kernel":
        return (_turned(shape, _TRANSPOSED[first]),)
    if part.class_name in _SHARING:
        return Form(shape), Form((None,) * rank)
    if not first:
        return (Form(shape),)
    if (part.class_name, slot.name, rank) in _KERNELS:
        return (_turned(shape, (*range(2, rank), 1, 0)),)
    return (Form(shape),)


def _turned(shape: Shape, axes: tuple[int, ...]) -> Form:
    """The form from which taking the axes in this order results in this shape."""
    return Form(tuple(shape[axes.index(axis)] for axis in range(len(axes))), axes)


def _one_dimension(shape: Shape) -> tuple[Form, ...]:
    """The forms of a kernel of one dimension, stored with two: (length, 1, channels, filters) in 1.2, and before that
    (filters, channels, length, 1)."""
    length, depth, filters = shape
    return Form((length, 1, depth, filters), extra=1), Form((filters, depth, length, 1), (2, 3, 1, 0), extra=1)
