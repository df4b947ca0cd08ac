"""Zip archives, read in place: their members, and whatever about them could fool a reader.

The directory is read by `zipfile`; members are read here, because `zipfile` trusts declared sizes and reads whole
members. Nothing is extracted. Layout facts: PKWARE's APPNOTE 6.3.10.
"""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.checkpoint import Refusal
from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError, ambiguous
from ckpttool.formats import zip_records, zip_views
from ckpttool.io.sources import Inflated, Source, SourceFile, Window, inflate

_DIRECTORY_A_STEP = 3  # bits: bytes of the directory, in which a member takes fifty or more, that cost a step
MAX_MEMBERS = 10_000
MAX_RATIO = 200  # weights do not compress better; a bomb does
MAX_INFLATED = 4 << 30
MAX_UNREAD = 16 << 20  # bytes that a member may declare which is not read
_COPY = 1 << 20
_FEED = 64 << 10  # compressed bytes fed at once
_READ_A_STEP = 6  # bits: bytes of a member that is read whole that cost a step

EXECUTABLE = (".pkl", ".pickle", ".so", ".dll", ".dylib", ".exe", ".py", ".pyc", ".sh", ".bat")
_ODD_PATH = re.compile(r"[\\\0:]|(^|/)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.[^/]*)?(/|$)", re.IGNORECASE)


class Member(NamedTuple):
    """A member of an archive. `start` is the offset of its stored bytes, `packed` their number."""

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
        self.refusals = [*_suspects(self._entries)]
        if len(self._entries) > MAX_MEMBERS:
            self.refusals.append(Refusal("bomb", "", f"{len(self._entries):,} members"))
        else:
            self.refusals[:0] = zip_views.ambiguities(source, self._entries, directory)

    def __contains__(self, name: str) -> bool:
        return name in self.infos

    def member(self, name: str) -> Member:
        """The member `name`; raises where it cannot be read."""
        info = self.infos[name]
        if info.flag_bits & 0x1:
            raise UnsupportedError(f"{name} is encrypted", hint="decrypt the archive first")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            actual = zipfile.compressor_names.get(info.compress_type, str(info.compress_type))  # type: ignore[attr-defined]
            is_bomb = info.file_size > max(MAX_UNREAD, MAX_RATIO * info.compress_size)
            raise UnsupportedError(
                f"{name} is compressed in a way Keras never uses",
                expected="stored or deflate",
                found=f"{actual}, {info.file_size:,} bytes from {info.compress_size:,}",
                kind="bomb" if is_bomb else "",
            )
        if info.compress_size > self._source.size:
            actual = f"{info.compress_size:,} bytes in an archive of {self._source.size:,}"
            raise UnsafeFileError(f"{name} declares more than the whole archive holds", found=actual)
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
            sizes = f"{member.size:,} bytes from {member.packed:,}"
            raise UnsafeFileError(f"{member.name} inflates out of all proportion", found=sizes)
        return Inflated(window, member.size)

    def read(self, name: str, limit: int) -> bytes:
        """The whole of a small member, checked against its CRC; `UnsafeFileError` over `limit` bytes."""
        member = self.member(name)
        if member.size > limit:
            raise UnsafeFileError(f"{name} is too large", expected=f"{limit:,} bytes at most", found=f"{member.size:,}")
        self._source.budget.spend(member.size >> _READ_A_STEP)
        data = self._source.read(member.start, member.packed)
        if member.deflated:
            data = _inflated_whole(member, data)
        _compare_crc(member, zlib.crc32(data))
        return data

    def check(self, member: Member) -> None:
        """Read the whole member and compare its CRC. Raises CorruptFileError where it differs."""
        source, crc = self.source(member), 0
        if member.deflated:
            pieces = _inflated_pieces(Window(self._source, member.start, member.packed), member)
        else:
            pieces = (source.read(at, min(_COPY, member.size - at)) for at in range(0, member.size, _COPY))
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
        _compare_crc(member, crc)


def _inflated_whole(member: Member, packed: bytes) -> bytes:
    """All bytes of a deflated member; raises where they are not as many as it declares."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflate(engine, packed, member.size + 1)
    if len(data) > member.size:
        raise _more_than_declared(member)
    if not engine.eof or len(data) < member.size:
        inflated = f"{len(data):,} bytes"
        raise CorruptFileError("the compressed data ends early", expected=f"{member.size:,} bytes", found=inflated)
    if engine.unused_data:
        raise _ends_within(member)
    return data


def _more_than_declared(member: Member) -> CorruptFileError:
    return CorruptFileError(
        f"{member.name} holds more than it declares", expected=f"{member.size:,} bytes", kind="bomb"
    )


def _ends_within(member: Member) -> UnsafeFileError:
    return ambiguous(f"{member.name} ends before the bytes that the directory gives it, where something can hide")


def _inflated_pieces(window: Source, member: Member) -> Iterator[bytes]:
    """The bytes of a deflated member, piece by piece; raises where they do not end where the member does."""
    engine, at, left = zlib.decompressobj(-zlib.MAX_WBITS), 0, member.size
    while not engine.eof:
        feed = engine.unconsumed_tail
        if not feed:
            feed = window.read(at, min(_FEED, window.size - at))
            at += len(feed)
        piece = inflate(engine, feed, min(_COPY, left + 1))
        left -= len(piece)
        if left < 0:
            raise _more_than_declared(member)
        if not (feed or piece):
            inflated = f"{member.size - left:,} bytes"
            raise CorruptFileError("the compressed data ends early", expected=f"{member.size:,} bytes", found=inflated)
        yield piece
    if left:
        inflated = f"{member.size - left:,} bytes"
        raise CorruptFileError("the compressed data ends early", expected=f"{member.size:,} bytes", found=inflated)
    if engine.unused_data or at < window.size:
        raise _ends_within(member)


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
    source.budget.spend(_directory_size(source) >> _DIRECTORY_A_STEP)
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
    end = zip_records.ending(source)
    if end is None:
        return 0
    size = end.record.size if end.record.size != zip_records.LONG else 0
    return max(size, end.long.size) if end.long else size


def _data_start(source: Source, info: zipfile.ZipInfo) -> int:
    """The place at which the bytes of a member begin, by its local header."""
    try:
        start: int = info.header_offset + zip_records.header(source, info.header_offset).length
    except CorruptFileError as error:
        raise CorruptFileError(f"{info.filename} {error.what}", hint="fetch the file again") from error
    return start


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
