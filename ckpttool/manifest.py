"""`checkpoints.json`: what training has saved in a directory, in which order, and whether it is still there as written.

The file may come from a stranger: every value is checked, names lead nowhere but into its directory, and an entry that
makes no sense is left out and told of.
"""

import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from ckpttool import jsontext
from ckpttool.errors import CheckpointError, CorruptFileError, UnsupportedError
from ckpttool.files import FileSource
from ckpttool.replacing import replace_file

NAME = "checkpoints.json"
VERSION = 1
MODES = ("min", "max", "")  # which values are better: the smaller ones, the larger ones, nobody knows
_MAX_TEXT = 1000
_MAX_LOGS = 10_000
_MAX_STATES = 1000
Number = TypeVar("Number", int, float)
_NO_JSON = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # what JSON has no numbers for, as texts


class State(str, Enum):
    """How far the file of an entry is: about to take its place, there, about to give it up, or to be deleted."""

    WRITING = "writing"
    COMPLETE = "complete"
    REPLACED = "replaced"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class CallbackState:
    """What another callback of the same `fit` had counted. `number` tells several of one class apart."""

    class_name: str
    number: int
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Saved:
    """One checkpoint that was saved: an entry of the manifest.

    `file` is its path from the directory. `series` is the template of its name. `epoch` counts from one; `batch` is
    how many batches of that epoch were done, None where the whole epoch was; `step` counts the batches of the whole
    run. `value` is what `monitor` was, None where it was not there. `seeds` and
    `metrics` are the states of random numbers and, within an epoch, of metrics, which Keras does not save.
    """

    file: str
    series: str
    state: State
    epoch: int
    batch: int | None
    step: int
    sha256: str
    size: int
    mtime_ns: int = 0
    run: str = ""
    reason: str = ""
    monitor: str = ""
    mode: str = "min"
    value: float | None = None
    logs: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    date: str = ""
    keras: str = ""
    backend: str = ""
    ckpttool: str = ""
    callbacks: tuple[CallbackState, ...] = ()
    seeds: tuple[tuple[int, ...], ...] = ()
    metrics: tuple[tuple[float, ...], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the file has taken its place."""
        return self.state is State.COMPLETE

    @property
    def score(self) -> float | None:
        """The monitored value, the smaller the better; None where there is none, it is NaN, or nobody knows."""
        if self.value is None or not self.mode or math.isnan(self.value):
            return None
        return -self.value if self.mode == "max" else self.value


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was saved, oldest first, and what could not be made sense of."""

    saved: tuple[Saved, ...] = ()
    problems: tuple[str, ...] = ()

    def with_saved(self, entry: Saved) -> "Manifest":
        """With one more entry. Others of its file give way; until this one is complete, it is open which is there."""
        if entry.complete:
            others = tuple(each for each in self.saved if each.file != entry.file)
            return replace(self, saved=(*others, entry))
        found = self.with_state([entry.file], State.REPLACED)
        return replace(found, saved=(*found.saved, entry))

    def with_state(self, files: Iterable[str], state: State) -> "Manifest":
        """With another state of the entries of some files."""
        named = set(files)
        return replace(self, saved=tuple(replace(e, state=state) if e.file in named else e for e in self.saved))


def best_of(saved: Iterable[Saved]) -> Saved | None:
    """The best entry: of equal values the first to reach it; NaN is never the best. None where no value is known."""
    known = [(entry.score, entry) for entry in saved if entry.complete]
    scores = [(score, entry) for score, entry in known if score is not None]
    return min(scores, key=lambda pair: pair[0])[1] if scores else None


def bests(saved: Sequence[Saved]) -> tuple[Saved, ...]:
    """The best entry of every series by every value that it was monitored by."""
    groups: dict[tuple[str, str, str], list[Saved]] = {}
    for entry in saved:
        groups.setdefault((entry.series, entry.monitor, entry.mode), []).append(entry)
    return tuple(found for group in groups.values() if (found := best_of(group)) is not None)


def read_manifest(directory: str | os.PathLike[str]) -> Manifest:
    """The manifest of a directory as it stands, an empty one where there is none. Raises a CheckpointError."""
    path = Path(directory) / NAME
    if not os.path.lexists(path):
        return Manifest()
    try:
        return _parsed(jsontext.parse(_content(path), NAME).value)
    except CheckpointError as error:
        raise error.at(path=str(path)) from error.__cause__


def _content(path: Path) -> bytes:
    source = FileSource(path)
    try:
        if source.size > jsontext.MAX_BYTES:
            raise jsontext.too_large(NAME, source.size)
        return source.read(0, source.size)
    finally:
        source.close()


def settled(directory: str | os.PathLike[str], manifest: Manifest) -> Manifest:
    """The manifest with what a run that was killed left undecided, decided by the files themselves.

    A file that was about to take its place has or has not, and then what stood there still does; one that was about to
    be deleted no longer counts. Of two entries of one file the later holds.
    """
    found = Manifest(problems=manifest.problems)
    for entry in manifest.saved:
        there = replace(entry, state=State.COMPLETE)
        is_open = entry.state in (State.WRITING, State.REPLACED)
        if entry.complete or (is_open and not damage(directory, there, thorough=True)):
            found = found.with_saved(there)
    return found


def write_manifest(directory: str | os.PathLike[str], manifest: Manifest, written_by: str) -> None:
    """Writes the manifest of a directory, as a whole or not at all. Raises FileAccessError."""
    marked = {id(entry) for entry in bests(manifest.saved)}
    value = {
        "version": VERSION,
        "written_by": written_by,
        "checkpoints": [_as_json(entry, id(entry) in marked) for entry in manifest.saved],
    }
    text = json.dumps(value, indent=1, allow_nan=False)
    replace_file(Path(directory) / NAME, text.encode("ascii"))


def _as_json(entry: Saved, is_best: bool) -> dict[str, object]:
    found: dict[str, object] = {part.name: getattr(entry, part.name) for part in fields(Saved)}
    found |= {"state": entry.state.value, "complete": entry.complete, "best": is_best}
    found |= {"value": _as_number(entry.value), "seconds": _as_number(entry.seconds)}
    found["metrics"] = [list(map(_as_number, each)) for each in entry.metrics]
    found["logs"] = {name: _as_number(value) for name, value in entry.logs.items()}
    found["callbacks"] = [
        {
            "class": each.class_name,
            "number": each.number,
            "state": {name: _as_number(value) for name, value in each.values.items()},
        }
        for each in entry.callbacks
    ]
    return found


def _as_number(value: float | None) -> float | str | None:
    return str(float(value)) if value is not None and not math.isfinite(value) else value


def _parsed(value: Any) -> Manifest:
    listed = value.get("checkpoints") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not isinstance(value.get("version"), int):
        raise CorruptFileError("is no list of checkpoints", expected="an object with 'version' and 'checkpoints'")
    if value["version"] > VERSION:
        raise UnsupportedError(
            "was written by a later version of ckpttool",
            expected=f"version {VERSION}",
            found=f"{value['version']:,}"[:100],
            hint='pip install --upgrade "ckpttool"',
        )
    tried = [_tried(item) for item in listed]
    problems = [f"{NAME}: entry {n:,} is left out: {each}" for n, each in enumerate(tried, 1) if isinstance(each, str)]
    return Manifest(tuple(each for each in tried if isinstance(each, Saved)), tuple(problems))


def _tried(item: Any) -> Saved | str:
    """An entry, or why it is none."""
    try:
        return _Entry(item).saved()
    except ValueError as error:
        return str(error)


class _Entry:
    """One entry as it was parsed. Every method gives a checked value or raises ValueError."""

    def __init__(self, item: Any) -> None:
        if not isinstance(item, dict):
            raise ValueError(f"a {type(item).__name__}, no object")
        self._item = item

    def saved(self) -> Saved:
        """The entry as a value."""
        return Saved(
            file=inside(self._text("file")),
            series=self._text("series"),
            state=State(self._text("state")),
            epoch=self._whole("epoch"),
            batch=None if self._item.get("batch") is None else self._whole("batch"),
            step=self._whole("step"),
            sha256=self._digest(),
            size=self._whole("size"),
            mtime_ns=self._whole("mtime_ns"),
            monitor=self._text("monitor"),
            mode=self._one_of("mode", MODES),
            value=_number(self._item.get("value"), "value"),
            logs=dict(self._logs()),
            seconds=_number(self._item.get("seconds"), "seconds") or 0.0,
            callbacks=tuple(self._callbacks()),
            seeds=tuple(self._rows("seeds", _seed)),
            metrics=tuple(self._rows("metrics", lambda value: _known(value, "a metric"))),
            **{name: self._text(name) for name in ("run", "reason", "date", "keras", "backend", "ckpttool")},
        )

    def _text(self, key: str) -> str:
        value = self._item.get(key)
        if not isinstance(value, str) or len(value) > _MAX_TEXT:
            raise ValueError(f"{key} is no short text")
        return value

    def _one_of(self, key: str, known: Sequence[str]) -> str:
        value = self._text(key)
        if value not in known:
            raise ValueError(f"{key} is none of {', '.join(known)}")
        return value

    def _whole(self, key: str) -> int:
        value = self._item.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
            raise ValueError(f"{key} is no count")
        return value

    def _digest(self) -> str:
        value = self._text("sha256")
        if len(value) != 64 or set(value) - set("0123456789abcdef"):
            raise ValueError("sha256 is no such checksum")
        return value

    def _logs(self) -> Iterator[tuple[str, float]]:
        logs = self._item.get("logs")
        if not isinstance(logs, dict) or len(logs) > _MAX_LOGS:
            raise ValueError("logs are no object")
        yield from ((name, _known(value, "a log")) for name, value in logs.items())

    def _callbacks(self) -> Iterator[CallbackState]:
        listed = self._item.get("callbacks")
        if not isinstance(listed, list) or len(listed) > _MAX_STATES:
            raise ValueError("callbacks are no list")
        for each in listed:
            if not isinstance(each, dict) or not isinstance(each.get("state"), dict):
                raise ValueError("the state of a callback is no object")
            part = _Entry(each)
            values = {name: _number(value, "a state") for name, value in each["state"].items()}
            yield CallbackState(part._text("class"), part._whole("number"), values)

    def _rows(self, key: str, checked: Callable[[Any], Number]) -> Iterator[tuple[Number, ...]]:
        listed = self._item.get(key)
        if (
            not isinstance(listed, list)
            or len(listed) > _MAX_STATES
            or not all(isinstance(each, list) for each in listed)
        ):
            raise ValueError(f"{key} are no lists")
        yield from (tuple(map(checked, each)) for each in listed)


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise ValueError("a seed is no count")
    return value


def _known(value: Any, what: str) -> float:
    found = _number(value, what)
    if found is None:
        raise ValueError(f"{what} is no number")
    return found


def _number(value: Any, what: str) -> float | None:
    """A number of JSON, or one of the texts for those that JSON does not have."""
    if isinstance(value, str) and value in _NO_JSON:
        return _NO_JSON[value]
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 1000):
        return value
    raise ValueError(f"{what} is no number")


def inside(file: str) -> str:
    """The path of a file from its directory, if it can lead nowhere else; raises ValueError."""
    parts = file.split("/")
    if not file or any(char in file for char in "\\:\0") or {"", ".", ".."} & {*parts}:
        raise ValueError("the path of its file leads out of the directory")
    return file


def damage(directory: str | os.PathLike[str], entry: Saved, thorough: bool = False) -> str:
    """What is wrong with the file of an entry, empty where it is as it was written.

    The checksum is computed where the file was written to since, or always, if `thorough`.
    """
    path = Path(directory) / entry.file
    try:
        if any(part.is_symlink() for part in _below(Path(directory), path)):
            return "a symbolic link, which is not followed"
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return "no regular file"
        if found.st_size != entry.size:
            return f"altered: {found.st_size:,} bytes instead of {entry.size:,}"
        if (thorough or found.st_mtime_ns != entry.mtime_ns) and sha256_of(path) != entry.sha256:
            return "altered: another checksum"
    except FileNotFoundError:
        return "missing"
    except (OSError, CheckpointError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return ""


def _below(directory: Path, path: Path) -> Iterator[Path]:
    """A path and those above it, up to the directory and without it."""
    while path != directory:
        yield path
        path = path.parent


def sha256_of(path: str | os.PathLike[str], progress: Callable[[int], object] = lambda nbytes: None) -> str:
    """The SHA-256 of a file, in hex."""
    source, digest = FileSource(path), hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    try:
        for start in range(0, source.size, len(buffer)):
            part = buffer[: min(len(buffer), source.size - start)]
            source.fill(start, part)
            digest.update(part)
            progress(len(part))
    finally:
        source.close()
    return digest.hexdigest()
