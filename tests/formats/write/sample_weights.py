"""Weights to write, and what h5py finds in files, in a form that can be compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ckpttool.checkpoint import Section, Weight
from ckpttool.formats.hdf5.values import InMemory


def weight(array: Any, dtype: str = "", path: str = "w") -> Weight:
    """The weight that an array makes; `dtype` is given where NumPy does not know it."""
    array = np.asarray(array)
    big_endian = array.dtype.byteorder == ">"
    values = InMemory(array.tobytes())
    name = dtype or array.dtype.name
    return Weight(
        path, array.shape, name, array.nbytes, Section.MODEL, big_endian=big_endian, values=values
    )  # fmt: skip


@dataclass(frozen=True)
class Failing:
    """Values that end in an error, or in silence, after `good` bytes."""

    good: int
    error: BaseException | None = None

    def pieces(self, limit: int) -> Iterator[bytes]:
        """Bytes, then the error."""
        yield bytes(self.good)
        if self.error is not None:
            raise self.error

    def part(self, start: int, stop: int) -> None:
        """None."""


def failing(nbytes: int, good: int, error: BaseException | None = None) -> Weight:
    """A weight of `nbytes` declared bytes whose values end after `good`."""
    return Weight("broken", (nbytes,), "int8", nbytes, Section.MODEL, values=Failing(good, error))


def content_of(path: Path, base: str = "/") -> dict[str, Any]:
    """All that h5py finds in a file: kinds, types, shapes, values and attributes, with their types, by path."""
    with h5py.File(path) as file:
        views = {"": _view(file[base])}
        file[base].visititems(lambda name, item: views.update({name: _view(item)}))
    return views


def _view(item: Any) -> Any:
    attributes = {name: _attribute(item.attrs, name) for name in item.attrs}
    if isinstance(item, h5py.Group):
        return "group", attributes
    return "dataset", str(item.dtype), item.shape, np.asarray(item[()]).tobytes(), attributes


def _attribute(attributes: h5py.AttributeManager, name: str) -> Any:
    dtype, value = attributes.get_id(name).dtype, attributes[name]
    return str(dtype), h5py.check_string_dtype(dtype), np.shape(value), np.asarray(value).tolist()
