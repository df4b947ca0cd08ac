"""The records of a zip archive as they are stored, each on its own: end records, directory, headers, extra fields.

`zipfile` reads an archive by its directory and repairs what it finds on the way; here nothing is repaired, so that the
records can be compared. Layout facts: PKWARE's APPNOTE 6.3.10.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.errors import CorruptFileError
from ckpttool.io.sources import Source

HEADER, ENTRY, END, END_64, LOCATOR, DESCRIPTOR = (
    b"PK" + mark for mark in (b"\3\4", b"\1\2", b"\5\6", b"\6\6", b"\6\7", b"\7\x08")
)
ZIP64, UNICODE_PATH = 0x0001, 0x7075
SHORT, LONG = 0xFFFF, 0xFFFFFFFF  # what stands in place of a number that is in a zip64 field
ENCRYPTED, STREAMED, PATCHED, STRONG, UTF_8, MASKED = 0x1, 0x8, 0x20, 0x40, 0x800, 0x2000  # flags of a member

_TAIL = 65_557  # bytes in which zipfile looks for the end record
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_HEADER = struct.Struct("<4s5H3I2H")


class End(NamedTuple):
    """An end record: numbers of disks, of members, the size and the offset of the directory."""

    disk: int
    first_disk: int
    here: int
    total: int
    size: int
    offset: int


class Ending(NamedTuple):
    """The end of an archive. `at` is where its end record stands, `record` what it says and `behind` how many bytes
    follow it and its comment, less than 0 where the comment is cut off.

    `long` is the zip64 end record, which a locator before the end record announces; `long_place` is where the locator
    has it and `long_size` the size that it gives itself. None where there is no locator or nothing at its place.
    """

    at: int
    record: End
    behind: int
    has_locator: bool = False
    long: End | None = None
    long_place: int = 0
    long_size: int = 0


class Sizes(NamedTuple):
    """The checksum of a member, its size in the archive, and its size, as a header has them."""

    crc: int
    packed: int
    size: int


class Header(NamedTuple):
    """The header before a member, or its entry in the directory; only the latter has `offset` and `disk`."""

    flags: int
    method: int
    sizes: Sizes
    name: bytes
    extra: bytes
    length: int
    offset: int = 0
    disk: int = 0


def ending(source: Source) -> Ending | None:
    """The end of an archive as zipfile finds it (`_EndRecData`, zipfile.py, 3.11); None where there is none."""
    tail_size = min(source.size, _TAIL)
    tail = source.read(source.size - tail_size, tail_size)
    at = len(tail) - _END.size
    if at < 0 or tail[at : at + 4] != END or tail[-2:] != b"\0\0":
        at = tail.rfind(END)
    if at < 0 or at + _END.size > len(tail):
        return None
    *_, comment = fields = _END.unpack_from(tail, at)
    place = source.size - tail_size + at
    end = Ending(place, End(*fields[1:7]), len(tail) - at - _END.size - comment)
    if at < 20 or tail[at - 20 : at - 16] != LOCATOR:
        return end
    end = end._replace(has_locator=True, long_place=int.from_bytes(tail[at - 12 : at - 4], "little"))
    if at < 76 or tail[at - 76 : at - 72] != END_64:
        return end
    _, size, _, _, *numbers = _END_64.unpack_from(tail, at - 76)
    return end._replace(long=End(*numbers), long_size=size)


def entries(directory: bytes) -> Iterator[Header]:
    """The entries of a directory; ends where no further one begins."""
    at = 0
    while at + _ENTRY.size <= len(directory) and directory[at : at + 4] == ENTRY:
        fields = _ENTRY.unpack_from(directory, at)
        flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
        name_size, extra_size, comment_size, disk = fields[10:14]
        name_at = at + _ENTRY.size
        extra_at = name_at + name_size
        end = extra_at + extra_size + comment_size
        name, extra = directory[name_at:extra_at], directory[extra_at : extra_at + extra_size]
        yield Header(flags, method, Sizes(crc, packed, size), name, extra, end - at, fields[16], disk)
        at = end


def header(source: Source, offset: int) -> Header:
    """The header before a member; raises where none is there."""
    if offset < 0 or offset + _HEADER.size > source.size:
        raise CorruptFileError("lies outside the archive")
    head = source.read(offset, _HEADER.size)
    mark, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _HEADER.unpack(head)
    if mark != HEADER:
        raise CorruptFileError("is not where the directory says")
    length = _HEADER.size + name_size + extra_size
    rest = source.read(offset + _HEADER.size, min(name_size + extra_size, source.size - offset - _HEADER.size))
    return Header(flags, method, Sizes(crc, packed, size), rest[:name_size], rest[name_size:], length)


def extras(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The extra fields of a header by their numbers; one that is cut off, and what follows it, is left out."""
    at = 0
    while at + 4 <= len(raw):
        number, size = struct.unpack_from("<HH", raw, at)
        at += 4 + size
        if at > len(raw):
            return
        yield number, raw[at - size : at]


def descriptor(source: Source, at: int, limit: int, sizes: Sizes) -> int:
    """The size in bytes of the descriptor of these sizes at `at`, with a mark or without, in short or long numbers; 0
    where there is none."""
    raw = source.read(at, max(0, min(24, limit - at)))
    for mark in (DESCRIPTOR, b""):
        for form in ("<3I", "<I2Q"):
            try:
                wanted = mark + struct.pack(form, *sizes)
            except struct.error:  # sizes for long numbers only
                continue
            if raw.startswith(wanted):
                return len(wanted)
    return 0
