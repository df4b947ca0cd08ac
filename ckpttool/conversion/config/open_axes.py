"""Open axes of inputs whose sizes are known from the means of a Normalization.

tf.keras builds a Normalization by the data that it is adapted to, whatever the shape of the model's input; Keras 3
builds it by that shape, and refuses an axis without a size (`Normalization.build`,
keras/src/layers/preprocessing/normalization.py, 2.15 and 3.15).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.alignment.alignment import Alignment
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model import Architecture, with_config
from ckpttool.model.arguments import Args
from ckpttool.model.graph import read_calls
from ckpttool.model.sizes import Shape, is_integer, read_shape

STATE_AXIS = Edit(
    "state-axis",
    "states the size of an open axis of an input: the number of means of its Normalization",
    "always: the layer takes no other size",
)
EDITS = (STATE_AXIS,)
_SHAPE = "batch_input_shape"


def with_known_sizes(architecture: Architecture, alignment: Alignment, journal: Journal) -> Architecture:
    """The architecture with the sizes of inputs that are known from Normalizations directly after them."""
    means = {
        slot.place.layer: slot.stored[0].weight.shape for slot in alignment.aligned if slot.place.slot.name == "mean"
    }
    config = architecture.config
    inner = config.get("config") if means and isinstance(config, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("layers"), list):
        return architecture
    entries = inner["layers"]
    sizes = dict(_sizes(entries, means))
    if not sizes:
        return architecture
    for at in sizes:
        journal.edit(STATE_AXIS, Args.of(entries[at]).name)
    changed = [_with_shape(entry, sizes[at]) if at in sizes else entry for at, entry in enumerate(entries)]
    config = {**config, "config": {**inner, "layers": changed}}
    return with_config(architecture, config) or architecture


def _with_shape(entry: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    return {**entry, "config": {**entry["config"], _SHAPE: list(shape)}}


def _sizes(entries: list[Any], means: Mapping[str, Shape]) -> Iterator[tuple[int, Shape]]:
    """The shapes of inputs that gain sizes, by the indices of the entries that have them."""
    layers = [Args.of(entry) for entry in entries]
    numbers = {args.name: at for at, args in enumerate(layers)}
    for at, args in enumerate(layers):
        if args.class_name != "Normalization" or args.name not in means:
            continue
        sources = [tensor.layer for call in read_calls(entries[at]) for tensor in call.tensors]
        place = numbers.get(sources[0], at) if sources else max(at - 1, 0)
        if layers[place].class_name != "InputLayer" and place != at:
            continue
        shape = read_shape(layers[place].config.get(_SHAPE))
        filled = _filled(shape, args.config.get("axis", -1), means[args.name]) if shape else None
        if filled != shape and filled is not None:
            yield place, filled


def _filled(shape: Shape, axis: Any, mean: Shape) -> Shape | None:
    """A shape with the sizes of a mean along its axes; None where the axes and the mean do not fit."""
    axes = axis if isinstance(axis, list) else [axis]
    if not all(is_integer(number) and -len(shape) <= number < len(shape) for number in axes) or len(axes) != len(mean):
        return None
    sizes = list(shape)
    for number, size in zip(sorted(number % len(shape) for number in axes), mean, strict=True):
        sizes[number] = size if sizes[number] is None else sizes[number]
    return tuple(sizes)
