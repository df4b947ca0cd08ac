"""Pages of reports of `check`: findings by severity, each with why it matters and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.checks.rule import Rule
from ckpttool.escape import printable
from ckpttool.render.checks import phrases
from ckpttool.render.html.pages import Section, page
from ckpttool.render.style import Style, count_of

_TONES = {"findings": "bad", "not checked": "warn", "passed": "calm", "clean": "good"}
_SEVERITIES = {"error": "bad", "warning": "warn", "info": "calm"}


def report(result: CheckReport, style: Style) -> str:
    """The page of a check."""
    return page("ckpttool check", count_of(len(result.files), "checkpoint"), [check_section(result)])


def check_section(result: CheckReport) -> Section:
    """The verdict, and the findings of each checkpoint."""
    word, _, rest = phrases.summary(result).partition(": ")
    counts = Counter(phrases.severity(finding.rule) for file in result.files for finding in file.findings)
    context = {
        "tone": _TONES[result.verdict],
        "word": word,
        "text": rest,
        "figures": [(f"{counts[name]:,}", f"{name}s" if name != "info" else name) for name in _SEVERITIES],
        "files": [_file(file, result) for file in sorted(result.files, key=lambda file: _rank(file, result))],
        "lines": list(filter(None, [phrases.switched_off(result)])),
    }
    return Section("check", "Check", "check.html", context)


def _rank(file: FileReport, result: CheckReport) -> int:
    """The place of a checkpoint in the report: those that need work first, then as given."""
    return list(_TONES).index(file.verdict(result.fail_on))


def _file(file: FileReport, result: CheckReport) -> dict[str, Any]:
    verdict = file.verdict(result.fail_on)
    return {
        "path": printable(file.path, 400),
        "verdict": verdict,
        "tone": _TONES[verdict],
        "rules": list(_rules(file)),
        "unchecked": phrases.unchecked(file),
        "ignored": [
            f"{phrases.title(rule)}, {count_of(count, 'time')}, because: {reason}"
            for rule, reason, count in phrases.suppressed(file)
        ],
    }


def _rules(file: FileReport) -> Iterator[dict[str, Any]]:
    """The broken rules, the most severe first, each with its findings."""
    sentences = dict[Rule, list[str]]()
    for rule, sentence in phrases.shown(file):
        sentences.setdefault(rule, []).append(sentence)
    for rule in sorted(sentences, key=lambda rule: (-rule.severity, rule.code)):
        severity = phrases.severity(rule)
        yield {
            "title": phrases.title(rule),
            "severity": severity,
            "tone": _SEVERITIES[severity],
            "finds": rule.finds,
            "why": rule.why,
            "remedy": rule.remedy,
            "sentences": sentences[rule],
        }
