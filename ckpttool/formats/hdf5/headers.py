"""The lowest floor of HDF5: the superblock, object headers and their messages, as raw parts.

Written in Python so that no file can crash, hang or grow the process: every offset is checked against the end of the
file, and whatever is read is paid for from a budget. Source of the layouts: the HDF5 File Format Specification,
version 3.0. Read are superblocks 0 to 3 and object headers 1 and 2 with 8-byte offsets and lengths, which is what
libhdf5 writes by default.
"""

import bisect
import struct
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.errors import CorruptFileError, UnsupportedError, ambiguous
from ckpttool.formats.hdf5.signature import find_signature
from ckpttool.io.sources import Inflated, Source

UNDEFINED = 0xFFFFFFFFFFFFFFFF

MAX_HEADER_BLOCKS = 4096

_PAGE_BITS = 12  # metadata is read in pages of 4 KiB, as systems do anyway
_MAX_PAGES = 512
_MESSAGES_A_STEP = 5  # bits: bytes of a version 1 header, of which the least messages have eight, that cost a step

Header = dict[int, list[tuple[int, bytes]]]
"""An object header: for every type of message, the flags and body of each, in stored order."""

# What a header says once, by its number: a second message of the kind is seen by some readers, the first by others.
_ONCE = {
    0x01: "shape",
    0x02: "place for links",
    0x03: "datatype",
    0x04: "old fill value",
    0x05: "fill value",
    0x07: "list of external files",
    0x08: "layout",
    0x0B: "list of filters",
    0x11: "table of names",
    0x15: "place for attributes",
}
_SHAREABLE = frozenset({0x01, 0x03, 0x04, 0x05, 0x0B, 0x0C})
_ATTRIBUTE_INFO, _LAST_KIND = 0x15, 0x18
_SHARED, _MUST_BE_KNOWN = 0x02, 0x80  # flags of messages

_PREFIX_V1 = struct.Struct("<HHB3x").unpack_from
_PREFIX_V2 = struct.Struct("<BHB").unpack_from


class Superblock(NamedTuple):
    """The fields of a superblock, as they are stored.

    `table` are the addresses of the root group's table of names, where they are repeated; `extension` is where the
    superblock goes on, `UNDEFINED` where it does not.
    """

    base: int
    root: int
    end: int
    table: bytes
    extension: int


class Hdf5Bytes:
    """The bytes of an HDF5 file: addresses as HDF5 counts them, checked against the stored end of the file.

    What is read is paid for from the budget of the file.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pages: dict[int, bytes] = {}
        self.start = find_signature(source)
        self.superblock, self.end = _superblock(source, self.start)
        self.root = self.superblock.root
        self.trailing = source.size - self.start - self.end
        self.budget = source.budget

    @property
    def is_in_place(self) -> bool:
        """Whether the bytes are read as they lie, from anywhere at equal cost, and not inflated on the way."""
        return not isinstance(self._source, Inflated)

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes of metadata at `address`, paid for with a step for every 64 bytes."""
        self.budget.spend(1 + (size >> 6))
        number = address >> _PAGE_BITS
        at = address - (number << _PAGE_BITS)
        page = self._pages.get(number)
        if page is None:
            page = self._load_page(number)
        if at + size <= len(page):
            return page[at : at + size]
        if address + size > self.end:
            raise self._beyond(address, size)
        return self._source.read(self.start + address, size)

    def fill(self, address: int, buffer: memoryview) -> None:
        """The whole of `buffer`, filled from `address` on."""
        if address + len(buffer) > self.end:
            raise self._beyond(address, len(buffer))
        self._source.fill(self.start + address, buffer)

    def _load_page(self, number: int) -> bytes:
        """A page of the file, kept for the next reads; cut off at the end of the file, empty behind it."""
        first = number << _PAGE_BITS
        if first >= self.end:
            return b""
        if len(self._pages) == _MAX_PAGES:
            self._pages.clear()
        page = self._source.read(self.start + first, min(1 << _PAGE_BITS, self.end - first))
        self._pages[number] = page
        return page

    def _beyond(self, address: int, size: int) -> CorruptFileError:
        return CorruptFileError(
            "an HDF5 structure lies beyond the end of the file",
            expected=f"at most byte {self.end:,}",
            found=f"{size:,} bytes at {address:,}",
            hint="the file is damaged; fetch it again",
        )


def _superblock(source: Source, start: int) -> tuple[Superblock, int]:
    """The superblock at `start`, and the end of the file as all addresses are counted."""
    if start < 0:
        raise CorruptFileError("has no HDF5 signature")
    head = source.read(start, min(96 + 4, source.size - start))
    if len(head) < 48:
        raise truncated(len(head), 48)
    version = head[8]
    if version > 3:
        raise UnsupportedError(f"HDF5 superblock version {version}", expected="0 to 3", hint="the file may be damaged")
    sizes = head[13:15] if version < 2 else head[9:11]
    if sizes != b"\x08\x08":
        raise UnsupportedError(f"HDF5 offsets of {sizes[0]} and lengths of {sizes[1]} bytes", expected="8 and 8")
    superblock = _superblock_v0(head, version) if version < 2 else _superblock_v2(head)
    end = (
        superblock.end - superblock.base
    )  # stored as an offset in the whole file; all other addresses count from the base
    if end > source.size - start:
        raise truncated(source.size - start, end)
    if superblock.root >= end:
        where = f"address {superblock.root:,} of {end:,}"
        raise CorruptFileError("has no root group", found=where, hint="fetch the file again")
    return superblock, end


def _superblock_v0(head: bytes, version: int) -> Superblock:
    at = 24 + 4 * version  # version 1 has four bytes more before the addresses
    if len(head) < at + 72:
        raise truncated(len(head), at + 72)
    base, _free, end, driver, _name, root, cached = struct.unpack_from("<6QI", head, at)
    if driver != UNDEFINED:
        raise UnsupportedError("HDF5 spread over several files by a driver", hint="merge it with h5repack first")
    return Superblock(base, root, end, head[at + 56 : at + 72] if cached == 1 else b"", UNDEFINED)


def _superblock_v2(head: bytes) -> Superblock:
    base, extension, end, root, checksum = struct.unpack_from("<4QI", head, 12)
    if lookup3(head[:44]) != checksum:
        raise CorruptFileError("the HDF5 superblock has a wrong checksum", hint="fetch the file again")
    if head[8] == 3 and head[11] & 0b101:
        raise CorruptFileError(
            "is marked as open for writing: its writer still runs, or the save never finished",
            hint="wait for the writer; if it died, save again, or see what is there after `h5clear -s`",
        )
    return Superblock(base, root, end, b"", extension)


def truncated(actual: int, expected: int) -> CorruptFileError:
    """The error for a file that is shorter than its superblock says."""
    return CorruptFileError(
        "is truncated: shorter than the HDF5 superblock says",
        expected=f"{expected:,} bytes",
        found=f"{actual:,} bytes",
        hint="the download or the save was cut off; fetch or save it again",
    )


def unfinished() -> CorruptFileError:
    """The error for a file whose writer stopped before it wrote what is where in it."""
    return CorruptFileError(
        "is what a save left that never finished: no group was written to it yet",
        hint="its writer was killed, crashed, ran out of space, or still runs: save again, or take the save before",
    )


def read_header(file: Hdf5Bytes, address: int) -> Header:
    """The messages of the object header at `address`, continuations followed."""
    first = file.read(address, 16)
    if first[0] == 1:
        return _read_v1(file, address, int.from_bytes(first[8:12], "little"))
    if first[:5] == b"OHDR\x02":
        return _read_v2(file, address, first)
    raise CorruptFileError("no HDF5 object header where one should be", where=f"byte {address:,}")


def _read_v1(file: Hdf5Bytes, address: int, size: int) -> Header:
    header: Header = {}
    blocks = [(address + 16, size)]
    for start, length in _blocks(blocks):
        block = file.read(start, length)
        file.budget.spend(length >> _MESSAGES_A_STEP)
        at, end = 0, length - 8
        while at <= end:
            kind, body_size, flags = _PREFIX_V1(block, at)
            at += 8
            _add(header, blocks, kind, flags, block[at : at + body_size], body_size)
            if kind:
                file.budget.spend(1)
            at += body_size
    if _ATTRIBUTE_INFO in header:
        raise ambiguous("an old HDF5 header points to attributes outside of it, where libhdf5 never looks")
    return header


def _read_v2(file: Hdf5Bytes, address: int, first: bytes) -> Header:
    flags = first[5]
    prefix = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(file.read(address + prefix, width), "little")
    header: Header = {}
    blocks = [(address, prefix + width + size + 4)]
    for start, length in _blocks(blocks):
        block = file.read(start, length)
        if start != address and block[:4] != b"OCHK":
            raise CorruptFileError("no HDF5 header continuation where one should be", where=f"byte {start:,}")
        _check_sum(file, block)
        _messages_v2(file, block, prefix + width if start == address else 4, flags, header, blocks)
    return header


def _check_sum(file: Hdf5Bytes, block: bytes) -> None:
    file.budget.spend(len(block) >> 4)
    if len(block) < 4 or lookup3(block[:-4]) != int.from_bytes(block[-4:], "little"):
        raise CorruptFileError("an HDF5 object header has a wrong checksum")


def _messages_v2(
    file: Hdf5Bytes, block: bytes, at: int, flags: int, header: Header, blocks: list[tuple[int, int]]
) -> None:
    prefix = 6 if flags & 4 else 4
    end = len(block) - 4
    while at + prefix <= end:
        kind, size, message_flags = _PREFIX_V2(block, at)
        at += prefix
        _add(header, blocks, kind, message_flags, block[at : min(at + size, end)], size)
        file.budget.spend(1)
        at += size


def _add(header: Header, blocks: list[tuple[int, int]], kind: int, flags: int, body: bytes, size: int) -> None:
    """Add a message to the header, or the block that a continuation points to to the blocks."""
    if len(body) != size:
        raise CorruptFileError("an HDF5 header message runs past its block", found=f"{size:,} bytes")
    if kind == 0x10:
        if size < 16:
            raise CorruptFileError("an HDF5 header continuation is cut off")
        blocks.append(struct.unpack_from("<QQ", body))
        return
    if flags & ~1:
        _check_flags(kind, flags)
    if kind in header:
        if kind in _ONCE:
            raise ambiguous(f"an HDF5 object has two messages for its {_ONCE[kind]}")
        header[kind].append((flags, body))
    elif kind:
        header[kind] = [(flags, body)]


def _check_flags(kind: int, flags: int) -> None:
    """Raise for flags by which libhdf5 refuses to read on."""
    shared, not_to_be, strict, marked, was_unknown = (flags & bit for bit in (0x42, 0x04, 0x08, 0x10, 0x20))
    if (flags & _SHARED and not_to_be) or (was_unknown and (strict or not marked)):
        raise CorruptFileError("an HDF5 message has flags that exclude each other", found=f"{flags:#04x}")
    if shared and kind not in _SHAREABLE:
        raise CorruptFileError("an HDF5 message is kept elsewhere, which its kind never is", found=f"kind {kind}")
    if flags & _MUST_BE_KNOWN and kind > _LAST_KIND:
        raise UnsupportedError("an HDF5 message that a reader has to know and that nobody knows", found=f"kind {kind}")


def _blocks(blocks: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The blocks of a header, which grow in number while they are read; two that share a byte are an error."""
    taken = list[tuple[int, int]]()
    for start, length in blocks:
        at = bisect.bisect_left(taken, (start, 0))
        overlaps = (at > 0 and taken[at - 1][1] > start) or (at < len(taken) and taken[at][0] < start + length)
        if overlaps or len(taken) == MAX_HEADER_BLOCKS:
            raise CorruptFileError("an HDF5 object header continues into itself", where=f"byte {start:,}")
        taken.insert(at, (start, start + length))
        yield start, length


def lookup3(data: bytes) -> int:
    """The checksum of HDF5's newer structures: Bob Jenkins's lookup3 hash with start value 0, 32 bits."""
    m = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & m
    if not data:
        return c
    tail = (len(data) - 1) // 12 * 12
    for x, y, z in struct.iter_unpack("<3I", data[:tail]):
        a, b, c = a + x, b + y, (c + z) & m
        a = (a - c ^ (c << 4 | c >> 28)) & m
        c += b
        b = (b - a ^ (a << 6 | a >> 26)) & m
        a += c
        c = (c - b ^ (b << 8 | b >> 24)) & m
        b += a
        a = (a - c ^ (c << 16 | c >> 16)) & m
        c += b
        b = (b - a ^ (a << 19 | a >> 13)) & m
        a += c
        c = (c - b ^ (b << 4 | b >> 28)) & m
        b += a
    x, y, z = struct.unpack("<3I", data[tail:].ljust(12, b"\0"))
    return _final((a + x) & m, (b + y) & m, (c + z) & m)


def _final(a: int, b: int, c: int) -> int:
    mask = 0xFFFFFFFF
    for shift in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - ((b << shift | b >> (32 - shift)) & mask)) & mask
        a, b, c = b, c, a
    return b
