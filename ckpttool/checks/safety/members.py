"""Members of an archive or directory beside config and weights, judged by their first bytes, and archive bombs."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.safety.refusals import ARCHIVE_PATH, BOMB, PROGRAM
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError
from ckpttool.formats.archive import EXECUTABLE, MAX_MEMBERS, MAX_RATIO, Archive
from ckpttool.formats.foreign import ARCHIVES, BINARY_PICKLE
from ckpttool.formats.keras_zip import CONFIG, METADATA, WEIGHTS
from ckpttool.io import json_text
from ckpttool.io.sources import FileSource

NESTED_ARCHIVE = Rule(
    code="S304",
    name="nested-archive",
    family="safety",
    severity=Severity.ERROR,
    finds="An archive or compressed file inside the checkpoint.",
    why="Scanners do not look into it, and unpacking it may take far more room than it has.",
    remedy="Unpack it where it is made, and put the files themselves among the assets.",
)

POLYGLOT = Rule(
    code="S306",
    name="polyglot",
    family="safety",
    severity=Severity.WARNING,
    finds="A checkpoint that is a program, page or document to other tools, by its first bytes.",
    why="Whoever opens or runs the file with another tool gets something else than weights.",
    remedy="Have it saved again by Keras, which writes nothing before the weights.",
)

RULES = (NESTED_ARCHIVE, POLYGLOT)

MAX_INFLATED = 256 << 20  # bytes of a member that may be compressed at any ratio
_OWN = frozenset({CONFIG, METADATA, *WEIGHTS})
_HEAD = 512  # bytes: the mark of a tar archive is at 257, those of all other kinds are at the beginning

_PROGRAMS = (
    ("a program or library of Linux", (b"\x7fELF",)),
    ("a program or library of macOS", (b"\xcf\xfa\xed\xfe",)),
    ("a program or library of macOS or Java", (b"\xca\xfe\xba\xbe",)),
    ("a script", (b"#!",)),
    ("a pickle", BINARY_PICKLE),
)
_ARCHIVES = (("a zip archive", (b"PK\x03\x04",)), *(archive[:2] for archive in ARCHIVES))
_PAGES = (("a PDF document", (b"%pdf",)), ("an HTML page", (b"<!doctype html", b"<html")))


def members(subject: Subject) -> Iterator[Finding]:
    """Programs, pickles and archives among the members, and members that inflate out of all proportion."""
    if subject.checkpoint is not None and subject.checkpoint.format.is_directory:
        yield from cap_findings(_in_directory(subject.path))
    elif subject.checkpoint is None or subject.checkpoint.format.is_archive:
        yield from cap_findings(_in_archive(subject.path))


def polyglots(subject: Subject) -> Iterator[Finding]:
    """The other kind of file that a checkpoint is by its first bytes: a program, a document or a page.

    A script before an archive does not count: a zip archive may have one, as the programs that `zipapp` packs.
    """
    if subject.checkpoint is None or subject.checkpoint.format.is_directory:
        return
    head = _head_of(subject.path)
    kind = _kind_of_content(head, _PROGRAMS[:3]) or _kind_of_content(head.lower(), _PAGES) or _windows_program(head)
    if kind:
        yield Finding(POLYGLOT, "", f"begins as {kind} does")


def config_in(path: Path) -> Any:
    """The config of an archive or directory, whatever JSON it is; None where there is none that can be read."""
    opened = _opened(path)
    if opened is None:
        return _parsed(_head_of(path / CONFIG, json_text.MAX_BYTES)) if os.path.isdir(path) else None
    source, archive = opened
    with source:
        try:
            return _parsed(archive.read(CONFIG, json_text.MAX_BYTES)) if CONFIG in archive else None
        except CheckpointError:
            return None


def _parsed(raw: bytes) -> Any:
    try:
        return json_text.parse(raw, CONFIG).value
    except CheckpointError:
        return None


def _opened(path: Path) -> tuple[FileSource, Archive] | None:
    """The archive at a path and the open file it is in, None where it is none."""
    try:
        source = FileSource(path)
    except (CheckpointError, ValueError):
        return None
    try:
        if source.read(0, min(source.size, 2)) == b"PK":
            return source, Archive(source)
    except CheckpointError:
        pass
    source.close()
    return None


def _in_archive(path: Path) -> Iterator[Finding]:
    opened = _opened(path)
    if opened is None:
        return
    source, archive = opened
    with source:
        for name in list(archive.infos)[:MAX_MEMBERS]:
            yield from _proportions(archive, name)
            if name not in _OWN and not name.endswith("/"):
                yield from _content(name, _start_of(archive, name))


def _proportions(archive: Archive, name: str) -> Iterator[Finding]:
    info = archive.infos[name]
    if info.file_size > MAX_INFLATED and info.file_size > MAX_RATIO * info.compress_size:
        yield Finding(BOMB, name, f"inflates to {info.file_size:,} bytes from {info.compress_size:,}")


def _start_of(archive: Archive, name: str) -> bytes:
    try:
        source = archive.source(archive.member(name))
        return source.read(0, min(_HEAD, source.size))
    except CheckpointError:
        return b""  # the reader of the archive reports the damage


def _content(name: str, head: bytes) -> Iterator[Finding]:
    """The findings in the first bytes of a member; the reader of the archive reports names of programs."""
    program = _kind_of_content(head, _PROGRAMS) or _windows_program(head)
    if program and not name.lower().endswith(EXECUTABLE):
        yield Finding(PROGRAM, name, f"begins as {program} does")
    nested = _kind_of_content(head, _ARCHIVES) or ("a tar archive" if head[257:262] == b"ustar" else "")
    if nested:
        yield Finding(NESTED_ARCHIVE, name, f"is {nested}")


def _kind_of_content(head: bytes, table: Sequence[tuple[str, tuple[bytes, ...]]]) -> str:
    return next((kind for kind, starts in table if head.startswith(starts)), "")


def _windows_program(head: bytes) -> str:
    """The kind of a program of Windows, else empty. Zeros early in its header tell it from a text beginning with MZ."""
    return "a program of Windows" if head.startswith(b"MZ") and b"\0" in head[:16] else ""


def _in_directory(folder: Path) -> Iterator[Finding]:
    count = 0
    for at, folders, files in os.walk(folder):  # links to directories are not followed
        for file in sorted([*files, *(name for name in folders if Path(at, name).is_symlink())]):
            path = Path(at, file)
            name = path.relative_to(folder).as_posix()
            count += 1
            if count > MAX_MEMBERS:
                yield Finding(BOMB, "", f"more than {MAX_MEMBERS:,} files; the others were not looked at")
                return
            if path.is_symlink():
                yield Finding(ARCHIVE_PATH, name, "a symbolic link, not a file")
            elif name.lower().endswith(EXECUTABLE):
                yield Finding(PROGRAM, name, "a program or pickle, which no checkpoint needs")
            elif name not in _OWN:
                yield from _content(name, _head_of(path))


def _head_of(path: Path, size: int = _HEAD) -> bytes:
    try:
        with FileSource(path) as source:
            return source.read(0, min(size, source.size))
    except CheckpointError:
        return b""


CHECKS = (members, polyglots)
