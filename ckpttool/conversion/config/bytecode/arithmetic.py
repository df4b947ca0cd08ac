"""Straight-line arithmetic as an expression: the instructions of a function, followed with texts in place of values."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from types import EllipsisType, MappingProxyType

from ckpttool.conversion.config.bytecode.code_objects import Code, Value
from ckpttool.conversion.config.bytecode.instructions import Instruction, Version, instructions

MAX_TEXT = 200

_MAX_STACK = 32
_LARGEST = 1 << 63

# The precedence of the outermost operator of a text. A mere index is no number, and has no operators.
_INDEX, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(6)
_LEVELS: Mapping[str, int] = MappingProxyType(
    {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT, "**": _POWER}
)


@dataclass(frozen=True, slots=True)
class Formula:
    """The formula that a function computes, as a text. `arguments` are those of the function, `used` those in the
    formula beside the first; it `rounds` where a division in it rounds down if both numbers are integers (`/` of
    Python 2)."""

    text: str
    arguments: tuple[str, ...]
    used: tuple[str, ...]
    rounds: bool


@dataclass(frozen=True, slots=True)
class Term:
    """A part of an expression; `whole` where it may be an integer, `constant` where it has no argument in it."""

    text: str
    level: int = _ATOM
    whole: bool = False
    constant: bool = False

    def __post_init__(self) -> None:
        if len(self.text) > MAX_TEXT:
            raise ValueError("too long an expression")

    def within(self, level: int) -> str:
        """The text, in parentheses where it binds less tightly than this. Raises ValueError for a mere index."""
        if self.level == _INDEX:
            raise ValueError("an index as a number")
        return self.text if self.level >= level else f"({self.text})"


def formula(code: Code, version: Version) -> Formula:
    """The formula of a function. Raises ValueError where it is not plain arithmetic."""
    machine = _Machine(code)
    steps = list(instructions(code.instructions, version))
    if not steps or steps.pop().does != "return":
        raise ValueError("no end")
    for step in steps:
        if step.does not in _STEPS:
            raise ValueError("more than arithmetic")
        _STEPS[step.does](machine, step)
    text = machine.pop().within(_SUM)
    if machine.stack:
        raise ValueError("values that nothing takes")
    arguments = code.variables[: code.argument_count]
    used = tuple(name for place, name in enumerate(arguments) if place and place in machine.used)
    return Formula(text, arguments, used, machine.rounds)


def number_text(value: object) -> str | None:
    """A number as it is written, None for what is no number or too large a one."""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    return repr(value) if isinstance(value, int) and abs(value) < _LARGEST else None


@dataclass(slots=True)
class _Machine:
    """The stack and the variables of a function, with texts as values. `used` are the indices of the arguments in
    use."""

    code: Code
    stack: list[Term] = field(default_factory=list)
    variables: dict[int, Term] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    rounds: bool = False

    def push(self, term: Term) -> None:
        """Put a value on the stack."""
        if len(self.stack) >= _MAX_STACK:
            raise ValueError("too many values")
        self.stack.append(term)

    def pop(self) -> Term:
        """Take the last value from the stack."""
        if not self.stack:
            raise ValueError("no value to take")
        return self.stack.pop()

    def pop_several(self, count: int) -> list[Term]:
        """Take the last values from the stack, in the order in which they came."""
        if not 0 < count <= len(self.stack):
            raise ValueError("no values to take")
        return [self.pop() for _ in range(count)][::-1]


def _load(machine: _Machine, step: Instruction) -> None:
    place = step.argument
    if place in machine.variables:
        return machine.push(machine.variables[place])
    if place >= machine.code.argument_count:
        raise ValueError("a variable without a value")
    name = machine.code.variables[place]
    if not name.isidentifier() or iskeyword(name):
        raise ValueError("no name of an argument")
    machine.used.add(place)
    return machine.push(Term(name, whole=True))


def _store(machine: _Machine, step: Instruction) -> None:
    if step.argument >= len(machine.code.variables):
        raise ValueError("no such variable")
    machine.variables[step.argument] = machine.pop()


def _constant(machine: _Machine, step: Instruction) -> None:
    if step.argument >= len(machine.code.constants):
        raise ValueError("no such constant")
    machine.push(_term_of(machine.code.constants[step.argument]))


def _term_of(value: Value) -> Term:
    text = number_text(value)
    if isinstance(value, int | float) and text is not None:
        return Term(text, _SIGN if text.startswith("-") else _ATOM, not isinstance(value, float), True)
    if isinstance(value, tuple) and value:
        return _tuple_of([_index_of(item) for item in value])
    return _index_of(value)


def _index_of(value: Value) -> Term:
    text = number_text(value)
    if value is None or isinstance(value, EllipsisType):
        text = "None" if value is None else "..."
    if text is None:
        raise ValueError("a constant that is no number")
    return Term(text, _INDEX)


def _tuple_of(parts: list[Term]) -> Term:
    return Term(", ".join(part.text for part in parts) + ("," if len(parts) == 1 else ""), _INDEX)


def _tuple(machine: _Machine, step: Instruction) -> None:
    parts = machine.pop_several(step.argument)
    if any("," in part.text for part in parts):
        raise ValueError("a tuple in a tuple")
    machine.push(_tuple_of(parts))


def _build_slice(machine: _Machine, step: Instruction) -> None:
    if step.argument not in (2, 3):
        raise ValueError("no slice")
    machine.push(_slice_of(machine.pop_several(step.argument)))


def _slice_of(ends: list[Term]) -> Term:
    texts = ["" if end.text == "None" else end.text for end in ends]
    if any("," in text or ":" in text for text in texts):
        raise ValueError("no end of a slice")
    return Term(":".join(texts), _INDEX)


def _subscript(machine: _Machine, step: Instruction) -> None:
    index, value = machine.pop(), machine.pop()
    if value.constant:
        raise ValueError("a part of a number")
    machine.push(Term(f"{value.within(_ATOM)}[{index.text}]", whole=value.whole))


def _slice(machine: _Machine, step: Instruction) -> None:
    """The slice instructions of Python 2, and BINARY_SLICE, whose ends are on the stack."""
    on_stack = {"slice": (), "slice from": (0,), "slice to": (1,), "slice both": (0, 1)}[step.does]
    ends = [Term("None", _INDEX), Term("None", _INDEX)]
    for place in reversed(on_stack):
        ends[place] = machine.pop()
    machine.push(_slice_of(ends))
    _subscript(machine, step)


def _negative(machine: _Machine, step: Instruction) -> None:
    value = machine.pop()
    machine.push(Term(f"-{value.within(_SIGN)}", _SIGN, value.whole, value.constant))


def _binary(machine: _Machine, step: Instruction) -> None:
    right, left = machine.pop(), machine.pop()
    operator, whole, constant = step.does, left.whole and right.whole, left.constant and right.constant
    if operator == "/ rounding":
        operator = "//" if whole and constant else "/"
        machine.rounds |= whole and not constant
    if operator == "**" and constant:  # the compiler computes these, unless Python 2's division in them may round
        raise ValueError("a power of numbers")
    level = _LEVELS[operator]
    before = left.within(_ATOM if operator == "**" else level)
    behind = right.within(_SIGN if operator == "**" else level + 1)
    whole = whole and step.does != "/"
    machine.push(Term(f"{before} {operator} {behind}", level, whole, constant))


_STEPS: Mapping[str, Callable[[_Machine, Instruction], None]] = MappingProxyType(
    {
        "load": _load,
        "store": _store,
        "constant": _constant,
        "negative": _negative,
        "subscript": _subscript,
        "tuple": _tuple,
        "build slice": _build_slice,
        **dict.fromkeys(("slice", "slice from", "slice to", "slice both"), _slice),
        **dict.fromkeys((*_LEVELS, "/ rounding"), _binary),
        "nothing": lambda machine, step: None,
    }
)
