"""The links of an HDF5 group: what is in it, by name, and what each name points to.

Old-style groups keep names in a local heap and entries in a version 1 B-tree; new-style ones keep link messages in the
header or, when there are many, in a fractal heap indexed by a version 2 B-tree. Nothing is opened or followed here.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.errors import CorruptFileError, ambiguous
from ckpttool.formats.hdf5.headers import UNDEFINED, Hdf5Bytes, Header
from ckpttool.formats.hdf5.heaps import LINK_RECORDS, FractalHeap, NameIndex

LINK_INFO, LINK, SYMBOL_TABLE = 0x02, 0x06, 0x11
MAX_NAME = 4096

_MAX_LEVEL = 64
_LINK_STEPS = 8  # the price of a link, which bounds the number of links in memory
_MAX_TARGET = 1024

_Bounds = tuple[bytes, bytes | None]
"""The names between which all names of a node lie: above the first, up to the second; None where nothing bounds."""


class Link(NamedTuple):
    """A name in a group. `kind` is hard, soft, external or user-defined; only a hard link has an `address`.

    `table` are the addresses that the entry repeats from the symbol table message of the group that it leads to, as old
    files do; empty where it repeats none. `is_astray` says that the name is out of order: who lists the group sees it,
    who searches for it may not.
    """

    name: str
    kind: str
    address: int = UNDEFINED
    target: str = ""
    table: bytes = b""
    is_astray: bool = False


def is_group(header: Header) -> bool:
    """Whether this is the object header of a group."""
    return SYMBOL_TABLE in header or LINK_INFO in header or LINK in header


def links(file: Hdf5Bytes, header: Header) -> Iterator[Link]:
    """The links of the group with this header, in stored order (for old-style groups, sorted by name).

    A group keeps them in one place. libhdf5 looks into the first that it has of: a fractal heap, the header, a table
    (`H5G__obj_lookup`, H5Gobj.c, 1.14).
    """
    if SYMBOL_TABLE in header:
        if LINK_INFO in header or LINK in header:
            raise ambiguous("an HDF5 group keeps names in two places")
        yield from _symbols(file, header[SYMBOL_TABLE][0][1])
        return
    if LINK_INFO not in header:
        raise ambiguous("an HDF5 group does not say that its header holds names, so that only some readers look there")
    dense = _dense_links(file, header[LINK_INFO][0][1])
    if dense is None:
        yield from (_link(file, body) for _, body in header.get(LINK, ()))
    elif LINK in header:
        raise ambiguous("an HDF5 group keeps names in two places")
    else:
        yield from dense


def _symbols(file: Hdf5Bytes, body: bytes) -> Iterator[Link]:
    if len(body) < 16:
        raise CorruptFileError("an HDF5 symbol table message is cut off")
    tree, heap = struct.unpack_from("<QQ", body)
    names = _local_heap(file, heap)
    for node, low, high in _tree_leaves(file, tree, _MAX_LEVEL, set(), names, (b"", None)):
        yield from _symbol_node(file, node, names, low, high)


def _local_heap(file: Hdf5Bytes, address: int) -> bytes:
    head = file.read(address, 32)
    if head[:4] != b"HEAP":
        raise CorruptFileError("no HDF5 name heap where one should be", where=f"byte {address:,}")
    size, _free, data = struct.unpack_from("<QQQ", head, 8)
    return file.read(data, size)


def _tree_leaves(
    file: Hdf5Bytes, address: int, above: int, seen: set[int], names: bytes, bounds: _Bounds
) -> Iterator[tuple[int, bytes, bytes]]:
    """The addresses of the symbol nodes below a version 1 B-tree node, left to right, each with the bounds of its
    names: above the first, and up to the second."""
    head = file.read(address, 24)
    level, used = head[5], int.from_bytes(head[6:8], "little")
    if head[:5] != b"TREE\x00":
        raise CorruptFileError("no HDF5 group tree where one should be", where=f"byte {address:,}")
    if level >= above:
        raise CorruptFileError("an HDF5 group tree runs into itself", where=f"byte {address:,}")
    keys_and_children = struct.unpack(f"<{2 * used + 1}Q", file.read(address + 24, 16 * used + 8))
    keys = [_name(names, offset) for offset in keys_and_children[::2]] if used else []
    for number, child in enumerate(keys_and_children[1::2]):
        if child in seen:
            raise CorruptFileError("an HDF5 group tree runs into itself", where=f"byte {child:,}")
        seen.add(child)
        low, high = max(bounds[0], keys[number]), min(bounds[1] or keys[number + 1], keys[number + 1])
        if level:
            yield from _tree_leaves(file, child, level, seen, names, (low, high))
        else:
            yield child, low, high


def _symbol_node(file: Hdf5Bytes, address: int, names: bytes, low: bytes, high: bytes) -> Iterator[Link]:
    """The links of a symbol node. They are sorted, and within the bounds that the tree gives: who looks up a name goes
    by that, who lists all does not."""
    head = file.read(address, 8)
    if head[:5] != b"SNOD\x01":
        raise CorruptFileError("no HDF5 symbol node where one should be", where=f"byte {address:,}")
    count = int.from_bytes(head[6:8], "little")
    entries = file.read(address + 8, 40 * count)
    least = low + b"\0"  # the first name behind it
    for name_offset, header, cached, scratch in struct.iter_unpack("<QQI4x16s", entries):
        raw = _name(names, name_offset)
        file.budget.spend(_LINK_STEPS + (len(raw) >> 4))
        is_astray = not least <= raw <= high
        least = raw
        if cached == 2:
            target = decode_name(_name(names, int.from_bytes(scratch[:4], "little")))
            yield Link(decode_name(raw), "soft", target=target[:_MAX_TARGET])
        else:
            yield Link(decode_name(raw), "hard", header, "", scratch if cached == 1 else b"", is_astray)


def _name(heap: bytes, offset: int) -> bytes:
    """The name at an offset of the heap; of one that is too long only so much that it shows."""
    end = heap.find(b"\0", offset, offset + MAX_NAME + 1)
    if end < 0:
        end = offset + MAX_NAME + 1
    if end > len(heap):
        raise CorruptFileError("an HDF5 name lies outside its heap", found=f"offset {offset:,} of {len(heap):,}")
    return heap[offset:end]


def decode_name(raw: bytes) -> str:
    """The text of a stored name; bytes that are no UTF-8 are kept as lone surrogates, to be escaped when shown."""
    return raw.decode("utf-8", "surrogateescape")


def _link(file: Hdf5Bytes, body: bytes) -> Link:
    """The link that a link message describes (version 1, the only one there is)."""
    file.budget.spend(_LINK_STEPS + (len(body) >> 4))
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


def _dense_links(file: Hdf5Bytes, body: bytes) -> Iterator[Link] | None:
    """The links that a group keeps in a fractal heap, None where it has none there."""
    if len(body) < 18:
        raise CorruptFileError("an HDF5 link info message is cut off")
    at = 10 if body[1] & 1 else 2
    heap, by_name, by_order = struct.unpack_from("<QQQ", body.ljust(at + 24, b"\xff"), at)
    if heap == UNDEFINED:
        return None
    index = NameIndex(file, by_name, by_order if body[1] & 2 else UNDEFINED, LINK_RECORDS)
    return _links_in(file, FractalHeap(file, heap), index)


def _links_in(file: Hdf5Bytes, heap: FractalHeap, index: NameIndex) -> Iterator[Link]:
    for heap_id in heap.in_order(index.heap_ids):
        link = _link(file, heap.object(heap_id))
        index.add(heap_id, link.name)
        yield link
    index.check()
