"""Hostile indexes: each is refused for what it is, or the one tensor that is, and none takes much work or memory.

Of these TensorFlow's own reader is killed by dtypes of zero, 99 and references, negative and huge sizes, too many axes,
and more texts than bytes.
"""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.formats.tensorflow.snappy import decompress
from ckpttool.io.budget import Budget
from tests.formats.tensorflow import writer
from tests.formats.tensorflow.writer import (
    block,
    entry,
    extents,
    floats,
    graph,
    header,
    masked,
    number,
    span,
    table,
    varint,
)
from tests.work import Calls

CALLS, MEMORY = 1_000_000, 50 << 20


def within_bounds(index: Path) -> CheckpointError | None:
    """Open and list a checkpoint, with bounded work and memory; the error where there is one."""
    tracemalloc.start()
    calls = Calls()
    try:
        with calls, ckpttool.open(index) as checkpoint:
            assert all(isinstance(weight.shape, tuple) for weight in checkpoint.values())
        return None
    except CheckpointError as error:
        return error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert calls.count < CALLS
        assert peak < MEMORY


def refused(index: Path, name: str, kind: str, *parts: str) -> None:
    """Check that one tensor is refused for this reason, that its values are not read, and that its neighbour is."""
    with ckpttool.open(index) as checkpoint:
        refusals = [refusal for refusal in checkpoint.refusals if refusal.place == name]
        assert [refusal.kind for refusal in refusals] == [kind]
        assert all(word in refusals[0].detail for word in parts), refusals[0].detail
        if name in checkpoint:
            with pytest.raises(CheckpointError):
                checkpoint[name].read()
        assert checkpoint["~neighbour"].read().tolist() == [1.0, 2.0]


def beside(folder: Path, name: str, value: bytes, *, data: bytes = b"", head: bytes | None = None) -> Path:
    """A checkpoint of one hostile tensor and of an honest one that is called after it."""
    good, stored = floats("~neighbour", [1.0, 2.0], len(data))
    return writer.write(folder, [(name.encode(), value), good], data + stored, head)


_OF_A_TENSOR: dict[str, tuple[bytes, str, str]] = {
    "dtype 0": (entry(0, [2], 0, 8), "corrupt", "dtype"),
    "dtype 99": (entry(99, [2], 0, 8), "corrupt", "dtype"),
    "dtype of a reference": (entry(101, [2], 0, 8), "corrupt", "dtype"),
    "resource": (entry(20, [2], 0, 8), "corrupt", "dtype"),
    "negative size of an axis": (entry(1, [-2], 0, 8), "corrupt", "shape"),
    "huge sizes": (entry(1, [1 << 40, 1 << 40], 0, 8), "corrupt", "shape"),
    "huge sizes and a zero": (entry(1, [1 << 40, 1 << 40, 0], 0, 0), "corrupt", "shape"),
    "300 axes": (entry(1, [1] * 300, 0, 4), "corrupt", "shape"),
    "rank not known": (number(1, 1) + span(2, number(3, 1)) + number(5, 4), "corrupt", "shape"),
    "more texts than bytes": (entry(7, [1 << 30], 0, 24), "bomb", "texts"),
    "size unlike the shape": (entry(1, [3], 0, 8), "corrupt", "size"),
    "size zero": (entry(1, [3], 0, 0), "corrupt", "size"),
    "negative size": (entry(1, [2], 0, -8), "corrupt", "place"),
    "negative offset": (entry(1, [2], -8, 8), "corrupt", "place"),
    "past the end": (entry(1, [2], 1 << 40, 8), "corrupt", "beyond"),
    "negative shard": (entry(1, [2], 0, 8, shard=-1), "corrupt", "shard"),
    "shard that is not counted": (entry(1, [2], 0, 8, shard=1), "corrupt", "shard"),
    "no message": (b"\x0b", "corrupt", "protobuf"),
    "an axis that is a number": (number(1, 1) + span(2, span(2, b"\xff")), "corrupt", "damaged"),
    "variant": (entry(21, [2], 0, 8), "unsupported", "variant"),
}


@pytest.mark.parametrize("case", _OF_A_TENSOR)
def test_tensor(case: str, tmp_path: Path) -> None:
    """A tensor with an error is refused by its reason, and hides no other."""
    value, kind, word = _OF_A_TENSOR[case]
    refused(beside(tmp_path, "bad", value, data=bytes(8)), "bad", kind, word)


def test_an_empty_entry_is_refused(tmp_path: Path) -> None:
    """An entry without any field has no dtype."""
    refused(beside(tmp_path, "bad", b""), "bad", "corrupt", "dtype")


def test_wrong_checksum(tmp_path: Path) -> None:
    """Values that are not those that were saved are not given out."""
    (_, value), data = floats("bad", [1.0, 2.0])
    index = beside(tmp_path, "bad", value, data=data[:7] + b"\0")
    with ckpttool.open(index) as checkpoint:
        with pytest.raises(CorruptFileError, match="checksum"):
            checkpoint["bad"].read()
        with pytest.raises(CorruptFileError, match="checksum"):
            list(checkpoint["bad"].stored_blocks())
        assert checkpoint["~neighbour"].read().tolist() == [1.0, 2.0]


_TEXTS = {
    "lengths beyond the bytes": (varint(200) + bytes(10), "texts"),
    "lengths below the bytes": (varint(2) + masked(struct.pack("<I", 2)) + b"abcdef", "checksum"),
    "length without an end": (b"\xff" * 11, "number"),
    "no room for the checksum": (varint(0) + b"\0", "texts"),
    "wrong checksum of lengths": (varint(2) + b"\0\0\0\0ab", "checksum"),
}


@pytest.mark.parametrize("case", _TEXTS)
def test_texts(case: str, tmp_path: Path) -> None:
    """Damaged texts are told when they are read."""
    data, word = _TEXTS[case]
    index = beside(tmp_path, "bad", entry(7, [], 0, len(data)), data=data)
    with ckpttool.open(index) as checkpoint, pytest.raises(CorruptFileError) as caught:
        checkpoint["bad"].read()
    assert word in str(caught.value)


def test_a_thousand_tensors_on_the_same_bytes(tmp_path: Path) -> None:
    """Of tensors on the same bytes one is read: more would weigh many times the file."""
    data, crc = bytes(4096), masked(bytes(4096))
    pairs = [(b"%04d" % n, entry(1, [1024], 0, 4096, crc)) for n in range(1000)]
    with ckpttool.open(writer.write(tmp_path, pairs, data)) as checkpoint:
        assert [refusal.kind for refusal in checkpoint.refusals] == ["repeat"] * 999
        with pytest.raises(UnsafeFileError):
            checkpoint["0999"].read()


def test_two_billion_shards(tmp_path: Path) -> None:
    """Only shards that hold something are looked for."""
    (name, value), data = floats("one", [1.0])
    index = writer.write(tmp_path, [(name, value)], data, header(shards=(1 << 31) - 1))
    (tmp_path / "ckpt.data-00000-of-00001").rename(tmp_path / f"ckpt.data-00000-of-{(1 << 31) - 1}")
    with ckpttool.open(index) as checkpoint:
        assert checkpoint["one"].read().tolist() == [1.0]


def test_many_shards(tmp_path: Path) -> None:
    """More shards than files that can be open are refused."""
    pairs = [(b"%05d" % n, entry(1, [], 0, 4, shard=n)) for n in range(5000)]
    with pytest.raises(UnsafeFileError, match="shards"):
        ckpttool.open(writer.write(tmp_path, pairs, head=header(shards=5000)))


def _shared_keys() -> bytes:
    """A block of keys that share all of what is before them: a small file of long keys."""
    content, last = bytearray(), b""
    for n in range(40_000):
        rest = b"%05d" % n if n else b"k" * 60_000 + b"00000"
        shared = 60_000 if n else 0
        content += varint(shared) + varint(len(rest)) + varint(0) + rest
        last = rest
    assert last
    return block([], content=bytes(content) + struct.pack("<II", 0, 1))


_FILES: dict[str, tuple[Callable[[], bytes], type[CheckpointError], str]] = {
    "keys that share their start": (lambda: table([], [_shared_keys()]), CorruptFileError, "header"),
    "long shared keys": (
        lambda: table([], [block([(b"", header())]), _shared_keys()]),
        UnsafeFileError,
        "weigh far more",
    ),
    "key too long": (lambda: table([(b"", header()), (b"k" * 70_000, b"")]), UnsafeFileError, "too long"),
    "keys out of order": (lambda: table([(b"", header()), (b"b", b""), (b"a", b"")]), CorruptFileError, "ascend"),
    "a key twice": (lambda: table([(b"", header()), (b"a", b""), (b"a", b"")]), CorruptFileError, "ascend"),
    "blocks on one place": (
        lambda: table([], [block([(b"", header())])], [(0, len(block([(b"", header())])) - 5)] * 2),
        CorruptFileError,
        "overlap",
    ),
    "block beyond the end": (
        lambda: table([], [block([(b"", header())])], [(1 << 40, 10)]),
        CorruptFileError,
        "beyond",
    ),
    "no header": (lambda: table([(b"a", b"")]), CorruptFileError, "header"),
    "nothing": (lambda: table([]), CorruptFileError, "header"),
    "later format": (lambda: table([(b"", header(min_consumer=2))]), UnsupportedError, "later format"),
    "first format": (lambda: table([(b"", span(1, span(1, span(1, b"w"))))]), UnsupportedError, "V1"),
    "unknown compression": (lambda: table([], [block([(b"", header())], 2)]), UnsupportedError, "compression 2"),
    "more restarts than bytes": (
        lambda: table([], [block([], content=struct.pack("<I", 1 << 30))]),
        CorruptFileError,
        "restart",
    ),
    "entry beyond its block": (
        lambda: table([], [block([], content=varint(0) + varint(100) + varint(0) + struct.pack("<II", 0, 1))]),
        CorruptFileError,
        "beyond",
    ),
    "start of a key that was not": (
        lambda: table([], [block([], content=varint(9) + varint(0) + varint(0) + struct.pack("<II", 0, 1))]),
        CorruptFileError,
        "beyond",
    ),
    "checksum of a block": (
        lambda: table([], [block([(b"", header())])[:-1] + b"\x99"]),
        CorruptFileError,
        "checksum",
    ),
}


@pytest.mark.parametrize("case", _FILES)
def test_file(case: str, tmp_path: Path) -> None:
    """Damage that makes the whole index unreliable is an error that names it."""
    make, kind, parts = _FILES[case]
    path = tmp_path / "ckpt.index"
    path.write_bytes(make())
    error = within_bounds(path)
    assert isinstance(error, kind)
    assert parts in str(error)
    assert str(path) in str(error)


_SNAPPY = {
    "more than Snappy can pack": (varint(1 << 30) + b"\0a", UnsafeFileError, "more than Snappy"),
    "copy of what was not made": (varint(10) + b"\x05\x04", CorruptFileError, "copy"),
    "copy from nowhere": (varint(6) + b"\0a" + b"\x05\0", CorruptFileError, "copy"),
    "literal beyond the end": (varint(50) + b"\xc0" + b"a", CorruptFileError, "literal"),
    "long literal beyond the end": (varint(50) + b"\xfc\xff\xff\xff\xff" + b"a", CorruptFileError, "literal"),
    "less than declared": (varint(9) + b"\0a", CorruptFileError, "declared"),
    "more than declared": (varint(1) + b"\x0cabcd", CorruptFileError, "declared"),
    "copy cut off": (varint(9) + b"\0a" + b"\x02", CorruptFileError, "copy"),
    "no size": (b"", CorruptFileError, "number"),
}


@pytest.mark.parametrize("case", _SNAPPY)
def test_snappy(case: str, tmp_path: Path) -> None:
    """Compressed blocks make no more than they can, and only of what they have."""
    content, kind, parts = _SNAPPY[case]
    path = tmp_path / "ckpt.index"
    path.write_bytes(table([], [block([], 1, content)]))
    error = within_bounds(path)
    assert isinstance(error, kind)
    assert parts in str(error)


def test_a_compressed_block_is_read(tmp_path: Path) -> None:
    """Honest Snappy is read."""
    (name, value), data = floats("w", [1.0])
    entries = block([(b"", header()), (name, value)])[:-13]
    packed = varint(len(entries) + 12) + bytes([61 << 2]) + struct.pack("<H", len(entries) - 1) + entries
    packed += b"\x0c" + bytes(4) + b"\x01\x04" + b"\x0c" + struct.pack("<I", 2)  # two restart offsets of zero
    path = writer.write(tmp_path, [], data)
    path.write_bytes(table([], [block([], 1, packed)]))
    with ckpttool.open(path) as checkpoint:
        assert checkpoint["w"].read().tolist() == [1.0]


def test_elements_of_snappy() -> None:
    """Copies of every kind, also of what they make themselves."""
    for packed, expected in (
        (varint(20) + b"\x04ab" + bytes([17 << 2 | 2, 2, 0]), b"ab" * 10),
        (varint(20) + b"\x04ab" + bytes([17 << 2 | 3, 2, 0, 0, 0]), b"ab" * 10),
        (varint(13) + b"\x04ab" + bytes([7 << 2 | 1, 2]), b"ab" * 6 + b"a"),
        (varint(300) + b"\0x" + bytes([63 << 2 | 2, 1, 0]) * 4 + bytes([42 << 2 | 2, 1, 0]), b"x" * 300),
    ):
        assert bytes(decompress(memoryview(packed), Budget(100))) == expected


_WHOLE = [4, 2]


def _part_key(name: bytes, *places: tuple[int, int]) -> bytes:
    """The key of a part at places below 64, which take a byte each."""
    return (
        b"\0"
        + name
        + b"\0\1"
        + b"\1"
        + bytes([len(places)])
        + b"".join(bytes([0x80 + n]) for pair in places for n in pair)
    )


def _parts(folder: Path, *parts: dict[str, Any]) -> Path:
    """A checkpoint of a tensor in parts, each as it is told, and of an honest one."""
    data, pairs, more = b"", [], b""
    for part in parts:
        places = part["at"]
        more += span(7, extents(places))
        sizes = part.get("shape", [length for _, length in places])
        stored = bytes(range(4 * int(_product(sizes))))
        if not part.get("absent"):
            value = entry(part.get("dtype", 1), sizes, len(data), len(stored), masked(stored))
            pairs.append((_part_key(b"bad", *places), value))
        data += stored
    good, stored = floats("~neighbour", [1.0, 2.0], len(data))
    pairs = [*sorted(pairs), (b"bad", number(1, 1) + span(2, writer.shape(_WHOLE)) + more), good]
    return writer.write(folder, pairs, data + stored)


def _product(sizes: list[int]) -> int:
    code = 1
    for size in sizes:
        code *= size
    return code


_PARTS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "not covering": ([{"at": [(0, 2), (0, 2)]}], "whole"),
    "overlapping": ([{"at": [(0, 2), (0, 2)]}, {"at": [(1, 2), (0, 2)]}], "overlap"),
    "another dtype": ([{"at": [(0, 2), (0, 2)]}, {"at": [(2, 2), (0, 2)], "dtype": 3}], "dtype"),
    "another shape": ([{"at": [(0, 2), (0, 2)]}, {"at": [(2, 2), (0, 2)], "shape": [4, 1]}], "shape"),
    "outside": ([{"at": [(0, 2), (0, 2)]}, {"at": [(3, 2), (0, 2)]}], "outside"),
    "too few axes": ([{"at": [(0, 4)]}], "outside"),
    "not stored": ([{"at": [(0, 2), (0, 2)]}, {"at": [(2, 2), (0, 2)], "absent": True}], "not stored"),
}


@pytest.mark.parametrize("case", _PARTS)
def test_parts(case: str, tmp_path: Path) -> None:
    """Parts that do not make up the whole are refused."""
    parts, word = _PARTS[case]
    index = _parts(tmp_path, *parts)
    with ckpttool.open(index) as checkpoint:
        refusals = [refusal for refusal in checkpoint.refusals if refusal.place == "bad"]
        assert [refusal.kind for refusal in refusals] == ["missing" if case == "not stored" else "corrupt"]
        assert word in refusals[0].detail
        with pytest.raises(CheckpointError):
            checkpoint["bad"].read()
        assert checkpoint["~neighbour"].read().tolist() == [1.0, 2.0]


def test_honest_parts_are_read(tmp_path: Path) -> None:
    """The same writer's honest parts come together: the refusals above have no other cause."""
    with ckpttool.open(_parts(tmp_path, {"at": [(0, 2), (0, 2)]}, {"at": [(2, 2), (0, 2)]})) as checkpoint:
        assert checkpoint.refusals == ()
        assert checkpoint["bad"].read().shape == (4, 2)


def test_big_endian(tmp_path: Path) -> None:
    """Numbers of a machine that writes the highest byte first are read as what they are, their checksums too."""
    data = struct.pack(">2f", 1.5, -2.0)
    index = writer.write(tmp_path, [(b"w", entry(1, [2], 0, 8, masked(data)))], data, header(big_endian=True))
    with ckpttool.open(index) as checkpoint:
        assert checkpoint["w"].read().tolist() == [1.5, -2.0]
        assert b"".join(map(bytes, checkpoint["w"].stored_blocks())) == struct.pack("<2f", 1.5, -2.0)


_GRAPHS: dict[str, tuple[bytes, str]] = {
    "child that there is not": (graph([([("a", 7)], [], [])]), "does not have"),
    "negative child": (span(1, span(1, number(1, -1))), "does not have"),
    "slot variable that there is not": (graph([([], [], [(0, "m", 3)])]), "does not have"),
    "no message": (b"\x0b", "protobuf"),
}


@pytest.mark.parametrize("case", _GRAPHS)
def test_object_graph(case: str, tmp_path: Path) -> None:
    """An object graph that makes no sense is told; the tensors are there under their keys."""
    message, word = _GRAPHS[case]
    with ckpttool.open(writer.with_graph(tmp_path, message, ["w"])) as checkpoint:
        assert checkpoint.object_graph is None
        assert [refusal.place for refusal in checkpoint.refusals] == [writer.OBJECT_GRAPH]
        assert word in checkpoint.refusals[0].detail
        assert "w" in checkpoint


def test_graph_of_many_paths(tmp_path: Path) -> None:
    """Objects that hold the next one twice, sixty deep and in a circle, are each met once."""
    value = ("VARIABLE_VALUE", "w", "w")
    objects: list[writer.Object] = [([("a", n + 1), ("b", n + 1), ("up", 0)], [], []) for n in range(60)]
    message = graph([*objects, ([("root", 0)], [value], [])])
    with ckpttool.open(writer.with_graph(tmp_path, message, ["w"])) as checkpoint:
        assert checkpoint.refusals == ()
        tree = checkpoint.object_graph
        assert tree is not None
        assert tree.paths[60] == ("a",) * 60
        assert checkpoint["w"].name == "w"


def test_deep_graph(tmp_path: Path) -> None:
    """A chain of thousands of objects takes no more than its file is worth."""
    chain: list[writer.Object] = [([("a", n + 1)], [], []) for n in range(3_300)]
    message = graph([*chain, ([], [("VARIABLE_VALUE", "w", "w")], [])])
    index = writer.with_graph(tmp_path, message, ["w"])
    assert within_bounds(index) is None
    with ckpttool.open(index) as checkpoint:
        assert list(checkpoint) == ["w"] or [refusal.place for refusal in checkpoint.refusals] == ["w"]


def test_names_in_the_graph_that_are_not_stored(tmp_path: Path) -> None:
    """A variable that the object graph names and nobody stored is refused as missing."""
    message = graph([([], [("VARIABLE_VALUE", "w", "w"), ("VARIABLE_VALUE", "v", "v")], [])])
    with ckpttool.open(writer.with_graph(tmp_path, message, ["w"])) as checkpoint:
        assert [(refusal.kind, refusal.place) for refusal in checkpoint.refusals] == [("missing", "v")]
