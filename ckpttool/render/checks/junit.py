"""JUnit XML for GitLab, Jenkins and others: a suite for each checkpoint, a test for each rule that it breaks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ckpttool.checks.result import CheckReport, FileReport
from ckpttool.checks.rule import Rule, Severity
from ckpttool.errors import CheckpointError
from ckpttool.escape import printable
from ckpttool.render.checks import phrases
from ckpttool.render.style import Style

if TYPE_CHECKING:
    from junitparser import TestCase


def report(result: CheckReport, style: Style) -> str:
    """A document of suites. A finding that counts is a failed test, any other a passed test with output; a part that
    could not be checked is an error, an ignored finding a skipped test."""
    try:
        import junitparser
    except ImportError as error:
        raise CheckpointError("JUnit is written by junitparser", hint="pip install 'ckpttool[junit]'") from error
    document: Any = junitparser.JUnitXml("ckpttool check")
    for file in result.files:
        suite = junitparser.TestSuite(printable(file.path))
        suite.add_testcases(list(_cases(file, result.fail_on)))
        document.add_testsuite(suite)
    if result.switched_off:
        suite = junitparser.TestSuite(printable(result.configuration))
        case = junitparser.TestCase("rules of the configuration", printable(result.configuration))
        case.system_out = phrases.switched_off(result)
        suite.add_testcases([case])
        document.add_testsuite(suite)
    document.update_statistics()
    return str(document.tostring().decode("utf-8")).rstrip("\n")


def _cases(file: FileReport, fail_on: Severity | None) -> Iterator["TestCase"]:
    from junitparser import Error, Failure, Skipped

    for rule, lines in _by_rule(file).items():
        case, text = _case(file, phrases.title(rule)), "\n".join([*lines, "", rule.why, rule.remedy])
        if rule.fails(fail_on):
            failure = Failure(lines[0], phrases.severity(rule))
            failure.text = text
            case.result = [failure]
        else:
            case.system_out = text
        yield case
    for rule, reason, _ in phrases.suppressed(file):
        case = _case(file, phrases.title(rule))
        case.result = [Skipped(reason)]
        yield case
    case, lines = _case(file, "everything could be checked"), phrases.unchecked(file)
    if lines:
        error = Error(lines[0], "not checked")
        error.text = "\n".join(lines)
        case.result = [error]
    yield case


def _case(file: FileReport, name: str) -> "TestCase":
    from junitparser import TestCase

    return TestCase(name, printable(file.path))


def _by_rule(file: FileReport) -> dict[Rule, list[str]]:
    sentences = dict[Rule, list[str]]()
    for rule, sentence in phrases.shown(file):
        sentences.setdefault(rule, []).append(sentence)
    return sentences
