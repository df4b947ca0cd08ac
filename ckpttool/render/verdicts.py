"""Rows and lines of verdicts of `verify`, shared by the outputs. Findings that differ in one number share a row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Section
from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.paths import join_path
from ckpttool.render.style import Style, count_of

if TYPE_CHECKING:
    from ckpttool.verification import VerifyResult, WeightProblem

_NUMBER = re.compile(r"\d+")
VERDICT_HEADERS = ["status", "weight", "count", "why", "what would help"]
_RED, _GREEN, _YELLOW, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_COLORS = {"loads": _GREEN, "fits": _YELLOW, "does not load": _RED, "cannot tell": _YELLOW}
_INTO = {"cannot tell": "cannot tell whether it loads into"}
_KERAS = {
    "loads": "Keras 3 loads it",
    "raises": "Keras 3 raises an error",
    "loads wrongly": "Keras 3 loads it without an error, but wrongly or incompletely",
    "loads uncompiled": "Keras 3 loads it with compile=False alone",
    "cannot build": "Keras 3 cannot build this architecture",
}
_INTO_THESE = (
    "Keras 3 loads it into a model with the same weights; whether it builds that model is not known without a config"
)
_SHOWN, _ROOM = 8, 160
_OF_WEIGHTS = frozenset({"SHAPE", "DTYPE"})  # findings whose reason differs from weight to weight


def verdict_word(result: VerifyResult) -> str:
    """The verdict in a word or two: weights only fit an architecture that Keras 3 cannot build."""
    return "fits" if result.ok and result.support and result.support.obstacles else result.verdict


def headline(result: VerifyResult, style: Style) -> str:
    """Three lines: the verdict, the way of loading, and the behaviour of Keras."""
    word = verdict_word(result)
    verdict = _INTO.get(word, f"{word} into")
    if style.color:
        verdict = f"{_COLORS[word]}{verdict}{_PLAIN}"
    loader = f"{FORMATS[result.kind].title}, loaded by {result.loader} ({result.because})"
    count = len(result.matched)
    matched = f"{count_of(count, 'weight')} match{'es' * (count == 1)}"
    failures = f", {len(result.failures):,} do not" if result.failures else ""
    skipped = f", {len(result.skipped):,} are skipped and keep the values of the model" if result.skipped else ""
    head = f"{printable(str(result.checkpoint))}: {verdict} {printable(result.architecture)}"
    known = ", as far as its layers are known" if result.opaque and result.keras == "loads" else ""
    return f"{head}\n{loader}\n{matched}{failures}{skipped}. {_by_keras(result)}{known}."


def _by_keras(result: VerifyResult) -> str:
    """The behaviour of Keras 3, with the reason where the architecture is at fault."""
    support = result.support
    if result.of_weights and result.keras == "loads":
        return _INTO_THESE
    if support is None or not (support.obstacles or result.keras == "loads uncompiled"):
        return f"{_KERAS[result.keras]}{_custom_objects(result)}{_without_state(result)}"
    obstacles = support.obstacles or support.buildability.compile_obstacles
    why = printable(obstacles[0].description, 300) + (f"; and {len(obstacles) - 1:,} more" if obstacles[1:] else "")
    if support.by_writer_alone:
        writer = f"Keras {support.writer.value}"
        return f"{writer} builds this architecture, Keras 3 cannot ({why}): convert it first{_imitated(result, writer)}"
    return f"{_KERAS['cannot build' if support.obstacles else result.keras]}{_custom_objects(result)} ({why})"


def _imitated(result: VerifyResult, writer: str) -> str:
    """The loader that was imitated, where it is not one of the Keras that wrote the architecture."""
    if result.loader != "path":
        return ""
    unread = "" if writer == "Keras 2" else f", since {writer} reads no file of this layout"
    return f"; what is judged is how Keras 3 loads the weights then{unread}"


def _without_state(result: VerifyResult) -> str:
    """A phrase with the reason why Keras begins with a new state of the optimizer of a whole model."""
    if not (result.keras == "loads" and result.skipped_state and result.is_of_one_file):
        return ""
    warned = "a warning and " if result.loader == "path" else ""
    return f", with {warned}a new state of the optimizer ({printable(result.skipped_state, 300)})"


def _custom_objects(result: VerifyResult) -> str:
    """A phrase with the functions and classes of the user's own without which Keras does not load the model, except for
    layers, which the remarks name."""
    if result.keras not in ("loads", "loads uncompiled"):
        return ""
    named = {part.class_name for part in result.opaque}
    own = [name for name in result.own_names if not {name, name.rpartition(">")[2]} & named]
    return f", given {printable(', '.join(own), 300)} (custom_objects)" if own else ""


def _origin(class_name: str) -> str:
    """The phrase on the origin of a class whose weights are not known, to stand behind "which"."""
    from ckpttool.model.buildability.removed_classes import is_removed_layer  # few models have such classes

    return "Keras 3 does not have" if is_removed_layer(class_name) else "is not Keras's own"


def remarks(result: VerifyResult) -> list[str]:
    """Lines below the table: problems, layers of custom classes, unchecked weights."""
    lines = [f"! {printable(problem, 400)}" for problem in result.problems]
    for part in result.opaque[:_SHOWN]:
        name, kind = printable(part.layer, 200), printable(part.class_name, 100)
        unknown = "its weights are not checked" if part.path else "only its code defines where its layers are"
        lines.append(f"? {name} is of class {kind}, which {_origin(part.class_name)}: {unknown}")
    if len(result.opaque) > _SHOWN:
        lines.append(f"? and {len(result.opaque) - _SHOWN:,} more layers of such classes")
    if result.unchecked:
        others = ", or kept by the optimizer" if any(w.section is Section.OPTIMIZER for w in result.unchecked) else ""
        count = len(result.unchecked)
        verb = "belongs" if count == 1 else "belong"
        lines.append(f"? {count_of(count, 'stored weight')} {verb} to such layers{others}")
    if result.verdict == "cannot tell" and result.opaque:
        lines.append("--allow-unexpected NAME takes the layer's weights as they are")
    if result.parts and result.failures:
        names = ", ".join(printable(name, 100) for name in result.parts)
        lines.append(f"the file holds {names}: --part NAME chooses one of them")
    return lines


@dataclass(frozen=True, slots=True)
class _Row:
    """The text of a row: the weights of a layer with the same finding for the same cause."""

    status: str
    label: str
    count: int
    why: str
    remedy: str

    @property
    def kind(self) -> tuple[str, ...]:
        """The key by which rows are grouped: their text with every number replaced by `#`."""
        return (self.status, *(_NUMBER.sub("#", part) for part in (self.label, self.why, self.remedy)))


def finding_rows(findings: Iterable[WeightProblem]) -> list[list[str]]:
    """The cells of a table: a row for each layer and cause; rows that differ in one number share one."""
    layers: dict[tuple[str, ...], list[WeightProblem]] = {}
    for finding in findings:
        layers.setdefault((_status(finding), _layer(finding), _cause(finding)), []).append(finding)
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in map(_row, layers.values()):
        groups.setdefault(row.kind, []).append(row)
    return [cells for group in groups.values() for cells in _gathered(group)]


def _layer(finding: WeightProblem) -> str:
    """The layer that a finding is about, else the group of the stored weight."""
    if finding.slot is not None:
        return finding.slot.layer
    return finding.label.rpartition("/")[0]


def _cause(finding: WeightProblem) -> str:
    """The reason without the places in it, which differ from weight to weight; empty where it is about one weight."""
    if finding.status.value in _OF_WEIGHTS:
        return ""
    return _NUMBER.sub("#", finding.why) if finding.weight is None or finding.slot is None else finding.why


def _row(group: list[WeightProblem]) -> _Row:
    """The row of a group of findings that share layer, status and cause."""
    first, layer = group[0], _layer(group[0])
    names = [finding.label.removeprefix(f"{layer}/") for finding in group]
    name = collapsed(names) or _listed(names)
    whys = list(dict.fromkeys(finding.why for finding in group))
    if len(whys) > 1 and first.status.value in _OF_WEIGHTS:
        why = _listed([f"{name} {finding.why}" for name, finding in zip(names, group, strict=True)], "; ")
    else:
        why = collapsed(whys) or first.why
    remedies = list(dict.fromkeys(finding.remedy for finding in group))
    label = join_path(layer, name)
    return _Row(_status(first), label, len(group), why, collapsed(remedies) or first.remedy)


def _listed(names: list[str], comma: str = ", ") -> str:
    """Several names as one text, the first few of many."""
    count = _that_fit(names)
    shown = comma.join(names[:count]) + (f"{comma}and {len(names) - count:,} more" if len(names) > count else "")
    return shown if comma != ", " else f"{{{shown}}}"


def _that_fit(names: list[str]) -> int:
    """The number of names to show: a few, of long names fewer, but at least one."""
    room = accumulate(map(len, names[:_SHOWN]))
    return max(1, sum(length <= _ROOM for length in room))


def _gathered(group: list[_Row]) -> list[list[str]]:
    """The cells of the rows, as one row if they differ in one number only."""
    label = collapsed([row.label for row in group])
    if label is None:
        return [cells for row in group for cells in _gathered([row])]
    why = collapsed([row.why for row in group]) or group[0].why
    remedy = collapsed([row.remedy for row in group]) or group[0].remedy
    count = str(sum(row.count for row in group))
    return [[group[0].status, printable(label, 200), count, printable(why, 300), printable(remedy, 200)]]


def _status(finding: WeightProblem) -> str:
    return f"({finding.status.value})" if finding.accepted else finding.status.value


def collapsed(names: list[str]) -> str | None:
    """A common name for names that differ in one number: `block{1..5}_conv1/kernel`. None where they differ more."""
    numbers = [_NUMBER.findall(name) for name in names]
    if len(set(names)) == 1:
        return names[0]
    if len(set(names)) < len(names) or len(set(map(len, numbers))) > 1:
        return None
    varying = [at for at, column in enumerate(zip(*numbers, strict=True)) if len(set(column)) > 1]
    if len(varying) != 1:
        return None
    at = varying[0]
    pieces = _NUMBER.split(names[0])
    middle = _range([each[at] for each in numbers])
    filled = [middle if index == at else number for index, number in enumerate(numbers[0])]
    return "".join(piece + number for piece, number in zip(pieces, [*filled, ""], strict=True))


def _range(numbers: list[str]) -> str:
    values = sorted(map(int, numbers))
    if values[-1] - values[0] == len(values) - 1 and len({len(number) for number in numbers if number[0] == "0"}) <= 1:
        return f"{{{values[0]}..{values[-1]}}}"
    return "{" + ",".join(map(str, values[:_SHOWN])) + (",...}" if len(values) > _SHOWN else "}")
