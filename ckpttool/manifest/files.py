"""A manifest and the files that it lists, in their directory."""

import functools
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.io import json_text
from ckpttool.io.budget import LEAST_STEPS, Budget
from ckpttool.io.replacement import replace_file
from ckpttool.io.sources import FileSource
from ckpttool.manifest.json import MAX_EPOCHS, MAX_SAVED, NAME, VERSION, as_json, epoch_as_json, manifest_of
from ckpttool.manifest.values import Manifest, Saved, State, bests

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Record:
    """An entry, whether it is the best of its series, and the damage of its file, empty where it is unaltered."""

    saved: Saved
    best: bool
    damage: str

    __repr__ = brief


_BUDGET_FACTOR = 16  # times the budget of a checkpoint: after a long training a manifest has thousands of entries


def records(directory: str | os.PathLike[str], manifest: Manifest) -> tuple[Record, ...]:
    """The completely saved checkpoints of a directory, oldest first, each with the state of its file."""
    saved = recovered(directory, manifest).saved
    marked = {id(entry) for entry in bests(saved)}
    return tuple(Record(entry, id(entry) in marked, damage(directory, entry)) for entry in saved)


def read_manifest(directory: str | os.PathLike[str]) -> Manifest:
    """The manifest of a directory as stored, an empty one where there is none. Raises CheckpointError."""
    path = Path(directory) / NAME
    if not os.path.lexists(path):
        return Manifest()
    try:
        content = _content(path)
        return manifest_of(
            json_text.parse_unambiguous(content, NAME, Budget(len(content), _BUDGET_FACTOR * LEAST_STEPS))
        )
    except CheckpointError as error:
        raise error.at(path=str(path)) from error.__cause__


def _content(path: Path) -> bytes:
    with FileSource(path) as source:
        return json_text.read_whole(source, NAME)


def recovered(directory: str | os.PathLike[str], manifest: Manifest) -> Manifest:
    """The manifest with the entries that a killed run left WRITING, REPLACED or DELETING resolved by the files on disk.

    An entry left WRITING or REPLACED becomes complete if the file is as it says, and is dropped otherwise; an entry
    left DELETING is dropped. Of two entries for one file the later counts.
    """
    entries, digest = dict[str, Saved](), functools.cache(sha256_of)
    for entry in manifest.saved:
        is_open = entry.state in (State.WRITING, State.REPLACED)
        if entry.complete or (is_open and not damage(directory, entry, True, digest)):
            entries.pop(entry.file, None)  # so that the entry moves to the position of the later one
            entries[entry.file] = entry if entry.complete else replace(entry, state=State.COMPLETE)
    return replace(manifest, saved=tuple(entries.values()))


def write_manifest(directory: str | os.PathLike[str], manifest: Manifest, written_by: str) -> None:
    """Write the manifest of a directory, as a whole or not at all; of absurdly many entries or epochs, only the newest.

    Raises FileAccessError.
    """
    marked = {id(entry) for entry in bests(manifest.saved)}
    value = {
        "version": VERSION,
        "written_by": written_by,
        "checkpoints": [as_json(entry, id(entry) in marked) for entry in manifest.saved[-MAX_SAVED:]],
        "epochs": [epoch_as_json(epoch) for epoch in manifest.epochs[-MAX_EPOCHS:]],
    }
    text = json.dumps(value, indent=1, allow_nan=False)
    replace_file(Path(directory) / NAME, text.encode("ascii"))


def damage(
    directory: str | os.PathLike[str],
    entry: Saved,
    thorough: bool = False,
    digest: Callable[[Path], str] | None = None,
) -> str:
    """The damage of the file of an entry, empty where the file is as it was written.

    The checksum is computed where the file was modified since, or always if `thorough`; by `digest` where supplied.
    """
    path = Path(directory) / entry.file
    try:
        if any(part.is_symlink() for part in _path_and_parents(Path(directory), path)):
            return "a symbolic link, which is not followed"
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return "no regular file"
        if status.st_size != entry.size:
            return f"altered: {status.st_size:,} bytes instead of {entry.size:,}"
        if (thorough or status.st_mtime_ns != entry.mtime_ns) and (digest or sha256_of)(path) != entry.sha256:
            return "altered: another checksum"
    except FileNotFoundError:
        return MISSING
    except (OSError, CheckpointError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return ""


def _path_and_parents(directory: Path, path: Path) -> Iterator[Path]:
    """A path and its parents, up to the directory and without it."""
    while path != directory:
        yield path
        path = path.parent


def sha256_of(path: str | os.PathLike[str], progress: Callable[[int], object] = lambda nbytes: None) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    with FileSource(path) as source:
        for start in range(0, source.size, len(buffer)):
            part = buffer[: min(len(buffer), source.size - start)]
            source.fill(start, part)
            digest.update(part)
            progress(len(part))
    return digest.hexdigest()
