"""The rules about what a file is: what its readers refused, what else is in it, how its parts are called."""

import json
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.checkpoint import Refusal
from ckpttool.checks.rule import Finding
from ckpttool.checks.runner import check_file
from ckpttool.checks.safety import members, names, refusals, sizes
from tests.checks.safe import codes, findings
from tests.samples import FIXTURES, zipped
from tests.samples import members as members_of

PLAIN = members_of("keras3.0/mlp.keras")

# Kinds of refusals that the rules of integrity tell.
OF_INTEGRITY = {"corrupt", "missing", "pointer", "unfinished", "unsupported", "nonstandard", "extra"}


def weights(path: Path, fill: Callable[[h5py.File], Any]) -> Path:
    """A `.weights.h5` with one layer and what `fill` adds."""
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((2, 3), "float32")
        fill(file)
    return path


def external_storage(file: h5py.File) -> None:
    """A weight whose bytes are in another file."""
    file.create_dataset("layers/other/vars/0", (4,), "float32", external=[("/etc/hostname", 0, 16)])


def virtual(file: h5py.File) -> None:
    """A weight gathered from another file."""
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (4,))
    file.create_virtual_dataset("layers/other/vars/0", layout)


def texts(file: h5py.File) -> None:
    """A dataset of one text of 1 MiB, and one of many short texts."""
    kind = h5py.string_dtype()
    file.create_dataset("layers/other/vars/0", data=["x" * (1 << 20)], dtype=kind)
    file.create_dataset("layers/other/vars/1", data=["y"] * 2000, dtype=kind)


HDF5 = {
    "an external link": ("S201", lambda file: file.update({"layers/other": h5py.ExternalLink("/etc/passwd", "/x")})),
    "external storage": ("S201", external_storage),
    "a virtual dataset": ("S202", virtual),
    "a soft link": ("S203", lambda file: file.update({"layers/other": h5py.SoftLink("/layers/dense")})),
    "a group within itself": ("S403", lambda file: file["layers"].update({"again": file["layers"]})),
    "a bomb": ("S401", lambda file: file.create_dataset("layers/x/vars/0", (10**6, 10**6), "f4", chunks=(10, 10))),
    "an odd name": ("S501", lambda file: file.update({"layers/\x1b[2J/vars/0": [1.0]})),
    "a long name": ("S501", lambda file: file.update({f"layers/{'n' * 20_000}/vars/0": [1.0]})),
    "markup": ("S502", lambda file: file.update({"layers/<img src=x onerror=y()>/vars/0": [1.0]})),
    "a lookalike": ("S503", lambda file: file.update({"layers/d\u0435nse/vars/0": [1.0]})),
    "a name that climbs": ("S504", lambda file: file["layers/dense/vars"].attrs.update({"name": "../../x"})),
}


@pytest.mark.parametrize("name", HDF5)
def test_hdf5(name: str, tmp_path: Path) -> None:
    """A danger in an HDF5 file is reported, alone and inside an archive, by one rule."""
    code, fill = HDF5[name]
    path = weights(tmp_path / "m.weights.h5", fill)
    assert codes(path) == {code}
    archive = zipped(tmp_path / "m.keras", {**PLAIN, "model.weights.h5": path.read_bytes()})
    assert codes(archive) == {code}


def test_names_in_old_files(tmp_path: Path) -> None:
    """Layers that are listed without weights, what wrote the file, and the names of Keras 0 are names too."""
    path = tmp_path / "m.h5"
    odd = "a\x1b[2J"
    for attribute, value in (
        ("layer_names", [odd.encode()]),
        ("keras_version", odd),
        ("backend", odd),
        ("model_config", json.dumps({"name": "Sequential", "layers": [{"name": "Dense", "custom_name": odd}]})),
        ("model_config", json.dumps({"class_name": "Sequential", "config": [{"config": {"name": odd}}]})),
    ):
        with h5py.File(path, "w") as file:
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = [b"dense"]
            group["dense/x:0"] = [1.0]
            group["dense"].attrs["weight_names"] = [b"x:0"]
            (group if attribute == "layer_names" else file).attrs[attribute] = value
        assert codes(path) == {"S501"}, attribute


def test_a_file_of_nothing_but_a_link(tmp_path: Path) -> None:
    """A refusal is reported where no weight is left, too."""
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "/x")
    assert codes(tmp_path / "m.weights.h5") == {"S201"}


def test_plain_hdf5(tmp_path: Path) -> None:
    """The same file without an addition is clean; so are tied weights and compressed ones."""
    assert codes(weights(tmp_path / "m.weights.h5", lambda file: None)) == set()

    def tied(file: h5py.File) -> None:
        file["layers/other/vars/0"] = file["layers/dense/vars/0"]
        file.create_dataset("layers/zeros/vars/0", data=np.zeros(1 << 20, "f4"), compression="gzip")

    assert codes(weights(tmp_path / "n.weights.h5", tied)) == set()


def test_texts_that_share_their_bytes(tmp_path: Path) -> None:
    """Many texts that are one text are a bomb; as many texts of their own are none."""
    path = weights(tmp_path / "m.weights.h5", texts)
    assert codes(path) == set()
    raw = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        single, many = (file[f"layers/other/vars/{number}"].id.get_offset() for number in (0, 1))
    raw[many : many + 16 * 2000] = raw[single : single + 16] * 2000
    path.write_bytes(raw)
    assert codes(path) == {"S401"}


def test_every_kind_of_refusal_has_a_rule() -> None:
    """Every kind of refusal is reported by a rule of safety or by one of integrity."""
    kinds = set(re.findall(r"[a-z]+", (Refusal.__doc__ or "").partition("is one of ")[2]))
    assert set(refusals._BY_KIND) | OF_INTEGRITY == kinds
    assert not set(refusals._BY_KIND) & OF_INTEGRITY


ARCHIVES = {
    "up": ("../x.txt", b"x", "S301"),
    "up from within": ("assets/../../x.txt", b"x", "S301"),
    "absolute": ("/tmp/x.txt", b"x", "S301"),
    "of Windows": ("..\\x.txt", b"x", "S301"),
    "a drive": ("C:/x.txt", b"x", "S301"),
    "a device": ("assets/NUL", b"x", "S301"),
    "a case twin": ("Config.json", b"{}", "S302"),
    "a script by name": ("custom.py", b"x = 1", "S303"),
    "a library by name": ("assets/x.so", b"x", "S303"),
    "a pickle by name": ("assets/x.pkl", b"x", "S303"),
    "a script by content": ("assets/x.txt", b"#!/bin/sh\necho", "S303"),
    "a library by content": ("assets/x.txt", b"\x7fELF\2\1\1", "S303"),
    "a program by content": ("assets/words", b"MZ\x90\0\3\0\0\0", "S303"),
    "a library of macOS by content": ("assets/x.bin", b"\xcf\xfa\xed\xfe\7\0", "S303"),
    "a pickle by content": ("assets/vocabulary.txt", b"\x80\x04\x95\x10\0\0\0\0\0\0\0.", "S303"),
    "a zip": ("assets/x", b"PK\3\4\x14\0", "S304"),
    "a gzip": ("assets/x", b"\x1f\x8b\x08\0", "S304"),
    "a tar": ("assets/x", b"\0" * 257 + b"ustar\0", "S304"),
    "an odd name": ("assets/\u202etxt.exe.x", b"x", "S501"),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives(name: str, method: int, tmp_path: Path) -> None:
    """A member that does not belong in a checkpoint is reported by one rule, stored or deflated."""
    member, data, code = ARCHIVES[name]
    path = zipped(tmp_path / "m.keras", {**PLAIN, member: data}, method)
    assert codes(path) == {code}


@pytest.mark.parametrize(
    ("name", "oddity"),
    [
        ("a\x1b[31m", "the control character U+001B"),
        ("\u202etxt", "the invisible character U+202E"),
        ("\u00e9 /x", "blanks at the ends of a part"),
    ],
)
def test_what_is_odd_about_a_name(name: str, oddity: str, tmp_path: Path) -> None:
    """Is said, since the name alone may not show it."""
    path = zipped(tmp_path / "m.keras", {**PLAIN, f"assets/{name}": b"x"}, zipfile.ZIP_STORED)
    (finding,) = [finding for finding in check_file(str(path)).findings if finding.rule.code == "S501"]
    assert finding.detail.endswith(f", with {oddity}")


@pytest.mark.parametrize("name", [name for name, (_, _, code) in ARCHIVES.items() if code in ("S303", "S304")])
def test_directories(name: str, tmp_path: Path) -> None:
    """The same files in a directory are found."""
    member, data, code = ARCHIVES[name]
    for at, content in {**PLAIN, member: data}.items():
        (tmp_path / at).parent.mkdir(exist_ok=True)
        (tmp_path / at).write_bytes(content)
    assert codes(tmp_path) == {code}
    (tmp_path / "assets").mkdir(exist_ok=True)
    (tmp_path / "assets/link").symlink_to("/etc/passwd")
    assert codes(tmp_path) == {code, "S301"}


def test_a_program_is_reported_once(tmp_path: Path) -> None:
    """A program that both its name and its content show is one finding, in archives and in directories."""
    parts = {**PLAIN, "assets/x.pkl": b"\x80\x04\x95\x10\0\0\0\0\0\0\0."}
    assert len(findings(zipped(tmp_path / "m.keras", parts))) == 1
    folder = tmp_path / "folder"
    for name, data in parts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    assert len(findings(folder)) == 1


def test_members_that_are_fine(tmp_path: Path) -> None:
    """Words, notes and folders among the assets are fine, whatever they begin with."""
    more = {"assets/": b"", "README.md": b"# x", "assets/layers/a/vocabulary.txt": b"MZ\nPK\n[UNK]\n", "assets/e": b""}
    assert codes(zipped(tmp_path / "m.keras", {**PLAIN, **more})) == set()


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFCHR, stat.S_IFSOCK])
@pytest.mark.parametrize("name", ["assets/x", "model.weights.h5"])
def test_members_that_are_no_files(mode: int, name: str, tmp_path: Path) -> None:
    """Links and devices are found, also where the weights should be."""
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for member, data in {**PLAIN, name: b"/etc/passwd"}.items():
            info = zipfile.ZipInfo(member)
            info.external_attr = (mode | 0o644) << 16 if member == name else 0
            archive.writestr(info, data)
    assert codes(tmp_path / "m.keras") == {"S301"}


def test_a_member_twice(tmp_path: Path) -> None:
    """Two members of one name are two readings."""
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, data in PLAIN.items():
            archive.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("config.json", PLAIN["config.json"])
    assert codes(tmp_path / "m.keras") == {"S302"}


def test_a_member_that_inflates_out_of_proportion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asset of zeros is a bomb from some size on, and none below it."""
    path = zipped(tmp_path / "m.keras", {**PLAIN, "assets/x": bytes(4 << 20)}, zipfile.ZIP_DEFLATED)
    assert codes(path) == set()
    monkeypatch.setattr(members, "MAX_INFLATED", 2 << 20)
    assert codes(path) == {"S401"}


@pytest.mark.parametrize(
    "head", [b"\x7fELF", b"MZ\x90\0\3\0", b"%PDF-1.7", b"<!DOCTYPE html>", b"<HTML>", b"\xcf\xfa\xed\xfe"]
)
@pytest.mark.parametrize("name", ["keras3/mlp.h5", "keras3.0/mlp.keras"])
def test_polyglots(head: bytes, name: str, tmp_path: Path) -> None:
    """A checkpoint that begins as something else does is told; the bytes before it are an information."""
    path = tmp_path / Path(name).name
    path.write_bytes(head.ljust(512) + (FIXTURES / name).read_bytes())
    assert codes(path) == {"S305", "S306"}
    path.write_bytes(b"\0" * 512 + (FIXTURES / name).read_bytes())
    assert codes(path) == set()


def test_two_formats_in_one_file(tmp_path: Path) -> None:
    """HDF5 with an archive behind it is two readings."""
    path = tmp_path / "m.h5"
    path.write_bytes((FIXTURES / "keras3/mlp.h5").read_bytes() + (FIXTURES / "keras3.0/mlp.keras").read_bytes())
    assert {finding.rule.code for finding in findings(path)} == {"S302", "S305"}


@pytest.mark.parametrize("shard", ["../x.h5", "/etc/passwd", "C:\\x.h5", "http://a/x.h5", "", "..", "a\0.h5"])
def test_shards_outside(shard: str, tmp_path: Path) -> None:
    """An index that names a shard elsewhere is found, though it is not opened."""
    index = tmp_path / "m.weights.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": {"layers/dense/vars": shard}}))
    assert codes(index) == {"S201"}


def test_shards_that_are_links(tmp_path: Path) -> None:
    """A shard that is a symbolic link is found."""
    for file in (FIXTURES / "keras3/sharded").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    index = next(tmp_path.glob("*.weights.json"))
    assert codes(index) == set()
    shard = next(tmp_path.glob("*_00001.weights.h5"))
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    assert codes(index) == {"S201"}


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "a.weights.h5"])
@pytest.mark.parametrize("data", [b"\x80\x04\x95\0\0\0\0\0\0\0\0.", b"cposix\nsystem\n(S'x'\ntR."])
def test_bare_pickles(data: bytes, name: str, tmp_path: Path) -> None:
    """A pickle under the name of a checkpoint is found, whatever its protocol."""
    (tmp_path / name).write_bytes(data)
    assert codes(tmp_path / name) == {"S109"}


def test_pickled_arrays(tmp_path: Path) -> None:
    """Object arrays among the weights are pickles, next to plain arrays too."""
    for arrays in ({"a": np.array([{}], dtype=object)}, {"a": np.array([{}], dtype=object), "b": np.ones(3)}):
        np.savez(tmp_path / "w.npz", allow_pickle=True, **arrays)
        parts = {"config.json": PLAIN["config.json"], "metadata.json": PLAIN["metadata.json"]}
        path = zipped(tmp_path / "m.keras", {**parts, "model.weights.npz": (tmp_path / "w.npz").read_bytes()})
        assert codes(path) == {"S109"}


def test_overlapping_members(tmp_path: Path) -> None:
    """Members that share their bytes are a bomb."""
    path = zipped(tmp_path / "m.keras", {**PLAIN, "assets/a": b"x" * 64, "assets/b": b"x" * 64})
    raw = bytearray(path.read_bytes())
    first = raw.index(b"assets/a") - 30
    entry = raw.rindex(b"assets/b") - 46
    assert raw[entry : entry + 4] == b"PK\1\2"
    raw[entry + 42 : entry + 46] = struct.pack("<I", first)
    path.write_bytes(raw)
    assert "S401" in codes(path)


def named(name: str) -> set[str]:
    """The rules of names that a name breaks."""
    return {finding.rule.code for finding in judged(name)}


def judged(name: str) -> list[Finding]:
    """The findings of the rules of names in one name."""
    return list(names._findings_in_name("x", name))


HARMLESS = [
    *(
        "dense",
        "dense_1/kernel:0",
        "block1_conv1",
        "tf.__operators__.add",
        "conv2d/BiasAdd",
        "a b",
        "x-y",
        "(x)",
        "a|b",
    ),
    *("caf\u00e9", "cafe\u0301", "\u043f\u043b\u043e\u0442\u043d\u044b\u0439", "\u5c64_1", "\u03b1_dense", "\u0394t"),
    *("<lambda>", "lambda", "exec", "{}", "-1", "00", 'a"b', "a'b", "a\\u0000b", "50%", "a>b", "a<b", "x[0]", "a..b"),
    *("docs: call get_file, never os.system", "n" * 5000, "caf\udce9", "..."),
]
HARMFUL = {
    "S501": [
        "a\x1b[2J",
        "a\nb",
        "a\rb",
        "a\tb",
        "\u202edense",
        "dense\u200b",
        "dense ",
        " dense",
        "a\u00a0",
        "\ufeffa",
    ],
    "S502": [
        *("[red]x", "[bold red]", "[/oops]", "[link=file:x]y", "<script>", "<img src=x>", "=cmd|' |calc'!A0"),
        *("@SUM(1)", "`touch x`", "$(touch x)", "${HOME}", "::error::x", "##vso[task.setvariable]x", "{x.y}", "[[x]]"),
    ],
    "S503": ["d\u0435nse", "\u0501ense", "\uff44\uff45\uff4e\uff53\uff45", "\u03bfptimizer", "\U0001d41dense"],
    "S504": ["..", "../x", "a/../../b", "a\\..\\b", "a/.."],
}


def test_names() -> None:
    """Names of layers as people give them are fine; those that act, hide or climb are found, each by its rule."""
    assert {name: named(name) for name in HARMLESS if named(name)} == {}
    for code, some in HARMFUL.items():
        assert {name: named(name) for name in some if named(name) != {code}} == {}


@given(st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Co"]), min_size=1, max_size=3), st.text(max_size=5))
def test_no_invisible_character_goes_unseen(odd: str, rest: str) -> None:
    """A name with a control, format or private character is odd, wherever it stands."""
    assert "S501" in named(rest + odd + rest)
    assert all(unicodedata.category(char)[0] in "CZ" for char in odd)


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,30}(/[a-z0-9_]{1,9}){0,3}(:0)?", fullmatch=True))
def test_identifiers_are_fine(name: str) -> None:
    """No name that Keras makes is odd."""
    assert judged(name) == []


def stacked(file: h5py.File) -> None:
    """A gigabyte in a few bytes: a chunk of zeros is packed by deflate twice."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((1 << 24,))
    creation.set_deflate(9)
    creation.set_deflate(9)
    space = h5py.h5s.create_simple((1 << 28,))
    data = h5py.h5d.create(file.id, b"layers/x", h5py.h5t.IEEE_F32LE, space, creation)
    packed = zlib.compress(zlib.compress(bytes(4 << 24), 9), 9)
    for number in range(16):
        data.write_direct_chunk((number << 24,), packed)


def crowd(file: h5py.File, group: str, count: int) -> None:
    """Many weights in one group."""
    for number in range(count):
        file.create_dataset(f"{group}/{number}", (), "u1")


BOMBS: dict[str, tuple[bool, Callable[[h5py.File], Any]]] = {
    "two filters, one on top of the other": (True, stacked),
    "more weights than a layer has": (True, lambda file: crowd(file, "layers/x/vars", 1_001)),
    "many weights": (False, lambda file: crowd(file, "layers/x/vars", 1_000)),
    "many weights of an optimizer": (False, lambda file: crowd(file, "optimizer/vars", 1_001)),
    "zeros": (False, lambda file: file.create_dataset("layers/x/vars/0", data=np.zeros(1 << 25), compression="gzip")),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content out of proportion is reported; content that is merely large or well packed is not."""
    assert sizes.MAX_CROWD == 10_000
    monkeypatch.setattr(sizes, "MAX_CROWD", 1_000)  # h5py takes long to write ten times as many
    is_bomb, fill = BOMBS[name]
    assert codes(weights(tmp_path / "m.weights.h5", fill)) == ({"S401"} if is_bomb else set())


def test_layers_without_end(tmp_path: Path) -> None:
    """A list of layers that no model has is a bomb; that they are missing is told in few words."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["layer_names0"] = np.array([b"%04d" % n for n in range(5_001)])
        file.attrs["layer_names1"] = np.array([b"%05d" % n for n in range(5_000)])
    report = check_file(str(tmp_path / "m.h5"))
    assert {"S401", "I102"} <= {finding.rule.code for finding in report.findings}
    assert len(report.findings) < 30
    (missing,) = [finding for finding in report.findings if finding.rule.code == "I102"]
    assert "not stored" in missing.detail
    assert len(missing.where) < 300


@pytest.mark.parametrize("size", [1 << 18, 4 << 20])
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_are_not_read(method: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They make a bomb where the member declares much, and many times what is stored."""
    monkeypatch.setattr("ckpttool.formats.archive.MAX_UNREAD", 1 << 20)  # compressing more takes long
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in PLAIN.items():
            archive.writestr(name, data + b" " * size * (name == "config.json"), method * (name == "config.json"))
    assert codes(path) == ({"S401"} if size > 1 << 20 else set())


def test_a_member_that_holds_more_than_it_says(tmp_path: Path) -> None:
    """A member that is larger than its header says is damage, which may be intended."""
    path = zipped(tmp_path / "m.keras", {**PLAIN, "config.json": b" " * 5_000}, zipfile.ZIP_DEFLATED)
    raw, size = path.read_bytes(), struct.pack("<I", 5_000)
    assert raw.count(size) == 2
    path.write_bytes(raw.replace(size, struct.pack("<I", 100)))
    assert {finding.rule.code for finding in check_file(str(path)).findings} >= {"S401", "I101"}


def test_links_out_of_a_directory(tmp_path: Path) -> None:
    """Among the assets of a directory, a link to a file and one to a directory are errors, wherever they lead."""
    folder = tmp_path / "model"
    (folder / "assets").mkdir(parents=True)
    for name, data in members_of("keras3/mlp.keras").items():
        (folder / name).write_bytes(data)
    assert codes(folder) == set()
    (folder / "assets" / "words.txt").symlink_to("/etc/passwd")
    (folder / "assets" / "more").symlink_to("/etc")
    reported = findings(folder)
    assert {(finding.rule.code, finding.where) for finding in reported} == {
        ("S301", "assets/words.txt"),
        ("S301", "assets/more"),
    }
