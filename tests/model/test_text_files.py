"""Architectures in files of their own: JSON and YAML of every generation, told apart by content."""

from pathlib import Path

import pytest

from ckpttool.errors import CheckpointError
from ckpttool.model.text_files import architecture_of_text
from tests.samples import FIXTURES

CLASSES = {
    "keras0.3/mlp.json": ["Dense", "Activation", "Dropout", "Dense", "Activation"],
    "keras0.3/lstm.json": ["LSTM", "GRU", "Dense"],
    "keras2.15/mlp.json": ["InputLayer", "Dense", "Dense"],
    "keras3/mlp_dir/config.json": ["InputLayer", "Dense", "Dense"],
}


@pytest.mark.parametrize("name", CLASSES)
def test_json(name: str) -> None:
    """The classes of the layers, in order."""
    assert [layer.class_name for layer in architecture_of_text(FIXTURES / name).layers] == CLASSES[name]


@pytest.mark.parametrize("folder", ["keras0.3", "keras1.2"])
def test_yaml_and_json_agree(folder: str) -> None:
    """The YAML and the JSON that one model wrote describe the same layers."""
    yaml, json = (architecture_of_text(FIXTURES / folder / f"cnn.{suffix}") for suffix in ("yaml", "json"))
    assert yaml.layers == json.layers
    assert (yaml.inputs, yaml.outputs) == (json.inputs, json.outputs)


@pytest.mark.parametrize("text", ["{}", "[]", "a: 1", "", '{"class_name": "Dense", "config": {"units": 3}}', "{", "[1"])
def test_no_architecture(text: str, tmp_path: Path) -> None:
    """A text that describes no model is an error that names the file."""
    path = tmp_path / "some.json"
    path.write_text(text)
    with pytest.raises(CheckpointError) as caught:
        architecture_of_text(path)
    assert caught.value.path == str(path)
