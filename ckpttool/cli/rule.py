"""`ckpttool rule`."""

import click

from ckpttool.checks.catalogue import RULES
from ckpttool.checks.rule import Rule
from ckpttool.cli import options
from ckpttool.cli.emit import emit
from ckpttool.render.checks.rules import RULE_OUTPUTS


@click.command("rule", short_help="Explain the rules of `check`.")
@click.argument("codes", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Explain all rules.")
@options.output(RULE_OUTPUTS)
def command(codes: tuple[str, ...], everything: bool, output: str) -> None:
    """Explain rules of `ckpttool check`: what each finds, why that matters, and what to do.

    CODES are codes such as S101, names such as lambda-code, or beginnings of codes such as S.

    \b
    Examples:
      ckpttool rule S101
      ckpttool rule --all --output markdown
    """
    if everything == bool(codes):
        raise click.UsageError("name rules, or all of them with --all")
    chosen = (
        list(RULES.values()) if everything else list(dict.fromkeys(rule for code in codes for rule in _rules(code)))
    )
    emit(RULE_OUTPUTS[output](chosen))


def _rules(code: str) -> list[Rule]:
    rules = [rule for rule in RULES.values() if code == rule.name or (code and rule.code.startswith(code.upper()))]
    if not rules:
        raise click.BadParameter(f"{code!r} is no rule; `ckpttool rule --all` lists all")
    return rules
