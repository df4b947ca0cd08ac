"""Checkpoints that are in no manifest: files whose names fit a template, such as Keras's own callback saves."""

import glob
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from ckpttool.callbacks.deletion import format_problem
from ckpttool.callbacks.names import Names
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.info import optimizer_of
from ckpttool.manifest import Saved, State, sha256_of

_MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class UnlistedFile:
    """A file that is in no manifest. Either it has an entry, made of its name and content, or a `problem`, the reason
    why training cannot be resumed from it."""

    file: str
    problem: str
    entry: Saved | None = None


def files(names: Names, known: Collection[str]) -> list[str]:
    """The names of the files of a series that are not among `known`, newest first, without links."""
    pattern = "".join(glob.escape(text) + "*" * is_field for text, is_field in names.parts)
    paths = [names.directory / file for file in glob.iglob(pattern, root_dir=names.directory)]
    regular = [path for path in paths[:_MAX_FILES] if path.is_file() and not path.is_symlink()]
    regular.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    relative = (path.relative_to(names.directory).as_posix() for path in regular)
    return [file for file in relative if file not in known and names.fits(file)]


def candidates(names: Names, known: Collection[str], steps: int | None) -> Iterator[UnlistedFile]:
    """The files of a series that are not among `known`, newest first, each with an entry where one can be made.

    The epoch is taken from the name, or else computed from the iterations of the optimizer and the `steps` of an epoch.
    """
    yield from (_candidate(names, file, steps) for file in files(names, known))


def _candidate(names: Names, file: str, steps: int | None) -> UnlistedFile:
    try:
        return _read(names, file, steps)
    except CheckpointError as error:
        return UnlistedFile(file, error.what)


def _read(names: Names, file: str, steps: int | None) -> UnlistedFile:
    path = names.directory / file
    if problem := format_problem(path):
        return UnlistedFile(file, problem)
    with open_checkpoint(path) as checkpoint:
        optimizer = optimizer_of(checkpoint)
    iterations = optimizer.iteration if optimizer is not None else None
    when = _moment(names.numbers(file), iterations, steps)
    if when is None:
        return UnlistedFile(file, "neither its name nor the state of its optimizer shows the epoch")
    epoch, batch, step = when
    status = path.stat()
    date = datetime.fromtimestamp(status.st_mtime, timezone.utc).isoformat(timespec="seconds")
    entry = Saved(file, names.series, State.COMPLETE, epoch, batch, step, sha256_of(path), status.st_size, date=date)
    return UnlistedFile(file, "", entry)


def _moment(numbers: dict[str, int], iterations: int | None, steps: int | None) -> tuple[int, int | None, int] | None:
    """The epoch that a file was saved in or after, the batch where the epoch was not over, and the steps in all."""
    epoch, batch = numbers.get("epoch"), numbers.get("batch")
    if epoch is None:
        if not iterations or not steps:
            return None
        whole, rest = divmod(iterations, steps)
        return (whole, None, iterations) if rest == 0 else (whole + 1, rest, iterations)
    if batch is None and iterations and steps and (epoch - 1) * steps < iterations < epoch * steps:
        batch = iterations - (epoch - 1) * steps
    before = (epoch if batch is None else epoch - 1) * (steps or 0)
    return epoch, batch, iterations or before + (batch or 0)
