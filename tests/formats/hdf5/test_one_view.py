"""HDF5 files in which two readers would see different things: each is refused, and its harmless twin is not."""

import struct
from collections.abc import Callable
from io import BytesIO

import h5py
import numpy as np
import pytest

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError
from ckpttool.formats.hdf5.tree import Tree, read_tree
from tests.formats.hdf5.small_files import Memory, kinds, written
from tests.formats.hdf5.surgery import (
    ATTRIBUTE,
    ATTRIBUTE_INFO,
    FILL,
    LAYOUT,
    LINK,
    LINK_INFO,
    SPACE,
    TABLE,
    TYPE,
    Message,
    Patient,
    addresses,
    checksum,
    compact_links,
    dense_attributes,
    dense_links,
    text_attribute,
)

HARMLESS, EVIL = text_attribute("model_config", "harmless"), text_attribute("model_config", "evil")
OTHER = text_attribute("note", "x")


def two_layers(file: h5py.File) -> None:
    """Two groups with a dataset each."""
    file["good/0"], file["bad/0"] = np.arange(4, dtype="<f4"), np.ones(4, "<f4")
    file["good"].attrs["name"] = "good"


def operated(
    libver: str, path: str, change: Callable[[Patient, dict[str, int], list[Message]], list[Message]]
) -> bytes:
    """The bytes of a small file one object of which has got other messages."""
    data = written(libver, two_layers)
    patient, places = Patient(bytearray(data)), addresses(data)
    patient.rewrite(places[path], change(patient, places, patient.messages(places[path])))
    return bytes(patient.data)


def without(messages: list[Message], *kinds_: int) -> list[Message]:
    """Messages but for those of some kinds."""
    return [message for message in messages if message.kind not in kinds_]


def read(data: bytes) -> Tree:
    """The tree of a file."""
    return read_tree(Memory(data))


def ambiguities(data: bytes) -> set[str]:
    """The places that two readers see differently; the whole file is `whole`."""
    try:
        return {place for place, kind in kinds(read(data)).items() if kind == "ambiguous"}
    except CheckpointError as error:
        return {"whole"} if error.kind == "ambiguous" else {f"{error}"}


def test_attributes_in_two_places() -> None:
    """libhdf5 looks into the heap where there is one, and so shows what the header does not."""
    data = operated(
        "latest",
        "",
        lambda file, _, messages: [
            *without(messages, ATTRIBUTE, ATTRIBUTE_INFO),
            Message(ATTRIBUTE, HARMLESS),
            dense_attributes(file, [EVIL]),
        ],
    )
    with h5py.File(BytesIO(data)) as file:
        assert bytes(file.attrs["model_config"]) == b"evil"
    assert ambiguities(data) == {"/ attributes"}
    assert read(data).text("", "model_config") is None


@pytest.mark.parametrize("bodies", [[EVIL], [EVIL, OTHER], [OTHER, EVIL]])
def test_attributes_in_a_heap_alone(bodies: list[bytes]) -> None:
    """Attributes that stand in a heap and nowhere else are read."""
    data = operated(
        "latest",
        "",
        lambda file, _, messages: [
            *without(messages, ATTRIBUTE, ATTRIBUTE_INFO),
            dense_attributes(file, sorted(bodies)),
        ],
    )
    assert read(data).refusals == []
    assert read(data).text("", "model_config") == "evil"


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("path", ["", "good", "good/0"])
def test_attribute_twice(libver: str, path: str) -> None:
    """Two attributes of one name are refused on a group and on a dataset; two of two names are not."""
    for second, expected in ((EVIL, {f"{path or '/'} attributes"}), (OTHER, set())):
        added = [Message(ATTRIBUTE, HARMLESS), Message(ATTRIBUTE, second)]
        data = operated(libver, path, lambda _, __, messages, added=added: [*messages, *added])  # type: ignore[misc]
        assert ambiguities(data) == expected
        assert read(data).attribute(path, "model_config") == (None if expected else "harmless")


def test_heap_that_an_old_header_points_to() -> None:
    """libhdf5 does not look for attributes outside of an old header."""
    data = operated("earliest", "good", lambda file, _, messages: [*messages, dense_attributes(file, [EVIL])])
    assert ambiguities(data) == {"good"}


@pytest.mark.parametrize(("libver", "path"), [("earliest", "good/0"), ("latest", "good/0"), ("latest", "good")])
def test_message_twice(libver: str, path: str) -> None:
    """A message that a header may have once is refused where it has two, whatever it is, and whichever comes first."""
    messages = Patient(bytearray(written(libver, two_layers)))
    present = messages.messages(addresses(bytes(messages.data))[path])
    for message in present:
        if message.kind in (SPACE, TYPE, FILL, LAYOUT, LINK_INFO, TABLE):
            again = message._replace(body=message.body[:-1] + bytes([message.body[-1] ^ 1]))
            for order in ((message, again), (again, message)):
                data = operated(libver, path, lambda _, __, all_, order=order: [*without(all_, order[0].kind), *order])  # type: ignore[misc]
                assert ambiguities(data) == {path}, message.kind


STORAGES: dict[str, Callable[[Patient, dict[str, int]], list[Message]]] = {
    "table": lambda file, places: [m for m in file.messages(places[""]) if m.kind == TABLE],
    "header": lambda file, places: compact_links({"good": places["bad"]}),
    "heap": lambda file, places: [dense_links(file, {"good": places["bad"]})],
    "links without a place": lambda file, places: compact_links({"good": places["bad"]})[1:],
}


@pytest.mark.parametrize("one", STORAGES)
@pytest.mark.parametrize("other", STORAGES)
def test_links_in_two_places(one: str, other: str) -> None:
    """Names that a group keeps in two ways are refused, in one way read, but for names that nothing announces."""

    def change(file: Patient, places: dict[str, int], messages: list[Message]) -> list[Message]:
        stored = [STORAGES[kind](file, places) for kind in dict.fromkeys((one, other))]
        reasons = [message for part in stored for message in part]
        announced = sorted(message for message in reasons if message.kind == LINK_INFO)[
            :1
        ]  # a heap, where there is one
        return [*without(messages, LINK, LINK_INFO, TABLE), *without(reasons, LINK_INFO), *announced]

    data = operated("earliest", "", change)
    alone = one == other and one != "links without a place"
    pair = {one, other} == {"header", "links without a place"}  # which is one place, and a name twice
    assert ambiguities(data) == (set() if alone else {"good"} if pair else {"whole"})


def test_group_and_dataset_at_once() -> None:
    """An object with the messages of both is refused: libhdf5 takes it for a group, others for a dataset."""

    def change(file: Patient, places: dict[str, int], messages: list[Message]) -> list[Message]:
        return [*messages, *compact_links({"inner": places["good/0"]})]

    assert ambiguities(operated("earliest", "bad/0", change)) == {"bad/0"}


def test_names_out_of_order() -> None:
    """A name that stands where no search by name gets to is refused; listing it would show what loading misses."""
    data = bytearray(written("earliest", two_layers))
    node = data.index(b"SNOD") + 8
    first, second = data[node : node + 40], data[node + 40 : node + 80]
    data[node : node + 80] = second + first
    assert ambiguities(bytes(data)) == {"bad"}


def test_tree_that_bounds_names_wrongly() -> None:
    """A key of the tree of names leads searches past a name that a listing shows."""
    data = bytearray(written("earliest", two_layers))
    tree = data.index(b"TREE")
    assert data[tree + 6] == 1
    data[tree + 24 : tree + 32] = data[tree + 40 : tree + 48]  # the lower bound of the only node becomes its upper
    assert ambiguities(bytes(data)) == {"bad"}


@pytest.mark.parametrize("change", ["hash", "order"])
def test_index_of_names(change: str) -> None:
    """Entries with another checksum than their name's, or out of order, are listed, and not found by a search."""
    data = bytearray(written("latest", lambda file: [file.create_group(f"g{number}") for number in range(20)]))
    leaf, head = data.index(b"BTLF"), data.index(b"BTHD")
    count = int.from_bytes(data[head + 24 : head + 26], "little")
    records = [bytes(data[leaf + 6 + 11 * n : leaf + 17 + 11 * n]) for n in range(count)]
    if change == "hash":
        records[3] = struct.pack("<I", int.from_bytes(records[3][:4], "little") + 1) + records[3][4:]
    else:
        records[3:5] = records[4:2:-1]
    data[leaf + 6 : leaf + 6 + 11 * count] = b"".join(records)
    end = leaf + 6 + 11 * count
    data[end : end + 4] = checksum(data[leaf:end])
    assert ambiguities(bytes(data)) == {"whole"}


def test_entry_and_header_of_a_group() -> None:
    """Old files repeat the table of a group in its entry; one that names another table is damaged, be it that of the
    root or of a group in it."""
    data = written("earliest", two_layers)
    root, inner = bytearray(data), bytearray(data)
    root[80:88] = struct.pack("<Q", root.index(b"TREE", root.index(b"TREE") + 1))
    with pytest.raises(CorruptFileError, match="different tables"):
        read(bytes(root))
    node = inner.index(b"SNOD") + 8
    assert inner[node + 16] == 1
    one, other = slice(node + 24, node + 40), slice(node + 64, node + 80)
    inner[one], inner[other] = inner[other], inner[one]
    assert kinds(read(bytes(inner))) == {"good": "corrupt", "bad": "corrupt"}


def test_second_file() -> None:
    """A file that begins where HDF5 looks for one, behind the file that is read, is told; bytes alone are none."""
    data = written("earliest", two_layers)
    size = 512
    while size < len(data):
        size *= 2
    assert ambiguities(data.ljust(size, b"\0") + data) == {""}
    assert ambiguities(data.ljust(size, b"\0") + b"x" * 100) == set()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_user_block(libver: str) -> None:
    """Bytes before the HDF5 data are no second file, whether the superblock counts them or not."""
    data = written(libver, two_layers)
    stream = BytesIO()
    with h5py.File(stream, "w", libver=libver, userblock_size=1024) as file:
        two_layers(file)
    assert ambiguities(stream.getvalue()) == set()
    assert ambiguities(bytes(512) + data) == set()


@pytest.mark.parametrize("kind", ["S4", "U4"])
def test_text_in_an_opaque_attribute(kind: str) -> None:
    """h5py takes opaque bytes for what their tag says, a text too; others see bytes, or nothing."""

    def write(file: h5py.File) -> None:
        file.attrs.create("model_config", np.array("evil", kind).astype(h5py.opaque_dtype(np.dtype(kind))))

    data = written("latest", write)
    with h5py.File(BytesIO(data)) as file:
        assert file.attrs["model_config"] in (b"evil", "evil")
    tree = read(data)
    assert tree.text("", "model_config") is None
    assert kinds(tree) == {"/ attribute model_config": "ambiguous"}


def test_image_of_the_cache() -> None:
    """libhdf5 takes its parts out of such an image, other readers out of the file."""
    patient = Patient(bytearray(written("latest", two_layers)))
    block = b"OHDR\x02\x00" + bytes([22]) + struct.pack("<BHB", 0x18, 18, 0) + bytes(18)
    patient.set_number(20, patient.append(block + checksum(block)))
    patient.seal()
    with pytest.raises(UnsafeFileError, match="cache"):
        read(bytes(patient.data))


def test_overlapping_continuations() -> None:
    """A block of messages that lies across another one is read twice by some readers."""
    patient = Patient(bytearray(written("earliest", two_layers)))
    place = addresses(bytes(patient.data))["good/0"]
    messages = [*patient.messages(place), Message(0x10, bytes(16))]
    patient.rewrite(place, messages)
    at = patient.end - 16
    patient.set_number(at, patient.end - 64)
    patient.set_number(at + 8, 64)
    assert kinds(read(bytes(patient.data))) == {"good/0": "corrupt"}
