"""What an error means for a check: a finding where a rule covers it, else something that could not be checked."""

from ckpttool.checks.integrity import DAMAGED
from ckpttool.checks.rule import Finding, Told, Unchecked
from ckpttool.errors import CheckpointError, CorruptFileError


def told(error: CheckpointError, where: str = "") -> Told:
    """The finding that an error amounts to, or that it kept something from being checked."""
    place = where or error.where
    if isinstance(error, CorruptFileError):
        return Finding(DAMAGED, place, in_a_line(error))
    return Unchecked(place, in_a_line(error))


def in_a_line(error: CheckpointError) -> str:
    """What is wrong, in one line: `Refusal.from_error` without the place."""
    facts = [error.what]
    if error.expected:
        facts.append(f"expected {error.expected}")
    if error.found:
        facts.append(f"found {error.found}")
    return ", ".join(facts)
