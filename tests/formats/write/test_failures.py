"""Writing that fails, in every layout: what was there before stays, and nothing is left behind."""

import errno
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.checkpoint import Weight
from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError, UnsupportedError
from ckpttool.formats.write import archive, block_copy, legacy, path_layout
from ckpttool.formats.write.path_layout import Content
from tests.formats.write.sample_weights import failing, weight

Write = Callable[[Path, dict[str, Weight]], Any]


def _keras(path: Path, weights: dict[str, Weight]) -> None:
    archive.write_archive(path / "a.keras", archive.Model({}, {}, Content(weights), {"x": b"y"}))


def _directory(path: Path, weights: dict[str, Weight]) -> None:
    archive.write_directory(path, archive.Model({}, {}, Content(weights), {"x": b"y"}))


def _layers(weights: dict[str, Weight]) -> legacy.Layers:
    return legacy.Layers({"a": {name.replace("vars", "weights"): values for name, values in weights.items()}})


LAYOUTS: dict[str, Write] = {
    "weights": lambda path, weights: path_layout.write_file(path / "a.weights.h5", Content(weights)),
    "sharded": lambda path, weights: path_layout.write_sharded(path / "a.weights.json", Content(weights), 3 << 20),
    "keras": _keras,
    "directory": _directory,
    "legacy": lambda path, weights: legacy.write_weights(path / "a.h5", _layers(weights)),
}
each_layout = pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)

BIG = weight(np.arange(600_000, dtype="f4"))


def contents(directory: Path) -> dict[str, bytes]:
    """All that is in a directory."""
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else b"" for name, path in files.items()}


@pytest.fixture(params=[False, True], ids=["new", "over"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Write], Path]:
    """A directory in which nothing is written yet, or an older checkpoint is."""

    def target(write: Write) -> Path:
        (tmp_path / "other").write_bytes(b"other")
        if request.param:
            write(tmp_path, {"a/vars/0": weight(np.ones(3)), "a/vars/1": BIG})
        return tmp_path

    return target


@each_layout
@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (failing(3 << 20, 1 << 20, CorruptFileError("the source ends")), CorruptFileError),
        (failing(3 << 20, 2 << 20), CorruptFileError),
        (failing(3 << 20, 1 << 20, KeyboardInterrupt()), KeyboardInterrupt),
        (replace(weight(np.ones(3)), dtype="string(3)"), UnsupportedError),
    ],
)
def test_values_that_cannot_be_read(
    write: Write, target: Callable[[Write], Path], broken: Weight, error: type[BaseException]
) -> None:
    """A weight that cannot be read to its end changes nothing, and no thread stays."""
    folder = target(write)
    before, threads = contents(folder), threading.active_count()
    with pytest.raises(error):
        write(folder, {"a/vars/0": BIG, "a/vars/1": broken, "b/vars/0": BIG})
    assert contents(folder) == before
    assert threading.active_count() == threads


@each_layout
@pytest.mark.parametrize("room", [0, 1, 3_000_000])
def test_no_space(write: Write, target: Callable[[Write], Path], room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full, after any number of bytes, is one clear error, and nothing has changed."""
    folder = target(write)
    before = contents(folder)
    left = [room]

    def limited(blocks: Any, file: Any, on_progress: Any) -> Any:
        for block in blocks:
            left[0] -= len(block)
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            file.write(block)

    for module in (archive, path_layout, legacy):
        monkeypatch.setattr(module, "copy", limited)
    monkeypatch.setattr(archive, "copy_with_crc", limited)
    with pytest.raises(FileAccessError, match="No space left on device"):
        write(folder, {"a/vars/0": BIG, "a/vars/1": weight(1), "b/vars/0": BIG})
    assert contents(folder) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("copy", [block_copy.copy, block_copy.copy_with_crc])
def test_a_full_device(copy: Callable[..., Any]) -> None:
    """A write that really fails raises what the system says, and ends the thread beside it."""
    threads = threading.active_count()
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        copy(iter([b"x" * 5_000_000]), file, block_copy.silent)
    assert threading.active_count() == threads


@each_layout
def test_no_place_to_write(write: Write, tmp_path: Path) -> None:
    """A directory that is not there is one clear error."""
    with pytest.raises(FileAccessError):
        write(tmp_path / "nowhere" / "at all", {"a/vars/0": BIG})


@each_layout
def test_memory_is_bounded(write: Write, tmp_path: Path) -> None:
    """Memory does not grow with the weights."""

    class Endless:
        """As many zeros as are asked for."""

        def pieces(self, limit: int) -> Iterator[bytes]:
            block = bytes(limit)
            for _ in range(3 << 20, 0, -limit):
                yield block

        def part(self, start: int, stop: int) -> None:
            """None."""

    endless = replace(failing(3 << 20, 0), values=Endless())
    write(tmp_path, {"a/vars/0": endless})
    tracemalloc.start()
    try:
        write(tmp_path, {f"a/vars/{number}": endless for number in range(20)})
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@each_layout
def test_what_is_written_is_read(write: Write, tmp_path: Path) -> None:
    """Each layout is opened by ckpttool, without anything to remark, and has the values."""
    write(tmp_path, {"a/vars/0": BIG, "a/vars/1": weight(np.array([1, 2, 3], "f2"))})
    places = [path for path in tmp_path.iterdir() if path.suffix != ".txt" and "0000" not in path.name]
    place = tmp_path if (tmp_path / "config.json").exists() else places[0]
    with ckpttool.open(place) as checkpoint:
        assert checkpoint.refusals == ()
        values = [weight.read() for weight in checkpoint.values()]
    np.testing.assert_array_equal(values[0], np.arange(600_000))
    np.testing.assert_array_equal(values[1], [1, 2, 3])


def test_a_weight_larger_than_a_shard(tmp_path: Path) -> None:
    """A weight that no shard can hold is refused, as by Keras, before anything is written."""
    with pytest.raises(CheckpointError, match="larger than a shard may be"):
        path_layout.write_sharded(tmp_path / "a.weights.json", Content({"a/vars/0": BIG}), BIG.nbytes - 1)
    assert list(tmp_path.iterdir()) == []
