"""The values of tensors: where they are in a shard, read only when asked for, and compared with their checksums.

Numbers stand in one piece, in C order. Of texts the lengths come first, then the checksum of these, then the bytes. The
checksum of a tensor is compared while all its bytes are read in order, not where only a part of them is.
(`BundleReader::GetValue`, tensorflow/core/util/tensor_bundle/tensor_bundle.cc, 2.15.)
"""

import math
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

from ckpttool.errors import CheckpointError, CorruptFileError
from ckpttool.formats.tensorflow.crc32c import crc32c, masked
from ckpttool.formats.tensorflow.wire import varint
from ckpttool.io.sources import Source

_CRC_BYTES = 4
_SHORT_LENGTH = 1 << 32  # from which on a length takes eight bytes in the checksum


class InShard(NamedTuple):
    """Numbers in one piece of a shard; `crc` is the stored checksum, None for a part of a tensor."""

    source: Source
    offset: int
    nbytes: int
    crc: int | None
    name: str

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, `limit` at a time, in one buffer that is used again."""
        buffer, crc = memoryview(bytearray(min(limit, self.nbytes))), 0
        for start in range(0, self.nbytes, limit):
            piece = buffer[: min(limit, self.nbytes - start)]
            self.source.fill(self.offset + start, piece)
            crc = crc32c(piece, crc) if self.crc is not None else 0
            if start + limit >= self.nbytes and self.crc is not None:
                compare(crc, self.crc, self.name)
            yield piece

    def part(self, start: int, stop: int) -> "InShard":
        """The bytes from `start` up to `stop`."""
        return InShard(self.source, self.offset + start, stop - start, None, self.name)


def compare(crc: int, stored: int, name: str) -> None:
    """Raise where a checksum is not the stored one."""
    if masked(crc) != stored:
        raise CorruptFileError(
            "the values do not have the checksum that is stored for them",
            where=name,
            expected=f"{stored:#010x}",
            found=f"{masked(crc):#010x}",
            hint="its bytes are damaged, or its index is of another save; fetch all files again, or take another save",
        )


class Part(NamedTuple):
    """A part of a partitioned tensor: its values, and the first place and the number of places along each axis."""

    values: InShard
    starts: tuple[int, ...]
    lengths: tuple[int, ...]


class _Runs(NamedTuple):
    """A part's bytes as runs that lie together in the whole, too: how long each is, and where in the whole it goes.

    All axes behind the last one that is cut are whole, so runs are as long as the part is along that axis and behind.
    """

    part: Part
    length: int
    counts: tuple[int, ...]
    strides: tuple[int, ...]
    first: int

    @classmethod
    def of(cls, part: Part, shape: tuple[int, ...], item: int) -> "_Runs":
        """The runs of a part in a tensor of that shape and size of values."""
        strides = [math.prod(shape[axis + 1 :]) * item for axis in range(len(shape))]
        cut = max((axis for axis, size in enumerate(shape) if part.lengths[axis] != size), default=0)
        first = sum(start * stride for start, stride in zip(part.starts, strides, strict=True))
        return cls(part, part.lengths[cut] * strides[cut], part.lengths[:cut], tuple(strides[:cut]), first)

    def place(self, run: int) -> int:
        """The place in the whole at which a run begins."""
        place = self.first
        for count, stride in zip(reversed(self.counts), reversed(self.strides), strict=True):
            run, index = divmod(run, count)
            place += index * stride
        return place

    def from_place(self, place: int) -> int:
        """The number of the first run that ends behind a place of the whole."""
        low, high = 0, math.prod(self.counts)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.place(middle) + self.length > place else (middle + 1, high)
        return low


class Gathered(NamedTuple):
    """A partitioned tensor, or the bytes of one from `start` up to `stop`; a checksum is compared where all are
    read.
    """

    shape: tuple[int, ...]
    item: int
    parts: tuple[Part, ...]
    start: int
    stop: int

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, `limit` at a time."""
        runs = [_Runs.of(part, self.shape, self.item) for part in self.parts]
        sums = [0] * len(runs)
        for start in range(self.start, self.stop, limit):
            piece = bytearray(min(limit, self.stop - start))
            for number, part_runs in enumerate(runs):
                sums[number] = crc32c(_fill(piece, start, part_runs), sums[number])
            if start + limit >= self.stop and self.stop - self.start == math.prod(self.shape) * self.item:
                self._compare(sums)
            yield memoryview(piece)

    def part(self, start: int, stop: int) -> "Gathered":
        """The bytes from `start` up to `stop`."""
        return Gathered(self.shape, self.item, self.parts, self.start + start, self.start + stop)

    def _compare(self, sums: list[int]) -> None:
        for part, crc in zip(self.parts, sums, strict=True):
            assert part.values.crc is not None
            compare(crc, part.values.crc, part.values.name)


def _fill(piece: bytearray, start: int, runs: _Runs) -> bytes:
    """Copy what a part has of the bytes of the whole from `start` on, and give those bytes, which lie together in
    it.
    """
    stop, run, total = start + len(piece), runs.from_place(start), math.prod(runs.counts)
    spans: list[tuple[int, int]] = []
    begin = None
    while run < total and (place := runs.place(run)) < stop:
        skipped = max(0, start - place)
        if begin is None:
            begin = run * runs.length + skipped
        spans.append((place + skipped - start, min(runs.length, stop - place) - skipped))
        run += 1
    values = runs.part.values
    raw = values.source.read(values.offset + (begin or 0), sum(size for _, size in spans))
    at = 0
    for place, size in spans:
        piece[place : place + size] = raw[at : at + size]
        at += size
    return raw


class Texts(NamedTuple):
    """The elements of a tensor of texts, which need not be text."""

    source: Source
    offset: int
    nbytes: int
    number: int
    crc: int
    big_endian: bool
    name: str

    def pieces(self, limit: int) -> Iterator[bytes]:
        """All bytes as stored, `limit` at a time."""
        for start in range(0, self.nbytes, limit):
            yield self.source.read(self.offset + start, min(limit, self.nbytes - start))

    def part(self, start: int, stop: int) -> None:
        """None: where an element begins, the lengths of all before it tell."""

    def elements(self) -> list[bytes]:
        """The elements in C order, their checksums compared."""
        raw = memoryview(self.source.read(self.offset, self.nbytes))
        lengths, at = self._lengths(raw)
        order: Literal["big", "little"] = "big" if self.big_endian else "little"
        fixed = b"".join(size.to_bytes(4 if size < _SHORT_LENGTH else 8, order) for size in lengths)
        crc_of_lengths = raw[at : at + _CRC_BYTES]
        stored = int.from_bytes(crc_of_lengths, order)
        compare(crc32c(fixed), stored, f"{self.name}, the lengths")
        at += _CRC_BYTES
        compare(crc32c(raw[at:], crc32c(crc_of_lengths, crc32c(fixed))), self.crc, self.name)
        ends = list(accumulate(lengths, initial=at))
        if ends[-1] != len(raw):
            raise self._damaged(f"texts of {ends[-1] - at:,} bytes where {len(raw) - at:,} are stored")
        return [bytes(raw[start:end]) for start, end in pairwise(ends)]

    def _lengths(self, raw: memoryview) -> tuple[list[int], int]:
        """The lengths of all elements, and where the checksum of these begins."""
        lengths, at = [], 0
        for _ in range(self.number):
            length, at = varint(raw, at, len(raw))
            lengths.append(length)
        if at + _CRC_BYTES > len(raw) or sum(lengths) > len(raw):
            raise self._damaged(f"{sum(lengths):,} bytes of texts")
        return lengths, at

    def _damaged(self, actual: str) -> CheckpointError:
        return CorruptFileError("a tensor of texts is damaged", where=self.name, found=actual)
