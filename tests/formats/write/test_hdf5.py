"""HDF5 files in Python: h5py and our own reader find in them what h5py itself would have written."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool.checkpoint import Section, Weight
from ckpttool.errors import CorruptFileError, UnsupportedError
from ckpttool.formats.hdf5.headers import UNDEFINED, Header, read_header
from ckpttool.formats.hdf5.tree import read_tree
from ckpttool.formats.hdf5.values import InMemory
from ckpttool.formats.write import hdf5
from ckpttool.formats.write.messages import Attributes, Fixed
from ckpttool.io.dtypes import DTYPES
from tests.formats.hdf5.small_files import Memory, address_of, written
from tests.formats.hdf5.test_against_h5py import assert_same
from tests.formats.write.sample_weights import content_of, failing, weight
from tests.speeds import examples, is_slow

KNOWN_TO_NUMPY = sorted(name for name in DTYPES if not name.startswith(("bfloat", "float8")))

names = st.one_of(
    st.sampled_from(
        ["vars", "layers", "0", "10", "dense_1", "a b", "é", "日本", "name", ":0", "...", "\U0001f600" * 8]
    ),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=30),
).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
no_nul = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=60)
attribute_values = st.one_of(
    no_nul,
    no_nul.map(lambda text: text.encode()),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(no_nul, max_size=5),
    st.lists(st.binary(max_size=40).filter(lambda raw: b"\0" not in raw), max_size=5),
)
attributes = st.dictionaries(names, attribute_values, max_size=4)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """An array of any dtype that NumPy has, of up to four axes, empty ones included, in either byte order."""
    dtype = np.dtype(draw(st.sampled_from(KNOWN_TO_NUMPY)))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    raw = np.random.default_rng(draw(st.integers(0, 2**32))).bytes(int(np.prod(shape)) * dtype.itemsize)
    array = np.frombuffer(raw, "u1" if dtype.name == "bool" else dtype).reshape(shape)
    if dtype.name == "bool":
        return array > 127
    return array.astype(dtype.newbyteorder(">")) if draw(st.booleans()) else array


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], dict[str, Any], list[str]]:
    """Datasets, attributes and further groups by path; no dataset is on the way to anything."""
    datasets = draw(st.dictionaries(paths, arrays(), max_size=8))
    ways = {path.rsplit("/", n)[0] for path in datasets for n in range(1, path.count("/") + 1)}
    datasets = {path: array for path, array in datasets.items() if path not in ways}
    others = [path for path in draw(st.lists(paths, max_size=5)) if not _crosses(path, datasets)]
    owners = st.sampled_from(["", *datasets, *others])
    return datasets, draw(st.dictionaries(owners, attributes, max_size=6)), others


def _crosses(path: str, datasets: Mapping[str, Any]) -> bool:
    return any(f"{path}/".startswith(f"{other}/") for other in datasets) or any(
        other.startswith(f"{path}/") for other in datasets
    )


def write(path: Path, layout: hdf5.Layout) -> None:
    """Writes a file that is laid out; it is as long as was said."""
    path.write_bytes(b"".join(map(bytes, layout.blocks())))
    assert path.stat().st_size == layout.size


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(trees())
def test_any_tree(tmp_path: Path, tree: tuple[dict[str, np.ndarray], dict[str, Any], list[str]]) -> None:
    """A file holds what h5py would have put in it, and is read alike by h5py and by ckpttool."""
    datasets, attributes, groups = tree
    write(
        tmp_path / "ours.h5",
        hdf5.layout({path: weight(array) for path, array in datasets.items()}, attributes, groups),
    )
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        for path in groups:
            file.require_group(path)
        for path, array in datasets.items():
            file[path] = array.astype(array.dtype.newbyteorder("<"))
        for path, values in attributes.items():
            for name, value in values.items():
                file[path or "/"].attrs[name] = value
    assert content_of(tmp_path / "ours.h5") == content_of(tmp_path / "theirs.h5")
    assert_same(tmp_path / "ours.h5")


@pytest.mark.parametrize("count", [0, 1, 8, 9, 256, 257, 8_192, 8_193, *([20_000] if is_slow() else [])])
def test_many_links(tmp_path: Path, count: int) -> None:
    """Groups of any number of links, through one, two and three levels of their tree, are complete and in order."""
    wanted = sorted(f"link {number}" for number in range(count))
    write(tmp_path / "a.h5", hdf5.layout({}, None, [f"g/{name}" for name in reversed(wanted)] or ["g"]))
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file["g"]) == wanted
        assert all(name in file["g"] for name in wanted[:: max(1, count // 100)])
        assert "link x" not in file["g"]
    tree = read_tree(Memory((tmp_path / "a.h5").read_bytes()))
    assert not tree.refusals
    assert {path for path in tree.groups if path} == {"g", *(f"g/{name}" for name in wanted)}


def test_nodes_know_their_neighbours() -> None:
    """The nodes of each level of a tree are a chain, in the order of their names."""
    head = hdf5.layout({}, None, [f"link {number}" for number in range(9_000)]).head
    level = [struct.unpack_from("<Q", head, 80)[0]]
    while head[level[0] : level[0] + 4] == b"TREE":
        nodes = [struct.unpack_from("<4sBBHQQ", head, address) for address in level]
        assert [node[4] for node in nodes] == [UNDEFINED, *level[:-1]]
        assert [node[5] for node in nodes] == [*level[1:], UNDEFINED]
        pairs = zip(level, nodes, strict=True)
        level = [child for at, node in pairs for child in struct.unpack_from(f"<{2 * node[3]}Q", head, at + 32)[::2]]
    assert len(level) == 1125


def test_a_file_can_be_added_to(tmp_path: Path) -> None:
    """h5py adds to and takes from such a file as to any other."""
    attributes: dict[str, Attributes] = {"": {"first": "one", "second": ["two", "three"]}}
    write(tmp_path / "a.h5", hdf5.layout({f"g/{n}": weight(np.arange(n)) for n in range(300)}, attributes))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        for number in range(300, 900):
            file[f"g/{number}"] = np.arange(3)
        for number in range(0, 300, 2):
            del file[f"g/{number}"]
        del file.attrs["first"]
        file.attrs["third"] = "x" * 5000
        file["g/1"][...] = 7
    with h5py.File(tmp_path / "a.h5") as file:
        assert sorted(map(int, file["g"])) == [*range(1, 300, 2), *range(300, 900)]
        assert [*file.attrs["second"], len(file.attrs["third"]), *file["g/1"]] == ["two", "three", 5000, 7]
    assert_same(tmp_path / "a.h5")


def test_long_names_and_texts(tmp_path: Path) -> None:
    """Names of 4,096 bytes and texts larger than any heap are kept; a longer name is refused."""
    attributes: dict[str, Attributes] = {
        "": {"config": "é" * 3_000_000, "raw": b"x" * 70_000, "list": ["y" * size for size in range(300)]}
    }
    write(tmp_path / "a.h5", hdf5.layout({"n" * 4096: weight(1.0)}, attributes))
    assert_same(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file) == ["n" * 4096]
        assert file.attrs["config"] == "é" * 3_000_000
    with pytest.raises(UnsupportedError, match="a name that HDF5 does not have"):
        hdf5.layout({"é" * 2049: weight(1.0)})


def test_deep_groups(tmp_path: Path) -> None:
    """Depth costs no recursion."""
    write(tmp_path / "a.h5", hdf5.layout({"/".join(["d"] * 2000): weight(3)}))
    tree = read_tree(Memory((tmp_path / "a.h5").read_bytes()))
    assert (len(tree.groups), len(tree.datasets), tree.refusals) == (2000, 1, [])


def header(data: bytes, path: str) -> Header:
    """The messages of an object's header."""
    tree = read_tree(Memory(data))
    header = read_header(tree.file, address_of(data, path))
    return {kind: messages for kind, messages in header.items() if kind not in (0x08, 0x11)}  # without addresses


@pytest.mark.parametrize("dtype", KNOWN_TO_NUMPY)
def test_headers_of_datasets_are_those_of_h5py(dtype: str) -> None:
    """Types, shapes and fill values are described byte for byte as h5py has them described."""
    array = np.zeros((), dtype)
    ours = b"".join(map(bytes, hdf5.layout({"a": weight(array)}).blocks()))
    theirs = written("earliest", lambda file: file.update({"a": array}))
    assert header(ours, "a") == header(theirs, "a")


@pytest.mark.parametrize("value", ["text", b"text", "", 3, ["a", "bc"], [b"a"], []])
def test_types_of_attributes_are_those_of_h5py(value: Any) -> None:
    """An attribute has the type, the character set and the name as h5py writes them."""
    ours = b"".join(map(bytes, hdf5.layout({}, {"g": {"attribute": value}}).blocks()))
    theirs = written("earliest", lambda file: file.create_group("g").attrs.__setitem__("attribute", value))
    mine, other = (header(data, "g")[0x0C][0][1] for data in (ours, theirs))
    assert mine[:8] == other[:8] or isinstance(value, list)  # h5py gives arrays a largest size, equal to their size
    assert mine[8 : 24 + mine[4]] == other[8 : 24 + mine[4]]


def test_fixed_texts(tmp_path: Path) -> None:
    """Texts of one width are what an array of bytes becomes."""
    texts = [b"a", b"bcd", b"", "é".encode()]
    write(tmp_path / "ours.h5", hdf5.layout({}, {"": {"names": Fixed(texts, 3)}}))
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        file.attrs["names"] = np.array(texts)
    assert content_of(tmp_path / "ours.h5") == content_of(tmp_path / "theirs.h5")
    assert_same(tmp_path / "ours.h5")
    with h5py.File(tmp_path / "ours.h5") as ours, h5py.File(tmp_path / "theirs.h5") as theirs:
        assert ours.attrs.get_id("names").get_type() == theirs.attrs.get_id("names").get_type()


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_floats_that_numpy_lacks(tmp_path: Path, dtype: str) -> None:
    """All values of bfloat16 and float8 are read by h5py as floats, and by ckpttool as what they are."""
    numpy_dtype = np.dtype(getattr(ml_dtypes, dtype))
    raw = np.arange(256**numpy_dtype.itemsize, dtype=f"u{numpy_dtype.itemsize}")
    write(tmp_path / "a.h5", hdf5.layout({"a": weight(raw, dtype)}))
    assert read_tree(Memory((tmp_path / "a.h5").read_bytes())).datasets["a"].dtype.name == dtype
    wanted = raw.view(numpy_dtype).astype("f4")
    with h5py.File(tmp_path / "a.h5") as file:
        values = file["a"][()].astype("f4")
    if dtype == "float8_e4m3fn":  # without infinities, which libhdf5 takes its largest values for
        values, wanted = values[np.abs(wanted) < 256], wanted[np.abs(wanted) < 256]
    np.testing.assert_array_equal(values, wanted)


def test_opaque_bfloat16(tmp_path: Path) -> None:
    """bfloat16 with an attribute that tells is stored as Keras stores it."""
    array = np.arange(6).astype(ml_dtypes.bfloat16)
    write(tmp_path / "a.h5", hdf5.layout({"a": weight(array.view("u2"), "bfloat16")}, {"a": {"dtype": "bfloat16"}}))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("a", data=array).attrs["dtype"] = "bfloat16"
    assert content_of(tmp_path / "a.h5") == content_of(tmp_path / "b.h5")


def test_values_are_aligned_and_in_order(tmp_path: Path) -> None:
    """Values begin at multiples of 64, in the order in which weights were given."""
    weights = {f"w{number}": weight(np.full(number, number, "i1")) for number in (5, 3, 9, 0, 1)}
    layout = hdf5.layout(weights)
    assert [start % 64 for start, _ in layout.places] == [0] * 4
    assert [block.nbytes for _, block in layout.places] == [5, 3, 9, 1]
    write(tmp_path / "a.h5", layout)
    with h5py.File(tmp_path / "a.h5") as file:
        starts = [file[name].id.get_offset() for name in weights]
    assert starts == [*(start for start, _ in layout.places[:3]), None, layout.places[3][0]]


def test_places_beyond_four_gigabytes(tmp_path: Path) -> None:
    """A weight behind three of two gigabytes each is where its header says."""
    large = Weight("large", (2 << 30,), "int8", 2 << 30, Section.MODEL, values=InMemory(b""))
    layout = hdf5.layout({**{f"large{number}": large for number in range(3)}, "last": weight(np.arange(5))})
    with open(tmp_path / "a.h5", "wb") as file:
        file.write(layout.head)
        file.seek(layout.places[3][0])
        file.write(np.arange(5).tobytes())
    assert layout.places[3][0] > 6 << 30
    with h5py.File(tmp_path / "a.h5") as opened:
        assert list(opened["last"]) == [0, 1, 2, 3, 4]
        assert opened["large2"].id.get_offset() == layout.places[2][0]
        assert not opened["large2"][-9:].any()


@pytest.mark.parametrize(
    ("weights", "attributes", "groups"),
    [
        ({"a": weight(1), "a/b": weight(1)}, {}, []),
        ({"a/b": weight(1)}, {}, ["a/b/c"]),
        ({"a//b": weight(1)}, {}, []),
        ({"": weight(1)}, {}, []),
        ({}, {}, ["a/../b"]),
        ({"a\0b": weight(1)}, {}, []),
        ({"a": weight(np.zeros((1,) * 33))} if np.__version__ >= "2" else {"": weight(1)}, {}, []),
        ({"a": weight(b"abc", "string(3)")}, {}, []),
        ({}, {"": {"names": Fixed([b"x" * 700] * 100, 700)}}, []),
        ({}, {"": {"names": ["x"] * 5000}}, []),
    ],
)
def test_what_cannot_be_stored(weights: Any, attributes: Any, groups: Any) -> None:
    """Names that HDF5 does not have, two objects at one place, and too long attributes are refused beforehand."""
    with pytest.raises(UnsupportedError):
        hdf5.layout(weights, attributes, groups)


@pytest.mark.parametrize("good", [0, 9, 11])
def test_values_that_are_not_as_many_as_declared(good: int) -> None:
    """Fewer or more bytes than a weight declares are an error, not a shifted file."""
    with pytest.raises(CorruptFileError, match="not as many values"):
        list(hdf5.layout({"a": failing(10, good), "b": weight(1)}).blocks())


def test_the_superblock(tmp_path: Path) -> None:
    """The superblock is that of h5py but for addresses."""
    ours, theirs = hdf5.layout({}).head, written("earliest", lambda file: None)
    assert ours[:24] == theirs[:24]
    assert struct.unpack_from("<Q", ours, 40)[0] == len(ours)
