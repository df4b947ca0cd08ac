"""The child process for chunked values: what it reads, and that whatever happens to it becomes one kind of error."""

import itertools
import math
import os
import re
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.errors import CorruptFileError, FileAccessError
from ckpttool.formats.hdf5 import chunk_child, chunks
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.io import child_processes
from tests.formats.hdf5.small_files import that_ends

VALUES = np.random.default_rng(7).integers(0, 50, (1200, 1000), dtype="<i4")  # 4.8 MB: two pieces of the child's


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three chunked datasets and some that are not; for reading only."""
    place = tmp_path_factory.mktemp("chunks") / "a.h5"
    with h5py.File(place, "w") as file:
        file.create_dataset("big", data=VALUES, chunks=(100, 300), compression="gzip", compression_opts=1)
        file.create_dataset("small", data=VALUES[:5, :7], chunks=(2, 3), fletcher32=True)
        file.create_dataset("group/lzf", data=VALUES[0], chunks=True, compression="lzf")
        file.create_dataset(b"caf\xe9", data=VALUES[1], chunks=(300,))
        file.create_dataset("text", data=["a", "b"], chunks=(1,))
        file["plain"] = VALUES[1]
    return place


@pytest.fixture
def copy(path: Path, tmp_path: Path) -> Path:
    """A copy of that file, which a test may change."""
    return Path(shutil.copy(path, tmp_path / "a.h5"))


@pytest.fixture
def reader(path: Path) -> Iterator[ChunkReader]:
    """A reader of that file, closed at the end."""
    with_child = ChunkReader(str(path))
    yield with_child
    with_child.close()


def pid(reader: ChunkReader) -> int:
    """The number of the child process."""
    assert reader._child is not None
    return reader._child._process.pid


def whole(reader: ChunkReader, name: str, values: np.ndarray, limit: int = 1 << 20) -> bool:
    """Whether the reader gives the bytes of these values, in pieces of the limit."""
    pieces = list(reader.pieces(name, values.nbytes, limit))
    return b"".join(pieces) == values.tobytes() and all(len(piece) == limit for piece in pieces[:-1])


def test_limits(reader: ChunkReader) -> None:
    """Pieces are cut at the limit asked for, whatever the pieces of the child are."""
    for limit in (1_000_003, 4 << 20, 100 << 20):
        assert whole(reader, "big", VALUES, limit), limit


def test_one_child(reader: ChunkReader) -> None:
    """One child reads all datasets, in any order."""
    assert whole(reader, "small", VALUES[:5, :7], 8)
    first = pid(reader)
    assert whole(reader, "big", VALUES)
    assert whole(reader, "group/lzf", VALUES[0])
    assert whole(reader, "caf\udce9", VALUES[1])
    assert whole(reader, "small", VALUES[:5, :7])
    assert pid(reader) == first


def test_two_datasets_in_turns(reader: ChunkReader) -> None:
    """Pieces of several datasets, and of one dataset twice, can be taken in turns."""
    names = {"big": VALUES, "group/lzf": VALUES[0], "small": VALUES[:5, :7]}
    runs = [(name, reader.pieces(name, values.nbytes, 1000)) for name, values in (*names.items(), *names.items())]
    got = [bytearray() for _ in runs]
    for pieces in itertools.zip_longest(*(run for _, run in runs), fillvalue=b""):
        for buffer, piece in zip(got, pieces, strict=True):
            buffer += piece
    assert all(buffer == names[name].tobytes() for buffer, (name, _) in zip(got, runs, strict=True))


def test_left_half_way(reader: ChunkReader) -> None:
    """Pieces that nobody takes any more leave nothing behind that the next dataset would meet."""
    half = reader.pieces("big", VALUES.nbytes, 1000)
    next(half)
    assert whole(reader, "small", VALUES[:5, :7])
    del half
    assert whole(reader, "big", VALUES)


def test_threads(reader: ChunkReader) -> None:
    """Several threads may read at once."""
    good: list[bool] = []

    def read() -> None:
        good.append(whole(reader, "big", VALUES) and whole(reader, "small", VALUES[:5, :7]))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [True] * 4


def test_closed(reader: ChunkReader) -> None:
    """Closing ends the child at once; reading afterwards is an error, closing again is none."""
    assert whole(reader, "small", VALUES[:5, :7])
    assert reader._child is not None
    process = reader._child._process
    reader.close()
    assert process.poll() is not None
    with pytest.raises(FileAccessError, match="closed"):
        next(reader.pieces("small", 140, 8))
    reader.close()


def test_child_that_dies(reader: ChunkReader) -> None:
    """A child that dies between pieces is an error, and the next dataset gets a new one."""
    pieces = reader.pieces("big", VALUES.nbytes, 4 << 20)
    next(pieces)
    os.kill(pid(reader), 9)
    with pytest.raises(CorruptFileError, match="h5py ended with status -9"):
        next(pieces)
    assert whole(reader, "big", VALUES)


def test_child_that_hangs(reader: ChunkReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that answers nothing is ended after a while, and not waited for: it would be there tomorrow."""
    monkeypatch.setattr(child_processes, "_START", "import time; time.sleep(100_000)")
    monkeypatch.setattr(chunks, "_SILENCE", 0.2)
    with pytest.raises(CorruptFileError, match="no answer"):
        next(reader.pieces("big", VALUES.nbytes, 100))
    monkeypatch.undo()
    assert whole(reader, "small", VALUES[:5, :7])


@pytest.mark.parametrize("answer", [b"", b"D\0", b"D" + b"\xff" * 8, b"D" + struct.pack("<Q", 100) + b"only this"])
def test_child_that_talks_nonsense(reader: ChunkReader, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    """An answer that is cut off, or claims a size beyond all measure, is an error."""
    monkeypatch.setattr(child_processes, "_START", f"import sys; sys.stdout.buffer.write({answer!r})")
    with pytest.raises(CorruptFileError, match="cannot be read"):
        next(reader.pieces("big", VALUES.nbytes, 100))


def test_child_that_never_stops(reader: ChunkReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values without end are no longer read when they are more than declared."""
    frame = b"D" + struct.pack("<Q", 64) + bytes(64)
    answers = f"import sys\nfor _ in sys.stdin: sys.stdout.buffer.write({frame!r}); sys.stdout.flush()"
    monkeypatch.setattr(child_processes, "_START", answers)
    with that_ends(), pytest.raises(CorruptFileError, match="not of the size"):
        list(reader.pieces("small", 140, 8))


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="no /proc to read limits from")
def test_limits_of_the_child(reader: ChunkReader) -> None:
    """The child may open nothing more, has bounded memory and time, and leaves no core file."""
    assert whole(reader, "small", VALUES[:5, :7])
    limits = Path(f"/proc/{pid(reader)}/limits").read_text()
    for name, most in (("open files", 3), ("address space", 4 << 30), ("cpu time", 1000), ("core file size", 0)):
        assert int(re.search(rf"Max {name} +(\d+)", limits)[1]) <= most


def test_another_size(reader: ChunkReader) -> None:
    """Values that are more or fewer than the header declares are an error."""
    for nbytes in (0, 139, 141, 10**9):
        with pytest.raises(CorruptFileError, match="not of the size"):
            list(reader.pieces("small", nbytes, 1 << 20))


OTHERS = {
    "missing": "doesn't exist",
    "plain": "not chunked",
    "text": "variable length",
    "group": "not a dataset",
    "a\udce9": "",
    "": "",
}


def test_no_such_dataset(reader: ChunkReader) -> None:
    """A path to anything but a chunked dataset of fixed size is an error, after which the same child can read
    others."""
    assert whole(reader, "small", VALUES[:5, :7])
    before = pid(reader)
    for name, why in OTHERS.items():
        with pytest.raises(CorruptFileError, match="cannot be read") as caught:
            list(reader.pieces(name, 140, 8))
        assert why in caught.value.found
        assert whole(reader, "small", VALUES[:5, :7])
        assert pid(reader) == before


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    """The child refuses virtual datasets and cannot follow an external link, even when it is asked to."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("x", data=VALUES[0], chunks=True)
    layout = h5py.VirtualLayout((1000,), "<i4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (1000,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("virtual", layout)
        file["link"] = h5py.ExternalLink("other.h5", "x")
        file["absolute"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
    reader = ChunkReader(str(tmp_path / "a.h5"))
    for name in ("virtual", "link", "absolute"):
        with pytest.raises(CorruptFileError, match="cannot be read"):
            list(reader.pieces(name, 4000, 4000))
    reader.close()


def broken(path: Path, how: str) -> None:
    """Damages the chunks of `big` in one of several ways."""
    data = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        chunk = file["big"].id.get_chunk_info(0)
    trees = [at for at in range(0, len(data), 8) if data[at : at + 5] == b"TREE\x01"]
    if how == "noise in a chunk":
        data[chunk.byte_offset : chunk.byte_offset + 50] = b"\xff" * 50
    elif how == "tree that is its own child":
        for at in trees:
            data[at + 5] = 1
            for child in range(at + 24 + 32, at + 24 + 40 * 20, 40):
                data[child : child + 8] = at.to_bytes(8, "little")
    elif how == "tree elsewhere":
        data = bytearray(bytes(data).replace(b"TREE\x01", b"SNOD\x01"))
    else:
        data = data[: chunk.byte_offset]
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["noise in a chunk", "tree that is its own child", "tree elsewhere", "cut off"])
def test_broken_chunks(copy: Path, how: str) -> None:
    """Broken chunks, also those that crash libhdf5, are an error and nothing else."""
    broken(copy, how)
    with closing(ChunkReader(str(copy))) as reader, pytest.raises(CorruptFileError):
        list(reader.pieces("big", VALUES.nbytes, 1 << 20))


def test_broken_checksum(copy: Path) -> None:
    """A chunk whose fletcher32 checksum is wrong is an error."""
    data = bytearray(copy.read_bytes())
    with h5py.File(copy) as file:
        data[file["small"].id.get_chunk_info(0).byte_offset] ^= 1
    copy.write_bytes(data)
    with closing(ChunkReader(str(copy))) as reader, pytest.raises(CorruptFileError, match="cannot be read"):
        list(reader.pieces("small", 140, 8))


SHORT = {
    "plain": ({}, b"\2" * 8),
    "shuffle": ({"shuffle": True}, b"\2" * 8),
    "gzip": ({"compression": "gzip"}, zlib.compress(b"\2" * 63)),
    "gzip, too long": ({"compression": "gzip"}, zlib.compress(b"\2" * 65)),
    "gzip and shuffle": ({"compression": "gzip", "shuffle": True}, zlib.compress(b"")),
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_short_chunks(tmp_path: Path, libver: str) -> None:
    """A chunk of fewer or more bytes than a chunk has is an error: libhdf5 would fill it up from memory."""
    # Newer files keep no sizes of chunks that are not compressed: what follows in the file belongs to them.
    short = {how: chunk for how, chunk in SHORT.items() if libver == "earliest" or "gzip" in how}
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        for how, (options, raw) in short.items():
            dataset = file.create_dataset(how, (64,), "<f4", chunks=(16,), maxshape=(None,), **options)
            dataset[:32] = 1
            dataset.id.write_direct_chunk((32,), raw)
    with closing(ChunkReader(str(tmp_path / "a.h5"))) as reader:
        for how in short:
            with pytest.raises(CorruptFileError, match="chunk at"):
                list(reader.pieces(how, 256, 256))


def test_chunks_that_skip_filters(tmp_path: Path) -> None:
    """A chunk that did not pass a filter, as its mask says, is whole without it."""
    values = np.arange(64, dtype="<f4")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=values, chunks=(16,), compression="gzip", shuffle=True)
        dataset.id.write_direct_chunk((0,), values[:16].tobytes(), filter_mask=0b11)
        dataset.id.write_direct_chunk((16,), zlib.compress(values[16:32].tobytes()), filter_mask=0b01)
    reader = ChunkReader(str(tmp_path / "a.h5"))
    assert whole(reader, "x", values)
    reader.close()


@pytest.mark.parametrize("deflated", [False, True])
def test_inside_an_archive(copy: Path, deflated: bool) -> None:
    """The file may be a part of another one, deflated or not."""
    data = copy.read_bytes()
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    stored = deflate.compress(data) + deflate.flush() if deflated else data
    copy.write_bytes(b"before" + stored + b"behind")
    reader = ChunkReader(str(copy), 6, len(stored), len(data) if deflated else -1)
    assert whole(reader, "big", VALUES)
    reader.close()


def test_modules_of_the_current_directory(tmp_path: Path, reader: ChunkReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child imports nothing from the directory that ckpttool happens to run in."""
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("h5py", "numpy", "json", "contextlib", "ckpttool", "sitecustomize"):
        (evil / f"{name}.py").write_text(f"open({str(evil / 'ran')!r}, 'w')")
    monkeypatch.chdir(evil)
    monkeypatch.syspath_prepend("")
    assert whole(reader, "small", VALUES[:5, :7])
    assert not (evil / "ran").exists()


@given(shape=st.lists(st.integers(0, 6), min_size=1, max_size=4), limit=st.integers(1, 200))
def test_blocks(shape: list[int], limit: int) -> None:
    """Blocks, one after the other, are the array in C order, and none is larger than the limit."""
    array = np.arange(math.prod(shape)).reshape(shape)
    parts = []
    for start, count in chunk_child.blocks(tuple(shape), limit):
        parts.append(array[tuple(slice(s, s + n) for s, n in zip(start, count, strict=True))])
        assert parts[-1].shape == count
        assert parts[-1].size <= limit
    assert [value for part in parts for value in part.ravel()] == list(range(array.size))


@pytest.mark.parametrize(
    ("shape", "limit"), [((100, 100), 10_000), ((100, 100), 1000), ((100, 100), 30), ((10**6,), 4096)]
)
def test_blocks_are_large(shape: tuple[int, ...], limit: int) -> None:
    """Blocks are nearly as large as the limit allows, so that few are needed."""
    count = sum(1 for _ in chunk_child.blocks(shape, limit))
    assert count <= 2 * math.ceil(math.prod(shape) / limit)
