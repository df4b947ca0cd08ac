"""The config of a live model as it is written: as Keras saves it, with the compile settings of the checkpoint, and with
notes of what stands in the way and of what has to be there when it is loaded."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ckpttool.alignment.alignment import Alignment
from ckpttool.checkpoint import Checkpoint
from ckpttool.conversion.compile import crossentropies, regularizers
from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.options import Options
from ckpttool.conversion.targets import FORMS
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.slots import Part

LIVE_MODEL = Edit(
    "live-model",
    "writes the config that Keras saves of the model that your function returns (--arch)",
    "where that model computes what the old one did",
)
LIVE_COMPILE = Edit(
    "live-compile-settings",
    "writes loss, metrics and optimizer of the live model, where the file tells none that Keras 3 has",
    "always: as your function compiled it",
)
EDITS = (LIVE_MODEL, LIVE_COMPILE)

_OF_KERAS = ("keras.", "keras_", "builtins")


class Source(NamedTuple):
    """A checkpoint beside the live model whose weights it has: the model without the optimizer that it is compiled
    with, and which weight is which."""

    checkpoint: Checkpoint
    live: Architecture
    part: Part
    alignment: Alignment
    told: Architecture | None

    @property
    def by_paths(self) -> bool:
        """Whether the checkpoint keeps its weights by paths."""
        return self.checkpoint.kind in PATH_KINDS

    @property
    def generation(self) -> Generation | None:
        """Which Keras wrote the checkpoint, None where nothing tells."""
        if self.alignment.generation is not None:
            return self.alignment.generation
        version = self.checkpoint.producer.keras_version
        if version is None and self.checkpoint.producer.generation.startswith("Keras 3"):
            return Generation.KERAS_3
        return generation_of(self.told.config if self.told else None, version) if self.told or version else None


def config_of(source: Source, form: str, options: Options, journal: Journal) -> dict[str, Any]:
    """The config of the live model with the compile settings of the file, or else its own. What cannot be written, and
    what has to be there when it is loaded, is noted; nothing of that matters for weights alone."""
    live, whole = source.live, FORMS[form].whole
    journal.edit(LIVE_MODEL, live.name, live.class_name if whole else f"{live.class_name}, its weights alone")
    if not whole:
        return dict(live.config)
    if live.unwritten:
        told = f"its config cannot be written down: {live.unwritten[:200]}"
        journal.refuse(live.name, f"{told}; give its classes a get_config, or write weights alone (.weights.h5)")
    for name in _holders_of_code(live.config):
        journal.refuse(name, "holds a function as code, as a lambda; name a function that is registered instead")
    for name, what in _needed(live.config):
        journal.need(name, what)
    settings = _settings(source, journal) if options.compiled else None
    kept = {key: value for key, value in live.config.items() if key != "compile_config"}
    return {**kept, "compile_config": settings} if settings else kept


def _settings(source: Source, journal: Journal) -> Any:
    """The compile settings of the file, of which those of Keras 3 stay as they are; else those of the live model."""
    told, checkpoint = source.told, source.checkpoint
    stated = checkpoint.training_config or (told.config.get("compile_config") if told else None)
    if stated and source.by_paths and source.generation is Generation.KERAS_3:
        return stated
    ends = zip(told.outputs, source.live.outputs, strict=False) if told else ()
    outputs = [(old, new) for (old, _), (new, _) in ends]
    found = compile_config(stated, checkpoint.producer.keras_version, outputs, journal)
    if found is not None:
        crossentropies.note(source.live.config, found["loss"], checkpoint.producer.keras_version, journal)
        regularizers.note(source.live.config, journal)
    own = source.live.config.get("compile_config")
    if found is None and own:
        journal.edit(LIVE_COMPILE, "compile", str(_class_of(own.get("optimizer"))))
    return found or own


def _class_of(entry: Any) -> Any:
    return entry.get("class_name") if isinstance(entry, Mapping) else entry


def _entries(config: Any) -> Iterator[Mapping[str, Any]]:
    """All objects that a config states, however deep, in their order."""
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            if isinstance(value.get("class_name"), str) and "config" in value:
                yield value
            stack.extend(reversed(list(value.values())))
        elif isinstance(value, list):
            stack.extend(reversed(value))


def _holders_of_code(config: Any) -> Iterator[str]:
    """The names of the innermost layers that hold a function as code."""
    holder = ""
    for entry in _entries(config):
        if entry["class_name"] == "__lambda__":
            yield holder
        inner = entry["config"]
        holder = str(inner.get("name")) if isinstance(inner, Mapping) and "trainable" in inner else holder


def _needed(config: Any) -> Iterator[tuple[str, str]]:
    """The classes and functions of the user's own that Keras asks for when it loads a config, and how it gets them."""
    for entry in _entries(config):
        registered, module = entry.get("registered_name"), entry.get("module")
        if not isinstance(registered, str) or not isinstance(module, str) or f"{module}.".startswith(_OF_KERAS):
            continue
        name = entry["config"] if entry["class_name"] == "function" else entry["class_name"]
        if ">" in registered:
            yield registered, f"import {module}, which registers it"
        else:
            yield registered, f'keras.models.load_model(..., custom_objects={{"{registered}": {module}.{name}}})'
