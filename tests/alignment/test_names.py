"""The name of a weight: from stored names first, then the architecture, then the path, each marked as what it is."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from ckpttool import open as open_checkpoint
from ckpttool.alignment.architectures import load_architecture
from ckpttool.inspection.listing import Choice, Row, list_checkpoint
from ckpttool.model import read_architecture
from tests.corpus import CORPUS_2, needs_corpus_2
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
    """The architecture adds only classes to names that are stored, and nothing is marked."""
    layers = {(row.layer, row.class_name, row.inferred) for row in rows("keras1.2/cnn_weights.h5", "keras1.2/cnn.json")}
    assert ("convolution2d_1", "Convolution2D", False) in layers
    assert None not in {class_name for _, class_name, _ in layers}


def test_keras_0_layers_are_known_by_number() -> None:
    """Keras 0 stored numbers: the classes come from the order of the architecture, the names stay."""
    layers = {(row.layer, row.class_name) for row in rows("keras0.3/cnn_weights.hdf5", "keras0.3/cnn.yaml")}
    assert layers == {("layer_0", "Convolution2D"), ("layer_1", "BatchNormalization"), ("layer_4", "Dense")}


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


def labels(path: Path) -> list[tuple[str, str]]:
    """The layer and the label of each weight."""
    with open_checkpoint(path) as checkpoint:
        return [(row.layer, row.label) for row in list_checkpoint(checkpoint).rows]


def write_legacy(path: Path, layers: dict[str, list[str]]) -> Path:
    """A file of weights of these layers and stored names."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
        for layer, names in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group.create_dataset(name, data=np.zeros((2, 3), "float32"))
    return path


@pytest.mark.parametrize(
    ("layer", "names", "shown"),
    [
        ("splinel", ["splinel_17/kernel:0"], ["kernel"]),
        ("dense_1", ["dense_1_4/kernel:0", "dense_1_4/bias:0"], ["kernel", "bias"]),
        ("lstm", ["lstm/lstm_cell/kernel:0", "lstm/lstm_cell/bias:0"], ["lstm_cell/kernel", "lstm_cell/bias"]),
        ("conv", ["conv_1/kernel:0", "conv_2/kernel:0"], ["conv_1/kernel", "conv_2/kernel"]),
        ("dense_1", ["dense_1_W:0", "dense_1_b:0"], ["W", "b"]),
        ("both", ["both_3/forward_lstm/kernel:0"], ["forward_lstm/kernel"]),
        ("block/conv", ["block/conv/kernel:0"], ["kernel"]),
    ],
)
def test_numbered_scopes(layer: str, names: list[str], shown: list[str], tmp_path: Path) -> None:
    """TensorFlow numbers a scope that was there before, and it is that of the layer still; what begins with several
    scopes are layers in it, and what only begins like the layer is another name."""
    assert labels(write_legacy(tmp_path / "a.h5", {layer: names})) == [(layer, label) for label in shown]


@needs_corpus_2
@pytest.mark.parametrize(
    ("name", "layer", "shown"),
    [
        ("gagneurlab__Donor.h5", "dense1", {"kernel", "bias"}),
        ("gagneurlab__Exon.h5", "conv", {"kernel", "bias"}),
        ("gagneurlab__Intron3.h5", "conv", {"kernel", "bias"}),
        ("gagneurlab__mtsplice0.h5", "splinel", {"kernel"}),
        ("quanlab__model.h5", "lstm", {"lstm_cell/kernel", "lstm_cell/recurrent_kernel", "lstm_cell/bias"}),
    ],
)
def test_numbered_scopes_of_real_files(name: str, layer: str, shown: set[str]) -> None:
    """Weights are called as the user of the model calls them."""
    assert {label for of, label in labels(CORPUS_2 / "files" / name) if of == layer} == shown
