"""The report of a check: findings by file, and the verdict that follows from them."""

from dataclasses import dataclass

from ckpttool.checks.rule import Finding, Severity
from ckpttool.escape import brief
from ckpttool.notebook import Displayed


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that does not count, because the configuration ignores it here, for the reason given there."""

    finding: Finding
    reason: str

    __repr__ = brief


@dataclass(frozen=True, slots=True)
class FileReport:
    """The report on one checkpoint.

    `path` is as it was given, `kind` a key of `ckpttool.formats.FORMATS`, empty where the format is not known.
    `unchecked` lists what could not be checked, and why: a file with such entries is never clean.
    """

    path: str
    kind: str
    size: int
    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    unchecked: tuple[str, ...] = ()

    __repr__ = brief

    def verdict(self, fail_on: Severity | None) -> str:
        """The verdict: "findings" where one fails the check, else "not checked" where something could not be checked,
        else "passed" where there are findings that do not fail it or that are ignored, else "clean"."""
        if any(finding.rule.fails(fail_on) for finding in self.findings):
            return "findings"
        if self.unchecked:
            return "not checked"
        return "passed" if self.findings or self.suppressed else "clean"


@dataclass(frozen=True, slots=True)
class CheckReport(Displayed):
    """The reports on all checkpoints of one check. `fail_on` is the least severity that fails it; None stands for
    errors, and warnings about safety. `switched_off` are the codes of rules that the file `configuration` leaves out,
    although the command line does not."""

    files: tuple[FileReport, ...]
    fail_on: Severity | None = None
    allow_empty: bool = False
    configuration: str = ""
    switched_off: tuple[str, ...] = ()

    def __repr__(self) -> str:
        count = sum(len(file.findings) for file in self.files)
        return f"<CheckReport {self.verdict}: {len(self.files):,} files, {count:,} findings>"

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that count against the checkpoints."""
        return tuple(f for file in self.files for f in file.findings if f.rule.fails(self.fail_on))

    @property
    def verdict(self) -> str:
        """The verdict: "findings" where one fails the check, else "not checked" where anything could not be checked or
        there was no checkpoint, else "passed" where there are findings, else "clean"."""
        verdicts = {file.verdict(self.fail_on) for file in self.files}
        if "findings" in verdicts:
            return "findings"
        nothing = not self.files and not self.allow_empty
        if nothing or "not checked" in verdicts:
            return "not checked"
        return "passed" if "passed" in verdicts else "clean"
