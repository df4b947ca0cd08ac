"""What an error means for a check: a finding where a rule covers it, else something that could not be checked."""

from ckpttool.checkpoint import Refusal
from ckpttool.checks.integrity.rules import DAMAGED, NO_CHECKPOINT, NO_WEIGHTS
from ckpttool.checks.rule import Finding, Told, Unchecked
from ckpttool.errors import CheckpointError, CorruptFileError, UnknownFormatError


def told(error: CheckpointError, where: str = "") -> Told:
    """The finding that an error amounts to, or that it kept something from being checked."""
    place = where or error.where
    if isinstance(error, CorruptFileError):
        return Finding(DAMAGED, place, in_a_line(error))
    if isinstance(error, UnknownFormatError) and error.kind in ("", "missing"):
        return Finding(NO_WEIGHTS if error.kind else NO_CHECKPOINT, place, in_a_line(error))
    return Unchecked(place, in_a_line(error))


def in_a_line(error: CheckpointError) -> str:
    """What is wrong, in one line, without the place."""
    return Refusal.from_error(error).detail
