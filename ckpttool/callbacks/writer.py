"""Saving a checkpoint: written aside, read back, then put in its place, and only then is anything older deleted.

A run that is killed at any moment leaves every file that its manifest calls complete as it was written.
"""

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ckpttool import __version__
from ckpttool.callbacks.deletion import delete
from ckpttool.callbacks.retention import Retention
from ckpttool.callbacks.scratch import locked, scratch_in, sweep
from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError, UnsafeFileError
from ckpttool.escape import printable
from ckpttool.io.replacement import move_into_place
from ckpttool.manifest import (
    MISSING,
    NAME,
    EpochLogs,
    Manifest,
    Saved,
    State,
    damage,
    read_manifest,
    recovered,
    sha256_of,
    write_manifest,
)

_KEEP_ALL = Retention()
_SAVED_HERE = set[str]()  # the checksums of all that this process has saved
WRITTEN_BY = f"ckpttool {__version__}"


class Source(Protocol):
    """What is saved."""

    def write(self, path: Path) -> None:
        """Writes it to a path, durably."""

    def check(self, path: Path) -> None:
        """Raises a CheckpointError where what stands at a path is not fit to be kept."""


@dataclass(frozen=True, slots=True)
class Order:
    """One save: what, under which entry, and what may go afterwards. `needed` are epochs whose files must stay; `link`
    is the name of a link that is to lead to the file; `epochs` are the logs of the run's epochs so far.
    """

    source: Source
    directory: Path
    entry: Saved
    retention: Retention = _KEEP_ALL
    needed: Collection[int] = ()
    begun: float = 0.0
    link: str | None = None
    epochs: Sequence[EpochLogs] = ()


def save(order: Order) -> Saved:
    """Saves a checkpoint; gives its entry. Raises a CheckpointError, and then nothing has changed."""
    begun, target = order.begun or time.monotonic(), order.directory / order.entry.file
    if target.is_dir():
        raise IsADirectoryError(
            "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an existing directory: "
            f"{target}"
        )
    with scratch_in(order.directory) as scratch:
        file = scratch / os.path.basename(order.entry.file)
        with _told_as(file, target):
            order.source.write(file)
            entry = _measured(order, file)
        return publish(order, file, entry, lambda: time.monotonic() - begun)


@contextlib.contextmanager
def _told_as(file: Path, target: Path) -> Iterator[None]:
    """What goes wrong with an unfinished file is told of the one it was to become."""
    try:
        yield
    except CheckpointError as error:
        if error.path == str(file):
            error.path = str(target)
        raise


def _measured(order: Order, file: Path) -> Saved:
    """The entry with the checksum of its file, which is computed beside the check of its content."""
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(sha256_of, file)
        order.source.check(file)
        found = os.stat(file)
        return replace(order.entry, sha256=digest.result(), size=found.st_size, mtime_ns=found.st_mtime_ns)


def publish(order: Order, file: Path, entry: Saved, elapsed: Callable[[], float]) -> Saved:
    """Puts a finished file in its place, and deletes what need not be kept any more.

    The manifest announces the file before it takes its place, so that whatever happens in between can be told by
    looking at the file.
    """
    directory = order.directory
    with locked(directory):
        known = _cleaned(directory, entry.series).with_epochs(order.epochs)
        announced = known.with_saved(replace(entry, state=State.WRITING))
        write_manifest(directory, announced, WRITTEN_BY)
        move_into_place(file, directory / entry.file)
        if order.link is not None:
            lead(directory / order.link, entry.file, file.parent)
        entry = replace(entry, state=State.COMPLETE, seconds=elapsed())
        _SAVED_HERE.add(entry.sha256)
        known = known.with_saved(entry)
        series = [each for each in known.saved if each.complete and _are_of_one_run(each, entry)]
        gone = {each.file for each in order.retention.superfluous(series, order.needed)}
        write_manifest(directory, known.with_state(gone, State.DELETING), WRITTEN_BY)
        if gone:
            delete(directory, [each for each in known.saved if each.file in gone], _SAVED_HERE)
            known = replace(known, saved=tuple(each for each in known.saved if each.file not in gone))
            write_manifest(directory, known, WRITTEN_BY)
    return entry


def lead(link: Path, file: str, scratch: Path) -> None:
    """Has a link lead to a file beside it, in one step; warns where it cannot. What is there and is no link stays."""
    try:
        if link.exists() and not link.is_symlink():
            raise FileExistsError(None, "something that is no link is there")
        made = scratch / "link"
        made.symlink_to(file)
        os.replace(made, link)
    except OSError as error:
        warnings.warn(f"{printable(str(link))} is not linked to {printable(file)}: {error.strerror}", stacklevel=2)


def _are_of_one_run(one: Saved, other: Saved) -> bool:
    return (one.series, one.run) == (other.series, other.run)


def _readable_manifest(directory: Path) -> Manifest:
    """The manifest of a directory; one that is no manifest at all is set aside, which is said."""
    try:
        return read_manifest(directory)
    except (CorruptFileError, UnsafeFileError) as error:
        aside = directory / f"{NAME}.unreadable"
        os.replace(directory / NAME, aside)
        warnings.warn(f"{error}\nIt is set aside as {aside.name}, and a new one begun.", stacklevel=2)
        return Manifest()


def prepare(directory: Path) -> None:
    """Makes a directory that is not there. Raises FileAccessError where nothing can be saved in it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError("cannot be made", path=str(directory), found=error.strerror or str(error)) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise FileAccessError("cannot be written to", path=str(directory))


def tidy(directory: Path, series: str) -> Manifest:
    """Cleans up after runs that died, and gives what is there.

    What such a run was about to delete is deleted where it is of `series`, the template of the caller; what is not, is
    named and left.
    """
    prepare(directory)
    with locked(directory):
        found = _cleaned(directory, series)
    left = [each.file for each in found.saved if not each.complete]
    if left:
        others = f" and {len(left) - 3:,} more" if len(left) > 3 else ""
        warnings.warn(
            f"{NAME} says that {', '.join(map(printable, left[:3]))}{others} in {printable(str(directory))} should be "
            f"deleted: no file of {printable(series)}, so nothing is done to it.",
            stacklevel=2,
        )
    return replace(found, saved=tuple(each for each in found.saved if each.complete))


def _cleaned(directory: Path, series: str) -> Manifest:
    """The manifest of a locked directory, and no trace of runs that died.

    Its entries are complete, but for those of other series whose files are there and were to be deleted.
    """
    sweep(directory)
    found = _readable_manifest(directory)
    known = recovered(directory, found)
    there = {each.file for each in known.saved}
    doomed = [each for each in found.saved if each.state is State.DELETING and each.file not in there]
    delete(directory, [each for each in doomed if each.series == series])
    others = [each for each in doomed if each.series != series and damage(directory, each) != MISSING]
    decided = replace(known, saved=(*others, *known.saved))
    if decided.saved != found.saved:
        write_manifest(directory, decided, WRITTEN_BY)
    return decided
