"""Vocabularies that TensorFlow 2.3 and 2.4 stored as the tensors of a table in the checkpoint, and the weights of
words, which TensorFlow 2.6 to 2.15 stored as a variable.

That genuine SavedModels of TensorFlow 2.3 to 2.15 predict the same is measured by hand (`old_lookups.py`).
"""

import json
import struct
from pathlib import Path

import pytest

import ckpttool
from ckpttool import Section
from ckpttool.alignment.alignment import align
from ckpttool.conversion import convert
from ckpttool.errors import ConversionError
from ckpttool.model import read_architecture
from tests.formats.tensorflow import writer
from tests.live import keras

KEY = "layer-1/_table/.ATTRIBUTES/table"


def checkpoint(folder: Path, numbers: tuple[int, ...], second: bytes = b"[UNK]", inverse: bool = False) -> Path:
    """A checkpoint of a StringLookup with these numbers of its mask, its unknown word and its words, which an inverse
    one gives for the numbers."""
    objects: list[writer.Object] = [
        ([("layer-0", 2), ("layer-1", 1)], [], []),
        ([("_table", 3)], [], []),
        ([], [], []),
        ([], [("table", "", KEY)], []),
    ]
    entries, entries_crc = writer.texts([b"", second, b"bird", b"cat", b"dog"])
    values = struct.pack("<5q", *numbers)
    graph, graph_crc = writer.texts([writer.graph(objects)])
    tensors = [
        (writer.OBJECT_GRAPH.encode(), writer.entry(7, [], len(entries) + len(values), len(graph), graph_crc)),
        (f"{KEY}-keys".encode(), writer.entry(7, [5], 0, len(entries), entries_crc)),
        (f"{KEY}-values".encode(), writer.entry(9, [5], len(entries), len(values), writer.masked(values))),
    ]
    if inverse:
        _, (_, texts), (_, integers) = tensors
        tensors[1:] = [(f"{KEY}-keys".encode(), integers), (f"{KEY}-values".encode(), texts)]
    return writer.write(folder, tensors, entries + values + graph)


def architecture(folder: Path, **arguments: object) -> Path:
    """A model of Keras 2.4 whose StringLookup has no vocabulary in its config."""
    lookup: dict[str, object] = {"name": "look", "max_tokens": None, "num_oov_indices": 1}
    lookup |= {"mask_token": "", "oov_token": "[UNK]", **arguments}
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


def test_entries_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
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


def test_a_word_under_the_number_of_unknown_ones_is_not_dropped(tmp_path: Path) -> None:
    """A table that has a word where the config has the unknown ones is of another layer: it is refused."""
    with pytest.raises(ConversionError, match="a word has the number of the mask or of unknown words"):
        convert(checkpoint(tmp_path, (0, 2, 1, 3, 4)), tmp_path / "new.keras", arch=architecture(tmp_path))


@pytest.mark.parametrize(
    ("second", "unknown", "vocabulary"),
    [("[UNK]", 1, ["cat", "dog", "bird"]), ("fox", 0, ["fox", "cat", "dog", "bird"])],
)
def test_numbers_of_an_inverse_layer(second: str, unknown: int, vocabulary: list[str], tmp_path: Path) -> None:
    """A layer that gives words for numbers has none for unknown ones where its table begins with the words."""
    target = tmp_path / "new.keras"
    source = checkpoint(tmp_path, (0, 1, 4, 2, 3), second.encode(), inverse=True)
    convert(source, target, arch=architecture(tmp_path, invert=True))
    with ckpttool.open(target) as written:
        (lookup,) = [layer for layer in written.config["config"]["layers"] if layer["class_name"] == "StringLookup"]
    assert (lookup["config"]["num_oov_indices"], lookup["config"]["vocabulary"]) == (unknown, vocabulary)


OF_2_3 = "two objects"
WEIGHTS = (0.5, 0.5, 0.25, 0.75, 1.5)


def weighted(folder: Path, holder: str, weights: tuple[float, ...] = WEIGHTS) -> Path:
    """A checkpoint of a TextVectorization or StringLookup in mode tf_idf: its table and the weights of its words are in
    the object under this name, or in the layer itself; up to TensorFlow 2.4 they were in two objects."""
    inner = [("_table", 3), ("idf_weights", 4), ("num_documents", 5)]
    holders = [(holder, 6)] if holder else inner
    if holder == OF_2_3:
        holders = [("_index_lookup_layer", 6), ("_vectorize_layer", 7)]
        inner = [("_table", 3)]
    objects: list[writer.Object] = [
        ([("layer-0", 2), ("layer-1", 1)], [], []),
        (holders, [], []),
        ([], [], []),
        ([], [("table", "", KEY)], []),
        ([], [("VARIABLE_VALUE", "Variable", "variables/0")], []),
        ([], [("VARIABLE_VALUE", "Variable", "variables/1")], []),
        (inner if holder else [], [], []),
        ([("num_elements", 5), ("idf", 4), ("tf_idf_weights", 4)] if holder == OF_2_3 else [], [], []),
    ]
    entries, entries_crc = writer.texts([b"cat", b"dog", b"bird"])
    first = len(weights) - 3
    numbers = struct.pack("<3q", first, first + 1, first + 2)
    values, count = struct.pack(f"<{len(weights)}f", *weights), struct.pack("<q", 7)
    graph, graph_crc = writer.texts([writer.graph(objects)])
    stored = [
        (writer.OBJECT_GRAPH, 7, [], graph, graph_crc),
        (f"{KEY}-keys", 7, [3], entries, entries_crc),
        (f"{KEY}-values", 9, [3], numbers, writer.masked(numbers)),
        ("variables/0", 1, [len(weights)], values, writer.masked(values)),
        ("variables/1", 9, [], count, writer.masked(count)),
    ]
    tensors, data = [], b""
    for name, dtype, sizes, raw, crc in stored:
        tensors.append((name.encode(), writer.entry(dtype, sizes, len(data), len(raw), crc)))
        data += raw
    return writer.write(folder, tensors, data)


def lookup_model(folder: Path, class_name: str, **arguments: object) -> Path:
    """A model of Keras 2.10 with a lookup in mode tf_idf, without words in its config unless given."""
    path = architecture(folder)
    model = json.loads(path.read_text())
    (lookup,) = [layer for layer in model["config"]["layers"] if layer["name"] == "look"]
    lookup["class_name"] = class_name
    lookup["config"] = {"name": "look", "output_mode": "tf_idf", **arguments}
    path.write_text(json.dumps({**model, "keras_version": "2.10.0"}))
    return path


TEXTS = {
    "standardize": "lower_and_strip_punctuation",
    "split": "whitespace",
    "ngrams": None,
    "output_sequence_length": None,
}
STRINGS = {"num_oov_indices": 2, "mask_token": None, "oov_token": "[UNK]"}


@pytest.mark.parametrize("listed", [False, True])
def test_weights_of_entries_come_along(listed: bool, tmp_path: Path) -> None:
    """In mode tf_idf the words come with their weights, those of unknown words before them, also where the config lists
    the words without weights, as TensorFlow 2.6 wrote it; the model weighs what it counts."""
    arguments = {"vocabulary": ["cat", "dog", "bird"]} if listed else {}
    arch = lookup_model(tmp_path, "StringLookup", **STRINGS, **arguments)
    target = tmp_path / "new.keras"
    convert(weighted(tmp_path, ""), target, arch=arch)
    model = keras().models.load_model(target)
    import tensorflow as tf

    output = model(tf.constant([["dog"], ["bird"]])).numpy()
    assert output.tolist() == [[0, 0, 0, 0.75, 0], [0, 0, 0, 0, 1.5]]
    assert not {"I107", "I108"} & {finding.rule.code for finding in ckpttool.check([target]).files[0].findings}


@pytest.mark.parametrize("holder", ["_lookup_layer", "_index_lookup_layer", OF_2_3])
def test_weights_of_texts_come_along(holder: str, tmp_path: Path) -> None:
    """A TextVectorization has words and weights in the lookup inside it, whose name was another up to TensorFlow 2.6;
    weights that fill it up to `max_tokens` are written once."""
    arch = lookup_model(tmp_path, "TextVectorization", **TEXTS, max_tokens=6, pad_to_max_tokens=True)
    target = tmp_path / "new.keras"
    source = weighted(tmp_path, holder, (0.5, 0.25, 0.75, 1.5))
    with pytest.raises(ConversionError, match="of 4 weights of words there are 0"):
        convert(source, target, arch=arch)  # which has six
    arch = lookup_model(tmp_path, "TextVectorization", **TEXTS, max_tokens=6)
    with ckpttool.open(source) as checkpoint:
        assert [weight.path for weight in checkpoint.section(Section.MODEL)] == ["variables/0"]
        alignment = align(checkpoint, read_architecture(json.loads(arch.read_text())))
    assert not alignment.missing
    convert(source, target, arch=arch)
    model = keras().models.load_model(target)
    import tensorflow as tf

    assert model(tf.constant([["a dog"], ["cat, cat"]])).numpy().tolist() == [[0.5, 0, 0.75, 0], [0, 0.5, 0, 0]]
