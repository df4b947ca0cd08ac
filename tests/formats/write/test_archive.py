"""`.keras` archives and directories: their zip, their assets, and that equal models make equal files."""

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

import ckpttool
from ckpttool.errors import UnsafeFileError
from ckpttool.formats.write import archive
from ckpttool.formats.write.path_layout import Content
from tests.formats.write.sample_weights import weight

VALUES = np.arange(400_000, dtype="f4").reshape(1000, 400)
CONTENT = Content({"layers/dense/vars/0": weight(VALUES), "layers/dense/vars/1": weight(7)}, {"layers/dense": "dichte"})
CONFIG = {"class_name": "Sequential", "config": {"name": "é", "layers": []}, "rate": float("nan")}
MODEL = archive.Model(CONFIG, {"keras_version": "3.15.1"}, CONTENT, {"layers/words/a.txt": b"one", "b": b""})


@pytest.mark.parametrize("limit", [zipfile.ZIP64_LIMIT, 1000])
def test_the_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Members are whole and have their CRC, also where their sizes need the wide fields of large archives."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
    archive.write_archive(tmp_path / "a.keras", MODEL)
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "a.keras") as opened:
        assert sizes_at(tmp_path / "a.keras", opened.getinfo("model.weights.h5")) == (limit == 1000)
        assert opened.testzip() is None
        assert opened.namelist() == [
            "metadata.json", "config.json", "model.weights.h5", "assets/layers/words/a.txt", "assets/b",
        ]  # fmt: skip
        assert opened.read("config.json") == json.dumps(CONFIG).encode()
        assert opened.read("assets/layers/words/a.txt") == b"one"
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}
    with ckpttool.open(tmp_path / "a.keras") as checkpoint:
        np.testing.assert_array_equal(checkpoint["layers/dense/vars/0"].read(), VALUES)
        assert checkpoint["layers/dense/vars/1"].layer == "dichte"


def sizes_at(path: Path, info: zipfile.ZipInfo) -> bool:
    """Whether a member's own header has its sizes in wide fields; they are right wherever they are."""
    head = path.read_bytes()[info.header_offset :][: 30 + len(info.filename) + 20]
    crc, packed, size, _, extra = struct.unpack_from("<IIIHH", head, 14)
    assert crc == info.CRC
    if extra:
        assert (packed, size) == (0xFFFFFFFF, 0xFFFFFFFF)
        assert struct.unpack_from("<HHQQ", head, 30 + len(info.filename)) == (1, 16, info.file_size, info.file_size)
        return True
    assert (packed, size) == (info.file_size, info.file_size)
    return False


def test_equal_models_make_equal_files(tmp_path: Path) -> None:
    """Nothing of the time or the machine gets into a file."""
    for name in ("a.keras", "b.keras"):
        archive.write_archive(tmp_path / name, MODEL)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_progress(tmp_path: Path) -> None:
    """Every byte of the weights' file is told once, in steps of at most 1 MiB."""
    for write in (archive.write_archive, archive.write_directory):
        counts = list[int]()
        write(tmp_path / write.__name__, MODEL, counts.append)
        with ckpttool.open(tmp_path / write.__name__):
            pass
        assert max(counts) <= 1 << 20
        assert CONTENT.nbytes <= sum(counts) <= CONTENT.nbytes + 10_000


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "a//b", "", ".", "a\\b", "c:a", "a/"])
def test_assets_stay_inside(tmp_path: Path, name: str) -> None:
    """An asset whose path leads elsewhere is refused before anything is written."""
    model = archive.Model(CONFIG, {}, CONTENT, {name: b"x"})
    for write in (archive.write_archive, archive.write_directory):
        with pytest.raises(UnsafeFileError):
            write(tmp_path / "a.keras", model)
    assert list(tmp_path.iterdir()) == []


def test_a_new_directory(tmp_path: Path) -> None:
    """The directory form is read as the archive is."""
    archive.write_directory(tmp_path / "model", MODEL)
    with ckpttool.open(tmp_path / "model") as checkpoint:
        assert checkpoint.kind == "keras-dir"
        np.testing.assert_array_equal(checkpoint["layers/dense/vars/0"].read(), VALUES)
    assert (tmp_path / "model/assets/layers/words/a.txt").read_bytes() == b"one"
