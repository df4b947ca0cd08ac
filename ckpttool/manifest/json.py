"""Entries of a manifest read from JSON, which may come from a stranger, and written as JSON."""

import math
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from ckpttool.errors import CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.io import scalars
from ckpttool.manifest.values import CallbackState, EpochLogs, Manifest, Saved, State, StateValue

NAME = "checkpoints.json"
VERSION = 1
MODES = ("min", "max", "")  # which values are better: the smaller ones, the larger ones, not known
MAX_SAVED = 20_000  # checkpoints in one directory; parsing so many takes two seconds
MAX_EPOCHS = 20_000  # whose logs are listed
_MAX_PROBLEMS = 20
_FORBIDDEN = "\\:\0" if os.name == "nt" else "\0"  # characters of no file's name; on Windows, \ and : lead elsewhere
_MAX_TEXT = 1000
_MAX_LOGS = 10_000
_MAX_STATES = 1000
_MAX_NUMBERS = 10_000  # in the state of a callback
_MAX_NOTES = 100
_MAX_GENERATORS, _MAX_GENERATOR = 100, 20_000  # a machine's, and characters of the state of one
Number = TypeVar("Number", int, float)
_NO_JSON = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # numbers that JSON does not have, written as texts


def as_json(entry: Saved, is_best: bool) -> dict[str, object]:
    """An entry as an object of JSON."""
    item: dict[str, object] = {part.name: getattr(entry, part.name) for part in fields(Saved)}
    item |= {"state": entry.state.value, "complete": entry.complete, "best": is_best}
    item |= {"value": _as_number(entry.value), "seconds": _as_number(entry.seconds)}
    item["metrics"] = [list(map(_as_number, metric)) for metric in entry.metrics]
    item["logs"] = {name: _as_number(value) for name, value in entry.logs.items()}
    item["notes"] = {name: _as_json_value(value) for name, value in entry.notes.items()}
    item["callbacks"] = [
        {
            "class": state.class_name,
            "number": state.number,
            "state": {name: _as_json_value(value) for name, value in state.values.items()},
        }
        for state in entry.callbacks
    ]
    return item


def epoch_as_json(epoch: EpochLogs) -> dict[str, object]:
    """The logs of an epoch as an object of JSON."""
    logs = {name: _as_number(value) for name, value in epoch.logs.items()}
    return {"run": epoch.run, "epoch": epoch.epoch, "logs": logs}


def _as_number(value: float | None) -> float | str | None:
    """A number for JSON, which has no NaN and no infinity: those become texts."""
    return str(scalars.as_float(value)) if value is not None and not math.isfinite(value) else value


def _as_json_value(value: StateValue) -> object:
    """A value for JSON, in which a text cannot be mistaken for a number that JSON does not have."""
    if isinstance(value, str):
        return {"text": value}
    return list(map(_as_number, value)) if isinstance(value, tuple) else _as_number(value)


def checked_state(state: Any) -> dict[str, StateValue]:
    """The state of a callback of the user's own, as values of a manifest. Raises ValueError, TypeError."""
    return {_name(name): _state_value(_as_json_value(_plain(value))) for name, value in dict(state).items()}


def checked_notes(notes: Any) -> dict[str, float | str]:
    """Notes of the user's own, as values of a manifest. Raises ValueError, TypeError."""
    return dict(_notes({name: _as_json_value(_plain(value)) for name, value in dict(notes).items()}))


def _plain(value: Any) -> StateValue:
    """The value with Python's own types instead of, say, NumPy's."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1:
        return tuple(map(_count, value))
    return _count(value)


def _count(value: Any) -> float:
    """The number as an int where it is of a whole type, else as a float."""
    try:
        return operator.index(value)
    except TypeError:
        return scalars.as_float(value)


def manifest_of(value: Any) -> Manifest:
    """The manifest in a value of JSON. Raises CorruptFileError, or UnsupportedError where it is of a later version."""
    listed = value.get("checkpoints") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not isinstance(value.get("version"), int):
        raise CorruptFileError("is not a list of checkpoints", expected="an object with 'version' and 'checkpoints'")
    if value["version"] > VERSION:
        raise UnsupportedError(
            "was written by a later version of ckpttool",
            expected=f"version {VERSION}",
            found=f"{value['version']:,}"[:100],
            hint='pip install --upgrade "ckpttool"',
        )
    if len(listed) > MAX_SAVED:
        raise UnsafeFileError(
            "lists too many checkpoints", expected=f"{MAX_SAVED:,} at most", found=f"{len(listed):,}", kind="bomb"
        )
    entries = [_entry_or_problem(item) for item in listed]
    problems = [
        f"{NAME}: entry {n:,} is left out: {entry}" for n, entry in enumerate(entries, 1) if isinstance(entry, str)
    ]
    if len(problems) > _MAX_PROBLEMS:
        problems = [*problems[:_MAX_PROBLEMS], f"{NAME}: {len(problems) - _MAX_PROBLEMS:,} more entries are left out"]
    epochs, problem = _epochs(value.get("epochs", []))
    saved = tuple(entry for entry in entries if isinstance(entry, Saved))
    return Manifest(saved, (*problems, *([problem] if problem else [])), epochs)


def _epochs(listed: Any) -> tuple[tuple[EpochLogs, ...], str]:
    """The logs of epochs, or none and the problem: a history with a gap would be shown as a whole one."""
    try:
        if not isinstance(listed, list) or len(listed) > MAX_EPOCHS:
            raise ValueError(f"they are not a list of at most {MAX_EPOCHS:,}")
        return tuple(_Entry(item).epoch() for item in listed), ""
    except ValueError as error:
        return (), f"{NAME}: the logs of epochs are left out: {error}"


def _entry_or_problem(item: Any) -> Saved | str:
    """The entry, or the reason why the item is none."""
    try:
        return _Entry(item).saved()
    except ValueError as error:
        return str(error)


class _Entry:
    """Reader of an item of JSON, key by key. Every method returns a checked value or raises ValueError."""

    def __init__(self, item: Any) -> None:
        if not isinstance(item, dict):
            raise ValueError(f"a {type(item).__name__} instead of an object")
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
            metrics=tuple(self._rows("metrics", lambda value: _known_number(value, "a metric"))),
            generators=dict(self._generators("generators")),
            generators_before=dict(self._generators("generators_before")),
            notes=dict(_notes(self._item.get("notes", {}))),
            **{name: self._text(name) for name in ("run", "reason", "date", "keras", "backend", "ckpttool")},
        )

    def epoch(self) -> EpochLogs:
        """The logs of an epoch as a value."""
        return EpochLogs(self._text("run"), self._whole("epoch"), dict(self._logs()))

    def _text(self, key: str) -> str:
        value = self._item.get(key)
        if not isinstance(value, str) or len(value) > _MAX_TEXT:
            raise ValueError(f"{key} is not a text of at most {_MAX_TEXT:,} characters")
        if not _is_whole(value):
            raise ValueError(f"{key} has half a character (a surrogate)")
        return value

    def _one_of(self, key: str, choices: Sequence[str]) -> str:
        value = self._text(key)
        if value not in choices:
            raise ValueError(f"{key} is not one of {', '.join(filter(None, choices))}")
        return value

    def _whole(self, key: str) -> int:
        value = self._item.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
            raise ValueError(f"{key} is not a whole number of at least 0")
        return value

    def _digest(self) -> str:
        value = self._text("sha256")
        if len(value) != 64 or set(value) - set("0123456789abcdef"):
            raise ValueError("sha256 is not a checksum of 64 hexadecimal digits")
        return value

    def _logs(self) -> Iterator[tuple[str, float]]:
        logs = self._item.get("logs")
        if not isinstance(logs, dict) or len(logs) > _MAX_LOGS:
            raise ValueError(f"logs are not an object of at most {_MAX_LOGS:,}")
        yield from ((name, _known_number(value, "a log")) for name, value in logs.items())

    def _callbacks(self) -> Iterator[CallbackState]:
        listed = self._item.get("callbacks")
        if not isinstance(listed, list) or len(listed) > _MAX_STATES:
            raise ValueError(f"callbacks are not a list of at most {_MAX_STATES:,}")
        for state in listed:
            if not isinstance(state, dict) or not isinstance(state.get("state"), dict):
                raise ValueError("the state of a callback is not an object")
            reader = _Entry(state)
            values = {_name(name): _state_value(value) for name, value in state["state"].items()}
            yield CallbackState(reader._text("class"), reader._whole("number"), values)

    def _generators(self, key: str) -> Iterator[tuple[str, str]]:
        listed = self._item.get(key, {})
        if not isinstance(listed, dict) or len(listed) > _MAX_GENERATORS:
            raise ValueError(f"{key} are not an object of at most {_MAX_GENERATORS}")
        for name, value in listed.items():
            if not isinstance(value, str) or len(value) > _MAX_GENERATOR:
                raise ValueError(f"the state of a generator is not a text of at most {_MAX_GENERATOR:,} characters")
            yield _name(name), value

    def _rows(self, key: str, checked: Callable[[Any], Number]) -> Iterator[tuple[Number, ...]]:
        listed = self._item.get(key)
        if (
            not isinstance(listed, list)
            or len(listed) > _MAX_STATES
            or not all(isinstance(row, list) for row in listed)
        ):
            raise ValueError(f"{key} are not at most {_MAX_STATES:,} lists")
        yield from (tuple(map(checked, row)) for row in listed)


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not _is_whole(value):
        raise ValueError(f"a name is not a text of at most {_MAX_TEXT:,} characters")
    return value


def _is_whole(text: str) -> bool:
    """Whether a text is free of half characters (surrogates), which nothing can print."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _state_value(value: Any) -> StateValue:
    """A value in the state of a callback. Raises ValueError."""
    if isinstance(value, dict):
        text = value.get("text")
        if len(value) != 1 or not isinstance(text, str) or len(text) > _MAX_TEXT or not _is_whole(text):
            raise ValueError(f"a state is not a text of at most {_MAX_TEXT:,} characters")
        return text
    if isinstance(value, list):
        if len(value) > _MAX_NUMBERS:
            raise ValueError(f"a state has more than {_MAX_NUMBERS:,} numbers")
        return tuple(_known_number(item, "a state") for item in value)
    return _number(value, "a state")


def _notes(value: Any) -> Iterator[tuple[str, float | str]]:
    if not isinstance(value, dict) or len(value) > _MAX_NOTES:
        raise ValueError(f"notes are not an object of at most {_MAX_NOTES}")
    for name, each in value.items():
        note = _state_value(each)
        if note is None or isinstance(note, tuple):
            raise ValueError("a note is neither a text nor a number")
        yield _name(name), note


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise ValueError("a seed is not a whole number of at least 0")
    return value


def _known_number(value: Any, subject: str) -> float:
    number = _number(value, subject)
    if number is None:
        raise ValueError(f"{subject} is not a number")
    return number


def _number(value: Any, subject: str) -> float | None:
    """A number of JSON, or one that JSON does not have and a text stands for. Raises ValueError."""
    if isinstance(value, str) and value in _NO_JSON:
        return _NO_JSON[value]
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 1000):
        return value
    raise ValueError(f"{subject} is not a number")


def inside(file: str) -> str:
    """The path of a file from its directory. Raises ValueError where it may lead elsewhere."""
    parts = file.split("/")
    if not file or any(char in file for char in _FORBIDDEN) or {"", ".", ".."} & {*parts}:
        raise ValueError("the path of its file leads out of the directory")
    return file
