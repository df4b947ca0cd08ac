"""Layers that get others around them in Keras 3, since alone they would compute something else there."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ckpttool.conversion.config import misadded_biases, theano_padding
from ckpttool.conversion.journal import Edit
from ckpttool.model.arguments import Args
from ckpttool.model.entries import layer_entry
from ckpttool.model.sizes import Shape
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent

SLOTS = frozenset({"kernel", "bias", "depthwise_kernel", "pointwise_kernel"})
"""The weights of the layers that get others around them."""


class Surrounded(NamedTuple):
    """The layers in the place of one, the name of that one among them, and the edit that this is, with its detail."""

    layers: list[dict[str, Any]]
    name: str
    edit: Edit
    detail: str


def surrounded(args: Args, entry: Mapping[str, Any], shape: Shape | None, theano: bool) -> Surrounded | None:
    """A layer with an input of this shape, which ran on Theano or on another backend, with layers around it; None for
    one that stays as it is. Raises NoEquivalent where Theano padded as no layer of Keras 3 does."""
    reason = theano_padding.refused(args, shape) if theano else None
    if reason:
        raise NoEquivalent(reason)
    pads = theano_padding.pads(args, shape) if theano else None
    moves = misadded_biases.is_misadded(args, shape)
    if pads is not None and moves:
        raise NoEquivalent(f"{args.class_name} as Theano padded, whose bias Keras 3 adds along its width")
    if pads is not None:
        layers = [_entry(theano_padding.zeros(args, pads)), theano_padding.unpadded(args, entry)]
        return Surrounded(layers, theano_padding.named(args), theano_padding.WRITE_PADDING, f"{pads}")
    if moves:
        before, behind = misadded_biases.layers_around(args)
        layers = [*map(_entry, before), misadded_biases.of_channels_last(args, entry), *map(_entry, behind)]
        return Surrounded(layers, misadded_biases.named(args), misadded_biases.WRITE_LAST, "")
    return None


def _entry(args: Args) -> dict[str, Any]:
    return layer_entry(args.class_name, args.config)
