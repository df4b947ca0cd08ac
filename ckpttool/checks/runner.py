"""The runner of all checks: it sorts their outcomes by the policy into findings, ignored ones and unchecked places."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.catalogue import FAMILIES, RULES, Check, unknown_codes
from ckpttool.checks.failures import one_line, outcome_of
from ckpttool.checks.integrity.rules import DAMAGED, MISSING_PART, UNREADABLE
from ckpttool.checks.paths import checkpoints_at
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.result import CheckReport, FileReport, Suppressed
from ckpttool.checks.rule import Outcome, Unchecked
from ckpttool.checks.subject import Progress, Subject, opened_subject, subject_of
from ckpttool.errors import CheckpointError

MAX_OUTCOMES = 10_000
"""Outcomes of one checkpoint at most; a hostile one could go on for ever."""

_UNREAD = frozenset((DAMAGED, MISSING_PART, UNREADABLE))
"""Rules about parts that could not be read: where a policy does not count these rules, the report is "not checked"."""


def check(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    policy: Policy = EVERYTHING,
    progress: Progress = lambda nbytes: None,
    jobs: int = 1,
) -> CheckReport:
    """The report of all rules on the checkpoints at these paths: files, directories or globs.

    No failure of a checkpoint is raised; the report has them all. `jobs` is the number of processes that share the
    checkpoints. Raises a CheckpointError for a policy that names rules that do not exist.
    """
    _require_rules(policy)
    given_paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    places = dict.fromkeys(
        place for path in given_paths for place in _checkpoints_or_report(os.fspath(path), policy.allow_empty)
    )
    checkpoints = [place for place in places if isinstance(place, str)]
    reports = dict(zip(checkpoints, _reports(checkpoints, policy, progress, jobs), strict=True))
    files = tuple(reports[place] if isinstance(place, str) else place for place in places)
    return CheckReport(files, policy.fail_on, policy.allow_empty)


def _reports(paths: list[str], policy: Policy, progress: Progress, jobs: int) -> list[FileReport]:
    jobs = min(jobs, len(paths))
    if jobs > 1:
        from ckpttool.checks.processes import in_processes, process_starter  # slow to import, and few checks need it

        return in_processes(paths, process_starter(policy), jobs, progress)
    return [check_file(path, policy, progress) for path in paths]


def _require_rules(policy: Policy) -> None:
    ignored_codes = (code for ignore in policy.per_path_ignores for code in ignore.codes)
    unknown = unknown_codes([*policy.select, *policy.ignore, *ignored_codes])
    if unknown:
        raise CheckpointError(
            "the policy names rules that do not exist",
            expected="codes such as S101, beginnings of them such as S, or ALL",
            found=", ".join(unknown),
            hint="`ckpttool rule --all` lists all rules",
        )
    if not any(map(policy.counts, RULES)):
        raise CheckpointError(
            "the policy selects no rule, so that nothing would be checked",
            hint="select rules by their codes, or ALL; `ckpttool rule --all` lists all rules",
        )


def _checkpoints_or_report(path: str, allow_empty: bool) -> Iterator[str | FileReport]:
    """The checkpoints that a path stands for; where there are none, a report that says so."""
    try:
        checkpoints = checkpoints_at(path)
    except CheckpointError as error:
        yield FileReport(path, "", 0, unchecked=(one_line(error),))
        return
    yield from checkpoints
    if not checkpoints and not allow_empty:
        yield FileReport(path, "", 0, unchecked=("there is no checkpoint",))


def check_file(path: str, policy: Policy = EVERYTHING, progress: Progress = lambda nbytes: None) -> FileReport:
    """The report of all rules on one checkpoint."""
    with opened_subject(path, policy, progress) as subject:
        return _report(subject)


def check_opened(
    checkpoint: Checkpoint, path: str, policy: Policy = EVERYTHING, progress: Progress = lambda nbytes: None
) -> CheckReport:
    """The report of all rules on a checkpoint that is open; `path` is its path as the user gave it."""
    _require_rules(policy)
    return CheckReport((_report(subject_of(checkpoint, path, policy, progress)),), policy.fail_on, policy.allow_empty)


def _report(subject: Subject) -> FileReport:
    """The report of all rules on one subject."""
    path, policy = subject.given_path, subject.policy
    outcomes = list(dict.fromkeys(islice(_all_outcomes(subject), MAX_OUTCOMES + 1)))
    report = FileReport(path, subject.checkpoint.kind if subject.checkpoint is not None else "", _size(subject))
    if len(outcomes) > MAX_OUTCOMES:
        outcomes[MAX_OUTCOMES:] = [
            Unchecked("", f"there are more than {MAX_OUTCOMES:,} findings; the rest is left out")
        ]
    report = _sorted_by_policy(report, outcomes, policy)
    if subject.error is not None and report.verdict(policy.fail_on) in ("passed", "clean"):
        reason = f"could not be opened: {one_line(subject.error)}"
        report = replace(report, unchecked=(reason,))
    return report


def _sorted_by_policy(report: FileReport, outcomes: list[Outcome], policy: Policy) -> FileReport:
    """The report with its outcomes: findings that count, findings ignored for a reason, places not checked."""
    findings, suppressed, unchecked = [], [], []
    for outcome in outcomes:
        if isinstance(outcome, Unchecked):
            unchecked.append(": ".join(filter(None, (outcome.where, outcome.why))))
        elif policy.counts(outcome.rule.code):
            reason = policy.reason_to_ignore(report.path, outcome.rule.code)
            if reason is None:
                findings.append(outcome)
            else:
                suppressed.append(Suppressed(outcome, reason))
        elif outcome.rule in _UNREAD:
            unchecked.append(": ".join(filter(None, (outcome.where, outcome.detail))))
    findings.sort(key=lambda finding: (-finding.rule.severity, finding.rule.code))
    return replace(report, findings=tuple(findings), suppressed=tuple(suppressed), unchecked=tuple(unchecked))


def _all_outcomes(subject: Subject) -> Iterator[Outcome]:
    """The outcomes of every check of the families of which a rule counts."""
    if subject.error is not None:
        yield outcome_of(subject.error)
    for family in FAMILIES:
        if any(subject.policy.counts(rule.code) for rule in family.rules):
            for check in family.checks:
                yield from _outcomes_of(check, subject)


def _outcomes_of(check: Check, subject: Subject) -> Iterator[Outcome]:
    try:
        yield from check(subject)
    except CheckpointError as error:
        yield Unchecked(check.__name__, one_line(error))


def _size(subject: Subject) -> int:
    try:
        return subject.checkpoint.size if subject.checkpoint is not None else os.stat(subject.path).st_size
    except (OSError, ValueError):
        return 0
