"""An architecture comes from a whole model or from a file of its own, whatever the name of the file says."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ckpttool.alignment.architectures import load_architecture, load_spec
from ckpttool.errors import CheckpointError, UnknownFormatError
from ckpttool.verification import verify
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
    """A file that is no architecture is a `CheckpointError` that names the file."""
    with pytest.raises(CheckpointError) as caught:
        load_architecture(FIXTURES / name)
    assert caught.value.path == str(FIXTURES / name)


def load_to_verify(path: Path) -> None:
    """Read a file as the architecture that `verify` takes."""
    verify(FIXTURES / "keras3/mlp.weights.h5", path)


@pytest.mark.parametrize("load", [load_architecture, load_spec, load_to_verify])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n", "is a git-lfs pointer"),
        (b"", "is empty"),
        (b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>", "is an HTML page"),
    ],
)
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.json", "model.yaml"])
def test_other_kinds_of_files_are_named(load: Any, content: bytes, kind: str, name: str, tmp_path: Path) -> None:
    """A page or a pointer in the place of a file is named, as `ls` does, and not called a file that describes no
    model."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert caught.value.what.startswith(kind)
    assert (caught.value.path, bool(caught.value.hint)) == (str(path), True)


@pytest.mark.parametrize("load", [load_architecture, load_spec, load_to_verify])
def test_json_of_other_programs_is_named(load: Any, tmp_path: Path) -> None:
    """JSON of another program is said to be that, and other JSON to describe no model."""
    path = tmp_path / "model.json"
    path.write_text('{"format": "layers-model", "modelTopology": {}, "weightsManifest": []}')
    with pytest.raises(CheckpointError, match=r"the model.json of a TensorFlow.js model"):
        load(path)
    for text in ('{"a": 1}', '{"class_name": "Sequential", "config": {"layers": []}}'):
        path.write_text(text)
        with pytest.raises(CheckpointError, match="describes no model"):
            load(path)
