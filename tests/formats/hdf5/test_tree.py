"""The walk over a file: what is listed, in which order, and what is refused and why."""

import builtins
import io
import os
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError
from ckpttool.formats.hdf5 import attributes
from ckpttool.formats.hdf5 import tree as tree_module
from ckpttool.formats.hdf5.groups import LINK, LINK_INFO, links
from ckpttool.formats.hdf5.heaps import FractalHeap
from ckpttool.formats.hdf5.tree import read_tree
from ckpttool.io.natural_order import natural_key
from ckpttool.io.sources import FileSource
from tests.formats.hdf5.small_files import (
    Memory,
    address_of,
    crowded,
    kinds,
    that_ends,
    tree_of,
    with_checksums,
    written,
)

VERSIONS = pytest.mark.parametrize("libver", ["earliest", "latest"])


def test_natural_order() -> None:
    """Numbers in names count by value, in groups of any depth, whatever order the file keeps."""

    def write(file: h5py.File) -> None:
        for name in ("dense_10", "dense", "dense_2", "b/10", "b/9", "b/1", "b/x", "conv1d_1", "0"):
            file.create_group(name)

    assert [path for path in tree_of(write).groups if path] == [
        "0", "b", "b/1", "b/9", "b/10", "b/x", "conv1d_1", "dense", "dense_2", "dense_10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [["2", "10"], ["a", "b"], ["1", "a"], ["a1b2", "a1b10"], ["x9", "x10", "xa"], ["007", "8"], ["9" * 30, "9" * 31]],
)
def test_natural_key(names: list[str]) -> None:
    """The sort key orders names as a reader would."""
    assert sorted(set(names), key=natural_key) == names


@VERSIONS
def test_links_are_not_followed(tmp_path: Path, libver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soft, external and user-defined links are refused with their target, and no other file is opened."""
    with h5py.File(tmp_path / "canary.h5", "w") as canary:
        canary["secret"] = 1.0
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file["x"] = np.arange(3)
        file["soft"] = h5py.SoftLink("/x")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["external"] = h5py.ExternalLink(str(tmp_path / "canary.h5"), "/secret")
        file["g/up"] = h5py.SoftLink("/g")
    source, opened = FileSource(tmp_path / "a.h5"), []
    monkeypatch.setattr(os, "open", lambda *where, **_: opened.append(where))
    monkeypatch.setattr(builtins, "open", lambda *where, **_: opened.append(where))
    tree = read_tree(source)
    monkeypatch.undo()
    assert opened == []
    assert list(tree.datasets) == ["x"]
    assert kinds(tree) == {"dangling": "link", "external": "external", "g/up": "link", "soft": "link"}
    details = {refusal.place: refusal.detail for refusal in tree.refusals}
    assert details["soft"] == "soft link to /x, not followed"
    assert str(tmp_path / "canary.h5") + ":/secret" in details["external"]


def test_user_defined_link() -> None:
    """A link of a class that nobody registered is refused."""
    data = bytearray(written("latest", lambda file: file.__setitem__("e", h5py.ExternalLink("f.h5", "/p"))))
    data[data.index(b"\x40\x01e")] = 99
    assert kinds(read_tree(Memory(with_checksums(data)))) == {"e": "link"}


@VERSIONS
def test_hard_link_cycles(libver: str) -> None:
    """A group that contains itself, its parent and the root is listed once."""

    def write(file: h5py.File) -> None:
        group = file.create_group("a/b")
        group["self"], group["parent"], group["root"] = group, file["a"], file["/"]

    tree = tree_of(write, libver)
    assert list(tree.groups) == ["", "a", "a/b"]
    assert kinds(tree) == dict.fromkeys(["a/b/self", "a/b/parent", "a/b/root"], "repeat")


@VERSIONS
def test_doubling_links(libver: str) -> None:
    """Sixty groups that each hold the next one twice have 2^60 paths and cost as much as sixty groups."""

    def write(file: h5py.File) -> None:
        group: h5py.Group = file
        for _ in range(60):
            below = group.create_group("a")
            group["b"], group = below, below

    with that_ends():
        tree = tree_of(write, libver)
    assert len(tree.groups) == 61
    assert len(tree.refusals) == 60


@VERSIONS
def test_tied_weights(libver: str) -> None:
    """A dataset under two names is listed under both, with its attributes, and nothing is refused."""

    def write(file: h5py.File) -> None:
        file["a/x"] = np.arange(3.0)
        file["a/x"].attrs["name"] = "kernel"
        file["b/x"] = file["a/x"]

    tree = tree_of(write, libver)
    assert tree.refusals == []
    assert tree.datasets["a/x"] == tree.datasets["b/x"]
    assert tree.text("b/x", "name") == "kernel"


def test_too_many_names_of_one_dataset() -> None:
    """Names that multiply a dataset beyond sixteen times the file are refused as a bomb."""

    def write(file: h5py.File) -> None:
        file["0"] = np.zeros(100_000)
        for number in range(1, 100):
            file[str(number)] = file["0"]

    tree = tree_of(write)
    assert 10 < len(tree.datasets) < 20
    assert set(kinds(tree).values()) == {"bomb"}


@pytest.mark.parametrize("name", ["..", "a/b", "/b", "."])
def test_names_that_lead_elsewhere(name: str) -> None:
    """A name that means another place is refused."""
    stand_in = "Q" * len(name)
    data = written("latest", lambda file: file.create_group(stand_in))
    tree = read_tree(Memory(with_checksums(bytearray(data.replace(stand_in.encode(), name.encode())))))
    assert kinds(tree) == {name: "name"}


def test_empty_name() -> None:
    """A link without a name is refused and hides nothing."""
    data = written("earliest", lambda file: [file.create_group(f"g/{name}") for name in ("AAAA", "BBBB")])
    tree = read_tree(Memory(data.replace(b"AAAA", b"\0AAA")))
    assert kinds(tree) == {"g/": "name"}
    assert list(tree.groups) == ["", "g", "g/BBBB"]


@VERSIONS
def test_long_names(libver: str) -> None:
    """A name of more than 4,096 characters is refused and shown in part."""
    tree = tree_of(lambda file: file.create_group("n" * 5000), libver)
    assert kinds(tree) == {"n" * 200: "name"}


def test_names_that_are_no_utf8() -> None:
    """Bytes that are no UTF-8 survive in a name, apart from each other."""
    tree = tree_of(lambda file: [file.create_group(b"caf\xe9"), file.create_group(b"caf\xea")])
    assert [path.encode("utf-8", "surrogateescape") for path in tree.groups] == [b"", b"caf\xe9", b"caf\xea"]


@VERSIONS
def test_names_given_twice(libver: str) -> None:
    """Of two links with one name, one is listed and the other refused."""
    data = written(libver, lambda file: [file.create_group("AAAA"), file.create_group("BBBB")])
    tree = read_tree(Memory(with_checksums(bytearray(data.replace(b"BBBB", b"AAAA")))))
    assert list(tree.groups) == ["", "AAAA"]
    assert kinds(tree) == {"AAAA": "ambiguous"}


def test_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups nested deeper than the limit are refused, those above are listed."""
    monkeypatch.setattr(tree_module, "MAX_DEPTH", 20)
    tree = tree_of(lambda file: file.create_group("/".join("abcdefghijklmnopqrstuvwxyz")))
    assert len(tree.groups) == 21
    assert kinds(tree) == {"/".join("abcdefghijklmnopqrstu"): "bomb"}


def test_size_of_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing ends with one refusal where there are more objects than the file may cost."""
    monkeypatch.setattr(tree_module, "_OBJECT_STEPS", 105_000)
    tree = tree_of(lambda file: [file.create_group(f"group {number:03}") for number in range(50)])
    assert len(tree.groups) == 10
    assert set(kinds(tree).values()) == {"bomb"}


@VERSIONS
def test_deep_and_wide(libver: str) -> None:
    """Long names in deep groups cost no memory before the listing gives up on them."""

    def write(file: h5py.File) -> None:
        group: h5py.Group = file
        for _ in range(60):
            group = group.create_group("d" * 3000)
        for number in range(600):
            group.create_group(f"{number:04}" + "w" * 1000)

    with that_ends():
        tree = tree_of(write, libver)
    assert set(kinds(tree).values()) == {"bomb"}


@VERSIONS
def test_broken_dataset(libver: str) -> None:
    """A dataset whose header is broken is refused; its neighbours are listed."""
    data = bytearray(written(libver, lambda file: [file.create_dataset(name, data=1.0) for name in "abc"]))
    at = address_of(data, "b")
    data[at : at + 4] = b"\xff\xff\xff\xff"
    tree = read_tree(Memory(bytes(data)))
    assert list(tree.datasets) == ["a", "c"]
    assert kinds(tree) == {"b": "corrupt"}


def test_nothing_at_all() -> None:
    """An object that is neither group nor dataset nor named type is refused."""
    data = bytearray(written("earliest", lambda file: file.create_dataset("a", data=1.0)))
    at = address_of(data, "a")
    data[at + 8 : at + 12] = bytes(4)
    assert kinds(read_tree(Memory(bytes(data)))) == {"a": "corrupt"}


def test_broken_listing() -> None:
    """A group whose list of members is broken makes the file unreadable; the error says which group."""
    data = bytearray(written("earliest", lambda file: file.create_group("good/bad/x")))
    trees = [at for at in range(len(data)) if data[at : at + 4] == b"TREE"]
    data[trees[2] : trees[2] + 4] = b"????"
    with pytest.raises(CorruptFileError, match="group tree") as caught:
        read_tree(Memory(bytes(data)))
    assert caught.value.where.startswith("group good/bad, byte")


def test_root_that_is_no_group() -> None:
    """A file whose root is a dataset is unreadable."""
    data = bytearray(written("earliest", lambda file: file.create_dataset("a", data=1.0)))
    data[64:72] = address_of(data, "a").to_bytes(8, "little")
    with pytest.raises(CorruptFileError, match="no root group"):
        read_tree(Memory(bytes(data)))


def test_broken_attribute() -> None:
    """An attribute that cannot be read is refused once, however often it is asked for, and counts as missing."""
    data = bytearray(written("earliest", lambda file: file.attrs.__setitem__("model_config", "x" * 100)))
    at = data.index(b"GCOL")
    data[at : at + 4] = b"????"
    tree = read_tree(Memory(bytes(data)))
    assert [tree.attribute("", "model_config"), tree.text("", "model_config")] == [None, None]
    assert kinds(tree) == {"/ attribute model_config": "corrupt"}
    assert len(tree.refusals) == 1


def test_attribute_that_ends_early() -> None:
    """An attribute that says it has more values than bytes is an error, whatever it claims."""
    data = bytearray(written("earliest", lambda file: file.attrs.__setitem__("a", np.arange(6))))
    at = data.index((6).to_bytes(8, "little") * 2)
    for count in (7, 2**20, 2**60):
        data[at : at + 16] = count.to_bytes(8, "little") * 2
        tree = read_tree(Memory(bytes(data)))
        with pytest.raises(CorruptFileError, match="attribute"):
            tree.groups[""].get("a")


def test_text_longer_than_its_place() -> None:
    """A text that claims more bytes than its place in the heap has does not come with those of its neighbour."""
    data = written("earliest", lambda file: file.attrs.update({"a": "A" * 100, "b": "B" * 100}))
    stored = (100).to_bytes(4, "little") + data.index(b"GCOL").to_bytes(8, "little")
    assert data.count(stored) == 2
    tree = read_tree(Memory(data.replace(stored, (150).to_bytes(4, "little") + stored[4:])))
    assert tree.text("", "a") is None
    assert set(kinds(tree).values()) == {"corrupt"}


@pytest.mark.parametrize("kind", [2, 3])
def test_heap_objects_of_other_kinds(kind: int) -> None:
    """An ID of a heap object that is neither managed nor large is an error."""
    data = written("latest", crowded)
    heap = FractalHeap(read_tree(Memory(data)).file, data.index(b"FRHP"))
    with pytest.raises(CorruptFileError, match="impossible kind"):
        heap.object(bytes([kind << 4]) + bytes(7))


@pytest.mark.parametrize("offset", [2**40, 2**64 - 1, 80])
def test_name_outside_the_heap(offset: int) -> None:
    """A name that lies outside the heap of names, or does not end in it, is an error."""
    data = bytearray(written("earliest", lambda file: file.create_group("a")))
    entry, heap = data.index(b"SNOD") + 8, data.index(b"HEAP")
    names = int.from_bytes(data[heap + 24 : heap + 32], "little")
    data[names + 80 : names + 88] = b"no end  "
    data[entry : entry + 8] = offset.to_bytes(8, "little")
    with pytest.raises(CorruptFileError, match="outside its heap"):
        read_tree(Memory(bytes(data)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\1",
        b"\1\0\5abc",
        b"\1\0\3abc" + bytes(7),
        b"\1\3" + b"\xff" * 8,
        b"\1\3" + b"\xff" * 7 + b"\x7f" + bytes(40),
    ],
)
def test_link_that_is_cut_off(body: bytes) -> None:
    """A link message that ends early, or claims a name beyond all measure, is an error."""
    file = read_tree(Memory(written("latest", lambda file: file.create_group("a")))).file
    with pytest.raises(CorruptFileError, match="cut off"):
        list(links(file, {LINK_INFO: [(0, bytes(2) + b"\xff" * 16)], LINK: [(0, body)]}))


def test_attributes_that_are_not_there() -> None:
    """A missing attribute, and one of a missing object, is None."""
    tree = tree_of(lambda file: file.attrs.__setitem__("ab", 1))
    assert [tree.attribute("", "b"), tree.attribute("", "a"), tree.attribute("x", "ab")] == [None] * 3
    assert tree.text("", "ab") is None
    assert tree.attribute("", "ab") == 1


def test_bytes_outside() -> None:
    """Content before and behind the HDF5 data is told; zeros are padding."""
    data = written("earliest", lambda file: file.create_group("g"))
    assert kinds(read_tree(Memory(data + bytes(5000)))) == {}
    for more in (b"PK\x05\x06", b"PK" + bytes(5000), bytes(2 << 20)):
        tree = read_tree(Memory(data + more))
        assert [refusal.kind for refusal in tree.refusals] == ["foreign"]
        assert f"{len(more):,} bytes follow" in tree.refusals[0].detail


def test_node_that_is_shared() -> None:
    """A group tree that names one node twice is an error and not twice the work."""
    data = bytearray(written("earliest", lambda file: [file.create_group(f"g{number:03}") for number in range(60)]))
    first = data.index(b"TREE") + 32
    data[first + 16 : first + 24] = data[first : first + 8]
    with pytest.raises(CorruptFileError, match="runs into itself"):
        read_tree(Memory(bytes(data)))


def test_node_that_is_its_own_child() -> None:
    """A group tree whose node is its own child is an error, not an endless walk."""
    data = bytearray(written("earliest", lambda file: [file.create_group(f"g{number:03}") for number in range(60)]))
    at = data.index(b"TREE")
    data[at + 5], data[at + 32 : at + 40] = 1, at.to_bytes(8, "little")
    with that_ends(), pytest.raises(CorruptFileError, match="runs into itself"):
        read_tree(Memory(bytes(data)))


def test_heap_that_is_shared() -> None:
    """Many groups that share one large heap of names cost no more than the file is worth."""

    def write(file: h5py.File) -> None:
        for number in range(2000):
            file.create_group(f"names/{number:04}" + "n" * 500)
        for number in range(3000):
            file.create_group(f"groups/{number}")

    data = bytearray(written("earliest", write))
    heaps = [at for at in range(0, len(data), 8) if data[at : at + 4] == b"HEAP"]
    sizes = {at: int.from_bytes(data[at + 8 : at + 16], "little") for at in heaps}
    largest = max(heaps, key=sizes.__getitem__)
    for at in heaps[1:]:  # that of the root stays
        if sizes[at] < 100:
            data[at + 8 : at + 32] = data[largest + 8 : largest + 32]
    with that_ends(), pytest.raises(UnsafeFileError, match="repeats itself"):
        read_tree(Memory(bytes(data)))


def test_headers_that_continue_into_themselves() -> None:
    """A continuation that leads back is an error of that object alone."""

    def write(file: h5py.File) -> None:
        for number in range(30):
            file.create_group("a").attrs[f"x{number}"] = number if number == 0 else "text" * number
            break
        for number in range(30):
            file["a"].attrs[f"x{number}"] = "text" * number
        file.create_group("b")

    data = bytearray(written("earliest", write))
    at = address_of(data, "a")
    block = data[at + 16 : at + 16 + int.from_bytes(data[at + 8 : at + 12], "little")]
    place = next(n for n in range(0, len(block), 8) if block[n : n + 4] == b"\x10\x00\x10\x00")
    data[at + 16 + place + 8 : at + 16 + place + 16] = (at + 16).to_bytes(8, "little")
    tree = read_tree(Memory(bytes(data)))
    assert kinds(tree) == {"a": "corrupt"}
    assert "b" in tree.groups


def test_errors_are_of_one_family() -> None:
    """Text, noise and nothing are no HDF5 and say so."""
    for data in (b"", b"PK\x03\x04" * 500, bytes(10_000), b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\xff" * 200):
        with pytest.raises(CheckpointError):
            read_tree(Memory(data))


def test_datasets_on_the_same_bytes() -> None:
    """Datasets that all claim the same bytes are listed as long as they claim few times the size of the file."""
    size = 72_000

    def write(file: h5py.File) -> None:
        file["00"] = np.ones(size // 8)
        for number in range(1, 40):
            file.create_dataset(f"{number:02}", (size // 8,), "f8")  # which has no place yet

    raw = written("earliest", write)
    assert kinds(read_tree(Memory(raw))) == {}
    with h5py.File(io.BytesIO(raw)) as file:
        place = file["00"].id.get_offset()
    nowhere, there = (struct.pack("<QQ", address, size) for address in ((1 << 64) - 1, place))
    assert raw.count(nowhere) == 39
    for count in (10, 39):
        tree = read_tree(Memory(raw.replace(nowhere, there, count)))
        if count == 10:
            assert kinds(tree) == {}
        else:
            assert 17 <= len(tree.datasets) < 30
            assert set(kinds(tree).values()) == {"bomb"}
            assert len(kinds(tree)) + len(tree.datasets) == 40


@VERSIONS
def test_attributes_without_end(libver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More attributes than any checkpoint has, and numbers of megabytes among them, are told; texts may be long."""
    monkeypatch.setattr(attributes, "MAX_ATTRIBUTES", 90)  # h5py takes long to write thousands

    def write(file: h5py.File) -> None:
        file.create_group("texts").attrs["config"] = "x" * (2 << 20)
        for name in ("many", "few"):
            group = file.create_group(name)
            for number in range(91 if name == "many" else 90):
                group.attrs.create(f"a{number}", number % 9, dtype="u1")
        if libver == "latest":
            file.create_group("numbers").attrs["big"] = np.zeros(1 << 18)
            file["numbers"].attrs["names"] = np.array([b"x" * 60] * 40_000)

    expected = {"many": "bomb"} if libver == "earliest" else {"many": "bomb", "numbers": "bomb"}
    assert kinds(tree_of(write, libver)) == expected
