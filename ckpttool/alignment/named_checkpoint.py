"""A checkpoint whose weights are reached by the names that `ckpttool ls` shows."""

import fnmatch
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from ckpttool.alignment.names import Name, Namer
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.errors import WeightNotFoundError, no_weight
from ckpttool.escape import brief_text, first_of, printable
from ckpttool.formats import open_checkpoint
from ckpttool.model import Architecture, architecture_of


class NamedCheckpoint(Checkpoint):
    """A checkpoint that knows its layers: `checkpoint.layers["stem"]["kernel"]`, `checkpoint.find("stem*/kernel")`.

    As a mapping, its keys are the stored paths, as those of every checkpoint.
    """

    __slots__ = ()

    def __enter__(self) -> "NamedCheckpoint":
        return self

    @property
    def layers(self) -> "Layers":
        """The layers with weights of the model, by the names that `ckpttool ls` shows, in the order of the file."""
        return self.facts.once("layers", _layers, self)

    def find(self, *globs: str) -> tuple[Weight, ...]:
        """The weights that match one of the globs, in the order of the file.

        A glob is compared with the layer, with the layer and the name, and with the stored path. Raises
        WeightNotFoundError where no weight matches.
        """
        weights = tuple(weight for weight, name in _names(self) if _matches(weight, name, globs))
        if not weights:
            expected = "a glob over layers, weights or stored paths, such as 'block5_*/kernel'"
            raise WeightNotFoundError(f"no weight matches {', '.join(globs)}", path=str(self.path), expected=expected)
        return weights


class Layers(Mapping[str, "Layer"]):
    """The layers of a checkpoint that have weights, by the names that `ckpttool ls` shows."""

    __slots__ = ("_layers", "_path")

    def __init__(self, path: Path, layers: "Mapping[str, Layer]") -> None:
        self._path, self._layers = path, layers

    def __getitem__(self, name: str) -> "Layer":
        try:
            return self._layers[name]
        except KeyError:
            raise no_weight(f"no layer with weights is called {name!r}", name, self._layers, str(self._path)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __repr__(self) -> str:
        return f"<Layers of {self._path.name!r}: {printable(first_of(list(self._layers), 3), 80)}>"


class Layer(Mapping[str, Weight]):
    """The weights of one layer, by the names that `ckpttool ls` shows."""

    __slots__ = ("_weights", "name")

    def __init__(self, name: str, weights: Mapping[str, Weight]) -> None:
        self.name, self._weights = name, weights

    def __getitem__(self, name: str) -> Weight:
        try:
            return self._weights[name]
        except KeyError:
            expected = ", ".join(list(self._weights)[:8])
            raise WeightNotFoundError(f"layer {self.name!r} has no weight {name!r}", expected=expected) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __repr__(self) -> str:
        weights = [f"{name} {weight.shape}" for name, weight in self._weights.items()]
        return f"<Layer {brief_text(self.name)}: {printable(first_of(weights, 3), 60)}>"


def open(path: str | os.PathLike[str], architecture: Architecture | None = None) -> NamedCheckpoint:
    """The checkpoint at `path`, a file or the directory of an unzipped `.keras`; close it when done.

    Reads names, shapes and configs, and no array. `architecture` gives the names of layers to weights alone. Raises a
    CheckpointError that names the path.
    """
    plain = open_checkpoint(path)
    named = NamedCheckpoint(**{field.name: getattr(plain, field.name) for field in fields(plain) if field.init})
    if architecture is not None:
        named.facts.once("architecture of names", lambda: architecture)
    return named


def _names(checkpoint: NamedCheckpoint) -> "tuple[tuple[Weight, Name], ...]":
    """All weights with their names, computed once for a checkpoint."""
    return checkpoint.facts.once("names", _computed_names, checkpoint)


def _computed_names(checkpoint: NamedCheckpoint) -> "tuple[tuple[Weight, Name], ...]":
    architecture = checkpoint.facts.once("architecture of names", architecture_of, checkpoint)
    namer = Namer.of(checkpoint, architecture)
    return tuple((weight, namer.name(weight)) for weight in checkpoint.values())


def _layers(checkpoint: NamedCheckpoint) -> Layers:
    by_layer = dict[str, dict[str, Weight]]()
    for weight, name in _names(checkpoint):
        if weight.section is Section.MODEL:
            by_layer.setdefault(name.layer, {})[name.label] = weight
    return Layers(checkpoint.path, {name: Layer(name, weights) for name, weights in by_layer.items()})


def _matches(weight: Weight, name: Name, globs: tuple[str, ...]) -> bool:
    texts = (name.layer, f"{name.layer}/{name.label}", weight.path)
    return any(fnmatch.fnmatchcase(text, glob) for text in texts for glob in globs)
