"""The config of a live model as Keras saves it, with the compile settings of the checkpoint; code in it is refused, and
the needs of its own classes are noted."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ckpttool.alignment.alignment import Alignment
from ckpttool.checkpoint import Checkpoint
from ckpttool.conversion.compile import batch_statistics, crossentropies, regularizers
from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.options import Options
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.targets import FORMS
from ckpttool.model import Architecture
from ckpttool.model.config import mappings_in
from ckpttool.model.entries import names_no_other
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.slots import Part

LIVE_MODEL = Edit(
    "live-model",
    "writes the config that Keras saves of the model that your function returns (--arch)",
    "where that model computes what the old one did",
)
LIVE_COMPILE = Edit(
    "live-compile-settings",
    "writes loss, metrics and optimizer of the live model, where the file has none that Keras 3 has",
    "always: as your function compiled it",
)
EDITS = (LIVE_MODEL, LIVE_COMPILE)


class Source(NamedTuple):
    """A checkpoint and the live model that gets its weights. `part` is that model without its optimizer,
    `stored_architecture` that of the checkpoint's own config, if it has one."""

    checkpoint: Checkpoint
    live: Architecture
    part: Part
    alignment: Alignment
    stored_architecture: Architecture | None

    @property
    def by_paths(self) -> bool:
        """Whether the checkpoint has the path layout."""
        return self.checkpoint.format.has_paths

    @property
    def generation(self) -> Generation | None:
        """The generation of Keras that wrote the checkpoint, None where it is not known."""
        if self.alignment.generation is not None:
            return self.alignment.generation
        version = self.checkpoint.producer.keras_version
        if version is None and self.checkpoint.producer.generation.startswith("Keras 3"):
            return Generation.KERAS_3
        config = self.stored_architecture.config if self.stored_architecture else None
        return generation_of(config, version) if self.stored_architecture or version else None


def config_of(source: Source, form: str, options: Options, journal: Journal) -> dict[str, Any]:
    """The config of the live model with the compile settings of the file, or else its own.

    For a whole model, parts that cannot be written are refused, and needs are noted.
    """
    live, whole = source.live, FORMS[form].whole
    journal.edit(LIVE_MODEL, live.name, live.class_name if whole else f"{live.class_name}, its weights alone")
    if not whole:
        return dict(live.config)
    if live.unwritten:
        problem = f"its config cannot be written down: {live.unwritten[:200]}"
        journal.refuse(live.name, f"{problem}; give its classes a get_config, or write weights alone (.weights.h5)")
    for name in _holders_of_code(live.config):
        journal.refuse(name, "has a function as code, such as a lambda; use a registered function instead")
    for name, text in _needed(live.config):
        journal.need(name, text)
    settings = _settings(source, journal) if options.compiled else None
    config = {key: value for key, value in live.config.items() if key != "compile_config"}
    return {**config, "compile_config": settings} if settings else config


def _settings(source: Source, journal: Journal) -> Any:
    """The compile settings of the file, unchanged if they are of Keras 3; else those of the live model."""
    stored, checkpoint = source.stored_architecture, source.checkpoint
    settings = checkpoint.training_config or (stored.config.get("compile_config") if stored else None)
    if settings and source.by_paths and source.generation is Generation.KERAS_3:
        return settings
    ends = zip(stored.outputs, source.live.outputs, strict=False) if stored else ()
    outputs = [(old, new) for (old, _), (new, _) in ends]
    config = stored.config if stored else None
    converted = compile_config(settings, checkpoint.producer.keras_version, outputs, journal, model=config)
    if converted is not None:
        version = checkpoint.producer.keras_version
        crossentropies.note_differences(source.live.config, converted, version, journal)
        regularizers.note_frozen(source.live.config, journal)
        if source.generation is not None:
            origin = Origin.of(source.checkpoint, None, source.generation)
            regularizers.note_outputs(source.live.config, origin.of_many_backends, journal)
            batch_statistics.note(source.live.config, origin, journal)
    own = source.live.config.get("compile_config")
    if converted is None and own:
        journal.edit(LIVE_COMPILE, "compile", str(_class_of(own.get("optimizer"))))
    return converted or own


def _class_of(entry: Any) -> Any:
    return entry.get("class_name") if isinstance(entry, Mapping) else entry


def _entries(config: Any) -> Iterator[Mapping[str, Any]]:
    """The entries of all objects in a config, at any depth, in their order."""
    return (entry for entry in mappings_in(config) if isinstance(entry.get("class_name"), str) and "config" in entry)


def _holders_of_code(config: Any) -> Iterator[str]:
    """The names of the innermost layers that have a function as code."""
    holder = ""
    for entry in _entries(config):
        if entry["class_name"] == "__lambda__":
            yield holder
        inner = entry["config"]
        holder = str(inner.get("name")) if isinstance(inner, Mapping) and "trainable" in inner else holder


def _needed(config: Any) -> Iterator[tuple[str, str]]:
    """The classes and functions of the user's own that Keras needs to load a config, each with how to provide it."""
    for entry in _entries(config):
        registered, module = entry.get("registered_name"), entry.get("module")
        if not isinstance(registered, str) or not isinstance(module, str) or names_no_other(module):
            continue
        name = entry["config"] if entry["class_name"] == "function" else entry["class_name"]
        if ">" in registered:
            yield registered, f"import {module}, which registers it"
        else:
            yield registered, f'keras.models.load_model(..., custom_objects={{"{registered}": {module}.{name}}})'
