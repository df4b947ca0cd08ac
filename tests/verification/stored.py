"""Checkpoints that Keras wrote from a known model, and what each array in them is.

A `Book` says for each array of a file's model section whose weight it is. Edits of a file keep its book true.
"""

import io
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np

INNER = "model.weights.h5"
ENDINGS = {"weights": ".weights.h5", "keras": ".keras", "legacy": ".h5", "root": ".h5", "shards": ".weights.json"}
PATHS, LEGACY = ("weights", "keras", "shards"), ("legacy", "root")
SHARD_BYTES = 200  # so that layers lie across shards

_NOT_WEIGHTS = ("optimizer/", "second_optimizer/", "metrics/")
_HALVES = ("lora_kernel_b", "lora_embeddings_b")

Array = Any
Key = tuple[str, str]


@dataclass(frozen=True)
class Owner:
    """The owner of an array: the layer's chain of names and the weight's own name.

    `is_in_file` says that the file itself tells the layer; otherwise only the maker of the file knows.
    """

    key: Key
    is_in_file: bool = True


Book = dict[str, Owner]


@dataclass(frozen=True)
class File:
    """A checkpoint with its book."""

    path: Path
    form: str
    book: Book

    def arrays(self) -> dict[str, Array]:
        """The arrays of its model section by place."""
        arrays: dict[str, Array] = {}
        for part in parts_of(self.path, self.form):
            with opened(part, "r") as root:
                arrays.update(arrays_in(section_of(root, self.form), self.form))
        return arrays

    def stored_arrays(self) -> list[tuple[Owner, Array]]:
        """Each array with what it is; one that the book does not have is a stranger."""
        return [(self.book.get(place, Owner(("a stranger", place))), array) for place, array in self.arrays().items()]


def parts_of(path: Path, form: str) -> list[Path]:
    """The HDF5 files (or the archive with one in it) of a checkpoint."""
    if form == "keras" and INNER not in zipfile.ZipFile(path).namelist():
        return []
    if form != "shards":
        return [path]
    return sorted(path.parent.glob("*_0*.weights.h5"))


@contextmanager
def opened(path: Path, mode: str = "r+") -> Iterator[Any]:
    """The HDF5 file itself, or the one in an archive, written back where it was opened for writing."""
    if not zipfile.is_zipfile(path):
        with h5py.File(path, mode) as root:
            yield root
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    inner = io.BytesIO(members[INNER])
    with h5py.File(inner, mode) as root:
        yield root
    if mode == "r":
        return
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | {INNER: inner.getvalue()}).items():
            archive.writestr(name, data)


def section_of(root: Any, form: str) -> Any:
    """The group with the weights of the model."""
    return root["model_weights"] if form == "legacy" and "model_weights" in root else root


def arrays_in(section: Any, form: str) -> dict[str, Array]:
    """The arrays of the model section by place, whether Keras would look at them or not."""
    arrays: dict[str, Array] = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if form in LEGACY or not (name.startswith(_NOT_WEIGHTS) or "seed_generator" in name):
            arrays[name] = _values(item)

    section.visititems(visit)
    return arrays


def _values(item: Any) -> Array:
    value = np.asarray(item)
    return value.view(ml_dtypes.bfloat16) if item.attrs.get("dtype") == "bfloat16" else value


def variables_of(live: Any) -> Iterator[tuple[Key, Any]]:
    """The variables of a live model, each once, with the chain of layer names to its first owner, seeds apart."""
    yielded = set()
    for key, variable in _owned(live, ""):
        if id(variable) not in yielded:
            yield key, variable
        yielded.add(id(variable))


def _owned(live: Any, chain: str) -> Iterator[tuple[Key, Any]]:
    for variable in live._trainable_variables + live._non_trainable_variables:
        yield (chain, variable.name), variable
    for part in live._flatten_layers(include_self=False, recursive=False):
        unnamed = type(part).__name__ == "StackedRNNCells"  # takes no name, but makes a new one each time
        yield from _owned(part, chain if unnamed else f"{chain}/{part.name}".lstrip("/"))


def distinct(live: Any, seed: int, plain: bool = True) -> dict[Key, Array]:
    """The variables of a live model, each with values that no other has.

    One half of LoRA is zero where `plain`, so that the kernel that a path layout stores is the kernel itself.
    """
    chance = np.random.default_rng(seed)
    arrays = {}
    for key, variable in variables_of(live):
        shape, whole = tuple(variable.shape), "int" in variable.dtype
        low, high = (-100, 100) if variable.dtype == "int8" else (1, 2**30)
        values = chance.integers(low, high, shape) if whole else chance.uniform(-1, 1, shape)
        variable.assign(values * 0 if plain and key[1] in _HALVES else values)
        arrays[key] = np.asarray(variable)
    return arrays


def save(live: Any, folder: Path, form: str) -> File:
    """A checkpoint of a live model with distinct values."""
    path = folder / f"model{ENDINGS[form]}"
    if form in ("weights", "shards"):
        live.save_weights(path, **({"max_shard_size": _shard_size(live)} if form == "shards" else {}))
    elif form == "root":
        _save_legacy_weights(live, path)
    else:
        live.save(path)
    return replace(file := File(path, form, {}), book=_book(live, file))


def _save_legacy_weights(live: Any, path: Path) -> None:
    """Writes a legacy file of weights only, as `save_weights` of Keras 2 did."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as root:
        save_weights_to_hdf5_group(root, live)


def _shard_size(live: Any) -> float:
    """The size of shards, in GiB, that is small and still takes every array."""
    return max([SHARD_BYTES, *(np.asarray(variable).nbytes for _, variable in variables_of(live))]) / 1024**3


def _book(live: Any, file: File) -> Book:
    """The owner of each array by its content, which is distinct."""
    values = [(key, np.asarray(variable)) for key, variable in variables_of(live)]
    book = {}
    for place, array in file.arrays().items():
        owners = {key for key, value in values if value.dtype == array.dtype and np.array_equal(value, array)}
        assert owners, f"{place} is no weight of the model"
        book[place] = Owner(min(owners))
    return book


def copied(file: File, folder: Path, name: str | None = None) -> File:
    """A copy, under another file name where one is given, with a book of its own."""
    for part in parts_of(file.path, file.form) if file.form == "shards" else []:
        shutil.copy(part, folder)
    path = folder / (name or file.path.name)
    shutil.copy(file.path, path)
    return File(path, file.form, dict(file.book))
