"""hard_sigmoid in a live model that gets weights of Keras 0 to 2, where it had another slope: which weights take the
factor."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ckpttool.conversion.config import hard_sigmoid
from ckpttool.conversion.config.hard_sigmoid import ANOTHER_SLOPE, OLD, Scaled
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model import Architecture
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.paths import join_path

_GATES = "recurrent_activation"
_BELOW = ("layer", "backward_layer", "cell")
_OLD_FUNCTION = "name the function ckpttool.old_activations.hard_sigmoid in your model instead"


def scaled_in(live: Architecture, generation: Generation | None, journal: Journal) -> dict[str, Scaled]:
    """The layers of a live model whose weights take the factor, by their labels. Refuses those where no weights can,
    and notes where nothing tells which Keras wrote the weights."""
    found = dict[str, Scaled]()
    for label, args in _using_it(live) if generation is not Generation.KERAS_3 else ():
        how = hard_sigmoid.scaled(args)
        used = ", ".join(hard_sigmoid.uses_old(args))
        if args.foreign:
            journal.guess(label, f"{args.class_name} of your own has hard_sigmoid as {used}, {ANOTHER_SLOPE}")
        elif generation is None:
            told = "nothing tells whether the weights are of Keras 3"
            journal.guess(label, f"hard_sigmoid as {used}, {ANOTHER_SLOPE}: {told}, and they stay as they are")
        elif how is None:
            journal.refuse(label, f"{args.class_name} with {OLD} as {used}, {ANOTHER_SLOPE}; {_OLD_FUNCTION}")
        else:
            journal.edit(hard_sigmoid.SCALE_WEIGHTS, label, used)
            found[label] = how
    return found


def note_sigmoid(
    live: Architecture, generation: Generation, origin: Origin, laid_out: Iterable[str], journal: Journal
) -> None:
    """Note the gates of a live model that have sigmoid, the default of Keras since 2.3, where weights alone of an older
    Keras are given, whose default was hard_sigmoid. `laid_out` are the labels of weights of cuDNN, which has sigmoid.

    keras/layers/recurrent.py, 2.2.4 and 2.3.1.
    """
    if generation > Generation.KERAS_1 and not (origin.of_many_backends and origin.before(2, 3)):
        return
    owners = {label.rpartition("/")[0] for label in laid_out}
    found = [
        label
        for label, args in _entries(live)
        if args.config.get(_GATES) == "sigmoid" and not any(f"{one}/".startswith(f"{label}/") for one in owners)
    ]
    if found:
        told = f"{_GATES} is sigmoid in your model, and was hard_sigmoid by default before Keras 2.3"
        journal.guess(", ".join(found), f"{told}: name hard_sigmoid there unless the old model named sigmoid")


def _using_it(live: Architecture) -> Iterator[tuple[str, Args]]:
    """The layers that the config of a live model says have the function, with their labels."""
    return ((label, args) for label, args in _entries(live) if hard_sigmoid.uses_old(args))


def _entries(live: Architecture) -> Iterator[tuple[str, Args]]:
    """The layers in the config of a live model, and those that they hold, with their labels."""
    for layer in live.layers:
        if isinstance(layer.entry, Mapping) and not layer.is_model:
            yield from _in_entry(layer.entry, layer.path)


def _in_entry(entry: Mapping[str, Any], label: str) -> Iterator[tuple[str, Args]]:
    """A layer, and those that it holds."""
    args = Args.of(entry, label.count("/"))
    yield label, args
    held = [(key, args.config[key]) for key in _BELOW if isinstance(args.config.get(key), Mapping)]
    for key in ("cells", "layers"):
        held += [(key, one) for one in args.config.get(key) or () if isinstance(one, Mapping)]
    for key, one in held if not args.foreign else ():
        yield from _below(args, key, one, label)


def _below(args: Args, key: str, entry: Mapping[str, Any], label: str) -> Iterator[tuple[str, Args]]:
    """A layer that another holds; Bidirectional makes its backward layer of the forward one where it has no other."""
    name = Args.of(entry).name
    if (args.class_name, key) != ("Bidirectional", "layer"):
        yield from _in_entry(entry, join_path(label, name))
        return
    name = name.removeprefix("forward_")
    for direction in ("forward", *(["backward"] if "backward_layer" not in args else [])):
        yield from _in_entry(entry, join_path(label, f"{direction}_{name}"))
