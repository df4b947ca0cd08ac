"""Marshalled code objects of Python, read as data: bytes in, names, numbers and instructions out, never a code object.

The types are those of CPython's `Python/marshal.c` (2.7, and 3.4 to 3.13: versions 2 and 4 of the format), the fields
those that its `w_object` writes of a code object.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import EllipsisType, MappingProxyType
from typing import Any

from ckpttool.io import scalars

MAX_BYTES = 1 << 16

Value = bool | int | float | str | bytes | EllipsisType | tuple["Value", ...] | None

_MAX_DEPTH = 8
_MAX_DIGITS = 20  # of 15 bits
_LARGE_STACK = 1 << 10
_BEING_READ = object()  # stands for a tuple until all of it is read, so that none contains itself
_FLAG_REF = 0x80
_NO_PLAIN_FUNCTION = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200  # *args, **kwargs, generators, coroutines
_PLAIN_LOCAL = 0x20


@dataclass(frozen=True, slots=True)
class Layout:
    """The order of the fields of a code object, and the types that the Python of that time wrote."""

    fields: tuple[str, ...]
    types: str
    references: bool = True


@dataclass(frozen=True, slots=True)
class Code:
    """The content of a code object: variables, of which the first are the arguments, constants and instructions; the
    name of the function, and the names of others that it uses: of what is global, and of attributes."""

    argument_count: int
    variables: tuple[str, ...]
    constants: tuple[Value, ...]
    instructions: bytes
    name: str = ""
    names: tuple[str, ...] = ()


_TYPES_3 = "NFT.ilgstuaAzZ()r"
_END_2 = ("code", "consts", "names", "varnames", "freevars", "cellvars", "filename", "name", "firstlineno", "lnotab")
_NAMES_3 = ("code", "consts", "names", "localsplusnames", "localspluskinds", "filename", "name", "qualname")

PYTHON_2 = Layout(("argcount", "nlocals", "stacksize", "flags", *_END_2), "NFT.ilfgstuR(", references=False)
PYTHON_3 = Layout(("argcount", "kwonlyargcount", "nlocals", "stacksize", "flags", *_END_2), _TYPES_3)
PYTHON_3_8 = Layout(("argcount", "posonlyargcount", *PYTHON_3.fields[1:]), _TYPES_3)
PYTHON_3_11 = Layout(
    (
        *("argcount", "posonlyargcount", "kwonlyargcount", "stacksize", "flags", *_NAMES_3),
        *("firstlineno", "linetable", "exceptiontable"),
    ),
    _TYPES_3,
)

_KINDS: Mapping[str, type | tuple[type, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("code", "localspluskinds", "exceptiontable", "linetable"), bytes),
        **dict.fromkeys(("consts", "names", "varnames", "freevars", "cellvars", "localsplusnames"), tuple),
        **dict.fromkeys(("filename", "name", "qualname", "lnotab"), (bytes, str)),
    }
)
_LISTS_OF_NAMES = ("names", "varnames", "freevars", "cellvars", "localsplusnames")


def read(raw: bytes, layout: Layout) -> Code:
    """The code object of one plain function. Raises ValueError where the bytes are not all of one in this layout."""
    if len(raw) > MAX_BYTES:
        raise ValueError("too long")
    reader = _Reader(raw, layout)
    reader.start()
    fields = {name: reader.value(0) if name in _KINDS else reader.number() for name in layout.fields}
    if reader.place != len(raw):
        raise ValueError("more than a code object")
    return _checked(fields)


def _checked(fields: Mapping[str, Any]) -> Code:
    variables = fields.get("localsplusnames", fields.get("varnames"))
    right = all(isinstance(fields[name], kind) for name, kind in _KINDS.items() if name in fields)
    if not right or not all(isinstance(text, str) for name in _LISTS_OF_NAMES for text in fields.get(name, ())):
        raise ValueError("fields of other types")
    if fields.get("freevars") or fields.get("cellvars") or fields.get("exceptiontable"):
        raise ValueError("a closure, or exceptions that are caught")
    if any(kind != _PLAIN_LOCAL for kind in fields.get("localspluskinds", b"")):
        raise ValueError("variables of a closure")
    counts = (fields.get("nlocals", len(variables)), len(fields.get("localspluskinds", variables)))
    if counts != (len(variables), len(variables)) or len(set(variables)) < len(variables):
        raise ValueError("another number of variables than names")
    count = fields["argcount"]
    if not 1 <= count <= len(variables) or not 0 <= fields.get("posonlyargcount", 0) <= count:
        raise ValueError("no argument, or more than variables")
    plain = fields["flags"] >= 0 and not fields["flags"] & _NO_PLAIN_FUNCTION and not fields.get("kwonlyargcount")
    if not plain or not 0 < fields["stacksize"] < _LARGE_STACK:
        raise ValueError("no plain function")
    name = fields["name"]
    text = name if isinstance(name, str) else name.decode("latin-1")
    return Code(count, variables, fields["consts"], fields["code"], text, fields["names"])


@dataclass(slots=True)
class _Reader:
    """The bytes from `place` on, with the values that later ones may refer to."""

    raw: bytes
    layout: Layout
    place: int = 0
    references: list[Any] = field(default_factory=list)
    interned: list[Any] = field(default_factory=list)

    def start(self) -> None:
        """Take the type of a code object, which is the first value that others may refer to."""
        first = self.take(1)[0]
        if first & ~_FLAG_REF != ord("c"):
            raise ValueError("no code object")
        if first & _FLAG_REF:
            self.references.append(_BEING_READ)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= len(self.raw) - self.place:
            raise ValueError("cut short")
        self.place += count
        return self.raw[self.place - count : self.place]

    def number(self) -> int:
        """A number of 4 bytes."""
        return int.from_bytes(self.take(4), "little", signed=True)

    def value(self, depth: int) -> Value:
        """The next value."""
        byte = self.take(1)[0]
        kind, flagged = chr(byte & ~_FLAG_REF), bool(byte & _FLAG_REF)
        if kind not in self.layout.types or depth > _MAX_DEPTH:
            raise ValueError("a value that no plain function has")
        if flagged and (kind in "NFT.r" or not self.layout.references):
            raise ValueError("a reference to what is never referred to")
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if not flagged:
            return self.content(kind, depth)
        index = len(self.references)
        self.references.append(_BEING_READ)
        self.references[index] = self.content(kind, depth)
        return self.references[index]  # type: ignore[no-any-return]

    def content(self, kind: str, depth: int) -> Value:
        """A value of this type."""
        if kind in "()":
            count = self.number() if kind == "(" else self.take(1)[0]
            if not 0 <= count <= len(self.raw) - self.place:  # each value takes a byte at least
                raise ValueError("cut short")
            return tuple(self.value(depth + 1) for _ in range(count))
        return _READERS[kind](self)


def _referred(reader: _Reader, values: list[Any]) -> Value:
    index = reader.number()
    if not 0 <= index < len(values) or values[index] is _BEING_READ:
        raise ValueError("a reference to nothing")
    return values[index]  # type: ignore[no-any-return]


def _long(reader: _Reader) -> int:
    count = reader.number()
    if abs(count) > _MAX_DIGITS:
        raise ValueError("a number of too many digits")
    digits = struct.unpack(f"<{abs(count)}H", reader.take(2 * abs(count)))
    if any(digit >> 15 for digit in digits):
        raise ValueError("a digit of more than 15 bits")
    number: int = sum(digit << (15 * place) for place, digit in enumerate(digits))
    return number if count >= 0 else -number


def _text_float(reader: _Reader) -> float:
    text = reader.take(reader.take(1)[0]).decode("ascii")
    number = scalars.decimal(text)
    if number is None:
        raise ValueError("no number")
    return number


def _binary_float(reader: _Reader) -> float:
    number: float = struct.unpack("<d", reader.take(8))[0]
    return number if math.isfinite(number) else math.nan


def _text(reader: _Reader) -> str:
    return reader.take(reader.number()).decode("utf-8", "surrogatepass")


def _interned(reader: _Reader) -> str:
    """An interned string; in Python 2 these are bytes, with reference numbers of their own."""
    if reader.layout.references:
        return _text(reader)
    reader.interned.append(reader.take(reader.number()).decode("latin-1"))
    return str(reader.interned[-1])


_CONSTANTS: Mapping[str, bool | EllipsisType | None] = MappingProxyType({"N": None, "F": False, "T": True, ".": ...})
_READERS: Mapping[str, Callable[[_Reader], Value]] = MappingProxyType(
    {
        "i": _Reader.number,
        "l": _long,
        "f": _text_float,
        "g": _binary_float,
        "s": lambda reader: reader.take(reader.number()),
        "t": _interned,
        "u": _text,
        **dict.fromkeys("aA", lambda reader: reader.take(reader.number()).decode("ascii")),
        **dict.fromkeys("zZ", lambda reader: reader.take(reader.take(1)[0]).decode("ascii")),
        "r": lambda reader: _referred(reader, reader.references),
        "R": lambda reader: _referred(reader, reader.interned),
    }
)
