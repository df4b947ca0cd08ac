"""What a project asks of its checkpoints: which rules count, from which severity on, and what it requires."""

from dataclasses import dataclass

from ckpttool.checks.requirements import Requirements, Thresholds
from ckpttool.checks.rule import Severity


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that count, by codes or the beginnings of codes."""

    select: tuple[str, ...] = ("",)
    ignore: tuple[str, ...] = ()
    fail_on: Severity = Severity.ERROR
    thresholds: Thresholds = Thresholds()
    requirements: Requirements = Requirements()


EVERYTHING = Policy()
