"""The instructions of Python's bytecode that plain arithmetic uses, version by version.

The numbers are those of CPython's `Lib/opcode.py` (2.7 to 3.12) and `Include/opcode_ids.h` (3.13), those of BINARY_OP
from `_nb_ops` there, and the caches behind instructions from `_inline_cache_entries`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ckpttool.conversion.config.bytecode.code_objects import PYTHON_2, PYTHON_3, PYTHON_3_8, PYTHON_3_11, Layout

MAX_INSTRUCTIONS = 256

_HAVE_ARGUMENT = 90  # in versions whose instructions have one byte or three


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction: its effect, as a phrase or an operator, and its argument."""

    does: str
    argument: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """Versions of Python with the same bytecode: the effect of each number, the units of cache after it, whether all
    instructions have two bytes, and whether `/` of two integers rounds down."""

    layout: Layout
    operations: Mapping[int, str]
    caches: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    two_bytes: bool = True
    rounds: bool = False


_BINARY = {19: "**", 20: "*", 22: "%", 23: "+", 24: "-", 25: "subscript", 26: "//", 27: "/"}
_IN_PLACE = {28: "//", 29: "/", 55: "+", 56: "-", 57: "*", 59: "%", 67: "**"}
_COMMON = {9: "nothing", 11: "negative", 83: "return", 100: "constant", 102: "tuple", 124: "load", 125: "store"}
_SLICES = {30: "slice", 31: "slice from", 32: "slice to", 33: "slice both"}
_BEFORE_3_11 = {**_COMMON, **_BINARY, **_IN_PLACE, 133: "build slice"}
_FROM_3_11 = {**_COMMON, 25: "subscript", 122: "binary", 133: "build slice", 151: "nothing"}
_3_13 = {
    **{4: "slice both", 5: "subscript", 30: "nothing", 36: "return", 42: "negative", 45: "binary", 50: "build slice"},
    **{52: "tuple", 83: "constant", 85: "load", 88: "load load", 110: "store", 111: "store load", 149: "nothing"},
}

_OPERATORS = ("+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^")  # of BINARY_OP; in place from 13 on

VERSIONS = (
    Version(PYTHON_2, {**_BEFORE_3_11, **_SLICES, 21: "/ rounding", 58: "/ rounding"}, two_bytes=False),
    Version(PYTHON_3, _BEFORE_3_11, two_bytes=False),  # up to 3.5
    Version(PYTHON_3, _BEFORE_3_11),
    Version(PYTHON_3_8, _BEFORE_3_11),
    Version(PYTHON_3_11, _FROM_3_11, {25: 4, 122: 1}),
    Version(PYTHON_3_11, {**_FROM_3_11, 26: "slice both"}, {25: 1, 122: 1}),  # 3.12
    Version(PYTHON_3_11, _3_13, {5: 1, 45: 1}),
)


def instructions(code: bytes, version: Version) -> Iterator[Instruction]:
    """The instructions of a function. Raises ValueError for one that is not arithmetic."""
    place = count = 0
    while place < len(code):
        count += 1
        if code[place] not in version.operations or count > MAX_INSTRUCTIONS:
            raise ValueError("more than arithmetic")
        end = place + (2 if version.two_bytes else 3 if code[place] >= _HAVE_ARGUMENT else 1)
        after = end + 2 * version.caches.get(code[place], 0)
        if after > len(code) or any(code[end:after]):
            raise ValueError("cut short")
        argument = int.from_bytes(code[place + 1 : end], "little")
        yield from _steps(version.operations[code[place]], argument)
        place = after


def _steps(does: str, argument: int) -> Iterator[Instruction]:
    """An instruction, or both of a double instruction."""
    if does == "binary":
        if argument >= 2 * len(_OPERATORS):
            raise ValueError("no operator")
        yield Instruction(_OPERATORS[argument % len(_OPERATORS)])
    elif " load" in does:
        yield Instruction(does.split()[0], argument >> 4)
        yield Instruction("load", argument & 15)
    else:
        yield Instruction(does, argument)
