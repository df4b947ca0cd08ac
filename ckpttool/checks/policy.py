"""What a project asks of its checkpoints: which rules count, from which severity on, and what it requires."""

import fnmatch
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from ckpttool.checks.requirements import Requirements, Thresholds
from ckpttool.checks.rule import Severity

ALL = "ALL"
"""Stands for every rule."""

FAIL_ON: dict[str, Severity | None] = {
    "error": Severity.ERROR,
    "safety": None,
    "warning": Severity.WARNING,
    "info": Severity.INFO,
}
"""What can fail a check, by name, from the laxest to the strictest: `safety` is errors, and warnings about safety."""

CODES = {"holds": "codes"}
"""Marks fields of codes and of beginnings of codes, for those who read policies from text."""
GLOB = {"holds": "glob"}
"""Marks globs of paths, which a configuration file counts from where it is, as it does a "path"."""
TEXT = {"holds": "text"}
"""Marks fields that have to say something."""


@dataclass(frozen=True, slots=True)
class PathIgnore:
    """Rules that do not count in the checkpoints that a glob matches, by name or by path, and why they do not."""

    paths: str = field(metadata=GLOB)
    codes: tuple[str, ...] = field(metadata=CODES)
    reason: str = field(metadata=TEXT)

    def covers(self, path: str, code: str) -> bool:
        """Whether it speaks of this rule in this checkpoint."""
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

    def counts(self, code: str) -> bool:
        """Whether a rule counts."""
        return _longest(code, self.select) > _longest(code, self.ignore)

    def asks_for(self, code: str) -> bool:
        """Whether a rule that is silent by default counts, because its code or the beginning of it is selected."""
        return self.counts(code) and _longest(code, self.select) > 0

    def left_out(self, codes: Iterable[str]) -> tuple[str, ...]:
        """Those of some rules that do not count."""
        return tuple(code for code in codes if not self.counts(code))

    def reason_to_ignore(self, path: str, code: str) -> str | None:
        """Why a rule does not count in one checkpoint; None where it does."""
        return next((one.reason for one in self.per_path_ignores if one.covers(path, code)), None)


EVERYTHING = Policy()


def _longest(code: str, entries: Iterable[str]) -> int:
    """The length of the longest entry that stands for a code; -1 where none does."""
    return max((0 if entry == ALL else len(entry) for entry in entries if _stands_for(entry, code)), default=-1)


def _stands_for(entry: str, code: str) -> bool:
    return entry == ALL or bool(entry and code.startswith(entry))
