"""The forms of targets: chosen by the suffix of the name, checked, written and compared when they are read back."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.errors import FileAccessError, UnknownFormatError
from ckpttool.formats.write.archive import Model, write_archive, write_directory
from ckpttool.formats.write.block_copy import Progress
from ckpttool.formats.write.legacy import Layers, write_weights
from ckpttool.formats.write.path_layout import GIGABYTE, write_file, write_sharded
from ckpttool.io.replacement import destination, refuse_inputs, replacing_entries, replacing_whole

WHOLE, WEIGHTS = "keras", "weights-h5"
"""The form of a whole model, and that of weights alone in one file."""
DEFAULT_SHARD = 10 * GIGABYTE


class Form(NamedTuple):
    """A form of checkpoint: the suffixes of its names, its title, whether it is a whole model, with a config, and
    whether it is several files: the directory of an unzipped model, or shards beside an index."""

    suffixes: tuple[str, ...]
    title: str
    whole: bool = False
    is_directory: bool = False
    is_sharded: bool = False


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        WHOLE: Form((".keras",), "Keras model (.keras)", True),
        "keras-dir": Form((), "unzipped Keras model (directory)", True, is_directory=True),
        WEIGHTS: Form((".weights.h5",), "Keras weights (.weights.h5)"),
        "sharded": Form((".weights.json",), "sharded Keras weights (.weights.json)", is_sharded=True),
        "legacy-h5": Form((".h5", ".hdf5"), "weights in the legacy layout (.h5)"),
    }
)


def form_of(target: str | os.PathLike[str], to: str | None) -> str:
    """The form `to`, or else the form of the target's suffix. Raises UnknownFormatError where it has none."""
    name = os.fspath(target)
    if to is not None:
        return to
    chosen = next((form for form, candidate in FORMS.items() if name.endswith(candidate.suffixes or ("/",))), None)
    if chosen is None:
        suffixes = ", ".join(suffix for form in FORMS.values() for suffix in form.suffixes)
        raise UnknownFormatError(
            "the suffix of the name is not that of a format",
            path=name,
            expected=f"a name in {suffixes}, or --to with {', '.join(FORMS)}",
        )
    return chosen


def check_target(source: str | os.PathLike[str], target: str | os.PathLike[str], force: bool) -> None:
    """Raise FileAccessError where the target must not or cannot be written."""
    path = Path(target)
    if not path.is_dir():
        destination(path)
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise FileAccessError("source and target are the same", path=os.fspath(target))
    if path.exists() and not force:
        raise FileAccessError("exists already", path=os.fspath(target), hint="--force replaces it")
    if not path.absolute().parent.is_dir():
        raise FileAccessError(
            "is in a directory that does not exist", path=os.fspath(target), hint="create the directory first"
        )


def check_parts(checkpoint: Checkpoint, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Raise FileAccessError where one of the files to be written is part of the source: a shard, or a file in an
    unzipped model."""
    shards = [checkpoint.path.parent / name for name in checkpoint.files] if checkpoint.format.is_sharded else []
    for path in paths:
        refuse_inputs(path, [checkpoint.path, *shards])


def check_entries(source: str | os.PathLike[str], folder: Path, names: Sequence[str], force: bool) -> None:
    """Raise FileAccessError where one of the files that are written together must not be replaced."""
    for name in names:
        if (folder / name).exists():
            check_target(source, folder / name, force)


class Payload(NamedTuple):
    """The content of a target: a whole model, and the weights of its layers in the order and under the names of a
    legacy file."""

    model: Model
    layers: Layers | None = None


def scratch_for(form: str, target: str | os.PathLike[str], names: tuple[str, ...]) -> AbstractContextManager[Path]:
    """A scratch path to write at; its files are moved to the target when the context ends without an error."""
    if FORMS[form].is_directory:
        return replacing_entries(target, names)
    if FORMS[form].is_sharded:
        return replacing_entries(Path(target).absolute().parent, names)
    return replacing_whole(target)


def write(form: str, path: Path, payload: Payload, max_shard: float, on_progress: Progress) -> None:
    """Write the payload in a form."""
    if FORMS[form].is_sharded:
        write_sharded(path, payload.model.content, max_shard, on_progress)
        return
    if form == "legacy-h5":
        assert payload.layers is not None
        write_weights(path, payload.layers, on_progress)
        return
    writers: dict[str, Callable[[], None]] = {
        WHOLE: lambda: write_archive(path, payload.model, on_progress),
        "keras-dir": lambda: write_directory(path, payload.model, on_progress),
        WEIGHTS: lambda: write_file(path, payload.model.content, on_progress),
    }
    writers[form]()


def differs(written: Weight, wanted: Weight, on_progress: Progress) -> str:
    """The difference between a weight that was read back and the planned one; empty where they are equal, bit for
    bit."""
    if (written.shape, written.dtype) != (wanted.shape, wanted.dtype):
        return f"{written.shape} {written.dtype} where {wanted.shape} {wanted.dtype} was written"
    for stored, block in zip(written.stored_blocks(), wanted.stored_blocks(), strict=True):
        if bytearray(stored) != block:  # compares memory; two memoryviews would be compared value by value
            return "other values than were written"
        on_progress(len(block))
    return ""
