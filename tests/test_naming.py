"""What a weight is called: stored names first, then the architecture, then the path, each marked as what it is."""

import json

import pytest

from ckpttool import open as open_checkpoint
from ckpttool.architecture import read_architecture
from ckpttool.listing import Choice, Row, list_checkpoint
from ckpttool.loading import load_architecture
from tests.samples import FIXTURES


def rows(name: str, architecture: str | None = None) -> list[Row]:
    """The rows of a fixture, named with an architecture where one is given."""
    chosen = None if architecture is None else load_architecture(FIXTURES / architecture)
    with open_checkpoint(FIXTURES / name) as checkpoint:
        return [
            row
            for row in list_checkpoint(checkpoint, Choice(architecture=chosen)).rows
            if row.weight.section == "model"
        ]


def test_without_an_architecture_the_path_names() -> None:
    """Weights without stored names are called by their path, and the name is marked."""
    assert {(row.layer, row.class_name, row.inferred) for row in rows("keras2.15/mlp.weights.h5")} == {
        ("dense", None, True),
        ("dense_1", None, True),
    }


def test_an_architecture_names_paths() -> None:
    """With the architecture the same weights get the names and classes that the user gave."""
    assert {
        (row.layer, row.class_name, row.inferred) for row in rows("keras2.15/mlp.weights.h5", "keras2.15/mlp.json")
    } == {
        ("hidden", "Dense", True),
        ("output", "Dense", True),
    }


def test_an_architecture_classes_stored_names() -> None:
    """Where names are stored, the architecture adds the classes and nothing is marked."""
    found = {(row.layer, row.class_name, row.inferred) for row in rows("keras1.2/cnn_weights.h5", "keras1.2/cnn.json")}
    assert ("convolution2d_1", "Convolution2D", False) in found
    assert None not in {class_name for _, class_name, _ in found}


def test_keras_0_layers_are_known_by_number() -> None:
    """Keras 0 stored numbers: the classes come from the order of the architecture, the names stay."""
    found = {(row.layer, row.class_name) for row in rows("keras0.3/cnn_weights.hdf5", "keras0.3/cnn.yaml")}
    assert found == {("layer_0", "Convolution2D"), ("layer_1", "BatchNormalization"), ("layer_4", "Dense")}


@pytest.mark.parametrize("name", ["keras2.12/mlp.keras", "keras2.13/mlp.keras", "keras2.12/windows_paths.keras"])
def test_numbers_that_were_counted_twice(name: str) -> None:
    """Keras 2.12 and 2.13 numbered layers with weights twice; each is found all the same, backslashes or not."""
    assert [(row.layer, row.label, row.inferred) for row in rows(name)][::2] == [
        ("hidden", rows(name)[0].label, True),
        ("output", rows(name)[0].label, True),
    ]


def test_an_unknown_architecture_changes_nothing_stored() -> None:
    """An architecture of another model neither renames nor classes what it does not know."""
    other = read_architecture(json.loads((FIXTURES / "keras0.3" / "lstm.json").read_text()))
    with open_checkpoint(FIXTURES / "keras3" / "cnn.keras") as checkpoint:
        named = {row.layer: row.class_name for row in list_checkpoint(checkpoint, Choice(architecture=other)).rows}
    assert named["stem"] is None
