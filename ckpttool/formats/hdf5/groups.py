"""The links of an HDF5 group: what is in it, by name, and what each name points to.

Old-style groups keep names in a local heap and entries in a version 1 B-tree; new-style ones keep link messages in the
header or, when there are many, in a fractal heap indexed by a version 2 B-tree. Nothing is opened or followed here.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.errors import CorruptFileError
from ckpttool.formats.hdf5.heaps import FractalHeap, btree_v2_records
from ckpttool.formats.hdf5.low import UNDEFINED, Hdf5Bytes, Header

LINK_INFO, LINK, SYMBOL_TABLE = 0x02, 0x06, 0x11
MAX_NAME = 4096

_MAX_LEVEL = 64
_LINK_STEPS = 8  # what a link costs of the budget, which bounds how many are held in memory
_MAX_TARGET = 1024


class Link(NamedTuple):
    """One name in a group. `kind` is hard, soft, external or user-defined; only a hard link has an `address`."""

    name: str
    kind: str
    address: int = UNDEFINED
    target: str = ""


def is_group(header: Header) -> bool:
    """Whether this is the object header of a group."""
    return SYMBOL_TABLE in header or LINK_INFO in header or LINK in header


def links(file: Hdf5Bytes, header: Header) -> Iterator[Link]:
    """The links of the group with this header, in stored order (for old-style groups, sorted by name)."""
    for _, body in header.get(LINK, ()):
        yield _link(file, body)
    for _, body in header.get(SYMBOL_TABLE, ()):
        yield from _symbols(file, body)
    for _, body in header.get(LINK_INFO, ()):
        yield from _dense_links(file, body)


def _symbols(file: Hdf5Bytes, body: bytes) -> Iterator[Link]:
    if len(body) < 16:
        raise CorruptFileError("an HDF5 symbol table message is cut off")
    tree, heap = struct.unpack_from("<QQ", body)
    names = _local_heap(file, heap)
    for node in _tree_leaves(file, tree, _MAX_LEVEL, set()):
        yield from _symbol_node(file, node, names)


def _local_heap(file: Hdf5Bytes, address: int) -> bytes:
    head = file.read(address, 32)
    if head[:4] != b"HEAP":
        raise CorruptFileError("no HDF5 name heap where one should be", where=f"byte {address:,}")
    size, _free, data = struct.unpack_from("<QQQ", head, 8)
    return file.read(data, size)


def _tree_leaves(file: Hdf5Bytes, address: int, above: int, seen: set[int]) -> Iterator[int]:
    """The addresses of the symbol nodes below a version 1 B-tree node, left to right."""
    head = file.read(address, 24)
    level, used = head[5], int.from_bytes(head[6:8], "little")
    if head[:5] != b"TREE\x00":
        raise CorruptFileError("no HDF5 group tree where one should be", where=f"byte {address:,}")
    if level >= above:
        raise CorruptFileError("an HDF5 group tree runs into itself", where=f"byte {address:,}")
    keys_and_children = struct.unpack(f"<{2 * used}Q", file.read(address + 32, 16 * used))
    for child in keys_and_children[::2]:
        if child in seen:
            raise CorruptFileError("an HDF5 group tree runs into itself", where=f"byte {child:,}")
        seen.add(child)
        if level:
            yield from _tree_leaves(file, child, level, seen)
        else:
            yield child


def _symbol_node(file: Hdf5Bytes, address: int, names: bytes) -> Iterator[Link]:
    head = file.read(address, 8)
    if head[:5] != b"SNOD\x01":
        raise CorruptFileError("no HDF5 symbol node where one should be", where=f"byte {address:,}")
    count = int.from_bytes(head[6:8], "little")
    entries = file.read(address + 8, 40 * count)
    for name_offset, header, cached, scratch in struct.iter_unpack("<QQI4xI12x", entries):
        name = _name(names, name_offset)
        file.budget.spend(_LINK_STEPS + (len(name) >> 4))
        if cached == 2:
            yield Link(name, "soft", target=_name(names, scratch)[:_MAX_TARGET])
        else:
            yield Link(name, "hard", header)


def _name(heap: bytes, offset: int) -> str:
    """The name at an offset of the heap; of one that is too long only so much that it shows."""
    end = heap.find(b"\0", offset, offset + MAX_NAME + 1)
    if end < 0:
        end = offset + MAX_NAME + 1
    if end > len(heap):
        raise CorruptFileError("an HDF5 name lies outside its heap", found=f"offset {offset:,} of {len(heap):,}")
    return decode_name(heap[offset:end])


def decode_name(raw: bytes) -> str:
    """The text of a stored name; bytes that are no UTF-8 are kept as lone surrogates, to be escaped when shown."""
    return raw.decode("utf-8", "surrogateescape")


def _link(file: Hdf5Bytes, body: bytes) -> Link:
    """The link that a link message describes (version 1, the only one there is)."""
    file.budget.spend(_LINK_STEPS)
    try:
        flags = body[1]
        at = 2
        kind = body[at] if flags & 8 else 0
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        end = at + width + int.from_bytes(body[at : at + width], "little")
        if end > len(body):
            raise IndexError
        name = decode_name(body[at + width : min(end, at + width + MAX_NAME + 1)])
        if kind == 0:
            return Link(name, "hard", struct.unpack_from("<Q", body, end)[0])
        size = int.from_bytes(body[end : end + 2], "little")
        return _other_link(name, kind, body[end + 2 : end + 2 + min(size, _MAX_TARGET)])
    except (IndexError, struct.error) as error:
        raise CorruptFileError("an HDF5 link message is cut off") from error


def _other_link(name: str, kind: int, value: bytes) -> Link:
    if kind == 1:
        return Link(name, "soft", target=decode_name(value))
    if kind == 64:
        file_name, _, object_path = value[1:].rstrip(b"\0").partition(b"\0")
        return Link(name, "external", target=f"{decode_name(file_name)}:{decode_name(object_path)}")
    return Link(name, "user-defined", target=f"link type {kind}")


def _dense_links(file: Hdf5Bytes, body: bytes) -> Iterator[Link]:
    if len(body) < 18:
        raise CorruptFileError("an HDF5 link info message is cut off")
    at = 10 if body[1] & 1 else 2
    heap_address, tree_address = struct.unpack_from("<QQ", body.ljust(at + 16, b"\xff"), at)
    if heap_address == UNDEFINED:
        return
    heap = FractalHeap(file, heap_address)
    for body in heap.objects(record[4:] for record in btree_v2_records(file, tree_address, kind=5)):
        yield _link(file, body)
