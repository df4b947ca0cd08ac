"""Files replaced as a whole or not at all: written beside their place first, made durable, then renamed.

Whatever fails, the old file stays and nothing else is left behind; a process that is killed leaves hidden scratch files
at most.
"""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ckpttool.errors import FileAccessError

_A_FILE = "name a regular file, or one that is not there"
_NO_TEXTS = (b"\x89HDF\r\n\x1a\n", b"PK\3\4")
_MOST_LINKS = 40  # as many as Linux follows
_MOST_PREFIX = 100  # bytes; names of files have 255 at most


def destination(path: str | os.PathLike[str]) -> Path:
    """The regular file, existing or new, that a path leads to; links are followed.

    Raises FileAccessError where the path leads to another kind of file, such as a device or a FIFO, where it is an open
    descriptor, or where it is a broken link, through which `cp` does not write either.
    """
    descriptor, target = _descriptor(path), Path(os.path.realpath(path))
    if descriptor is not None:
        raise FileAccessError("is an open descriptor, not a file", path=os.fspath(path), hint=_A_FILE)
    if os.path.islink(path) and not target.exists():
        raise FileAccessError(
            "is a link to what is not there",
            path=os.fspath(path),
            found=str(target),
            hint="name that file, or remove the link",
        )
    if target.exists() and not target.is_file():
        raise FileAccessError("is no regular file", path=os.fspath(path), found=_kind(target), hint=_A_FILE)
    return target


def refuse_inputs(path: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise FileAccessError if the output file is one of the inputs, or is inside a directory that is an input."""
    if _descriptor(path) is not None:
        return
    target = Path(os.path.realpath(path))
    for source in map(Path, inputs):
        with contextlib.suppress(OSError, ValueError):  # a missing input cannot be overwritten
            is_same = target.exists() and target.samefile(source)
            if is_same or (source.is_dir() and target.is_relative_to(source.resolve())):
                raise FileAccessError(
                    "is an input of this command, and is not overwritten",
                    path=os.fspath(path),
                    hint="name another file",
                )


def refuse_checkpoint(path: str | os.PathLike[str]) -> None:
    """Raise FileAccessError if a text would replace an HDF5 file or an archive, such as a shard."""
    if _descriptor(path) is not None or not os.path.isfile(path):
        return
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if file.read(8).startswith(_NO_TEXTS):
            raise FileAccessError(
                "is a checkpoint or an archive, and is not replaced by a text",
                path=os.fspath(path),
                hint="name another file, or remove this one",
            )


def put_text(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a small text as a whole or not at all; an open descriptor such as /dev/stdout, a FIFO or a terminal is
    written to directly. Raises FileAccessError."""
    descriptor = _descriptor(path)
    with system_errors(path):
        if descriptor is not None:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(content)
        elif _takes_streams(path):
            with open(path, "wb") as file:
                file.write(content)
        else:
            replace_file(path, content)


def _descriptor(path: str | os.PathLike[str]) -> int | None:
    """The number of the open descriptor that a path such as /dev/stdout or /dev/fd/3 names, None where it is none."""
    place, descriptors = os.fspath(path), re.compile(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd")
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(place)
        if name.isascii() and name.isdecimal() and descriptors.fullmatch(os.path.realpath(folder)):
            return int(name)
        if not os.path.islink(place):
            return None
        place = os.path.join(folder, os.readlink(place))
    return None


def _takes_streams(path: str | os.PathLike[str]) -> bool:
    mode = os.stat(path).st_mode if os.path.exists(path) else 0
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _kind(path: Path) -> str:
    """The kind of a file that is not a regular one, for messages."""
    mode = path.stat().st_mode
    kinds = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISCHR, "a character device"),
             (stat.S_ISBLK, "a block device"), (stat.S_ISSOCK, "a socket"))  # fmt: skip
    return next((name for is_one, name in kinds if is_one(mode)), "something else")


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a small file as a whole or not at all. Raises FileAccessError."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write, which replaces `path` as a whole when the block ends without an error, and else not at all.

    Raises FileAccessError.
    """
    with system_errors(path), contextlib.ExitStack() as undo:
        target = destination(path)
        mode = _mode_of(target)
        descriptor, scratch = tempfile.mkstemp(prefix=_prefix(target), dir=target.parent)
        undo.callback(_remove, scratch)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, mode)
        os.replace(scratch, target)
        undo.pop_all()
        _sync_directory(target.parent)


@contextlib.contextmanager
def replacing_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path of the same name in a scratch directory; the file written there replaces `path` when the block ends
    without an error. So the file can be read back before it replaces the old one. Raises FileAccessError.
    """
    with system_errors(path), contextlib.ExitStack() as undo:
        target = destination(path)
        scratch = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        undo.callback(shutil.rmtree, scratch, ignore_errors=True)
        yield scratch / target.name
        os.chmod(scratch / target.name, _mode_of(target))
        os.replace(scratch / target.name, target)
        _sync_directory(target.parent)


def move_into_place(scratch: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Rename a finished file of the same file system to `path`, durably, as a whole or not at all. A missing directory
    is created. Raises FileAccessError.
    """
    target = Path(path)
    with system_errors(path):
        if target.exists() and not target.is_file():
            raise FileAccessError("is no regular file", path=os.fspath(path), found=_kind(target), hint=_A_FILE)
        mode = target.stat().st_mode & 0o777 if target.is_file() else 0o666 & ~_umask()
        os.chmod(scratch, mode)
        with open(scratch, "r+b") as file:
            os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(scratch, target)
        _sync_directory(target.parent)


@contextlib.contextmanager
def replacing_entries(directory: str | os.PathLike[str], names: Sequence[str]) -> Iterator[Path]:
    """A scratch directory; when the block ends without an error, its entries `names` move into `directory`.

    They move in reverse order: the first one, without which no reader knows of the others, comes last. Old entries of
    these names are set aside before, so that old and new are never mixed, and put back if a step fails; a name that the
    scratch directory lacks is then gone from `directory`. A missing directory is created. Raises FileAccessError.
    """
    target = Path(os.path.realpath(directory))
    with system_errors(directory), contextlib.ExitStack() as undo:
        is_new = not target.exists()
        beside = target.parent if is_new else target
        scratch = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=beside))
        undo.callback(_discard, scratch)
        (scratch / "new").mkdir()
        yield scratch / "new"
        _sync_tree(scratch / "new")
        if is_new:
            os.rename(scratch / "new", target)
        else:
            _exchange(scratch, target, names)
        _sync_directory(beside)


def _exchange(scratch: Path, target: Path, names: Sequence[str]) -> None:
    """Move the entries of `new` in `scratch` to `target`, and the former ones to `old`; all of them or none."""
    for name in names:
        _check_entry(target / name)
    (scratch / "old").mkdir()
    with contextlib.ExitStack() as undo:
        for name in names:
            if os.path.lexists(target / name):
                _move(target / name, scratch / "old" / name, undo)
        for name in reversed(names):
            if os.path.lexists(scratch / "new" / name):
                _move(scratch / "new" / name, target / name, undo)
        undo.pop_all()
    shutil.rmtree(scratch / "old", ignore_errors=True)


def _check_entry(place: Path) -> None:
    """Raise FileAccessError if the entry to replace is neither a file nor a directory."""
    if place.is_symlink():
        raise FileAccessError("is a link and would be replaced", path=str(place), hint="remove it first")
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise FileAccessError("is no regular file", path=str(place), found=_kind(place), hint=_A_FILE)


def _discard(scratch: Path) -> None:
    """Remove a scratch directory, except for old entries in it that could not be put back."""
    shutil.rmtree(scratch / "new", ignore_errors=True)
    for empty in (scratch / "old", scratch):
        with contextlib.suppress(OSError):
            empty.rmdir()


def _move(source: Path, place: Path, undo: contextlib.ExitStack) -> None:
    os.rename(source, place)
    undo.callback(os.rename, place, source)


@contextlib.contextmanager
def system_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an OSError within the block into a FileAccessError about `path`."""
    try:
        yield
    except OSError as error:
        raise FileAccessError("cannot be written", path=os.fspath(path), found=error.strerror or str(error)) from error


def _prefix(target: Path) -> str:
    """The prefix for names of scratch files, short enough for any name that the target can have."""
    return f".{os.fsencode(target.name)[:_MOST_PREFIX].decode('utf-8', 'ignore')}."


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _sync_tree(directory: Path) -> None:
    """Make all files below a directory, and their names, durable."""
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(folder, name), "r+b") as file:
                os.fsync(file.fileno())
        _sync_directory(folder)


def _sync_directory(path: str | os.PathLike[str]) -> None:
    """Make the names in a directory durable, where the system supports that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mode_of(target: Path) -> int:
    """The permissions of the file that is replaced, or the usual ones of a new file."""
    return target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()


def _umask() -> int:
    """The process's umask, the permissions that new files do not get; it can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
