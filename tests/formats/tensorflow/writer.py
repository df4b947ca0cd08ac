"""A small writer of TensorFlow checkpoints, honest and hostile: nothing in it comes from the reader."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

MAGIC = bytes.fromhex("57fb808b247547db")
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
Pairs = Sequence[tuple[bytes, bytes]]


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = [_remainder(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    """The checksum, byte by byte (RFC 3720)."""
    register = 0xFFFFFFFF
    for byte in data:
        register = register >> 8 ^ _TABLE[register & 0xFF ^ byte]
    return register ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    """The masked checksum as stored."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(value: int) -> bytes:
    """A number of variable length; a negative one as ten bytes."""
    value &= (1 << 64) - 1
    output = bytearray()
    while value > 0x7F:
        output.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*output, value])


def number(field: int, value: int) -> bytes:
    """A field that is a number."""
    return varint(field << 3) + varint(value)


def span(field: int, value: bytes) -> bytes:
    """A field that is a run of bytes."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def fixed(field: int, value: bytes) -> bytes:
    """A field of four bytes."""
    return varint(field << 3 | 5) + value


def shape(sizes: Iterable[int]) -> bytes:
    """The message of a shape."""
    return b"".join(span(2, number(1, size)) for size in sizes)


def header(shards: int = 1, big_endian: bool = False, min_consumer: int = 0) -> bytes:
    """The value of the first key."""
    version = number(1, 1) + (number(2, min_consumer) if min_consumer else b"")
    return number(1, shards) + (number(2, 1) if big_endian else b"") + span(3, version)


def entry(
    dtype: int,
    sizes: Sequence[int],
    offset: int,
    size: int,
    crc: bytes = b"\0\0\0\0",
    shard: int = 0,
    more: bytes = b"",
) -> bytes:
    """The value of a tensor's key."""
    head = number(1, dtype) + span(2, shape(sizes)) + (number(3, shard) if shard else b"")
    return head + number(4, offset) + number(5, size) + fixed(6, crc) + more


def extents(places: Iterable[tuple[int, int]]) -> bytes:
    """The message of a part's place."""
    return b"".join(span(1, number(1, start) + number(2, length)) for start, length in places)


def block(pairs: Pairs, compression: int = 0, content: bytes | None = None) -> bytes:
    """A block with its trailer; keys share no beginning."""
    if content is None:
        content = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs)
        content += struct.pack("<II", 0, 1)
    content += bytes([compression])
    return content + masked(content)


def table(
    pairs: Pairs, blocks: Sequence[bytes] | None = None, handles: Sequence[tuple[int, int]] | None = None
) -> bytes:
    """A table of one data block, or of these."""
    blocks = [block(pairs)] if blocks is None else blocks
    out, places = b"", []
    for data in blocks:
        places.append((len(out), len(data) - 5))
        out += data
    index = [(b"\xff" * (n + 1), varint(at) + varint(size)) for n, (at, size) in enumerate(handles or places)]
    meta_at, meta = len(out), block([])
    index_at, index_block = meta_at + len(meta), block(index)
    footer = varint(meta_at) + varint(len(meta) - 5) + varint(index_at) + varint(len(index_block) - 5)
    return out + meta + index_block + footer.ljust(40, b"\0") + MAGIC


def texts(elements: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The stored bytes of texts, and their checksum."""
    lengths = b"".join(struct.pack("<I", len(element)) for element in elements)
    body = masked(lengths) + b"".join(elements)
    return b"".join(varint(len(element)) for element in elements) + body, masked(lengths + body)


def write(folder: Path, tensors: Pairs, data: bytes = b"", head: bytes | None = None, name: str = "ckpt") -> Path:
    """A checkpoint of these entries and one shard; the path of its index."""
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / f"{name}.index"
    index.write_bytes(table([(b"", header() if head is None else head), *tensors]))
    (folder / f"{name}.data-00000-of-00001").write_bytes(data)
    return index


def floats(name: str, values: Sequence[float], offset: int = 0) -> tuple[tuple[bytes, bytes], bytes]:
    """The entry and the bytes of a vector of float32."""
    data = struct.pack(f"<{len(values)}f", *values)
    return (name.encode(), entry(1, [len(values)], offset, len(data), masked(data))), data


Object = tuple[Sequence[tuple[str, int]], Sequence[tuple[str, str, str]], Sequence[tuple[int, str, int]]]
"""An object: its children, its attributes, its slot variables."""


def graph(objects: Sequence[Object]) -> bytes:
    """The message of an object graph."""
    nodes = []
    for children, attributes, slots in objects:
        node = b"".join(span(1, number(1, child) + span(2, name.encode())) for name, child in children)
        node += b"".join(
            span(2, b"".join(span(n + 1, text.encode()) for n, text in enumerate(texts))) for texts in attributes
        )
        node += b"".join(span(3, number(1, var) + span(2, slot.encode()) + number(3, at)) for var, slot, at in slots)
        nodes.append(span(1, node))
    return b"".join(nodes)


def with_graph(folder: Path, message: bytes, names: Sequence[str]) -> Path:
    """A checkpoint of scalars with an object graph."""
    data, pairs = b"", []
    for name in sorted(names, key=str.encode):
        value = struct.pack("<f", len(data))
        pairs.append((name.encode(), entry(1, [], len(data), 4, masked(value))))
        data += value
    stored, crc = texts([message])
    pairs.append((OBJECT_GRAPH.encode(), entry(7, [], len(data), len(stored), crc)))
    return write(folder, sorted(pairs), data + stored)
