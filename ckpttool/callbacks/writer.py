"""The writer of checkpoints: a file is written aside, checked and moved into its place; only then is an older deleted.

If a run is killed, at whatever moment, every file that its manifest calls complete is as it was written.
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
from ckpttool.escape import first_of, printable
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
_OWN_CHECKSUMS = set[str]()  # the checksums of all files that this process has saved
WRITTEN_BY = f"ckpttool {__version__}"


class Source(Protocol):
    """The content of a checkpoint."""

    def write(self, path: Path) -> None:
        """Write the content to a file, durably."""

    def check(self, path: Path) -> None:
        """Raise a CheckpointError where the file that was written must not replace an older one."""


@dataclass(frozen=True, slots=True)
class SaveJob:
    """A save to be done: its source, its entry in the manifest, and the retention after it.

    `needed` are epochs whose files must stay. `begun` is the time of the start by `time.monotonic`, 0 for now. `link`
    is the name of a symbolic link to the new file. `epochs` are the logs of the run's epochs so far.
    """

    source: Source
    directory: Path
    entry: Saved
    retention: Retention = _KEEP_ALL
    needed: Collection[int] = ()
    begun: float = 0.0
    link: str | None = None
    epochs: Sequence[EpochLogs] = ()


def save(job: SaveJob) -> Saved:
    """Save a checkpoint. Returns its entry.

    Raises a CheckpointError. Then nothing has changed, unless the new file had already been moved into its place.
    """
    begun, target = job.begun or time.monotonic(), job.directory / job.entry.file
    if target.is_dir():
        raise IsADirectoryError(
            "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an existing directory: "
            f"{target}"
        )
    with scratch_in(job.directory) as scratch:
        file = scratch / os.path.basename(job.entry.file)
        with _errors_about_target(file, target):
            job.source.write(file)
            entry = _checked_entry(job, file)
        return publish(job, file, entry, lambda: time.monotonic() - begun)


@contextlib.contextmanager
def _errors_about_target(file: Path, target: Path) -> Iterator[None]:
    """A context in which errors about the scratch file name the target instead."""
    try:
        yield
    except CheckpointError as error:
        if error.path == str(file):
            error.path = str(target)
        raise


def _checked_entry(job: SaveJob, file: Path) -> Saved:
    """Check the file. Returns its entry with size and checksum, which is computed at the same time in a thread."""
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(sha256_of, file)
        job.source.check(file)
        status = os.stat(file)
        return replace(job.entry, sha256=digest.result(), size=status.st_size, mtime_ns=status.st_mtime_ns)


def publish(job: SaveJob, file: Path, entry: Saved, elapsed: Callable[[], float]) -> Saved:
    """Move a finished file into its place, and delete the files that are no longer to be retained.

    The manifest announces the file before the move, and files before their deletion. If the run is killed in between,
    the next run sees from the files themselves what was done.
    """
    directory = job.directory
    with locked(directory):
        manifest = _clean(directory, entry.series).with_epochs(job.epochs)
        announced = manifest.with_saved(replace(entry, state=State.WRITING))
        write_manifest(directory, announced, WRITTEN_BY)
        move_into_place(file, directory / entry.file)
        if job.link is not None:
            update_link(directory / job.link, entry.file, file.parent)
        entry = replace(entry, state=State.COMPLETE, seconds=elapsed())
        _OWN_CHECKSUMS.add(entry.sha256)
        manifest = manifest.with_saved(entry)
        series = [saved for saved in manifest.saved if saved.complete and _is_same_run(saved, entry)]
        deleted = {saved.file for saved in job.retention.superfluous(series, job.needed)}
        write_manifest(directory, manifest.with_state(deleted, State.DELETING), WRITTEN_BY)
        if deleted:
            delete(directory, [saved for saved in manifest.saved if saved.file in deleted], _OWN_CHECKSUMS)
            manifest = replace(manifest, saved=tuple(saved for saved in manifest.saved if saved.file not in deleted))
            write_manifest(directory, manifest, WRITTEN_BY)
    return entry


def update_link(link: Path, file: str, scratch: Path) -> None:
    """Make a link lead to a file beside it, in one step. Warns where that fails: no other file is replaced."""
    try:
        if link.exists() and not link.is_symlink():
            raise FileExistsError(None, "a file that is no link has this name")
        new_link = scratch / "link"
        new_link.symlink_to(file)
        os.replace(new_link, link)  # in one step, so that there is a link at any moment
    except OSError as error:
        warnings.warn(f"{printable(str(link))} is not linked to {printable(file)}: {error.strerror}", stacklevel=2)


def _is_same_run(entry: Saved, other: Saved) -> bool:
    return (entry.series, entry.run) == (other.series, other.run)


def _readable_manifest(directory: Path) -> Manifest:
    """The manifest of a directory. An unreadable file is renamed, with a warning, and an empty manifest returned."""
    try:
        return read_manifest(directory)
    except (CorruptFileError, UnsafeFileError) as error:
        aside = directory / f"{NAME}.unreadable"
        os.replace(directory / NAME, aside)
        warnings.warn(f"{error}\nIt is renamed to {aside.name}, and a new one begins.", stacklevel=2)
        return Manifest()


def prepare(directory: Path) -> None:
    """Create the directory if it is missing. Raises FileAccessError where nothing can be saved in it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError("cannot be created", path=str(directory), found=error.strerror or str(error)) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise FileAccessError("cannot be written to", path=str(directory))


def tidy(directory: Path, series: str) -> Manifest:
    """Clean up after runs that died. Returns the manifest of the complete entries.

    Files that such a run was about to delete are deleted if they are of `series`, the template of the caller; for
    others there is a warning.
    """
    prepare(directory)
    with locked(directory):
        cleaned = _clean(directory, series)
    left = [entry.file for entry in cleaned.saved if not entry.complete]
    if left:
        files = first_of([printable(file) for file in left], 3)
        warnings.warn(
            f"{NAME} in {printable(str(directory))} lists {files} as to be deleted by another training, which does so "
            f"when it starts again. This one, which saves {printable(series)}, deletes none of them.",
            stacklevel=2,
        )
    return replace(cleaned, saved=tuple(entry for entry in cleaned.saved if entry.complete))


def _clean(directory: Path, series: str) -> Manifest:
    """Remove the traces of runs that died from a locked directory. Returns its manifest.

    The entries are complete, except those of other series that were to be deleted and whose files still exist.
    """
    sweep(directory)
    stored = _readable_manifest(directory)
    manifest = recovered(directory, stored)
    complete = {entry.file for entry in manifest.saved}
    to_delete = [entry for entry in stored.saved if entry.state is State.DELETING and entry.file not in complete]
    delete(directory, [entry for entry in to_delete if entry.series == series])
    others = [entry for entry in to_delete if entry.series != series and damage(directory, entry) != MISSING]
    cleaned = replace(manifest, saved=(*others, *manifest.saved))
    if cleaned.saved != stored.saved:
        write_manifest(directory, cleaned, WRITTEN_BY)
    return cleaned
