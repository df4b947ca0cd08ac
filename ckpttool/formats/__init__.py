"""Every checkpoint format that ckpttool reads, and the one way to open any of them.

Bytes decide what a file is. A suffix that says something else is noted, never believed.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ckpttool.checkpoint import Checkpoint, Refusal
from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError, UnsafeFileError
from ckpttool.formats import foreign
from ckpttool.formats.hdf5.signature import find_signature
from ckpttool.formats.tensorflow.places import (
    checkpoint_in,
    index_of,
    is_index,
    is_saved_model,
    orphan,
    saved_model_of,
)
from ckpttool.formats.tensorflow.state_file import missing_newest
from ckpttool.io import scalars
from ckpttool.io.sources import FileSource, access_error
from ckpttool.kinds import FORMATS

_H5_SUFFIXES = (".h5", ".hdf5", ".hd5", ".he5", ".hdf")


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The checkpoint at `path`, close it when done: a file, the directory of an unzipped `.keras`, or any name of a
    checkpoint of TensorFlow: its prefix, its index, a shard, the directory that it is the newest of.

    Reads names, shapes and configs, and no array. Raises a `CheckpointError` that names the path.
    """
    place = Path(os.fspath(path))
    try:
        if place.is_dir():
            return _open_directory(place)
        folder = saved_model_of(place)
        if folder is not None:
            return _read_saved_model(folder)
        checkpoint = _open_file(index_of(place) or place)
        note = suffix_note(checkpoint.path.name, checkpoint.kind)
        return replace(checkpoint, notes=(note, *checkpoint.notes)) if note else checkpoint
    except CheckpointError as error:
        raise error.at(path=str(place)) from error.__cause__
    except ValueError as error:  # an embedded NUL in the path
        raise FileAccessError("is not a valid path", path=str(place)) from error
    except OSError as error:  # such as a name that is too long to be one
        raise access_error(str(place), error) from error


def _open_directory(path: Path) -> Checkpoint:
    from ckpttool.formats import keras_zip

    if _is_unzipped(path):
        return keras_zip.read_directory(path)
    folder = saved_model_of(path)
    if folder is not None:
        return _read_saved_model(folder)
    index = checkpoint_in(path)
    if index is not None:
        return _noting_newest(_open_file(index), missing_newest(path))
    raise describe_directory(path)


def _noting_newest(checkpoint: Checkpoint, newest: str) -> Checkpoint:
    """A checkpoint that is the only one in its directory, whose state file may name another one."""
    note = f"the newest checkpoint of its directory, {newest}, is missing; this is the only one"
    return replace(checkpoint, notes=(note, *checkpoint.notes)) if newest else checkpoint


def describe_directory(path: Path) -> CheckpointError:
    """The error for a directory that is no checkpoint."""
    from ckpttool.formats import foreign_directories

    inside = next((entry.name for entry in checkpoints_in(path) if not is_index(entry)), "")
    return foreign_directories.describe(path, inside)


def _open_file(path: Path) -> Checkpoint:
    source = FileSource(path)
    try:
        return _read_content(source)
    except (CorruptFileError, UnsafeFileError) as error:
        source.close()
        damage = _damage_of_transfer(path)  # which explains what is wrong further in
        if damage is None:
            raise
        raise damage from error
    except BaseException:
        source.close()
        raise


def _damage_of_transfer(path: Path) -> CheckpointError | None:
    with FileSource(path) as source:
        return foreign.damage_of_transfer(source)


def _read_content(source: FileSource) -> Checkpoint:
    head = source.read(0, min(16, source.size))
    at = find_signature(source)
    if at >= 0 and not _is_member(source, at):
        return _read_hdf5(source)
    if _ends_like_zip(source):
        checkpoint = _read_zip(source)
        return checkpoint if at < 0 or _named(source.path, ".keras") else _also_hdf5(checkpoint)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" or _named(source.path, "weights.json"):
        return _read_json(source)
    from ckpttool.formats.tensorflow.table import is_table  # here, since other formats are recognised before

    if is_table(source):
        return _read_tensorflow(source)
    raise orphan(Path(source.path)) or foreign.describe(source)


def _read_saved_model(directory: Path) -> Checkpoint:
    from ckpttool.formats.tensorflow import saved_model

    return saved_model.read(directory)


def _read_tensorflow(source: FileSource) -> Checkpoint:
    from ckpttool.formats.tensorflow import checkpoint

    return checkpoint.read(source)


def _read_hdf5(source: FileSource) -> Checkpoint:
    from ckpttool.formats import hdf5_layouts

    return hdf5_layouts.read(source, also_zip=_ends_like_zip(source))


def _is_member(source: FileSource, at: int) -> bool:
    """Whether the HDF5 signature that stands at an offset is that of a stored member of an archive, which happens to
    begin where HDF5 looks for one."""
    if at == 0 or source.read(0, 4) != b"PK\x03\x04" or not _ends_like_zip(source):
        return False
    from ckpttool.formats.archive import Archive  # here, since most files of HDF5 are no archives

    try:
        archive = Archive(source)
        return any(archive.member(name).start == at for name in archive.infos)
    except CheckpointError:
        return False


def _also_hdf5(archive: Checkpoint) -> Checkpoint:
    """An archive that readers of HDF5 open at its member, as Keras does unless its name ends in .keras."""
    refusal = Refusal("ambiguous", "", "is a zip archive and an HDF5 file at once; the archive is read")
    return replace(archive, refusals=(*archive.refusals, refusal))


def _read_zip(source: FileSource) -> Checkpoint:
    from ckpttool.formats import keras_zip
    from ckpttool.formats.archive import Archive

    archive = Archive(source)
    if not keras_zip.is_archive(archive):
        raise foreign.describe_zip(list(archive.infos))
    return keras_zip.read_archive(source, archive)


def _read_json(source: FileSource) -> Checkpoint:
    from ckpttool.formats import shards

    if not _named(source.path, "weights.json") and b'"weight_map"' not in source.read(0, min(source.size, 1 << 20)):
        raise foreign.describe(source)
    return shards.read(source)


def _named(path: str, suffix: str) -> bool:
    return path.lower().endswith(suffix)


def _ends_like_zip(source: FileSource) -> bool:
    """Whether the end record of a zip archive stands at the end, as zipfile looks for it."""
    tail = min(source.size, 65_557)
    return b"PK\x05\x06" in source.read(source.size - tail, tail)


def suffix_note(name: str, kind: str) -> str:
    """The note for a file whose suffix promises another format than its content has; empty where they agree."""
    name, form = name.lower(), FORMATS[kind]
    expected = form.suffixes
    if not expected or name.endswith(expected):
        promised_weights = name.endswith(".weights.h5") and form.is_legacy
        return _mismatch(".weights.h5", kind) if promised_weights else ""
    if (form.is_legacy or form.is_of_keras_0) and name.endswith(_H5_SUFFIXES):
        return ""
    return _mismatch(os.path.splitext(name)[1] or "no suffix", kind)


def _mismatch(suffix: str, kind: str) -> str:
    return f"the name says {suffix}, the content is: {FORMATS[kind].title}"


def is_directory_of_checkpoints(path: Path) -> bool:
    """Whether a path is a directory to look into, and no checkpoint itself."""
    try:
        return path.is_dir() and not (_is_unzipped(path) or _is_one_checkpoint(path) or saved_model_of(path))
    except (OSError, ValueError):
        return False


def _is_one_checkpoint(directory: Path) -> bool:
    """Whether the only checkpoint in a directory is one of TensorFlow."""
    paths = list(islice(checkpoints_in(directory), 2))
    return len(paths) == 1 and is_index(paths[0])


def _is_unzipped(path: Path) -> bool:
    from ckpttool.formats import keras_zip

    return keras_zip.is_directory(path)


def checkpoints_in(directory: Path) -> Iterator[Path]:
    """The paths directly in a directory that may be checkpoints, by name; the shards of an index are left out."""
    entries = sorted(directory.iterdir(), key=lambda path: path.name)
    for path in entries:
        if path.is_dir():
            if _is_unzipped(path) or is_saved_model(path):
                yield path
        elif foreign.is_regular(path) and _may_be(path, directory):
            yield path


def _may_be(path: Path, directory: Path) -> bool:
    name = path.name.lower()
    if name.endswith(".weights.h5") and _index_of(path, directory):
        return False
    return name.endswith((".keras", ".weights.json", *_H5_SUFFIXES)) or is_index(path)


def _index_of(shard: Path, directory: Path) -> bool:
    """Whether a file is a shard `NAME_00000.weights.h5` of an index `NAME.weights.json` beside it."""
    stem, _, number = shard.name[: -len(".weights.h5")].rpartition("_")
    return scalars.digits(number) is not None and len(number) == 5 and (directory / f"{stem}.weights.json").exists()


__all__ = [
    "FORMATS",
    "checkpoints_in",
    "describe_directory",
    "is_directory_of_checkpoints",
    "open_checkpoint",
    "suffix_note",
]
