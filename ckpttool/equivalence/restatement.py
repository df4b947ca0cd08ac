"""A checkpoint of an older Keras in the form that `convert` would write, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ckpttool.alignment.alignment import align
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.config.adapted_layers import WRITE_BOUNDARIES
from ckpttool.conversion.config.hard_sigmoid import REGISTERED
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import Options
from ckpttool.conversion.payload import Prepared
from ckpttool.conversion.preparation import prepare
from ckpttool.conversion.targets import WEIGHTS, WHOLE
from ckpttool.errors import ConversionError
from ckpttool.formats.weight_paths import is_of_inner_optimizer, named, section_of, split
from ckpttool.formats.write.legacy import KERAS_VERSION
from ckpttool.formats.write.path_layout import Content
from ckpttool.model import Architecture
from ckpttool.model.checkpoint_architecture import share_architecture
from ckpttool.model.config import mappings_in
from ckpttool.model.layers.layer_type import Trait
from ckpttool.model.layers.table import with_trait

MAX_NODES = 1_000_000
"""The most values of a config that are searched for the options that a user chose for its conversion."""

_WITH_CODE = with_trait(Trait.CODE)


@dataclass(frozen=True, slots=True)
class Restatement:
    """A checkpoint in the form of Keras 3; its weights have the paths of Keras 3 and are changed when they are read.

    `stored` are the paths in the file by the paths of Keras 3, `renamed` the old labels of renamed layers by the new
    ones. `left` are the weights of the file's model that the converted model does not have.
    """

    checkpoint: Checkpoint
    architecture: Architecture | None
    prepared: Prepared
    journal: Journal
    stored: Mapping[str, str]
    renamed: Mapping[str, str]
    left: tuple[Weight, ...]


def restatement(checkpoint: Checkpoint, architecture: Architecture | None, options: Options) -> Restatement:
    """A checkpoint as `convert` would write it; `architecture` is for weights alone.

    Raises CheckpointError where it has no exact form in Keras 3, or its weights do not fit its config.
    """
    journal, whole = Journal(), checkpoint.config is not None
    form = WHOLE if whole else WEIGHTS
    prepared = prepare(checkpoint, None if whole else architecture, form, options, journal)
    if journal.refusals:
        raise ConversionError("has no exact form in Keras 3", journal.refusals, path=str(checkpoint.path))
    model = prepared.payload.model
    config = model.config if isinstance(model.config, Mapping) else None
    weights = dict(_weights(model.content))
    converted = replace(
        checkpoint,
        kind=checkpoint.kind if checkpoint.format.has_paths else WEIGHTS,
        weights=weights,
        producer=replace(checkpoint.producer, keras_version=KERAS_VERSION, backend=None, inferred_backend=None),
        config=config if whole else None,
        training_config=config.get("compile_config") if whole and config else None,
        layer_names=(),
    )
    share_architecture(prepared.target, converted)
    stored = {path: weight.path for path, weight in model.content.weights.items()}
    renamed = {new: old for old, new in prepared.renamed}
    left = tuple(_left(checkpoint, architecture, prepared, journal))
    return Restatement(converted, prepared.target, prepared, journal, stored, renamed, left)


def _left(
    checkpoint: Checkpoint, architecture: Architecture | None, prepared: Prepared, journal: Journal
) -> Iterator[Weight]:
    """The weights of a model that a conversion does not use, neither as weights nor in arguments."""
    used = {path for placed in prepared.placed for path in placed.stored}
    used |= {weight.path for weight in prepared.payload.model.content.weights.values()}
    # What TensorFlow stores beside the weights, counters, random states and tables of counts, no model of Keras 3 has.
    others = () if checkpoint.format.is_of_tensorflow else checkpoint.section(Section.OTHER)
    others = tuple(weight for weight in others if not is_of_inner_optimizer(split(weight.path)))  # told as a loss
    stored = (*checkpoint.section(Section.MODEL), *others)
    left = [weight for weight in stored if weight.path not in used]
    settings = {applied.where for applied in journal.edits if applied.edit is WRITE_BOUNDARIES}
    places = align(checkpoint, architecture).by_path() if left and settings and architecture else {}
    return (weight for weight in left if weight.path not in places or places[weight.path].layer not in settings)


def _weights(content: Content) -> Iterator[tuple[str, Weight]]:
    """The weights by path, as a file with this content would have them."""
    names = {split(path) if path else (): name for path, name in content.names.items() if name}
    for path, weight in content.weights.items():
        section = Section.OTHER if weight.section is Section.OTHER else section_of(split(path))
        layer, part = named(split(path)[:-2], names) if section is Section.MODEL else (None, "")
        yield path, replace(weight, path=path, section=section, layer=layer, part=part, name=None)


def chosen_for(config: Any) -> Options:
    """The options that a user must have chosen for a conversion to result in this config.

    They are `keep_weights` for the old hard_sigmoid as a registered function, and functions for Lambda layers.
    """
    keeps, functions = False, dict[str, str]()
    for value in islice(mappings_in(config), MAX_NODES):
        keeps |= value.get("config") == REGISTERED
        inner = value.get("config")
        if value.get("class_name") in _WITH_CODE and isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
            functions[inner["name"]] = _place(inner.get("function"))
    return Options(keep_weights=keeps, functions={name: place for name, place in functions.items() if place})


def _place(function: Any) -> str:
    """The place of a function that a config names, as `package.module:function`; empty for any other function."""
    if not isinstance(function, Mapping) or function.get("class_name") != "function":
        return ""
    module, name = function.get("module"), function.get("config")
    is_named = isinstance(module, str) and module != "builtins" and isinstance(name, str)
    return f"{module}:{name}" if is_named else ""
