"""Rules, their severity, and the outcomes of checks: findings, and places that could not be checked."""

from dataclasses import dataclass
from enum import IntEnum

from ckpttool.escape import brief


class Severity(IntEnum):
    """The severity of a rule: `INFO` is worth knowing, `WARNING` worth a look, `ERROR` should not be deployed."""

    INFO = 1
    WARNING = 2
    ERROR = 3


SAFETY = "safety"
"""The family of rules whose warnings fail a check by default."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: one kind of problem that checkpoints are searched for.

    `code` and `name` are stable, such as S101 and lambda-code. `finds` describes the problem in a sentence, `why` says
    why it matters, `remedy` what to do next. The severity is the rule's and never depends on what a file claims of
    itself.
    """

    code: str
    name: str
    family: str
    severity: Severity
    finds: str
    why: str
    remedy: str

    __repr__ = brief

    def fails(self, fail_on: Severity | None) -> bool:
        """Whether its findings fail a check: from this severity on; with None errors, and warnings about safety."""
        if fail_on is None:
            return self.severity >= (Severity.WARNING if self.family == SAFETY else Severity.ERROR)
        return self.severity >= fail_on


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of a rule at one place: `where` is a weight, a layer, a member or a place in the config, empty for the
    whole file; `detail` describes the breach."""

    rule: Rule
    where: str
    detail: str

    __repr__ = brief


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A place that could not be checked, and why."""

    where: str
    why: str


Outcome = Finding | Unchecked
"""The outcomes that a check yields."""
