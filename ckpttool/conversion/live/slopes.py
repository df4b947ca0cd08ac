"""Weights of Keras 0 to 2 for a live model with hard_sigmoid, whose slope was 0.2 and is 1/6: those that are multiplied
by the factor."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ckpttool.conversion.config import hard_sigmoid
from ckpttool.conversion.config.hard_sigmoid import ANOTHER_SLOPE, HARD_SIGMOID, ScaledWeights
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model import Architecture
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.paths import join_path

_GATES = "recurrent_activation"
_INNER_KEYS = ("layer", "backward_layer", "cell")
_ADVICE = "name the function ckpttool.old_activations.hard_sigmoid in your model instead"


def scaled_in(live: Architecture, generation: Generation | None, journal: Journal) -> dict[str, ScaledWeights]:
    """The layers of a live model whose weights are multiplied, by their labels.

    Layers whose weights cannot make up for the slope are refused. Where the writer of the weights is not known, the
    weights are unchanged, which is noted as a guess.
    """
    scaled = dict[str, ScaledWeights]()
    for label, args in _with_hard_sigmoid(live) if generation is not Generation.KERAS_3 else ():
        layer_scaled = hard_sigmoid.scaled_weights(args)
        used = ", ".join(hard_sigmoid.old_function_keys(args))
        if args.foreign:
            journal.guess(label, f"{args.class_name} of your own has hard_sigmoid as {used}, {ANOTHER_SLOPE}")
        elif generation is None:
            text = "it is not known whether the weights are of Keras 3"
            journal.guess(label, f"hard_sigmoid as {used}, {ANOTHER_SLOPE}: {text}, and they stay as they are")
        elif layer_scaled is None:
            journal.refuse(label, f"{args.class_name} with {HARD_SIGMOID} as {used}, {ANOTHER_SLOPE}; {_ADVICE}")
        else:
            journal.edit(hard_sigmoid.SCALE_WEIGHTS, label, used)
            scaled[label] = layer_scaled
    return scaled


def note_sigmoid(
    live: Architecture, generation: Generation, origin: Origin, arrangements: Iterable[str], journal: Journal
) -> None:
    """Note the gates of a live model with sigmoid, the default of Keras since 2.3, for weights alone of an older Keras,
    whose default was hard_sigmoid. `arrangements` are the labels of weights of cuDNN, which always has sigmoid.

    keras/layers/recurrent.py, 2.2.4 and 2.3.1.
    """
    if generation > Generation.KERAS_1 and not (origin.of_many_backends and origin.before(2, 3)):
        return
    owners = {label.rpartition("/")[0] for label in arrangements}
    labels = [
        label
        for label, args in _entries(live)
        if args.config.get(_GATES) == "sigmoid" and not any(f"{owner}/".startswith(f"{label}/") for owner in owners)
    ]
    if labels:
        text = f"{_GATES} is sigmoid in your model, and was hard_sigmoid by default before Keras 2.3"
        journal.guess(", ".join(labels), f"{text}: name hard_sigmoid there unless the old model named sigmoid")


def _with_hard_sigmoid(live: Architecture) -> Iterator[tuple[str, Args]]:
    """The layers with hard_sigmoid in the config of a live model, with their labels."""
    return ((label, args) for label, args in _entries(live) if hard_sigmoid.old_function_keys(args))


def _entries(live: Architecture) -> Iterator[tuple[str, Args]]:
    """The layers in the config of a live model, and the layers within them, with their labels."""
    for layer in live.layers:
        if isinstance(layer.entry, Mapping) and not layer.is_model:
            yield from _in_entry(layer.entry, layer.path)


def _in_entry(entry: Mapping[str, Any], label: str) -> Iterator[tuple[str, Args]]:
    """A layer and the layers within it, with their labels."""
    args = Args.of(entry, label.count("/"))
    yield label, args
    inner = [(key, args.config[key]) for key in _INNER_KEYS if isinstance(args.config.get(key), Mapping)]
    for key in ("cells", "layers"):
        inner += [(key, inner_entry) for inner_entry in args.config.get(key) or () if isinstance(inner_entry, Mapping)]
    for key, inner_entry in inner if not args.foreign else ():
        yield from _in_wrapper(args, key, inner_entry, label)


def _in_wrapper(args: Args, key: str, entry: Mapping[str, Any], label: str) -> Iterator[tuple[str, Args]]:
    """The layer under a key of a wrapper, and the layers within it, with their labels.

    The layer of a Bidirectional comes twice, forward and backward, unless it names a backward layer of its own.
    """
    name = Args.of(entry).name
    if (args.class_name, key) != ("Bidirectional", "layer"):
        yield from _in_entry(entry, join_path(label, name))
        return
    name = name.removeprefix("forward_")
    for direction in ("forward", *(["backward"] if "backward_layer" not in args else [])):
        yield from _in_entry(entry, join_path(label, f"{direction}_{name}"))
