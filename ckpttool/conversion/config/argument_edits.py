"""What the words of Keras 0 to 2 became in those of Keras 3, told as edits: an entry as it stood against the one it is
today, layer by layer."""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.arguments import Args
from ckpttool.model.defaults import arguments_of
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import change_of
from ckpttool.model.layers.table import LAYERS

RENAME_CLASS = Edit("rename-class", "writes a layer under the class that Keras 3 has for it", "always: the same layer")
RENAME_ARGUMENT = Edit("rename-argument", "writes an argument under its name of today", "always: the same setting")
DROP_NEUTRAL = Edit(
    "drop-neutral-argument",
    "leaves out an argument that Keras 3 has no more",
    "its value asks for nothing, or has no part in what the layer computes",
)
RESPELL = Edit(
    "respell-value",
    "writes an initializer, regularizer, constraint, padding, data format or NumPy value as Keras 3 does",
    "always: the same object or value",
)
RESPELL_POLICY = Edit("respell-dtype-policy", "writes a dtype policy as Keras 3 does", "always: the same policy")
WRITE_DEFAULT = Edit(
    "write-default",
    "writes out what an argument was by default when the file was made",
    "always: Keras 3 has another default, or none",
    differs_without=True,
)
EDITS = (RENAME_CLASS, RENAME_ARGUMENT, DROP_NEUTRAL, RESPELL, RESPELL_POLICY, WRITE_DEFAULT)

_HELD = frozenset({"backward_layer", "cell", "cells", "layer", "layers", "input_layers", "output_layers"})
_PLACES = frozenset({"batch_input_shape", "batch_shape", "input_shape", "name"})


def note(old: Args, new: Args, generation: Generation, where: str, journal: Journal) -> None:
    """Notes what became of the class and the arguments of one layer, and refuses what Keras 3 does not take."""
    if new.class_name != old.class_name:
        journal.edit(RENAME_CLASS, where, f"{old.class_name} to {new.class_name}")
    if new.class_name in LAYERS:
        change = change_of(old.class_name, generation)
        _note_arguments(old.config, new.config, change.renames, where, journal)
        _check_arguments(new, where, journal)


def _note_arguments(
    old: Mapping[str, Any], new: Mapping[str, Any], renames: Mapping[str, str], where: str, journal: Journal
) -> None:
    renamed = [key for key in old if key not in new and renames.get(key) in new]
    if renamed:
        journal.edit(RENAME_ARGUMENT, where, ", ".join(f"{key} to {renames[key]}" for key in renamed))
    before = {**old, **{renames[key]: old[key] for key in renamed}}
    other = [key for key in new if key in before and before[key] != new[key] and key not in _HELD | _PLACES]
    gone = [key for key in old if key not in new and key not in renamed and key not in _PLACES]
    dropped = [f"{key}={_shown(old[key])}" for key in gone]
    dropped += [f"{key}'s dtype" for key in other if _loses_dtype(before[key])]
    if dropped:
        journal.edit(DROP_NEUTRAL, where, ", ".join(dropped))
    if "dtype" in other:
        journal.edit(RESPELL_POLICY, where, "dtype")
        other.remove("dtype")
    if other:
        journal.edit(RESPELL, where, ", ".join(other))
    written = [key for key in new if key not in before and key not in _HELD | _PLACES]
    if written:
        journal.edit(WRITE_DEFAULT, where, ", ".join(f"{key}={_shown(new[key])}" for key in written))


def _loses_dtype(value: Any) -> bool:
    """Whether an initializer has a dtype of its own, as in tf.keras 2.0 to 2.3, which that of Keras 3 does not take;
    `Constant` reads no more than its value (keras/src/initializers/constant_initializers.py, 3.15)."""
    config = value.get("config") if isinstance(value, Mapping) else None
    return isinstance(config, Mapping) and "dtype" in config and value.get("class_name") != "Constant"


def _check_arguments(new: Args, where: str, journal: Journal) -> None:
    """Refuses the arguments that the class of today does not take."""
    for key in _unknown(new):
        journal.refuse(where, f"{new.class_name} of Keras 3 has no argument {key}, which is {_shown(new.config[key])}")


def _unknown(new: Args) -> Iterator[str]:
    known = arguments_of(new.class_name)
    if known is None or new.class_name in ("Functional", "Sequential"):
        return
    yield from (key for key in new.config if key not in known)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
