"""A file of HDF5 that is being read, and the weights that a reader takes from it."""

from __future__ import annotations

from typing import NamedTuple

from ckpttool.checkpoint import Section, UnreadableValues, Weight
from ckpttool.errors import UnsafeFileError, UnsupportedError
from ckpttool.formats import foreign
from ckpttool.formats.builder import Parts
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5.signature import find_signature
from ckpttool.formats.hdf5.tree import Tree, read_tree
from ckpttool.formats.hdf5.values import problem, steps_of_values, values_of
from ckpttool.io import dtypes
from ckpttool.io.budget import steps_of_text
from ckpttool.io.sources import FileSource, Source

_WEIGHT_STEPS = 60


class Hdf5Input(NamedTuple):
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
        return cls(read_tree(source, parts.refusals), reader, parts)

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
            values = UnreadableValues(error.at(where=path))
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
