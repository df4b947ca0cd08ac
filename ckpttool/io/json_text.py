"""JSON from strangers: bounded in size and depth, paid from a budget; every fault is one clear error."""

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ckpttool.errors import CorruptFileError, UnsafeFileError, ambiguous, too_deep
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.io.sources import Source

MAX_BYTES = 64 << 20
MAX_DEPTH = 950
_OBJECT_STEPS = 8  # an object; a number or a text costs one step
_LIST_STEPS = 50  # a list: more than an object, as it may state the inputs of a layer
_KEY_STEPS = 8  # a key of an object
_LAYER_STEPS = 200  # a layer, or any other object with a class and a name, on top: commands go over layers often
_NAME_TIMES = 16  # a long name is repeated in so many paths and messages


class Oddity(NamedTuple):
    """A peculiarity of a text: its kind is `ambiguous` where other readers may see another value, else
    `nonstandard`."""

    kind: str
    text: str


_CHUNK = 1 << 20  # characters

_REPEATED = Oddity("ambiguous", "repeats a key within one object; the last one counts")
_CONSTANTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NO_NUMBER = Oddity("nonstandard", "uses NaN or Infinity, which JSON does not have")


class Json(NamedTuple):
    """The value of a JSON text, and its peculiarities that are no errors: repeated keys, NaN, a wide encoding."""

    value: Any
    oddities: tuple[Oddity, ...] = ()


def parse(raw: bytes | str, subject: str, budget: Budget | None = None) -> Json:
    """The value of a JSON text; `subject` names the text in errors. UTF-8, -16 and -32 are detected as `json` does.

    Its elements are paid from `budget`, which is that of the file around it, or from a budget of its own.
    """
    if len(raw) > MAX_BYTES:
        raise _too_large(subject, len(raw))
    text, oddities = _decoded(raw, subject)
    nodes = _LIST_STEPS * text.count("[") + _OBJECT_STEPS * text.count("{")
    budget = budget or Budget(len(raw))
    steps = steps_of_text(text) + text.count(",") + _KEY_STEPS * text.count(":") + nodes
    if steps > budget.steps and _nesting(text) <= MAX_DEPTH:
        raise _too_many(subject, f"{text.count(',') + text.count(':'):,} keys and values", '"class_name"' in text)
    budget.spend(steps)
    seen, layers = set[Oddity](), _Layers(subject, budget)
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: layers.paid(_unique(pairs, seen)),
            parse_constant=lambda name: _constant(name, seen),
        )
    except RecursionError:
        raise too_deep(subject, MAX_DEPTH) from None
    except ValueError as error:  # JSONDecodeError, and integers of more than 4,300 digits
        raise CorruptFileError(f"{subject} is no valid JSON", found=str(error)) from error
    if _deeper_than(value, MAX_DEPTH, budget):
        raise too_deep(subject, MAX_DEPTH)
    return Json(value, (*oddities, *sorted(seen)))


def parse_unambiguous(raw: bytes | str, subject: str, budget: Budget | None = None) -> Any:
    """The value of a JSON text. Raises UnsafeFileError also where an object repeats a key, as readers differ on which
    counts."""
    parsed = parse(raw, subject, budget)
    if _REPEATED in parsed.oddities:
        raise ambiguous(f"{subject} repeats a key within one object, of which readers take either")
    return parsed.value


def read_whole(source: Source, subject: str) -> bytes:
    """The bytes of a JSON text; `subject` names the text in errors. Raises UnsafeFileError for one of absurd size."""
    if source.size > MAX_BYTES:
        raise _too_large(subject, source.size)
    return source.read(0, source.size)


def _too_large(subject: str, size: int) -> UnsafeFileError:
    """The error for a JSON text of absurd size."""
    return UnsafeFileError(f"{subject} is too large", expected=f"{MAX_BYTES:,} bytes at most", found=f"{size:,} bytes")


def _too_many(subject: str, contents: str, has_layers: bool) -> UnsafeFileError:
    """The error for a JSON text that is too much work; it has no more than it shows, so it is accused of nothing."""
    smaller = (
        "name a smaller model, such as one inside it that is saved by itself: the whole is read before a part is chosen"
    )
    return UnsafeFileError(
        f"{subject} has {contents}, more than are read from a file of its size", hint=smaller if has_layers else ""
    )


def _nesting(text: str) -> int:
    """The depth of a text by its brackets, those in strings included: a large model has few, an attack has many."""
    import numpy as np  # here alone: a plain listing needs none

    step = np.zeros(256, np.int8)
    step[[ord("["), ord("{")]], step[[ord("]"), ord("}")]] = 1, -1
    deepest = depth = 0
    for start in range(0, len(text), _CHUNK):
        codes = np.frombuffer(text[start : start + _CHUNK].encode("latin-1", "replace"), np.uint8)
        depths = depth + np.cumsum(step[codes], dtype=np.int32)
        deepest, depth = max(deepest, depths.max().item()), depths[-1].item()
    return deepest


def _decoded(raw: bytes | str, subject: str) -> tuple[str, tuple[Oddity, ...]]:
    if isinstance(raw, str):
        return raw, ()
    encoding = json.detect_encoding(raw)
    oddities = () if encoding.startswith("utf-8") else (Oddity("ambiguous", f"is encoded as {encoding}, not UTF-8"),)
    try:
        return raw.decode(encoding), oddities
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"{subject} is no {encoding} text", found=f"byte {error.start:,}") from error


def _unique(pairs: list[tuple[str, Any]], seen: set[Oddity]) -> dict[str, Any]:
    """The pairs as a dictionary; notes in `seen` where a key is repeated."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        seen.add(_REPEATED)
    return unique


class _Layers:
    """The number of layers in a text so far, each of which is paid from the budget."""

    def __init__(self, subject: str, budget: Budget) -> None:
        self._subject, self._budget, self._count = subject, budget, 0

    def paid(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The object itself, after its price was taken off the budget."""
        if "class_name" in entry and _is_layer(entry):
            if not self._budget.affords(_LAYER_STEPS):
                raise _too_many(self._subject, f"more than {self._count:,} layers", has_layers=True)
            self._count += 1
        if isinstance(name := entry.get("name"), str):
            self._budget.spend(_NAME_TIMES * steps_of_text(name))
        return entry


def _is_layer(entry: dict[str, Any]) -> bool:
    """Whether an object with a class may be a layer: neither an initializer, which has no name, nor a dtype policy."""
    config = entry.get("config")
    named = not isinstance(config, dict) or not config or "name" in config or "layers" in config
    return named and not str(entry["class_name"]).endswith("Policy")


def _constant(name: str, seen: set[Oddity]) -> float:
    seen.add(_NO_NUMBER)
    return _CONSTANTS[name]


def _deeper_than(value: Any, limit: int, budget: Budget) -> bool:
    """Whether lists and objects are nested deeper than the limit. The deeper an object is, the more it costs, as
    commands carry the path to it along."""
    level = [value]
    for depth in range(limit):
        level = [child for node in level for child in _children(node)]
        budget.spend(depth * len(level) >> 3)
        if not level:
            return False
    return True


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        return (child for child in node.values() if isinstance(child, dict | list))
    return (child for child in node if isinstance(child, dict | list)) if isinstance(node, list) else iter(())
