"""Vocabularies that TensorFlow 2.3 and 2.4 stored as the tensors of a table in the checkpoint."""

import json
import struct
from pathlib import Path

import pytest

import ckpttool
from ckpttool.conversion import convert
from ckpttool.errors import ConversionError
from tests.formats.tensorflow import writer

KEY = "layer-1/_table/.ATTRIBUTES/table"


def checkpoint(folder: Path, numbers: tuple[int, ...]) -> Path:
    """A checkpoint of a StringLookup with these numbers of its mask, its unknown word and its words."""
    objects: list[writer.Object] = [
        ([("layer-0", 2), ("layer-1", 1)], [], []),
        ([("_table", 3)], [], []),
        ([], [], []),
        ([], [("table", "", KEY)], []),
    ]
    words, words_crc = writer.texts([b"", b"[UNK]", b"bird", b"cat", b"dog"])
    values = struct.pack("<5q", *numbers)
    graph, graph_crc = writer.texts([writer.graph(objects)])
    tensors = [
        (writer.OBJECT_GRAPH.encode(), writer.entry(7, [], len(words) + len(values), len(graph), graph_crc)),
        (f"{KEY}-keys".encode(), writer.entry(7, [5], 0, len(words), words_crc)),
        (f"{KEY}-values".encode(), writer.entry(9, [5], len(words), len(values), writer.masked(values))),
    ]
    return writer.write(folder, tensors, words + values + graph)


def architecture(folder: Path) -> Path:
    """A model of Keras 2.4 whose StringLookup has no vocabulary in its config."""
    lookup = {"name": "look", "max_tokens": None, "num_oov_indices": 1, "mask_token": "", "oov_token": "[UNK]"}
    layers = [
        {
            "class_name": "InputLayer",
            "name": "in",
            "config": {"batch_input_shape": [None, 1], "dtype": "string", "name": "in"},
            "inbound_nodes": [],
        },
        {"class_name": "StringLookup", "name": "look", "config": lookup, "inbound_nodes": [[["in", 0, 0, {}]]]},
    ]
    config = {"name": "m", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [["look", 0, 0]]}
    path = folder / "model.json"
    path.write_text(json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.4.0"}))
    return path


def test_words_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """The words behind the mask and the unknown word are the vocabulary of the new model."""
    target = tmp_path / "new.keras"
    convert(checkpoint(tmp_path, (0, 1, 4, 2, 3)), target, arch=architecture(tmp_path))
    with ckpttool.open(target) as written:
        (lookup,) = [layer for layer in written.config["config"]["layers"] if layer["class_name"] == "StringLookup"]
    assert lookup["config"]["vocabulary"] == ["cat", "dog", "bird"]


def test_numbers_with_a_hole_are_refused(tmp_path: Path) -> None:
    """A table whose numbers do not follow each other is no vocabulary."""
    with pytest.raises(ConversionError, match="do not follow each other"):
        convert(checkpoint(tmp_path, (0, 1, 9, 2, 3)), tmp_path / "new.keras", arch=architecture(tmp_path))
