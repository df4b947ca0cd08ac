"""Entries out of JSON that may come from a stranger, and into it."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from ckpttool.errors import CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.io import scalars
from ckpttool.manifest.values import CallbackState, Manifest, Saved, State

NAME = "checkpoints.json"
VERSION = 1
MODES = ("min", "max", "")  # which values are better: the smaller ones, the larger ones, nobody knows
MAX_SAVED = 20_000  # checkpoints in one directory; parsing so many takes two seconds
_MAX_PROBLEMS = 20
_NEVER = "\\:\0" if os.name == "nt" else "\0"  # in the name of a file: on Windows, the others lead elsewhere
_MAX_TEXT = 1000
_MAX_LOGS = 10_000
_MAX_STATES = 1000
Number = TypeVar("Number", int, float)
_NO_JSON = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # what JSON has no numbers for, as texts


def as_json(entry: Saved, is_best: bool) -> dict[str, object]:
    """An entry as an object of JSON."""
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
    return str(scalars.as_float(value)) if value is not None and not math.isfinite(value) else value


def parsed(value: Any) -> Manifest:
    """The manifest that a value of JSON is. Raises CorruptFileError, or UnsupportedError for one of a later version."""
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
    if len(listed) > MAX_SAVED:
        raise UnsafeFileError(
            "lists too many checkpoints", expected=f"{MAX_SAVED:,} at most", found=f"{len(listed):,}", kind="bomb"
        )
    tried = [_tried(item) for item in listed]
    problems = [f"{NAME}: entry {n:,} is left out: {each}" for n, each in enumerate(tried, 1) if isinstance(each, str)]
    if len(problems) > _MAX_PROBLEMS:
        problems = [*problems[:_MAX_PROBLEMS], f"{NAME}: {len(problems) - _MAX_PROBLEMS:,} more entries are left out"]
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
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError(f"{key} is no text: it holds half a character")
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
    if not file or any(char in file for char in _NEVER) or {"", ".", ".."} & {*parts}:
        raise ValueError("the path of its file leads out of the directory")
    return file
