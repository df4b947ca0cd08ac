"""The policy of a project: which rules count, which severity fails a check, thresholds and requirements."""

import fnmatch
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from ckpttool.checks.requirements import Requirements, Thresholds
from ckpttool.checks.rule import Severity
from ckpttool.escape import brief

ALL = "ALL"
"""Stands for every rule."""

FAIL_ON: dict[str, Severity | None] = {
    "error": Severity.ERROR,
    "safety": None,
    "warning": Severity.WARNING,
    "info": Severity.INFO,
}
"""The least severity that fails a check, by name, from the laxest to the strictest. `safety` stands for errors, and
warnings about safety."""

# Marks of fields, by which `configuration` knows what the texts in them mean.
CODES = {"meaning": "codes"}
"""Marks fields of codes, or beginnings of codes."""
GLOB = {"meaning": "glob"}
"""Marks globs of paths; in a configuration file, a relative one is relative to the directory of that file."""
TEXT = {"meaning": "text"}
"""Marks fields that must not be blank."""


@dataclass(frozen=True, slots=True)
class PathIgnore:
    """Rules that do not count in the checkpoints that a glob matches, by name or by path, and why they do not."""

    paths: str = field(metadata=GLOB)
    codes: tuple[str, ...] = field(metadata=CODES)
    reason: str = field(metadata=TEXT)

    __repr__ = brief

    def covers(self, path: str, code: str) -> bool:
        """Whether the entry ignores this rule in this checkpoint."""
        return _longest(code, self.codes) >= 0 and self.matches(path)

    def matches(self, path: str) -> bool:
        """Whether its glob matches the path as given, the whole path, or the name alone; `*` crosses slashes."""
        names = (path, os.path.abspath(path), os.path.basename(path))
        return any(fnmatch.fnmatchcase(name.replace(os.sep, "/"), self.paths) for name in names)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that count, by codes or the beginnings of codes; `ALL` is every rule.

    A rule counts where the longest entry for it is in `select` and not in `ignore`. `fail_on` is the least severity
    that makes the verdict "findings"; None stands for errors, and warnings about safety. With `allow_empty` it is fine
    that there is nothing to check.
    """

    select: tuple[str, ...] = field(default=(ALL,), metadata=CODES)
    ignore: tuple[str, ...] = field(default=(), metadata=CODES)
    fail_on: Severity | None = None
    allow_empty: bool = False
    per_path_ignores: tuple[PathIgnore, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    requirements: Requirements = field(default_factory=Requirements)

    __repr__ = brief

    def counts(self, code: str) -> bool:
        """Whether a rule counts."""
        return _longest(code, self.select) > _longest(code, self.ignore)

    def asks_for(self, code: str) -> bool:
        """Whether a rule that is silent by default counts, because its code or the beginning of it is selected."""
        return self.counts(code) and _longest(code, self.select) > 0

    def not_counting(self, codes: Iterable[str]) -> tuple[str, ...]:
        """The codes, of these, whose rules do not count."""
        return tuple(code for code in codes if not self.counts(code))

    def reason_to_ignore(self, path: str, code: str) -> str | None:
        """The reason for which a rule is ignored in one checkpoint; None where it is not."""
        return next((ignore.reason for ignore in self.per_path_ignores if ignore.covers(path, code)), None)


EVERYTHING = Policy()


def _longest(code: str, entries: Iterable[str]) -> int:
    """The length of the longest entry that stands for a code; -1 where none does."""
    return max((0 if entry == ALL else len(entry) for entry in entries if _stands_for(entry, code)), default=-1)


def _stands_for(entry: str, code: str) -> bool:
    return entry == ALL or bool(entry and code.startswith(entry))
