"""Models in a model, of which Keras of many backends does not store whether they are frozen.

There, `trainable` of a model is an attribute of that alone, which its layers do not get and its config does not have
(`Network.trainable_weights` and `Network.get_config`, keras/engine/network.py, 2.2.4 and 2.3.1): a generator is saved
with a frozen discriminator, and after loading both are trained. Measured with 2.2.4, where Keras 3 trains the same
weights as the model that 2.2.4 loads, and not those of the model that it saved.

The state of the optimizer tells it, where the model was trained: it has arrays for the weights alone that were. 2.2.4
itself does not take such a state back (`load_model`, keras/engine/saving.py). Of a model in a model in the model, the
order of the stored weights tells it, too: those of a frozen one stand behind all that the model around it trains.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ckpttool.alignment.alignment import Aligned, Alignment
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.compile.optimizer_scalars import StateNotConvertible
from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.compile.stored_state import stored_state_of
from ckpttool.conversion.compile.trained_weights import Source, by_config
from ckpttool.conversion.config.nested_layers import MAX_NESTING, is_layer, nested_entries
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.origin import Origin
from ckpttool.escape import first_of
from ckpttool.model import Architecture, with_config
from ckpttool.model.layers.table import MODELS
from ckpttool.paths import join_path

FREEZE = Edit(
    "freeze-models",
    "freezes the models in the model for which the optimizer has no state, or whose weights are stored behind others",
    "where its arrays are those of one choice of frozen models, or the names of weights tell their order: these were "
    "frozen as the model was compiled or saved",
)
EDITS = (FREEZE,)
_SHOWN = 3
_MAX_MODELS = 6


def with_frozen(
    checkpoint: Checkpoint, architecture: Architecture, alignment: Alignment, origin: Origin, journal: Journal
) -> tuple[Architecture, Alignment]:
    """An architecture and its alignment with the models frozen of which the file shows that they were: by the state of
    the optimizer, or where it has none, by the order of weights; both unchanged where it does not."""
    if not origin.of_many_backends or alignment.left:
        return architecture, alignment
    models = [layer.path for layer in architecture.layers if layer.is_model]
    state = _State.of(checkpoint)
    frozen = (
        _by_order(checkpoint, alignment, models) if state is None else _by_state(checkpoint, alignment, models, state)
    )
    if not frozen:
        return architecture, alignment
    written = with_config(architecture, _with_frozen(architecture.config, frozen))
    journal.edit(FREEZE, WHERE, first_of(frozen, _SHOWN))
    slots = tuple(_frozen(slot) if _is_below(slot.place.layer, frozen) else slot for slot in alignment.aligned)
    return written or architecture, replace(alignment, aligned=slots)


def _by_state(checkpoint: Checkpoint, alignment: Alignment, models: Sequence[str], state: "_State") -> tuple[str, ...]:
    """The models for which the optimizer has no state; none where its arrays do not show which these are."""
    trained = by_config(checkpoint, alignment)
    if state.fits(trained) or not 0 < len(models) <= _MAX_MODELS:
        return ()
    fitting = [choice for choice, left in _choices(models, trained) if left and state.fits(left)]
    return fitting[0] if len(fitting) == 1 else ()


def _by_order(checkpoint: Checkpoint, alignment: Alignment, models: Sequence[str]) -> tuple[str, ...]:
    """The models in a model in the model whose weights are stored behind others that are trained, but stand before them
    in the model.

    `Network.trainable_weights` leaves out those of a frozen model, and `Network.weights` has all others behind them
    (keras/engine/network.py, 2.2.4; `Container`, keras/engine/topology.py, 1.2.2).
    """
    deep = [model for model in models if _is_below(model.rpartition("/")[0], models)]
    trained = [aligned for aligned in alignment.aligned if aligned.place.slot.trainable and aligned.stored]
    if not deep or not all(map(_has_name_of_layer, trained)):
        return ()  # without names, weights are held to be in the order of layers
    turns = {weight.path: turn for turn, weight in enumerate(checkpoint.section(Section.MODEL))}
    return tuple(model for model in deep if _is_stored_behind(model, deep, trained, turns))


def _is_stored_behind(model: str, deep: Sequence[str], trained: Sequence[Aligned], turns: Mapping[str, int]) -> bool:
    """Whether the weights of a model stand behind those of the layers around it, of which some come after it."""
    own = [at for at, aligned in enumerate(trained) if _is_below(aligned.place.layer, [model])]
    groups = {trained[at].place.group for at in own}
    around = [
        at
        for at, aligned in enumerate(trained)
        if aligned.place.group in groups and not _is_below(aligned.place.layer, deep)
    ]
    if not own or not around or around[-1] < own[0]:
        return False
    first = min(turns[part.weight.path] for at in own for part in trained[at].stored)
    return first > max(turns[part.weight.path] for at in around for part in trained[at].stored)


def _has_name_of_layer(aligned: Aligned) -> bool:
    """Whether the stored names of a weight have the name of its layer ("dense_1/kernel:0"; Keras 1: "dense_1_W")."""
    layer = aligned.place.layer.rpartition("/")[2]
    names = (f"/{part.weight.name}" for part in aligned.stored)
    return all(f"/{layer}/" in name or ("/" not in name[1:] and name.startswith(f"/{layer}_")) for name in names)


def note(
    checkpoint: Checkpoint, architecture: Architecture, alignment: Alignment, origin: Origin, journal: Journal
) -> None:
    """Note the models in a compiled model as trained, which they were not if the author had frozen them, unless the
    state of the optimizer shows which were."""
    if not origin.of_many_backends:
        return
    state = _State.of(checkpoint)
    if state is not None and state.fits(by_config(checkpoint, alignment)):
        return
    trained = [aligned.place.layer for aligned in alignment.aligned if aligned.place.slot.trainable]
    models = [layer.path for layer in architecture.layers if layer.is_model]
    frozen = {model for model in models if not any(_is_below(layer, [model]) for layer in trained)}
    wrapped = (label for label, entry in nested_entries(architecture.config) if entry["class_name"] in MODELS)
    labels = [label for label in dict.fromkeys([*models, *wrapped]) if label not in frozen]
    if labels:
        journal.guess(
            WHERE,
            f"models in the model are trained ({first_of(labels, _SHOWN)}): the file does not say whether they were "
            "frozen, and older ones train them after loading, too; if they were, set trainable=False and compile anew",
        )


class _State(NamedTuple):
    """The stored arrays of an optimizer that has begun, and its entry in the compile settings."""

    stored: Sequence[Weight]
    optimizer: Mapping[str, Any]

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "_State | None":
        """The state in a checkpoint; None where there are no arrays, or nothing says of which optimizer."""
        stored = checkpoint.section(Section.OPTIMIZER)
        settings = checkpoint.training_config
        optimizer = settings.get("optimizer_config") if isinstance(settings, Mapping) else None
        if not isinstance(optimizer, Mapping) or not isinstance(optimizer.get("class_name"), str):
            return None
        has_arrays = isinstance(optimizer.get("config"), Mapping) and any(weight.shape for weight in stored)
        return cls(stored, optimizer) if has_arrays else None

    def fits(self, trained: Sequence[Source]) -> bool:
        """Whether the arrays are those for these weights."""
        try:
            stored_state_of(self.stored, [source.weight.shape for source in trained], self.optimizer)
        except StateNotConvertible:
            return False
        return True


def _choices(models: Sequence[str], trained: Sequence[Source]) -> Iterator[tuple[tuple[str, ...], list[Source]]]:
    """The choices of frozen models that differ, the smallest first, each with the weights that are trained then."""
    seen = {tuple(source.label for source in trained)}
    for count in range(1, len(models) + 1):
        for frozen in itertools.combinations(models, count):
            left = [source for source in trained if not _is_below(source.label, frozen)]
            labels = tuple(source.label for source in left)
            if labels not in seen:
                seen.add(labels)
                yield frozen, left


def _is_below(label: str, models: Iterable[str]) -> bool:
    return f"{label}/".startswith(tuple(f"{model}/" for model in models))


def _frozen(aligned: Aligned) -> Aligned:
    slot = aligned.place.slot
    if not slot.trainable:
        return aligned
    return aligned._replace(place=replace(aligned.place, slot=replace(slot, trainable=False, frozen=True)))


def _with_frozen(value: Any, frozen: Sequence[str], label: str = "", depth: int = 0) -> Any:
    """A part of a config, below the layer of this label, with every layer in these models frozen."""
    if depth > MAX_NESTING:
        return value
    if isinstance(value, list):
        return [_with_frozen(item, frozen, label, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    if depth and is_layer(value):
        inner = value["config"]
        name = value.get("name", inner.get("name") if isinstance(inner, Mapping) else None)
        label = join_path(label, name if isinstance(name, str) else "")
    written = {key: _with_frozen(item, frozen, label, depth + 1) for key, item in value.items()}
    return {**written, "trainable": False} if "trainable" in value and _is_below(label, frozen) else written
