"""Verdicts of `verify` in rows and lines, shared by the outputs. Findings that differ in one number share a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.render.style import Style

if TYPE_CHECKING:
    from ckpttool.verifying import Finding, VerifyResult

_NUMBER = re.compile(r"\d+")
VERDICT_HEADERS = ["status", "weight", "count", "why", "what would help"]
_RED, _GREEN, _YELLOW, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_COLORS = {"loads": _GREEN, "does not load": _RED, "cannot tell": _YELLOW}
_INTO = {"cannot tell": "cannot tell whether it loads into"}
_KERAS = {
    "loads": "Keras 3 loads it",
    "raises": "Keras 3 raises an error",
    "loads wrongly": "Keras 3 loads it without a word, and wrongly or incompletely",
}
_SHOWN = 8


def headline(result: VerifyResult, style: Style) -> str:
    """The verdict, the way of loading, and what Keras does: three lines."""
    verdict = _INTO.get(result.verdict, f"{result.verdict} into")
    if style.color:
        verdict = f"{_COLORS[result.verdict]}{verdict}{_PLAIN}"
    loader = f"{FORMATS[result.kind].title}, loaded by {result.loader} ({result.because})"
    matched = f"{len(result.matched):,} weights match"
    failures = f", {len(result.failures):,} do not" if result.failures else ""
    head = f"{printable(str(result.checkpoint))}: {verdict} {printable(result.architecture)}"
    known = ", as far as its layers are known" if result.opaque and result.keras == "loads" else ""
    return f"{head}\n{loader}\n{matched}{failures}. {_KERAS[result.keras]}{known}."


def remarks(result: VerifyResult) -> list[str]:
    """What else there is to say, a line each."""
    lines = [f"! {printable(problem, 400)}" for problem in result.problems]
    for part in result.opaque[:_SHOWN]:
        name, kind = printable(part.layer, 200), printable(part.class_name, 100)
        lines.append(f"? {name} is of class {kind}, which is not Keras's own: its weights are not checked")
    if len(result.opaque) > _SHOWN:
        lines.append(f"? and {len(result.opaque) - _SHOWN:,} more layers of such classes")
    if result.unchecked:
        lines.append(f"? {len(result.unchecked):,} stored weights are of such layers")
    if result.verdict == "cannot tell" and result.opaque:
        lines.append("--allow-unexpected NAME takes the layer's weights as they are")
    return lines


def finding_rows(findings: Iterable[Finding]) -> list[list[str]]:
    """The cells of a table, findings that differ in one number of their names gathered."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key = (_status(finding), *(_NUMBER.sub("#", part) for part in (finding.label, finding.remedy)), _why(finding))
        groups.setdefault(key, []).append(finding)
    return [row for group in groups.values() for row in _gathered(group)]


def _why(finding: Finding) -> str:
    """The reason without the places in it, which differ from weight to weight."""
    return _NUMBER.sub("#", finding.why) if finding.weight is None or finding.slot is None else finding.why


def _gathered(group: list[Finding]) -> list[list[str]]:
    label = collapsed([finding.label for finding in group])
    if label is None:
        return [row for finding in group for row in _gathered([finding])]
    why, remedy = (_one(group, part) for part in (lambda f: f.why, lambda f: f.remedy))
    return [[_status(group[0]), printable(label, 200), str(len(group)), printable(why, 300), printable(remedy, 200)]]


def _one(group: list[Finding], part: Callable[[Finding], str]) -> str:
    """What a part of several findings has in common, as far as numbers can be collapsed; else that of the first."""
    return collapsed([part(finding) for finding in group]) or part(group[0])


def _status(finding: Finding) -> str:
    return f"({finding.status.value})" if finding.accepted else finding.status.value


def collapsed(names: list[str]) -> str | None:
    """One name for several that differ in one number: `block{1..5}_conv1/kernel`. None where there is no such."""
    numbers = [_NUMBER.findall(name) for name in names]
    if len(set(names)) == 1:
        return names[0]
    if len(set(names)) < len(names) or len(set(map(len, numbers))) > 1:
        return None
    varying = [at for at, found in enumerate(zip(*numbers, strict=True)) if len(set(found)) > 1]
    if len(varying) != 1:
        return None
    at = varying[0]
    pieces = _NUMBER.split(names[0])
    middle = _range([found[at] for found in numbers])
    filled = [middle if index == at else number for index, number in enumerate(numbers[0])]
    return "".join(piece + number for piece, number in zip(pieces, [*filled, ""], strict=True))


def _range(numbers: list[str]) -> str:
    values = sorted(map(int, numbers))
    if values[-1] - values[0] == len(values) - 1 and len({len(number) for number in numbers if number[0] == "0"}) <= 1:
        return f"{{{values[0]}..{values[-1]}}}"
    return "{" + ",".join(map(str, values[:_SHOWN])) + (",...}" if len(values) > _SHOWN else "}")
