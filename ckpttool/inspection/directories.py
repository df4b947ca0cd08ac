"""The checkpoints in a directory, each with its listing, for `ckpttool ls DIRECTORY`."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import CheckpointError
from ckpttool.escape import brief, printable
from ckpttool.formats import checkpoints_in, open_checkpoint
from ckpttool.inspection.listing import Choice, Listing, list_checkpoint, own_architecture
from ckpttool.notebook import Displayed

if TYPE_CHECKING:
    from ckpttool.formats.tensorflow.state_file import ManagedEntry
    from ckpttool.manifest import Record

Progress = Callable[[Checkpoint], Callable[[int], None]]
"""The function to be called with the number of bytes of every block that was read of a checkpoint."""


class Summary(NamedTuple):
    """One checkpoint among several: its listing, or the error that prevented it, and its entry in the manifest or in
    TensorFlow's state file. `error` names the problem in few words, `messages` are whole sentences."""

    path: Path
    listing: Listing | None
    error: str = ""
    record: "Record | None" = None
    managed: "ManagedEntry | None" = None
    messages: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True, slots=True)
class DirectoryListing(Displayed):
    """The checkpoints in a directory: those of its manifest, oldest first, then those of TensorFlow's state file, then
    the rest by name. `problems` are those of the manifest's entries, and what is of no checkpoint."""

    path: Path
    summaries: tuple[Summary, ...]
    problems: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<DirectoryListing {self.path.name!r}: {len(self.summaries):,} checkpoints>"


def _silent(checkpoint: Checkpoint) -> Callable[[int], None]:
    return lambda nbytes: None


def ls_directory(
    directory: str | os.PathLike[str], choice: Choice | None = None, progress: Progress = _silent
) -> DirectoryListing:
    """The listings of all checkpoints in a directory, as `ckpttool ls DIRECTORY` shows them.

    A checkpoint that cannot be read is among them, with its error. Directories further down are not searched.
    """
    from ckpttool.formats.tensorflow.places import strays_in
    from ckpttool.manifest import NAME, Manifest, read_manifest, records

    path, choice = Path(directory), choice or Choice()
    unreadable: tuple[Summary, ...] = ()
    try:
        manifest = read_manifest(path)
    except CheckpointError as error:
        manifest, unreadable = Manifest(), (_failed(path / NAME, error),)
    listed = tuple(_summaries(path, records(path, manifest), choice, progress))
    strays = strays_in(path) if listed else ()
    return DirectoryListing(path, (*unreadable, *listed), (*manifest.problems, *strays))


def _failed(path: Path, error: CheckpointError) -> Summary:
    return Summary(path, None, error.what, messages=(str(error),))


def _summaries(directory: Path, records: "tuple[Record, ...]", choice: Choice, progress: Progress) -> Iterator[Summary]:
    """The summaries of the checkpoints in a directory, in the order of a `DirectoryListing`."""
    from ckpttool.formats.tensorflow.state_file import managed_in

    recorded = {directory / record.saved.file: record for record in records}
    yield from (_recorded(path, record, choice, progress) for path, record in recorded.items())
    managed = {path: entry for path, entry in managed_in(directory).items() if path not in recorded}
    yield from (summary_of(path, choice, progress)._replace(managed=entry) for path, entry in managed.items())
    others = (path for path in checkpoints_in(directory) if path not in recorded and path not in managed)
    yield from (summary_of(path, choice, progress) for path in others)


def _recorded(path: Path, record: "Record", choice: Choice, progress: Progress) -> Summary:
    """The summary of a checkpoint in the manifest. A damaged file is read all the same, a missing one is not."""
    from ckpttool.manifest import MISSING

    messages = (f"{printable(str(path))}: {printable(record.damage)}",) if record.damage else ()
    if record.damage == MISSING:
        return Summary(path, None, record.damage, record, messages=messages)
    summary = summary_of(path, choice, progress)
    return summary._replace(record=record, messages=(*messages, *summary.messages))


def _applicable(choice: Choice, checkpoint: Checkpoint) -> Choice:
    """The choice for one checkpoint among several: weights alone have no cost, and are listed all the same."""
    if choice.cost is None or choice.architecture or own_architecture(checkpoint):
        return choice
    return replace(choice, cost=None)


def summary_of(path: Path, choice: Choice, progress: Progress = _silent) -> Summary:
    """The summary of the checkpoint at a path: its listing, or the error that prevented it."""
    try:
        with open_checkpoint(path) as checkpoint:
            return Summary(path, list_checkpoint(checkpoint, _applicable(choice, checkpoint), progress(checkpoint)))
    except CheckpointError as error:
        return _failed(path, error)
