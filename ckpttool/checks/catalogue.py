"""All rules and all checks, of all families."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from ckpttool.checks import compliance, integrity, numbers, portability, safety
from ckpttool.checks.policy import ALL
from ckpttool.checks.rule import Outcome, Rule
from ckpttool.checks.subject import Subject

_FAMILIES = (safety, integrity, numbers, portability, compliance)

Check = Callable[[Subject], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Family:
    """Rules about one subject, and the checks that look for breaches of them. `about` is the subject in a sentence."""

    name: str
    about: str
    rules: tuple[Rule, ...]
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, module: ModuleType) -> "Family":
        """The family in a package of rules and checks, whose docstring begins with `about`."""
        about = " ".join((module.__doc__ or "").partition("\n\n")[0].split())
        return cls(module.RULES[0].family, about, tuple(module.RULES), tuple(module.CHECKS))


FAMILIES: tuple[Family, ...] = tuple(map(Family.of, _FAMILIES))

RULES: dict[str, Rule] = {rule.code: rule for family in FAMILIES for rule in family.rules}
"""Every rule by its code, in the order of the codes within each family."""


def unknown_codes(entries: Iterable[str]) -> tuple[str, ...]:
    """The entries of a policy, codes or beginnings of codes, that match no rule."""
    return tuple(entry for entry in entries if entry != ALL and not _is_known(entry))


def _is_known(entry: str) -> bool:
    return re.fullmatch(r"[A-Z]\d{0,3}", entry) is not None and any(code.startswith(entry) for code in RULES)
