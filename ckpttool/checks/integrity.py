"""Whether a checkpoint is whole: nothing cut off, nothing changed, nothing missing."""

from collections.abc import Callable, Iterator

from ckpttool.checks.rule import Rule, Severity, Told
from ckpttool.checks.subject import Subject

DAMAGED = Rule(
    code="I101",
    name="damaged",
    family="integrity",
    severity=Severity.ERROR,
    finds="A file, or a part of one, that breaks the rules of its own format: cut off, overwritten, a wrong checksum.",
    why="Loading it fails, or loads values that nobody trained.",
    remedy="Fetch or save the file again, and compare its checksum with that of the original.",
)

RULES: tuple[Rule, ...] = (DAMAGED,)

CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = ()
