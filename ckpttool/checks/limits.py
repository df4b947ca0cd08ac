"""Caps on the findings that are reported: a hostile file can break one rule a hundred thousand times."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ckpttool.checks.rule import Finding, Rule

MOST = 20  # findings of one rule that are reported


def cap_findings(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The first `MOST` different findings of each rule; one more says how many findings it leaves out."""
    seen, counts = set[Finding](), Counter[Rule]()
    for finding in findings:
        if counts[finding.rule] < MOST and finding not in seen:
            seen.add(finding)
            yield finding
        elif finding in seen:
            continue
        counts[finding.rule] += 1
    for rule, count in counts.items():
        if count > MOST:
            yield Finding(rule, "", f"and at {count - MOST:,} more places")
