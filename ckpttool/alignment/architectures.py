"""The architecture or the spec of a model, loaded from a whole model, from weights, or from a file of its own."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ckpttool.checkpoint import Checkpoint, Producer, Section
from ckpttool.errors import CheckpointError, UnknownFormatError
from ckpttool.formats import open_checkpoint
from ckpttool.formats.foreign import other_than_text
from ckpttool.io.sources import FileSource
from ckpttool.io.texts import is_text_file
from ckpttool.model import Architecture, architecture_of, plain_saved_models
from ckpttool.model.spec import Spec, SpecSlot, spec_of
from ckpttool.model.text_files import architecture_of_text, spec_of_text

Described = TypeVar("Described")

ARCHITECTURE = "architecture"
"""The kind of a checkpoint that is the architecture of a model, without weights."""


def load_architecture(path: str | os.PathLike[str]) -> Architecture:
    """The architecture in a `.keras`, a whole-model `.h5`, a `.json` or a `.yaml`; the content decides which it is.

    Raises a CheckpointError that names the path.
    """
    if not is_text_file(path):
        with open_checkpoint(path) as checkpoint:
            checkpoint.require_one_view()
            architecture = architecture_of(checkpoint)
            settings = checkpoint.training_config
            plain = plain_saved_models.refusal(checkpoint)
            contents = "no architecture, only weights" if checkpoint.weights else "neither an architecture nor weights"
        if architecture is None and plain is not None:
            raise plain
        if architecture is None:
            raise UnknownFormatError(
                f"stores {contents}",
                path=os.fspath(path),
                expected="a whole model, or an architecture in JSON or YAML",
                hint="weights alone need their model: name it with --arch where a command has that option",
            )
        return replace(architecture, training_config=settings) if settings else architecture
    return read_text(path, architecture_of_text)


def read_text(path: str | os.PathLike[str], read: Callable[[str | os.PathLike[str]], Described]) -> Described:
    """The value of a text. Raises a CheckpointError, which names the kind of the file where it is no such text."""
    try:
        return read(path)
    except CheckpointError as error:
        with FileSource(path) as source:
            other = other_than_text(source)
        if other is None:
            raise
        raise other.at(path=os.fspath(path)) from error


def open_model(path: str | os.PathLike[str]) -> Checkpoint:
    """The checkpoint at a path; an architecture in JSON or YAML as one that stores no weights. Close it when done.

    Raises a CheckpointError that names the path.
    """
    if os.path.isdir(path) or os.fspath(path).endswith(".weights.json") or not is_text_file(path):
        return open_checkpoint(path)
    try:
        architecture = architecture_of_text(path)
    except UnknownFormatError:
        return open_checkpoint(path)  # its error says what else the file is
    version = architecture.config.get("keras_version") if isinstance(architecture.config, Mapping) else None
    producer = Producer(keras_version=version if isinstance(version, str) else None)
    return Checkpoint(Path(path), ARCHITECTURE, os.path.getsize(path), {}, producer, architecture.config)


def load_spec(path: str | os.PathLike[str]) -> Spec:
    """The spec of a model: from a spec file, an architecture in JSON or YAML, a whole model, or weights.

    Weights give no more than their own places, shapes and dtypes.
    """
    if is_text_file(path) and not os.fspath(path).endswith(".weights.json"):
        return read_text(path, spec_of_text)
    with open_checkpoint(path) as checkpoint:
        checkpoint.require_one_view()
        architecture = architecture_of(checkpoint)
        try:
            return spec_of(architecture) if architecture else spec_of_weights(checkpoint)
        except CheckpointError as error:
            raise error.at(path=os.fspath(path)) from error.__cause__


def spec_of_weights(checkpoint: Checkpoint) -> Spec:
    """The spec of a model that takes exactly the weights of a checkpoint."""
    counts = Counter[str]()
    slots = []
    for weight in checkpoint.section(Section.MODEL):
        listed = weight.name is not None and weight.layer is not None
        layer = weight.layer or weight.path.rpartition("/vars/")[0]
        name = (weight.name or weight.path.rpartition("/")[2]).removesuffix(":0").removeprefix(f"{layer}/")
        place = ("", layer, counts[layer]) if listed else (weight.path, "", None)
        counts[layer] += 1
        slots.append(SpecSlot(layer, name, weight.shape, weight.dtype, True, *place))
    if not slots:
        raise UnknownFormatError("stores neither an architecture nor weights of a model", path=str(checkpoint.path))
    return Spec(checkpoint.path.name, tuple(slots), tuple(dict.fromkeys(slot.group for slot in slots if slot.group)))
