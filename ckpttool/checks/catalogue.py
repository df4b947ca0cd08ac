"""All rules and all checks, of all families."""

from collections.abc import Callable, Iterator

from ckpttool.checks import integrity
from ckpttool.checks.rule import Rule, Told
from ckpttool.checks.subject import Subject

_FAMILIES = (integrity,)

RULES: dict[str, Rule] = {rule.code: rule for family in _FAMILIES for rule in family.RULES}
"""Every rule by its code, in the order of the codes within each family."""

Check = Callable[[Subject], Iterator[Told]]

CHECKS: tuple[Check, ...] = tuple(check for family in _FAMILIES for check in family.CHECKS)
"""What is run on every checkpoint."""
