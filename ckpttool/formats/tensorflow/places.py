"""The paths of the files of a TensorFlow checkpoint or a SavedModel, from any name that people give it.

A checkpoint is a prefix, and no file has that name: `PREFIX.index`, `PREFIX.data-00000-of-00001`, with TensorFlow 1
`PREFIX.meta`; beside them may be `checkpoint`, a text that says which prefix is the newest. Nothing is opened here but
that.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ckpttool.errors import CheckpointError, FileAccessError
from ckpttool.formats import foreign
from ckpttool.formats.tensorflow.table import is_table
from ckpttool.io import scalars
from ckpttool.io.sources import FileSource

INDEX, META, STATE = ".index", ".meta", "checkpoint"
GRAPH, KERAS_METADATA, FINGERPRINT = "saved_model.pb", "keras_metadata.pb", "fingerprint.pb"
_SHARD = re.compile(r"(.+)\.data-([0-9]{1,5})-of-([0-9]{0,5})")
_PATHS = re.compile(r'^\s*(model_checkpoint_path|all_model_checkpoint_paths)\s*:\s*"((?:[^"\\]|\\.)*)"\s*$')
_TIMES = re.compile(r"^\s*all_model_checkpoint_timestamps\s*:\s*([0-9.eE+]{1,40})\s*$")
_STEP = re.compile(r"-([0-9]{1,18})$")
_MAX_STATE = 1 << 20
_MAX_LISTED = 10_000
_LEFTOVER = re.compile(r"_temp(_[0-9a-f]+)?|(\.index|\.data-[0-9]+-of-[0-9]+)?\.tempstate[0-9]*")


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


class ManagedEntry(NamedTuple):
    """A checkpoint in the state file of a directory: its number, the time of its save in seconds since 1970, and
    whether it is the newest."""

    step: int | None
    time: float | None
    newest: bool


class State(NamedTuple):
    """The content of a `checkpoint` file: the newest prefix, and all prefixes with the times of their saves."""

    newest: str = ""
    prefixes: tuple[str, ...] = ()
    times: tuple[float, ...] = ()


def read_state(directory: Path) -> State:
    """The state file of a directory; empty where there is none that can be read.

    Prefixes are taken by their last name: the file remembers paths of the machine that wrote it, and none is followed.
    """
    try:
        with FileSource(directory / STATE) as source:
            lines = source.read(0, min(source.size, _MAX_STATE)).decode("utf-8", "replace").splitlines()
    except CheckpointError:
        return State()
    paths = [(match[1], _last_name(match[2])) for line in lines if (match := _PATHS.match(line))]
    times = [scalars.decimal(match[1]) for line in lines if (match := _TIMES.match(line))]
    prefixes = tuple(dict.fromkeys(name for key, name in paths if key.startswith("all") and name))[:_MAX_LISTED]
    last = next((name for key, name in paths if key.startswith("model")), "")
    return State(last, prefixes, tuple(time for time in times if time is not None))


def _last_name(path: str) -> str:
    """The last name of a path that any system wrote."""
    name = re.split(r"[/\\]+", path)[-1]
    return "" if name in (".", "..") else name


def managed_in(directory: Path) -> dict[Path, ManagedEntry]:
    """The indexes that the state file of a directory lists and that exist, in its order, oldest first."""
    state = read_state(directory)
    times = state.times if len(state.times) == len(state.prefixes) else (None,) * len(state.prefixes)
    listed = dict(zip(state.prefixes, times, strict=True))
    if state.newest:
        listed.setdefault(state.newest, None)
    entries = {}
    for name, time in listed.items():
        index = directory / f"{name}{INDEX}"
        if index.is_file():
            step = _STEP.search(name)
            entries[index] = ManagedEntry(scalars.digits(step[1]) if step else None, time, name == state.newest)
    return entries


def newest(directory: Path) -> Path | None:
    """The index of the newest checkpoint of a directory by its state file; None where that names none that exists."""
    name = read_state(directory).newest
    index = directory / f"{name}{INDEX}"
    return index if name and index.is_file() else None


def indexes_in(directory: Path) -> Iterator[Path]:
    """The indexes directly in a directory, by name."""
    yield from (path for path in sorted(directory.glob(f"*{INDEX}"))[:_MAX_LISTED] if path.is_file())


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
    for path in sorted(directory.glob("*"))[:_MAX_LISTED]:
        name = path.name
        if name.startswith(prefix) and _LEFTOVER.fullmatch(name[len(prefix) :]):
            yield name


def shards_beside(directory: Path, prefix: str) -> list[str]:
    """The names of all shards of a prefix that are in a directory, whatever number they say there is."""
    names = sorted(path.name for path in directory.glob("*.data-*"))[:_MAX_LISTED]
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
