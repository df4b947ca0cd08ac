"""The heaps of HDF5: global (variable-length strings) and fractal (many links or attributes), and B-trees version 2.

Written after the HDF5 File Format Specification, version 3.0, parts III.A.2, III.E and III.G.
"""

import bisect
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ckpttool.errors import CorruptFileError, UnsupportedError, ambiguous
from ckpttool.formats.hdf5.headers import UNDEFINED, Hdf5Bytes, lookup3


class GlobalHeap:
    """The objects of all global heap collections of a file; each collection is indexed once, when first asked for."""

    def __init__(self, file: Hdf5Bytes) -> None:
        self._file = file
        self._collections: dict[int, dict[int, tuple[int, int]]] = {}

    def object(self, address: int, index: int, size: int) -> bytes:
        """The first `size` bytes of object `index` in the collection at `address`."""
        collection = self._collections.get(address)
        if collection is None:
            places = list(self._places(address))
            collection = dict(places)
            if len(collection) < len(places):
                raise ambiguous("an HDF5 heap has two objects of one number", where=f"byte {address:,}")
            self._collections[address] = collection
        start, length = collection.get(index, (0, -1))
        if size != length:
            raise CorruptFileError("a variable-length value lies outside its heap", found=f"{size:,} bytes")
        return self._file.read(start, size)

    def _places(self, address: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """The index, address and length of every object of a collection."""
        head = self._file.read(address, 16)
        end = address + int.from_bytes(head[8:16], "little")
        if head[:5] != b"GCOL\x01" or end > self._file.end:
            raise CorruptFileError("no HDF5 global heap where one should be", where=f"byte {address:,}")
        at = address + 16
        while at + 16 <= end:
            index, length = struct.unpack("<H6xQ", self._file.read(at, 16))
            if index == 0:  # the free space, always last
                if at + length < end:
                    raise CorruptFileError("an HDF5 heap has objects behind its free space", where=f"byte {at:,}")
                return
            if length > end - at - 16:
                raise CorruptFileError("a global heap object is larger than its heap", where=f"byte {at:,}")
            self._file.budget.spend(2)
            yield index, (at + 16, length)
            at += 16 + (length + 7) // 8 * 8


class FractalHeap:
    """The objects of a fractal heap, as groups with many links and objects with many attributes use."""

    def __init__(self, file: Hdf5Bytes, address: int) -> None:
        head = file.read(address, 146)
        if head[:5] != b"FRHP\x00":
            raise CorruptFileError("no HDF5 fractal heap where one should be", where=f"byte {address:,}")
        self._id_size, filters = struct.unpack_from("<HH", head, 5)
        if filters:
            raise UnsupportedError("an HDF5 fractal heap with filters")
        if lookup3(head[:142]) != int.from_bytes(head[142:146], "little"):
            raise CorruptFileError("an HDF5 fractal heap has a wrong checksum", where=f"byte {address:,}")
        self._file = file
        max_managed, _, self._huge_tree = struct.unpack_from("<IQQ", head, 10)
        self._width, self._first, self._max_direct, max_bits = struct.unpack_from("<HQQH", head, 110)
        self._root, self._root_rows = struct.unpack_from("<QH", head, 132)
        self._offset_bytes = (max_bits + 7) // 8
        self._length_bytes = min((self._max_direct.bit_length() + 6) // 8, _bytes_for(max_managed))
        self._blocks = list(self._direct_blocks())
        self._starts = [start for start, _, _ in self._blocks]
        self._huge: dict[int, tuple[int, int]] | None = None

    def in_order(self, heap_ids: Iterable[bytes]) -> list[bytes]:
        """Heap IDs in the order in which their objects lie in the heap, so that a compressed file is read from its
        beginning to its end."""
        at = 1 + self._offset_bytes
        return sorted(heap_ids, key=lambda heap_id: heap_id[1:at][::-1])

    def object(self, heap_id: bytes) -> bytes:
        """The bytes of the object with this heap ID."""
        kind = heap_id[0] >> 4 & 3 if heap_id else 0
        if kind == 1:
            return self._file.read(*self._huge_place(heap_id))
        if kind:  # objects that stand in their own ID are smaller than any link or attribute
            raise CorruptFileError("an HDF5 heap object of an impossible kind", found=str(kind))
        at = 1 + self._offset_bytes
        offset = int.from_bytes(heap_id[1:at], "little")
        length = int.from_bytes(heap_id[at : at + self._length_bytes], "little")
        block = bisect.bisect_right(self._starts, offset) - 1
        start, size, address = self._blocks[block] if block >= 0 else (0, 0, 0)
        if offset + length > start + size:
            raise CorruptFileError("an HDF5 heap object lies outside its heap", found=f"offset {offset:,}")
        return self._file.read(address + offset - start, length)

    def _huge_place(self, heap_id: bytes) -> tuple[int, int]:
        """The address and size of an object too large for the heap's blocks; it lies on its own in the file."""
        if self._id_size >= 17:
            address, size = struct.unpack_from("<QQ", heap_id.ljust(17, b"\0"), 1)
            return address, size
        if self._huge is None:
            records = btree_v2_records(self._file, self._huge_tree, kind=1)
            places = (struct.unpack_from("<QQQ", record.ljust(24, b"\0")) for record in records)
            self._huge = {number: (address, size) for address, size, number in places}
        place = self._huge.get(int.from_bytes(heap_id[1 : self._id_size], "little"))
        if place is None:
            raise CorruptFileError("a large HDF5 heap object is not in its index")
        return place

    def _direct_blocks(self) -> Iterator[tuple[int, int, int]]:
        """The direct blocks as (offset in the heap, size, address)."""
        if self._root == UNDEFINED:
            return
        if self._root_rows == 0:
            yield 0, self._first, self._root
        else:
            yield from self._indirect(self._root, self._root_rows, 0, 8)

    def _indirect(self, address: int, rows: int, offset: int, depth: int) -> Iterator[tuple[int, int, int]]:
        """The direct blocks below an indirect block, by the doubling table: rows of equal blocks, twice as large
        every row from the third on."""
        if depth == 0 or rows > 64 or not self._width or not self._first:
            raise CorruptFileError("an HDF5 fractal heap is nested without end", where=f"byte {address:,}")
        direct_rows = (self._max_direct // self._first).bit_length() + 1
        children = struct.unpack(
            f"<{rows * self._width}Q", self._file.read(address + 13 + self._offset_bytes, 8 * rows * self._width)
        )
        self._file.budget.spend(4 * len(children))
        for number, child in enumerate(children):
            row = number // self._width
            size = self._first << max(0, row - 1)
            if child != UNDEFINED and row < direct_rows:
                yield offset, size, child
            elif child != UNDEFINED:
                below = (size // (self._first * self._width)).bit_length()
                yield from self._indirect(child, below, offset, depth - 1)
            offset += size


class Records(NamedTuple):
    """The two indexes of links or attributes: the types of their B-trees, and where a record has its parts."""

    by_name: int
    by_order: int
    heap_id: slice
    heap_id_by_order: slice
    checksum: slice


LINK_RECORDS = Records(5, 6, slice(4, 11), slice(8, 15), slice(0, 4))
ATTRIBUTE_RECORDS = Records(8, 9, slice(0, 8), slice(0, 8), slice(13, 17))


class NameIndex:
    """The index of what stands in a fractal heap by names, and beside it that by order of creation, where there is one.

    Names are looked up by their checksums, in order; all are listed by going through either index. `check` raises where
    these ways lead to different things.
    """

    def __init__(self, file: Hdf5Bytes, by_name: int, by_order: int, kind: Records) -> None:
        self._file, self._kind, self._names = file, kind, dict[bytes, bytes]()
        self.records = list(btree_v2_records(file, by_name, kind.by_name))
        self.heap_ids = [record[kind.heap_id] for record in self.records]
        if by_order != UNDEFINED:
            by_order_ids = [record[kind.heap_id_by_order] for record in btree_v2_records(file, by_order, kind.by_order)]
            if sorted(by_order_ids) != sorted(self.heap_ids):
                raise ambiguous("an HDF5 object has two indexes of its names, which differ")

    def add(self, heap_id: bytes, name: str) -> None:
        """Note the name of an object in the heap."""
        self._names[heap_id] = name.encode("utf-8", "surrogateescape")

    def check(self) -> None:
        """Raise where a name is not where it is looked for."""
        last = (0, b"")
        for record, heap_id in zip(self.records, self.heap_ids, strict=True):
            name = self._names[heap_id]
            self._file.budget.spend(2 + (len(name) >> 4))
            place = (lookup3(name), name)
            if place[0].to_bytes(4, "little") != record[self._kind.checksum] or place < last:
                raise ambiguous("an HDF5 index has names out of order, where only some readers find them")
            last = place


def btree_v2_records(file: Hdf5Bytes, address: int, kind: int) -> Iterator[bytes]:
    """The records of a version 2 B-tree, left to right.

    Its type must be `kind`: 1 for large heap objects, 5 for links by name, 8 for attributes by name.
    """
    head = file.read(address, 38)
    if head[:4] != b"BTHD" or head[5] != kind:
        raise CorruptFileError("no HDF5 index where one should be", where=f"byte {address:,}")
    if lookup3(head[:34]) != int.from_bytes(head[34:38], "little"):
        raise CorruptFileError("an HDF5 index has a wrong checksum", where=f"byte {address:,}")
    node_size, record_size, depth = struct.unpack_from("<IHH", head, 6)
    root, count, total = struct.unpack_from("<QHQ", head, 16)
    if root == UNDEFINED:
        return
    if not record_size or node_size < record_size + 10 or depth > 16:
        raise CorruptFileError("an HDF5 index has impossible sizes", where=f"byte {address:,}")
    left = total
    for record in _TreeV2(file, node_size, record_size, depth).records(root, count, depth):
        left -= 1
        yield record
    if left:
        raise CorruptFileError("an HDF5 index has another number of entries than it says", expected=f"{total:,}")


class _TreeV2:
    def __init__(self, file: Hdf5Bytes, node_size: int, record_size: int, depth: int) -> None:
        self._file, self._node_size, self._record_size = file, node_size, record_size
        self._counts = [(node_size - 10) // record_size]  # the largest number of records of a node, by depth
        totals = [self._counts[0]]
        self._count_bytes = _bytes_for(self._counts[0])
        self._total_bytes = [0]  # the width of a child's total, by depth of the child; leaves have none
        for level in range(1, depth + 1):
            pointer = 8 + self._count_bytes + self._total_bytes[level - 1]
            self._counts.append((node_size - 10 - pointer) // (record_size + pointer))
            totals.append((self._counts[level] + 1) * totals[level - 1] + self._counts[level])
            self._total_bytes.append(_bytes_for(totals[level]))

    def records(self, address: int, count: int, depth: int) -> Iterator[bytes]:
        node = self._file.read(address, self._node_size)
        if node[:4] != (b"BTIN" if depth else b"BTLF") or count > self._counts[depth]:
            raise CorruptFileError("no HDF5 index node where one should be", where=f"byte {address:,}")
        size = self._record_size
        self._file.budget.spend(2 * count)
        records = [node[6 + n * size : 6 + (n + 1) * size] for n in range(count)]
        used = 6 + count * size + ((count + 1) * self._child_width(depth) if depth else 0)
        self._file.budget.spend(used >> 4)
        if lookup3(node[:used]) != int.from_bytes(node[used : used + 4], "little"):
            raise CorruptFileError("an HDF5 index has a wrong checksum", where=f"byte {address:,}")
        if not depth:
            yield from records
            return
        for number, (child, child_count) in enumerate(self._children(node, count, depth)):
            yield from self.records(child, child_count, depth - 1)
            yield from records[number : number + 1]

    def _child_width(self, depth: int) -> int:
        """The number of bytes that lead to a child."""
        return 8 + self._count_bytes + self._total_bytes[depth - 1]

    def _children(self, node: bytes, count: int, depth: int) -> Iterator[tuple[int, int]]:
        at = 6 + count * self._record_size
        width = self._child_width(depth)
        for number in range(count + 1):
            begin = at + number * width
            child = int.from_bytes(node[begin : begin + 8], "little")
            yield child, int.from_bytes(node[begin + 8 : begin + 8 + self._count_bytes], "little")


def _bytes_for(number: int) -> int:
    return max(1, (number.bit_length() + 7) // 8)
