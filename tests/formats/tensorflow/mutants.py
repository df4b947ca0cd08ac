"""Mutated checkpoints and SavedModels of TensorFlow: bytes, tables, messages, object graphs, whole directories.

The seeds are the small fixtures that genuine TensorFlow wrote. Checksums and lengths around what was mutated are right
again, so that readers get to it. Nothing here comes from the reader under test.
"""

import random
import shutil
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.formats.tensorflow import writer
from tests.samples import FIXTURES

HOME = FIXTURES / "tensorflow"
Field = tuple[int, int, int | bytes]
"""A field of a message: its number, its wire type, its value."""
Bytes = Callable[[bytes, random.Random], bytes]

VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5
_ODD = (0, 1, 2, 7, 99, 101, 127, 128, 255, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63, 2**64 - 1)
_TEXTS = (
    b"",
    b"..",
    b"a/b",
    b"/etc/passwd",
    b"\x1b[2J",
    b"\xff\xfe",
    "é".encode() * 100,
    b"x" * 5000,
    b"\0",
    b"VARIABLE_VALUE",
)
_DEEPEST = 12  # levels of messages that are descended


@cache
def checkpoints() -> list[Path]:
    """The indexes of the seeds, those in SavedModels included."""
    return sorted(HOME.rglob("*.index"))


@cache
def models() -> list[Path]:
    """The SavedModels among the seeds."""
    return sorted(path.parent for path in HOME.rglob("saved_model.pb"))


def mutant(folder: Path, rng: random.Random) -> Path:
    """A mutated checkpoint, SavedModel or directory of checkpoints in this folder; the path to give to a command."""
    kind = rng.random()
    if kind < 0.5:
        return _checkpoint(folder, rng)
    if kind < 0.9:
        return _saved_model(folder, rng)
    return _directory(folder, rng)


def _checkpoint(folder: Path, rng: random.Random) -> Path:
    seed = rng.choice(checkpoints())
    prefix = seed.name.removesuffix(".index")
    for path in seed.parent.glob(f"{prefix}.*"):
        if path.suffix == ".index" or ".data-" in path.name:
            shutil.copy(path, folder)
    _change_bundle(folder / seed.name, rng)
    names = [seed.name, prefix, *(path.name for path in folder.glob(f"{prefix}.data-*"))]
    return folder / rng.choice(names)


def _saved_model(folder: Path, rng: random.Random) -> Path:
    home = Path(shutil.copytree(rng.choice(models()), folder / "model"))
    kind = rng.random()
    if kind < 0.15:
        _shuffle(home, rng)
    elif kind < 0.4 and (home / "variables/variables.index").is_file():
        _change_bundle(home / "variables/variables.index", rng)
    else:
        files = [path for path in (home / "saved_model.pb", home / "keras_metadata.pb") if path.is_file()]
        path = rng.choice(files)
        path.write_bytes(
            rng.choice((changed_message, changed_message, changed_message, changed_bytes))(path.read_bytes(), rng)
        )
    return rng.choice((home, home, home / "saved_model.pb", home / "variables"))


def _shuffle(home: Path, rng: random.Random) -> None:
    """A SavedModel some of whose files are gone, those of another one, or each other."""
    files = sorted(path for path in home.rglob("*") if path.is_file())
    one, other = rng.choice(files), rng.choice(files)
    kind = rng.randrange(4)
    if kind == 0:
        one.unlink()
    elif kind == 1:
        shutil.copy(other, one.with_suffix(".x"))
        one.write_bytes(other.read_bytes())
    elif kind == 2:
        theirs = rng.choice(models()) / one.relative_to(home)
        one.write_bytes(theirs.read_bytes() if theirs.is_file() else b"")
    else:
        one.rename(one.with_name(rng.choice((f"{one.stem} (1){one.suffix}", f"{one.name}.txt", one.name.upper()))))


def _directory(folder: Path, rng: random.Random) -> Path:
    """A directory of checkpoints whose state file, or one of whose files, is another one."""
    home = Path(shutil.copytree(HOME / "2.15/managed", folder / "managed"))
    if rng.random() < 0.7:
        state = home / "checkpoint"
        state.write_bytes(changed_bytes(state.read_bytes(), rng))
    else:
        _shuffle(home, rng)
    if rng.random() < 0.2:
        (home / rng.choice(("ckpt-50_temp", "ckpt-40.index.tempstate1", "ckpt-60.data-00000-of-00001"))).mkdir()
    return rng.choice((home, home / "checkpoint", home / "ckpt-40"))


def _change_bundle(index: Path, rng: random.Random) -> None:
    """An index, or a shard beside it, that is mutated."""
    kind = rng.random()
    if kind < 0.15:
        index.write_bytes(changed_bytes(index.read_bytes(), rng))
    elif kind < 0.2:
        shard = rng.choice(sorted(index.parent.glob("*.data-*")))
        shard.write_bytes(changed_bytes(shard.read_bytes(), rng))
    elif kind < 0.65:
        index.write_bytes(_changed_table(pairs_of(index.read_bytes()), rng))
    else:
        _change_object_graph(index, rng)


def _changed_table(pairs: list[tuple[bytes, bytes]], rng: random.Random) -> bytes:
    """A table whose entries, keys, blocks or handles are others."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(pairs))
        key, value = pairs[at]
        kind = rng.randrange(8)
        if kind < 5:
            pairs[at] = key, changed_message(value, rng)
        elif kind == 5:
            pairs[at] = changed_bytes(key, rng), value
        elif kind == 6:
            pairs[at] = key, rng.choice(pairs)[1]
        else:
            pairs.insert(rng.randrange(len(pairs) + 1), pairs[at])
    if rng.random() < 0.7:
        pairs.sort()
    if rng.random() < 0.75:
        return writer.table(pairs)
    blocks = [
        writer.block(pairs[: len(pairs) // 2], compression=rng.choice((0, 0, 1, 2))),
        writer.block(pairs[len(pairs) // 2 :]),
    ]
    if rng.random() < 0.4:
        content = changed_bytes(blocks[0][:-5], rng)
        blocks[0] = writer.block([], rng.choice((0, 1)), content)
    places = [(0, len(blocks[0]) - 5), (len(blocks[0]), len(blocks[1]) - 5)]
    if rng.random() < 0.5:
        places[rng.randrange(2)] = rng.choice(_ODD), rng.choice((places[0][1], *_ODD))
    return writer.table([], blocks, places)


def _change_object_graph(index: Path, rng: random.Random) -> None:
    """An object graph that is mutated, stored at the end of its shard."""
    pairs = dict(pairs_of(index.read_bytes()))
    key = writer.OBJECT_GRAPH.encode()
    shards = sorted(index.parent.glob(f"{index.stem}.data-*"))
    if key not in pairs or not shards:
        return
    fields = {number: value for number, _, value in fields_of(pairs[key]) or ()}
    number, offset, size = (int(fields.get(field, 0) or 0) for field in (3, 4, 5))
    shard = shards[min(number, len(shards) - 1)]
    raw = shard.read_bytes()
    text = raw[offset : offset + size]
    length = len(writer.varint(size))
    message = text[length + 4 :] if len(text) > length + 4 else text
    for _ in range(rng.choice((1, 1, 3))):
        message = rng.choice((changed_message, changed_message, _led_elsewhere))(message, rng)
    stored, crc = writer.texts([message])
    shard.write_bytes(raw + stored)
    pairs[key] = writer.entry(7, [], len(raw), len(stored), crc, number)
    index.write_bytes(writer.table(sorted(pairs.items())))


def _led_elsewhere(message: bytes, rng: random.Random) -> bytes:
    """An object graph in which a child, a slot variable or a key leads elsewhere: in a circle, to nothing."""
    nodes = fields_of(message)
    if not nodes:
        return message
    at = rng.randrange(len(nodes))
    number, wire, node = nodes[at]
    target = rng.choice((0, at, rng.randrange(len(nodes)), len(nodes), 2**31, 2**64 - 1))
    added = rng.choice(
        (
            writer.span(1, writer.number(1, target) + writer.span(2, rng.choice(_TEXTS))),
            writer.span(
                3, writer.number(1, target) + writer.span(2, b"m") + writer.number(3, rng.randrange(len(nodes)))
            ),
            writer.span(3, writer.number(1, 0) + writer.span(2, rng.choice(_TEXTS)) + writer.number(3, target)),
            writer.span(
                2,
                writer.span(1, b"VARIABLE_VALUE")
                + writer.span(2, rng.choice(_TEXTS))
                + writer.span(3, rng.choice(_TEXTS)),
            ),
        )
    )
    nodes[at] = number, wire, (node if isinstance(node, bytes) else b"") + added * rng.choice((1, 1, 1, 50))
    return encoded(nodes)


def pairs_of(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The entries of a genuine table, whose blocks are not compressed."""
    footer = raw[-48:]
    _, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    return [pair for _, handle in _entries(raw, index) for pair in _entries(raw, _handle(handle, 0)[0])]


def _handle(raw: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = _number(raw, at)
    size, at = _number(raw, at)
    return (offset, size), at


def _entries(raw: bytes, handle: tuple[int, int]) -> list[tuple[bytes, bytes]]:
    block = raw[handle[0] : handle[0] + handle[1]]
    end = len(block) - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    at, key, entries = 0, b"", []
    while at < end:
        shared, at = _number(block, at)
        rest, at = _number(block, at)
        size, at = _number(block, at)
        key = key[:shared] + block[at : at + rest]
        entries.append((key, block[at + rest : at + rest + size]))
        at += rest + size
    return entries


def _number(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError


def fields_of(raw: bytes) -> list[Field] | None:
    """The fields of a message; None where the bytes are none."""
    fields: list[Field] = []
    at = 0
    try:
        while at < len(raw):
            tag, at = _number(raw, at)
            number, wire = tag >> 3, tag & 7
            if wire == VARINT:
                value: int | bytes
                value, at = _number(raw, at)
            else:
                size, at = _number(raw, at) if wire == LEN else ({FIXED64: 8, FIXED32: 4}[wire], at)
                value, at = raw[at : at + size], at + size
            if not 0 < number < 1 << 29 or at > len(raw):
                return None
            fields.append((number, wire, value))
    except (IndexError, KeyError):
        return None
    return fields


def encoded(fields: list[Field]) -> bytes:
    """The message of these fields."""
    parts = []
    for number, wire, value in fields:
        if isinstance(value, int):
            parts.append(writer.number(number, value))
        else:
            head = writer.varint(len(value)) if wire == LEN else b""
            parts.append(writer.varint(number << 3 | wire) + head + value)
    return b"".join(parts)


def changed_message(raw: bytes, rng: random.Random, depth: int = 0) -> bytes:
    """A message with one field, mostly of an inner message, that is another one."""
    fields = fields_of(raw)
    if not fields:
        return changed_bytes(raw, rng)
    at = rng.randrange(len(fields))
    number, wire, value = fields[at]
    if isinstance(value, bytes) and depth < _DEEPEST and rng.random() < 0.85 and (inner := fields_of(value)):
        fields[at] = number, wire, changed_message(value, rng, depth + 1) if inner else value
        return encoded(fields)
    kind = rng.randrange(8)
    if kind < 3:
        fields[at] = number, wire, _other_value(value, fields, rng)
    elif kind == 3:
        del fields[at]
    elif kind == 4:
        fields[at:at] = [fields[at]] * rng.choice((1, 1, 300))
    elif kind == 5:
        fields[at] = rng.choice((number + 1, 1, 2, 3, 99)), wire, value
    elif kind == 6:
        fields[at] = number, rng.choice((VARINT, LEN)), rng.choice(_ODD) if rng.random() < 0.5 else rng.choice(_TEXTS)
    else:
        return (
            encoded(fields[:at])
            + writer.varint(number << 3 | rng.randrange(8))
            + writer.varint(rng.choice(_ODD))
            + encoded(fields[at:])
        )
    return encoded(fields)


def _other_value(value: int | bytes, fields: list[Field], rng: random.Random) -> int | bytes:
    if isinstance(value, int):
        return rng.choice((value + 1, value * 2, *_ODD)) & (1 << 64) - 1
    if rng.random() < 0.4:
        return changed_bytes(value, rng)
    others = [other for _, _, other in fields if isinstance(other, bytes)]
    return rng.choice((rng.choice(_TEXTS), value * 2, value[: len(value) // 2], rng.choice(others)))


def changed_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Bytes some of which are others, gone, or there twice."""
    output = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(output) + 1)
        kind = rng.randrange(6)
        if kind < 2 and at < len(output):
            output[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del output[at : at + rng.choice((1, 4, 64, len(output)))]
        elif kind == 3:
            output[at:at] = output[at : at + rng.choice((1, 16, 200))]
        elif kind == 4:
            output[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2**31, 2**32 - 1, len(output))))
        else:
            output[at:at] = writer.varint(rng.choice(_ODD))
    return bytes(output)
