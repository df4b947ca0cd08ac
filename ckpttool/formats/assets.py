"""The assets of a `.keras` or a SavedModel: files that layers store beside their weights, such as vocabularies."""

import os
from collections.abc import Iterable
from pathlib import Path

from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import UnsafeFileError
from ckpttool.io.sources import FileSource

FOLDER = "assets"
MAX_BYTES = 256 << 20  # of all assets
MAX_FILES = 10_000
_DIRECTORIES = frozenset({"keras-dir", "saved-model"})


def read_assets(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The assets of a checkpoint by their paths below `assets/`; none where its format has none.

    Raises CheckpointError for those that cannot be read, are links, or too many or too large to be read whole.
    """
    if checkpoint.format.is_archive:
        return _in_archive(checkpoint.path)
    return _in_directory(checkpoint.path / FOLDER) if checkpoint.kind in _DIRECTORIES else {}


def asset_sizes(checkpoint: Checkpoint) -> dict[str, int]:
    """The size in bytes of each asset of a checkpoint, as the archive or the directory lists it; nothing is read.

    Raises CheckpointError for too many.
    """
    if checkpoint.kind in _DIRECTORIES:
        folder = checkpoint.path / FOLDER
        return {Path(name).as_posix(): (folder / name).lstat().st_size for name in _counted(_names_in(folder))}
    if checkpoint.kind != "keras-zip" or not any(name.startswith(f"{FOLDER}/") for name in checkpoint.files):
        return {}
    from ckpttool.formats.archive import Archive

    with FileSource(checkpoint.path) as source:
        infos = Archive(source).infos
        return {name.removeprefix(f"{FOLDER}/"): infos[name].file_size for name in _counted(_members(infos))}


def _members(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(f"{FOLDER}/") and not name.endswith("/")]


def _names_in(folder: Path) -> list[str]:
    """The files of a directory and of those in it; links to directories are not followed."""
    return [
        os.path.relpath(os.path.join(at, name), folder) for at, _, files in os.walk(folder) for name in sorted(files)
    ]


def _in_archive(path: Path) -> dict[str, bytes]:
    from ckpttool.formats.archive import Archive

    with FileSource(path) as source:
        archive = Archive(source)
        assets, left = dict[str, bytes](), MAX_BYTES
        for name in _counted(_members(archive.infos)):
            assets[name.removeprefix(f"{FOLDER}/")] = raw = archive.read(name, left)
            left -= len(raw)
        return assets


def _in_directory(folder: Path) -> dict[str, bytes]:
    assets, left = dict[str, bytes](), MAX_BYTES
    for name in _counted(_names_in(folder)):
        if (folder / name).is_symlink():
            raise UnsafeFileError("is a symbolic link, which is not followed", path=str(folder / name))
        with FileSource(folder / name) as source:
            if source.size > left:
                raise UnsafeFileError("assets are too large", path=str(folder), expected=f"{MAX_BYTES:,} bytes at most")
            assets[Path(name).as_posix()] = raw = source.read(0, source.size)
        left -= len(raw)
    return assets


def _counted(names: list[str]) -> list[str]:
    """The names in order. Raises UnsafeFileError for too many."""
    if len(names) > MAX_FILES:
        raise UnsafeFileError("too many assets", expected=f"{MAX_FILES:,} at most", found=f"{len(names):,}")
    return sorted(names)
