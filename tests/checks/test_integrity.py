"""Rules of integrity: what is cut off, changed, missing or left over is found, wherever it is."""

import io
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.requirements import Requirements
from ckpttool.checks.runner import check_file
from ckpttool.manifest import Manifest, Saved, State, write_manifest
from ckpttool.manifest.files import sha256_of
from tests.checks.files import alarms, codes, findings, report_on
from tests.corpus import CORPUS, needs_corpus
from tests.samples import FIXTURES, keras_like, members, zipped

# What is told of damaged and foreign files; of those of None it is said that they could not be checked.
BROKEN = {
    "architecture.weights.json": "I104",
    "bad_crc.keras": "I101",
    "empty.h5": "I104",
    "encrypted.keras": None,
    "lfs_pointer.h5": "I104",
    "missing_shard/model.weights.json": "I101",
    "model.safetensors": None,
    "no_config.keras": "I106",
    "no_weights.keras": "I105",
    "page.h5": "I104",
    "pickle.h5": None,
    "plain.h5": "I104",
    "pytorch.keras": None,
    "text.h5": "I104",
    "truncated.keras": "I101",
    "truncated.weights.h5": "I101",
    "zip_named.h5": "I112",
}
# The files of the corpus that are damaged, no checkpoints, or named after another format.
CORPUS_FINDS = {
    "idealo__rdn-C3-D10-G64-G064-x2_PSNR_epoch134.hdf5": {"I104"},
    "kerasrepo__bugged_model.keras": {"I105"},
    "rlcode__cp-v0.keras": {"I112"},
    "rocalphago__value_training_features.hdf5": {"I104"},
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_fixtures(name: str) -> None:
    """Every damaged or foreign file is told for what it is, or said to be unchecked; none is clean."""
    report = report_on(str(FIXTURES / "broken" / name))
    codes_reported = {finding.rule.code for finding in report.findings if finding.rule.code.startswith("I")}
    assert codes_reported == ({BROKEN[name]} if BROKEN[name] else set())
    assert codes_reported or report.unchecked


def test_all_broken_fixtures_are_listed() -> None:
    """The table above leaves nothing out."""
    folder = FIXTURES / "broken"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        *BROKEN,
        "missing_shard/model_00000.weights.h5",
    }


@needs_corpus
def test_corpus() -> None:
    """Of the real checkpoints those that are damaged are found, and no other."""
    alarms_by_name = {}
    for path in sorted((CORPUS / "files").iterdir()):
        codes_reported = (
            alarms(report_on(str(path)), "I") if path.is_file() and path.suffix in (".h5", ".hdf5", ".keras") else ()
        )
        if codes_reported and "companion" not in path.name:
            alarms_by_name[path.name] = codes_reported
    assert alarms_by_name == CORPUS_FINDS


@pytest.mark.parametrize(
    "name", ["keras3/mlp.weights.h5", "keras3/mlp.keras", "keras2.15/cnn.h5", "keras0.3/mlp_weights.hdf5"]
)
def test_truncation_anywhere(name: str, tmp_path: Path) -> None:
    """A file that is cut off is never clean, wherever it was cut."""
    whole = (FIXTURES / name).read_bytes()
    path = tmp_path / Path(name).name
    for size in {*range(0, len(whole), len(whole) // 40), len(whole) - 1}:
        path.write_bytes(whole[:size])
        report = check_file(str(path), Policy(select=("I",)))
        assert {finding.rule.code for finding in report.findings} & {"I101", "I104"}, size


def test_a_changed_byte_of_an_archive(tmp_path: Path) -> None:
    """Any byte of any member that is not what the archive has a checksum of is found, assets included."""
    whole, path = (FIXTURES / "keras3/lookup.keras").read_bytes(), tmp_path / "m.keras"
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        for info in archive.infolist():
            name, extra = struct.unpack_from("<HH", whole, info.header_offset + 26)
            start = info.header_offset + 30 + name + extra
            for at in range(start, start + info.compress_size, max(1, info.compress_size // 12)):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
                assert codes(path, "I") & {"I101", "I104"}, (info.filename, at - start)


def test_a_large_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksum of a member that is not compared on opening is compared when it is checked."""
    monkeypatch.setattr("ckpttool.formats.keras_zip.CHECKED_AT_ONCE", 0)
    whole = (FIXTURES / "keras3/mlp.keras").read_bytes()
    with ckpttool.open(FIXTURES / "keras3/mlp.keras") as checkpoint:
        kernel = next(iter(checkpoint.values())).read().tobytes()
    path = tmp_path / "m.keras"
    path.write_bytes(whole.replace(kernel, kernel[:-1] + bytes([kernel[-1] ^ 1])))
    assert findings(path, "I") == [("I101", "")]


def weights_of(name: str) -> list[str]:
    """The paths of the weights of a model in a fixture."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        return [weight.path for weight in checkpoint.section(ckpttool.Section.MODEL)]


def without(path: Path, place: str, name: str) -> Path:
    """A copy of a fixture without the dataset at a place."""
    if name.endswith(".keras"):
        parts = members(name)
        inner = path.with_suffix(".tmp")
        inner.write_bytes(parts["model.weights.h5"])
        with h5py.File(inner, "r+") as file:
            del file[place]
        return zipped(path, {**parts, "model.weights.h5": inner.read_bytes()})
    shutil.copy(FIXTURES / name, path)
    with h5py.File(path, "r+") as file:
        del file[place]
    return path


@pytest.mark.parametrize(
    "name", ["keras3/nested.keras", "keras2.15/wrappers.keras", "keras2.2/recurrent.h5", "keras1.2/cnn_weights.h5"]
)
def test_any_weight_that_is_missing(name: str, tmp_path: Path) -> None:
    """Each weight that is taken out is missed: a slot without it, or a name that the file lists."""
    for place in weights_of(name):
        reported = codes(without(tmp_path / Path(name).name, place, name), "I")
        assert reported & {"I102", "I107"}, place


def test_all_weights_are_missing(tmp_path: Path) -> None:
    """A model without any of its weights is told once."""
    parts = members("keras3/mlp.keras")
    inner = tmp_path / "inner"
    with h5py.File(inner, "w") as file:
        file.create_group("layers/dense/vars")
    path = zipped(tmp_path / "m.keras", {**parts, "model.weights.h5": inner.read_bytes()})
    assert findings(path, "I") == [("I105", "")]


def added(path: Path, place: str, shape: tuple[int, ...]) -> Path:
    """A copy of the fixture keras3/mlp.h5 with one dataset more."""
    shutil.copy(FIXTURES / "keras3/mlp.h5", path)
    with h5py.File(path, "r+") as file:
        file[place] = np.ones(shape, "float32")
    return path


def test_what_is_left_over(tmp_path: Path) -> None:
    """An array that no layer lists, and a weight that no slot takes, are told where they are, once."""
    assert findings(added(tmp_path / "m.h5", "model_weights/stray", (3,)), "I") == [("I108", "model_weights/stray")]
    parts = members("keras3/mlp.keras")
    inner = tmp_path / "inner"
    inner.write_bytes(parts["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        file["layers/dense_7/vars/0"] = np.ones((2, 2), "float32")
    path = zipped(tmp_path / "m.keras", {**parts, "model.weights.h5": inner.read_bytes()})
    assert findings(path, "I") == [("I108", "layers/dense_7/vars/0")]


def test_too_many_weights(tmp_path: Path) -> None:
    """Arrays beside the weights of a layer, which Keras counts, are an error, once a layer."""
    parts = members("keras3/mlp.keras")
    inner = tmp_path / "inner"
    inner.write_bytes(parts["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        for number in "23":
            file[f"layers/dense/vars/{number}"] = np.ones((2, 2), "float32")
    path = zipped(tmp_path / "m.keras", {**parts, "model.weights.h5": inner.read_bytes()})
    (finding,) = check_file(str(path), Policy(select=("I",))).findings
    assert (finding.rule.code, finding.rule.severity.name) == ("I113", "ERROR")
    assert "2 (2, 2) float32, 3 (2, 2) float32" in finding.detail


def test_one_line_a_layer(tmp_path: Path) -> None:
    """All missing weights of a layer, and all left over in a group, are one finding each."""
    parts = members("keras3/mlp.keras")
    inner = tmp_path / "inner"
    inner.write_bytes(parts["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        file.move("layers/dense", "layers/dense_7")
    path = zipped(tmp_path / "m.keras", {**parts, "model.weights.h5": inner.read_bytes()})
    reported = check_file(str(path), Policy(select=("I",))).findings
    assert [finding.rule.code for finding in reported] == ["I107", "I108"]
    assert "kernel (4, 8), bias (8,)" in reported[0].detail


def test_another_shape(tmp_path: Path) -> None:
    """A weight of another shape than its slot's is a weight that is missing and one that is left over."""
    path = Path(shutil.copy(FIXTURES / "keras3/mlp.h5", tmp_path))
    place = weights_of("keras3/mlp.h5")[0]
    with h5py.File(path, "r+") as file:
        del file[place]
        file[place] = np.ones((9, 9), "float32")
    report = check_file(str(path))
    assert {finding.rule.code for finding in report.findings if finding.rule.code[0] == "I"} == {"I107", "I108"}
    assert any("stored there: (9, 9)" in finding.detail for finding in report.findings)


def test_classes_that_only_their_code_knows() -> None:
    """Weights of custom layers are not left over."""
    for name in ("keras3/odd.keras", "old_layers/keras2.15/own_class.h5", "old_layers/keras2.15/refused_block.h5"):
        assert not codes(FIXTURES / name, "I")


def test_configs(tmp_path: Path) -> None:
    """A config that makes no sense, one of an own class, one that is broken, none at all."""
    dense = b'{"class_name": "Dense", "config": {"name": "d", "units": -3}}'
    senseless = b'{"class_name": "Sequential", "config": {"name": "m", "layers": [' + dense + b"]}}"
    subclassed = b'{"class_name": "Mine", "module": "own", "registered_name": "Mine", "config": {"name": "m"}}'
    cases = {"I109": senseless, "I110": subclassed, "I101": b"{", "I106": None}
    for code, config in cases.items():
        reported = codes(keras_like(tmp_path / f"{code}.keras", config=config), "I")
        assert reported == {code}, code


def test_an_unknown_filter(tmp_path: Path) -> None:
    """Weights behind a filter that is not read are an error, and unchecked."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((64,))
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((64,))
        settings.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (4,))
        group = file.create_group("layers/dense/vars")
        dataset = h5py.h5d.create(group.id, b"0", h5py.h5t.IEEE_F32LE, space, settings)
        dataset.write(space, space, np.arange(64, dtype="float32"))
    assert not codes(path, "I")
    path.write_bytes(
        path.read_bytes().replace(
            b"\x01\x00\x08\x00\x01\x00\x01\x00deflate\0", b"\x77\x77\x08\x00\x01\x00\x01\x00deflate\0"
        )
    )
    report = check_file(str(path))
    assert [finding.where for finding in report.findings if finding.rule.code == "I103"] == ["layers/dense/vars/0"]
    assert report.unchecked


def recorded(directory: Path, **facts: object) -> Path:
    """A checkpoint in a directory whose manifest tells of it."""
    path = Path(shutil.copy(FIXTURES / "keras3/mlp.keras", directory / "m.keras"))
    status = os.stat(path)
    entry = Saved(
        file="m.keras", series="m.keras", state=State.COMPLETE, epoch=1, batch=None, step=1,
        sha256=sha256_of(path), size=status.st_size, mtime_ns=status.st_mtime_ns,
    )  # fmt: skip
    write_manifest(directory, Manifest((replace(entry, **facts),)), "test")  # type: ignore[arg-type]
    return path


def _flip(path: Path) -> None:
    """Changes a byte, and leaves the date as it was."""
    status, raw = os.stat(path), bytearray(path.read_bytes())
    raw[10] ^= 1  # the date of the first member, of which there is no checksum
    path.write_bytes(raw)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("state", [State.COMPLETE, State.WRITING, State.REPLACED])
def test_the_manifest_beside_it(state: State, tmp_path: Path) -> None:
    """A file that is not what was recorded is told, one byte of it and its date alike; a sound one is clean."""
    path = recorded(tmp_path, state=state)
    assert not codes(path, "I")
    _flip(path)
    assert findings(path, "I") == [("I111", "checkpoints.json")]


def test_a_manifest_of_others(tmp_path: Path) -> None:
    """A manifest that does not speak of the file says nothing; one that cannot be read leaves it unchecked."""
    path = recorded(tmp_path, file="other.keras")
    assert not codes(path, "I")
    (tmp_path / "checkpoints.json").write_text("[")
    report = check_file(str(path))
    assert report.unchecked or "I101" in {finding.rule.code for finding in report.findings}


def test_a_required_checksum(tmp_path: Path) -> None:
    """The checksum that is required has to be that of the file, which a directory has none of."""
    path = FIXTURES / "keras3/mlp.keras"

    def wanted(sha256: str) -> Policy:
        return replace(EVERYTHING, requirements=Requirements(sha256=sha256))

    assert not codes(path, "I", wanted(sha256_of(path).upper()))
    assert findings(path, "I", wanted("0" * 64)) == [("I111", "")]
    (why,) = check_file(str(FIXTURES / "keras3/mlp_dir"), wanted("0" * 64)).unchecked
    assert "only a single file has" in why


@pytest.mark.parametrize(
    ("name", "to", "code"),
    [
        ("keras3/mlp.keras", "m.h5", "I112"),
        ("keras3/mlp.keras", "m.keras", None),
        ("keras3/mlp.h5", "m.weights.h5", "I112"),
        ("keras3/mlp.h5", "m.hdf5", None),
        ("keras3/mlp.weights.h5", "m.h5", "I112"),
        ("keras3/mlp.weights.h5", "m.weights.h5", None),
    ],
)
def test_names(name: str, to: str, code: str | None, tmp_path: Path) -> None:
    """A name of another format than the content's is told."""
    path = Path(shutil.copy(FIXTURES / name, tmp_path / to))
    assert codes(path, "I") == ({code} if code else set())


def test_missing_weights_are_listed_in_brief(tmp_path: Path) -> None:
    """Of hundreds of weights that fit no slot the first are named and the rest counted."""
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        for number in range(300):
            file[f"layers/dense_{number + 7}/vars/0"] = np.ones((number + 1, 2), "float32")
    parts = members("keras3.0/mlp.keras")
    path = zipped(tmp_path / "m.keras", {**parts, "model.weights.h5": (tmp_path / "w.weights.h5").read_bytes()})
    reported = [
        finding for finding in check_file(str(path), Policy(select=("I",))).findings if finding.rule.code == "I108"
    ]
    assert len(reported) == 21
    assert reported[-1].detail == "and at 280 more places"


def test_data_of_another_program_are_not_to_be_fetched(tmp_path: Path, run: Callable[..., Any]) -> None:
    """The advice of `check` and the error of `convert` fit HDF5 of another program."""
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((4, 4))
    assert "leave architectures and data of other programs out of what is checked" in run("check", path).out
    refusals = run("convert", path, tmp_path / "new.keras")
    assert (refusals.code != 0, "is HDF5 of another program" in refusals.err, "--arch" in refusals.err) == (
        True,
        True,
        False,
    )
