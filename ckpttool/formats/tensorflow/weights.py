"""The tensors of a bundle as weights, with the places of their values in the shards; damaged ones are refused."""

import math
from collections import Counter
from collections.abc import Mapping, Set
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ckpttool.checkpoint import Refusal, Section, UnreadableValues, Values, Weight
from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.formats import foreign
from ckpttool.formats.builder import Parts
from ckpttool.formats.tensorflow import places
from ckpttool.formats.tensorflow.bundle import Bundle, boxes, repeated, size_problem, stored_size
from ckpttool.formats.tensorflow.messages import DTYPES, STRING, VARIANT, Entry
from ckpttool.formats.tensorflow.values import Gathered, InShard, Part, Texts
from ckpttool.io import dtypes
from ckpttool.io.budget import steps_of_text
from ckpttool.io.natural_order import natural_key
from ckpttool.io.sources import FileSource, outside

_WEIGHT_STEPS = 30
MAX_SHARDS = 400  # of which each is an open file


class Role(NamedTuple):
    """The role of a tensor: its section, its layer, and the name of its variable."""

    section: Section = Section.MODEL
    layer: str | None = None
    name: str | None = None


@dataclass(slots=True, eq=False, repr=False)
class Shards:
    """The open shards of a bundle by number, or the error of one that cannot be read, and those that are cut off."""

    by_number: dict[int, FileSource | CheckpointError]
    names: dict[int, str]
    cut_off: set[int] = field(default_factory=set)

    @property
    def nbytes(self) -> int:
        """The size of all shards in bytes."""
        return sum(shard.size for shard in self.by_number.values() if isinstance(shard, FileSource))


def open_shards(parts: Parts, index: Path, bundle: Bundle) -> Shards:
    """The shards that hold values; one that is missing hides no other, and is refused once."""
    numbers, prefix = bundle.shards(), places.prefix_of_index(index.name)
    if len(numbers) > MAX_SHARDS:
        raise UnsafeFileError(
            "spreads over too many shards", expected=f"{MAX_SHARDS:,} at most", found=f"{len(numbers):,}"
        )
    names = {number: places.shard_name(prefix, number, bundle.header.shards) for number in numbers}
    shards = Shards({}, names)
    for number, name in names.items():
        shard = shards.by_number[number] = _opened(parts, index.parent, name)
        if isinstance(shard, CheckpointError):
            parts.refusals.append(Refusal.from_error(shard, name))
    _refuse_cut_off(parts, bundle, shards)
    return shards


def _refuse_cut_off(parts: Parts, bundle: Bundle, shards: Shards) -> None:
    """Refuse, once for all of their tensors, shards that end before what the index places in them.

    TensorFlow leaves no gap between tensors; where there are gaps, it is single entries that are damaged.
    """
    sizes, ends = Counter[int](), Counter[int]()
    for entry in bundle.stored():
        sizes[entry.shard] += entry.size
        ends[entry.shard] = max(ends[entry.shard], entry.offset + entry.size)
    for number, shard in shards.by_number.items():
        if isinstance(shard, FileSource) and shard.size < ends[number] == sizes[number]:
            shards.cut_off.add(number)
            detail = f"is cut off, expected {ends[number]:,} bytes, found {shard.size:,}: fetch it again"
            parts.refuse("corrupt", shards.names[number], detail)


def _opened(parts: Parts, directory: Path, name: str) -> FileSource | CheckpointError:
    path = directory / name
    if path.is_symlink():
        return UnsafeFileError(
            "is a symbolic link, which is not followed", hint="copy the file itself", kind="external"
        )
    if not path.exists():
        return _missing(directory, name)
    try:
        source = FileSource(path, parts.budget)
    except CheckpointError as error:
        return error
    pointer = foreign.lfs_pointer(source)
    if pointer is not None:
        source.close()
        return pointer
    parts.budget.grow(source.size)
    parts.closers.append(source.close)
    parts.files.append(name)
    return source


def _missing(directory: Path, name: str) -> CheckpointError:
    """The error for a shard that is not there, and what is there instead."""
    other = places.renamed(directory, name)
    hint = f"; {other} beside it looks like it: rename it" if other else ""
    return CorruptFileError(f"the shard is missing{hint}", hint="copy all files of the checkpoint", kind="missing")


def add_weights(parts: Parts, bundle: Bundle, shards: Shards, roles: Mapping[str, Role], left_out: Set[str]) -> None:
    """Add every tensor but those that are `left_out`, in the natural order of their names."""
    sound = (entry for entry in bundle.stored() if entry.size and _is_sound(entry, shards))
    reader = _Reader(parts, bundle, shards, repeated(sound))
    for name in sorted(bundle.tensors, key=lambda name: [natural_key(part) for part in name.split("/")]):
        if name not in left_out:
            parts.budget.spend(_WEIGHT_STEPS + steps_of_text(name))
            parts.weights[name] = reader.weight(name, roles.get(name, Role()))
    for name, error in bundle.problems.items():
        parts.refusals.append(Refusal.from_error(error, name))
    unclaimed = len(bundle.parts) - len(reader.claimed)
    if unclaimed and not any(entry.slices for entry in bundle.tensors.values() if id(entry) in reader.refused):
        parts.refuse("extra", "", f"{unclaimed:,} parts of tensors that the index does not list")


def text_of(bundle: Bundle, shards: Shards, name: str) -> bytes:
    """The only element of a scalar text. Raises where it cannot be read."""
    entry = bundle.tensors[name]
    source = shards.by_number.get(entry.shard)
    problem = size_problem(entry) or _place_problem(entry, source)
    if entry.dtype != STRING or entry.shape:
        problem = CorruptFileError("is no scalar text", where=name)
    if problem is not None:
        raise problem.at(where=name)
    assert isinstance(source, FileSource)
    return _texts(bundle, source, name).elements()[0]


@dataclass(slots=True, eq=False, repr=False)
class _Reader:
    """The maker of weights from a bundle's entries; `twice` are the ids of entries whose bytes another one has, too."""

    parts: Parts
    bundle: Bundle
    shards: Shards
    twice: set[int]
    claimed: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)

    def weight(self, name: str, role: Role) -> Weight:
        """A tensor as a weight; values that must not be read are refused."""
        entry = self.bundle.tensors[name]
        dtype, item = DTYPES[entry.dtype]
        return Weight(
            path=name,
            shape=entry.shape or (),
            dtype=dtype,
            nbytes=stored_size(entry) if item else entry.size,
            section=role.section,
            layer=role.layer,
            name=role.name,
            big_endian=self.bundle.header.big_endian,
            values=self._gathered(name, entry) if entry.slices else self._values(name, entry),
        )

    def _values(self, name: str, entry: Entry) -> Values:
        source, problem = self.shards.by_number[entry.shard], self._problem(entry)
        if problem is not None:
            return self._refuse(name, entry, problem)
        if isinstance(source, CheckpointError):  # which was refused once, for all of its tensors
            return UnreadableValues(copy(source).at(where=self.shards.names[entry.shard]))
        dtype = DTYPES[entry.dtype][0]
        if entry.dtype == STRING:
            return _texts(self.bundle, source, name)
        if dtypes.itemsize(dtype) is None:
            self.parts.refuse("unsupported", name, f"values of type {dtype} are listed but not read")
        return InShard(source, entry.offset, entry.size, entry.crc, name)

    def _problem(self, entry: Entry) -> CheckpointError | None:
        """The error for values of a tensor, or of a part of one, that must not be read; its shard is not asked."""
        source = self.shards.by_number[entry.shard]
        problem = size_problem(entry)
        if problem is None and id(entry) in self.twice:
            problem = UnsafeFileError("has its values where another tensor has them, too", kind="repeat")
        if problem is None and isinstance(source, FileSource):
            problem = _place_problem(entry, source)
        return problem

    def _gathered(self, name: str, entry: Entry) -> Values:
        if entry.dtype in (STRING, VARIANT):
            return self._refuse(name, entry, UnsupportedError("parts of texts are listed but not read"))
        try:
            parts = boxes(name, entry, self.bundle.parts, self.parts.budget)
        except CorruptFileError as error:
            return self._refuse(name, entry, error)
        self.claimed.update(id(box.entry) for box in parts)
        values = []
        for box in parts:
            source, problem = self.shards.by_number[box.entry.shard], self._problem(box.entry)
            if problem is not None:
                return self._refuse(name, entry, problem)
            if isinstance(source, CheckpointError):
                return UnreadableValues(copy(source).at(where=self.shards.names[box.entry.shard]))
            piece = InShard(source, box.entry.offset, box.entry.size, box.entry.crc, name)
            values.append(Part(piece, box.starts, box.lengths))
        return Gathered(entry.shape or (), DTYPES[entry.dtype][1], tuple(values), 0, stored_size(entry))

    def _refuse(self, name: str, entry: Entry, error: CheckpointError) -> Values:
        self.refused.add(id(entry))
        self.parts.budget.spend(_WEIGHT_STEPS)
        if entry.shard not in self.shards.cut_off or not _is_beyond(entry, self.shards.by_number[entry.shard]):
            self.parts.refusals.append(Refusal.from_error(error, name))
        return UnreadableValues(error.at(where=name))


def _is_sound(entry: Entry, shards: Shards) -> bool:
    """Whether nothing is wrong with an entry itself: a damaged one does not take the place of another."""
    return size_problem(entry) is None and _place_problem(entry, shards.by_number[entry.shard]) is None


def _texts(bundle: Bundle, source: FileSource, name: str) -> Texts:
    entry = bundle.tensors[name]
    count = math.prod(entry.shape or ())
    return Texts(source, entry.offset, entry.size, count, entry.crc, bundle.header.big_endian, name)


def _place_problem(entry: Entry, source: FileSource | CheckpointError | None) -> CheckpointError | None:
    """The error for an entry whose bytes are not in its shard, None where they are."""
    if not isinstance(source, FileSource):
        return source
    return outside(entry.offset, entry.size, source.size) if _is_beyond(entry, source) else None


def _is_beyond(entry: Entry, source: FileSource | CheckpointError) -> bool:
    """Whether the bytes of an entry end behind its shard."""
    return isinstance(source, FileSource) and entry.offset + entry.size > source.size
