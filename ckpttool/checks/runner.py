"""Runs all checks on checkpoints and sorts what they tell by what the policy says of it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from ckpttool.checks.catalogue import FAMILIES, RULES, Check, unknown_codes
from ckpttool.checks.failures import in_a_line, told
from ckpttool.checks.integrity.rules import DAMAGED, MISSING_PART, UNREADABLE
from ckpttool.checks.paths import checkpoints_at
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.result import CheckReport, FileReport, Suppressed
from ckpttool.checks.rule import Told, Unchecked
from ckpttool.checks.subject import Progress, Subject, opened
from ckpttool.errors import CheckpointError

MOST = 10_000
"""Things told of one checkpoint; a hostile one could go on for ever."""

_UNREAD = frozenset((DAMAGED, MISSING_PART, UNREADABLE))  # where these do not count, something was still not checked


def check(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    policy: Policy = EVERYTHING,
    progress: Progress = lambda nbytes: None,
    jobs: int = 1,
) -> CheckReport:
    """What all rules find in the checkpoints at these paths: files, directories or globs.

    No failure of a checkpoint is raised, each is told in the report. With more than one of `jobs` the checkpoints are
    shared among so many processes. Raises a CheckpointError for a policy that names rules that there are not.
    """
    _require_rules(policy)
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    places = dict.fromkeys(place for path in several for place in _places(os.fspath(path), policy.allow_empty))
    found = [place for place in places if isinstance(place, str)]
    reports = dict(zip(found, _reports(found, policy, progress, jobs), strict=True))
    files = tuple(reports[place] if isinstance(place, str) else place for place in places)
    return CheckReport(files, policy.fail_on, policy.allow_empty)


def _reports(paths: list[str], policy: Policy, progress: Progress, jobs: int) -> list[FileReport]:
    jobs = min(jobs, len(paths))
    if jobs > 1:
        from ckpttool.checks.processes import in_processes, starting  # what few checks need

        return in_processes(paths, starting(policy), jobs, progress)
    return [check_file(path, policy, progress) for path in paths]


def _require_rules(policy: Policy) -> None:
    ignored = (code for one in policy.per_path_ignores for code in one.codes)
    unknown = unknown_codes([*policy.select, *policy.ignore, *ignored])
    if unknown:
        raise CheckpointError(
            "the policy names rules that there are not",
            expected="codes such as S101, beginnings of them such as S, or ALL",
            found=", ".join(unknown),
            hint="`ckpttool rule --all` lists all rules",
        )
    if not any(map(policy.counts, RULES)):
        raise CheckpointError("the policy selects no rule, so that nothing would be checked")


def _places(given: str, allow_empty: bool) -> Iterator[str | FileReport]:
    """The paths that a given one stands for, or what there is to tell instead."""
    try:
        found = checkpoints_at(given)
    except CheckpointError as error:
        yield FileReport(given, "", 0, unchecked=(in_a_line(error),))
        return
    yield from found
    if not found and not allow_empty:
        yield FileReport(given, "", 0, unchecked=("there is no checkpoint",))


def check_file(given: str, policy: Policy = EVERYTHING, progress: Progress = lambda nbytes: None) -> FileReport:
    """What all rules find in one checkpoint."""
    with opened(given, policy, progress) as subject:
        everything = list(dict.fromkeys(islice(_everything(subject), MOST + 1)))
        report = FileReport(given, subject.checkpoint.kind if subject.checkpoint is not None else "", _size(subject))
    if len(everything) > MOST:
        everything[MOST:] = [Unchecked("", f"more than {MOST:,} things were found; the others are not told")]
    report = _sorted(report, everything, policy)
    if subject.error is not None and report.verdict(policy.fail_on) in ("passed", "clean"):
        unopened = f"could not be opened: {in_a_line(subject.error)}"
        report = replace(report, unchecked=(unopened,))
    return report


def _sorted(report: FileReport, everything: list[Told], policy: Policy) -> FileReport:
    """The report with what was found: what counts, what is ignored for a reason, what could not be looked at."""
    findings, suppressed, unchecked = [], [], []
    for one in everything:
        if isinstance(one, Unchecked):
            unchecked.append(": ".join(filter(None, (one.where, one.why))))
        elif policy.counts(one.rule.code):
            reason = policy.reason_to_ignore(report.path, one.rule.code)
            if reason is None:
                findings.append(one)
            else:
                suppressed.append(Suppressed(one, reason))
        elif one.rule in _UNREAD:
            unchecked.append(": ".join(filter(None, (one.where, one.detail))))
    findings.sort(key=lambda finding: (-finding.rule.severity, finding.rule.code))
    return replace(report, findings=tuple(findings), suppressed=tuple(suppressed), unchecked=tuple(unchecked))


def _everything(subject: Subject) -> Iterator[Told]:
    """What every check tells, of families of which a rule counts."""
    if subject.error is not None:
        yield told(subject.error)
    for family in FAMILIES:
        if any(subject.policy.counts(rule.code) for rule in family.rules):
            for check in family.checks:
                yield from _told_by(check, subject)


def _told_by(check: Check, subject: Subject) -> Iterator[Told]:
    try:
        yield from check(subject)
    except CheckpointError as error:
        yield Unchecked(check.__name__, in_a_line(error))


def _size(subject: Subject) -> int:
    try:
        return subject.checkpoint.size if subject.checkpoint is not None else os.stat(subject.path).st_size
    except (OSError, ValueError):
        return 0
