"""A bundle of tensors: the entries of an index, whose values are in shards.

    PREFIX.index, PREFIX.data-00000-of-00002, PREFIX.data-00001-of-00002

(`BundleReader`, tensorflow/core/util/tensor_bundle/tensor_bundle.cc, 2.15.) A damaged tensor does not hide others.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.formats.tensorflow import messages, slices
from ckpttool.formats.tensorflow.messages import DTYPES, STRING, VARIANT, Entry, Header
from ckpttool.formats.tensorflow.table import read_table
from ckpttool.formats.tensorflow.wire import text
from ckpttool.io.budget import Budget
from ckpttool.io.sources import Source

OLDEST_READER = 1  # the version of its format that this reader knows
_MAX_SIZE = 1 << 62


@dataclass(slots=True, eq=False, repr=False)
class Bundle:
    """The entries of an index: the tensors by name, and the parts of partitioned ones by the bytes of their keys.
    `problems` are the errors of entries that describe no tensor, by name."""

    header: Header = field(default_factory=Header)
    tensors: dict[str, Entry] = field(default_factory=dict)
    parts: dict[bytes, Entry] = field(default_factory=dict)
    problems: dict[str, CheckpointError] = field(default_factory=dict)

    def shards(self) -> list[int]:
        """The numbers of the shards that hold values."""
        return sorted({entry.shard for entry in self.stored()})

    def stored(self) -> Iterator[Entry]:
        """The entries that have values of their own."""
        yield from (entry for entry in (*self.tensors.values(), *self.parts.values()) if not entry.slices)


def read_bundle(source: Source) -> Bundle:
    """The bundle of an index. Raises CheckpointError for a table that is none, or of a format that is not read."""
    entries, budget, bundle = read_table(source), source.budget, Bundle()
    key, value = next(entries, (b"\xff", memoryview(b"")))
    if key:
        raise CorruptFileError("is a table without the header of a checkpoint", expected="an empty first key")
    if messages.is_first_format(value, budget):
        raise first_format()
    bundle.header = messages.header(value, budget)
    if bundle.header.min_consumer > OLDEST_READER:
        raise UnsupportedError(
            "is a checkpoint of a later format",
            expected=f"one for readers of version {OLDEST_READER}",
            found=f"one for version {bundle.header.min_consumer}",
        )
    for key, value in entries:
        _add(bundle, key, value, budget)
    return bundle


def first_format() -> UnsupportedError:
    """The error for a checkpoint of TensorFlow's first format."""
    return UnsupportedError(
        "is a TensorFlow checkpoint of the first format (V1), which was written until about 2016",
        hint="load it with TensorFlow 1 and save it again with tf.train.Saver(write_version=tf.train.SaverDef.V2)",
    )


def _add(bundle: Bundle, key: bytes, value: memoryview, budget: Budget) -> None:
    """Add an entry to the bundle, or to its problems."""
    name = text(memoryview(key))
    try:
        entry = messages.entry(value, budget)
        problem = _description_problem(entry, bundle.header)
    except CorruptFileError as error:
        entry, problem = Entry(), error
    if problem is None and name in bundle.tensors:
        problem = CorruptFileError("a name that differs from another in bytes that are no UTF-8")
    if problem is not None:
        bundle.problems[name] = problem
    elif slices.is_part(key):
        bundle.parts[key] = entry
    else:
        bundle.tensors[name] = entry


def _description_problem(entry: Entry, header: Header) -> CheckpointError | None:
    """The error for an entry that describes no tensor, None where it does."""
    if entry.dtype not in DTYPES:
        return CorruptFileError("a dtype that TensorFlow does not store", found=f"number {entry.dtype}")
    if entry.shape is None or min(entry.shape, default=0) < 0:
        return CorruptFileError("a shape that is not known", found="an open size")
    if len(entry.shape) > slices.MAX_RANK or _too_many(entry.shape):
        return CorruptFileError("an impossible shape", found=f"{len(entry.shape)} axes")
    if not entry.slices and not 0 <= entry.shard < header.shards:
        return CorruptFileError(
            "in a shard that there is not", expected=f"below {header.shards}", found=str(entry.shard)
        )
    if entry.offset < 0 or entry.size < 0:
        return CorruptFileError("at an impossible place", found=f"{entry.size:,} bytes at offset {entry.offset:,}")
    return None


def _too_many(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of that shape has more values than there can be; sizes of zero make no large ones harmless."""
    count = 1
    for size in shape:
        count *= max(size, 1)
        if count > _MAX_SIZE:
            return True
    return False


def stored_size(entry: Entry) -> int:
    """The size in bytes that the numbers of a tensor take."""
    return math.prod(entry.shape or ()) * DTYPES[entry.dtype][1]


def size_problem(entry: Entry) -> CheckpointError | None:
    """The error for a stored size that does not fit the shape of its tensor, None where it fits."""
    count = math.prod(entry.shape or ())
    if entry.dtype == VARIANT:
        return UnsupportedError("values of type variant are listed but not read")
    if entry.dtype == STRING:
        if count > entry.size:
            return UnsafeFileError("more texts than bytes", expected=f"{entry.size:,} at most", found=f"{count:,}")
        return None
    if entry.size != stored_size(entry):
        return CorruptFileError(
            "a size that does not fit the shape", expected=f"{stored_size(entry):,} bytes", found=f"{entry.size:,}"
        )
    return None


def repeated(entries: Iterable[Entry]) -> set[int]:
    """The ids of entries whose bytes an entry before has, too: TensorFlow writes none, and a small file would have many
    large weights by them."""
    reached, ids = (-1, 0), set[int]()
    for entry in sorted(entries, key=lambda entry: (entry.shard, entry.offset, entry.size)):
        if entry.shard == reached[0] and entry.offset < reached[1]:
            ids.add(id(entry))
        else:
            reached = entry.shard, entry.offset + entry.size
    return ids


class Box(NamedTuple):
    """One part of a partitioned tensor: its entry, and its place in the whole."""

    entry: Entry
    starts: tuple[int, ...]
    lengths: tuple[int, ...]


def boxes(name: str, entry: Entry, parts: Mapping[bytes, Entry], budget: Budget) -> list[Box]:
    """The parts of a partitioned tensor. Raises where they are not exactly the whole."""
    pieces = list(_boxes(name, entry, parts))
    whole = math.prod(entry.shape or ())
    if sum(math.prod(box.lengths) for box in pieces) != whole:
        raise CorruptFileError("parts that are not the whole", expected=f"{whole:,} values in all parts together")
    budget.spend(len(pieces) * len(pieces) >> 3)
    if any(_overlap(box, other) for number, box in enumerate(pieces) for other in pieces[:number]):
        raise CorruptFileError("parts that overlap")
    return pieces


def _boxes(name: str, entry: Entry, parts: Mapping[bytes, Entry]) -> Iterator[Box]:
    shape = entry.shape or ()
    for extents in entry.slices:
        lengths = tuple(size if length is None else length for (_, length), size in zip(extents, shape, strict=False))
        starts = tuple(start for start, _ in extents)
        shown = slices.shown(extents)
        if len(extents) != len(shape) or not all(map(_inside, starts, lengths, shape)):
            raise CorruptFileError("a part outside the shape", found=shown)
        part = parts.get(slices.part_key(name.encode(), extents))
        if part is None:
            raise CorruptFileError("a part that is not stored", found=shown, kind="missing")
        if part.dtype != entry.dtype or part.shape != lengths or part.slices:
            raise CorruptFileError("a part of another dtype or shape than its place", found=shown)
        yield Box(part, starts, lengths)


def _inside(start: int, length: int, size: int) -> bool:
    return min(start, length) >= 0 and start + length <= size


def _overlap(a: Box, b: Box) -> bool:
    """Whether two parts have a place in common."""
    first = [(start, start + length) for start, length in zip(a.starts, a.lengths, strict=True)]
    second = [(start, start + length) for start, length in zip(b.starts, b.lengths, strict=True)]
    axes = zip(first, second, strict=True)
    return all(max(start, other_start) < min(end, other_end) for (start, end), (other_start, other_end) in axes)
