"""The parts of a checkpoint, which a reader collects while it reads a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
from ckpttool.errors import CheckpointError, UnsafeFileError, UnsupportedError
from ckpttool.formats import foreign
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5.headers import find_signature
from ckpttool.formats.hdf5.tree import Tree, read_tree
from ckpttool.formats.hdf5.values import Refused, problem, steps_of_values, values_of
from ckpttool.io import dtypes, json_text
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.io.sources import FileSource, Source

if TYPE_CHECKING:
    from ckpttool.object_graph import ObjectGraph
    from ckpttool.saved_model import SavedModel

_REFUSAL_STEPS = 4  # the price of a refusal
_WEIGHT_STEPS = 60


@dataclass(slots=True)
class Parts:
    """A checkpoint in the making, and the budget of the file or files that it is read from."""

    budget: Budget
    weights: dict[str, Weight] = field(default_factory=dict)
    producer: Producer = field(default_factory=Producer)
    config: Any = None
    training_config: Any = None
    layer_names: list[str] = field(default_factory=list)
    object_names: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    check_bytes: Callable[[], None] | None = None
    object_graph: ObjectGraph | None = None
    saved_model: SavedModel | None = None
    closers: list[Callable[[], None]] = field(default_factory=list)

    def refuse(self, kind: str, place: str, detail: str) -> None:
        """Add the refusal of a part that reading leaves alone."""
        self.budget.spend(_REFUSAL_STEPS + steps_of_text(place))
        self.refusals.append(Refusal(kind, place, detail))

    def json(self, raw: bytes | str | None, place: str) -> Any:
        """The value of a JSON text, or None where it cannot be read, which is refused; oddities are refused too."""
        if raw is None:
            return None
        try:
            parsed = json_text.parse(raw, place, self.budget)
        except CheckpointError as error:
            self.refusals.append(Refusal.from_error(error, place))
            return None
        for oddity in parsed.oddities:
            self.refuse(oddity.kind, place, oddity.text)
        return parsed.value

    def small_file(self, path: Path) -> bytes | None:
        """The bytes of a JSON file beside the weights, or None where it cannot be read, which is refused."""
        try:
            with FileSource(path, self.budget) as source:
                return json_text.read_whole(source, path.name)
        except CheckpointError as error:
            self.refusals.append(Refusal.from_error(error, path.name))
            return None

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close everything when reading failed; a finished checkpoint leaves it open."""
        if kind is not None:
            self.close()

    def close(self) -> None:
        """Close everything that was opened."""
        for closer in reversed(self.closers):
            closer()

    def checkpoint(self, path: str | os.PathLike[str], kind: str, size: int) -> Checkpoint:
        """The finished checkpoint."""
        return Checkpoint(
            path=Path(path),
            kind=kind,
            size=size,
            weights=self.weights,
            producer=self.producer,
            config=self.config,
            training_config=self.training_config,
            layer_names=tuple(self.layer_names),
            object_names=self.object_names,
            refusals=tuple(self.refusals),
            notes=tuple(self.notes),
            files=tuple(self.files),
            check_bytes=self.check_bytes,
            object_graph=self.object_graph,
            saved_model=self.saved_model,
            release=self.close,
        )


@dataclass(frozen=True, slots=True)
class Hdf5Input:
    """An HDF5 file being read, wherever its bytes are, with what is needed to read values later."""

    tree: Tree
    reader: ChunkReader
    parts: Parts
    untagged: str | None = None  # the dtype of two opaque bytes without an attribute that names it

    @classmethod
    def of_file(cls, source: FileSource, parts: Parts) -> Hdf5Input:
        """The input for a whole file."""
        return cls.of_source(source, ChunkReader(source.path), parts)

    @classmethod
    def of_source(cls, source: Source, reader: ChunkReader, parts: Parts) -> Hdf5Input:
        """The input for any source; `reader` must read the same bytes. Raises what the bytes are if not HDF5."""
        if find_signature(source) < 0:
            raise foreign.describe(source)
        parts.closers.append(reader.close)
        tree = read_tree(source)
        parts.refusals.extend(tree.refusals)
        tree.refusals = parts.refusals  # one list from here on
        return cls(tree, reader, parts)

    def add(
        self, path: str, section: Section, layer: str | None = None, name: str | None = None, part: str = ""
    ) -> None:
        """Add the weight stored at `path`; values that must not be read are refused, the weight is listed."""
        dataset = self.tree.datasets[path]
        file = self.tree.file
        file.budget.spend(_WEIGHT_STEPS + steps_of_text(path))
        error, dtype = problem(file, dataset), self._dtype(path)
        if error is None and dtypes.itemsize(dtype) != dataset.dtype.size:
            error = UnsupportedError(f"values of type {dtype} are listed but not read")
        values = values_of(file, path, dataset, self.reader)
        if error is None and not file.budget.affords(steps_of_values(dataset)):
            error = UnsafeFileError("declares far more, with the values before it, than a file of its size is worth")
            values = Refused(error.at(where=path))
        if error is not None:
            self.tree.refuse(path, error)
        self.parts.weights[path] = Weight(
            path=path,
            shape=(0,) if dataset.shape is None else dataset.shape,
            dtype=dtype,
            nbytes=dataset.nbytes,
            section=section,
            layer=layer,
            part=part,
            name=name,
            big_endian=dataset.dtype.big_endian,
            values=values,
        )

    def add_rest(self, why: str) -> None:
        """Add the datasets that were not added yet to section `other`, each refused as `extra` for this reason."""
        for path in self.tree.datasets:
            if path not in self.parts.weights:
                self.parts.refuse("extra", path, why)
                self.add(path, Section.OTHER)

    def _dtype(self, path: str) -> str:
        """The dtype of the values: Keras stores bfloat16 as two opaque bytes with the name in an attribute
        (`H5IOStore.__setitem__`, keras/src/saving/saving_lib.py, 3.15)."""
        stored = self.tree.datasets[path].dtype
        if stored.kind != "opaque":
            return stored.name
        dtype = self.tree.text(path, "dtype") or self.untagged
        return dtype if dtype == "bfloat16" and stored.size == 2 else stored.name
