"""Archives whose records contradict each other, and how different readers see them."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ckpttool
from ckpttool.formats.archive import Archive
from ckpttool.io.sources import FileSource
from tests.formats.zip_surgery import (
    DEFLATED,
    LONG,
    STORED,
    STREAMED,
    Ending,
    Part,
    Record,
    Zip,
    descriptor,
    part,
    unicode_path,
    zip64_extra,
)
from tests.samples import members

View = dict[str, bytes]
NUMBERS = (0, 1, 5, 0xFFFF, LONG, 1 << 20)


def _record(record: Record, rng: random.Random) -> Record:
    """A record that says something else."""
    kind = rng.randrange(9)
    if kind == 0:
        return replace(record, crc=rng.choice((0, 7, record.crc ^ 1)))
    if kind == 1:
        return replace(record, packed=rng.choice((*NUMBERS, max(0, record.packed - 1), record.packed + 1)))
    if kind == 2:
        return replace(record, size=rng.choice((*NUMBERS, max(0, record.size - 1), record.size + 1)))
    if kind == 3:
        return replace(record, method=rng.choice((STORED, DEFLATED, 12, 99)))
    if kind == 4:
        return replace(record, flags=record.flags ^ 1 << rng.choice((0, 3, 3, 3, 5, 6, 11, 13)))
    if kind == 5:
        names = (b"config.json", b"metadata.json", b"Config.json", b"./config.json", b"a\0b", b"caf\xe9", b"x")
        return replace(record, name=rng.choice(names))
    if kind == 6:
        extra = zip64_extra(*rng.choice(((record.size, record.packed), (5, 5), (record.size,), (), (0, 0))))
        return replace(record, extra=record.extra + extra)
    if kind == 7:
        name = rng.choice((record.name.decode("latin-1"), "config.json", "../x", ""))
        return replace(record, extra=record.extra + unicode_path(name, rng.choice((record.name, b"other"))))
    return replace(record, packed=LONG, size=LONG, extra=zip64_extra(record.size, rng.choice((record.packed, 9))))


def _part(original: Part, rng: random.Random) -> Part:
    kind = rng.randrange(8)
    if kind == 0:
        return replace(original, local=_record(original.local, rng))
    if kind == 1:
        return replace(original, entry=_record(original.entry, rng))
    if kind == 2:
        both = _record(original.entry, rng)
        return replace(original, local=both, entry=both)
    if kind == 3:
        return replace(
            original,
            behind=rng.choice((b"", descriptor(_record(original.entry, rng)), descriptor(original.entry), b"x" * 9)),
        )
    if kind == 4:
        hidden = Zip([part(rng.choice(("config.json", "x")), b"{}")]).packed()
        return replace(original, gap=rng.choice((bytes(5), b"text", b"x" * 40, hidden[: 30 + 13], hidden)))
    if kind == 5:
        return replace(original, data=original.data + rng.choice((b"x", bytes(30), descriptor(original.entry))))
    if kind == 6:
        return replace(original, offset=rng.choice((0, 4, 30, 100, 5000)))
    inner = rng.choice((b"", b"{}", b"x" * 40))
    data = inner + descriptor(part("x", inner).entry) + b"rest" * 9
    return part(original.entry.name.decode("latin-1"), data, STORED, STREAMED)


def _ending(zipped: Zip, rng: random.Random) -> Ending:
    other, count = Zip([part("config.json", b"{}")]).packed(), len(zipped.parts)
    return rng.choice(
        [
            Ending(counts=rng.choice(((count, count + 1), (1, 1), (count + 1, count + 1), (0xFFFF, 0xFFFF)))),
            Ending(size=rng.choice((*NUMBERS, 46))),
            Ending(offset=rng.choice((*NUMBERS, 46))),
            Ending(disks=rng.choice(((1, 0), (0, 1), (0xFFFF, 0xFFFF)))),
            Ending(comment=rng.choice((b"text", other, other[-22:], b"PK\5\6"))),
            Ending(comment=b"text", comment_size=rng.choice((0, 2, 90))),
            Ending(between=rng.choice((b"x", other, bytes(20), b"PK\6\7" + bytes(16)))),
            Ending(behind=rng.choice((b"x", bytes(50), other, other[-22:]))),
            Ending(zip64={}),
            Ending(zip64={rng.choice(("here", "count", "size", "offset", "place", "length")): rng.choice(NUMBERS)}),
            Ending(zip64={f"plain_{rng.choice(('here', 'count', 'size', 'offset'))}": rng.choice(NUMBERS)}),
        ]
    )


def mutant(rng: random.Random) -> tuple[bytes, Callable[[bytes], dict[str, View | None]], list[str]]:
    """An archive, how others see it, and what was done."""
    parts = {**members("keras3.0/mlp.keras"), "assets/words.txt": b"a\nb\n" * 20}
    data, done = changed(parts, rng)
    return data, readers, done


def changed(parts: dict[str, bytes], rng: random.Random) -> tuple[bytes, list[str]]:
    """An archive of these members whose records have seen one to three changes, and the kinds of these."""
    flags = rng.choice((0, 0, STREAMED))
    zipped = Zip([part(name, data, rng.choice((STORED, DEFLATED)), flags) for name, data in parts.items()])
    done = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.choice(("part", "part", "part", "ending", "twice", "prefix", "order"))
        done.append(kind)
        at = rng.randrange(len(zipped.parts))
        if kind == "part":
            zipped.parts[at] = _part(zipped.parts[at], rng)
        elif kind == "ending":
            zipped.ending = _ending(zipped, rng)
        elif kind == "twice":
            names = ("config.json", "CONFIG.json", "config.json/", "./config.json", "assets/words.txt", "new", "../x")
            zipped.parts.insert(at, part(rng.choice(names), b'{"x": 1}', STORED, flags))
        elif kind == "prefix":
            zipped.prefix = rng.choice((bytes(9), b"#!/bin/sh\n", Zip([part("config.json", b"{}")]).packed()))
        else:
            rng.shuffle(zipped.parts)
    return zipped.packed(), done


def readers(data: bytes) -> dict[str, View | None]:
    """The views of other readers: None where they refuse the archive."""
    return {"zipfile": by_directory(data), "header by header": by_headers(data), "declared offsets": by_offsets(data)}


def by_directory(data: bytes) -> View | None:
    """The view of zipfile: the members that it reads."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                info.filename: content
                for info in archive.infolist()
                if not info.is_dir() and (content := _tried(archive, info)) is not None
            }
    except Exception:
        return None


def _tried(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    try:
        return archive.read(info.filename)
    except Exception:
        return None


def by_headers(data: bytes) -> View | None:
    """The view of a reader that goes from header to header, from the first byte on, up to the directory."""
    places, at = {}, 0
    try:
        while data[at : at + 4] == b"PK\3\4":
            name, content, at = _next_member(data, at)
            if not name.endswith("/"):
                places[name] = content
    except (struct.error, zlib.error, ValueError):
        return None
    return places if data[at : at + 4] == b"PK\1\2" and at else None


def _next_member(data: bytes, at: int) -> tuple[str, bytes, int]:
    flags, method, crc, packed, size = struct.unpack_from("<HH4x3I", data, at + 6)
    name_size, extra_size = struct.unpack_from("<HH", data, at + 26)
    name = data[at + 30 : at + 30 + name_size].decode("utf-8" if flags & 0x800 else "cp437")
    extra = data[at + 30 + name_size : at + 30 + name_size + extra_size]
    is_long, at = packed == LONG or size == LONG, at + 30 + name_size + extra_size
    if is_long:
        place = 0
        while place + 4 <= len(extra):
            kind, length = struct.unpack_from("<HH", extra, place)
            if kind == 1 and length >= 16:
                size, packed = struct.unpack_from("<2Q", extra, place + 4)
            place += 4 + length
    if flags & 1:
        raise ValueError("encrypted")
    if method == DEFLATED:
        engine = zlib.decompressobj(-15)
        content = engine.decompress(data[at:], 1 << 20)
        end = len(data) - len(engine.unused_data) if engine.eof else -1
        if end < 0 or (not flags & STREAMED and end - at != packed):
            raise ValueError("another end")
    elif flags & STREAMED and not packed:
        end = _end_by_descriptor(data, at)
        content = data[at:end]
    else:
        end = at + packed
        content = data[at:end]
    if flags & STREAMED:
        has_mark = data[end : end + 4] == b"PK\7\x08"
        crc, _, size = struct.unpack_from("<I2Q" if is_long else "<3I", data, end + 4 * has_mark)
        end_at = end + 4 * has_mark + (20 if is_long else 12)
    else:
        end_at = end
    if zlib.crc32(content) != crc or len(content) != size:
        raise ValueError("a wrong checksum or size")
    return name, content, end_at


def _end_by_descriptor(data: bytes, at: int) -> int:
    end = data.find(b"PK\7\x08", at)
    while end >= 0:
        if end - at in (int.from_bytes(data[end + 8 : end + 8 + width], "little") for width in (4, 8)):
            return end
        end = data.find(b"PK\7\x08", end + 1)
    raise ValueError("no end")


def by_offsets(data: bytes) -> View | None:
    """The view of a reader that takes the end record whose comment reaches to the end of the file, and all offsets as
    they stand."""
    end = len(data) - 22
    while end >= 0 and not (
        data[end : end + 4] == b"PK\5\6" and end + 22 + int.from_bytes(data[end + 20 : end + 22], "little") == len(data)
    ):
        end -= 1
    if end < 0:
        return None
    count, _, at = struct.unpack_from("<HII", data, end + 10)
    places = {}
    try:
        for _ in range(count):
            if data[at : at + 4] != b"PK\1\2":
                return None
            fields = struct.unpack_from("<4s6H3I5H2I", data, at)
            name = data[at + 46 : at + 46 + fields[10]].decode("utf-8" if fields[3] & 0x800 else "cp437")
            content = _at_offset(data, fields)
            if content is not None and not name.endswith("/"):
                places[name] = content
            at += 46 + sum(fields[10:13])
    except (struct.error, zlib.error, ValueError):
        return None
    return places


def _at_offset(data: bytes, fields: tuple[int, ...]) -> bytes | None:
    method, crc, packed, size, offset = fields[4], fields[7], fields[8], fields[9], fields[16]
    if data[offset : offset + 4] != b"PK\3\4" or fields[3] & 1 or LONG in (packed, size):
        return None
    begin = offset + 30 + sum(struct.unpack_from("<HH", data, offset + 26))
    raw = data[begin : begin + packed]
    content = zlib.decompressobj(-15).decompress(raw) if method == DEFLATED else raw
    return content if zlib.crc32(content) == crc and len(content) == size else None


def our_view(path: Path) -> View:
    """The view of ckpttool on the members that it reads; raises where it opens nothing."""
    with ckpttool.open(path) as checkpoint:
        assert checkpoint.files
    source = FileSource(path)
    try:
        archive = Archive(source)
        return {name: archive.read(name, 1 << 20) for name in archive.infos if not name.endswith("/")}
    finally:
        source.close()


def compare(ours: View, theirs: View | None) -> list[str]:
    """The differences of the views; a reader that refuses the archive has no view, nor has it one of members it cannot
    read."""
    if theirs is None:
        return []
    return [name for name in {*ours, *theirs} if name in theirs and ours.get(name) != theirs[name]] + [
        f"{name} is hidden" for name in theirs if name not in ours
    ]
