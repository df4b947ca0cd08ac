"""Models of own classes whose config is that of a functional model: the whole model may be stored as one layer."""

import zipfile
from pathlib import Path

import pytest

import ckpttool
from ckpttool.alignment.alignment import align
from ckpttool.alignment.architectures import load_architecture
from ckpttool.checks.runner import check_file
from ckpttool.conversion import convert
from ckpttool.model import read_architecture
from ckpttool.verification import verify
from tests.conversion.judge import judged
from tests.samples import FIXTURES

FOLDER = FIXTURES / "inner_model"
NAMES = ("subclass", "holder", "chain_holder")
FILES = [("tf2.4", name, ".h5") for name in NAMES] + [("tf2.15", name, ".weights.h5") for name in NAMES]


def unpacked(writer: str, folder: Path) -> Path:
    """The files of a writer."""
    with zipfile.ZipFile(FOLDER / f"{writer}.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize(("writer", "name", "end"), FILES)
def test_weights_of_the_model_inside(writer: str, name: str, end: str, tmp_path: Path) -> None:
    """Every weight has its slot in the config, and the converted model predicts what the own class did."""
    unpacked(writer, tmp_path)
    source, arch = tmp_path / f"{name}{end}", tmp_path / f"{name}.json"
    with ckpttool.open(source) as checkpoint:
        alignment = align(checkpoint, load_architecture(arch))
    assert (alignment.missing, alignment.left) == ((), ())
    convert(source, tmp_path / "new.keras", arch=arch)
    assert judged(tmp_path / "new.keras", tmp_path / f"{name}.npz", None)["relative"] < 1e-5


@pytest.mark.parametrize(("writer", "name", "end"), FILES)
def test_verify_does_not_know_what_holds_the_model(writer: str, name: str, end: str, tmp_path: Path) -> None:
    """All weights fit below one object, which only the code of the class knows to be there; a subclass has its own."""
    unpacked(writer, tmp_path)
    result = verify(tmp_path / f"{name}{end}", tmp_path / f"{name}.json")
    assert result.verdict == ("loads" if name == "subclass" else "cannot tell")
    assert (result.failures, result.keras) == ((), "loads")
    assert [part.path for part in result.opaque] == ([] if name == "subclass" else [""])


@pytest.mark.parametrize("name", NAMES)
def test_whole_files_are_not_said_to_lack_weights(name: str, tmp_path: Path) -> None:
    """Neither missing nor left over, whatever module the class is of."""
    source = unpacked("tf2.15", tmp_path) / f"{name}.keras"
    with ckpttool.open(source) as checkpoint:
        architecture = read_architecture(checkpoint.config)
        assert architecture is not None
        alignment = align(checkpoint, architecture)
    assert (alignment.missing, alignment.left) == ((), ())
    assert not {finding.rule.code for finding in check_file(str(source)).findings} & {"I107", "I108"}
