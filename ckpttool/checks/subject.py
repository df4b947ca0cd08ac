"""The subject of all checks: one checkpoint, opened once for all of them, or the error that opening it raised."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from ckpttool.alignment.alignment import Alignment, align
from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.policy import Policy
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.model import Architecture, architecture_of

P = ParamSpec("P")
Result = TypeVar("Result")

Progress = Callable[[int], None]
"""Called with numbers of bytes, as they are read."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A checkpoint under check.

    `given_path` is the path as the user gave it. Either `checkpoint` is open, or `error` says why not. `architecture`
    is that of the checkpoint's own config; None where it stores none, or where `architecture_error` says why it cannot
    be read. `alignment` pairs its weights with the slots of that architecture; None where there is no architecture, or
    where `alignment_error` says why they cannot be paired.
    """

    path: Path
    given_path: str
    checkpoint: Checkpoint | None
    error: CheckpointError | None
    policy: Policy
    progress: Progress
    architecture: Architecture | None = None
    architecture_error: CheckpointError | None = None
    alignment: Alignment | None = None
    alignment_error: CheckpointError | None = None


@contextmanager
def opened_subject(given_path: str, policy: Policy, progress: Progress) -> Iterator[Subject]:
    """The subject at a path; its checkpoint is closed on leaving."""
    path = Path(given_path)
    try:
        checkpoint = open_checkpoint(path)
    except CheckpointError as error:
        yield Subject(path, given_path, None, error, policy, progress)
        return
    with checkpoint:
        yield subject_of(checkpoint, given_path, policy, progress)


def subject_of(checkpoint: Checkpoint, given_path: str, policy: Policy, progress: Progress) -> Subject:
    """An open checkpoint as a subject; it stays open."""
    architecture, architecture_error = _result_or_error(architecture_of, checkpoint)
    alignment, alignment_error = _result_or_error(align, checkpoint, architecture) if architecture else (None, None)
    return Subject(
        Path(given_path),
        given_path,
        checkpoint,
        None,
        policy,
        progress,
        architecture,
        architecture_error,
        alignment,
        alignment_error,
    )


def _result_or_error(
    work: Callable[P, Result], *args: P.args, **named: P.kwargs
) -> tuple[Result | None, CheckpointError | None]:
    """The result of a call and None, or None and the CheckpointError that it raised."""
    try:
        return work(*args, **named), None
    except CheckpointError as error:
        return None, error
