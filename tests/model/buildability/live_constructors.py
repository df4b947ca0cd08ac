"""The arguments that constructors of live Keras 3.15 take and refuse, and the table that follows from them.

`python -m tests.recorded --long` asks live Keras, which takes half an hour of one core, and records its answers under
fixtures/recorded; the table, ckpttool/model/buildability/constructors.json, is written from the record.

The record holds of every class that Keras makes from a config: `base`, a whole config that it takes; `args`, for each
argument a 1 or 0 for every value of `BATTERY` put in its place, `?` where it was not asked; `required` and `extra`
arguments; what its calls take. `words` are the strings that an argument takes, of all that stand in Keras's source
beside it.
"""

import copy
import functools
import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

from ckpttool.model.buildability import construction, table
from ckpttool.model.buildability.context import Context, Refused
from ckpttool.model.buildability.loaders import STEPS
from ckpttool.model.buildability.rules import RULES
from ckpttool.model.buildability.table import Row
from tests.live import keras
from tests.model.buildability.constructor_hints import (
    BATTERY,
    BY_NAME,
    EXTRA,
    NOT_CONSTRUCTED,
    NOT_GUESSED,
    NOT_REQUIRED,
    PINNED,
)
from tests.recorded import recorded

PATH = Path(table.__file__).with_name("constructors.json")


def answers() -> dict[str, Any]:
    """The answers of live Keras, by the place of the class; bases are those of the record that is there."""
    known = record()
    return {
        place: {**known[place], **_answers(cls, known[place])} for place, cls in _classes().items() if place in known
    }


def _classes() -> dict[str, Any]:
    """The classes that Keras makes from configs, by place."""
    names = importlib.import_module("tests.model.buildability.live_names")
    places = {
        place
        for group in ("symbols", "modules")
        for of in getattr(names, f"_{group}")().values()
        for place in of.values()
    }
    constructors = {}
    for place in sorted(places):
        module, _, name = place.rpartition(".")
        cls = getattr(sys.modules.get(module), name, None) if module and ":" not in place else None
        if inspect.isclass(cls) and hasattr(cls, "from_config"):
            constructors[place] = cls
    return constructors


def _answers(cls: Any, known: dict[str, Any]) -> dict[str, Any]:
    base = known["base"]
    if not isinstance(base, dict) or not takes(cls, base):
        return {}
    asked = known.get("args") or dict.fromkeys([*base, *known["signature"]], "1" * len(BATTERY))
    return {
        **({"loose": takes_lists(cls, known)} if known["kind"] == "operation" else {}),
        "required": [key for key in base if not takes(cls, {name: base[name] for name in base if name != key})],
        "extra": [key for key, value in EXTRA.items() if key not in base and takes(cls, {**base, key: value})],
        "args": {
            key: "".join(
                "01"[takes(cls, {**base, key: value})] if bit != "?" else "?"
                for value, bit in zip(BATTERY, bits, strict=True)
            )
            for key, bits in asked.items()
        },
    }


def takes_lists(cls: Any, known: dict[str, Any]) -> bool:
    """Whether an operation may be called on a list of tensors, or on nothing that is tried here."""
    more = max(sum(argument.endswith("*") for argument in known["call"]) - 1, 0)
    tensors = [
        keras().KerasTensor(shape, dtype)
        for shape in ((3,), (3, 3), (2, 3, 3), (2, 3, 3, 3))
        for dtype in ("float32", "int32")
    ]
    is_called = any(_calls(cls, known["base"], [tensor] * (more + 1)) for tensor in tensors)
    return not is_called or any(_calls(cls, known["base"], [[tensor] * 2] + [tensor] * more) for tensor in tensors)


def _calls(cls: Any, config: dict[str, Any], inputs: list[Any]) -> bool:
    try:
        cls.from_config(copy.deepcopy(config))(*inputs)
    except Exception:
        return False
    return True


def takes(cls: Any, config: dict[str, Any]) -> bool:
    """Whether live Keras makes an object of a config, in safe mode."""
    library = keras().src.saving.serialization_lib
    try:
        with library.SafeModeScope(True):
            cls.from_config(copy.deepcopy(config))
    except Exception:
        return False
    return True


def record() -> dict[str, Any]:
    """The recorded answers."""
    return recorded("constructors").answers


@functools.cache
def rows() -> dict[str, dict[str, Any]]:
    """The rows of the table, from the record."""
    chosen: dict[tuple[str, str], str] = {}
    return {
        place: _row(place, known, chosen) for place, known in record().items() if _name(place) not in NOT_CONSTRUCTED
    }


def _row(place: str, known: dict[str, Any], chosen: dict[tuple[str, str], str]) -> dict[str, Any]:
    """The row of a class in the table."""
    rules = {key: _rule(place, known, key, chosen) for key in _arguments(known)}
    if not known["open"]:
        rules |= {
            key: PINNED.get((_name(place), key), "any") for key in known["extra"] if key not in rules and key != "zz"
        }
    by_rule: dict[str, list[str]] = {}
    for key, rule in sorted(rules.items()):
        by_rule.setdefault(rule, []).append(key)
    row = {
        "kind": known["kind"],
        "ranks": known.get("ranks"),
        **{key: known.get(key, False) for key in ("callable", "loose", "fixed", "open")},
        "call": " ".join(known.get("call", ())),
        "required": "" if _name(place) in NOT_REQUIRED else " ".join(known["required"]),
        "rules": {rule: " ".join(keys) for rule, keys in sorted(by_rule.items())},
    }
    return {key: value for key, value in row.items() if value not in (False, "", {}, None)}


def _name(place: str) -> str:
    return place.rpartition(".")[2]


def _arguments(known: dict[str, Any]) -> list[str]:
    """The arguments of a class: those of which it took some value, and those that its own config has."""
    args, base = known.get("args"), known["base"]
    if args is None:
        return sorted({*base, *known.get("signature", ())})
    return sorted(key for key, bits in args.items() if "1" in bits or key in base)


def _rule(place: str, known: dict[str, Any], key: str, chosen: dict[tuple[str, str], str]) -> str:
    """The rule of an argument: the one stated by hand, the words that it takes, or the one that fits the record."""
    name, bits = _name(place), known.get("args", {}).get(key)
    if key == "dtype" and known["kind"] == "operation":
        return "operation dtype"
    if key == "seed" and known["kind"] == "initializer":
        return "seed"
    hints = PINNED.get((name, key)) or known.get("words", {}).get(key)
    if hints:
        return hints
    hint = BY_NAME.get(key) or next(
        (rule for end, rule in BY_NAME.items() if end[0] == "_" and key.endswith(end)), None
    )
    if bits is None:
        return hint or "any"
    hint = hint or chosen.get(("", bits))
    if (key, bits) not in chosen:  # most classes share what they take with others
        chosen[key, bits] = chosen["", bits] = _fitting(name, known, key, bits, hint)
    return "dtype" if chosen[key, bits] == "dtype as it is" and known["kind"] == "layer" else chosen[key, bits]


def _fitting(name: str, known: dict[str, Any], key: str, bits: str, hint: str | None) -> str:
    """The rule whose answers are those of the record, or differ from them in three at most; any value where none."""
    best, fewest = "any", 4
    for rule in [*([hint] if hint else []), *(rule for rule in RULES if rule not in NOT_GUESSED)]:
        row, base = _row_of(known, key, rule), known["base"]
        if rule != "any" and key in base and not is_taken(name, known, key, row, base[key]):
            continue
        missed = sum(wrong for _, _, wrong in compared(name, known, key, rule, bits))
        if missed < fewest:
            best, fewest = rule, missed
        if not missed:
            break
    return best


def compared(name: str, known: dict[str, Any], key: str, rule: str, bits: str) -> list[tuple[Any, bool, bool]]:
    """For each value that Keras was asked about: the value, whether Keras took it, whether the rule says otherwise."""
    asked = [(value, bit == "1") for value, bit in zip(BATTERY, bits, strict=True) if bit != "?"]
    row = _row_of(known, key, rule)
    return [(value, taken, is_taken(name, known, key, row, value) != taken) for value, taken in asked]


def _row_of(known: dict[str, Any], key: str, rule: str) -> Row:
    """The row of a class whose other arguments take any value."""
    return Row(known["kind"], known["open"], rules={**dict.fromkeys(_arguments(known), "any"), key: rule})


def is_taken(name: str, known: dict[str, Any], key: str, row: Row, value: Any) -> bool:
    """Whether a class takes a value by its row, its other arguments being as in the base."""
    context = Context(STEPS)
    try:
        construction._arguments(name, row, {**known["base"], key: value}, context)
    except Refused:
        return False
    return not context.unknown


def text() -> str:
    """The table as the file holds it: a line for each class."""
    lines = ",\n".join(f"  {json.dumps(place)}: {json.dumps(row)}" for place, row in rows().items())
    return '{\n"classes": {\n' + lines + "\n}\n}\n"
