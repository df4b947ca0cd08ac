"""Annotations of GitHub: commands to the runner, a line each.

A runner reads lines that begin with two colons. Percent signs and line ends in messages are escaped, colons and commas
in properties too, as `@actions/core` does; so no text from a file becomes a command.
"""

from collections.abc import Iterator

from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.checks.rule import Severity
from ckpttool.escape import printable
from ckpttool.render.checks import phrases
from ckpttool.render.style import Style

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def report(result: CheckReport, style: Style) -> str:
    """An annotation for each finding, an error where it fails the check, and the verdict as a plain line."""
    lines = [line for file in result.files for line in _file(file, result.fail_on)]
    return "\n".join([*lines, phrases.conclusion(result)])


def _file(file: FileReport, fail_on: Severity | None) -> Iterator[str]:
    for rule, sentence in phrases.shown(file):
        name = "error" if rule.fails(fail_on) else _COMMANDS[rule.severity]
        yield _command(name, file.path, phrases.title(rule), f"{sentence}. {rule.remedy}")
    for line in phrases.unchecked(file):
        yield _command("error", file.path, "not checked", line)


def _command(name: str, path: str, title: str, message: str) -> str:
    return f"::{name} file={_property(printable(path))},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
