"""Zip archives that readers see differently are told, each in one way; what honest writers write is not."""

import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.errors import UnsafeFileError
from ckpttool.formats.archive import Archive
from tests.formats.hdf5.small_files import Memory
from tests.formats.zip_surgery import (
    DEFLATED,
    LONG,
    STORED,
    STREAMED,
    UTF_8,
    Ending,
    Part,
    Zip,
    descriptor,
    part,
    unicode_path,
    zip64_extra,
)
from tests.samples import members

PLAIN = members("keras3.0/mlp.keras")
CONFIG = PLAIN["config.json"]


def archive(method: int = STORED, flags: int = 0) -> Zip:
    """A `.keras` as any writer might write it."""
    return Zip([part(name, data, method, flags) for name, data in PLAIN.items()])


def refusals_of(data: bytes) -> list[tuple[str, str]]:
    """The kinds and places of what is refused."""
    return [(refusal.kind, refusal.place) for refusal in Archive(Memory(data)).refusals]


def changed(number: int, change: Callable[[Part], Part], flags: int = 0, method: int = STORED) -> bytes:
    """An archive with one member changed."""
    zipped = archive(method, flags)
    zipped.parts[number] = change(zipped.parts[number])
    return zipped.packed()


def longer(record: Any, *numbers: int) -> Any:
    """A record whose sizes stand in a zip64 field."""
    return replace(record, packed=LONG, size=LONG, extra=zip64_extra(*numbers))


def in_zip64(part: Part) -> Part:
    """A member whose header has its sizes in a zip64 field, as Keras writes every one."""
    return replace(part, local=longer(part.local, part.entry.size, part.entry.packed))


HONEST: dict[str, Callable[[], bytes]] = {
    "stored": lambda: archive().packed(),
    "deflated": lambda: archive(DEFLATED).packed(),
    "streamed": lambda: archive(STORED, STREAMED).packed(),
    "streamed and deflated": lambda: archive(DEFLATED, STREAMED).packed(),
    "a descriptor without a mark": lambda: changed(
        0, lambda part: replace(part, behind=descriptor(part.entry, b"")), STREAMED, DEFLATED
    ),
    "a long descriptor": lambda: changed(
        0,
        lambda part: replace(part, local=longer(part.local, 0, 0), behind=descriptor(part.entry, form="<I2Q")),
        STREAMED,
        DEFLATED,
    ),
    "sizes known and descriptors": lambda: changed(0, lambda part: replace(part, local=part.entry), STREAMED),
    "zip64 in headers": lambda: Zip([in_zip64(part) for part in archive().parts]).packed(),
    "zip64 at the end": lambda: Zip(archive().parts, Ending(zip64={})).packed(),
    "zip64 at the end alone": lambda: Zip(
        archive().parts,
        Ending(zip64={"plain_here": 0xFFFF, "plain_count": 0xFFFF, "plain_size": LONG, "plain_offset": LONG}),
    ).packed(),
    "a comment": lambda: Zip(archive().parts, Ending(comment=b"made by hand")).packed(),
    "zeros behind": lambda: Zip(archive().parts, Ending(behind=bytes(100))).packed(),
    "directories": lambda: Zip([part("assets/", b""), *archive().parts, part("assets/words.txt", b"x")]).packed(),
    "times and owners": lambda: changed(
        1, lambda part: replace(part, local=replace(part.local, extra=b"UT\x05\0\x03abcdux\x0b\0\x01\x04" + bytes(9)))
    ),
    "a second name that is the first": lambda: changed(
        1, lambda part: replace(part, entry=replace(part.entry, extra=unicode_path("config.json", b"config.json")))
    ),
    "a field with the letters up": lambda: changed(
        1, lambda part: replace(part, entry=replace(part.entry, extra=b"xx\x04\0upup"))
    ),
    "no member": lambda: Zip().packed(),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_archives(name: str) -> None:
    """Archives of honest writers have no refusals, and zipfile reads the same from them."""
    data = HONEST[name]()
    assert refusals_of(data) == []
    with zipfile.ZipFile(io.BytesIO(data)) as theirs:
        ours = Archive(Memory(data))
        for info in theirs.infolist():
            if not info.is_dir():
                assert ours.read(info.filename, 1 << 20) == theirs.read(info)
                ours.check(ours.member(info.filename))


class Stream(io.RawIOBase):
    """An output that cannot go back, as a pipe."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, piece: Any) -> int:
        """Takes a piece."""
        self.data += piece
        return len(piece)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("target", [io.BytesIO, Stream])
def test_archives_of_python(method: int, force: bool, target: Callable[[], Any]) -> None:
    """Archives that zipfile writes have no refusals."""
    out = target()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in {**PLAIN, "assets/wörter.txt": b"x"}.items():
            with archive.open(name, "w", force_zip64=force) as member:
                member.write(data)
        archive.comment = b"a comment"
    assert refusals_of(bytes(out.data if isinstance(out, Stream) else out.getvalue())) == []


@pytest.mark.parametrize("command", [["zip", "-q", "-r"], ["zip", "-q", "-r", "-fz"], ["jar", "cMf"], ["jar", "cM0f"]])
def test_archives_of_other_programs(command: list[str], tmp_path: Path) -> None:
    """Archives of Info-ZIP and Java, where these are installed, have no refusals."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    (tmp_path / "model/assets").mkdir(parents=True)
    for name, data in {**PLAIN, "assets/wörter.txt": b"x" * 100}.items():
        (tmp_path / "model" / name).write_bytes(data)
    subprocess.run([*command, "../model.keras", "."], cwd=tmp_path / "model", check=True)
    names = [kind for kind, _ in refusals_of((tmp_path / "model.keras").read_bytes())]
    assert names == []


def sizes(record: Any, **more: int) -> Any:
    """A record with other numbers."""
    return replace(record, **more)


ODD: dict[str, Callable[[], bytes]] = {
    "another checksum before it": lambda: changed(0, lambda part: replace(part, local=sizes(part.local, crc=7))),
    "another size before it": lambda: changed(0, lambda part: replace(part, local=sizes(part.local, packed=7))),
    "another checksum though streamed": lambda: changed(
        0, lambda part: replace(part, local=sizes(part.local, crc=7)), STREAMED
    ),
    "another size though streamed": lambda: changed(
        0, lambda part: replace(part, local=sizes(part.local, packed=7, size=7)), STREAMED
    ),
    "another size in zip64": lambda: changed(0, lambda part: replace(part, local=longer(part.local, 7, 7))),
    "another way to read it": lambda: changed(0, lambda part: replace(part, local=sizes(part.local, method=DEFLATED))),
    "encrypted to some": lambda: changed(0, lambda part: replace(part, local=sizes(part.local, flags=1))),
    "another name": lambda: changed(0, lambda part: replace(part, local=replace(part.local, name=b"metadata.jsoN"))),
    "a name in another alphabet": lambda: Zip(
        [
            *archive().parts,
            replace(part("assets/ö", b"x"), local=replace(part("assets/ö", b"x").local, flags=0)),
        ]
    ).packed(),
    "another descriptor": lambda: changed(
        0, lambda part: replace(part, behind=descriptor(sizes(part.entry, crc=1))), STREAMED
    ),
    "no descriptor": lambda: changed(0, lambda part: replace(part, behind=b""), STREAMED),
    "two zip64 fields": lambda: changed(
        0,
        lambda part: replace(
            part, local=replace(in_zip64(part).local, extra=in_zip64(part).local.extra + zip64_extra(5, 5))
        ),
    ),
    "a zip64 field that is not needed": lambda: changed(
        0, lambda part: replace(part, entry=replace(part.entry, extra=zip64_extra(5, 5)))
    ),
    "a second name": lambda: changed(
        0, lambda part: replace(part, entry=replace(part.entry, extra=unicode_path("config.json", part.entry.name)))
    ),
    "a second name before it": lambda: changed(
        0, lambda part: replace(part, local=replace(part.local, extra=unicode_path("config.json", part.entry.name)))
    ),
    "a member twice": lambda: Zip([*archive().parts, part("config.json", b"{}")]).packed(),
    "a step in place": lambda: Zip([*archive().parts, part("assets/./a", b""), part("assets/a", b"")]).packed(),
    "two slashes": lambda: Zip([*archive().parts, part("assets//a", b""), part("assets/a", b"")]).packed(),
    "a dot at the end": lambda: Zip([*archive().parts, part("config.json.", b"{}")]).packed(),
    "a backslash": lambda: Zip([*archive().parts, part("assets\\a", b"{}"), part("assets/a", b"")]).packed(),
    "a member in a gap": lambda: changed(
        1, lambda parts: replace(parts, gap=Zip([part("config.json", b"{}")]).packed()[: 30 + 11 + 2])
    ),
    "an archive before it": lambda: Zip(archive().parts, prefix=archive().packed()).packed(),
    "an archive as the comment": lambda: Zip(archive().parts, Ending(comment=Zip([part("a", b"")]).packed())).packed(),
    "an end record behind the end": lambda: Zip(
        archive().parts, Ending(behind=Zip([part("a", b"")]).packed())
    ).packed(),
    "more members than listed": lambda: Zip(archive().parts, Ending(counts=(2, 2))).packed(),
    "other numbers in zip64": lambda: Zip(
        archive().parts, Ending(zip64={"count": 3, "plain_count": 2, "plain_here": 2})
    ).packed(),
    "a locator that points elsewhere": lambda: Zip(archive().parts, Ending(zip64={"place": 4})).packed(),
    "a longer zip64 record": lambda: Zip(archive().parts, Ending(zip64={"length": 100})).packed(),
}


@pytest.mark.parametrize("name", ODD)
def test_archives_that_readers_see_differently(name: str) -> None:
    """Any fact that one record states and another does not is refused as ambiguous."""
    assert "ambiguous" in {kind for kind, _ in refusals_of(ODD[name]())}


def test_two_directories() -> None:
    """Offsets count from the end of what stands before the archive, or from the start of the file; a directory stands
    at both places."""
    plain = archive().packed()
    start = plain.index(b"PK\1\2")
    before = bytes(start) + plain[start:]
    assert zipfile.ZipFile(io.BytesIO(before + plain)).read("config.json") == CONFIG
    details = [refusal.detail for refusal in Archive(Memory(before + plain)).refusals]
    assert any("two directories" in detail for detail in details)


def test_streamed_member_that_ends_within() -> None:
    """A reader of a member of unknown size up to its descriptor stops at the first that fits."""
    inner = b"{}" + descriptor(sizes(part("x", b"{}").entry))
    zipped = Zip([*archive().parts, part("assets/a", inner + b"rest", STORED, STREAMED)])
    assert refusals_of(zipped.packed()) == [("ambiguous", "assets/a")]
    known = part("assets/a", inner + b"rest", STORED, STREAMED)
    assert refusals_of(Zip([*archive().parts, replace(known, local=known.entry)]).packed()) == []


def test_deflated_member_that_ends_early() -> None:
    """Bytes behind the end of what is compressed belong to a member for who goes by the directory only."""

    def with_more(part: Part) -> Part:
        record = replace(part.entry, packed=part.entry.packed + 5)
        return replace(part, local=record, entry=record, data=part.data + b"extra")

    for number, name in enumerate(PLAIN):
        archive = Archive(Memory(changed(number, with_more, method=DEFLATED)))
        with pytest.raises(UnsafeFileError, match="ends before"):
            archive.read(name, 1 << 20)
        with pytest.raises(UnsafeFileError, match="ends before"):
            archive.check(archive.member(name))


def test_round_trip_of_flags() -> None:
    """A name in UTF-8 that both records call so is one name."""
    zipped = Zip([*archive().parts, part("assets/ö", b"x")])
    assert zipped.parts[-1].entry.flags == UTF_8
    assert refusals_of(zipped.packed()) == []


def test_ambiguous_archive_is_listed_with_a_warning(tmp_path: Path) -> None:
    """An archive that readers see differently is listed, and says so."""
    path = tmp_path / "m.keras"
    path.write_bytes(ODD["another checksum before it"]())
    with ckpttool.open(path) as checkpoint:
        assert len(checkpoint) > 0
        assert {refusal.kind for refusal in checkpoint.refusals} == {"ambiguous"}
