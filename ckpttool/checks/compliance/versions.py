"""Ranges of versions, such as ">=3.0,<4": comparisons, all of which have to be true."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from ckpttool.errors import CheckpointError
from ckpttool.io import scalars

_OPERATORS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\d{1,9}(?:\.\d{1,9}){0,5})\s*")
_VERSION = re.compile(r"\d{1,9}(\.\d{1,9})*")
_PARTS = 6  # numbers of a version that are compared


@dataclass(frozen=True, slots=True)
class Range:
    """A range of versions: pairs of an operator and the numbers of a version."""

    clauses: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def of(cls, text: str) -> "Range":
        """The range that a text states. Raises CheckpointError."""
        matches = [_CLAUSE.fullmatch(part) for part in text.split(",")]
        if None in matches:
            raise CheckpointError(f"{text!r} is no range of versions", expected='comparisons such as ">=3.0,<4"')
        return cls(tuple((clause[1], _numbers(clause[2])) for clause in matches if clause))

    def __contains__(self, version: str) -> bool:
        numbers = _numbers(version)
        return all(_OPERATORS[sign](numbers, bound) for sign, bound in self.clauses)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, filled up with zeros: 3.0 is equal to 3.0.0, and 2.2.4-tf to 2.2.4."""
    match = _VERSION.match(version)
    numbers = list(scalars.version_numbers(match[0], _PARTS)) if match else []
    return tuple(numbers + [0] * (_PARTS - len(numbers)))
