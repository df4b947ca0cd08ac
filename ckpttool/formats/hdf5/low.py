"""The lowest floor of HDF5: the superblock, object headers and their messages, as raw parts.

Written in Python so that no file can crash, hang or grow the process: every offset is checked against the end of the
file, every loop has a budget. Source of the layouts: the HDF5 File Format Specification, version 3.0. Read are
superblocks 0 to 3 and object headers 1 and 2 with 8-byte offsets and lengths, which is what libhdf5 writes by default.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ckpttool.errors import CorruptFileError, UnsupportedError
from ckpttool.files import Source

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 0xFFFFFFFFFFFFFFFF

MAX_HEADER_BYTES = 64 << 20
MAX_HEADER_BLOCKS = 4096
_FIRST_READ = 544  # holds the whole header of a dataset or group as h5py writes it


@dataclass(slots=True)
class Budget:
    """What one file may cost in steps of work; honest files stay far below."""

    steps: int = 4_000_000

    def spend(self, steps: int) -> None:
        """Takes `steps` off; `CorruptFileError` when nothing is left."""
        self.steps -= steps
        if self.steps < 0:
            raise CorruptFileError(
                "the HDF5 structure repeats itself or is larger than any checkpoint's",
                hint="do not load this file; ask its author for another one",
            )


Message = tuple[int, int, bytes]
"""One message of an object header: its type, flags and body."""


class Hdf5Bytes:
    """The bytes of an HDF5 file: addresses as HDF5 counts them, checked against the stored end of the file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.start = find_signature(source)
        self.budget = Budget()
        self.root, self.end = _superblock(source, self.start)
        self.trailing = source.size - self.start - self.end

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes at `address`."""
        if address + size > self.end:
            raise CorruptFileError(
                "an HDF5 structure lies beyond the end of the file",
                expected=f"at most byte {self.end:,}",
                found=f"{size:,} bytes at {address:,}",
                hint="the file is damaged; fetch it again",
            )
        return self._source.read(self.start + address, size)

    def upto(self, address: int, size: int) -> bytes:
        """At most `size` bytes at `address`, fewer where the file ends."""
        return self.read(address, max(0, min(size, self.end - address)))

    def fill(self, address: int, buffer: memoryview) -> None:
        """The whole of `buffer`, filled from `address` on."""
        self._source.fill(self.start + address, buffer)


def find_signature(source: Source) -> int:
    """The offset of the HDF5 signature (0, 512, 1024, 2048 ...), or -1 where there is none."""
    offset = 0
    while offset + len(SIGNATURE) <= source.size:
        if source.read(offset, len(SIGNATURE)) == SIGNATURE:
            return offset
        offset = max(512, offset * 2)
    return -1


def _superblock(source: Source, start: int) -> tuple[int, int]:
    """The address of the root group's object header and the end of the file, from the superblock at `start`."""
    if start < 0:
        raise CorruptFileError("has no HDF5 signature")
    head = source.read(start, min(96, source.size - start))
    if len(head) < 48:
        raise truncated(len(head), 48)
    version = head[8]
    if version > 3:
        raise UnsupportedError(f"HDF5 superblock version {version}", expected="0 to 3", hint="the file may be damaged")
    sizes = head[13:15] if version < 2 else head[9:11]
    if sizes != b"\x08\x08":
        raise UnsupportedError(f"HDF5 offsets of {sizes[0]} and lengths of {sizes[1]} bytes", expected="8 and 8")
    root, end = _superblock_v0(head, version) if version < 2 else _superblock_v2(head)
    if end > source.size - start:
        raise truncated(source.size - start, end)
    if root >= end:
        raise CorruptFileError("has no root group", found=f"address {root:,} of {end:,}", hint="fetch the file again")
    return root, end


def _superblock_v0(head: bytes, version: int) -> tuple[int, int]:
    at = 24 + 4 * version  # version 1 has four bytes more before the addresses
    if len(head) < at + 72:
        raise truncated(len(head), at + 72)
    _base, _free, end, driver, _name, root = struct.unpack_from("<6Q", head, at)
    if driver != UNDEFINED:
        raise UnsupportedError("HDF5 spread over several files by a driver", hint="merge it with h5repack first")
    return root, end


def _superblock_v2(head: bytes) -> tuple[int, int]:
    _base, _extension, end, root, checksum = struct.unpack_from("<4QI", head, 12)
    if lookup3(head[:44]) != checksum:
        raise CorruptFileError("the HDF5 superblock has a wrong checksum", hint="fetch the file again")
    if head[8] == 3 and head[11] & 0b101:
        raise CorruptFileError(
            "is marked as open for writing: its writer crashed or still runs",
            hint="wait for the writer, or clear the mark with `h5clear -s` if it died",
        )
    return root, end


def truncated(found: int, expected: int) -> CorruptFileError:
    """The error for a file that is shorter than it says of itself."""
    return CorruptFileError(
        "is truncated: shorter than the HDF5 superblock says",
        expected=f"{expected:,} bytes",
        found=f"{found:,} bytes",
        hint="the download or the save was cut off; fetch or save it again",
    )


@dataclass(slots=True)
class _Header:
    """An object header while it is read."""

    messages: list[Message] = field(default_factory=list)
    blocks: list[tuple[int, int]] = field(default_factory=list)
    size: int = 0


def read_header(file: Hdf5Bytes, address: int) -> list[Message]:
    """The messages of the object header at `address`, continuations followed, in stored order."""
    first = file.upto(address, _FIRST_READ)
    if first[:1] == b"\x01":
        return _read_v1(file, address, first)
    if first[:5] == b"OHDR\x02":
        return _read_v2(file, address, first)
    raise CorruptFileError("no HDF5 object header where one should be", where=f"byte {address:,}")


def _read_v1(file: Hdf5Bytes, address: int, first: bytes) -> list[Message]:
    if len(first) < 16:
        raise CorruptFileError("an HDF5 object header is cut off", where=f"byte {address:,}")
    size = int.from_bytes(first[8:12], "little")
    header = _Header(blocks=[(address + 16, size)])
    block = first[16 : 16 + size] if size <= len(first) - 16 else None
    for start, length in _blocks(header):
        body = block if block is not None else file.read(start, length)
        block = None
        _messages_v1(file, header, body)
    return header.messages


def _messages_v1(file: Hdf5Bytes, header: _Header, body: bytes) -> None:
    at, end = 0, len(body) - 8
    add, unpack = header.messages.append, struct.Struct("<HHB").unpack_from
    while at <= end:
        kind, size, flags = unpack(body, at)
        at += 8
        if at + size > len(body):
            raise CorruptFileError("an HDF5 header message runs past its block", found=f"{size:,} bytes")
        if kind == 0x10:
            _continue(header, body[at : at + size])
        elif kind:
            add((kind, flags, body[at : at + size]))
        at += size
    file.budget.spend(1 + len(body) // 64)


def _read_v2(file: Hdf5Bytes, address: int, first: bytes) -> list[Message]:
    flags = first[5] if len(first) > 5 else 0
    prefix = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(first[prefix : prefix + width], "little")
    _bounded(size)
    header = _Header()
    _messages_v2(file, header, file.read(address, prefix + width + size + 4), prefix + width, flags)
    for start, length in _blocks(header):
        chunk = file.read(start, length)
        if chunk[:4] != b"OCHK":
            raise CorruptFileError("no HDF5 header continuation where one should be", where=f"byte {start:,}")
        _messages_v2(file, header, chunk, 4, flags)
    return header.messages


def _messages_v2(file: Hdf5Bytes, header: _Header, block: bytes, at: int, flags: int) -> None:
    if len(block) < at + 4 or lookup3(block[:-4]) != int.from_bytes(block[-4:], "little"):
        raise CorruptFileError("an HDF5 object header has a wrong checksum")
    prefix = 6 if flags & 4 else 4
    end = len(block) - 4
    while at + prefix <= end:
        kind, size, message_flags = struct.unpack_from("<BHB", block, at)
        at += prefix
        if at + size > end:
            raise CorruptFileError("an HDF5 header message runs past its block", found=f"{size:,} bytes")
        if kind == 0x10:
            _continue(header, block[at : at + size])
        elif kind:
            header.messages.append((kind, message_flags, block[at : at + size]))
        at += size
    file.budget.spend(1 + len(block) // 64)


def _continue(header: _Header, body: bytes) -> None:
    if len(body) < 16:
        raise CorruptFileError("an HDF5 header continuation is cut off")
    start, length = struct.unpack_from("<QQ", body)
    header.blocks.append((start, length))


def _blocks(header: _Header) -> Iterator[tuple[int, int]]:
    """The blocks of a header, which grow in number while they are read; one that comes twice is an error."""
    seen = set[int]()
    for start, length in header.blocks:  # the loop meets what `_continue` appends meanwhile
        if start in seen or len(seen) == MAX_HEADER_BLOCKS:
            raise CorruptFileError("an HDF5 object header continues into itself", where=f"byte {start:,}")
        seen.add(start)
        header.size += length
        _bounded(header.size)
        yield start, length


def _bounded(size: int) -> None:
    if size > MAX_HEADER_BYTES:
        raise CorruptFileError(
            "an HDF5 object header is larger than any honest one", expected=f"{MAX_HEADER_BYTES:,} bytes at most", found=f"{size:,} bytes"
        )


def lookup3(data: bytes) -> int:
    """The checksum of HDF5's newer structures: Bob Jenkins's lookup3 hash with start value 0, 32 bits."""
    mask = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & mask
    if not data:
        return c
    tail = (len(data) - 1) // 12 * 12
    words = struct.unpack(f"<{tail // 4}I", data[:tail])
    for x, y, z in zip(words[::3], words[1::3], words[2::3], strict=True):
        a, b, c = _mix((a + x) & mask, (b + y) & mask, (c + z) & mask)
    x, y, z = struct.unpack("<3I", data[tail:].ljust(12, b"\0"))
    return _final((a + x) & mask, (b + y) & mask, (c + z) & mask)


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    mask = 0xFFFFFFFF
    for shift in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & mask) ^ ((c << shift | c >> (32 - shift)) & mask)
        c = (c + b) & mask
        a, b, c = b, c, a
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    mask = 0xFFFFFFFF
    for shift in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - ((b << shift | b >> (32 - shift)) & mask)) & mask
        a, b, c = b, c, a
    return b
