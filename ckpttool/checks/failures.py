"""Errors of readers as outcomes of a check: a finding where a rule covers the error, else `Unchecked`."""

from ckpttool.checkpoint import Refusal
from ckpttool.checks.integrity.rules import DAMAGED, NO_CHECKPOINT, NO_WEIGHTS
from ckpttool.checks.rule import Finding, Outcome, Unchecked
from ckpttool.errors import CheckpointError, CorruptFileError, UnknownFormatError


def outcome_of(error: CheckpointError, where: str = "") -> Outcome:
    """The finding of the rule that covers an error; where none does, the place that the error left unchecked."""
    place = where or error.where
    if isinstance(error, CorruptFileError):
        return Finding(DAMAGED, place, one_line(error))
    if isinstance(error, UnknownFormatError) and error.kind in ("", "missing", "pointer"):
        return Finding(NO_WEIGHTS if error.kind == "missing" else NO_CHECKPOINT, place, one_line(error))
    return Unchecked(place, one_line(error))


def one_line(error: CheckpointError) -> str:
    """The message of an error in one line, without the place."""
    return Refusal.from_error(error).detail
