"""SARIF 2.1.0 for code scanning: all rules, and a result for each finding, those that are ignored included."""

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from ckpttool import __version__
from ckpttool.checks.catalogue import RULES
from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.escape import printable
from ckpttool.render.checks.phrases import sentence, switched_off
from ckpttool.render.json_values import dumps
from ckpttool.render.style import Style

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def report(result: CheckReport, style: Style) -> str:
    """A log of one run."""
    broken = {finding.rule for file in result.files for finding in _findings(file)}
    rules = list({**RULES, **{rule.code: rule for rule in sorted(broken, key=lambda rule: rule.code)}}.values())
    numbers = {rule.code: number for number, rule in enumerate(rules)}
    driver = {"name": "ckpttool", "semanticVersion": __version__, "rules": [_rule(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {
                "executionSuccessful": result.verdict != "not checked" and not any(f.unchecked for f in result.files),
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": printable(line)}, "locations": [_location(file.path)]}
                    for file in result.files
                    for line in file.unchecked
                ],
                "toolConfigurationNotifications": _notifications(result),
            }
        ],
        "artifacts": [{"location": _artifact(file.path), "length": file.size} for file in result.files],
        "results": [entry for file in result.files for entry in _results(file, numbers, result.fail_on)],
    }
    return dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _notifications(result: CheckReport) -> list[dict[str, Any]]:
    """A warning about the run that names the rules which the configuration leaves out."""
    text = switched_off(result)
    return [{"level": "warning", "message": {"text": text}}] if text else []


def _findings(file: FileReport) -> list[Finding]:
    return [*file.findings, *(suppressed.finding for suppressed in file.suppressed)]


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.finds},
        "fullDescription": {"text": f"{rule.finds} {rule.why}"},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.family]},
    }


def _results(file: FileReport, numbers: dict[str, int], fail_on: Severity | None) -> list[dict[str, Any]]:
    reasons = [None] * len(file.findings) + [suppressed.reason for suppressed in file.suppressed]
    seen = Counter[str]()
    results = []
    for finding, reason in zip(_findings(file), reasons, strict=True):
        fingerprint = _fingerprint(file, finding)
        seen[fingerprint] += 1
        result: dict[str, Any] = {
            "ruleId": finding.rule.code,
            "ruleIndex": numbers[finding.rule.code],
            "level": "error" if finding.rule.fails(fail_on) else _LEVELS[finding.rule.severity],
            "message": {"text": sentence(finding) or finding.rule.finds},
            "locations": [_location(file.path, finding.where)],
            "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint}:{seen[fingerprint]}"},
        }
        if reason is not None:
            result["suppressions"] = [{"kind": "external", "justification": printable(reason)}]
        results.append(result)
    return results


def _fingerprint(file: FileReport, finding: Finding) -> str:
    """A fingerprint that stays when the checkpoint is saved again: of rule, path and place, not of numbers."""
    text = "\0".join((finding.rule.code, file.path.replace(os.sep, "/"), finding.where))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _location(path: str, where: str = "") -> dict[str, Any]:
    """A place in a checkpoint. Code scanning asks for a line, which binary files do not have: it is always the
    first."""
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": _artifact(path), "region": {"startLine": 1}}}
    if where:
        location["logicalLocations"] = [{"fullyQualifiedName": printable(where)}]
    return location


def _artifact(path: str) -> dict[str, str]:
    """The path as a URI: relative to the current directory, which in CI is the root of the sources, if it is below."""
    whole = Path(os.path.abspath(path if _is_possible(path) else printable(path)))
    try:
        inside = whole.relative_to(os.getcwd())
    except ValueError:
        return {"uri": whole.as_uri()}
    return {"uri": quote_from_bytes(os.fsencode(inside.as_posix())), "uriBaseId": "%SRCROOT%"}


def _is_possible(path: str) -> bool:
    """Whether the system can have a file of this path."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False
