"""Values: pieces of the asked size, and everything that is not read because it would lie, leave the file or explode."""

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5.tree import Tree, read_tree
from ckpttool.formats.hdf5.values import InMemory, Repeated, problem, values_of
from ckpttool.io.sources import FileSource
from tests.formats.hdf5.small_files import Memory, tree_of, with_checksums, written

NO_READER = ChunkReader("never opened")


def refused(tree: Tree, path: str = "x") -> CheckpointError:
    """Why the values of a dataset are not read; asking for them says the same, with the place."""
    error = problem(tree.file, tree.datasets[path])
    assert error is not None
    with pytest.raises(type(error), match=error.what) as caught:
        list(values_of(tree.file, path, tree.datasets[path], NO_READER).pieces(100))
    assert caught.value.where == path
    return error


def lowlevel(file: h5py.File, shape: tuple[int, ...], prepare: Callable[[Any], Any]) -> None:
    """A dataset `x` of float32 made after a creation property list that `prepare` fills."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    prepare(creation)
    h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(shape), creation)


@given(data=st.binary(max_size=300), limit=st.integers(1, 400))
def test_pieces_in_memory(data: bytes, limit: int) -> None:
    """Pieces are of the limit but for the last, and together they are the whole."""
    pieces = list(InMemory(data).pieces(limit))
    assert b"".join(pieces) == data
    assert all(len(piece) == limit for piece in pieces[:-1])


@given(value=st.binary(min_size=1, max_size=9), nbytes=st.integers(0, 300), limit=st.integers(1, 400))
def test_pieces_repeated(value: bytes, nbytes: int, limit: int) -> None:
    """A value again and again is cut at any limit without losing its step."""
    pieces = list(Repeated(value, nbytes).pieces(limit))
    assert b"".join(pieces) == (value * (nbytes // len(value) + 1))[:nbytes]
    assert all(len(piece) == limit for piece in pieces[:-1])


@pytest.mark.parametrize("limit", [1, 4, 1000, 4000, 4096, 10**9])
def test_pieces_of_a_file(limit: int) -> None:
    """Values in one piece of the file come in pieces of the limit, in one buffer."""
    values = np.arange(1000, dtype="<f4")
    tree = tree_of(lambda file: file.create_dataset("x", data=values))
    pieces = [bytes(piece) for piece in values_of(tree.file, "x", tree.datasets["x"], NO_READER).pieces(limit)]
    assert b"".join(pieces) == values.tobytes()
    assert all(len(piece) == limit for piece in pieces[:-1])


def test_external_storage(tmp_path: Path) -> None:
    """Values kept in another file are refused, and that file is not opened."""
    (tmp_path / "raw").write_bytes(b"secret" * 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (4,), "<f4", external=[(str(tmp_path / "raw"), 0, 16)])
    assert "another file" in str(refused(read_tree(FileSource(tmp_path / "a.h5"))))


@pytest.mark.parametrize("unlimited", [False, True])
def test_virtual_dataset(tmp_path: Path, unlimited: bool) -> None:
    """A virtual dataset is listed with its shape and refused, also one as large as its sources."""
    with h5py.File(tmp_path / "source.h5", "w") as file:
        file.create_dataset("s", data=np.arange(4.0), maxshape=(None,))
    layout = h5py.VirtualLayout((4,), "<f8", maxshape=(None,) if unlimited else None)
    source = h5py.VirtualSource(str(tmp_path / "source.h5"), "s", (4,), maxshape=(None,))
    if unlimited:
        layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    else:
        layout[:] = source
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("x", layout)
    assert "virtual" in str(refused(read_tree(FileSource(tmp_path / "a.h5"))))


@pytest.mark.parametrize("shape", [(20_000_000,), (2**40,), (2**20, 2**20, 2**10)])
@pytest.mark.parametrize("chunks", [None, 1000])
def test_never_written(shape: tuple[int, ...], chunks: int | None) -> None:
    """Large values that were declared and never written are refused as a bomb."""
    chunk = None if chunks is None else (chunks,) + (1,) * (len(shape) - 1)
    tree = tree_of(lambda file: file.create_dataset("x", shape, "<f4", chunks=chunk))
    assert isinstance(refused(tree), UnsafeFileError)


def test_expansion() -> None:
    """More than 4 GiB that are also more than a thousand times the file are a bomb, with stored chunks too."""

    def write(file: h5py.File) -> None:
        file.create_dataset("x", (2**31,), "<f4", chunks=(2**18,), compression="gzip")[:10] = 1

    assert "far more than is stored" in str(refused(tree_of(write)))


@pytest.mark.parametrize(("size", "chunk"), [(1, 3 << 28), (1, 17 << 20), (2**30, 2**29)])
def test_giant_chunks(size: int, chunk: int) -> None:
    """Chunks of gigabytes are refused, and chunks much larger than all values are."""
    tree = tree_of(lambda file: file.create_dataset("x", (size,), "<f4", chunks=(chunk,), maxshape=(None,)))
    assert ("far more than is stored" if size > 1 else "absurd size") in str(refused(tree))


@pytest.mark.parametrize(
    ("filters", "kind"), [((1,) * 5, UnsafeFileError), ((32015,), UnsupportedError), ((2, 300), UnsupportedError)]
)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_filters(filters: tuple[int, ...], kind: type[CheckpointError], libver: str) -> None:
    """Filters that libhdf5 does not have built in, or too many of them, are refused before anything is read."""

    def prepare(creation: Any) -> None:
        creation.set_chunk((4,))
        for number in filters:
            creation.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (6, 1, 2))

    tree = tree_of(lambda file: lowlevel(file, (8,), prepare), libver)
    assert tree.datasets["x"].layout.filters == filters
    assert isinstance(refused(tree), kind)


def test_filter_settings_are_skipped() -> None:
    """The numbers of filters are found behind names and settings of any length."""

    def prepare(creation: Any) -> None:
        creation.set_chunk((4,))
        for number in (300, 2, 301, 1):
            creation.set_filter(number, h5py.h5z.FLAG_OPTIONAL, tuple(range(number % 5)))

    for libver in ("earliest", "latest"):
        tree = tree_of(lambda file: lowlevel(file, (8,), prepare), libver)
        assert tree.datasets["x"].layout.filters == (300, 2, 301, 1)


def layout_at(data: bytes, address: int) -> int:
    """The place in a contiguous layout message of its address, which its size follows."""
    return data.index(b"\x03\x01" + address.to_bytes(8, "little")) + 2


@pytest.mark.parametrize(
    ("address", "size", "match"), [(10**6, 4000, "beyond the end"), (2**63, 4000, "beyond"), (0, 3999, "fewer bytes")]
)
def test_contiguous_values_that_do_not_fit(address: int, size: int, match: str) -> None:
    """Values that lie outside the file, or in less room than they need, are refused."""
    data = bytearray(written("earliest", lambda file: file.create_dataset("x", data=np.arange(1000, dtype="<f4"))))
    with h5py.File(BytesIO(data)) as file:
        at = layout_at(data, file["x"].id.get_offset())
    data[at : at + 16] = address.to_bytes(8, "little") + size.to_bytes(8, "little")
    assert match in str(refused(read_tree(Memory(bytes(data)))))


def test_compact_values_that_are_short() -> None:
    """Values in the header that are fewer than declared are refused; more are cut off."""

    def write(file: h5py.File) -> None:
        lowlevel(file, (3,), lambda creation: creation.set_layout(h5py.h5d.COMPACT))

    data = written("earliest", write)
    sizes = (3).to_bytes(8, "little") * 2
    assert data.count(sizes) == 1
    more, fewer = (data.replace(sizes, size.to_bytes(8, "little") * 2) for size in (4, 2))
    assert "fewer bytes" in str(refused(read_tree(Memory(more))))
    tree = read_tree(Memory(fewer))
    assert b"".join(values_of(tree.file, "x", tree.datasets["x"], NO_READER).pieces(100)) == bytes(8)


@pytest.mark.parametrize("chunk", [(0, 4, 4), (5, 4, 8), (5, 4, 255)])
def test_chunks_that_do_not_fit(chunk: tuple[int, ...]) -> None:
    """Chunks without extent, or for values of another size, are refused."""
    data = written("earliest", lambda file: file.create_dataset("x", (10, 10), "<f4", chunks=(5, 4)))
    stored, bent = (b"".join(size.to_bytes(4, "little") for size in sizes) for sizes in ((5, 4, 4), chunk))
    assert data.count(stored) == 1
    assert "chunks that do not fit" in str(refused(read_tree(Memory(data.replace(stored, bent)))))


def test_chunks_beyond_the_end() -> None:
    """Chunks whose index lies behind the end of the file are refused."""

    def write(file: h5py.File) -> None:
        file.create_dataset("x", data=np.arange(10.0), chunks=(5,))

    data = bytearray(written("latest", write))
    at = data.index(b"FAHD")
    bent = data.replace(at.to_bytes(8, "little"), (10**6).to_bytes(8, "little"))
    assert "beyond the end" in str(refused(read_tree(Memory(with_checksums(bent)))))


def test_fill_value_of_another_size() -> None:
    """A fill value that is no value of the dataset is an error where it is needed."""
    data = written("earliest", lambda file: file.create_dataset("x", (4,), "<f4", fillvalue=2.5))
    stored = (4).to_bytes(4, "little") + np.float32(2.5).tobytes()
    bent = data.replace(stored, (2).to_bytes(4, "little") + b"\x01\x01\0\0")
    assert bent != data
    assert "fill value" in str(refused(read_tree(Memory(bent))))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_short_fill_value_of_chunks(libver: str) -> None:
    """A short fill value is refused where chunks may be missing, zero or not: libhdf5 would fill them with memory."""
    write = lambda file: file.create_dataset("x", (4,), "<f4", chunks=(2,), fillvalue=3.0)  # noqa: E731
    data = written(libver, write)
    stored = (4).to_bytes(4, "little") + np.float32(3.0).tobytes()
    bent = data.replace(stored, (1).to_bytes(4, "little") + np.float32(3.0).tobytes())
    assert bent != data
    assert "fill value" in str(refused(read_tree(Memory(with_checksums(bytearray(bent))))))


def test_file_that_shrinks(tmp_path: Path) -> None:
    """A file that becomes shorter after it was listed is an error when its values are read."""
    path = tmp_path / "a.h5"
    path.write_bytes(written("earliest", lambda file: file.create_dataset("x", data=np.zeros(10_000))))
    tree = read_tree(FileSource(path))
    with path.open("r+b") as raw:
        raw.truncate(3000)
    with pytest.raises(CorruptFileError, match="shorter"):
        list(values_of(tree.file, "x", tree.datasets["x"], NO_READER).pieces(4096))


def test_no_h5py_in_this_process(tmp_path: Path) -> None:
    """Listing a file and reading values in one piece imports neither h5py nor NumPy."""
    path = tmp_path / "a.h5"
    path.write_bytes(written("earliest", lambda file: file.create_dataset("x", data=np.zeros(100))))
    script = (
        "import sys; from ckpttool.io.sources import FileSource; from ckpttool.formats.hdf5.tree import read_tree;"
        "from ckpttool.formats.hdf5.values import values_of; tree = read_tree(FileSource(sys.argv[1]));"
        "print(sum(map(len, values_of(tree.file, 'x', tree.datasets['x'], None).pieces(64))),"
        "{'h5py', 'numpy'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert ran.stdout == "800 set()\n"


@pytest.mark.parametrize(("count", "chunk", "refusal"), [(10_001, 1, True), (10_001, 256, False), (9_000, 1, False)])
def test_chunks_without_end(count: int, chunk: int, refusal: bool) -> None:
    """Tens of thousands of chunks of a few bytes are refused; as many that hold something are not."""
    tree = tree_of(lambda file: file.create_dataset("x", (count * chunk,), "<f4", chunks=(chunk,)))
    (dataset,) = tree.datasets.values()
    assert ("chunks without end" in str(problem(tree.file, dataset))) == refusal
