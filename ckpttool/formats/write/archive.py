"""The `.keras` format: a zip or a directory of `metadata.json`, `config.json`, `model.weights.h5` and assets.

As Keras 3.15 writes it (`_save_model_to_fileobj`, `_save_model_to_dir`, keras/src/saving/saving_lib.py): members are
stored uncompressed. All carry the first day of zip archives, so that equal models make equal files.
"""

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ckpttool.errors import UnsafeFileError
from ckpttool.formats.keras_zip import CONFIG, METADATA, WEIGHTS, WEIGHTS_H5
from ckpttool.formats.write.block_copy import Progress, copy, copy_with_crc, silent
from ckpttool.formats.write.hdf5 import Layout
from ckpttool.formats.write.path_layout import Content, file_layout
from ckpttool.io.replacement import replacing, replacing_entries

ASSETS = "assets"
DIRECTORY = (*WEIGHTS, CONFIG, METADATA, ASSETS)
"""The names in an unzipped `.keras`."""


@dataclass(frozen=True, slots=True)
class Model:
    """The content of a `.keras`. `config` and `metadata` are JSON values, `assets` have their paths below `assets/`."""

    config: Any
    metadata: Mapping[str, Any]
    content: Content
    assets: Mapping[str, bytes] = field(default_factory=dict)

    def documents(self) -> dict[str, bytes]:
        """The two JSON documents, by name."""
        return {METADATA: json.dumps(self.metadata).encode(), CONFIG: json.dumps(self.config).encode()}


def write_archive(path: str | os.PathLike[str], model: Model, on_progress: Progress = silent) -> None:
    """Write a `.keras`."""
    weights = file_layout(model.content)
    _check_assets(model.assets)
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, document in model.documents().items():
            archive.writestr(_member(name, len(document)), document)
        _stream(archive, file, weights, on_progress)
        for name, asset in model.assets.items():
            archive.writestr(_member(f"{ASSETS}/{name}", len(asset)), asset)


def _member(name: str, size: int) -> zipfile.ZipInfo:
    """The entry of a member, which is there for its owner, as `ZipFile.open` has it."""
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o600 << 16
    info.file_size = info.compress_size = size
    info.CRC = 0
    return info


def _stream(archive: zipfile.ZipFile, file: BinaryIO, weights: Layout, on_progress: Progress) -> None:
    """Add the weights to an archive, written past it: its own way in computes the CRC in the thread that writes."""
    info = _member(WEIGHTS_H5, weights.size)
    info.header_offset = archive.start_dir
    wide = weights.size > zipfile.ZIP64_LIMIT
    file.write(info.FileHeader(wide))
    info.CRC = copy_with_crc(weights.blocks(), file, on_progress)
    archive.start_dir = file.tell()
    file.seek(info.header_offset)
    file.write(info.FileHeader(wide))
    file.seek(archive.start_dir)
    archive.filelist.append(info)
    archive.NameToInfo[info.filename] = info


def write_directory(path: str | os.PathLike[str], model: Model, on_progress: Progress = silent) -> None:
    """Write the unzipped form of a `.keras`. In a directory that exists, files that are no part of it stay."""
    weights = file_layout(model.content)
    _check_assets(model.assets)
    with replacing_entries(path, DIRECTORY) as scratch:
        for name, document in model.documents().items():
            (scratch / name).write_bytes(document)
        with open(scratch / WEIGHTS_H5, "wb") as file:
            copy(weights.blocks(), file, on_progress)
        (scratch / ASSETS).mkdir()
        for name, asset in model.assets.items():
            (scratch / ASSETS / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / ASSETS / name).write_bytes(asset)


def _check_assets(assets: Mapping[str, bytes]) -> None:
    """Raise where the path of an asset could lead out of the checkpoint."""
    for name in assets:
        if Path(name).is_absolute() or any(char in name for char in "\\:\0") or {"", ".", ".."} & {*name.split("/")}:
            raise UnsafeFileError("an asset whose path leads elsewhere", where=name[:200])
