"""A report as JSON for programs; docs/json.md documents its shape."""

from typing import Any

from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.checks.rule import Finding, Rule
from ckpttool.render.checks.phrases import fail_on, severity
from ckpttool.render.json_values import dumps
from ckpttool.render.style import Style


def report(result: CheckReport, style: Style) -> str:
    """A report as one object."""
    return dumps(
        {
            "schema": "ckpttool.check/1",
            "verdict": result.verdict,
            "fail_on": fail_on(result),
            "configuration": _configuration(result),
            "checkpoints": [_file(file, result) for file in result.files],
            "rules": {rule.code: as_object(rule) for rule in _rules(result)},
        }
    )


def as_object(rule: Rule) -> dict[str, str]:
    """A rule as an object."""
    return {
        "code": rule.code,
        "name": rule.name,
        "family": rule.family,
        "severity": severity(rule),
        "finds": rule.finds,
        "why": rule.why,
        "remedy": rule.remedy,
    }


def _configuration(result: CheckReport) -> dict[str, Any] | None:
    if not result.configuration:
        return None
    return {"path": result.configuration, "switched_off": list(result.switched_off)}


def _rules(result: CheckReport) -> list[Rule]:
    rules = {finding.rule for file in result.files for finding in file.findings}
    rules |= {suppressed.finding.rule for file in result.files for suppressed in file.suppressed}
    return sorted(rules, key=lambda rule: rule.code)


def _file(file: FileReport, result: CheckReport) -> dict[str, Any]:
    return {
        "path": file.path,
        "kind": file.kind or None,
        "size": file.size,
        "verdict": file.verdict(result.fail_on),
        "findings": [{**_finding(finding), "counts": finding.rule.fails(result.fail_on)} for finding in file.findings],
        "suppressed": [{**_finding(suppressed.finding), "reason": suppressed.reason} for suppressed in file.suppressed],
        "unchecked": list(file.unchecked),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    rule = finding.rule
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": severity(rule),
        "where": finding.where,
        "detail": finding.detail,
    }
