"""Files that ask for far more work than they weigh: one flood for every structure that a reader walks.

    python -m tests.floods [--size 20000] [--only WORD] [--command ls]

Every flood is a function of a size, the number of things in it. Small ones are tried by test_budget.py. Run by hand,
this module writes each of them in a large size, runs every command on it in a process of its own, and prints how many
seconds of processor time and megabytes of memory each took. The exit code is 1 where one cost more than three seconds
or 300 MB, or where a traceback was seen.
"""

import argparse
import functools
import json
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.samples import FIXED_DATE, FIXTURES

SECONDS, MEGABYTES = 3.0, 300
ENDLESS = 60  # seconds of processor time, of which no command needs a tenth; tests ask for no less
UNDEFINED = 2**64 - 1
FLOODS: dict[str, Callable[[Path, int], Path]] = {}
GOOD = FIXTURES / "keras3.0/mlp.keras"

Flood = Callable[[int], bytes]


class Hdf5File:
    """A file of HDF5 put together byte by byte: superblock 0, version 1 headers, symbol tables."""

    def __init__(self) -> None:
        self.content = bytearray(96)

    def put(self, content: bytes) -> int:
        """Adds bytes; gives their address."""
        at = len(self.content)
        self.content += content + bytes(-len(content) % 8)
        return at

    def header(self, messages: bytes, count: int = 1) -> int:
        """Adds an object header with these messages; gives its address."""
        return self.put(struct.pack("<BxHII4x", 1, count & 0xFFFF, 1, len(messages)) + messages)

    def dataset(self, shape: Sequence[int] = (2,), address: int = UNDEFINED, datatype: bytes = b"") -> int:
        """Adds the header of a contiguous dataset of float32."""
        space = struct.pack(f"<BBB5x{len(shape)}Q", 1, len(shape), 0, *shape)
        nbytes = 4
        for size in shape:
            nbytes *= size
        layout = struct.pack("<BBQQ", 3, 1, address, nbytes)
        return self.header(message(1, space) + message(3, datatype or FLOAT32) + message(8, layout), 3)

    def group(self, entries: Iterable[tuple[int, int]], heap: bytes, messages: bytes = b"") -> int:
        """Adds a group: every entry is the offset of a name in the heap and the address of what it names."""
        return self.header(message(0x11, struct.pack("<QQ", self.tree(list(entries)), self.heap(heap))) + messages)

    def heap(self, names: bytes) -> int:
        """Adds a heap of names."""
        at = self.put(names)
        return self.put(struct.pack("<4s4xQQQ", b"HEAP", len(names), 1, at))

    def tree(self, entries: list[tuple[int, int]], per_node: int = 5000) -> int:
        """Adds one tree with large symbol nodes."""
        nodes, last = [], []
        for start in range(0, len(entries) or 1, per_node):
            part = entries[start : start + per_node]
            node = struct.pack("<4sBxH", b"SNOD", 1, len(part))
            nodes.append(self.put(node + b"".join(struct.pack("<QQ24x", *entry) for entry in part)))
            last.append(part[-1][0] if part else 0)
        children = b"".join(struct.pack("<QQ", *child) for child in zip(nodes, last, strict=True))
        return self.put(struct.pack("<4sBBHQQQ", b"TREE", 0, 0, len(nodes), UNDEFINED, UNDEFINED, 0) + children)

    def named(self, objects: dict[str, int], messages: bytes = b"") -> int:
        """Adds a group of objects by their names."""
        heap, entries = bytearray(8), []
        for name, address in sorted(objects.items(), key=lambda item: item[0].encode()):
            entries.append((len(heap), address))
            heap += name.encode() + b"\0"
        return self.group(entries, bytes(heap), messages)

    def finished(self, root: int) -> bytes:
        """The whole file."""
        addresses = (0, UNDEFINED, len(self.content), UNDEFINED, 0, root, 0, 0, 0)
        struct.pack_into("<8s5x2BxHH4x6QI4xQQ", self.content, 0, b"\x89HDF\r\n\x1a\n", 8, 8, 4, 16, *addresses)
        return bytes(self.content)


FLOAT32 = struct.pack("<II", 0x11 | 0x1F20 << 8, 4) + struct.pack("<HHBBBBI", 0, 32, 23, 8, 0, 23, 127)
INT64 = struct.pack("<II", 0x10 | 8 << 8, 8) + struct.pack("<HH", 0, 64)


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    """A message of a version 1 header."""
    body += bytes(-len(body) % 8)
    return struct.pack("<HHB3x", kind, len(body), flags) + body


def attribute(name: str, datatype: bytes, shape: Sequence[int], data: bytes) -> bytes:
    """An attribute message."""
    label, space = name.encode() + b"\0", struct.pack(f"<BBB5x{len(shape)}Q", 1, len(shape), 0, *shape)
    parts = [part + bytes(-len(part) % 8) for part in (label, datatype, space)]
    return message(0x0C, struct.pack("<BxHHH", 1, len(label), len(datatype), len(space)) + b"".join(parts) + data)


def texts(name: str, width: int, listed: bytes) -> bytes:
    """An attribute of texts of one width."""
    return attribute(name, struct.pack("<II", 0x13, width), (len(listed) // width,), listed)


def collection(text: bytes) -> bytes:
    """A collection of a global heap with one text, and the free space behind it."""
    content = struct.pack("<HH4xQ", 1, 1, len(text)) + text + bytes(-len(text) % 8) + struct.pack("<HH4xQ", 0, 0, 16)
    return struct.pack("<4sB3xQ", b"GCOL", 1, 16 + len(content)) + content


def number(name: str, value: int) -> bytes:
    """An attribute that is a whole number."""
    return attribute(name, INT64, (), struct.pack("<q", value))


def flood(suffix: str) -> Callable[[Flood], Flood]:
    """Registers a flood that gives the bytes of an HDF5 file: as it is, and deflated as the weights of a `.keras`."""

    def register(make: Flood) -> Flood:
        name = make.__name__
        FLOODS[f"{name}{suffix}"] = lambda path, size: _written(path, make(size))
        FLOODS[f"{name}.keras"] = lambda path, size: archive(path, weights=make(size))
        return make

    return register


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def archive(path: Path, weights: bytes | None = None, config: str | None = None) -> Path:
    """A deflated `.keras`, with the good one's parts where none are given."""
    with zipfile.ZipFile(GOOD) as good, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for info in good.infolist():
            data = good.read(info)
            if info.filename == "model.weights.h5" and weights is not None:
                data = weights
            if info.filename == "config.json" and config is not None:
                data = config.encode()
            out.writestr(zipfile.ZipInfo(info.filename, FIXED_DATE), data, zipfile.ZIP_DEFLATED)
    return path


# ---- HDF5


def in_vars(file: Hdf5File, objects: dict[str, int]) -> bytes:
    """A file whose layer `dense` has these objects in its group `vars`."""
    dense = file.named({"vars": file.named(objects)})
    return file.finished(file.named({"layers": file.named({"dense": dense})}))


def one_block(kind: int, size: int) -> bytes:
    """A file with headers that all continue in one block of messages of a kind, which have no content."""
    file = Hdf5File()
    block = file.put(message(kind, b"") * (40 * size))
    continuation = message(0x10, struct.pack("<QQ", block, 320 * size))
    return in_vars(file, {str(n): file.header(continuation + message(1, b"\1" * 8)) for n in range(16)})


@flood(".weights.h5")
def nil_messages(size: int) -> bytes:
    """Headers that all continue in one block of empty messages."""
    return one_block(0, size)


@flood(".weights.h5")
def tiny_messages(size: int) -> bytes:
    """Headers that all continue in one block of comments of no length."""
    return one_block(0x0D, size)


@flood(".weights.h5")
def continuations(size: int) -> bytes:
    """A header of very many short blocks."""
    file = Hdf5File()
    start = len(file.content)
    for n in range(size):
        file.put(message(0x10, struct.pack("<QQ", start + 24 * (n + 1), 24)))
    file.put(message(0, b"") * 3)
    return in_vars(file, {"0": file.header(message(0x10, struct.pack("<QQ", start, 24)))})


@flood(".weights.h5")
def one_dataset_under_many_names(size: int) -> bytes:
    """Very many links to one dataset."""
    file = Hdf5File()
    dataset = file.dataset()
    return in_vars(file, {str(n): dataset for n in range(size)})


@flood(".weights.h5")
def many_datasets(size: int) -> bytes:
    """Very many datasets."""
    file = Hdf5File()
    return in_vars(file, {str(n): file.dataset() for n in range(size)})


@flood(".weights.h5")
def many_layers(size: int) -> bytes:
    """Very many layers of one weight."""
    file = Hdf5File()
    layers = {f"dense_{n}": file.named({"vars": file.named({"0": file.dataset()})}) for n in range(size // 4)}
    return file.finished(file.named({"layers": file.named(layers)}))


@flood(".weights.h5")
def unstored(size: int) -> bytes:
    """Datasets of 60 MB of which nothing is stored."""
    file = Hdf5File()
    return in_vars(file, {str(n): file.dataset((15_000_000,)) for n in range(size // 8)})


@flood(".weights.h5")
def shared_bytes(size: int) -> bytes:
    """Datasets that all keep their values in the same bytes."""
    file = Hdf5File()
    place = file.put(bytes(size * 100))
    return in_vars(file, {str(n): file.dataset((size * 25,), place) for n in range(size // 8)})


@flood(".weights.h5")
def wide_names(size: int) -> bytes:
    """Names of 4 KB that overlap in their heap, with a character of four bytes in each."""
    file = Hdf5File()
    heap = bytes(8) + b"a" * size + b"a" * 4000 + "\U0001f600".encode() + b"\0"
    dataset = file.dataset()
    objects = file.group([(8 + n, dataset) for n in range(size)], heap)
    dense = file.named({"vars": objects})
    return file.finished(file.named({"layers": file.named({"dense": dense})}))


@flood(".weights.h5")
def long_numbers(size: int) -> bytes:
    """Names of 4 KB of digits and letters, which a natural order takes apart."""
    file = Hdf5File()
    heap = bytes(8) + b"1a" * (size // 2) + b"1a" * 2000 + b"\0"
    dataset = file.dataset()
    objects = file.group([(8 + n, dataset) for n in range(size)], heap)
    return file.finished(file.named({"layers": file.named({"dense": file.named({"vars": objects})})}))


@flood(".weights.h5")
def deep_groups(size: int) -> bytes:
    """Groups in groups, each with a long name."""
    file = Hdf5File()
    group = file.named({"0": file.dataset()})
    group = file.named({"vars": group})
    for _ in range(min(4000, size)):
        group = file.named({"layer" * 50: group})
    return file.finished(group)


@flood(".weights.h5")
def deep_and_wide(size: int) -> bytes:
    """A long path with very many weights at its end."""
    file = Hdf5File()
    group = file.named({"vars": file.named({str(n): file.dataset() for n in range(size // 4)})})
    for _ in range(200):
        group = file.named({"layers": group})
    return file.finished(group)


@flood(".weights.h5")
def one_symbol_node_in_many_groups(size: int) -> bytes:
    """Groups that share one tree and one heap."""
    file = Hdf5File()
    heap = bytearray(8)
    entries = []
    dataset = file.dataset()
    for n in range(4000):
        entries.append((len(heap), dataset))
        heap += f"{n:05}\0".encode()
    body = message(0x11, struct.pack("<QQ", file.tree(entries), file.heap(bytes(heap))))
    return in_vars(file, {str(n): file.header(body) for n in range(size)})


@flood(".weights.h5")
def compound_types(size: int) -> bytes:
    """Datasets of one named type with thousands of members."""
    file = Hdf5File()
    member = b"a\0".ljust(8, b"\0") + struct.pack("<I28x", 0) + FLOAT32
    count = 1000
    kind = struct.pack("<II", 0x16 | count << 8, 4) + member * count
    named = file.header(message(3, kind))
    shared = struct.pack("<BB6xQ", 1, 0, named)
    space, layout = struct.pack("<BBB5xQ", 1, 1, 0, 2), struct.pack("<BBQQ", 3, 1, UNDEFINED, 8)
    body = message(1, space) + message(3, shared, 2) + message(8, layout)
    return in_vars(file, {str(n): file.header(body) for n in range(size)})


@flood(".weights.h5")
def different_compound_types(size: int) -> bytes:
    """Datasets of types with thousands of members, no two of them alike."""
    file = Hdf5File()
    member = b"a\0".ljust(8, b"\0") + struct.pack("<I28x", 0) + FLOAT32
    objects = {}
    for n in range(size // 50):
        kind = struct.pack("<II", 0x16 | 1001 << 8, 4) + member * 1000 + f"{n:07}".encode() + b"\0" + member[8:]
        objects[str(n)] = file.dataset((2,), datatype=kind)
    return in_vars(file, objects)


@flood(".weights.h5")
def nested_types(size: int) -> bytes:
    """Types in types in types, each with eight members."""
    file = Hdf5File()
    kind = FLOAT32
    while 8 * len(kind) < 60_000:
        inner = b"".join(f"{n}\0".encode().ljust(8, b"\0") + struct.pack("<I28x", 0) + kind for n in range(8))
        kind = struct.pack("<II", 0x16 | 8 << 8, 4) + inner
    return in_vars(file, {str(n): file.dataset((2,), datatype=kind) for n in range(size // 50)})


@flood(".weights.h5")
def many_attributes(size: int) -> bytes:
    """Very many attributes of one group."""
    file = Hdf5File()
    messages = b"".join(number(f"a{n}", n) for n in range(size))
    group = file.named({"0": file.dataset()}, messages)
    return file.finished(file.named({"layers": file.named({"dense": file.named({"vars": group})})}))


@flood(".weights.h5")
def attributes_everywhere(size: int) -> bytes:
    """Groups that all continue in one block of attributes."""
    file = Hdf5File()
    block = b"".join(number(f"a{n}", n) for n in range(4000))
    messages = message(0x10, struct.pack("<QQ", file.put(block), len(block)))
    inner = {"0": file.dataset()}
    layers = {f"dense_{n}": file.named({"vars": file.named(inner, messages)}) for n in range(size // 8)}
    return file.finished(file.named({"layers": file.named(layers)}))


@flood(".weights.h5")
def large_names_of_objects(size: int) -> bytes:
    """Groups `vars` whose attribute `name` is one text of a megabyte, kept once."""
    file = Hdf5File()
    text = b"\xf0\x9f\x98\x80" + b"a" * (size * 50)
    place = file.put(collection(text))
    vlen = struct.pack("<II", 0x19 | 1 << 8, 16) + struct.pack("<II", 0x10, 1) + struct.pack("<HH", 0, 8)
    messages = attribute("name", vlen, (), struct.pack("<IQI", len(text), place, 1))
    layers = {f"d{n}": file.named({"vars": file.named({"0": file.dataset()}, messages)}) for n in range(size // 8)}
    return file.finished(file.named({"layers": file.named(layers)}))


def chunked(file: Hdf5File, shape: Sequence[int], chunk: Sequence[int], address: int, filters: bytes = b"") -> int:
    """Adds the header of a chunked dataset."""
    space = struct.pack(f"<BBB5x{len(shape)}Q", 1, len(shape), 0, *shape)
    layout = struct.pack(f"<BBBQ{len(chunk)}II", 3, 2, len(chunk) + 1, address, *chunk, 4)
    pipeline = message(0x0B, filters) if filters else b""
    return file.header(message(1, space) + message(3, FLOAT32) + message(8, layout) + pipeline, 4)


def chunk_tree(file: Hdf5File, offsets: Iterable[int], stored: int, place: int) -> int:
    """Adds a tree of chunks of one axis that all lie at one place."""
    entries = [struct.pack("<IIQQQ", stored, 0, offset, 0, place) for offset in offsets]
    last = struct.pack("<IIQQ", 0, 0, 2**40, 0)
    node = struct.pack("<4sBBHQQ", b"TREE", 1, 0, len(entries), UNDEFINED, UNDEFINED)
    return file.put(node + b"".join(entries) + last)


GZIP = struct.pack("<BB6xHHHHI4x", 1, 1, 1, 0, 1, 1, 9)


@functools.cache
def deflated_zeros(count: int) -> bytes:
    """So many bytes of nothing, deflated as small as can be, which takes a while."""
    return zlib.compress(bytes(count), 9)


@flood(".weights.h5")
def chunks_at_one_place(size: int) -> bytes:
    """Chunks of a megabyte that are all the same thousand bytes deflated."""
    file = Hdf5File()
    packed = deflated_zeros(4 << 20)
    place = file.put(packed)
    count = min(60_000, size // 20)
    tree = chunk_tree(file, ((1 << 20) * n for n in range(count)), len(packed), place)
    return in_vars(file, {"0": chunked(file, (count << 20,), (1 << 20,), tree, GZIP)})


@flood(".weights.h5")
def chunked_datasets_at_one_place(size: int) -> bytes:
    """Very many datasets of 60 MB that share one index of chunks."""
    file = Hdf5File()
    packed = deflated_zeros(60 << 20)
    tree = chunk_tree(file, [0], len(packed), file.put(packed))
    objects = {str(n): chunked(file, (15 << 20,), (15 << 20,), tree, GZIP) for n in range(size // 40)}
    return in_vars(file, objects)


@flood(".weights.h5")
def tiny_chunks(size: int) -> bytes:
    """Datasets of many tiny chunks, of which none is stored."""
    file = Hdf5File()
    tree = chunk_tree(file, [], 0, 0)
    return in_vars(file, {str(n): chunked(file, (9_999,), (1,), tree) for n in range(size // 8)})


@flood(".weights.h5")
def unstored_chunks(size: int) -> bytes:
    """Chunked datasets of 60 MB of which nothing is stored."""
    file = Hdf5File()
    objects = {str(n): chunked(file, (15_000_000,), (15_000_000,), UNDEFINED) for n in range(size // 8)}
    return in_vars(file, objects)


def checksummed(data: bytes) -> bytes:
    """Bytes with their lookup3 checksum behind them."""
    from ckpttool.formats.hdf5.headers import lookup3

    return data + struct.pack("<I", lookup3(data))


def fractal_heap(file: Hdf5File, block: bytes, bits: int = 16) -> int:
    """Adds a fractal heap of one block, whose objects lie behind its prefix."""
    place = file.put(block)
    head = struct.pack("<4sBHHBIQQQQ", b"FRHP", 0, 7, 0, 0, 4096, 0, UNDEFINED, 0, UNDEFINED)
    head += struct.pack("<8Q", 0, 0, 0, 1, 0, 0, 0, 0)
    head += struct.pack("<HQQHHQH", 4, len(block), max(len(block), 65536), bits, 1, place, 0)
    return file.put(checksummed(head))


@flood(".weights.h5")
def leaf_again(size: int) -> bytes:
    """A version 2 B-tree whose inner nodes name one leaf again and again."""
    file = Hdf5File()
    link = struct.pack("<BBB1sQ", 1, 0, 1, b"x", file.dataset())
    heap = fractal_heap(file, link.ljust(512, b"\0"))
    record = struct.pack("<IBHI", 0, 0, 0, len(link))
    node_size, record_size = 65_536, 11
    per_leaf = (node_size - 10) // record_size
    leaf = file.put(checksummed(b"BTLF\0\5" + record * per_leaf).ljust(node_size, b"\0"))
    pointer = struct.pack("<QH", leaf, per_leaf)
    fan = min(size // 10, (node_size - 10 - 10) // (record_size + 10))
    inner = file.put((b"BTIN\0\5" + record * fan + pointer * (fan + 1)).ljust(node_size, b"\0"))
    total = fan + (fan + 1) * per_leaf
    head = struct.pack("<4sBBIHHBBQHQ", b"BTHD", 0, 5, node_size, record_size, 1, 98, 40, inner, fan, total)
    tree = file.put(checksummed(head))
    info = message(2, struct.pack("<BBQQ", 0, 0, heap, tree))
    return file.finished(file.named({"layers": file.named({"vars": file.header(info)}), "vars": file.named({})}))


@flood(".weights.h5")
def heap_rows_again(size: int) -> bytes:
    """A fractal heap whose indirect blocks name one another again and again, in many groups."""
    file = Hdf5File()
    rows, width = 64, min(1000, max(1, size // 20))
    block = file.put(b"FHDB".ljust(512, b"\0"))
    children = struct.pack("<Q", block) * (rows * width)
    place = file.put(b"FHIB\0" + bytes(8) + bytes(2) + children)
    head = struct.pack("<4sBHHBIQQQQ", b"FRHP", 0, 7, 0, 0, 4096, 0, UNDEFINED, 0, UNDEFINED)
    head += struct.pack("<8Q", 0, 0, 0, 1, 0, 0, 0, 0)
    head += struct.pack("<HQQHHQH", width, 512, 2**62, 16, 1, place, rows)
    heap = file.put(checksummed(head))
    tree = file.put(checksummed(struct.pack("<4sBBIHHBBQHQ", b"BTHD", 0, 5, 512, 11, 0, 98, 40, UNDEFINED, 0, 0)))
    info = message(2, struct.pack("<BBQQ", 0, 0, heap, tree))
    return in_vars(file, {str(n): file.header(info) for n in range(size // 8)})


# ---- the layouts of Keras


@flood(".h5")
def names_of_layers(size: int) -> bytes:
    """A million names of layers that are not there."""
    file = Hdf5File()
    listed = b"".join(f"{n:07}".encode() for n in range(min(9000, size)))
    pieces = b"".join(texts(f"layer_names{n}", 7, listed) for n in range(size // 100))
    return file.finished(file.named({"model_weights": file.named({"dense": file.named({})}, pieces)}))


@flood(".h5")
def names_of_weights(size: int) -> bytes:
    """A million names of weights that are not there."""
    file = Hdf5File()
    listed = b"".join(f"{n:07}".encode() for n in range(min(9000, size)))
    pieces = b"".join(texts(f"weight_names{n}", 7, listed) for n in range(size // 100))
    layer = file.named({"kernel:0": file.dataset()}, pieces)
    return file.finished(file.named({"dense": layer}, texts("layer_names", 5, b"dense")))


@flood(".h5")
def names_again(size: int) -> bytes:
    """Layers that all name the same weights, in one block of pieces."""
    file = Hdf5File()
    listed = b"".join(f"{n:07}".encode() for n in range(9000))
    block = texts("weight_names", 7, listed)
    messages = message(0x10, struct.pack("<QQ", file.put(block), len(block)))
    weights = {f"l{n:05}": file.named({"k": file.dataset()}, messages) for n in range(min(10_000, size // 4))}
    return file.finished(file.named(weights, texts("layer_names", 6, "".join(weights).encode())))


@flood(".h5")
def listed_weights_of_all_layers(size: int) -> bytes:
    """Layers without weight_names, for each of which all weights are looked through."""
    file = Hdf5File()
    layers = {f"l{n:05}": file.named({"k": file.dataset()}) for n in range(min(10_000, size // 4))}
    return file.finished(file.named(layers, texts("layer_names", 6, "".join(layers).encode()[:60_000])))


@flood(".h5")
def counts_of_keras_0(size: int) -> bytes:
    """Layers of Keras 0 that count weights which are not there."""
    file = Hdf5File()
    layer = number("nb_params", size)
    layers = {f"layer_{n}": file.named({}, layer) for n in range(size // 8)}
    return file.finished(file.named(layers, number("nb_layers", size)))


@flood(".h5")
def state_of_an_optimizer(size: int) -> bytes:
    """An optimizer's state of very many arrays."""
    file = Hdf5File()
    names = [f"{n:05}" for n in range(size)]
    listed = "".join(names).encode()
    pieces = b"".join(
        texts(f"weight_names{n}", 5, listed[60_000 * n : 60_000 * (n + 1)]) for n in range(size // 12_000 + 1)
    )
    state = file.named({name: file.dataset((3, 4)) for name in names}, pieces)
    model = file.named(
        {"dense": file.named({"k": file.dataset((3, 4))}, texts("weight_names", 1, b"k"))},
        texts("layer_names", 5, b"dense"),
    )
    config = json.dumps(_sequential([_dense("dense")])).encode()
    training = json.dumps({"optimizer_config": {"class_name": "Adam", "config": {}}, "loss": "mse"}).encode()
    attributes = texts("model_config", len(config), config) + texts("training_config", len(training), training)
    return file.finished(file.named({"model_weights": model, "optimizer_weights": state}, attributes))


@flood(".weights.h5")
def state_of_an_optimizer_by_path(size: int) -> bytes:
    """State of an optimizer of Keras 3 of very many arrays."""
    file = Hdf5File()
    dense = file.named({"vars": file.named({"0": file.dataset((3, 4)), "1": file.dataset((4,))})})
    state = file.named({str(n): file.dataset((3, 4)) for n in range(size)})
    return file.finished(file.named({"layers": file.named({"dense": dense}), "optimizer": file.named({"vars": state})}))


@flood(".weights.h5")
def alike_names(size: int) -> bytes:
    """Layers whose names begin with the same 200 characters, and whose weights are all of one shape."""
    file = Hdf5File()
    layers = {
        "a" * 200 + f"_{n}": file.named({"vars": file.named({"0": file.dataset((3, 4))})}) for n in range(size // 8)
    }
    return file.finished(file.named({"layers": file.named(layers)}))


# ---- configs


def config_flood(make: Callable[[int], Any]) -> Callable[[int], Any]:
    """Registers a flood in the config of a model: in a `.keras`, in a legacy file, and as JSON of its own."""

    def text(size: int) -> str:
        config = make(size)
        return config if isinstance(config, str) else json.dumps(config)

    name = make.__name__
    FLOODS[f"{name}.keras"] = lambda path, size: archive(path, config=text(size))
    FLOODS[f"{name}.json"] = lambda path, size: _written(path, text(size).encode())
    FLOODS[f"{name}.h5"] = lambda path, size: _written(path, _legacy(text(size)))
    return make


def _legacy(config: str) -> bytes:
    """A legacy file with a config of any length, kept as one text of variable length."""
    file, text = Hdf5File(), config.encode()
    place = file.put(collection(text))
    vlen = struct.pack("<II", 0x19 | 1 << 8, 16) + struct.pack("<II", 0x10, 1) + struct.pack("<HH", 0, 8)
    attributes = attribute("model_config", vlen, (), struct.pack("<IQI", len(text), place, 1))
    attributes += texts("keras_version", 5, b"2.4.3") + texts("backend", 10, b"tensorflow")
    layer = file.named({"kernel:0": file.dataset((3, 4))}, texts("weight_names", 8, b"kernel:0"))
    model = file.named({"dense": layer}, texts("layer_names", 5, b"dense"))
    return file.finished(file.named({"model_weights": model}, attributes))


def _dense(name: str, units: int = 4, **arguments: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "units": units, "activation": "linear", **arguments}}


def _sequential(layers: list[Any]) -> dict[str, Any]:
    first = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 3], "dtype": "float32"}}
    return {"class_name": "Sequential", "config": {"name": "s", "layers": [first, *layers]}}


def _functional(layers: list[Any], output: str, node: int = 0) -> dict[str, Any]:
    first = {"class_name": "InputLayer", "name": "in", "inbound_nodes": []}
    first["config"] = {"name": "in", "batch_input_shape": [None, 4], "dtype": "float32"}
    config = {"name": "m", "layers": [first, *layers], "input_layers": [["in", 0, 0]]}
    return {"class_name": "Functional", "config": config | {"output_layers": [[output, node, 0]]}}


def _node(layer: dict[str, Any], *calls: Sequence[Any]) -> dict[str, Any]:
    return layer | {"name": layer["config"]["name"], "inbound_nodes": [list(call) for call in calls]}


@config_flood
def sequential_layers(size: int) -> Any:
    """A Sequential model of very many layers."""
    return _sequential([_dense(f"dense_{n}") for n in range(size)])


@config_flood
def weightless_layers(size: int) -> Any:
    """A Sequential model of very many layers with nothing in their configs."""
    return _sequential([{"class_name": "ReLU", "config": {}}] * size)


@config_flood
def functional_chain(size: int) -> Any:
    """A chain of very many layers."""
    layers, before = [], "in"
    for n in range(size):
        layers.append(_node(_dense(f"d{n}"), [[before, 0, 0, {}]]))
        before = f"d{n}"
    return _functional(layers, before)


@config_flood
def backward_chain(size: int) -> Any:
    """A chain of very many layers, listed from its end."""
    config = functional_chain(size)
    config["config"]["layers"].reverse()
    return config


@config_flood
def calls_of_one_layer(size: int) -> Any:
    """One layer that is called again and again."""
    calls = [[["in", 0, 0, {}]], *([["d", n, 0, {}]] for n in range(size))]
    return _functional([_node(_dense("d"), *calls)], "d", size)


@config_flood
def unordered_calls(size: int) -> Any:
    """Two layers that call one another in turns."""
    one = [[["in", 0, 0, {}]], *([["b", n, 0, {}]] for n in range(size))]
    other = [[["a", n, 0, {}]] for n in range(size)]
    return _functional([_node(_dense("a"), *one), _node(_dense("b"), *other)], "a", size)


@config_flood
def paths_without_end(size: int) -> Any:
    """Additions of a tensor to itself: two paths for each, and twice as many for the next."""
    layers, before = [], "in"
    for n in range(min(size, 2000)):
        layer = {"class_name": "Add", "config": {"name": f"a{n}"}}
        layers.append(_node(layer, [[before, 0, 0, {}], [before, 0, 0, {}]]))
        before = f"a{n}"
    return _functional(layers, before)


@config_flood
def inputs_of_one_layer(size: int) -> Any:
    """An addition of very many tensors."""
    layer = _node({"class_name": "Add", "config": {"name": "add"}}, [["in", 0, 0, {}]] * size)
    return _functional([layer], "add")


@config_flood
def many_outputs(size: int) -> Any:
    """A model of very many outputs."""
    config = _functional([_node(_dense("d"), [["in", 0, 0, {}]])], "d")
    config["config"]["output_layers"] = [["d", 0, 0]] * size
    return config


@config_flood
def models_in_models(size: int) -> Any:
    """Models in models in models."""
    inner: dict[str, Any] = _dense("dense")
    for _ in range(min(size, 150)):
        inner = _sequential([inner])
    return inner


@config_flood
def wrappers(size: int) -> Any:
    """Wrappers of wrappers of wrappers."""
    inner: dict[str, Any] = _dense("dense")
    for n in range(min(size, 300)):
        inner = {"class_name": "TimeDistributed", "config": {"name": f"t{n}", "layer": inner}}
    return _sequential([inner])


@config_flood
def wide_config(size: int) -> Any:
    """A layer with very many arguments."""
    return _sequential([_dense("dense", **{f"argument_{n}": n for n in range(10 * size)})])


@config_flood
def long_list(size: int) -> Any:
    """A layer with an argument of very many numbers."""
    return _sequential([_dense("dense", values=list(range(10 * size)))])


@config_flood
def nested_lists(size: int) -> Any:
    """A layer with an argument of lists of lists."""
    inner: list[Any] = []
    for _ in range(300):
        inner = [inner] * 1
    return _sequential([_dense("dense", values=[inner] * (size // 100))])


@config_flood
def empty_lists(size: int) -> Any:
    """Very many empty lists."""
    return _sequential([_dense("dense", values=[[]] * (40 * size))])


@config_flood
def large_texts(size: int) -> Any:
    """Layers with large names, of which every second character is wide."""
    return _sequential([_dense("\U0001f600a" * 2000 + str(n)) for n in range(size // 10)])


@config_flood
def digits(size: int) -> Any:
    """Numbers of very many digits."""
    return json.dumps(_sequential([_dense("dense")])).replace("4", "1" + "0" * min(size, 4000) + ".5", 1)


@config_flood
def large_numbers(size: int) -> Any:
    """Whole numbers of four thousand digits."""
    return _sequential([_dense(f"d{n}", units=10**4000) for n in range(size // 100)])


@config_flood
def large_rank(size: int) -> Any:
    """A shape of very many axes."""
    config = _sequential([_dense(f"d{n}") for n in range(100)])
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, *[1] * size]
    return config


@config_flood
def blanks_and_equals(size: int) -> Any:
    """A text that an expression for Base64 goes back and forth over."""
    text = "a" * 32 + " =" * size + " " * size + "!"
    code = ["a" * 32 + " " * size + "!", None, None]
    return _sequential([_dense("dense", text=text, more=" " * size + "!", path="/" + "a " * size, code=code)])


@config_flood
def huge_layers(size: int) -> Any:
    """Layers of more values than there are."""
    return _sequential([_dense(f"d{n}", units=2**62) for n in range(size // 10)])


@config_flood
def many_heads(size: int) -> Any:
    """Cells of a recurrent layer, very many of them."""
    cells = [{"class_name": "GRUCell", "config": {"name": f"c{n}", "units": 4}} for n in range(size)]
    rnn = {"name": "rnn", "cell": {"class_name": "StackedRNNCells", "config": {"cells": cells}}}
    config = _sequential([{"class_name": "RNN", "config": rnn}])
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 3, 3]
    return config


@config_flood
def compiled_with_much(size: int) -> Any:
    """Very many losses and metrics."""
    compiled = {"optimizer": "adam", "loss": ["mse"] * size, "metrics": [["mae"] * 10] * (size // 10)}
    return {**_sequential([_dense("dense")]), "compile_config": compiled}


@config_flood
def vocabulary(size: int) -> Any:
    """A lookup of very many words."""
    entries = [f"w{n}" for n in range(20 * size)]
    return _sequential([{"class_name": "StringLookup", "config": {"name": "l", "vocabulary": entries}}])


@config_flood
def names_alike(size: int) -> Any:
    """Layers that all have one name."""
    return _sequential([_dense("dense") for _ in range(size)])


@config_flood
def keras_3_chain(size: int) -> Any:
    """A chain of layers as Keras 3 writes it."""

    def tensor(name: str) -> dict[str, Any]:
        history = {"shape": [None, 4], "dtype": "float32", "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": history}

    first = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None, "name": "in"}
    first |= {"config": {"name": "in", "batch_shape": [None, 4], "dtype": "float32"}, "inbound_nodes": []}
    layers, before = [first], "in"
    for n in range(size):
        layer = {"module": "keras.layers", "registered_name": None, "name": f"d{n}", **_dense(f"d{n}")}
        layers.append(layer | {"inbound_nodes": [{"args": [tensor(before)], "kwargs": {}}]})
        before = f"d{n}"
    config = {"name": "m", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [[before, 0, 0]]}
    return {"module": "keras", "class_name": "Functional", "config": config, "registered_name": "Functional"}


@config_flood
def residual(size: int) -> Any:
    """Blocks with a way around each, as in a ResNet."""
    layers, before = [], "in"
    for n in range(size // 2):
        layers.append(_node(_dense(f"d{n}"), [[before, 0, 0, {}]]))
        add = {"class_name": "Add", "config": {"name": f"a{n}"}}
        layers.append(_node(add, [[before, 0, 0, {}], [f"d{n}", 0, 0, {}]]))
        before = f"a{n}"
    return _functional(layers, before)


@config_flood
def dense_blocks(size: int) -> Any:
    """Layers each of which takes what all before it gave, as in a DenseNet."""
    layers, before = [], ["in"]
    for n in range(int((2 * size) ** 0.5)):
        add = {"class_name": "Concatenate", "config": {"name": f"c{n}"}}
        layers.append(_node(add, [[name, 0, 0, {}] for name in before]))
        layers.append(_node(_dense(f"d{n}"), [[f"c{n}", 0, 0, {}]]))
        before.append(f"d{n}")
    return _functional(layers, before[-1])


@config_flood
def cycle(size: int) -> Any:
    """A chain that ends where it begins."""
    config = functional_chain(size)
    config["config"]["layers"][1]["inbound_nodes"] = [[[f"d{size - 1}", 0, 0, {}]]]
    return config


@config_flood
def graph_1(size: int) -> Any:
    """Nested models shared by very many calls."""
    inner = _functional(
        [_node(_dense(f"d{n}"), [["in" if not n else f"d{n - 1}", 0, 0, {}]]) for n in range(100)], "d99"
    )
    model = {"class_name": "Functional", "config": inner["config"] | {"name": "inner"}}
    calls = [[["in", 0, 0, {}]], *([["inner", n, 0, {}]] for n in range(1, size))]
    calls[1:] = [[["inner", n, 0, {}]] for n in range(size)]
    return _functional([_node(model, *calls)], "inner", size)


@config_flood
def lambdas(size: int) -> Any:
    """Lambda layers with code that is none."""
    code = ["4wEAAAAAAAAAAAAAAA" * 20, None, None]
    layer = {"function": code, "function_type": "lambda", "arguments": {}}
    return _sequential([{"class_name": "Lambda", "config": {"name": f"l{n}", **layer}} for n in range(size // 4)])


@config_flood
def functions_of_tensorflow(size: int) -> Any:
    """Calls of functions of TensorFlow."""
    layers, before = [], "in"
    for n in range(size):
        layer = {"class_name": "TFOpLambda", "config": {"name": f"t{n}", "function": "math.add"}}
        layers.append(_node(layer, [[before, 0, 0, {"y": 1.0, "name": None}]]))
        before = f"t{n}"
    return _functional(layers, before)


@config_flood
def repeated_keys(size: int) -> str:
    """One key again and again."""
    return json.dumps(_sequential([_dense("dense")])).replace('"units"', '"a": 1, ' * (10 * size) + '"units"')


# ---- archives and indices


def zip_flood(make: Callable[[int], Iterable[tuple[str, bytes]]]) -> None:
    """Registers a flood of members of an archive."""

    def write(path: Path, size: int) -> Path:
        archive(path)
        with zipfile.ZipFile(path, "a") as out:
            for name, data in make(size):
                out.writestr(zipfile.ZipInfo(name, FIXED_DATE), data, zipfile.ZIP_DEFLATED)
        return path

    FLOODS[f"{make.__name__}.keras"] = write


@zip_flood
def members(size: int) -> Iterable[tuple[str, bytes]]:
    """Very many empty members."""
    return ((f"{n:x}", b"") for n in range(size))


@zip_flood
def assets(size: int) -> Iterable[tuple[str, bytes]]:
    """Very many assets."""
    return ((f"assets/{n:x}", b"") for n in range(size))


@zip_flood
def long_member_names(size: int) -> Iterable[tuple[str, bytes]]:
    """Members with names of 60 KB."""
    return (("\u1e9b\u0323" * 12_000 + str(n), b"") for n in range(size // 100))


@zip_flood
def large_members(size: int) -> Iterable[tuple[str, bytes]]:
    """Members that inflate to megabytes."""
    return ((f"m{n}", bytes(60 << 20)) for n in range(min(40, size // 500)))


def directory_flood(path: Path, size: int) -> Path:
    """A directory of an archive that names one member again and again."""
    archive(path)
    data = path.read_bytes()
    at = data.rfind(b"PK\5\6")
    *_, start, _ = struct.unpack("<4s4H2IH", data[at : at + 22])
    first = data[start:at]
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    body = first + entry * (15 * size)
    count = 15 * size + 3
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(body), start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, start + len(body), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return _written(path, data[:start] + body + end64 + locator + end)


FLOODS["directory.keras"] = directory_flood


def index_flood(entry: Callable[[int], tuple[str, Any]], times: int = 1) -> Callable[[Path, int], Path]:
    """A flood of the index of shards."""

    def write(path: Path, size: int) -> Path:
        (path.parent / "s_00000.weights.h5").write_bytes(many_datasets(2))
        weight_map = dict(entry(n) for n in range(times * size))
        return _written(path, json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}).encode())

    return write


FLOODS["entries.weights.json"] = index_flood(lambda n: (f"/layers/d{n}/vars", "s_00000.weights.h5"), 20)
FLOODS["shards.weights.json"] = index_flood(lambda n: (f"/layers/d{n}/vars", f"s_{n:05}.weights.h5"), 20)
FLOODS["repeats.weights.json"] = index_flood(lambda n: (f"/l{n}", ["s_00000.weights.h5"] * (9 * n)), 0 + 1)


# ---- measured


COMMANDS = {
    "ls": ["ls", "{}"],
    "stats": ["ls", "{}", "--section", "all", "--stats", "--sha256", "--output", "json"],
    "info": ["info", "{}"],
    "diff": ["diff", str(FIXTURES / "keras3/mlp.keras"), "{}", "--optimizer"],
    "itself": ["diff", "{}", "{}"],
    "textconv": ["textconv", "{}"],
    "verify": ["verify", "{}", "{}", "--values", "--optimizer"],
    "spec": ["spec", "{}", "--output-file", "{}.spec.json"],
    "convert": ["convert", "{}", "{}.converted.keras", "--no-prove"],
    "check": ["check", "{}", "--no-config", "--output-file", "{}.report.sarif"],
}


_MEASURING = f"""
import json, os, resource, subprocess, sys
def limit():
    resource.setrlimit(resource.RLIMIT_CPU, ({ENDLESS}, {ENDLESS}))
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, preexec_fn=limit)
_, status, usage = os.wait4(child.pid, 0)
print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)]))
"""


def measured(path: Path, command: str) -> tuple[float, float, int, str]:
    """Seconds of processor time, megabytes of memory, exit code and last errors of a command on a file.

    A small process in between starts the command: what a process had in memory before counts for those that it starts.
    """
    arguments = [argument.replace("{}", str(path)) for argument in COMMANDS[command]]
    start = [sys.executable, "-c", _MEASURING, sys.executable, "-m", "ckpttool", *arguments]
    process = subprocess.run(start, capture_output=True, text=True, errors="replace")
    seconds, megabytes, code = json.loads(process.stdout)
    return seconds, megabytes, code, process.stderr[-2000:]


def main() -> int:
    """Measures and prints; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--command", default="", help="commands, parted by commas")
    options = parser.parse_args()
    commands = options.command.split(",") if options.command else list(COMMANDS)
    bad = 0
    for name, write in FLOODS.items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            path = write(Path(scratch) / name, options.size)
            row = []
            for command in commands:
                seconds, megabytes, code, errors = measured(path, command)
                over = seconds > SECONDS or megabytes > MEGABYTES or "Traceback" in errors or code not in (0, 1, 2)
                bad += over
                row.append(f"{command} {code} {seconds:.1f}s {megabytes:.0f}M{' <<<' * over}")
                if "Traceback" in errors:
                    row.append(errors)
            print(name, f"{path.stat().st_size / 1e6:.2f} MB:", ", ".join(row), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
