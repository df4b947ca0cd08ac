"""Zip archives, read in place: their members, and whatever about them could fool a reader.

The directory is read by `zipfile`; members are read here, because `zipfile` trusts declared sizes and reads whole
members. Nothing is extracted. Layout facts: PKWARE's APPNOTE 6.3.10.
"""

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ckpttool.checkpoint import Refusal
from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.files import Inflated, Source, SourceFile, Window, inflate

MAX_DIRECTORY = 16 << 20
MAX_MEMBERS = 10_000
MAX_RATIO = 200  # weights do not compress better; a bomb does
MAX_INFLATED = 4 << 30
MAX_UNREAD = 16 << 20  # bytes that a member may declare which is not read
_COPY = 1 << 20
_DESCRIPTOR = 24  # bytes that may stand behind a member
_SCANNED = 16 << 20  # bytes between members that are searched

EXECUTABLE = (".pkl", ".pickle", ".so", ".dll", ".dylib", ".exe", ".py", ".pyc", ".sh", ".bat")
_ODD_PATH = re.compile(r"[\\\0:]|(^|/)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.[^/]*)?(/|$)", re.IGNORECASE)
_END = struct.Struct("<4s4H2IH")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive. `start` is the offset of its stored bytes, `packed` how many there are."""

    name: str
    start: int
    size: int
    packed: int
    deflated: bool
    crc: int


class Archive:
    """An open zip archive. `refusals` lists what two readers might see differently, and what should not be there."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._entries, directory = _directory(source)
        self.infos = {entry.filename: entry for entry in self._entries}  # the last of equal names, as Keras reads
        self.refusals = [*_ambiguities(source, self._entries, directory), *_suspects(self._entries)]

    def __contains__(self, name: str) -> bool:
        return name in self.infos

    def member(self, name: str) -> Member:
        """The member `name`; raises where it cannot be read."""
        info = self.infos[name]
        if info.flag_bits & 0x1:
            raise UnsupportedError(f"{name} is encrypted", hint="decrypt the archive first")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            found = zipfile.compressor_names.get(info.compress_type, str(info.compress_type))  # type: ignore[attr-defined]
            is_bomb = info.file_size > max(MAX_UNREAD, MAX_RATIO * info.compress_size)
            raise UnsupportedError(
                f"{name} is compressed in a way Keras never uses",
                expected="stored or deflate",
                found=f"{found}, {info.file_size:,} bytes from {info.compress_size:,}",
                kind="bomb" if is_bomb else "",
            )
        if info.compress_size > self._source.size:
            found = f"{info.compress_size:,} bytes in an archive of {self._source.size:,}"
            raise UnsafeFileError(f"{name} declares more than the whole archive holds", found=found)
        start = _data_start(self._source, info)
        if start + info.compress_size > self._source.size:
            raise CorruptFileError(f"{name} reaches beyond the end of the archive", hint="fetch the file again")
        deflated = info.compress_type == zipfile.ZIP_DEFLATED
        if not deflated and info.file_size != info.compress_size:
            raise CorruptFileError(f"{name} is stored, but its two sizes differ", hint="fetch the file again")
        return Member(name, start, info.file_size, info.compress_size, deflated, info.CRC)

    def is_file(self, name: str) -> bool:
        """Whether the member `name` is a regular file and no link, device or directory."""
        return stat.S_IFMT(self.infos[name].external_attr >> 16) in (0, stat.S_IFREG)

    def source(self, member: Member) -> Source:
        """The bytes of a member, read in place; deflated ones are inflated on the way."""
        window = Window(self._source, member.start, member.packed)
        if not member.deflated:
            return window
        if member.size > MAX_INFLATED and member.size > MAX_RATIO * member.packed:
            found = f"{member.size:,} bytes from {member.packed:,}"
            raise UnsafeFileError(f"{member.name} inflates out of all proportion", found=found)
        return Inflated(window, member.size)

    def read(self, name: str, limit: int) -> bytes:
        """The whole of a small member, checked against its CRC; `UnsafeFileError` over `limit` bytes."""
        member = self.member(name)
        if member.size > limit:
            raise UnsafeFileError(f"{name} is too large", expected=f"{limit:,} bytes at most", found=f"{member.size:,}")
        data = self._source.read(member.start, member.packed)
        if member.deflated:
            data = _inflated_whole(member, data)
        _compare_crc(member, zlib.crc32(data))
        return data

    def check(self, member: Member) -> None:
        """Reads the whole member and compares its CRC; raises where it differs."""
        source, crc = self.source(member), 0
        for start in range(0, member.size, _COPY):
            crc = zlib.crc32(source.read(start, min(_COPY, member.size - start)), crc)
        _compare_crc(member, crc)


def _inflated_whole(member: Member, packed: bytes) -> bytes:
    """All bytes of a deflated member; raises where they are not as many as it declares."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflate(engine, packed, member.size + 1)
    if len(data) > member.size:
        raise CorruptFileError(
            f"{member.name} holds more than it declares", expected=f"{member.size:,} bytes", kind="bomb"
        )
    if not engine.eof or len(data) < member.size:
        found = f"{len(data):,} bytes"
        raise CorruptFileError("the compressed data ends early", expected=f"{member.size:,} bytes", found=found)
    return data


def _compare_crc(member: Member, crc: int) -> None:
    if crc != member.crc:
        raise CorruptFileError(
            f"{member.name} has a wrong CRC",
            expected=f"{member.crc:08x}",
            found=f"{crc:08x}",
            hint="its bytes changed after it was saved; fetch the file again",
        )


def _directory(source: Source) -> tuple[list[zipfile.ZipInfo], int]:
    """The central directory, and where it begins. zipfile raises a wide choice of errors on broken ones; here they are
    one."""
    size = _directory_size(source)
    if size > MAX_DIRECTORY:
        raise UnsafeFileError(
            "the archive's directory is absurdly large", expected=f"{MAX_DIRECTORY:,} bytes at most", found=f"{size:,}"
        )
    try:
        archive = zipfile.ZipFile(SourceFile(source))
        return archive.infolist(), archive.start_dir
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError, struct.error) as error:
        raise CorruptFileError(
            "is a damaged zip archive",
            found=str(error) or type(error).__name__,
            hint="the download or the save was cut off; fetch or save it again",
        ) from error


def _directory_size(source: Source) -> int:
    """The size of the central directory by the end record; 0 where there is none, which zipfile will say."""
    tail_size = min(source.size, 65_557)
    tail = source.read(source.size - tail_size, tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        return 0
    size = int(_END.unpack_from(tail, at)[5])
    if size == 0xFFFFFFFF:
        at = tail.rfind(b"PK\x06\x06")
        size = int.from_bytes(tail[at + 40 : at + 48], "little") if at >= 0 else 0
    return size


def _data_start(source: Source, info: zipfile.ZipInfo) -> int:
    """Where the bytes of a member begin, by its local header."""
    name_size, extra_size = struct.unpack_from("<HH", _local_header(source, info), 26)
    return int(info.header_offset + 30 + name_size + extra_size)


def _local_header(source: Source, info: zipfile.ZipInfo) -> bytes:
    if info.header_offset < 0 or info.header_offset + 30 > source.size:
        raise CorruptFileError(f"{info.filename} lies outside the archive", hint="fetch the file again")
    head = source.read(info.header_offset, 30)
    if head[:4] != b"PK\x03\x04":
        raise CorruptFileError(f"{info.filename} is not where the directory says", hint="fetch the file again")
    return head


def _ambiguities(source: Source, infos: list[zipfile.ZipInfo], directory: int) -> Iterator[Refusal]:
    """What lets two readers see different archives in one file."""
    names = Counter(info.filename for info in infos)
    for name, count in names.items():
        if count > 1:
            yield Refusal("ambiguous", name, f"{count} members of this name; the last one is read")
    folded = Counter(unicodedata.normalize("NFKC", name).casefold() for name in names)
    for name in names:
        if folded[unicodedata.normalize("NFKC", name).casefold()] > 1:
            yield Refusal("ambiguous", name, "another member differs only in the case of letters")
    yield from _wrong_locator(source, min((info.header_offset for info in infos), default=0))
    if len(infos) <= MAX_MEMBERS:
        yield from _local_differences(source, infos, directory)
    else:
        yield Refusal("bomb", "", f"{len(infos):,} members")


def _wrong_locator(source: Source, before: int) -> Iterator[Refusal]:
    """A locator of the zip64 end record that points elsewhere: zipfile does not follow it, others do. `before` is what
    stands in front of the archive, by which offsets may be shifted."""
    tail_size = min(source.size, 65_557)
    tail = source.read(source.size - tail_size, tail_size)
    at = tail.rfind(b"PK\x05\x06") - 20
    if at < 0 or tail[at : at + 4] != b"PK\x06\x07":
        return
    offset = int.from_bytes(tail[at + 8 : at + 16], "little")
    places = [place for place in (offset, offset + before) if place + 4 <= source.size]
    if not any(source.read(place, 4) == b"PK\x06\x06" for place in places):
        yield Refusal("ambiguous", "", "its zip64 locator does not point at the zip64 end record")


def _unowned(source: Source, start: int, stop: int) -> Iterator[Refusal]:
    """What to say of the bytes between two members, or around them, where another archive can hide."""
    if stop - start <= (_DESCRIPTOR if start else 0):
        return
    held = source.read(start, min(stop - start, _SCANNED))
    if b"PK\x03\x04" in held or b"PK\x01\x02" in held or len(held) < stop - start:
        yield Refusal("ambiguous", "", f"{stop - start:,} bytes that belong to no member may hold another archive")
    elif held.strip(b"\0"):
        yield Refusal("foreign", "", f"{stop - start:,} bytes belong to no member")


def _local_differences(source: Source, infos: list[zipfile.ZipInfo], directory: int) -> Iterator[Refusal]:
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        try:
            head = _local_header(source, info)
        except CheckpointError as error:
            yield Refusal.from_error(error, info.filename)
            continue
        name_size, extra_size = struct.unpack_from("<HH", head, 26)
        if info.header_offset < end:
            yield Refusal("bomb", info.filename, "shares its bytes with another member")
        yield from _unowned(source, end, info.header_offset)
        if not _says_the_same(head, info):
            yield Refusal("ambiguous", info.filename, "its own header and the directory tell different sizes")
        end = info.header_offset + 30 + name_size + extra_size + info.compress_size
        stored = source.read(info.header_offset + 30, min(name_size, source.size - info.header_offset - 30))
        if stored != _raw_name(info):
            yield Refusal("ambiguous", info.filename, f"named {stored.decode('utf-8', 'replace')!r} at its own place")
        if struct.pack("<H", 0x7075) in info.extra:  # Info-ZIP's Unicode path
            yield Refusal("ambiguous", info.filename, "carries a second name in its extra field")

    yield from _unowned(source, end, min(directory, source.size))


def _says_the_same(head: bytes, info: zipfile.ZipInfo) -> bool:
    """Whether the header before a member tells what the directory tells, as far as it tells anything."""
    flags, method = struct.unpack_from("<HH", head, 6)
    sizes = struct.unpack_from("<3I", head, 14)
    if flags & 0x8 or 0xFFFFFFFF in sizes:  # told behind the member, or in the extra field
        return bool(method == info.compress_type)
    return bool((method, *sizes) == (info.compress_type, info.CRC, info.compress_size, info.file_size))


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    return info.orig_filename.encode(encoding, "surrogateescape")


def _suspects(infos: list[zipfile.ZipInfo]) -> Iterator[Refusal]:
    """Members that have no business in a checkpoint. Only named: nothing is ever written to their paths."""
    for info in infos[:MAX_MEMBERS]:
        name, mode = info.orig_filename, info.external_attr >> 16
        parts = name.replace("\\", "/").split("/")
        if not {"..", ".", ""}.isdisjoint(parts[:-1]) or parts[-1] in ("..", ".") or _ODD_PATH.search(name):
            yield Refusal("archive", name, "a path that leads elsewhere on some systems")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield Refusal("archive", name, "a symbolic link or device, not a file")
        if name.lower().endswith(EXECUTABLE):
            yield Refusal("program", name, "a program or pickle, which no checkpoint needs")
        if info.flag_bits & 0x1:
            yield Refusal("archive", name, "is encrypted")
