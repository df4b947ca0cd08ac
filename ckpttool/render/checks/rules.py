"""The rules of `check`, explained: one or all of them. docs/rules.md is the page of all."""

from collections.abc import Callable, Sequence

from ckpttool.checks.catalogue import FAMILIES
from ckpttool.checks.rule import Rule
from ckpttool.render.checks.json import as_object
from ckpttool.render.checks.phrases import in_paragraphs, severity, title
from ckpttool.render.json_values import dumps
from ckpttool.render.markdown import escaped

_INTRODUCTION = """\
What `ckpttool check` looks for. `ckpttool rule CODE` explains one rule; [checking.md](checking.md) says how to
choose among them. The first letter of a code is its family. `ckpttool rule --all -o markdown` prints this page."""


def text(rules: Sequence[Rule]) -> str:
    """Each rule with what it finds, why that matters and what to do."""
    return in_paragraphs(map(_in_text, rules))


def _in_text(rule: Rule) -> str:
    head = f"{title(rule)} ({rule.family}, {severity(rule)})"
    return f"{head}\n  finds  {rule.finds}\n  why    {rule.why}\n  next   {rule.remedy}"


def json(rules: Sequence[Rule]) -> str:
    """The rules as objects."""
    return dumps({"schema": "ckpttool.rules/1", "rules": [as_object(rule) for rule in rules]})


def markdown(rules: Sequence[Rule]) -> str:
    """A page of rules by family."""
    parts = ["# Rules", _INTRODUCTION]
    for family in FAMILIES:
        chosen = [rule for rule in family.rules if rule in rules]
        if chosen:
            parts += [f"## {family.name.capitalize()}", escaped(family.about), *map(_in_markdown, chosen)]
    return in_paragraphs(parts)


def _in_markdown(rule: Rule) -> str:
    facts = (f"**{severity(rule)}**: {escaped(rule.finds)}", escaped(rule.why), f"Next: {escaped(rule.remedy)}")
    return "\n".join([f"### {title(rule)}", "", *("\n\n".join(facts).split("\n"))])


RULE_OUTPUTS: dict[str, Callable[[Sequence[Rule]], str]] = {"text": text, "json": json, "markdown": markdown}
