"""Files that h5py writes are read as h5py reads them: paths, shapes, dtypes, attributes and every byte of the
values."""

import functools
import itertools
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5.tree import Tree, read_tree
from ckpttool.formats.hdf5.values import values_of
from ckpttool.io.sources import FileSource
from tests.formats.hdf5.small_files import ChunksRead
from tests.speeds import examples, is_slow, one_of_each

VERSIONS = [name for name in ("v108", "v110", "v112", "v114", "v200") if hasattr(h5py.h5f, f"LIBVER_{name.upper()}")]
BOUNDS = [("earliest", "latest"), *((name, name) for name in VERSIONS), ("latest", "latest")]
LIBVERS = [pytest.param(bounds, id=bounds[0]) for bounds in BOUNDS]

NUMBERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
DTYPES = {
    "bool": "?", "complex64": "<c8", "complex64 big": ">c8", "complex128": "<c16", "opaque2": "V2", "opaque1": "V1",
    "opaque3": "V3", "string7": "S7", "string1": "S1", "compound": [("a", "<i4"), ("longer name", ">f8"), ("s", "S3")],
    "nested compound": [("a", [("b", "<f4"), ("c", "?")]), ("d", "<i2", (2, 3))], "pair": [("r", "<f4"), ("q", "<f4")],
    "mixed complex": [("r", "<f4"), ("i", ">f4")], "array": ("<i4", (2, 3)),
    **{order + code: order + code for order in "<>" for code in NUMBERS},
}  # fmt: skip


def dtype_name(dtype: np.dtype) -> str:
    """The name that a stored dtype should get, told from what h5py makes of it."""
    text, vlen, enum = h5py.check_string_dtype(dtype), h5py.check_vlen_dtype(dtype), h5py.check_enum_dtype(dtype)
    if text is not None:
        return "string" if text.length is None else f"string({text.length})"
    if vlen is not None:
        return f"vlen({dtype_name(np.dtype(vlen))})"
    if h5py.check_ref_dtype(dtype) is not None:
        return "reference"
    if enum is not None:
        return f"enum({dtype.name})"
    if dtype.subdtype is not None:
        return f"array({dtype_name(dtype.subdtype[0])}, {dtype.subdtype[1]})"
    if dtype.names:
        return "compound(" + ", ".join(f"{name}: {dtype_name(dtype[name])}" for name in dtype.names) + ")"
    return f"opaque of {dtype.itemsize} bytes" if dtype.kind == "V" else dtype.name


def attribute_value(attributes: h5py.AttributeManager, name: str) -> Any:
    """An attribute as h5py reads it, in plain Python: texts and numbers, arrays as flat lists, anything else None."""
    value, dtype = attributes[name], attributes.get_id(name).dtype
    if isinstance(value, h5py.Empty) or not (dtype.kind in "iufbS" or h5py.check_string_dtype(dtype)):
        return None
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.ravel()]
    return plain(value)


def plain(item: Any) -> Any:
    """One value of an attribute in plain Python."""
    item = item.item() if isinstance(item, np.generic) else item
    return item.rstrip(b"\0").decode("utf-8", "surrogateescape") if isinstance(item, bytes) else item


def same(ours: Any, theirs: Any) -> bool:
    """Whether two attribute values are equal, NaN being itself."""
    return repr(ours) == repr(theirs)


def reader_of(path: Path) -> ChunkReader:
    """The reader of the chunks of a file: in a process of its own where there is time for one."""
    return ChunkReader(str(path)) if is_slow() else ChunksRead(str(path))


def assert_same(path: Path) -> Tree:
    """Reads a file both ways and compares everything."""
    source, reader = FileSource(path), reader_of(path)
    try:
        tree = read_tree(source)
        with h5py.File(path) as file:
            groups, datasets = {"": file["/"]}, {}
            kinds = {h5py.Group: groups, h5py.Dataset: datasets, h5py.Datatype: {}}
            file.visititems(lambda name, item: kinds[type(item)].update({name: item}))
            assert tree.refusals == []
            assert (set(tree.groups), set(tree.datasets)) == (set(groups), set(datasets))
            for name, item in datasets.items():
                assert_same_dataset(tree, name, item, reader)
            for name, item in {**groups, **datasets}.items():
                assert_same_attributes(tree, name, item)
        return tree
    finally:
        reader.close()
        source.close()


def assert_same_dataset(tree: Tree, name: str, theirs: h5py.Dataset, reader: ChunkReader) -> None:
    """Compares one dataset, values included where they are of fixed size."""
    ours = tree.datasets[name]
    assert ours.shape == theirs.shape
    assert ours.dtype.name == dtype_name(theirs.dtype)
    if theirs.dtype.hasobject or theirs.shape is None:
        return
    expected = theirs[()]
    expected = np.asarray(expected, theirs.dtype).tobytes() if np.ndim(expected) == 0 else expected.tobytes()
    values = values_of(tree.file, name, ours, reader)
    for limit in (1 << 20, 8, 3):
        pieces = [bytes(piece) for piece in values.pieces(limit)] if len(expected) < 10_000 or limit > 8 else [expected]
        assert b"".join(pieces) == expected
        assert all(len(piece) == limit for piece in pieces[:-1]) or pieces == [expected]


def assert_same_attributes(tree: Tree, name: str, item: Any) -> None:
    """Compares all attributes of a group or dataset."""
    owner = tree.groups.get(name) or tree.attributes[name]
    assert sorted(owner.names()) == sorted(item.attrs)
    for key in item.attrs:
        if h5py.check_enum_dtype(item.attrs.get_id(key).dtype):
            continue
        assert same(owner.get(key), attribute_value(item.attrs, key)), key


@functools.cache
def sample(dtype: str, count: int) -> bytes:
    """Bytes for `count` values of a dtype of `DTYPES`."""
    itemsize = np.dtype(DTYPES[dtype]).itemsize
    return bytes((n * 37 + 11) % 251 for n in range(count * itemsize))


def filled(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a dtype of `DTYPES` with bytes that tell every place from the next."""
    if dtype == "bool":
        return (np.arange(math.prod(shape)) % 3 == 0).reshape(shape)
    raw = bytearray(sample(dtype, math.prod(shape)))
    return np.ndarray(shape, np.dtype(DTYPES[dtype]), raw)


@pytest.mark.parametrize("libver", LIBVERS)
def test_dtypes(tmp_path: Path, libver: tuple[str, str]) -> None:
    """Every dtype that NumPy and h5py can store is named and read, scalar and not, in one piece and in chunks."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        for name in DTYPES:
            if name != "array":  # an array type spreads into dimensions unless it is part of another
                file[f"scalar/{name}"] = filled(name, ())
                file[f"matrix/{name}"] = filled(name, (3, 5))
                file.create_dataset(f"chunked/{name}", data=filled(name, (3, 5)), chunks=(2, 2), compression="gzip")
        array = file.create_dataset("array", (4,), dtype=np.dtype(DTYPES["array"]))
        array[:] = np.arange(24, dtype="<i4").reshape(4, 2, 3)
    assert_same(tmp_path / "a.h5")


@pytest.mark.parametrize("libver", LIBVERS)
def test_dtypes_of_variable_size(tmp_path: Path, libver: tuple[str, str]) -> None:
    """Strings, sequences, enumerations, references and committed types are named for what they are."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file["str"], file["strs"] = "text", ["a", "bé", ""]
        file.create_dataset("vlen", (2,), h5py.vlen_dtype("<i4"))[:] = [np.arange(3), np.arange(2)]
        file.create_dataset("enum", (3,), h5py.enum_dtype({"red": 0, "green": 1}, basetype="<i2"))
        file.create_dataset("refs", (2,), h5py.ref_dtype)[0] = file["str"].ref
        file.create_dataset("region", (1,), h5py.regionref_dtype)
        file["committed"] = np.dtype("<f4")
        file.create_dataset("typed", (3,), file["committed"])[:] = [1, 2, 3]
        file["typed"].attrs.create("unit", 2.5, dtype=file["committed"])
    assert_same(tmp_path / "a.h5")


@pytest.mark.parametrize("offsets", [([0, 8], 12), ([4, 0], 8), ([0, 4], 12)])
def test_no_complex(tmp_path: Path, offsets: tuple[list[int], int]) -> None:
    """A pair of floats named r and i that does not lie as a complex number does is not called one."""
    places, size = offsets
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros(3, {"names": ["r", "i"], "formats": ["<f4"] * 2, "offsets": places, "itemsize": size})
    assert read_tree(FileSource(tmp_path / "a.h5")).datasets["x"].dtype.name.startswith("compound")


@pytest.mark.parametrize("code", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("chunks", [None, (3,)])
def test_small_floats(tmp_path: Path, code: str, chunks: tuple[int] | None) -> None:
    """Floats that NumPy does not have are told by their bits, and their bytes come as stored."""
    size, sign, exponent, exponent_size, mantissa_size, bias = {
        "bfloat16": (2, 15, 7, 8, 7, 127), "float8_e4m3fn": (1, 7, 3, 4, 3, 7), "float8_e5m2": (1, 7, 2, 5, 2, 15),
    }[code]  # fmt: skip
    stored = h5py.h5t.IEEE_F16LE.copy()
    stored.set_fields(sign, exponent, exponent_size, 0, mantissa_size)
    stored.set_precision(8 * size)
    stored.set_size(size)
    stored.set_ebias(bias)
    raw = np.arange(10 * size, dtype=np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if chunks:
            creation.set_chunk(chunks)
        dataset = h5py.h5d.create(file.id, b"x", stored, h5py.h5s.create_simple((10,)), creation)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, raw, stored)
    tree = read_tree(FileSource(tmp_path / "a.h5"))
    reader = reader_of(tmp_path / "a.h5")
    assert tree.datasets["x"].dtype.name == code
    assert b"".join(map(bytes, values_of(tree.file, "x", tree.datasets["x"], reader).pieces(7))) == raw.tobytes()
    reader.close()


def link_kinds(case: tuple[tuple[str, str], bool, int]) -> tuple[object, ...]:
    """The ways in which a group keeps its links: those of newer bounds differ in their versions alone."""
    libver, track_order, count = case
    return (libver, track_order), (libver[0] == "earliest", track_order, count)


@pytest.mark.parametrize(
    ("libver", "track_order", "count"),
    one_of_each(itertools.product(BOUNDS, (False, True), (0, 1, 7, 9, 100, 5000)), link_kinds),
)
def test_links(tmp_path: Path, libver: tuple[str, str], track_order: bool, count: int) -> None:
    """A group is listed whole, however many links it has and however they are kept."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver, track_order=track_order) as file:
        group = file.create_group("g", track_order=track_order)
        leaf = file.create_group("leaf")
        for number in range(count):
            group[f"link_{number}_{'x' * (number % 50)}"] = leaf if number % 50 else np.float32(number)
    with h5py.File(tmp_path / "a.h5") as file:
        expected = {f"g/{name}" for name in file["g"]}
    tree = read_tree(FileSource(tmp_path / "a.h5"))
    seen = {*tree.groups, *tree.datasets, *(refusal.place for refusal in tree.refusals)}
    assert expected <= seen
    assert len(tree.datasets) == -(-count // 50)


@pytest.mark.parametrize("libver", LIBVERS)
def test_links_of_every_length(tmp_path: Path, libver: tuple[str, str]) -> None:
    """Names from one character to thousands fit the heap they are kept in, managed or on their own."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        for length in (1, 2, 5, 6, 7, 8, 255, 256, 1000, 4000):
            file.create_group("x" * length)
        for number in range(10):
            file.create_group(f"{number}-é-漢" * 20)
    assert_same(tmp_path / "a.h5")


@pytest.mark.parametrize("libver", LIBVERS)
def test_deep_nesting(tmp_path: Path, libver: tuple[str, str]) -> None:
    """Three hundred groups in each other are listed, and what stands in the last one."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file["/".join(["g"] * 300) + "/x"] = np.arange(3)
    tree = read_tree(FileSource(tmp_path / "a.h5"))
    assert list(tree.datasets) == ["/".join(["g"] * 300) + "/x"]
    assert len(tree.groups) == 301


ATTRIBUTES = {
    "str": "text", "empty": "", "long": "x" * 60_000, "accents": "é漢字\U0001f600", "bytes": b"bytes",
    "np": np.bytes_(b"abc"), "latin": np.bytes_("é".encode("latin-1")),
    "fixed": np.array([b"a", b"bcd", b""]), "objects": np.array(["a", "", "ü"], object),
    "int": 3, "negative": np.int8(-3), "u64": np.uint64(2**64 - 1), "big": np.array(258, ">i2"), "ints": np.arange(5),
    "float": 2.5, "nan": math.nan, "half": np.float16(0.5), "inf": np.float32(math.inf),
    "floats big": np.array([1.5, -2.5], ">f8"), "matrix": np.arange(6.0).reshape(2, 3), "complex": 1 + 2j,
    "bool": np.bool_(True), "bools": np.array([True, False]), "no floats": np.array([], np.float64),
    "null": h5py.Empty("f4"),
}  # fmt: skip


@pytest.mark.parametrize("libver", LIBVERS)
@pytest.mark.parametrize("track_order", [False, True])
def test_attributes(tmp_path: Path, libver: tuple[str, str], track_order: bool) -> None:
    """Attributes of every type come as h5py reads them, few in the header and many outside of it."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        few = file.create_dataset("few", data=1.0, track_order=track_order)
        many = file.create_group("many", track_order=track_order)
        for number, (name, value) in enumerate(ATTRIBUTES.items()):
            if name != "long" or libver[0] != "earliest":
                many.attrs[name] = value
            if number % 5 == 0:
                few.attrs[name] = value
        for number in range(300):
            many.attrs[f"number {number}"] = number
    assert_same(tmp_path / "a.h5")


@pytest.mark.parametrize("libver", LIBVERS)
@pytest.mark.parametrize("size", [1, 3000, 5000, 70_000, 3_000_000])
def test_long_texts(tmp_path: Path, libver: tuple[str, str], size: int) -> None:
    """A config of any length is read, as text of variable length and, where the file can hold it, of fixed length."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file.attrs["model_config"] = "{" * size
        if size < 60_000 or libver[0] != "earliest":
            file.attrs["fixed"] = np.bytes_(b"f" * size)
            for number in range(20):
                file.attrs[f"more {number}"] = np.bytes_(b"%d" % number * (size % 10_000))
    assert_same(tmp_path / "a.h5")


@pytest.mark.parametrize("userblock", [0, 512, 2048, 16384])
@pytest.mark.parametrize("libver", LIBVERS)
def test_userblock(tmp_path: Path, userblock: int, libver: tuple[str, str]) -> None:
    """Addresses count from the end of a user block; a user block with content is told."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver, userblock_size=userblock) as file:
        file["g/x"] = np.arange(1000.0)
        file.create_dataset("g/y", data=np.arange(1000.0), chunks=(100,), compression="gzip")
        file["g"].attrs["name"] = "a text"
    assert_same(path)
    if userblock:
        with path.open("r+b") as raw:
            raw.write(b"#!/bin/sh")
        assert [refusal.kind for refusal in read_tree(FileSource(path)).refusals] == ["foreign"]


STORAGES: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunked": {"chunks": True},
    "gzip": {"compression": "gzip"},
    "gzip shuffle": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
    "lzf": {"compression": "lzf"},
    "fletcher32": {"fletcher32": True},
    "all": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "scale-offset": {"scaleoffset": 0},
    "resizable": {"maxshape": True},
}


@pytest.mark.parametrize("libver", LIBVERS)
@pytest.mark.parametrize("storage", STORAGES)
def test_storage(tmp_path: Path, libver: tuple[str, str], storage: str) -> None:
    """Values come the same however they are stored: whole, partly and never written, also resized."""
    options = dict(STORAGES[storage])
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        for shape in ((1,), (7,), (100, 30), (3, 4, 5, 6), (2, 0, 3)):
            name = "x".join(map(str, shape))
            if "maxshape" in options:
                options["maxshape"] = tuple(None for _ in shape)
            create = functools.partial(file.create_dataset, shape=shape, dtype="<i4", **options)
            create(f"whole/{name}")[...] = np.arange(math.prod(shape)).reshape(shape)
            create(f"part/{name}", fillvalue=-5)[:1] = 7
            create(f"never/{name}")
            create(f"fill/{name}", fillvalue=77)
        if "maxshape" in options:
            file["whole/7"].resize((1000,))
            file["whole/100x30"].resize((50, 10))
    assert_same(tmp_path / "a.h5")


@pytest.mark.parametrize("libver", LIBVERS)
def test_compact_and_allocated(tmp_path: Path, libver: tuple[str, str]) -> None:
    """Values in the object header are read, and those whose room was set aside before anything was written."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((1000,))
        h5py.Dataset(h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F32BE, space, compact))[...] = np.arange(1000)
        h5py.h5d.create(file.id, b"early", h5py.h5t.IEEE_F32BE, space, early)
        h5py.h5d.create(file.id, b"scalar", h5py.h5t.IEEE_F32BE, h5py.h5s.create(h5py.h5s.SCALAR), compact)
    tree = assert_same(tmp_path / "a.h5")
    assert tree.datasets["compact"].layout.kind == "compact"


@pytest.mark.parametrize("libver", LIBVERS)
def test_shapes(tmp_path: Path, libver: tuple[str, str]) -> None:
    """Scalars, null dataspaces, empty arrays and ten dimensions keep their shape."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file["null"] = h5py.Empty("<f4")
        file["scalar"] = np.float32(4)
        for rank in range(1, 11):
            file[f"rank{rank}"] = np.arange(2**rank, dtype="<i2").reshape((2,) * rank)
        file["empty"], file["empty matrix"] = np.zeros(0, "<f4"), np.zeros((3, 0), "<f8")
        file.create_dataset("tall", (5, 2**40, 0), "<f4")
    tree = assert_same(tmp_path / "a.h5")
    assert tree.datasets["null"].shape is None


def test_modified_file(tmp_path: Path) -> None:
    """A file that was written to again and again, with deletions and holes, is read as it stands."""
    path = tmp_path / "a.h5"
    for turn in range(8):
        with h5py.File(path, "a", libver=("earliest", "latest")) as file:
            for number in range(40):
                file[f"turn{turn}/{number}"] = np.arange(number)
                file[f"turn{turn}/{number}"].attrs["turn"] = "t" * (turn + number)
            for number in range(0, 40, 2 + turn % 3):
                del file[f"turn{turn}/{number}"]
            for name in list(file)[::2]:
                file[name].attrs[f"late {turn}"] = np.arange(30)
                file.move(name, f"moved {turn} {name}")
    assert_same(path)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.binary(min_size=1, max_size=20).map(lambda raw: np.bytes_(raw.replace(b"\0", b"0"))),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.lists(st.floats(width=32), max_size=6).map(lambda items: np.array(items, "<f4")),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), min_size=1, max_size=4).map(
        lambda items: np.array(items, object)
    ),
)
DATASETS = st.tuples(
    st.sampled_from(sorted(set(DTYPES) - {"array"})),
    st.lists(st.integers(0, 4), max_size=4).map(tuple),
    st.sampled_from(["contiguous", "chunked", "gzip", "fletcher32"]),
)
ITEMS = st.dictionaries(NAMES, st.one_of(DATASETS, st.none()), max_size=12)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    libver=st.sampled_from(BOUNDS),
    track_order=st.booleans(),
    groups=st.dictionaries(NAMES, st.tuples(ITEMS, st.dictionaries(NAMES, VALUES, max_size=12)), max_size=4),
)
def test_any_file(tmp_path: Path, libver: tuple[str, str], track_order: bool, groups: dict[str, Any]) -> None:
    """Files of random groups, datasets, storages and attributes are read as h5py reads them."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver, track_order=track_order) as file:
        for group_name, (items, attributes) in groups.items():
            group = file.create_group(group_name, track_order=track_order)
            for name, item in items.items():
                if item is None:
                    group.create_group(name)
                    continue
                dtype, shape, storage = item
                options = STORAGES[storage] if shape and 0 not in shape else {}
                owner = group.create_dataset(name, data=filled(dtype, shape), **options)
                for key, value in list(attributes.items())[:3]:
                    owner.attrs[key] = value
            for key, value in attributes.items():
                group.attrs[key] = value
    assert_same(path)
