"""Bytes by offset: never past an end, the same in any order, an error where the file fails."""

import contextlib
import io
import os
import random
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool import CheckpointError, CorruptFileError, FileAccessError
from ckpttool.io import sources
from ckpttool.io.budget import Budget
from ckpttool.io.sources import FileSource, Inflated, Source, SourceFile, Window

DATA = bytes(random.Random(1).choices(range(16), k=5000))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[FileSource]:
    """A file of 5,000 bytes."""
    (tmp_path / "file").write_bytes(DATA)
    with FileSource(tmp_path / "file") as opened:
        yield opened


def test_the_end_of_a_with_block_closes_a_file(tmp_path: Path) -> None:
    """A file is closed behind its `with` block, whatever happens in there."""
    (tmp_path / "file").write_bytes(DATA)
    with contextlib.suppress(KeyError), FileSource(tmp_path / "file") as source:
        assert source.read(0, 1) == DATA[:1]
        raise KeyError
    with pytest.raises(FileAccessError, match="closed"):
        source.read(0, 1)


def deflated(data: bytes) -> bytes:
    """The raw deflate stream of some bytes."""
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


class Memory:
    """A source in memory, which counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.bytes_read = data, len(data), 0
        self.budget = Budget(len(data))

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the data."""
        assert 0 <= offset <= offset + size <= self.size
        self.bytes_read += size
        return self.data[offset : offset + size]

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Bytes of the data."""
        buffer[:] = self.read(offset, len(buffer))


def check_reads(source: Source, data: bytes, spans: list[tuple[int, int]]) -> None:
    """Reads spans, each inside or not, and compares."""
    for offset, size in spans:
        buffer = bytearray(max(size, 0))
        if offset >= 0 and size >= 0 and offset + size <= len(data):
            assert source.read(offset, size) == data[offset : offset + size]
            source.fill(offset, memoryview(buffer))
            assert buffer == data[offset : offset + size]
        else:
            with pytest.raises(CorruptFileError, match="beyond its own end"):
                source.read(offset, size)
            if size > 0:
                with pytest.raises(CorruptFileError, match="beyond its own end"):
                    source.fill(offset, memoryview(buffer))


SPANS = st.lists(st.tuples(st.integers(-20, 5100), st.integers(-3, 5100)), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SPANS)
def test_file(source: FileSource, spans: list[tuple[int, int]]) -> None:
    """A file gives exactly the bytes asked for, or an error where it ends before."""
    check_reads(source, DATA, spans)


@given(SPANS, st.integers(0, 5000), st.integers(0, 5000))
def test_window(spans: list[tuple[int, int]], one: int, other: int) -> None:
    """A window gives the bytes of its part and none around it."""
    start, end = sorted((one, other))
    check_reads(Window(Memory(DATA), start, end - start), DATA[start:end], spans)


@pytest.mark.parametrize(("start", "size"), [(-1, 2), (0, 5001), (5000, 1), (5001, 0), (3, -1)])
def test_window_outside(start: int, size: int) -> None:
    """A window that is not inside its source is refused when it is made."""
    with pytest.raises(CorruptFileError, match="beyond its own end"):
        Window(Memory(DATA), start, size)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inflates in windows so small that tests reach many of them."""
    monkeypatch.setattr(sources, "_LEAST_WINDOW", 64)
    monkeypatch.setattr(sources, "_CACHED_WINDOWS", 3)
    monkeypatch.setattr(sources, "_INFLATE_READ", 16)


@pytest.mark.usefixtures("small_windows")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(1, 20), SPANS)
def test_inflated(part: bytes, times: int, spans: list[tuple[int, int]]) -> None:
    """A deflated run gives the plain bytes, forwards, backwards and across windows, as often as asked."""
    data = (part * times)[:5000]
    check_reads(Inflated(Memory(deflated(data)), len(data)), data, spans)


@pytest.mark.usefixtures("small_windows")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 200), st.integers(1, 64))
def test_damaged_deflate(at: int, flip: int) -> None:
    """A damaged deflate stream is an error or other bytes, and nothing else."""
    packed = bytearray(deflated(DATA[:50] * 30))
    packed[at % len(packed)] ^= flip
    source = Inflated(Memory(bytes(packed)), 1500)
    with contextlib.suppress(CorruptFileError):
        assert len(source.read(0, 1500)) == 1500


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("cut", [0, 1, 10, 500, 2000])
def test_truncated_deflate(cut: int) -> None:
    """A deflate stream that ends early says how far it got; what stands before the cut can be read."""
    packed = deflated(DATA)
    source = Inflated(Memory(packed[:cut]), len(DATA))
    with pytest.raises(CorruptFileError, match="ends early") as caught:
        source.read(len(DATA) - 1, 1)
    assert caught.value.expected == "5,000 bytes"
    if cut >= 500:
        assert source.read(0, 64) == DATA[:64]


def test_deflate_that_holds_less_than_declared() -> None:
    """A stream that ends before its declared size is an error, no shorter answer."""
    source = Inflated(Memory(deflated(b"abc")), 10)
    with pytest.raises(CorruptFileError, match="ends early"):
        source.read(0, 10)


@pytest.mark.usefixtures("small_windows")
def test_reading_backwards_restarts_near() -> None:
    """Reading a deflated run backwards feeds each part of it a few times, not from the beginning each time."""
    packed = deflated(DATA)
    memory = Memory(packed)
    source = Inflated(memory, len(DATA))
    for offset in range(len(DATA) - 10, -1, -10):
        assert source.read(offset, 10) == DATA[offset : offset + 10]
    assert memory.bytes_read < 10 * len(packed)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.tuples(st.integers(-5100, 5100), st.integers(0, 2)), st.integers(0, 6000)), max_size=12))
def test_source_file_is_a_file(source: FileSource, steps: list[tuple[int, int] | int]) -> None:
    """A source as a file object behaves as a file of these bytes does."""
    file, expected = SourceFile(source), io.BytesIO(DATA)
    assert file.seekable()
    assert file.readable()
    for step in steps:
        if isinstance(step, int):
            assert file.read(step) == expected.read(step)
        else:
            place = (0, expected.tell(), len(DATA))[step[1]] + step[0]
            if place < 0:
                with pytest.raises(OSError, match="negative seek"):
                    file.seek(*step)
            else:
                expected.seek(place)
                assert file.seek(*step) == place
        assert file.tell() == expected.tell()


def test_source_file_for_zipfile(tmp_path: Path) -> None:
    """`zipfile` reads a source, an empty archive included."""
    for name, parts in (("a", ["one", "two"]), ("b", [])):
        with zipfile.ZipFile(tmp_path / name, "w") as out:
            for part in parts:
                out.writestr(part, part * 9)
        opened = FileSource(tmp_path / name)
        with zipfile.ZipFile(SourceFile(opened)) as archive:  # type: ignore[arg-type]
            assert archive.namelist() == parts
            assert all(archive.read(part) == part.encode() * 9 for part in parts)
        opened.close()


def test_file_that_shrinks(tmp_path: Path) -> None:
    """A file that becomes shorter while it is open is an error, no crash and no short answer."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    source = FileSource(path)
    os.truncate(path, 100)
    assert source.read(0, 100) == DATA[:100]
    for read in (lambda: source.read(50, 100), lambda: source.fill(50, memoryview(bytearray(100)))):
        with pytest.raises(CorruptFileError, match="became shorter") as caught:
            read()
        assert "100 of 5,000" in caught.value.found
    source.close()


def test_file_that_is_replaced(tmp_path: Path) -> None:
    """A file that is replaced while it is open is read to its end as it was."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    source = FileSource(path)
    (tmp_path / "new").write_bytes(b"new")
    os.replace(tmp_path / "new", path)
    assert source.read(0, 5000) == DATA
    source.close()


def test_closed_file(source: FileSource) -> None:
    """A closed file cannot be read, and closing it again is harmless."""
    source.close()
    source.close()
    with pytest.raises(FileAccessError, match="closed"):
        source.read(0, 1)
    with pytest.raises(FileAccessError, match="closed"):
        source.fill(0, memoryview(bytearray(1)))


@pytest.mark.parametrize("missing", [("preadv",), ("preadv", "pread")])
def test_systems_without_positioned_reads(
    missing: tuple[str, ...], source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes are read by other means where the system lacks `preadv` or `pread`."""
    for name in missing:
        monkeypatch.delattr(os, name, raising=False)
    check_reads(source, DATA, [(0, 5000), (4999, 1), (10, 0), (4000, 1001), (-1, 1)])


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    """A checkpoint that is opened and closed, or fails to open, leaves no descriptor behind."""
    import ckpttool
    from tests.samples import FIXTURES

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system has no /proc to count descriptors in")
    names = ["keras3/mlp.keras", "keras3/mlp.h5", "keras3/sharded/sharded.weights.json", "keras3/mlp_dir"]
    broken = sorted(path for path in (FIXTURES / "broken").rglob("*") if path.is_file())
    before = len(os.listdir("/proc/self/fd"))
    for path in [*(FIXTURES / name for name in names), *broken]:
        with contextlib.suppress(CheckpointError):
            ckpttool.open(path).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_are_given_back_when_a_part_is_broken(tmp_path: Path) -> None:
    """A directory with broken weights, or an index whose last shard is broken, leaves no descriptor behind."""
    import ckpttool
    from tests.samples import FIXTURES

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system has no /proc to count descriptors in")
    shutil.copytree(FIXTURES / "keras3" / "sharded", tmp_path / "sharded")
    shutil.copytree(FIXTURES / "keras3" / "mlp_dir", tmp_path / "mlp_dir")
    for path in (max((tmp_path / "sharded").glob("*.h5")), tmp_path / "mlp_dir" / "model.weights.h5"):
        path.write_bytes(path.read_bytes()[:500])
    before = len(os.listdir("/proc/self/fd"))
    caught = []  # the errors are kept, so that nothing is closed by chance
    for path in (tmp_path / "sharded" / "sharded.weights.json", tmp_path / "mlp_dir"):
        with pytest.raises(CheckpointError) as error:
            ckpttool.open(path)
        caught.append(error)
    assert len(os.listdir("/proc/self/fd")) == before
