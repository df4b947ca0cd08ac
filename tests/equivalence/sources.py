"""All checkpoints here that `convert` brings into Keras 3, with the architectures of those that are weights alone."""

import gzip
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.conversion import convert
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from tests.comparison.checkpoints import Memory
from tests.corpus import CORPUS, CORPUS_2, FIELD
from tests.samples import FIXTURES

SUFFIXES = (".h5", ".hdf5", ".hd5", ".keras")
FOLDERS = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir() and path.name not in ("broken", "recipes"))
CORPORA = {"corpus": CORPUS / "files", "corpus_2": CORPUS_2 / "files", "field": FIELD}

_WEIGHTS = ("_weights.h5", "_weights.hdf5", ".weights.h5", ".h5", ".hdf5")
_ARCHITECTURES = (".json", ".yaml", ".architecture.json", ".arch.json", ".h5", ".keras")


@dataclass(frozen=True)
class Pair:
    """A checkpoint, what `convert` made of it, and the architecture that it needed."""

    source: Path
    target: Path
    arch: Path | None

    def __str__(self) -> str:
        return f"{self.source.parent.name}/{self.source.name}"


def unpacked(folder: Path, scratch: Path) -> Path:
    """A folder with the files in its archives beside the others, which stay where they are."""
    for path in folder.glob("*.h5.gz"):
        (scratch / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    for path in folder.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(scratch / path.stem)
    return scratch


def architecture(path: Path) -> Path | None:
    """The file beside some weights that describes their model."""
    stems = (path.name.removesuffix(suffix) for suffix in _WEIGHTS if path.name.endswith(suffix))
    beside = (path.with_name(stem + suffix) for stem in stems for suffix in _ARCHITECTURES)
    return next((candidate for candidate in beside if candidate.exists() and candidate != path), None)


def conversions(folder: Path, scratch: Path, suffix: str = ".keras") -> Iterator[Pair]:
    """The checkpoints in a folder that convert, each with what was made of it."""
    paths = [*folder.rglob("*"), *unpacked(folder, scratch).rglob("*")]
    for at, source in enumerate(sorted(path for path in paths if path.is_file() and path.name.endswith(SUFFIXES))):
        target = scratch / f"converted_{at}{suffix}"
        for arch in (None, architecture(source)):
            try:
                result = convert(source, target, arch=arch)
            except CheckpointError:
                continue
            lends = arch is not None and any(applied.edit.name == "write-vocabulary" for applied in result.edits)
            # What is lost of a file of today is a difference, and so are words that another file lends.
            if not lends and not (result.writer == "Keras 3" and result.losses):
                yield Pair(source, target, arch)
            break


def opened(path: Path) -> Checkpoint:
    """A checkpoint with its values in memory, so that it can be changed."""
    with open_checkpoint(path) as checkpoint:
        readable = {
            name: in_memory(weight, weight.read()) for name, weight in checkpoint.items() if _is_readable(weight)
        }
        return replace(checkpoint, weights={**checkpoint.weights, **readable}, release=None, check_bytes=None)


def in_memory(weight: Weight, values: Any) -> Weight:
    """A weight with these values."""
    return replace(weight, values=Memory(values.astype(weight.dtype).tobytes()), big_endian=False)


def _is_readable(weight: Weight) -> bool:
    return weight.dtype in ("float32", "float64", "int32", "int64", "float16")
