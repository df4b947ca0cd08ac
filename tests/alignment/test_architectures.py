"""An architecture comes from a whole model or from a file of its own, whatever the name of the file says."""

import shutil
from pathlib import Path

import pytest

from ckpttool.alignment.architectures import load_architecture
from ckpttool.errors import CheckpointError, UnknownFormatError
from tests.samples import FIXTURES

MLP = ["keras3/mlp.keras", "keras3/mlp_dir", "keras3/mlp.h5", "keras2.15/mlp.h5", "keras2.15/mlp.json"]


@pytest.mark.parametrize("name", MLP)
def test_one_model_in_every_form(name: str) -> None:
    """The same model has the same layers in each form that can hold an architecture."""
    architecture = load_architecture(FIXTURES / name)
    assert (architecture.class_name, architecture.name) == ("Sequential", "mlp")
    assert [(layer.name, layer.class_name) for layer in architecture.layers if layer.class_name != "InputLayer"] == [
        ("hidden", "Dense"),
        ("output", "Dense"),
    ]


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    """A JSON architecture named .h5 and a .keras without suffix are what they are."""
    shutil.copy(FIXTURES / "keras2.15" / "mlp.json", tmp_path / "model.h5")
    shutil.copy(FIXTURES / "keras3" / "mlp.keras", tmp_path / "model")
    assert load_architecture(tmp_path / "model.h5").name == load_architecture(tmp_path / "model").name == "mlp"


def test_utf_16(tmp_path: Path) -> None:
    """JSON in UTF-16 is text, zero bytes or not."""
    text = (FIXTURES / "keras2.15" / "mlp.json").read_text()
    (tmp_path / "model.json").write_bytes(text.encode("utf-16"))
    assert load_architecture(tmp_path / "model.json").name == "mlp"


def test_weights_have_no_architecture() -> None:
    """A file of weights is an error that says what was expected."""
    with pytest.raises(UnknownFormatError) as caught:
        load_architecture(FIXTURES / "keras3" / "mlp.weights.h5")
    assert "only weights" in caught.value.what
    assert "JSON or YAML" in caught.value.expected


@pytest.mark.parametrize("name", ["broken/empty.h5", "broken/pickle.h5", "broken/truncated.keras", "nowhere.json"])
def test_errors(name: str) -> None:
    """What is no architecture is a `CheckpointError` that names the file."""
    with pytest.raises(CheckpointError) as caught:
        load_architecture(FIXTURES / name)
    assert caught.value.path == str(FIXTURES / name)
