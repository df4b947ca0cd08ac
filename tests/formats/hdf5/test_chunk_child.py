"""The reader of chunked values within this process; test_chunks.py has it in the process of its own."""

import io
import json
import struct
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.formats.hdf5 import chunk_child
from ckpttool.formats.hdf5.chunk_child import _answer, _give_up_rights, _Reader, _source
from ckpttool.io.sources import SourceFile

VALUES = np.arange(77, dtype="<i4").reshape(7, 11)
WHOLE = (0, -1, -1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of chunked datasets with several filters, and of some that are not read here."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, settings in (
            ("plain", {}),
            ("gzip", {"compression": "gzip"}),
            ("shuffled", {"compression": "gzip", "shuffle": True}),
            ("summed", {"fletcher32": True}),
            ("lzf", {"compression": "lzf"}),
        ):
            file.create_dataset(name, data=VALUES, chunks=(2, 3), **settings)
        file.create_dataset("empty", (7, 11), "<i4", chunks=(2, 3))
        file.create_dataset("text", data=["a", "b"], chunks=(1,))
        file["contiguous"] = VALUES
        short = file.create_dataset("short", data=VALUES, chunks=(2, 3), compression="gzip")
        short.id.write_direct_chunk((2, 3), zlib.compress(bytes(5)))
        whole = file.create_dataset("unfiltered", data=VALUES, chunks=(2, 3), compression="gzip")
        whole.id.write_direct_chunk((0, 0), bytes(24), filter_mask=1)
    return tmp_path / "a.h5"


def reader_of(path: Path, *part: int) -> _Reader:
    """A reader of a file, or of a part of one."""
    return _Reader(h5py.File(SourceFile(_source(str(path), *(part or WHOLE))), "r"))


def read(reader: _Reader, name: str) -> bytes:
    """All pieces of a dataset."""
    pieces = list[bytes]()
    while piece := reader.piece(name, len(pieces)):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("limit", [1, 50, 4 << 20])
@pytest.mark.parametrize("name", ["plain", "gzip", "shuffled", "summed", "lzf"])
def test_values(name: str, limit: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of any size are the values, whatever filters they passed."""
    monkeypatch.setattr(chunk_child, "PIECE", limit)
    assert read(reader_of(path), name) == VALUES.tobytes()


def test_chunks_that_were_never_written(path: Path) -> None:
    """They have the value that fills a dataset."""
    assert read(reader_of(path), "empty") == bytes(VALUES.nbytes)


def test_any_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces are skipped, and asked for again; a few datasets stay open."""
    monkeypatch.setattr(chunk_child, "PIECE", 44)
    reader = reader_of(path)
    for number in (3, 1, 6, 7, 0):
        expected = VALUES[number].tobytes() if number < 7 else b""
        assert reader.piece("gzip", number) == expected, number
    for name in ("plain", "shuffled", "summed", "lzf", "empty"):
        reader.piece(name, 0)
    assert list(reader._open) == ["shuffled", "summed", "lzf", "empty"]
    assert reader.piece("gzip", 1) == VALUES[1].tobytes()


def answer(reader: _Reader, **request: Any) -> tuple[bytes, bytes]:
    """The answer to a request."""
    return _answer(reader, json.dumps(request).encode())


def test_answers(path: Path) -> None:
    """Data, sizes in the file, and errors of whatever kind."""
    reader = reader_of(path)
    assert answer(reader, dataset="gzip", number=0) == (b"D", VALUES.tobytes())
    assert answer(reader, dataset="plain", stored=1) == (b"D", str(4 * 4 * 6 * 4).encode())
    assert answer(reader, dataset="nothing", number=0)[0] == b"E"
    for name, reason in (
        ("contiguous", b"ValueError: libhdf5 finds another dataset there, which is not chunked"),
        ("text", b"ValueError: values of variable length"),
        ("short", b"ValueError: the chunk at (2, 3) has 5 bytes instead of 24"),
    ):
        assert answer(reader, dataset=name, number=0) == (b"E", reason)


def test_a_chunk_that_did_not_pass_a_filter(path: Path) -> None:
    """A chunk may be stored without a filter of its dataset."""
    values = np.frombuffer(read(reader_of(path), "unfiltered"), "<i4").reshape(VALUES.shape)
    assert (values[:2, :3] == 0).all()
    assert (values[2:] == VALUES[2:]).all()


def test_files_within_files(path: Path, tmp_path: Path) -> None:
    """The file may be a part of another one, and compressed there, as in an archive."""
    content = path.read_bytes()
    (tmp_path / "around").write_bytes(b"in front" + content + b"behind")
    assert read(reader_of(tmp_path / "around", 8, len(content), -1), "gzip") == VALUES.tobytes()
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(content) + packer.flush()
    (tmp_path / "packed").write_bytes(b"in front" + packed + b"behind")
    assert read(reader_of(tmp_path / "packed", 8, len(packed), len(content)), "gzip") == VALUES.tobytes()


def test_rights_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be opened, memory and time are bounded by the size, and a limit that cannot be set is none."""
    resource = pytest.importorskip("resource", reason="needs limits of POSIX systems")
    limits = dict[int, tuple[int, int]]()

    def limit(kind: int, values: tuple[int, int]) -> None:
        limits[kind] = values
        if kind == resource.RLIMIT_AS:
            raise ValueError("not above the limit that is there")

    monkeypatch.setattr(resource, "setrlimit", limit)
    monkeypatch.setattr(chunk_child.time, "process_time", lambda: 0.5)
    _give_up_rights(40 << 20)
    assert limits == {
        resource.RLIMIT_NOFILE: (3, 3),
        resource.RLIMIT_AS: ((1 << 30) + (320 << 20),) * 2,
        resource.RLIMIT_CPU: (13, 14),
        resource.RLIMIT_CORE: (0, 0),
    }
    _give_up_rights(1 << 40)
    assert limits[resource.RLIMIT_AS] == (3 << 30, 3 << 30)
    limits.clear()
    monkeypatch.setitem(sys.modules, "resource", None)
    _give_up_rights(1)
    assert limits == {}


def test_requests_until_the_input_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request is answered by a frame: its kind, its length, its bytes. Rights are given up before the file is
    opened by libhdf5."""
    requests = [{"dataset": "gzip", "number": 0}, {"dataset": "nothing", "number": 0}, {"dataset": "gzip", "number": 1}]
    lines = io.BytesIO("".join(json.dumps(request) + "\n" for request in requests).encode())
    output, sizes = io.BytesIO(), list[int]()
    monkeypatch.setattr(chunk_child, "_give_up_rights", sizes.append)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=lines))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=output))
    chunk_child.main(json.dumps([str(path), *WHOLE]))
    monkeypatch.undo()
    frames, rest = list[tuple[bytes, bytes]](), output.getvalue()
    while rest:
        kind, (length,) = rest[:1], struct.unpack("<Q", rest[1:9])
        frames.append((kind, rest[9 : 9 + length]))
        rest = rest[9 + length :]
    assert [kind for kind, _ in frames] == [b"D", b"E", b"D"]
    assert [body for kind, body in frames if kind == b"D"] == [VALUES.tobytes(), b""]
    assert sizes == [path.stat().st_size]
