"""The paths of the files of a TensorFlow checkpoint or a SavedModel, from any name that people give it.

A checkpoint is a prefix, and no file has that name: `PREFIX.index`, `PREFIX.data-00000-of-00001`, with TensorFlow 1
`PREFIX.meta`; beside them may be `checkpoint`, a text that says which prefix is the newest. Nothing is opened here but
that.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ckpttool.errors import CheckpointError, FileAccessError
from ckpttool.formats import foreign
from ckpttool.formats.tensorflow.state_file import (
    INDEX,
    MAX_LISTED,
    STATE,
    indexes_in,
    missing_in,
    missing_newest,
    newest,
)
from ckpttool.formats.tensorflow.table import is_table
from ckpttool.io.sources import FileSource

META = ".meta"
GRAPH, KERAS_METADATA, FINGERPRINT = "saved_model.pb", "keras_metadata.pb", "fingerprint.pb"
_SHARD = re.compile(r"(.+)\.data-([0-9]{1,5})-of-([0-9]{0,5})")
_LEFTOVER = re.compile(r"(.*?)(_temp(_[0-9a-f]+)?|(\.index|\.data-[0-9]+-of-[0-9]+)?\.tempstate[0-9]*)")
_STATE_LEFTOVER = re.compile(r"checkpoint\.tmp[0-9a-f]+")
KILLED = "what a save leaves that was killed before it was finished"
"""The sentence on a leftover."""
_MOST_NAMED = 10  # strays of each kind that are named


def shard_name(prefix: str, shard: int, shards: int) -> str:
    """The name of a shard (`DataFilename`, tensorflow/core/util/tensor_bundle/naming.cc)."""
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


def prefix_of(name: str) -> str | None:
    """The prefix that the name of an index, of a shard or of a TensorFlow 1 graph begins with; None for other names."""
    shard = _SHARD.fullmatch(name)
    if shard:
        return shard[1]
    suffix = next((suffix for suffix in (INDEX, META) if name.endswith(suffix) and name != suffix), "")
    return name.removesuffix(suffix) if suffix else None


def is_shard(name: str) -> bool:
    """Whether a name is that of a shard, be it cut off."""
    return _SHARD.fullmatch(name) is not None


def index_of(path: Path) -> Path | None:
    """The index to which the path of another file leads: a prefix, a shard, a graph, or a state file, whose newest
    index counts. None where there is none."""
    if path.name == STATE and path.is_file():
        return newest(path.parent)
    prefix = path.name if not path.exists() else prefix_of(path.name) if not path.name.endswith(INDEX) else None
    index = path.with_name(prefix + INDEX) if prefix else None
    return index if index is not None and index.is_file() else None


def is_saved_model(directory: Path) -> bool:
    """Whether a directory is a SavedModel."""
    return (directory / GRAPH).is_file()


def saved_model_of(path: Path) -> Path | None:
    """The directory of the SavedModel that a path leads to: itself, its graph, its metadata, or its `variables`."""
    if path.is_dir():
        inside = path.name == "variables" and is_saved_model(path.parent)
        return path if is_saved_model(path) else path.parent if inside else None
    if path.name in (GRAPH, KERAS_METADATA, FINGERPRINT) and is_saved_model(path.parent):
        return path.parent
    return None


def leftovers(directory: Path, prefix: str) -> Iterator[str]:
    """The files that a killed save leaves beside a checkpoint, by name: the parts that it would have joined."""
    yield from (name for name, of in _leftovers(directory) if of == prefix)


def _leftovers(directory: Path) -> Iterator[tuple[str, str]]:
    """The files in a directory that killed saves leave, by name, each with its prefix."""
    for path in sorted(directory.glob("*"))[:MAX_LISTED]:
        match = _LEFTOVER.fullmatch(path.name)
        if match or _STATE_LEFTOVER.fullmatch(path.name):
            yield path.name, match[1] if match else STATE


def strays_in(directory: Path) -> Iterator[str]:
    """Lines on what is in a directory and belongs to no checkpoint there: what killed saves leave, values without an
    index, and checkpoints that the state file lists and that are missing."""
    yield from missing_in(directory)
    shards = sorted(path.name for path in directory.glob("*.data-*") if is_shard(path.name))[:MAX_LISTED]
    prefixes = dict.fromkeys(prefix for name in shards if (prefix := prefix_of(name)))
    alone = [prefix for prefix in prefixes if not (directory / f"{prefix}{INDEX}").exists()]
    yield from (f"{prefix}{INDEX} is missing beside the values of {prefix}" for prefix in alone[:_MOST_NAMED])
    killed = [name for name, of in _leftovers(directory) if not (directory / f"{of}{INDEX}").exists()]
    yield from (f"{name}: {KILLED}" for name in killed[:_MOST_NAMED])


def shards_beside(directory: Path, prefix: str) -> list[str]:
    """The names of all shards of a prefix that are in a directory, whatever number they say there is."""
    names = sorted(path.name for path in directory.glob("*.data-*"))[:MAX_LISTED]
    return [name for name in names if (match := _SHARD.fullmatch(name)) and match[1] == prefix]


def checkpoint_in(directory: Path) -> Path | None:
    """The index that the name of a directory leads to: the newest, as its state file says, or the only one."""
    index = newest(directory)
    if index is not None:
        return index
    indexes = list(indexes_in(directory))
    return indexes[0] if len(indexes) == 1 else None


def is_index(path: Path) -> bool:
    """Whether a file is called an index and ends as one."""
    if not path.name.endswith(INDEX):
        return False
    try:
        with FileSource(path) as source:
            return is_table(source)
    except CheckpointError:
        return False


def orphan(path: Path) -> CheckpointError | None:
    """The error for a file of a checkpoint without its index, or of a SavedModel in another form; None for others."""
    if path.name == STATE and missing_newest(path.parent):
        return FileAccessError(
            "is the list of the checkpoints in its directory, of which the newest is missing",
            expected=f"{missing_newest(path.parent)}{INDEX} beside it",
            hint="name another checkpoint; ckpttool ls of the directory lists all",
        )
    other = foreign.other_saved_model(path.name)
    prefix = prefix_of(path.name)
    if other is not None or prefix is None or path.name.endswith(INDEX) or index_of(path) is not None:
        return other
    description = "a shard of values" if is_shard(path.name) else "a graph of TensorFlow 1"
    return FileAccessError(
        f"is called as {description} beside the index of a TensorFlow checkpoint, which is missing",
        expected=f"{prefix}{INDEX} beside it",
        hint="copy all files of the checkpoint",
    )
