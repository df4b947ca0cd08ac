"""A report for a comment on a pull request and for the summary of a job."""

from collections.abc import Iterator

from ckpttool.checks.result import CheckReport
from ckpttool.escape import printable
from ckpttool.render.checks import phrases
from ckpttool.render.markdown import as_table, escaped
from ckpttool.render.style import Style

_SHOWN = 100  # rows; comments on GitHub hold 65,536 characters
_HEADERS = ["", "rule", "checkpoint", "what"]


def report(result: CheckReport, style: Style) -> str:
    """The verdict as a heading, then findings as a table, and the next steps."""
    rows = list(_rows(result))
    rest = f"and {len(rows) - _SHOWN:,} more; --output json has all" if len(rows) > _SHOWN else ""
    body = as_table(rows[:_SHOWN], _HEADERS) if rows else ""
    steps = "\n".join(f"- {escaped(f'{rule.code}: {rule.remedy}')}" for rule in phrases.remedies(result))
    heading = f"### ckpttool check: {escaped(phrases.summary(result))}"
    return phrases.in_paragraphs([heading, body, rest, steps, escaped(phrases.switched_off(result))])


def _rows(result: CheckReport) -> Iterator[list[str]]:
    for file in result.files:
        path = printable(file.path, 200)
        yield from ([phrases.severity(rule), phrases.title(rule), path, text] for rule, text in phrases.shown(file))
        yield from (["not checked", "", path, line] for line in phrases.unchecked(file))
        for rule, reason, count in phrases.suppressed(file):
            yield [
                "ignored",
                phrases.title(rule),
                path,
                f"{f'{count:,} times, ' if count > 1 else ''}because: {reason}",
            ]
