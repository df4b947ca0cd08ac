"""A file that two readers see differently stops every command that shows or converts it, wherever it stands."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.errors import CheckpointError, UnsafeFileError
from ckpttool.io import json_text, yaml_text
from ckpttool.manifest.files import read_manifest
from ckpttool.model.text_files import parsed
from tests.formats.hdf5.surgery import ATTRIBUTE, Message, Patient, addresses, text_attribute
from tests.formats.zip_surgery import Zip, part
from tests.samples import FIXTURES, members

PLAIN = members("keras3.0/mlp.keras")
GOOD = FIXTURES / "keras3.0/mlp.keras"


def hidden_config(path: Path) -> Path:
    """A legacy model with two configs: which one is loaded depends on the reader."""
    content = (FIXTURES / "keras3/mlp.h5").read_bytes()
    patient = Patient(bytearray(content))
    root = addresses(content)[""]
    more = Message(ATTRIBUTE, text_attribute("model_config", '{"class_name": "Sequential", "config": []}'))
    patient.rewrite(root, [*patient.messages(root), more])
    path.write_bytes(patient.data)
    return path


def repeated_key(path: Path) -> Path:
    """A model whose config repeats a key."""
    config = b'{"class_name": "Lambda", ' + PLAIN["config.json"][1:]
    path.write_bytes(Zip([part(name, content) for name, content in {**PLAIN, "config.json": config}.items()]).packed())
    return path


FILES: dict[str, Callable[[Path], Path]] = {"m.h5": hidden_config, "m.keras": repeated_key}
WORK: dict[str, Callable[[Path, Path], object]] = {
    "verify": lambda path, _: ckpttool.verify(path, GOOD),
    "verify against it": lambda path, _: ckpttool.verify(GOOD, path),
    "diff": lambda path, _: ckpttool.diff(path, GOOD),
    "diff to it": lambda path, _: ckpttool.diff(GOOD, path),
    "convert": lambda path, target: ckpttool.convert(path, target),
    "spec": lambda path, _: ckpttool.load_spec(path),
    "architecture": lambda path, _: ckpttool.load_architecture(path),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("work", WORK)
def test_work_is_refused(name: str, work: str, tmp_path: Path) -> None:
    """One error says which file, where in it, and what readers see; nothing is written."""
    path, target = FILES[name](tmp_path / name), tmp_path / "new.keras"
    with pytest.raises(UnsafeFileError, match="two readers see different things") as caught:
        WORK[work](path, target)
    assert caught.value.path == str(path)
    assert caught.value.where
    assert not target.exists()


@pytest.mark.parametrize("name", FILES)
def test_listed_and_flagged(name: str, tmp_path: Path) -> None:
    """The weights are listed, and the difference is told: by the listing as a refusal, by check as an error."""
    path = FILES[name](tmp_path / name)
    with ckpttool.open(path) as checkpoint:
        assert len(checkpoint) > 0
        assert "ambiguous" in {refusal.kind for refusal in checkpoint.refusals}
    report = ckpttool.check(path)
    assert "S302" in {finding.rule.code for file in report.files for finding in file.findings}


def test_keys_in_texts_of_json(tmp_path: Path) -> None:
    """A key that is repeated at any depth is an error where one value is handed on; two objects may have it."""
    for text in (b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "\\u0061": 2}}]'):
        with pytest.raises(UnsafeFileError, match="repeats a key"):
            json_text.parse_unambiguous(text, "the text")
        with pytest.raises(UnsafeFileError, match="repeats a key"):
            parsed(text)
    assert json_text.parse_unambiguous(b'[{"a": 1}, {"a": {"a": 2}}]', "the text") == [{"a": 1}, {"a": {"a": 2}}]
    entry = '{"version": 1, "checkpoints": [{"file": "a.keras", "file": "b.keras"}]}'
    (tmp_path / "checkpoints.json").write_text(entry)
    with pytest.raises(CheckpointError, match="repeats a key"):
        read_manifest(tmp_path)


def test_keys_in_yaml() -> None:
    """A key that is repeated in a mapping of YAML is an error, also where one is a number and one a text."""
    pytest.importorskip("yaml")
    for text in (b"a: 1\na: 2\n", b"b:\n- {a: 1, a: 1}\n", b"1: x\n'1': y\n"):
        with pytest.raises(UnsafeFileError, match="repeats a key"):
            yaml_text.parse(text, "the text")
    assert yaml_text.parse(b"a: {a: 1}\nb: {a: 1}\n", "the text") == {"a": {"a": 1}, "b": {"a": 1}}


def npy(header: str, array_bytes: bytes) -> bytes:
    """An array of NumPy with this header."""
    raw = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(raw)) + raw + array_bytes


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"


def test_arrays_of_npz(tmp_path: Path) -> None:
    """An array that is stored with and without .npy, and a header that repeats a key, are two arrays in one."""
    good = npy(HEADER, b"12345678")
    twice = npy(HEADER.replace("'shape'", "'descr': '<i4', 'shape'"), b"12345678")
    for arrays, kinds in (
        ({"a.npy": good}, set()),
        ({"a.npy": good, "a": npy(HEADER, b"abcdefgh")}, {"ambiguous"}),
        ({"a.npy": good, "b.npy": twice}, {"ambiguous"}),
    ):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            for name, content in arrays.items():
                archive.writestr(name, content)
        parts = {"metadata.json": PLAIN["metadata.json"], "config.json": PLAIN["config.json"]}
        whole = Zip([part(name, content) for name, content in {**parts, "model.weights.npz": inner.getvalue()}.items()])
        (tmp_path / "m.keras").write_bytes(whole.packed())
        with ckpttool.open(tmp_path / "m.keras") as checkpoint:
            assert {refusal.kind for refusal in checkpoint.refusals} == kinds


def test_directory_with_weights_twice(tmp_path: Path) -> None:
    """A directory that has its weights in both of Keras's formats says so, as an archive does."""
    for name, content in PLAIN.items():
        (tmp_path / name).write_bytes(content)
    with ckpttool.open(tmp_path) as checkpoint:
        assert checkpoint.refusals == ()
    np.savez(tmp_path / "model.weights.npz", a=np.ones(2))
    with ckpttool.open(tmp_path) as checkpoint:
        assert [refusal.kind for refusal in checkpoint.refusals] == ["ambiguous"]


def test_index_that_repeats_itself(tmp_path: Path) -> None:
    """An index of shards that names one shard twice for one group, or repeats a key, is ambiguous."""
    with h5py.File(tmp_path / "m_00000.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.ones(2, "f4")
    place = '"layers/dense/vars": '
    for entries, kinds in (
        (place + '"m_00000.weights.h5"', set()),
        (place + '["m_00000.weights.h5", "m_00000.weights.h5"]', {"ambiguous"}),
        (place + '"m_00000.weights.h5", ' + place + '"m_00000.weights.h5"', {"ambiguous"}),
    ):
        text = '{"metadata": {"total_size": 8}, "weight_map": {' + entries + "}}"
        assert json.loads(text)
        (tmp_path / "m.weights.json").write_text(text)
        with ckpttool.open(tmp_path / "m.weights.json") as checkpoint:
            assert {refusal.kind for refusal in checkpoint.refusals} == kinds
    (tmp_path / "m.weights.json").write_text(text.replace('"layers', '"/layers', 1))
    with pytest.raises(UnsafeFileError, match="lists a group twice"):
        ckpttool.open(tmp_path / "m.weights.json")
