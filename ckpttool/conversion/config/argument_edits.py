"""Edits for every renamed, dropped or respelled class and argument of a layer, found by comparing old and new entry."""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.arguments import Args
from ckpttool.model.defaults import arguments_of
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import change_of
from ckpttool.model.layers.table import LAYERS

RENAME_CLASS = Edit("rename-class", "writes a layer under the class that Keras 3 has for it", "always: the same layer")
RENAME_ARGUMENT = Edit("rename-argument", "writes an argument under its name in Keras 3", "always: the same setting")
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

_DEFAULT = ("data_format", "channels_last")
"""What Keras 3 takes by itself, unless its user has set another order (`image_data_format`,
keras/src/backend/config.py, 3.15)."""

_LAYER_ARGUMENTS = frozenset({"backward_layer", "cell", "cells", "layer", "layers", "input_layers", "output_layers"})
_SHAPE_AND_NAME = frozenset({"batch_input_shape", "batch_shape", "input_shape", "name"})


def note_changes(old: Args, new: Args, generation: Generation, where: str, journal: Journal) -> None:
    """Note the edits between the old and the new class and arguments of one layer. Refuse arguments that Keras 3 does
    not take."""
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
    other = [
        key
        for key in new
        if key in before and before[key] != new[key] and key not in _LAYER_ARGUMENTS | _SHAPE_AND_NAME
    ]
    dropped_keys = [key for key in old if key not in new and key not in renamed and key not in _SHAPE_AND_NAME]
    dropped = [f"{key}={_shown(old[key])}" for key in dropped_keys]
    dropped += [f"{key}'s dtype" for key in other if _loses_dtype(before[key])]
    if dropped:
        journal.edit(DROP_NEUTRAL, where, ", ".join(dropped))
    if "dtype" in other:
        journal.edit(RESPELL_POLICY, where, "dtype")
        other.remove("dtype")
    if other:
        journal.edit(RESPELL, where, ", ".join(other))
    written = [key for key in new if key not in before and key not in _LAYER_ARGUMENTS | _SHAPE_AND_NAME]
    if written:
        is_default = all((key, new[key]) == _DEFAULT for key in written)
        journal.edit(WRITE_DEFAULT, where, ", ".join(f"{key}={_shown(new[key])}" for key in written), is_default)


def _loses_dtype(value: Any) -> bool:
    """Whether the dtype of an initializer is dropped: it has one in tf.keras 2.0 to 2.3, and takes none in Keras 3.

    `Constant` ignores it instead (keras/src/initializers/constant_initializers.py, 3.15).
    """
    config = value.get("config") if isinstance(value, Mapping) else None
    return isinstance(config, Mapping) and "dtype" in config and value.get("class_name") != "Constant"


def _check_arguments(new: Args, where: str, journal: Journal) -> None:
    """Refuse the arguments that the class of Keras 3 does not take."""
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
