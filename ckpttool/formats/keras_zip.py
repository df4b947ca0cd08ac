"""The `.keras` format: a zip or a directory of `config.json`, `metadata.json` and `model.weights.h5` (or `.npz`).

(`_save_model_to_fileobj` and `_save_model_to_dir`, keras/src/saving/saving_lib.py, 3.15.) The weights member is stored
uncompressed and read in place; a deflated one is legal and inflated on the way.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ckpttool.checkpoint import Checkpoint, Producer, Refusal
from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError, UnknownFormatError, UnsafeFileError
from ckpttool.formats import foreign, weights_h5
from ckpttool.formats.archive import Archive, Member
from ckpttool.formats.builder import Parts
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5_input import Hdf5Input
from ckpttool.io import json_text
from ckpttool.io.budget import Budget
from ckpttool.io.sources import FileSource, Source

CONFIG, METADATA = "config.json", "metadata.json"
WEIGHTS_H5, WEIGHTS_NPZ = WEIGHTS = ("model.weights.h5", "model.weights.npz")  # the first that is there is read
CHECKED_AT_ONCE = 32 << 20  # a weights member up to this size is compared with its CRC when it is opened


def is_archive(archive: Archive) -> bool:
    """Whether an archive has the members of a `.keras`."""
    return any(name in archive for name in (CONFIG, METADATA, *WEIGHTS))


def read_archive(source: FileSource, archive: Archive) -> Checkpoint:
    """The checkpoint in a zip archive."""
    with Parts(
        source.budget, files=list(archive.infos), refusals=list(archive.refusals), closers=[source.close]
    ) as parts:
        _read_documents(parts, lambda name: _small_member(archive, name, parts))
        present = [name for name in WEIGHTS if name in archive]
        if not present:
            raise _without_weights(archive)
        if not archive.is_file(present[0]):
            raise UnsafeFileError(f"{present[0]} is a symbolic link or device, not a file", kind="archive")
        _read_member(parts, source, archive, archive.member(present[0]))
    for name in present[1:]:
        parts.refuse("ambiguous", name, f"weights twice in one archive; {present[0]} is read, as Keras does")
    return parts.checkpoint(source.path, "keras-zip", source.size)


def _without_weights(archive: Archive) -> UnknownFormatError:
    return UnknownFormatError(
        "is a zip archive without weights",
        expected=f"a member {WEIGHTS_H5}",
        found=", ".join(list(archive.infos)[:5]) or "no member at all",
        hint="save it again with model.save('NAME.keras')",
        kind="missing",
    )


def is_directory(path: Path) -> bool:
    """Whether a directory has the weights of an unzipped `.keras`."""
    return any((path / name).exists() for name in WEIGHTS)


def read_directory(path: Path) -> Checkpoint:
    """The checkpoint in an unzipped `.keras`."""
    budget = Budget(_size_of(path))
    with Parts(budget, files=sorted(entry.name for entry in os.scandir(path))) as parts:
        _read_documents(parts, lambda name: parts.small_file(path / name))
        name, *others = [name for name in WEIGHTS if (path / name).exists()]
        for other in others:
            parts.refuse("ambiguous", other, f"weights twice in one directory; {name} is read, as Keras does")
        if (path / name).is_symlink():
            raise FileAccessError("is a symbolic link, which is not followed", path=str(path / name))
        source = FileSource(path / name, budget)
        parts.closers.append(source.close)
        _read_weights(parts, name, lambda: Hdf5Input.of_file(source, parts), source)
    return parts.checkpoint(path, "keras-dir", _size_of(path))


def _size_of(path: Path) -> int:
    return sum(
        entry.stat(follow_symlinks=False).st_size for entry in os.scandir(path) if entry.is_file(follow_symlinks=False)
    )


def _read_documents(parts: Parts, read: Callable[[str], bytes | None]) -> None:
    """Read the two JSON documents; a missing or unreadable one is refused, the weights are listed all the same."""
    metadata = parts.json(read(METADATA), METADATA)
    parts.producer = _producer(metadata, parts)
    raw, before = read(CONFIG), len(parts.refusals)
    config = parts.json(raw, CONFIG)
    if isinstance(config, dict):
        parts.config, parts.training_config = config, config.get("compile_config")
    elif raw is not None and len(parts.refusals) == before:
        parts.refuse("corrupt", CONFIG, f"a {type(config).__name__} where the config of a model should be")


def _producer(metadata: Any, parts: Parts) -> Producer:
    if not isinstance(metadata, dict):
        return Producer()
    known = {key: metadata.get(key) for key in ("keras_version", "date_saved")}
    for key, value in known.items():
        if value is not None and (not isinstance(value, str) or not value.isprintable() or len(value) > 100):
            kind = "name" if isinstance(value, str) else "corrupt"
            parts.refuse(kind, METADATA, f"{key} is no such thing: {str(value)[:100]!r}")
    version, date = (value if isinstance(value, str) else None for value in known.values())
    return Producer(keras_version=version, date_saved=date)


def _small_member(archive: Archive, name: str, parts: Parts) -> bytes | None:
    if name not in archive:
        parts.refuse("missing", name, "missing")
        return None
    try:
        return archive.read(name, json_text.MAX_BYTES)
    except CorruptFileError:
        raise
    except CheckpointError as error:
        if archive.infos[name].flag_bits & 0x1:
            raise
        parts.refusals.append(Refusal.from_error(error, name))
        return None


def _read_member(parts: Parts, file: FileSource, archive: Archive, member: Member) -> None:
    source = archive.source(member)
    reader = ChunkReader(file.path, member.start, member.packed, member.size if member.deflated else -1)
    _read_weights(parts, member.name, lambda: Hdf5Input.of_source(source, reader, parts), source)
    if member.size <= CHECKED_AT_ONCE:
        archive.check(member)
    else:
        parts.check_bytes = lambda: archive.check(member)


def _read_weights(parts: Parts, name: str, hdf5: Callable[[], Hdf5Input], source: Source) -> None:
    """Add the weights of the weights member, which errors then name."""
    try:
        if name == WEIGHTS_NPZ:
            if not source.size or source.read(0, min(2, source.size)) != b"PK":
                raise foreign.describe(source)
            from ckpttool.formats import npz  # which few models have

            npz.read(parts, source)
            return
        hdf5_input = hdf5()
        if not weights_h5.matches(hdf5_input.tree):
            parts.notes.append(f"{name} holds no weights in Keras's path layout")
        weights_h5.read(hdf5_input)
    except CheckpointError as error:
        raise error.at(where=name) from error.__cause__
