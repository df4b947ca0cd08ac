"""HDF5 files laid out and written in one go, as streams that need no seeking.

Everything but the values comes first: superblock 0, groups with symbol tables, version 1 object headers, which is what
libhdf5 writes by default and every version of it reads. Then come the values, contiguous and aligned, in the order
given. Written after the HDF5 File Format Specification, version 3.0, parts II and III.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ckpttool.checkpoint import Weight
from ckpttool.errors import CorruptFileError, UnsupportedError
from ckpttool.formats.hdf5.groups import MAX_NAME, SYMBOL_TABLE
from ckpttool.formats.hdf5.headers import UNDEFINED
from ckpttool.formats.hdf5.signature import SIGNATURE
from ckpttool.formats.write.messages import (
    LAYOUT_ADDRESS,
    Attributes,
    attribute_message,
    coded_text,
    dataset_messages,
    message,
    padded,
)

ALIGNMENT = 64  # of values: a cache line
BLOCK_BYTES = 1 << 20

_LEAF, _INTERNAL = 4, 16  # half of what a symbol node and a node of a tree hold; libhdf5's defaults
_NODE_BYTES = 24 + 8 * (4 * _INTERNAL + 1)
_COLLECTION_BYTES = 4096  # of texts


class Layout(NamedTuple):
    """An HDF5 file that is known but for its values: its first bytes, and where the values of each weight begin."""

    head: bytes
    places: tuple[tuple[int, Weight], ...]
    size: int

    def blocks(self) -> Iterator[bytes | bytearray | memoryview]:
        """All bytes of the file, in order. A block is valid until the next one is asked for."""
        yield self.head
        at = len(self.head)
        for start, weight in self.places:
            if start > at:
                yield bytes(start - at)
            yield from _exactly(weight)
            at = start + weight.nbytes


def _exactly(weight: Weight) -> Iterator[bytes | bytearray | memoryview]:
    """The stored bytes of a weight; raises where they are more or fewer than it declares."""
    written = 0
    for block in weight.stored_blocks(BLOCK_BYTES):
        written += len(block)
        yield block
    if written != weight.nbytes:
        raise CorruptFileError(
            "not as many values are stored as declared",
            where=weight.path,
            expected=f"{weight.nbytes:,} bytes",
            found=f"{written:,}",
        )


def layout(
    weights: Mapping[str, Weight], attributes: Mapping[str, Attributes] | None = None, groups: Iterable[str] = ()
) -> Layout:
    """The file that has weights at these paths, and attributes of groups and of weights, by path too.

    The groups on the way to something are made, and those named in `groups`. The path of the root is empty. bfloat16
    is stored as Keras does, as opaque bytes, with an attribute `dtype` that names it, and else as the float that it
    is. Raises UnsupportedError for what cannot be stored so.
    """
    attributes = attributes or {}
    links: dict[str, dict[bytes, int]] = {"": {}}
    for path in (*weights, *attributes, *groups):
        _add_groups(links, path.rpartition("/")[0] if path in weights else path)
    writer = _Writer()
    for path, weight in weights.items():
        if path in links:
            raise UnsupportedError("the name of a weight is that of a group too", where=path[:200])
        _link(links, path, writer.dataset(path, weight, attributes.get(path, {})))
    for path in sorted(links, reverse=True):  # what a group holds comes before it
        entry = writer.group(links[path], attributes.get(path, {}))
        if path:
            _link(links, path, entry[0])
    return writer.finished(entry)


def _add_groups(links: dict[str, dict[bytes, int]], path: str) -> None:
    """Note a group and those that lead to it."""
    while path not in links:
        links[path] = {}
        path = path.rpartition("/")[0]


def _link(links: dict[str, dict[bytes, int]], path: str, address: int) -> None:
    parent, _, name = path.rpartition("/")
    coded = coded_text(name)
    if name in ("", ".", "..") or b"\0" in coded or len(coded) > MAX_NAME:
        raise UnsupportedError("a name that HDF5 does not have", where=path[:200])
    links[parent][coded] = address


class _Writer:
    """The bytes of a file up to its values. What refers to something is added after it."""

    def __init__(self) -> None:
        self._out = bytearray(96)  # the superblock comes last
        self._collection = self._free = self._end = 0  # of texts: where it begins, where it is free, where it ends
        self._index = 0
        self._weights: list[tuple[int, Weight]] = []  # each with the place that waits for the address of its values

    def dataset(self, path: str, weight: Weight, attributes: Attributes) -> int:
        """Add the header of a dataset; returns its address."""
        opaque = weight.dtype == "bfloat16" and "dtype" in attributes
        try:
            fixed = dataset_messages(weight.shape, weight.dtype, opaque, weight.nbytes)
        except UnsupportedError as error:
            raise error.at(where=path[:200]) from None
        address = self._header(4, fixed, attributes)
        self._weights.append((address + 16 + len(fixed) - 32 + LAYOUT_ADDRESS, weight))
        return address

    def group(self, links: Mapping[bytes, int], attributes: Attributes) -> tuple[int, int, int]:
        """Add a group; returns the addresses of its header, its tree and its heap of names."""
        names, entries = bytearray(8), list[tuple[int, int]]()
        for name in sorted(links):
            entries.append((len(names), links[name]))
            names += padded(name + b"\0")
        heap = self._put(struct.pack("<4s4xQQQ", b"HEAP", len(names), 1, len(self._out) + 32) + names)
        tree = self._tree(entries)
        table = message(SYMBOL_TABLE, struct.pack("<QQ", tree, heap))
        return self._header(1, table, attributes), tree, heap

    def finished(self, root: tuple[int, int, int]) -> Layout:
        """The whole file, whose root group is this one."""
        places, at = [], len(self._out)
        for waiting, weight in self._weights:
            start = at + -at % ALIGNMENT if weight.nbytes else UNDEFINED
            struct.pack_into("<Q", self._out, waiting, start)
            if weight.nbytes:
                places.append((start, weight))
                at = start + weight.nbytes
        sizes = (8, 8, _LEAF, _INTERNAL)
        addresses = (0, UNDEFINED, at, UNDEFINED, 0, root[0], 1, *root[1:])  # a cached group
        struct.pack_into("<8s5x2BxHH4x6QI4xQQ", self._out, 0, SIGNATURE, *sizes, *addresses)
        return Layout(bytes(self._out), tuple(places), at)

    def _put(self, content: bytes) -> int:
        """Add bytes, of which all are multiples of eight; returns their address."""
        address = len(self._out)
        self._out += content
        return address

    def _header(self, count: int, messages: bytes, attributes: Attributes) -> int:
        more = [attribute_message(name, value, self._store) for name, value in attributes.items()]
        body = messages + b"".join(more)
        return self._put(struct.pack("<BxHII4x", 1, count + len(more), 1, len(body)) + body)

    def _tree(self, entries: list[tuple[int, int]]) -> int:
        """Add the nodes of a group, each of its entries an offset of a name and an address; returns the top's address.

        Children are pairs of the offset of the last name below and the address.
        """
        children, level = [], 0
        for start in range(0, len(entries), 2 * _LEAF):
            part = entries[start : start + 2 * _LEAF]
            node = struct.pack("<4sBxH", b"SNOD", 1, len(part))
            node += b"".join(struct.pack("<QQ24x", *entry) for entry in part)
            children.append((part[-1][0], self._put(node.ljust(8 + 40 * 2 * _LEAF, b"\0"))))
        while level == 0 or len(children) > 1:
            children = self._level(children, level)
            level += 1
        return children[0][1]

    def _level(self, children: list[tuple[int, int]], level: int) -> list[tuple[int, int]]:
        """Add the nodes of one level of a tree above these children; returns them."""
        width, nodes, key = 2 * _INTERNAL, list[tuple[int, int]](), 0
        for start in range(0, len(children) or 1, width):
            part, here = children[start : start + width], len(self._out)
            left = here - _NODE_BYTES if start else UNDEFINED
            right = here + _NODE_BYTES if start + width < len(children) else UNDEFINED
            node = struct.pack("<4sBBHQQQ", b"TREE", 0, level, len(part), left, right, key)
            node += b"".join(struct.pack("<QQ", address, last) for last, address in part)
            key = part[-1][0] if part else 0
            nodes.append((key, self._put(node.ljust(_NODE_BYTES, b"\0"))))
        return nodes

    def _store(self, text: bytes) -> bytes:
        """Add a text to a collection; returns the reference to it."""
        need = 16 + len(padded(text))
        if self._free + need > self._end:
            self._begin_collection(need)
        self._index += 1
        struct.pack_into(f"<HH4xQ{len(text)}s", self._out, self._free, self._index, 1, len(text), text)
        self._free += need
        if self._end - self._free >= 16:  # else what is left is no object
            struct.pack_into("<HH4xQ", self._out, self._free, 0, 0, self._end - self._free)
        return struct.pack("<IQI", len(text), self._collection, self._index)

    def _begin_collection(self, need: int) -> None:
        size = max(_COLLECTION_BYTES, 16 + need)
        self._collection = self._put(struct.pack("<4sB3xQ", b"GCOL", 1, size).ljust(size, b"\0"))
        self._free, self._end, self._index = self._collection + 16, self._collection + size, 0
