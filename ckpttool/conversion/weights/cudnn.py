"""Weights of layers for cuDNN in an architecture with the layers for any device, and the other way around."""

from collections.abc import Iterator
from dataclasses import replace

from ckpttool.alignment.alignment import Aligned, Alignment
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.weights.transforms import Arrangement, Cudnn

LAY_OUT = Edit(
    "lay-out-cudnn-weights",
    "lays out the weights of a CuDNNLSTM or CuDNNGRU for the LSTM or GRU that the architecture has, or takes those of "
    "one of these for a layer of cuDNN as they are",
    "where the layer of the architecture has the activations of cuDNN, tanh and sigmoid",
)
EDITS = (LAY_OUT,)


def arrangements(alignment: Alignment, rewritten: Rewritten, journal: Journal) -> Rewritten:
    """The rewritten model with the arrangements of weights that were stored for the other kind of layer. Each such
    layer is noted."""
    by_label = dict(rewritten.arrangements)
    for biases in _of_the_other_kind(alignment):
        layer = biases.place.layer
        owned = [aligned for aligned in alignment.aligned if _owner(aligned) == _owner(biases)]
        journal.edit(LAY_OUT, layer)
        if any(aligned.place.label in by_label for aligned in owned):  # what would be made of the weights of cuDNN
            by_label = {
                label: how for label, how in by_label.items() if label not in {aligned.place.label for aligned in owned}
            }
            continue
        by_label |= dict(_for_any_device(owned))
        if rewritten.scaled_at(biases.place.label) is not None:
            reason = "hard_sigmoid, where the weights are of a layer for cuDNN, which has sigmoid"
            journal.guess(layer, f"as the architecture says, with {reason}")
    return replace(rewritten, arrangements=by_label)


def _of_the_other_kind(alignment: Alignment) -> Iterator[Aligned]:
    """The biases that are stored in the form of the other kind of layer."""
    for aligned in alignment.aligned:
        first = aligned.stored[0]
        form = first.slot.form_of(first.weight.shape) if first.slot else None
        if form is not None and form.counterpart:
            yield aligned


def _owner(aligned: Aligned) -> tuple[str, str]:
    return aligned.place.group, aligned.place.owner


def _for_any_device(owned: list[Aligned]) -> Iterator[tuple[str, Arrangement]]:
    """The arrangements of the weights of one cell, by their labels."""
    # The kernel of the state has the units as rows, and those of all gates as columns.
    shape = next(aligned.stored[0].weight.shape for aligned in owned if aligned.place.slot.name == "recurrent_kernel")
    for aligned in owned:
        yield aligned.place.label, Cudnn(aligned.place.slot.name, shape[1] // shape[0])
