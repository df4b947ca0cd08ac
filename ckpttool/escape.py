"""Text from files made safe to show.

Names, versions and messages in a checkpoint may come from a stranger. None of them reaches a terminal, a log or an
error message before it has passed through `printable`. Long texts and long lists are cut, and say so.
"""

import reprlib
from collections.abc import Sequence
from typing import Any

_LINE = 120
_BRIEF = reprlib.Repr()
_BRIEF.maxtuple = _BRIEF.maxlist = _BRIEF.maxdict = _BRIEF.maxset = _BRIEF.maxfrozenset = 3
_BRIEF.maxstring, _BRIEF.maxother = 80, 50


def printable(text: str, limit: int = 2000) -> str:
    r"""The text on one line, every character that could act on a terminal written as an escape such as `\x1b`.

    Longer texts than `limit` characters are cut, and say so.
    """
    cut = text if len(text) <= limit else text[:limit]
    safe = cut if cut.isascii() and cut.isprintable() else "".join(map(_escaped, cut))
    return safe if len(text) <= limit else f"{safe}... ({len(text):,} characters)"


def first_of(texts: Sequence[str], most: int) -> str:
    """The first texts of a list, and how many more there are: `a, b, c and 14 more`."""
    return ", ".join(texts[:most]) + and_more(len(texts), most)


def and_more(count: int, most: int) -> str:
    """The end of a list of which at most so many entries are shown: ` and 14 more`, or nothing where that is all."""
    return f" and {count - most:,} more" if count > most else ""


def brief_text(text: str) -> str:
    """The `repr` of a text, without its middle where it is long."""
    return _BRIEF.repr(text)


def brief(record: Any) -> str:
    """The `repr` of a dataclass or named tuple on one line, cut where it is long: its class and the fields that are not
    as by default."""
    if hasattr(record, "_fields"):
        fields = {name: record._field_defaults.get(name, _LINE) for name in record._fields}
    else:
        fields = {name: field.default for name, field in record.__dataclass_fields__.items() if field.repr}
    values = ((name, getattr(record, name), default) for name, default in fields.items())
    shown = ", ".join(f"{name}={_BRIEF.repr(value)}" for name, value, default in values if value is not default)
    line = f"{type(record).__name__}({shown})"
    return line if len(line) <= _LINE else f"{line[: _LINE - 4]}...)"


def _escaped(char: str) -> str:
    if char.isprintable():  # neither control, format (bidi, zero width), surrogate, private use, nor separator
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8, as surrogateescape decodes it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
