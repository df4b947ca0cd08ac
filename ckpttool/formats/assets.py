"""The assets of a `.keras`: files that layers keep beside their weights, such as vocabularies."""

import os
from pathlib import Path

from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import UnsafeFileError
from ckpttool.files import FileSource
from ckpttool.formats.archive import Archive

FOLDER = "assets"
MAX_BYTES = 256 << 20  # of all assets
MAX_FILES = 10_000


def read_assets(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The assets of a checkpoint by their paths below `assets/`; none where its format has none.

    Raises CheckpointError for those that cannot be read, are links, or too many or too large to be read whole.
    """
    if checkpoint.kind == "keras-zip":
        return _in_archive(checkpoint.path)
    return _in_directory(checkpoint.path / FOLDER) if checkpoint.kind == "keras-dir" else {}


def _in_archive(path: Path) -> dict[str, bytes]:
    source = FileSource(path)
    try:
        archive = Archive(source)
        names = [name for name in archive.infos if name.startswith(f"{FOLDER}/") and not name.endswith("/")]
        found, left = dict[str, bytes](), MAX_BYTES
        for name in _counted(names):
            found[name.removeprefix(f"{FOLDER}/")] = raw = archive.read(name, left)
            left -= len(raw)
        return found
    finally:
        source.close()


def _in_directory(folder: Path) -> dict[str, bytes]:
    names = list[str]()
    for at, _, files in os.walk(folder):  # links to directories are not followed
        names += [os.path.relpath(os.path.join(at, name), folder) for name in files]
    found, left = dict[str, bytes](), MAX_BYTES
    for name in _counted(names):
        if (folder / name).is_symlink():
            raise UnsafeFileError("is a symbolic link, which is not followed", path=str(folder / name))
        source = FileSource(folder / name)
        try:
            if source.size > left:
                raise UnsafeFileError("assets are too large", path=str(folder), expected=f"{MAX_BYTES:,} bytes at most")
            found[Path(name).as_posix()] = source.read(0, source.size)
        finally:
            source.close()
        left -= len(found[Path(name).as_posix()])
    return found


def _counted(names: list[str]) -> list[str]:
    if len(names) > MAX_FILES:
        raise UnsafeFileError("too many assets", expected=f"{MAX_FILES:,} at most", found=f"{len(names):,}")
    return sorted(names)
