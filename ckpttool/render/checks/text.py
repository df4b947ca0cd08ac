"""A report for people at a terminal and for the logs of CI."""

from collections.abc import Iterator

from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.escape import printable
from ckpttool.render.checks import phrases
from ckpttool.render.style import Style

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_COLORS = {"error": "\x1b[31m", "warning": "\x1b[33m", "info": "\x1b[36m", "unchecked": "\x1b[35m", "ignored": _DIM}
_WIDTH = max(map(len, _COLORS))


def report(result: CheckReport, style: Style) -> str:
    """The checkpoints with findings, the next steps, and the verdict."""
    files = ["\n".join(_file(file, style)) for file in result.files]
    steps = [f"  {rule.code} {rule.remedy}" for rule in phrases.remedies(result)]
    advice = "\n".join(["what to do:", *steps]) if steps else ""
    return phrases.in_paragraphs([*files, advice, phrases.conclusion(result)])


def _file(file: FileReport, style: Style) -> Iterator[str]:
    lines = list(_lines(file))
    if not lines:
        return
    path = printable(file.path)
    yield f"{_BOLD}{path}{_PLAIN}" if style.color else path
    for label, text in lines:
        padded = f"{label:{_WIDTH}}"
        yield f"  {_COLORS[label]}{padded}{_PLAIN}  {text}" if style.color else f"  {padded}  {text}"


def _lines(file: FileReport) -> Iterator[tuple[str, str]]:
    """Label and text of each line on a checkpoint."""
    for rule, sentence in phrases.shown(file):
        yield phrases.severity(rule), f"{phrases.title(rule)}  {sentence}"
    for line in phrases.unchecked(file):
        yield "unchecked", line
    for rule, reason, count in phrases.suppressed(file):
        yield "ignored", f"{phrases.title(rule)}  {f'{count:,} times, ' if count > 1 else ''}because: {reason}"
