"""The state file of a directory, `checkpoint`: which checkpoints TensorFlow keeps there, and which is the newest.

It is text of protobuf (CheckpointState, tensorflow/python/training/checkpoint_state.proto). `CheckpointManager` lists
all that it keeps, with the times of their saves, `Saver` without; Keras's `ModelCheckpoint` and `tf.train.Checkpoint`
list the last one alone.
"""

import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from ckpttool.errors import CheckpointError
from ckpttool.escape import and_more
from ckpttool.io import scalars
from ckpttool.io.natural_order import natural_key
from ckpttool.io.sources import FileSource

STATE, INDEX = "checkpoint", ".index"
_NEWEST, _ALL, _TIME = "model_checkpoint_path", "all_model_checkpoint_paths", "all_model_checkpoint_timestamps"
# Patterns are compiled where a state file is read.
_FIELD = (
    rf"#[^\n]*|(?<!\w)(?:({_NEWEST}|{_ALL})\s*:\s*"
    r"""(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)')"""
    rf"|{_TIME}\s*:\s*([0-9.eE+]{{1,40}}))"
)
_ESCAPE = rb"(?s)\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))"
_STEP = r"-([0-9]{1,18})$"
_DIGITS = r"[0-9]+"
_MAX_STATE = 1 << 20
_MAX_NAME = 240  # bytes, which the name of a shard makes 255
MAX_LISTED = 10_000
_SHOWN = 5


class ManagedEntry(NamedTuple):
    """A checkpoint in the state file of a directory: its number, the time of its save in seconds since 1970, and
    whether it is the newest."""

    step: int | None
    time: float | None
    newest: bool


class State(NamedTuple):
    """The content of a state file: the newest prefix, and all prefixes with the times of their saves, oldest first."""

    newest: str = ""
    prefixes: tuple[str, ...] = ()
    times: tuple[float | None, ...] = ()


def read_state(directory: Path) -> State:
    """The state file of a directory; empty where there is none that can be read.

    Prefixes are taken by their last name: the file remembers paths of the machine that wrote it, and none is followed.
    """
    try:
        with FileSource(directory / STATE) as source:
            text = source.read(0, min(source.size, _MAX_STATE)).decode("utf-8", "surrogateescape")
    except CheckpointError:
        return State()
    fields = list(re.finditer(_FIELD, text))
    paths = [(field[1], _last_name(field[2] or field[3] or "")) for field in fields if field[1]]
    times = tuple(scalars.decimal(field[4]) for field in fields if field[4])
    newest = next((name for key, name in reversed(paths) if key == _NEWEST), "")
    prefixes = [name for key, name in paths if key == _ALL]
    dated = dict(zip(prefixes, times if len(times) == len(prefixes) else (None,) * len(prefixes), strict=True))
    dated.setdefault(newest, None)
    dated.pop("", None)
    names = tuple(dated)[-MAX_LISTED:]
    return State(newest, names, tuple(dated[name] for name in names))


def _last_name(path: str) -> str:
    """The last name of a path that any system wrote; empty where it cannot be the one of a checkpoint."""
    raw = re.sub(_ESCAPE, _unescaped, path.encode("utf-8", "surrogateescape"))
    name = re.split(rb"[/\\]", raw)[-1]
    possible = name not in (b".", b"..") and b"\0" not in name and len(name) <= _MAX_NAME
    return name.decode("utf-8", "surrogateescape") if possible else ""


def _unescaped(match: re.Match[bytes]) -> bytes:
    """The byte of an escape in a text of protobuf; an escape of a letter is that letter, as no path has line ends."""
    octal, hexadecimal, char = match.groups()
    if octal:
        return bytes([reduce(lambda value, digit: 8 * value + digit - ord("0"), octal, 0) & 0xFF])
    return char or bytes.fromhex(hexadecimal.decode().zfill(2))


def managed_in(directory: Path) -> dict[Path, ManagedEntry]:
    """The indexes of a directory that its state file lists, oldest first. Before them are those that are numbered in
    the same way: what Keras saved before the last one, and what a manager keeps for good, the file does not list."""
    state = read_state(directory)
    listed = dict(zip(state.prefixes, state.times, strict=True))
    series = {re.sub(_DIGITS, "0", name) for name in listed if re.search(_DIGITS, name)}
    names = (path.name.removesuffix(INDEX) for path in indexes_in(directory)) if series else ()
    before = [name for name in names if name not in listed and re.sub(_DIGITS, "0", name) in series]
    entries = {name: ManagedEntry(_step(name), None, False) for name in sorted(before, key=natural_key)}
    entries |= {name: ManagedEntry(_step(name), time, name == state.newest) for name, time in listed.items()}
    return {file: entry for name, entry in entries.items() if (file := file_of(directory, name))}


def _step(name: str) -> int | None:
    match = re.search(_STEP, name)
    return scalars.digits(match[1]) if match else None


def file_of(directory: Path, prefix: str) -> Path | None:
    """The index of a checkpoint; in the first format, the file that is all of it. None where there is neither."""
    files = directory / f"{prefix}{INDEX}", directory / prefix
    return next((file for file in files if file.is_file()), None)


def newest(directory: Path) -> Path | None:
    """The index of the newest checkpoint of a directory by its state file; None where that names none that exists."""
    name = read_state(directory).newest
    return file_of(directory, name) if name else None


def missing_newest(directory: Path) -> str:
    """The prefix that the state file of a directory names as the newest and that is not there; empty where it is."""
    name = read_state(directory).newest
    return "" if not name or file_of(directory, name) else name


def missing_in(directory: Path) -> Iterator[str]:
    """A sentence on what the state file of a directory lists and that is not there."""
    state = read_state(directory)
    names = [name for name in state.prefixes if file_of(directory, name) is None]
    if names:
        shown = ", ".join(names[-_SHOWN:])  # the newest
        yield f"{STATE} lists {shown}{and_more(len(names), _SHOWN)}, of which the index is missing"


def indexes_in(directory: Path) -> Iterator[Path]:
    """The indexes directly in a directory, by name."""
    yield from (path for path in sorted(directory.glob(f"*{INDEX}"))[:MAX_LISTED] if path.is_file())
