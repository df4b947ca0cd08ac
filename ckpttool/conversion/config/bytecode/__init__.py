"""What the stored code of a Lambda layer computes, where that is plain arithmetic: read as data, and never run."""

import base64
from collections.abc import Mapping
from typing import Any

from ckpttool.conversion.config.bytecode.arithmetic import MAX_TEXT, Formula, formula, number_text
from ckpttool.conversion.config.bytecode.code_objects import MAX_BYTES, read
from ckpttool.conversion.config.bytecode.instructions import VERSIONS, Version
from ckpttool.escape import printable

__all__ = ["computed"]

_CODE_OBJECT = ("c", "\xe3")  # how marshalled code begins, where it is not in base64


def computed(function: Any, arguments: Any = None) -> str | None:
    """What a function computes that Keras stored as code, given the `arguments` of its layer: an expression, None
    where the code is more than arithmetic, or not to be read."""
    code, defaults = _parts(function)
    found = _formula(code) if isinstance(code, str) else None
    if found is None:
        return None
    stated = {**_defaults(found, defaults), **(arguments if isinstance(arguments, Mapping) else {})}
    given = [(name, number_text(stated.get(name))) for name in found.used]
    if any(value is None for _, value in given):
        return None
    notes = [", ".join(f"{name}={value}" for name, value in given)] if given else []
    notes += ["in Python 2, whose / of integers rounds down"] if found.rounds else []
    text = found.text + (f" ({'; '.join(notes)})" if notes else "")
    return printable(text) if len(text) <= MAX_TEXT else None


def _parts(function: Any) -> tuple[Any, Any]:
    """The code of a function and the defaults of its arguments, in whichever form Keras wrote them: the code alone,
    with both and a closure in a list (Keras 1 and 2), or in an entry of class `__lambda__` (from 2.13 on)."""
    if isinstance(function, Mapping) and function.get("class_name") == "__lambda__":
        held = function.get("config")
        if isinstance(held, Mapping):
            function = held.get("value", [held.get("code"), held.get("defaults"), held.get("closure")])
    if isinstance(function, list) and len(function) == 3 and not function[2]:
        return function[0], function[1]
    return function, None


def _defaults(found: Formula, values: Any) -> dict[str, Any]:
    if not isinstance(values, list) or len(values) > len(found.arguments):
        return {}
    return dict(zip(found.arguments[len(found.arguments) - len(values) :], values, strict=True))


def _formula(text: str) -> Formula | None:
    """What marshalled code computes. The version of Python is not stated: those that can read it must agree."""
    raw = _bytes(text)
    found = {_by(version, raw) for version in VERSIONS} - {None} if raw else set()
    return found.pop() if len(found) == 1 else None


def _by(version: Version, raw: bytes) -> Formula | None:
    try:
        return formula(read(raw, version.layout), version)
    except ValueError:  # not the code of this version, damaged, or more than arithmetic
        return None


def _bytes(text: str) -> bytes | None:
    """Marshalled code as `func_dump` of Keras wrote it: each byte as a character up to Keras 2.0, base64 since."""
    if len(text) > 2 * MAX_BYTES:
        return None
    if text.startswith(_CODE_OBJECT):
        return text.encode("raw_unicode_escape")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None
