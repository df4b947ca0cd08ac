"""Object headers of datasets: shapes, datatypes, layouts and filters that are odd, cut off or impossible."""

from io import BytesIO
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.errors import CorruptFileError
from ckpttool.formats.hdf5.datatypes import read_datatype
from ckpttool.formats.hdf5.headers import UNDEFINED
from ckpttool.formats.hdf5.objects import read_dataspace
from ckpttool.formats.hdf5.tree import read_tree
from tests.formats.hdf5.small_files import Memory, address_of, kinds, tree_of, written

FLOAT32 = bytes.fromhex("11201f00 04000000 00002000 17080017 7f000000")
BOOL = bytes.fromhex("18020000 01000000 10080000 01000000 00000800 46414c5345000000 5452554500000000 0001")


def test_datatypes_as_stored() -> None:
    """The bytes of a float32 and of h5py's bool are read as such."""
    assert read_datatype(FLOAT32).name == "float32"
    assert read_datatype(BOOL).name == "bool"


@pytest.mark.parametrize("size", range(len(FLOAT32)))
def test_datatypes_cut_off(size: int) -> None:
    """A datatype that ends early is an error."""
    with pytest.raises(CorruptFileError, match="cut off"):
        read_datatype(FLOAT32[:size])


@pytest.mark.parametrize(
    ("at", "byte"), [(4, 2), (4, 0), (0, 0x1C), (0, 0x08), (0, 0x68), (12, 2)], ids=lambda value: f"{value:#x}"
)
def test_impossible_datatypes(at: int, byte: int) -> None:
    """A bool of two bytes or none, and classes and versions that do not exist, are errors."""
    with pytest.raises(CorruptFileError):
        read_datatype(BOOL[:at] + bytes([byte]) + BOOL[at + 1 :])


@pytest.mark.parametrize(
    ("at", "byte", "name"),
    [(1, 0x21, "float32"), (1, 0x61, "float of"), (8, 1, "float of"), (10, 31, "float of"), (16, 126, "float of")],
)
def test_floats_by_their_bits(at: int, byte: int, name: str) -> None:
    """A float is float32 only where every bit of it is in float32's place; either byte order will do."""
    assert read_datatype(FLOAT32[:at] + bytes([byte]) + FLOAT32[at + 1 :]).name.startswith(name)


def test_types_in_types_without_end() -> None:
    """Types nested deeper than any program makes them are an error."""
    body = FLOAT32
    for _ in range(40):
        body = bytes([0x3A, 0, 0, 0]) + (4).to_bytes(4, "little") + b"\1" + (1).to_bytes(4, "little") + body
    with pytest.raises(CorruptFileError, match="impossible HDF5 datatype"):
        read_datatype(body)


def space(version: int, rank: int, flags: int, *sizes: int) -> bytes:
    """A dataspace message."""
    head = bytes([version, rank, flags, 1]) + bytes(4 if version == 1 else 0)
    return head + b"".join(size.to_bytes(8, "little") for size in sizes)


@pytest.mark.parametrize("version", [1, 2])
def test_dataspaces(version: int) -> None:
    """Shapes are read in both versions; a maximum may be larger, or unlimited."""
    assert read_dataspace(space(version, 2, 0, 3, 4)) == (3, 4)
    assert read_dataspace(space(version, 2, 1, 3, 4, 3, UNDEFINED)) == (3, 4)
    assert read_dataspace(space(version, 0, 0)) == ()


@pytest.mark.parametrize(
    "body",
    [b"", space(3, 1, 0, 4), space(1, 2, 0, 3), space(2, 1, 1, 4), space(1, 1, 1, 4, 3), space(2, 33, 0, *[1] * 33)],
)
def test_impossible_dataspaces(body: bytes) -> None:
    """Shapes that are cut off, larger than their own maximum or of too many dimensions are errors."""
    with pytest.raises(CorruptFileError, match="dataspace"):
        read_dataspace(body)


def with_message(data: bytes, path: str, kind: int, at: int, byte: int) -> bytes:
    """The file with one byte of a message of an old object header changed; -8 is its type and -4 its flags."""
    bent = bytearray(data)
    start = address_of(data, path) + 16
    while int.from_bytes(bent[start : start + 2], "little") != kind:
        start += 8 + int.from_bytes(bent[start + 2 : start + 4], "little")
    bent[start + 8 + at] = byte
    return bytes(bent)


@pytest.mark.parametrize(
    ("message", "at", "byte", "kind"),
    [
        (1, -4, 2, "unsupported"),
        (8, -4, 2, "corrupt"),
        (8, 0, 2, "unsupported"),
        (8, 0, 9, "unsupported"),
        (8, 1, 7, "corrupt"),
        (1, -8, 0x99, "corrupt"),
        (3, -8, 0x99, "corrupt"),
        (8, -8, 0x99, "corrupt"),
    ],
)
def test_dataset_messages(message: int, at: int, byte: int, kind: str) -> None:
    """Messages that are shared, of other versions, or missing make a refusal of the dataset."""
    data = written("earliest", lambda file: file.create_dataset("x", data=np.arange(3)))
    assert kinds(read_tree(Memory(data))) == {}
    assert kinds(read_tree(Memory(with_message(data, "x", message, at, byte)))) == {"x": kind}


INDEXES: dict[str, dict[str, Any]] = {
    "one chunk": {"chunks": (8, 6)},
    "one chunk, filtered": {"chunks": (8, 6), "compression": "gzip"},
    "array": {"chunks": (2, 6)},
    "array, filtered": {"chunks": (2, 6), "compression": "gzip"},
    "growing": {"chunks": (2, 6), "maxshape": (None, 6)},
    "tree": {"chunks": (2, 6), "maxshape": (None, None)},
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("index", INDEXES)
def test_chunk_indexes(index: str, libver: str) -> None:
    """The address of the chunks is found behind the settings of every kind of index; unwritten ones have none."""

    def write(file: h5py.File) -> None:
        file.create_dataset("x", data=np.arange(48).reshape(8, 6), **INDEXES[index])
        file.create_dataset("never", (8, 6), "<i8", **INDEXES[index])

    data = written(libver, write)
    tree = read_tree(Memory(data))
    layout = tree.datasets["x"].layout
    marks = (b"TREE", b"FAHD", b"EAHD", b"BTHD")
    if libver == "latest" and index.startswith("one"):
        assert layout.address == chunk_address(data)
    else:
        assert data[layout.address : layout.address + 4] in marks
    if libver == "latest" or index.startswith("one"):
        assert tree.datasets["never"].layout.address == UNDEFINED
    assert layout.chunk == (*INDEXES[index]["chunks"], 8)


def chunk_address(data: bytes) -> int:
    """The address of the first chunk of `x` by h5py."""
    with h5py.File(BytesIO(data)) as file:
        return int(file["x"].id.get_chunk_info(0).byte_offset)


def test_named_type_that_is_none() -> None:
    """A dataset whose type is to be found in a group is refused."""

    def write(file: h5py.File) -> None:
        file["type"] = np.dtype("<f4")
        file.create_dataset("x", (3,), file["type"])
        file.create_group("g")

    data = bytearray(written("earliest", write))
    assert tree_of(write).datasets["x"].dtype.name == "float32"
    start = address_of(data, "x")
    at = data.index(address_of(data, "type").to_bytes(8, "little"), start)
    data[at : at + 8] = address_of(data, "g").to_bytes(8, "little")
    assert kinds(read_tree(Memory(bytes(data)))) == {"x": "corrupt"}
