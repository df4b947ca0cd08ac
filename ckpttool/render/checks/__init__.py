"""Reports of `check`, and its rules, one module an output."""

from collections.abc import Callable, Sequence

from ckpttool.checks.result import CheckReport
from ckpttool.checks.rule import Rule
from ckpttool.render.checks import github, json, junit, markdown, rules, sarif, text
from ckpttool.render.style import Style

CHECK_OUTPUTS: dict[str, Callable[[CheckReport, Style], str]] = {
    "text": text.report,
    "json": json.report,
    "markdown": markdown.report,
    "junit": junit.report,
    "sarif": sarif.report,
    "github": github.report,
}

SUFFIXES = {".txt": "text", ".json": "json", ".md": "markdown", ".xml": "junit", ".sarif": "sarif"}
"""The output of a report by the suffix of its file."""

RULE_OUTPUTS: dict[str, Callable[[Sequence[Rule]], str]] = {
    "text": rules.text,
    "json": rules.json,
    "markdown": rules.markdown,
}

__all__ = ["CHECK_OUTPUTS", "RULE_OUTPUTS", "SUFFIXES"]
