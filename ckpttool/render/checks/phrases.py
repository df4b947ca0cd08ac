"""Phrases that all reports of `check` share: verdicts, places, sums; and the number of findings of a rule to show."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ckpttool.checks.policy import FAIL_ON
from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.escape import first_of, printable

_SHOWN = 10
_CHARS = 400


def severity(rule: Rule) -> str:
    """The severity of a rule in a word."""
    return rule.severity.name.lower()


def title(rule: Rule) -> str:
    """A rule by its code and its name."""
    return f"{rule.code} {rule.name}"


def sentence(finding: Finding) -> str:
    """The sentence of a finding: its place and its detail."""
    return ": ".join(printable(part, _CHARS) for part in (finding.where, finding.detail) if part)


def shown(file: FileReport) -> Iterator[tuple[Rule, str]]:
    """The findings of a checkpoint with their sentences, at most ten of a rule, and a sentence on the others."""
    counts = Counter[str]()
    for finding in file.findings:
        counts[finding.rule.code] += 1
        if counts[finding.rule.code] <= _SHOWN:
            yield finding.rule, sentence(finding)
    for rule in dict.fromkeys(finding.rule for finding in file.findings):
        if counts[rule.code] > _SHOWN:
            yield rule, f"and at {counts[rule.code] - _SHOWN:,} more places; --output json has all"


def unchecked(file: FileReport) -> list[str]:
    """The parts of a checkpoint that could not be checked, at most ten of them and a line on the rest."""
    lines = [printable(line, _CHARS) for line in file.unchecked[:_SHOWN]]
    if len(file.unchecked) > _SHOWN:
        lines.append(f"and {len(file.unchecked) - _SHOWN:,} more; --output json has all")
    return lines


def suppressed(file: FileReport) -> list[tuple[Rule, str, int]]:
    """The rules that are ignored in a checkpoint, with the reason and the number of findings of each."""
    counts = Counter((suppressed.finding.rule, suppressed.reason) for suppressed in file.suppressed)
    return [(rule, printable(reason, _CHARS), count) for (rule, reason), count in counts.items()]


def remedies(result: CheckReport) -> list[Rule]:
    """The broken rules whose remedies are to be shown, the most severe first."""
    broken = {finding.rule for file in result.files for finding in file.findings}
    to_show = [rule for rule in broken if rule.severity > Severity.INFO or rule.fails(result.fail_on)]
    return sorted(to_show, key=lambda rule: (-rule.severity, rule.code))


def summary(result: CheckReport) -> str:
    """The verdict and the sums, in a line."""
    verdicts = Counter(file.verdict(result.fail_on) for file in result.files)
    severities = Counter(severity(finding.rule) for file in result.files for finding in file.findings)
    ignored = sum(len(file.suppressed) for file in result.files)
    parts = ", ".join(f"{verdicts[name]:,} {label}" for name, label in _VERDICTS.items() if verdicts[name])
    facts = [
        _count(len(result.files), "checkpoint") + (f" ({parts})" if len(verdicts) > 1 else ""),
        *(_count(severities[name], name) for name in ("error", "warning", "info") if severities[name]),
        *([f"{ignored:,} ignored"] if ignored else []),
    ]
    meaning = "" if result.verdict == "clean" else f"; {_meaning(result)}"
    return f"{result.verdict}: {', '.join(facts)}{meaning}"


def switched_off(result: CheckReport) -> str:
    """The rules that a configuration file leaves out, in a line; empty where it leaves out none."""
    codes = result.switched_off
    if not codes:
        return ""
    path, shown = printable(result.configuration, _CHARS), first_of(codes, _SHOWN)
    return f"{_count(len(codes), 'rule')} switched off by {path}: {shown}; --isolated asks for all rules"


def conclusion(result: CheckReport) -> str:
    """The verdict and the sums, and the rules that are switched off, a line each."""
    return "\n".join(filter(None, (summary(result), switched_off(result))))


_VERDICTS = {
    "findings": "with findings that count",
    "not checked": "not checked completely",
    "passed": "passed with findings",
    "clean": "clean",
}
_FAILING = {
    "error": "errors fail it",
    "safety": "errors and warnings about safety fail it",
    "warning": "errors and warnings fail it",
    "info": "everything found fails it",
}


def _meaning(result: CheckReport) -> str:
    """The meaning of the exit code of a verdict other than clean."""
    if result.verdict == "not checked":
        return "exit code 2, as not everything could be checked"
    failing = _FAILING[fail_on(result)]
    return f"exit code 1, as {failing}" if result.verdict == "findings" else f"exit code 0, as only {failing}"


def fail_on(result: CheckReport) -> str:
    """The name of the severities that fail a check, as `--fail-on` has it."""
    return next(name for name, severity in FAIL_ON.items() if severity is result.fail_on)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 or word == 'info' else 's'}"


def in_paragraphs(parts: Iterable[str]) -> str:
    """The parts that are not empty, with a blank line between them."""
    return "\n\n".join(filter(None, parts))
