"""HDF5 files taken apart and put together in ways that no writer does: headers rewritten, attributes and links stored
elsewhere, entries moved.

Written after the HDF5 File Format Specification, version 3.0, apart from the reader that it tests.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import h5py

from ckpttool.formats.hdf5.headers import lookup3

UNDEFINED = 0xFFFFFFFFFFFFFFFF
_BLOCKS = 40  # of one header
SPACE, LINK_INFO, TYPE, OLD_FILL, FILL, LINK, LAYOUT, ATTRIBUTE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x0C
CONTINUATION, TABLE, ATTRIBUTE_INFO = 0x10, 0x11, 0x15


class Message(NamedTuple):
    """A message of an object header."""

    kind: int
    body: bytes
    flags: int = 0


@dataclass
class Patient:
    """A file under change."""

    data: bytearray

    @property
    def version(self) -> int:
        """The version of the superblock."""
        return self.data[8]

    @property
    def end(self) -> int:
        """The end of the file, as its superblock says."""
        return self.number(28 if self.version > 1 else 40 + 4 * self.version)

    def number(self, at: int) -> int:
        """Eight bytes as a number."""
        return int.from_bytes(self.data[at : at + 8], "little")

    def set_number(self, at: int, value: int) -> None:
        """Puts a number into eight bytes."""
        self.data[at : at + 8] = (value % 2**64).to_bytes(8, "little")

    def set_end(self, end: int) -> None:
        """Says where the file ends."""
        self.set_number(28 if self.version > 1 else 40 + 4 * self.version, end)
        self.seal()

    def seal(self) -> None:
        """Puts the checksum of the superblock right."""
        if self.version > 1:
            self.data[44:48] = checksum(self.data[:44])

    def append(self, block: bytes) -> int:
        """Adds a block at the end; gives its address."""
        self.data += bytes(-len(self.data) % 8)
        at = len(self.data)
        self.data += block
        self.set_end(len(self.data))
        return at

    def messages(self, address: int) -> list[Message]:
        """All messages of the object header at an address, but for empty ones and continuations."""
        read = _messages_v1 if self.data[address] == 1 else _messages_v2
        return read(self.data, address)

    def rewrite(self, address: int, messages: Iterable[Message]) -> None:
        """Gives an object other messages: its header becomes one continuation, to a block at the end of the file."""
        if self.data[address] == 1:
            block = _packed_v1(messages)
            self.continue_at(address, self.append(block), len(block))
        else:
            body = b"OCHK" + _packed_v2(messages, self.data[address + 5])
            block = body + checksum(body)
            self.continue_at(address, self.append(block), len(block))

    def continue_at(self, address: int, place: int, size: int) -> None:
        """Makes a header nothing but a continuation to a place; raises IndexError where it is larger than the file."""
        onward = Message(CONTINUATION, struct.pack("<QQ", place, size))
        if self.data[address] == 1:
            room = self._room(int.from_bytes(self.data[address + 8 : address + 12], "little"))
            self.data[address + 16 : address + 16 + room] = _filled_v1(_packed_v1([onward]), room)
            return
        start, room = _first_block_v2(self.data, address)
        room = self._room(room)
        flags = self.data[address + 5]
        self.data[start : start + room] = _filled_v2(_packed_v2([onward], flags), room, flags)
        self.data[start + room : start + room + 4] = checksum(self.data[address : start + room])

    def _room(self, size: int) -> int:
        if size > len(self.data):
            raise IndexError("a header that an earlier change has broken")
        return size

    def replace_address(self, old: int, new: int) -> None:
        """Makes whatever points to one object point to another."""
        self.data[:] = bytes(self.data).replace(struct.pack("<Q", old), struct.pack("<Q", new))
        self.seal()


def _messages_v1(data: bytearray, address: int) -> list[Message]:
    messages, blocks = [], [(address + 16, int.from_bytes(data[address + 8 : address + 12], "little"))]
    for start, size in blocks:
        if len(blocks) > _BLOCKS or size > len(data):
            raise IndexError("a header that an earlier change has broken")
        at = start
        while at + 8 <= start + size:
            kind, length, flags = struct.unpack_from("<HHB", data, at)
            body = bytes(data[at + 8 : at + 8 + length])
            at += 8 + length
            if kind == CONTINUATION:
                blocks.append(struct.unpack_from("<QQ", body))
            elif kind:
                messages.append(Message(kind, body, flags))
    return messages


def _first_block_v2(data: bytearray, address: int) -> tuple[int, int]:
    """The place where the messages of a new header begin, and the number of their bytes before the checksum."""
    flags = data[address + 5]
    at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    return at + width, int.from_bytes(data[at : at + width], "little")


def _messages_v2(data: bytearray, address: int) -> list[Message]:
    messages, blocks, prefix = [], [_first_block_v2(data, address)], 6 if data[address + 5] & 4 else 4
    for start, size in blocks:
        if len(blocks) > _BLOCKS or size > len(data):
            raise IndexError("a header that an earlier change has broken")
        at = start
        while at + prefix <= start + size:
            kind, length, flags = struct.unpack_from("<BHB", data, at)
            body = bytes(data[at + prefix : at + prefix + length])
            at += prefix + length
            if kind == CONTINUATION:
                place, length = struct.unpack_from("<QQ", body)
                blocks.append((place + 4, length - 8))
            elif kind:
                messages.append(Message(kind, body, flags))
    return messages


def _packed_v1(messages: Iterable[Message]) -> bytes:
    parts = []
    for kind, body, flags in messages:
        body += bytes(-len(body) % 8)
        parts.append(struct.pack("<HHB3x", kind, len(body), flags) + body)
    return b"".join(parts)


def _packed_v2(messages: Iterable[Message], header_flags: int) -> bytes:
    order = b"\0\0" if header_flags & 4 else b""
    return b"".join(struct.pack("<BHB", kind, len(body), flags) + order + body for kind, body, flags in messages)


def _filled_v1(packed: bytes, room: int) -> bytes:
    left = room - len(packed) - 8
    if left < 0:
        return packed.ljust(room, b"\0")
    return packed + struct.pack("<HHB3x", 0, min(left, 0xFFFF), 0) + bytes(left)


def _filled_v2(packed: bytes, room: int, header_flags: int) -> bytes:
    prefix = 6 if header_flags & 4 else 4
    left = room - len(packed) - prefix
    if left < 0:
        return packed.ljust(room, b"\0")
    return packed + struct.pack("<BHB", 0, min(left, 0xFFFF), 0) + bytes(prefix - 4 + left)


def checksum(data: bytes | bytearray) -> bytes:
    """The checksum of a block."""
    return lookup3(bytes(data)).to_bytes(4, "little")


def addresses(data: bytes) -> dict[str, int]:
    """The addresses of the headers of all objects of a good file."""
    addresses = {}
    with h5py.File(BytesIO(data)) as file:
        addresses[""] = int(h5py.h5o.get_info(file.id).addr)
        file.visititems(lambda name, item: addresses.update({name: int(h5py.h5o.get_info(item.id).addr)}))
    return addresses


def text_attribute(name: str, text: str) -> bytes:
    """The body of an attribute message that holds a text of fixed length."""
    raw = text.encode() or b"\0"
    kind = b"\x13\0\0\0" + struct.pack("<I", len(raw))
    return attribute(name.encode() + b"\0", kind, b"\x02\0\0\0", raw)


def attribute(name: bytes, kind: bytes, space: bytes, data: bytes) -> bytes:
    """The body of an attribute message of version 3."""
    return struct.pack("<BBHHHB", 3, 0, len(name), len(kind), len(space), 0) + name + kind + space + data


def hard_link(name: str, address: int) -> bytes:
    """The body of a link message."""
    raw = name.encode()
    return struct.pack("<BBB", 1, 0, len(raw)) + raw + struct.pack("<Q", address)


def heap(file: Patient, objects: list[bytes], offset_bytes: int) -> tuple[int, list[bytes]]:
    """A fractal heap of these objects, in one block; its address and their heap IDs, without what fills them up."""
    size = 512
    start = 17 + offset_bytes
    while size < start + sum(map(len, objects)):
        size *= 2
    head = file.append(bytes(146))
    ids, at = [], start
    for body in objects:
        ids.append(b"\0" + at.to_bytes(offset_bytes, "little") + len(body).to_bytes(2, "little"))
        at += len(body)
    front = b"FHDB\0" + struct.pack("<Q", head) + bytes(offset_bytes)
    block = bytearray((front + bytes(4) + b"".join(objects)).ljust(size, b"\0"))
    block[len(front) : len(front) + 4] = checksum(block)
    root = file.append(bytes(block))
    facts = struct.pack("<4sBHHBI", b"FRHP", 0, len(ids[0]) if ids else 3 + offset_bytes, 0, 2, 4096)
    facts += struct.pack("<12Q", 0, UNDEFINED, size - at, UNDEFINED, size, size, size, len(objects), 0, 0, 0, 0)
    facts += struct.pack("<HQQHHQH", 4, size, 65536, 8 * offset_bytes, 0, root, 0)
    file.data[head : head + 146] = facts + checksum(facts)
    return head, ids


def index(file: Patient, kind: int, records: list[bytes]) -> int:
    """The address of a B-tree of version 2 with one leaf."""
    width = len(records[0])
    body = struct.pack("<4sBB", b"BTLF", 0, kind) + b"".join(records)
    node = (body + checksum(body)).ljust(max(512, len(body) + 4), b"\0")
    leaf = file.append(node)
    head = struct.pack("<4sBBIHHBBQHQ", b"BTHD", 0, kind, len(node), width, 0, 98, 40, leaf, len(records), len(records))
    return file.append(head + checksum(head))


def name_of(body: bytes) -> bytes:
    """The name in the body of an attribute message, of any version."""
    version, size = body[0], int.from_bytes(body[2:4], "little")
    at = 9 if version == 3 else 8
    return body[at : at + size].partition(b"\0")[0]


def dense_attributes(file: Patient, bodies: list[bytes]) -> Message:
    """Attributes put into a heap; the message that points to it."""
    place, ids = heap(file, bodies, 5)
    records = [
        (lookup3(name_of(body)), heap_id + struct.pack("<BI", 0, number) + checksum(name_of(body)))
        for number, (heap_id, body) in enumerate(zip(ids, bodies, strict=True))
    ]
    tree = index(file, 8, [record for _, record in sorted(records)])
    return Message(ATTRIBUTE_INFO, struct.pack("<BBQQ", 0, 0, place, tree))


def dense_links(file: Patient, links: dict[str, int]) -> Message:
    """Hard links put into a heap; the message that points to it."""
    place, ids = heap(file, [hard_link(name, address) for name, address in links.items()], 4)
    records = [
        (lookup3(name.encode()), checksum(name.encode()) + heap_id) for heap_id, name in zip(ids, links, strict=True)
    ]
    tree = index(file, 5, [record for _, record in sorted(records)])
    return Message(LINK_INFO, struct.pack("<BBQQ", 0, 0, place, tree))


def compact_links(links: dict[str, int]) -> list[Message]:
    """Hard links as messages of the header of their group."""
    here = Message(LINK_INFO, struct.pack("<BBQQ", 0, 0, UNDEFINED, UNDEFINED))
    return [here, *(Message(LINK, hard_link(name, address)) for name, address in links.items())]
