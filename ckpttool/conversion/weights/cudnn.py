"""Weights of layers for cuDNN where the architecture has the layers for any device, and the other way around."""

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


def laid_out(alignment: Alignment, rewritten: Rewritten, journal: Journal) -> Rewritten:
    """The rewritten model with the layout of all weights that were stored for the other kind of layer; each such layer
    is noted."""
    found = dict(rewritten.laid_out)
    for biases in _of_the_other_kind(alignment):
        layer = biases.place.layer
        owned = [one for one in alignment.aligned if _owner(one) == _owner(biases)]
        journal.edit(LAY_OUT, layer)
        if any(one.place.label in found for one in owned):  # what would be made of the weights of cuDNN
            found = {label: how for label, how in found.items() if label not in {one.place.label for one in owned}}
            continue
        found |= dict(_for_any_device(owned))
        if rewritten.scaled_at(biases.place.label) is not None:
            told = "hard_sigmoid, where the weights are of a layer for cuDNN, which has sigmoid"
            journal.guess(layer, f"as the architecture says, with {told}")
    return replace(rewritten, laid_out=found)


def _of_the_other_kind(alignment: Alignment) -> Iterator[Aligned]:
    """The biases that are stored as the counterpart of their layer has them."""
    for one in alignment.aligned:
        first = one.stored[0]
        form = first.slot.form_of(first.weight.shape) if first.slot else None
        if form is not None and form.counterpart:
            yield one


def _owner(one: Aligned) -> tuple[str, str]:
    return one.place.group, one.place.owner


def _for_any_device(owned: list[Aligned]) -> Iterator[tuple[str, Arrangement]]:
    """How the weights of one cell lie, by their labels; the state's kernel tells the number of gates."""
    shape = next(one.stored[0].weight.shape for one in owned if one.place.slot.name == "recurrent_kernel")
    for one in owned:
        yield one.place.label, Cudnn(one.place.slot.name, shape[1] // shape[0])
