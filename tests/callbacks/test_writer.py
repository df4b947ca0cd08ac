"""Saving: whatever happens in whichever moment, what is called complete is, and something is."""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.callbacks import saved_in, scratch
from ckpttool.callbacks.retention import Retention
from ckpttool.callbacks.writer import SaveJob, save, tidy
from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError, UnsupportedError
from ckpttool.manifest import NAME, Saved, State, damage, read_manifest
from tests.callbacks.files import names


@dataclass
class Bytes:
    """Something to save."""

    content: bytes
    problem: str = ""

    def write(self, path: Path) -> None:
        """Writes it."""
        path.write_bytes(self.content)

    def check(self, path: Path) -> None:
        """Says what is wrong, if anything is to be."""
        if self.problem:
            raise CorruptFileError(self.problem)


def order(directory: Path, epoch: int, file: str = "", **more: Any) -> SaveJob:
    """A save of a series."""
    series = more.pop("series", "{epoch}.h5")
    entry = Saved(file or f"{epoch}.h5", series, State.WRITING, epoch, None, epoch, "", 0, run="r")
    return SaveJob(Bytes(weights(epoch)), directory, entry, **more)


@functools.cache
def weights(epoch: int) -> bytes:
    """A small file of weights."""
    with h5py.File.in_memory() as file:
        file.attrs["layer_names"] = [b"dense"]
        file.create_group("dense").attrs["weight_names"] = [b"dense/kernel"]
        file["dense/dense/kernel"] = np.full((2, 3), epoch, "f4")
        file.flush()
        return bytes(file.id.get_file_image())


class Killed(BaseException):
    """The exception that stands for SIGKILL."""


@contextmanager
def killed(monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> Iterator[list[str]]:
    """Dies before or after the n-th change of the file system; afterwards nothing is changed any more."""
    done: list[str] = []

    def dying(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            done.append(name)
            if len(done) > at + 1 or (len(done) == at + 1 and not after):
                raise Killed
            result = change(*args, **kwargs)
            if len(done) == at + 1:
                raise Killed
            return result

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync"):
            patch.setattr(os, name, dying(name, getattr(os, name)))
        yield done


KINDS = {
    "all of a series": ("{epoch}.h5", Retention()),
    "the last one": ("{epoch}.h5", Retention(last=1)),
    "one name": ("m.h5", Retention()),
    "in directories": ("{epoch}/m.h5", Retention(last=1)),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_step(kind: str, after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that the manifest calls complete is, the last good one is among what is found, and no trace stays."""
    series, retention = KINDS[kind]

    def saving(place: Path, epoch: int) -> SaveJob:
        return order(place, epoch, series.format(epoch=epoch), series=series, retention=retention)

    for step in range(100):
        place = tmp_path / str(step)
        for epoch in (1, 2):
            save(saving(place, epoch))
        with killed(monkeypatch, step, after) as done:
            try:
                save(saving(place, 3))
                break
            except Killed:
                pass
        assert all(not damage(place, entry, thorough=True) for entry in read_manifest(place).saved if entry.complete)
        entries = saved_in(place)
        assert entries[-1].epoch in (2, 3)
        assert not any(damage(place, entry, thorough=True) for entry in entries)
        tidied = tidy(place, series).saved
        assert [entry.file for entry in tidied] == [entry.file for entry in entries]
        assert [path for path in names(place) if path[-1] != "/"] == sorted(entry.file for entry in tidied)
        save(saving(place, 4))
        assert saved_in(place)[-1].epoch == 4
    assert len(done) > 10  # so many steps there were
    assert saved_in(place)[-1].epoch == 3


@pytest.mark.parametrize("step", ["check", "write", "place"])
def test_a_save_that_fails(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that fails leaves the directory as it was."""
    save(order(tmp_path, 1, "m.h5"))
    failing = order(tmp_path, 2, "m.h5")
    if step == "check":
        failing.source.problem = "is something else"  # type: ignore[attr-defined]
    elif step == "write":
        monkeypatch.setattr(Bytes, "write", lambda self, path: (path.write_bytes(b"x"), path.parent.rmdir()))
    else:
        (tmp_path / "d.h5").mkdir()
        failing = order(tmp_path, 2, "d.h5")
    with pytest.raises((CheckpointError, OSError)):
        save(failing)
    assert names(tmp_path) == (["d.h5/", "m.h5"] if step == "place" else ["m.h5"])
    assert [entry.epoch for entry in saved_in(tmp_path)] == [1]
    assert (tmp_path / "m.h5").read_bytes() == weights(1)


def test_only_what_was_saved_is_deleted(tmp_path: Path) -> None:
    """A file that somebody has changed since is theirs, and stays when its turn comes, which is said."""
    for epoch in (1, 2):
        save(order(tmp_path, epoch, retention=Retention(last=1)))
    (tmp_path / "2.h5").write_bytes(b"mine now")
    with pytest.warns(UserWarning, match=r"2\.h5 is not deleted: altered: 8 bytes instead"):
        save(order(tmp_path, 3, retention=Retention(last=1)))
    assert names(tmp_path) == ["2.h5", "3.h5"]
    assert [entry.epoch for entry in saved_in(tmp_path)] == [3]


def test_several_save_at_once(tmp_path: Path) -> None:
    """Threads, as well as processes, wait for each other, and no entry is lost."""

    def many(run: int) -> None:
        for epoch in range(6):
            save(order(tmp_path, epoch, f"{run}-{epoch}.h5"))

    threads = [threading.Thread(target=many, args=(run,)) for run in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.file for entry in saved_in(tmp_path)) == names(tmp_path)
    assert len(names(tmp_path)) == 18


def test_locked_for_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for another process that saves there."""
    monkeypatch.setattr(scratch, "_PATIENCE_SECONDS", 0.05)
    with scratch.locked(tmp_path), pytest.raises(FileAccessError, match="kept locked"):
        save(order(tmp_path, 1))
    assert names(tmp_path) == []


def test_a_running_process_is_left_alone(tmp_path: Path) -> None:
    """Its unfinished files stay; those of dead ones go, and what has another name is nobody's business."""
    (tmp_path / ".ckpttool-dead").mkdir()
    (tmp_path / ".ckpttool-dead" / "m.h5").write_bytes(b"half")
    (tmp_path / ".ckpttool-young").mkdir()  # whose maker has not come to lock it
    (tmp_path / ".ckpttool-old").mkdir()
    os.utime(tmp_path / ".ckpttool-old", (time.time() - 100,) * 2)
    (tmp_path / f".{NAME}.abc").write_bytes(b"half")
    (tmp_path / ".hidden").mkdir()
    with scratch.scratch_in(tmp_path) as own:
        (own / "m.h5").write_bytes(b"half")
        tidy(tmp_path, "{epoch}.h5")
        assert names(tmp_path) == sorted([".ckpttool-young/", ".hidden/", f"{own.name}/", f"{own.name}/m.h5"])
    assert names(tmp_path) == [".ckpttool-young/", ".hidden/"]


def test_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is thought dead that was written to within a day."""
    import fcntl

    def none(descriptor: int, operation: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    for name, age in (("new", 3600), ("old", 90_000)):
        (tmp_path / f".ckpttool-{name}").mkdir()
        (tmp_path / f".ckpttool-{name}" / "m.h5").write_bytes(b"half")
        os.utime(tmp_path / f".ckpttool-{name}", (time.time() - age,) * 2)
    save(order(tmp_path, 1))
    assert names(tmp_path) == [".ckpttool-new/", ".ckpttool-new/m.h5", "1.h5"]


def test_a_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be written is an error before training, and a newer manifest is not replaced."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(FileAccessError, match="cannot be written to"):
        tidy(tmp_path, "{epoch}.h5")
    monkeypatch.undo()
    (tmp_path / NAME).write_text('{"version": 99, "checkpoints": []}')
    with pytest.raises(UnsupportedError, match="later version"):
        tidy(tmp_path, "{epoch}.h5")
    assert "99" in (tmp_path / NAME).read_text()
