"""Runs all checks on checkpoints and sorts what they tell by what the policy says of it."""

import os
from collections.abc import Iterable, Iterator

from ckpttool.checks.catalogue import CHECKS, Check
from ckpttool.checks.failures import in_a_line, told
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.checks.rule import Finding, Told, Unchecked
from ckpttool.checks.subject import Progress, Subject, opened
from ckpttool.errors import CheckpointError


def check(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    policy: Policy = EVERYTHING,
    progress: Progress = lambda nbytes: None,
) -> CheckReport:
    """What all rules find in the checkpoints at these paths; no failure is raised, each is told in the report."""
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    files = tuple(check_file(os.fspath(path), policy, progress) for path in several)
    return CheckReport(files, policy.fail_on)


def check_file(given: str, policy: Policy, progress: Progress = lambda nbytes: None) -> FileReport:
    """What all rules find in one checkpoint."""
    with opened(given, policy, progress) as subject:
        everything = list(dict.fromkeys(_everything(subject)))
    findings = tuple(one for one in everything if isinstance(one, Finding))
    unchecked = tuple(": ".join(filter(None, (one.where, one.why))) for one in everything if isinstance(one, Unchecked))
    kind = subject.checkpoint.kind if subject.checkpoint else ""
    return FileReport(given, kind, _size(subject), findings, unchecked=unchecked)


def _everything(subject: Subject) -> Iterator[Told]:
    if subject.error is not None:
        yield told(subject.error)
    for check in CHECKS:
        yield from _told_by(check, subject)


def _told_by(check: Check, subject: Subject) -> Iterator[Told]:
    try:
        yield from check(subject)
    except CheckpointError as error:
        yield Unchecked(check.__name__, in_a_line(error))


def _size(subject: Subject) -> int:
    try:
        return subject.checkpoint.size if subject.checkpoint else os.stat(subject.path).st_size
    except (OSError, ValueError):
        return 0
