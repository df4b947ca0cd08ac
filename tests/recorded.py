"""The answers of live Keras to the questions of some tests, recorded under fixtures/recorded with its version.

A quick run replays the answers; a full one asks Keras again and fails where it answers otherwise. Run as

    python -m tests.recorded [NAME ...]

to ask the Keras that is installed. It writes its answers, and the tables of ckpttool that follow from Keras, and prints
what has changed. With `--long` it also asks what takes half an hour.
"""

import gzip
import importlib
import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.samples import FIXTURES

FOLDER = FIXTURES / "recorded"
ASKING = {
    "layers": "tests.model.live_layers",
    "layer_shapes": "tests.model.shapes.live_layer_shapes",
    "operation_shapes": "tests.model.shapes.live_operation_shapes",
    "buildability": "tests.model.buildability.live_answers",
    "constructors": "tests.model.buildability.live_constructors",
}
"""The modules that ask live Keras: `answers()` of each gives a JSON value for each question."""
LONG = ("constructors",)
"""Recordings that take half an hour, so that no run of the tests asks for them."""
TABLES = (
    "tests.model.live_defaults",
    "tests.model.buildability.live_names",
    "tests.model.buildability.live_constructors",
    "tests.dangers.live_modelling",
)
"""The modules that make tables of ckpttool of what Keras says, or of a recording: `text()` is for the file `PATH`."""

_SHOWN = 400  # characters of an answer


@dataclass(frozen=True)
class Recording:
    """The answers of a version of Keras, by their questions."""

    keras: str
    answers: dict[str, Any]


@cache
def recorded(name: str) -> Recording:
    """The recording of a name, as it stands in its file."""
    first, *lines = gzip.decompress((FOLDER / f"{name}.jsonl.gz").read_bytes()).decode().splitlines()
    return Recording(json.loads(first)["keras"], dict(map(json.loads, lines)))


def asked(name: str) -> Recording:
    """The answers of the Keras that is installed."""
    import keras

    answers = importlib.import_module(ASKING[name]).answers()
    return Recording(keras.__version__, _without_addresses(json.loads(json.dumps(answers))))


def begin_anew() -> None:
    """Makes an answer depend on its question alone: Keras numbers names, and draws seeds, process by process."""
    importlib.import_module("keras.src.utils.naming").reset_uids()
    random.seed(1)


def _without_addresses(value: Any) -> Any:
    """An answer without the addresses of objects in memory, which Keras writes into configs."""
    if isinstance(value, dict):
        return {key: _without_addresses(inner) for key, inner in value.items() if key != "shared_object_id"}
    return [_without_addresses(inner) for inner in value] if isinstance(value, list) else value


def write(name: str, recording: Recording) -> None:
    """Writes a recording: a line for the version, one for each question and its answer."""
    lines = [json.dumps({"keras": recording.keras}), *map(json.dumps, sorted(recording.answers.items()))]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))


def changes(before: Recording, after: Recording) -> list[str]:
    """The answers that differ, a line for each question: the one before, and the one now."""
    version = [f"Keras {before.keras} -> {after.keras}"] if before.keras != after.keras else []
    return [*version, *_changed(before.answers, after.answers)]


def _changed(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for question in sorted(before.keys() | after.keys()):
        old, new = (_shown(answers, question) for answers in (before, after))
        if old != new:
            at = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), 0)
            start = max(0, at - _SHOWN // 4)
            yield f"{question}: {old[start : start + _SHOWN]} -> {new[start : start + _SHOWN]}"


def _shown(answers: dict[str, Any], question: str) -> str:
    return json.dumps(answers[question], sort_keys=True) if question in answers else "not asked"


def numbered(names: Iterable[str]) -> list[str]:
    """The names, with a number behind those that were there before."""
    seen = dict[str, int]()
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return unique


def main(arguments: list[str]) -> None:
    """Asks anew, prints what has changed, and writes."""
    quick = [name for name in ASKING if name not in LONG or "--long" in arguments]
    for name in [name for name in arguments if name != "--long"] or quick:
        recording = asked(name)
        before = recorded(name) if (FOLDER / f"{name}.jsonl.gz").exists() else Recording("nothing", {})
        new = changes(before, recording) if before.answers else [f"{len(recording.answers)} answers"]
        print(f"{name}:", *(f"  {line}" for line in new or ["as before"]), sep="\n")
        write(name, recording)
    recorded.cache_clear()
    for table in map(importlib.import_module, TABLES):
        text = table.text()
        print(f"{table.PATH.name}:", "as before" if table.PATH.read_text("utf-8") == text else "has changed")
        table.PATH.write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
