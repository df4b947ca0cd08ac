"""All rules and all checks, of all families."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from ckpttool.checks import integrity, numbers, portability, required, safety
from ckpttool.checks.policy import ALL
from ckpttool.checks.rule import Rule, Told
from ckpttool.checks.subject import Subject

_FAMILIES = (safety, integrity, numbers, portability, required)

Check = Callable[[Subject], Iterator[Told]]


@dataclass(frozen=True, slots=True)
class Family:
    """Rules that belong together, and the checks that find what they speak of. `about` says what of."""

    name: str
    about: str
    rules: tuple[Rule, ...]
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, module: ModuleType) -> "Family":
        """The family that a module is."""
        about = " ".join((module.__doc__ or "").partition("\n\n")[0].split())
        return cls(module.RULES[0].family, about, tuple(module.RULES), tuple(module.CHECKS))


FAMILIES: tuple[Family, ...] = tuple(map(Family.of, _FAMILIES))

RULES: dict[str, Rule] = {rule.code: rule for family in FAMILIES for rule in family.rules}
"""Every rule by its code, in the order of the codes within each family."""


def unknown_codes(entries: Iterable[str]) -> tuple[str, ...]:
    """Those of some codes and beginnings of codes that stand for no rule."""
    return tuple(entry for entry in entries if entry != ALL and not _is_known(entry))


def _is_known(entry: str) -> bool:
    return re.fullmatch(r"[A-Z]\d{0,3}", entry) is not None and any(code.startswith(entry) for code in RULES)
