"""A rule, and what it found: the words in which every family of checks speaks."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How much a finding weighs: `INFO` is worth knowing, `WARNING` worth a look, `ERROR` should not be deployed."""

    INFO = 1
    WARNING = 2
    ERROR = 3


SAFETY = "safety"
"""The family of rules whose warnings fail a check by default."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for.

    `code` and `name` are stable, such as S101 and lambda-code. `finds` says in a sentence what it finds, `why` why that
    matters, `remedy` what to do next. The severity is the rule's and never depends on what a file claims of itself.
    """

    code: str
    name: str
    family: str
    severity: Severity
    finds: str
    why: str
    remedy: str

    def fails(self, fail_on: Severity | None) -> bool:
        """Whether what it finds fails a check: from this severity on; with None errors, and warnings about safety."""
        if fail_on is None:
            return self.severity >= (Severity.WARNING if self.family == SAFETY else Severity.ERROR)
        return self.severity >= fail_on


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule broken at one place: `where` is a weight, a layer, a member or a place in the config, empty for the whole
    file; `detail` says what is there."""

    rule: Rule
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that a check could not look at, and why."""

    where: str
    why: str


Told = Finding | Unchecked
"""What a check yields."""
