"""The path layout of Keras 3: the weights of an object at `<path>/vars/<n>`, as one file or spread over shards.

As Keras 3.15 writes it (`_save_state`, `H5IOStore`, `ShardedH5IOStore`, keras/src/saving/saving_lib.py): the group
`vars` of every object that has a name carries it as attribute, and is there without weights too.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ckpttool.checkpoint import Weight
from ckpttool.errors import UnsupportedError
from ckpttool.formats.write.block_copy import Progress, copy, silent
from ckpttool.formats.write.hdf5 import Layout, layout
from ckpttool.formats.write.messages import Attributes
from ckpttool.io import dtypes
from ckpttool.io.replacement import replacing, replacing_entries

GIGABYTE = 1 << 30  # by which Keras counts `max_shard_size`


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file of the path layout.

    `weights` has each weight by its path (`layers/dense/vars/0`), `names` all objects by theirs (`layers/dense`, the
    model's is empty) in the order in which Keras writes them: the object's name, or None where it has none. Objects
    that are not named there come last, in the order of their weights.
    """

    weights: Mapping[str, Weight]
    names: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """The bytes of all weights."""
        return sum(weight.nbytes for weight in self.weights.values())

    def objects(self) -> Iterator[tuple[str, str | None, dict[str, Weight]]]:
        """The objects in order: path of the group `vars`, name, the weights by path."""
        by_group: dict[str, dict[str, Weight]] = {_group(path): {} for path in self.names}
        for path, weight in self.weights.items():
            by_group.setdefault(path.rpartition("/")[0], {})[path] = weight
        named = {_group(path): name for path, name in self.names.items()}
        return ((group, named.get(group), weights) for group, weights in by_group.items())


def _group(path: str) -> str:
    return f"{path}/vars" if path else "vars"


def file_layout(content: Content) -> Layout:
    """The HDF5 file of this content."""
    file = _File()
    for group, name, weights in content.objects():
        file.add(group, name, weights)
    return file.layout()


def write_file(path: str | os.PathLike[str], content: Content, on_progress: Progress = silent) -> None:
    """Write a `.weights.h5`."""
    blocks = file_layout(content).blocks()
    with replacing(path) as file:
        copy(blocks, file, on_progress)


@dataclass(slots=True)
class _File:
    """One HDF5 file in the making."""

    weights: dict[str, Weight] = field(default_factory=dict)
    attributes: dict[str, Attributes] = field(default_factory=dict)

    def add(self, group: str, name: str | None, weights: Mapping[str, Weight]) -> None:
        """Add an object, or more of its weights; one without name and weights leaves no trace."""
        if name is not None:
            self.attributes[group] = {"name": name}
        self.weights |= weights
        marker: Attributes = {"dtype": "bfloat16"}
        self.attributes |= {path: marker for path, weight in weights.items() if weight.dtype == "bfloat16"}

    def layout(self) -> Layout:
        """The file laid out."""
        return layout(self.weights, self.attributes)


@dataclass(frozen=True, slots=True)
class Sharded:
    """An index and its shards, by file name."""

    index: str
    shards: Mapping[str, Layout]


def sharded(name: str, content: Content, max_bytes: float) -> Sharded:
    """The shards of at most `max_bytes` of weights each that Keras would make of this content, for the index `name`.

    Raises UnsupportedError where one weight alone is larger.
    """
    stem = Path(name).stem.replace(".weights", "")
    files = [_File()]
    weight_map, sizes, filled = dict[str, str | list[str]](), list[float](), 0.0
    for group, object_name, weights in content.objects():
        files[-1].add(group, object_name, {})
        for path, weight in weights.items():
            sizes.append(_fitting_size(path, weight, max_bytes))
            filled += sizes[-1]
            if filled > max_bytes:
                files.append(_File())
                filled = sizes[-1]
            files[-1].add(group, None, {path: weight})
            _add_shard(weight_map, f"/{group}", _shard_name(stem, len(files) - 1))
    index = {"metadata": {"total_size": sum(sizes)}, "weight_map": weight_map}
    shards = {_shard_name(stem, number): file.layout() for number, file in enumerate(files)}
    return Sharded(json.dumps(index, indent=4), shards)


def _shard_name(stem: str, number: int) -> str:
    return f"{stem}_{number:05}.weights.h5"


def _fitting_size(path: str, weight: Weight, max_bytes: float) -> float:
    """The size of a weight as Keras counts it, eight truth values to a byte."""
    size = math.prod(weight.shape) * (1 if weight.dtype == "bool" else 8 * (dtypes.itemsize(weight.dtype) or 0)) / 8
    if size > max_bytes:
        expected, actual = f"{max_bytes:,.0f} bytes at most", f"{size:,.0f}"
        raise UnsupportedError("larger than a shard may be", where=path, expected=expected, found=actual)
    return size


def _add_shard(weight_map: dict[str, str | list[str]], group: str, shard: str) -> None:
    """Add the shard of a weight to those of its group, which are a list from the second weight on."""
    known = weight_map.get(group)
    if known is None:
        weight_map[group] = shard
        return
    listed = known if isinstance(known, list) else [known]
    weight_map[group] = listed if shard in listed else [*listed, shard]


def write_sharded(
    path: str | os.PathLike[str], content: Content, max_bytes: float, on_progress: Progress = silent
) -> tuple[str, ...]:
    """Write a `.weights.json` and its shards beside it; returns the names of all files, the index first."""
    target = Path(os.path.realpath(path))
    shards = sharded(target.name, content, max_bytes)
    names = (target.name, *shards.shards)
    with replacing_entries(target.parent, names) as scratch:
        for name, shard in shards.shards.items():
            with open(scratch / name, "wb") as file:
                copy(shard.blocks(), file, on_progress)
        (scratch / target.name).write_text(shards.index, encoding="ascii")
    return names
