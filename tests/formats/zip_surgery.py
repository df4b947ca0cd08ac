"""Zip archives written record by record, each of which may say something else than the others.

Written after PKWARE's APPNOTE 6.3.10.
"""

import struct
import zlib
from dataclasses import dataclass, field, replace

LONG = 0xFFFFFFFF
UTF_8, STREAMED = 0x800, 0x8
STORED, DEFLATED = 0, 8


@dataclass(frozen=True)
class Record:
    """The facts that one record states of a member."""

    name: bytes
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    extra: bytes = b""


@dataclass(frozen=True)
class Part:
    """A member: what its header and its entry say, its bytes, what describes them behind, and a gap before it.

    `offset` is that of another member where the entry lies about it.
    """

    local: Record
    entry: Record
    data: bytes
    behind: bytes = b""
    gap: bytes = b""
    offset: int | None = None


@dataclass(frozen=True)
class Ending:
    """The false statements of the records at the end; `between` stands before, `behind` after them."""

    counts: tuple[int, int] | None = None
    size: int | None = None
    offset: int | None = None
    disks: tuple[int, int] = (0, 0)
    comment: bytes = b""
    comment_size: int | None = None
    between: bytes = b""
    behind: bytes = b""
    zip64: dict[str, int] | None = None


@dataclass
class Zip:
    """An archive to be written."""

    parts: list[Part] = field(default_factory=list)
    ending: Ending = Ending()
    prefix: bytes = b""

    def packed(self) -> bytes:
        """The bytes of the archive."""
        out, entries = bytearray(self.prefix), []
        for part in self.parts:
            out += part.gap
            entries.append(entry_bytes(part.entry, len(out) - len(self.prefix) if part.offset is None else part.offset))
            out += header_bytes(part.local) + part.data + part.behind
        start = len(out) - len(self.prefix)
        directory = b"".join(entries)
        out += directory + self.ending.between
        return bytes(out) + ending_bytes(self.ending, len(entries), len(directory), start)


def part(name: str, data: bytes, method: int = STORED, flags: int = 0) -> Part:
    """An honest member."""
    raw = name.encode()
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    stored = packed.compress(data) + packed.flush() if method == DEFLATED else data
    flags |= 0 if name.isascii() else UTF_8
    record = Record(raw, method, flags, zlib.crc32(data), len(stored), len(data))
    if not flags & STREAMED:
        return Part(record, record, stored)
    return Part(replace(record, crc=0, packed=0, size=0), record, stored, descriptor(record))


def descriptor(record: Record, mark: bytes = b"PK\7\x08", form: str = "<3I") -> bytes:
    """The descriptor behind a member."""
    return mark + struct.pack(form, record.crc, record.packed, record.size)


def header_bytes(record: Record) -> bytes:
    """The header before a member."""
    sizes = record.crc, record.packed, record.size
    fields = struct.pack("<4s5H3I2H", b"PK\3\4", 20, record.flags, record.method, 0, 33, *sizes, *_lengths(record))
    return fields + record.name + record.extra


def entry_bytes(record: Record, offset: int) -> bytes:
    """The entry of a member in the directory."""
    sizes = record.crc, record.packed, record.size
    start = struct.pack("<4s6H3I2H", b"PK\1\2", 20, 20, record.flags, record.method, 0, 33, *sizes, *_lengths(record))
    return start + struct.pack("<3H2I", 0, 0, 0, 0, offset) + record.name + record.extra


def _lengths(record: Record) -> tuple[int, int]:
    return len(record.name), len(record.extra)


def zip64_extra(*numbers: int) -> bytes:
    """A zip64 field of these numbers."""
    return struct.pack("<HH", 1, 8 * len(numbers)) + b"".join(struct.pack("<Q", number) for number in numbers)


def unicode_path(name: str, header_name: bytes) -> bytes:
    """Info-ZIP's field for a path in Unicode."""
    raw = name.encode()
    return struct.pack("<HHBI", 0x7075, 5 + len(raw), 1, zlib.crc32(header_name)) + raw


def ending_bytes(ending: Ending, count: int, size: int, offset: int) -> bytes:
    """The records at the end."""
    here, total = ending.counts or (count, count)
    size = size if ending.size is None else ending.size
    offset = offset if ending.offset is None else ending.offset
    out = b""
    if ending.zip64 is not None:
        long = {"here": count, "count": count, "size": size, "offset": offset, "place": offset + size, "length": 44}
        long |= ending.zip64
        numbers = long["here"], long["count"], long["size"], long["offset"]
        out += struct.pack("<4sQ2H2I4Q", b"PK\6\6", long["length"], 45, 45, 0, 0, *numbers)
        out += struct.pack("<4sIQI", b"PK\6\7", 0, long["place"], 1)
        here, total, size, offset = (long.get(f"plain_{key}", plain) for key, plain in zip(
            ("here", "count", "size", "offset"), (here, total, size, offset), strict=True
        ))  # fmt: skip
    length = len(ending.comment) if ending.comment_size is None else ending.comment_size
    here, total = here & 0xFFFF, total & 0xFFFF
    record = struct.pack("<4s4H2IH", b"PK\5\6", *ending.disks, here, total, size, offset, length)
    return out + record + ending.comment + ending.behind
