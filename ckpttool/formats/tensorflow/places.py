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
    file_of,
    indexes_in,
    missing_in,
    missing_newest,
    newest,
)
from ckpttool.io.sources import FileSource

META = ".meta"
GRAPH, KERAS_METADATA, FINGERPRINT = "saved_model.pb", "keras_metadata.pb", "fingerprint.pb"
# Patterns are compiled where names are compared with them, which a file of HDF5 never needs.
_SHARD = r"(.+)\.data-([0-9]{1,5})-of-([0-9]{0,5})"
_LEFTOVER = r"(.*?)(_temp(_[0-9a-f]+)?|(\.index|\.data-[0-9]+-of-[0-9]+)?\.tempstate[0-9]*)"
_STATE_LEFTOVER = r"checkpoint\.tmp[0-9a-f]+"
_ADDED = r"(?i)( ?\([0-9]{1,3}\)| - copy|\.(txt|bin|download|crdownload|part))+(?=\.|$)"
KILLED = "what a save leaves that was killed before it was finished"
"""The sentence on a leftover."""
_MOST_NAMED = 10  # strays of each kind that are named


def shard_name(prefix: str, shard: int, shards: int) -> str:
    """The name of a shard (`DataFilename`, tensorflow/core/util/tensor_bundle/naming.cc)."""
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


def prefix_of(name: str) -> str | None:
    """The prefix that the name of an index, of a shard or of a TensorFlow 1 graph begins with; None for other names."""
    shard = re.fullmatch(_SHARD, name)
    if shard:
        return shard[1]
    suffix = next((suffix for suffix in (INDEX, META) if name.endswith(suffix) and name != suffix), "")
    return name.removesuffix(suffix) if suffix else None


def without_additions(name: str) -> str:
    """A name without what browsers and copies add to it: ` (1)`, ` - Copy`, `.txt`."""
    return re.sub(_ADDED, "", name)


def prefix_of_index(name: str) -> str:
    """The prefix of an index, be it called `ckpt.index.txt` or `CKPT.INDEX`."""
    if name.endswith(INDEX):
        return name.removesuffix(INDEX)
    plain = without_additions(name)
    return plain[: -len(INDEX)] if plain.lower().endswith(INDEX) else name


def renamed(directory: Path, name: str) -> str:
    """The name of a file that looks as if it had been called `name`: with an addition, in capitals, or cut off. Empty
    where there is none."""
    plain, least = without_additions(name).lower(), len(without_additions(prefix_of(name) or name)) + 2
    for path in sorted(directory.glob("*"))[:MAX_LISTED]:
        other = without_additions(path.name).lower()
        if path.name != name and (other == plain or (len(other) > least and plain.startswith(other))):
            return path.name
    return ""


def is_shard(name: str) -> bool:
    """Whether a name is that of a shard, be it cut off."""
    return re.fullmatch(_SHARD, name) is not None


def index_of(path: Path) -> Path | None:
    """The index to which the path of another file leads: a prefix, a shard, a graph, or a state file, whose newest
    index counts. None where there is none."""
    if path.name == STATE and path.is_file():
        return newest(path.parent)
    prefix = path.name if not path.exists() else prefix_of(path.name) if not path.name.endswith(INDEX) else None
    return file_of(path.parent, prefix) if prefix else None


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


def leftovers(directory: Path, prefix: str = "") -> Iterator[str]:
    """The files that a killed save leaves in a directory, by name; with a prefix those of that checkpoint."""
    yield from (name for name, of in _leftovers(directory) if prefix in ("", of))


def _leftovers(directory: Path) -> Iterator[tuple[str, str]]:
    """The files in a directory that killed saves leave, by name, each with its prefix."""
    for path in sorted(directory.glob("*"))[:MAX_LISTED]:
        match = re.fullmatch(_LEFTOVER, path.name)
        if match or re.fullmatch(_STATE_LEFTOVER, path.name):
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
    return [name for name in names if (match := re.fullmatch(_SHARD, name)) and match[1] == prefix]


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
    from ckpttool.formats.tensorflow.table import is_table  # here, since few files are called so

    try:
        with FileSource(path) as source:
            return is_table(source)
    except CheckpointError:
        return False


def orphan(path: Path) -> CheckpointError | None:
    """The error for a file of a checkpoint without its index, or of a SavedModel in another form; None for others."""
    if path.name == STATE and (missing := missing_newest(path.parent)):
        return FileAccessError(
            "is the list of the checkpoints in its directory, of which the newest is missing",
            expected=f"{missing}{INDEX} beside it",
            hint="name another checkpoint; ckpttool ls of the directory lists all",
        )
    other, name = foreign.other_saved_model(path.name), without_additions(path.name)
    prefix = prefix_of(name.lower()) and prefix_of(name)
    if other is not None or path.name.endswith(INDEX) or index_of(path) is not None:
        return other
    if path.suffix.startswith((".tempstate", ".tmp")) and (left := _part_of_a_killed_save(path.name)):
        return left
    if path.name in (KERAS_METADATA, FINGERPRINT):
        return _without(f"is called as a part of a SavedModel, whose {GRAPH} is missing", path, GRAPH)
    if prefix is None:
        return None
    description = "a shard of values" if is_shard(name) else "a graph of TensorFlow 1"
    problem = f"is called as {description} beside the index of a TensorFlow checkpoint, which is missing"
    return _without(problem, path, f"{prefix}{INDEX}")


def _without(problem: str, path: Path, missing: str) -> CheckpointError:
    """The error for a file beside which another one is missing, or has another name."""
    other, name = renamed(path.parent, missing), without_additions(path.name)
    if path.name != name and (path.parent / missing).exists():
        problem = "has another name than the index beside it gives"
        return FileAccessError(problem, expected=name, hint=f"rename it to {name}")
    hint = f"rename {other} to {missing}" if other else "copy all files of the checkpoint"
    return FileAccessError(problem, expected=f"{missing} beside it", hint=hint)


def _part_of_a_killed_save(name: str) -> CheckpointError | None:
    """The error for a file that a killed save left."""
    left = re.fullmatch(_LEFTOVER, name) or re.fullmatch(_STATE_LEFTOVER, name)
    return FileAccessError(f"is {KILLED}", hint="take another checkpoint, or save again") if left else None
