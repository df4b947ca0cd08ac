"""Writing as a whole or not at all: whatever fails, the old content is there and nothing else."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ckpttool.errors import CorruptFileError, FileAccessError
from ckpttool.io.replacement import (
    destination,
    move_into_place,
    put_text,
    replace_file,
    replacing,
    replacing_entries,
    replacing_whole,
)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The new content is there, nothing else is left behind, and permissions stay."""
    path = tmp_path / "out.json"
    replace_file(path, b"one")
    path.chmod(0o640)
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """The target of a link is replaced, not the link."""
    (tmp_path / "real").write_bytes(b"one")
    (tmp_path / "link").symlink_to("real")
    replace_file(tmp_path / "link", b"two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"two"


POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs and devices")


@POSIX
@pytest.mark.parametrize("name", ["fifo", "to fifo", "dangling", "/dev/null", "folder", "/dev/stdout", "/dev/fd/1"])
def test_what_is_no_file_is_not_replaced(name: str, tmp_path: Path) -> None:
    """Neither a FIFO, nor a device, nor an open descriptor; nor is anything written through a link to nothing, as `cp`
    does not."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to fifo").symlink_to("fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "new").write_bytes(b"new")
    before = {path.name: path.lstat().st_mode for path in tmp_path.iterdir()}
    for write in (replace_file, lambda path, _: destination(path), whole):
        with pytest.raises(FileAccessError, match=r"is no regular file|is a link to|is an open descriptor"):
            write(tmp_path / name, b"x")
    if name in ("fifo", "to fifo", "folder"):
        with pytest.raises(FileAccessError, match="is no regular file"):
            move_into_place(tmp_path / "new", tmp_path / name)
    assert {path.name: path.lstat().st_mode for path in tmp_path.iterdir()} == before


def whole(path: Path, content: bytes) -> None:
    """Replaces a file by one that was written elsewhere."""
    with replacing_whole(path) as scratch:
        scratch.write_bytes(content)


@POSIX
def test_entries_that_are_no_files(tmp_path: Path) -> None:
    """A link or a FIFO among the entries of a directory stays, and so does everything else."""
    fill(tmp_path, b"one")
    for make in (lambda path: path.symlink_to("elsewhere"), os.mkfifo):
        (tmp_path / "index").unlink()
        make(tmp_path / "index")
        with pytest.raises(FileAccessError), replacing_entries(tmp_path, NAMES) as scratch:
            fill(scratch, b"two")
        assert (tmp_path / "shard 0").read_bytes() == b"one"
        assert not (tmp_path / "index").is_file()


@POSIX
def test_texts_go_where_they_are_sent(tmp_path: Path) -> None:
    """A text is written into a FIFO, into a device, and into an open descriptor at its place, not over its file."""
    os.mkfifo(tmp_path / "fifo")
    read = list[bytes]()
    reader = threading.Thread(target=lambda: read.append((tmp_path / "fifo").read_bytes()))
    reader.start()
    put_text(tmp_path / "fifo", b"one")
    reader.join()
    put_text("/dev/null", b"two")
    with open(tmp_path / "out", "wb") as file:
        file.write(b"three ")
        file.flush()
        (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
        for path in (f"/dev/fd/{file.fileno()}", tmp_path / "link"):
            put_text(path, b"four ")
        file.write(b"five")
    assert (read, (tmp_path / "out").read_bytes()) == ([b"one"], b"three four four five")
    put_text(tmp_path / "out", b"six")
    assert (tmp_path / "out").read_bytes() == b"six"
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(FileAccessError, match="cannot be written"):
        put_text("/dev/fd/999", b"x")
    if os.path.exists("/dev/full"):
        with pytest.raises(FileAccessError, match="cannot be written"):
            put_text("/dev/full", b"x")


@pytest.mark.parametrize("name", ["x" * 255, "\u4e2d" * 85, "\U0001f600" * 63, "x" + "\u4e2d" * 84])
def test_long_names(name: str, tmp_path: Path) -> None:
    """Names of as many bytes as the system takes can be written, in every way."""
    for write in (replace_file, whole):
        write(tmp_path / name, b"one")
        assert contents(tmp_path) == {name: b"one"}
        (tmp_path / name).unlink()
    with replacing_entries(tmp_path / name, ["index"]) as scratch:
        (scratch / "index").write_bytes(b"one")
    assert contents(tmp_path) == {f"{name}/index": b"one"}


def test_a_failed_write_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of the last step leaves the old content and no scratch file."""
    path = tmp_path / "out.json"
    path.write_bytes(b"one")
    monkeypatch.setattr("os.replace", _refuses)
    with pytest.raises(FileAccessError, match="cannot be written"):
        replace_file(path, b"two")
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """Writing where there is no directory is one clear error."""
    with pytest.raises(FileAccessError, match="cannot be written"):
        replace_file(tmp_path / "nowhere" / "out.json", b"")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_a_failure_while_a_file_is_written(tmp_path: Path, error: BaseException) -> None:
    """Any interruption of the writing leaves the old content and no scratch file; errors of the system are named
    as ours."""
    path = tmp_path / "out"
    path.write_bytes(b"one")
    with pytest.raises(FileAccessError if isinstance(error, OSError) else type(error)) as caught:
        interrupted(path, error)
    assert not isinstance(error, OSError) or "No space left on device" in str(caught.value)
    assert contents(tmp_path) == {"out": b"one"}


def interrupted(path: Path, error: BaseException) -> None:
    """Replaces a file and is interrupted."""
    with replacing(path) as file:
        file.write(b"two" * 100_000)
        raise error


def test_no_space_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be made durable does not take its place."""
    (tmp_path / "out").write_bytes(b"one")
    monkeypatch.setattr("os.fsync", _refuses)
    with pytest.raises(FileAccessError, match="cannot be written"), replacing(tmp_path / "out") as file:
        file.write(b"two")
    assert contents(tmp_path) == {"out": b"one"}


def test_permissions_of_a_new_file(tmp_path: Path) -> None:
    """A new file gets the permissions that new files get."""
    with replacing(tmp_path / "out") as file:
        file.write(b"one")
    (tmp_path / "plain").write_bytes(b"one")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_is_durable_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is made durable, then the name changes, then the directory is made durable."""
    steps = list[str]()
    sync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def replaced(source: str, place: Path) -> None:
        steps.append("name")
        replace(source, place)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr("os.replace", replaced)
    replace_file(tmp_path / "out", b"one")
    assert steps == ["file", "name", "directory"]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    """A process that is killed while it writes leaves the old content, and a hidden file at most."""
    (tmp_path / "out").write_bytes(b"one")
    script = (
        "import sys, time; from ckpttool.io.replacement import replacing\n"
        "with replacing(sys.argv[1]) as file: file.write(b'two'); file.flush(); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "out")], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    assert (tmp_path / "out").read_bytes() == b"one"
    assert all(path.name == "out" or path.name.startswith(".out.") for path in tmp_path.iterdir())


def contents(directory: Path) -> dict[str, bytes]:
    """All files below a directory, hidden ones too."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def fill(scratch: Path, content: bytes) -> None:
    """Writes an index, two shards and a directory with a file in it."""
    for name in ("index", "shard 0", "shard 1"):
        (scratch / name).write_bytes(content)
    (scratch / "deep" / "er").mkdir(parents=True)
    (scratch / "deep" / "er" / "file").write_bytes(content)


def fail(scratch: Path) -> None:
    """Fills a scratch directory, and then something is wrong."""
    fill(scratch, b"two")
    raise CorruptFileError("no")


NAMES = ("index", "shard 0", "shard 1", "deep", "gone")
ALL = ("index", "shard 0", "shard 1", "deep/er/file")


def test_a_new_directory(tmp_path: Path) -> None:
    """A directory that was not there appears with all that is in it, and with the permissions of any other."""
    with replacing_entries(tmp_path / "new", NAMES) as scratch:
        fill(scratch, b"one")
        assert not (tmp_path / "new").exists()
    (tmp_path / "plain").mkdir()
    assert contents(tmp_path) == {f"new/{name}": b"one" for name in ALL}
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("new", [True, False])
def test_entries_are_durable_before_they_take_their_places(
    tmp_path: Path, new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files and directories are made durable before the first move, the directory they are in after the last."""
    (tmp_path / "place").mkdir()
    sync, rename, steps = os.fsync, os.rename, list[int]()

    def synced(descriptor: int) -> None:
        steps.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def renamed(source: Path, place: Path) -> None:
        steps.append(0)
        rename(source, place)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr("os.rename", renamed)
    place = tmp_path / "place" / ("new" if new else "")
    with replacing_entries(place, NAMES) as scratch:
        fill(scratch, b"one")
        wanted = {path.stat().st_ino for path in (scratch, *scratch.rglob("*"))}
    assert set(steps[: steps.index(0)]) == wanted
    assert steps[-2:] == [0, (tmp_path / "place").stat().st_ino]


def test_entries_of_a_directory(tmp_path: Path) -> None:
    """Named entries are replaced or go; others stay."""
    fill(tmp_path, b"one")
    (tmp_path / "deep" / "old").write_bytes(b"one")
    (tmp_path / "gone").write_bytes(b"one")
    (tmp_path / "other").write_bytes(b"one")
    with replacing_entries(tmp_path, NAMES) as scratch:
        fill(scratch, b"two")
    assert contents(tmp_path) == {"other": b"one"} | dict.fromkeys(ALL, b"two")
    assert {path.name for path in tmp_path.iterdir()} == {"index", "shard 0", "shard 1", "deep", "other"}


@pytest.mark.parametrize("new", [True, False])
def test_a_failure_while_entries_are_written(tmp_path: Path, new: bool) -> None:
    """A failure of writing changes nothing and leaves nothing behind."""
    target = tmp_path / "new" if new else tmp_path
    before = {"other": b"one"}
    (tmp_path / "other").write_bytes(b"one")
    with pytest.raises(CorruptFileError), replacing_entries(target, NAMES) as scratch:
        fail(scratch)
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.parametrize("at", range(8))
def test_a_failure_while_entries_take_their_places(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of the moves fails, all old entries are back and nothing is left behind."""
    fill(tmp_path, b"one")
    rename, count = os.rename, [0]

    def failing(source: Path, place: Path) -> None:
        count[0] += 1
        if count[0] == at + 1:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, place)

    monkeypatch.setattr("os.rename", failing)
    with pytest.raises(FileAccessError, match="cannot be written"), replacing_entries(tmp_path, NAMES) as scratch:
        fill(scratch, b"two")
    monkeypatch.undo()
    assert contents(tmp_path) == dict.fromkeys(ALL, b"one")
    assert {path.name for path in tmp_path.iterdir()} == {"index", "shard 0", "shard 1", "deep"}


def test_old_and_new_are_never_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no moment does the first entry stand beside entries of another time than its own."""
    fill(tmp_path, b"one")
    rename, seen = os.rename, list[set[bytes]]()

    def watched(source: Path, place: Path) -> None:
        rename(source, place)
        now = {name: data for name, data in contents(tmp_path).items() if not name.startswith(".")}
        seen.append(set(now.values()) if "index" in now else set())

    monkeypatch.setattr("os.rename", watched)
    with replacing_entries(tmp_path, NAMES) as scratch:
        fill(scratch, b"two")
    assert seen == [*[set()] * 7, {b"two"}]


def test_content_that_cannot_be_put_back_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content stays in the scratch directory where even putting it back fails."""
    (tmp_path / "index").write_bytes(b"one")
    rename, count = os.rename, [0]

    def failing(source: Path, place: Path) -> None:
        count[0] += 1
        if count[0] > 1:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, place)

    monkeypatch.setattr("os.rename", failing)
    with pytest.raises(FileAccessError), replacing_entries(tmp_path, ["index"]) as scratch:
        (scratch / "index").write_bytes(b"two")
    assert list(contents(tmp_path).values()) == [b"one"]


def _refuses(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
