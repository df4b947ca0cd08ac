"""The formula of a Lambda layer's stored code, where it is plain arithmetic, else its arguments and the names that it
uses. The code is read as data and never run."""

import base64
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ckpttool.conversion.config.bytecode.arithmetic import MAX_TEXT, Formula, formula, number_text
from ckpttool.conversion.config.bytecode.code_objects import MAX_BYTES, Code, read
from ckpttool.conversion.config.bytecode.instructions import VERSIONS, Version
from ckpttool.escape import printable

__all__ = ["StoredFunction"]

_MAX_NAMES = 8  # of others that are shown
_CODE_OBJECT = ("c", "\xe3")  # how marshalled code begins, where it is not in base64


class StoredFunction:
    """The function of a Lambda layer as Keras stored it: by its name, or as code, which is read once."""

    def __init__(self, function: Any) -> None:
        self._code, self._defaults = _parts(function)

    @cached_property
    def _codes(self) -> tuple[tuple[Version, Code], ...]:
        """The code as each version of Python that can read it has it: it does not say which one wrote it."""
        raw = _bytes(self._code) if isinstance(self._code, str) else None
        codes = [(version, _read(version, raw)) for version in VERSIONS] if raw else []
        return tuple((version, code) for version, code in codes if code is not None)

    def formula(self, arguments: Any = None) -> str | None:
        """The formula of the code, with the `arguments` of its layer; None where the code is more than arithmetic, or
        cannot be read, or not in the same way by all versions of Python."""
        formulas = {_formula(version, code) for version, code in self._codes} - {None}
        expression = formulas.pop() if len(formulas) == 1 else None
        if expression is None:
            return None
        values = {**_defaults(expression, self._defaults), **(arguments if isinstance(arguments, Mapping) else {})}
        numbers = [(name, number_text(values.get(name))) for name in expression.used]
        if any(number is None for _, number in numbers):
            return None
        notes = [", ".join(f"{name}={number}" for name, number in numbers)] if numbers else []
        notes += ["in Python 2, whose / of integers rounds down"] if expression.rounds else []
        text = expression.text + (f" ({'; '.join(notes)})" if notes else "")
        return printable(text) if len(text) <= MAX_TEXT else None

    def signature(self, arguments: Any = None) -> str | None:
        """The name and the arguments of the function, as it is called by a layer with these `arguments`, and the names
        that it uses; None where the code is no plain function's, or cannot be read."""
        texts = {_signature(code, self._defaults, arguments) for _, code in self._codes}
        return printable(texts.pop(), MAX_TEXT) if len(texts) == 1 else None

    def may_take(self, argument: str) -> bool:
        """Whether the function takes an argument of this name. One whose code cannot be read, or that is stored by its
        name, may."""
        return not self._codes or any(argument in code.variables for _, code in self._codes)


def _signature(code: Code, defaults: Any, arguments: Any) -> str:
    """The signature of a function of plain Python, and the names that its code uses."""
    names = code.variables[: code.argument_count]
    stored = defaults if isinstance(defaults, list) and len(defaults) <= len(names) else []
    values = dict(zip(names[len(names) - len(stored) :], stored, strict=True))
    values |= arguments if isinstance(arguments, Mapping) else {}
    listed = ", ".join(f"{name}={_value(values[name])}" if name in values else name for name in names)
    of = f"lambda {listed}" if code.name == "<lambda>" else f"{code.name}({listed})"
    used = ", ".join(dict.fromkeys(code.names[:_MAX_NAMES])) + (", ..." if len(code.names) > _MAX_NAMES else "")
    return f"{of} that uses {used}" if used else of


def _value(value: Any) -> str:
    """The value of an argument, as far as it is short."""
    plain = value is None or isinstance(value, bool | str)
    return f"{value!r:.30}" if plain else number_text(value) or "..."


def _parts(function: Any) -> tuple[Any, Any]:
    """The code of a function and the defaults of its arguments, in whichever form Keras wrote them: the code alone,
    with both and a closure in a list (Keras 1 and 2), or in an entry of class `__lambda__` (from 2.13 on)."""
    if isinstance(function, Mapping) and function.get("class_name") == "__lambda__":
        config = function.get("config")
        if isinstance(config, Mapping):
            function = config.get("value", [config.get("code"), config.get("defaults"), config.get("closure")])
    if isinstance(function, list) and len(function) == 3 and not function[2]:
        return function[0], function[1]
    return function, None


def _defaults(formula: Formula, values: Any) -> dict[str, Any]:
    if not isinstance(values, list) or len(values) > len(formula.arguments):
        return {}
    return dict(zip(formula.arguments[len(formula.arguments) - len(values) :], values, strict=True))


def _formula(version: Version, code: Code) -> Formula | None:
    try:
        return formula(code, version)
    except ValueError:  # more than arithmetic
        return None


def _read(version: Version, raw: bytes) -> Code | None:
    try:
        return read(raw, version.layout)
    except ValueError:  # not the code of this version, damaged, or of a function with *args
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
