"""The ambiguities of a zip archive, in which two readers would see different contents.

Keras reads the directory at the end of an archive. Other readers follow the headers before the members, from the first
byte on, or find the directory in another way. Each of them may be right, so every difference between them is refused.
"""

import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator

from ckpttool.checkpoint import Refusal
from ckpttool.errors import CheckpointError
from ckpttool.formats import zip_records as records
from ckpttool.formats.zip_records import LONG, SHORT, STREAMED, UNICODE_PATH, UTF_8, ZIP64, Header, Sizes
from ckpttool.io.sources import Source

_SLACK = 24  # bytes of a descriptor that may stand behind a member without being announced
_SCANNED = 16 << 20  # bytes between members, or of one, that are searched
_TELLING = records.ENCRYPTED | records.PATCHED | records.STRONG | records.MASKED  # flags that change what is read
_PATH_PARTS = re.compile(r"[/\\]+")


def ambiguities(source: Source, infos: list[zipfile.ZipInfo], directory: int) -> Iterator[Refusal]:
    """The refusals of all that two readers may see differently. `infos` are the members as zipfile lists them,
    `directory` is the place at which zipfile reads the directory."""
    yield from _names(infos)
    end = records.ending(source)
    raw = source.read(directory, max(0, end.at - directory)) if end else b""
    listed = list(records.entries(raw))
    if end:
        yield from _ends(source, end, directory, raw, listed)
    if [entry.name for entry in listed] == [_raw_name(info) for info in infos]:
        yield from _members(source, list(zip(infos, listed, strict=True)), directory)
    else:
        yield Refusal("ambiguous", "", "its directory can be read in two ways")


def _names(infos: list[zipfile.ZipInfo]) -> Iterator[Refusal]:
    names = Counter(info.filename for info in infos)
    for name, count in names.items():
        if count > 1:
            yield Refusal("ambiguous", name, f"{count} members of this name; the last one is read")
    alike = Counter(map(_on_any_system, names))
    for name in names:
        if alike[_on_any_system(name)] > 1:
            yield Refusal("ambiguous", name, "another member has the same name on some systems")


def _on_any_system(name: str) -> str:
    """A name as the least particular system has it: no case, no blanks or dots at ends, any slash, no empty steps."""
    parts = (part.rstrip(" .") for part in _PATH_PARTS.split(unicodedata.normalize("NFKC", name).casefold()))
    return "/".join(part for part in parts if part)


def _ends(source: Source, end: records.Ending, directory: int, raw: bytes, listed: list[Header]) -> Iterator[Refusal]:
    """The refusals of end records that differ from each other, or from the directory before them."""
    if records.END in raw or records.END in source.read(end.at + 4, source.size - end.at - 4):
        yield Refusal("ambiguous", "", "has two end records, of which readers take either")
    if end.behind < 0:
        yield Refusal("corrupt", "", "its comment is cut off")
    elif end.behind and source.read(source.size - end.behind, end.behind).strip(b"\0"):
        yield Refusal("foreign", "", f"{end.behind:,} bytes follow the end record")
    says, shift = _resolved(end), directory - (end.long or end.record).offset
    if end.has_locator:
        yield from _long_end(end, shift)
    if says.disk not in (0, SHORT) or says.first_disk not in (0, SHORT) or any(entry.disk for entry in listed):
        yield Refusal("corrupt", "", "says that it is one of several disks, and is read as the only one")
    if {says.here, says.total} != {len(listed)} or says.size != sum(entry.length for entry in listed):
        counts = (
            f"{says.total:,} members in {says.size:,} bytes, of {len(listed):,} in {sum(e.length for e in listed):,}"
        )
        yield Refusal("ambiguous", "", f"its end record counts {counts}")
    if shift and (shift < 0 or source.read(directory - shift, 4) == records.ENTRY):
        yield Refusal("ambiguous", "", "has two directories, one before the end record and one where that says it is")


def _resolved(end: records.Ending) -> records.End:
    """The numbers of the end record, the long ones taken from the zip64 end record."""
    if end.long is None:
        return end.record
    limits = (SHORT, SHORT, SHORT, SHORT, LONG, LONG)
    numbers = zip(end.record, end.long, limits, strict=True)
    return records.End(*(long if number == limit else number for number, long, limit in numbers))


def _long_end(end: records.Ending, shift: int) -> Iterator[Refusal]:
    """zipfile takes what stands right before the locator, others what the locator points to; zipfile believes all its
    numbers, others those that the end record lacks."""
    places = {end.long_place, end.long_place + shift}
    if end.long is None or end.at - 76 not in places or end.long_size != 44:
        yield Refusal("ambiguous", "", "its zip64 locator does not point at the zip64 end record")
    elif _resolved(end) != end.long:
        yield Refusal("ambiguous", "", "its end record and its zip64 end record differ")


def _members(source: Source, both: list[tuple[zipfile.ZipInfo, Header]], directory: int) -> Iterator[Refusal]:
    """The refusals of headers that differ from the directory, and of bytes between members, in the archive's order."""
    end = 0
    both.sort(key=lambda pair: pair[0].header_offset)
    limits = [info.header_offset for info, _ in both[1:]] + [directory]
    for (info, entry), limit in zip(both, limits, strict=False):  # of no member, the directory is one more
        try:
            local = records.header(source, info.header_offset)
        except CheckpointError as error:
            yield Refusal.from_error(error, info.filename)
            continue
        if info.header_offset < end:
            yield Refusal("bomb", info.filename, "shares its bytes with another member")
        yield from _unowned(source, end, info.header_offset)
        begin = info.header_offset + local.length
        end = begin + info.compress_size
        yield from _differences(local, entry, info)
        if local.flags & STREAMED:
            yield from _described_behind(source, info, (begin, end, limit), local.sizes.packed)
            end += records.descriptor(source, min(end, source.size), limit, _sizes(info))
    if end > directory:
        yield Refusal("bomb", "", "a member reaches into the directory")
    yield from _unowned(source, end, min(directory, source.size))


def _sizes(info: zipfile.ZipInfo) -> Sizes:
    return Sizes(info.CRC, info.compress_size, info.file_size)


def _differences(local: Header, entry: Header, info: zipfile.ZipInfo) -> Iterator[Refusal]:
    """The refusals of a member whose header differs from its entry in the directory."""
    name = info.filename
    if local.name != entry.name or ((local.flags ^ entry.flags) & UTF_8 and not local.name.isascii()):
        yield Refusal("ambiguous", name, f"named {local.name.decode('utf-8', 'replace')!r} at its own place")
    if local.method != entry.method or (local.flags ^ entry.flags) & _TELLING:
        yield Refusal("ambiguous", name, "its own header and the directory tell different ways to read it")
    if not _agree(local, _sizes(info)):
        yield Refusal("ambiguous", name, "its own header and the directory tell different sizes")
    if not info.compress_type and info.compress_size != info.file_size:
        yield Refusal("corrupt", name, "is stored, but its two sizes differ")
    if _has_odd_sizes(local) or _has_odd_sizes(entry):
        yield Refusal("ambiguous", name, "its zip64 field has other sizes than its header")
    if any(_second_name(header.extra, name) for header in (local, entry)):
        yield Refusal("ambiguous", name, "carries a second name in its extra field")


def _agree(local: Header, sizes: Sizes) -> bool:
    """Whether the header of a member has the sizes that the directory has; a header that was written before they were
    known has zeros."""
    sizes_of_header = _long_sizes(local)
    if local.flags & STREAMED:
        return all(number in (0, known) for number, known in zip(sizes_of_header, sizes, strict=True))
    return sizes_of_header == sizes


def _long_sizes(header: Header) -> Sizes:
    """The sizes of a header, those taken from its zip64 field that stand there."""
    crc, packed, size = header.sizes
    numbers = list(_zip64_numbers(header))
    if size == LONG and numbers:
        size = numbers.pop(0)
    if packed == LONG and numbers:
        packed = numbers.pop(0)
    return Sizes(crc, packed, size)


def _zip64_numbers(header: Header) -> Iterator[int]:
    raw = next((data for number, data in records.extras(header.extra) if number == ZIP64), b"")
    yield from (int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw) - 7, 8))


def _has_odd_sizes(header: Header) -> bool:
    """Whether a header has two zip64 fields, or one with numbers that it neither lacks nor says itself."""
    fields = Counter(number for number, _ in records.extras(header.extra))
    plain = (header.sizes.size, header.sizes.packed, header.offset)
    lacking = [number for number in plain if number == LONG]
    more = list(_zip64_numbers(header))[len(lacking) :]
    return fields[ZIP64] > 1 or not set(more) <= set(plain)


def _second_name(extra: bytes, name: str) -> bool:
    """Whether Info-ZIP's field for a path in Unicode gives another name than the header, or gives two."""
    fields = [data[5:] for number, data in records.extras(extra) if number == UNICODE_PATH]
    return len(fields) > 1 or any(field != name.encode("utf-8", "surrogateescape") for field in fields)


def _described_behind(
    source: Source, info: zipfile.ZipInfo, place: tuple[int, int, int], packed: int
) -> Iterator[Refusal]:
    """The refusals of a member whose sizes stand in a descriptor behind it: no descriptor there, or another one within
    the member, where readers that go from member to member would stop. `packed` is the size in the header."""
    begin, end, limit = place
    if end > source.size or not records.descriptor(source, end, limit, _sizes(info)):
        yield Refusal("ambiguous", info.filename, "what stands behind it and the directory tell different sizes")
    elif not packed and not info.compress_type and end <= limit:
        data = source.read(begin, min(end - begin, _SCANNED))
        for match in re.finditer(re.escape(records.DESCRIPTOR), data):
            at = match.start()
            if at in (int.from_bytes(data[at + 8 : at + 8 + width], "little") for width in (4, 8)):
                yield Refusal("ambiguous", info.filename, f"ends at byte {at:,} to readers that do not know its size")


def _unowned(source: Source, start: int, stop: int) -> Iterator[Refusal]:
    """The refusal of bytes between two members, or around them, where another archive can hide."""
    if stop - start <= (_SLACK if start else 0):
        return
    raw = source.read(start, min(stop - start, _SCANNED))
    if records.HEADER in raw or records.ENTRY in raw or len(raw) < stop - start:
        yield Refusal("ambiguous", "", f"{stop - start:,} bytes that belong to no member may hold another archive")
    elif raw.strip(b"\0"):
        yield Refusal("foreign", "", f"{stop - start:,} bytes belong to no member")


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    encoding = "utf-8" if info.flag_bits & UTF_8 else "cp437"
    return info.orig_filename.encode(encoding, "surrogateescape")
