"""What rules look at: one checkpoint, opened once for all of them, or the error that opening it ended in."""

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
Made = TypeVar("Made")

Progress = Callable[[int], None]
"""Is told of bytes read, as they are read."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One checkpoint under check.

    `given` is the path as the user gave it. Either `checkpoint` is open, or `error` says why not. `architecture` is
    that of its own config; None where it stores none, or where `architecture_error` says that it cannot be read.
    `alignment` are its weights by the slots of that, None where there is none or `alignment_error` says why not.
    """

    path: Path
    given: str
    checkpoint: Checkpoint | None
    error: CheckpointError | None
    policy: Policy
    progress: Progress
    architecture: Architecture | None = None
    architecture_error: CheckpointError | None = None
    alignment: Alignment | None = None
    alignment_error: CheckpointError | None = None


@contextmanager
def opened(given: str, policy: Policy, progress: Progress) -> Iterator[Subject]:
    """The subject at a path; its checkpoint is closed on leaving."""
    path = Path(given)
    try:
        checkpoint = open_checkpoint(path)
    except CheckpointError as error:
        yield Subject(path, given, None, error, policy, progress)
        return
    with checkpoint:
        yield _subject(path, given, checkpoint, policy, progress)


def _subject(path: Path, given: str, checkpoint: Checkpoint, policy: Policy, progress: Progress) -> Subject:
    architecture, architecture_error = _tried(architecture_of, checkpoint)
    alignment, alignment_error = _tried(align, checkpoint, architecture) if architecture else (None, None)
    return Subject(
        path,
        given,
        checkpoint,
        None,
        policy,
        progress,
        architecture,
        architecture_error,
        alignment,
        alignment_error,
    )


def _tried(work: Callable[P, Made], *args: P.args, **named: P.kwargs) -> tuple[Made | None, CheckpointError | None]:
    """What is made of something, or the error that it ended in."""
    try:
        return work(*args, **named), None
    except CheckpointError as error:
        return None, error
