"""Layers of a SavedModel, which tf.keras makes of their own metadata: what harms is found there, and entries in the
config of the model that it passes over are no alarm."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ckpttool.dangers.walk import Node, walk
from tests.checks.safe import findings
from tests.checks.test_operations import message
from tests.formats.tensorflow.writer import number
from tests.samples import FIXTURES

LOOKUP = FIXTURES / "tensorflow/2.15_trained/words_of_file"
OWN = FIXTURES / "tensorflow/2.15/subclassed"
_CODE = {"class_name": "__tuple__", "items": ["4wEAAAA=\n", None, None]}


def _fields(raw: bytes, number: int) -> list[bytes]:
    """The runs of bytes in a field of a message whose fields are runs of bytes and small numbers."""
    spans, at = [], 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        size, at = _varint(raw, at)
        if tag & 7 == 2:
            if tag >> 3 == number:
                spans.append(raw[at : at + size])
            at += size
    return spans


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while raw[at] > 0x7F:
        value |= (raw[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | raw[at] << shift, at + 1


def _objects(source: Path) -> list[tuple[int, bytes, dict[str, Any]]]:
    """The objects of a `keras_metadata.pb`: number, identifier, metadata."""
    nodes = _fields((source / "keras_metadata.pb").read_bytes(), 1)
    return [(_number(node), _fields(node, 4)[0], json.loads(_fields(node, 5)[0])) for node in nodes]


def _number(node: bytes) -> int:
    return _varint(node, 1)[0] if node[:1] == b"\x10" else 0


def edited(folder: Path, source: Path, change: Callable[[list[tuple[int, bytes, dict[str, Any]]]], None]) -> Path:
    """A copy of a SavedModel with other metadata."""
    target = Path(shutil.copytree(source, folder / "model"))
    objects = _objects(source)
    change(objects)
    nodes = [number(2, at) + message(4, kind) + message(5, json.dumps(data).encode()) for at, kind, data in objects]
    (target / "keras_metadata.pb").write_bytes(b"".join(message(1, node) for node in nodes))
    return target


def _reported(path: Path) -> set[tuple[str, str]]:
    return {(finding.rule.code, finding.where.partition(".")[0]) for finding in findings(path)}


def _layer(objects: list[tuple[int, bytes, dict[str, Any]]], class_name: str) -> dict[str, Any]:
    return next(data for _, _, data in objects if data.get("class_name") == class_name)


def _with_code(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    layer = next(data for _, kind, data in objects if kind == b"_tf_keras_layer")
    code = {"function": _CODE, "function_type": "lambda", "module": "m"}
    layer.update(class_name="Lambda", config={"name": layer["name"], "trainable": True, **code})


def test_code_in_a_layer_of_an_own_class_is_reported(tmp_path: Path) -> None:
    """A Lambda in a model whose config lists no layers: tf.keras 2.15 unmarshals it when it loads the model."""
    path = edited(tmp_path, OWN, _with_code)
    assert {code for code, _ in _reported(path)} == {"S101"}
    assert all(finding.where.startswith("objects[") for finding in findings(path))


def test_the_metadata_of_harmless_layers_is_no_alarm(tmp_path: Path) -> None:
    """The same model as it was written, and written again with the same metadata."""
    assert not findings(OWN)
    assert not findings(edited(tmp_path, OWN, lambda objects: None))


def test_the_config_of_a_model_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both checks, of the configs and of the metadata of layers, take what one walk over the config found."""
    walked = list[str]()

    def noted(value: Any, name: str) -> Iterator[Node]:
        walked.append(name)
        return walk(value, name)

    monkeypatch.setattr("ckpttool.checks.safety.configs.walk", noted)
    assert findings(LOOKUP) == ()
    assert sorted(walked)[:2] == ["config", "objects[0]"]


def test_a_file_that_became_an_asset_is_none_that_is_opened() -> None:
    """tf.keras 2.15 loads this model where the file of the config does not exist: the words are an asset."""
    assert not {code for code, _ in _reported(LOOKUP)}


def _own_file(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    _layer(objects, "StringLookup")["config"]["vocabulary"] = "/etc/passwd"


def _other_name(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    layer = _layer(objects, "StringLookup")
    layer["name"] = layer["config"]["name"] = "other"


def _other_name_of_config(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    _layer(objects, "StringLookup")["config"]["name"] = "other"


def _no_network(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    objects[0][2].update(class_name="Model", is_graph_network=False)


def _one_more(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    layers = objects[0][2]["config"]["layers"]
    entry = next(entry for entry in layers if entry["class_name"] == "StringLookup")
    layers.append({**entry, "name": "more", "config": {**entry["config"], "name": "more"}})


def _nobody(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    objects[:] = [entry for entry in objects if entry[2].get("class_name") != "StringLookup"]


def _two(objects: list[tuple[int, bytes, dict[str, Any]]]) -> None:
    at, kind, data = next(entry for entry in objects if entry[2].get("class_name") == "StringLookup")
    objects.append((at, kind, {**data, "name": "x", "config": {**data["config"], "name": "x"}}))


_OPENED = {
    "named by the layer itself": (_own_file, "objects[2]"),
    "of a layer that is saved under another name": (_other_name, "config"),
    "of a layer that gets another name from its config": (_other_name_of_config, "config"),
    "in a model that Keras makes of its config": (_no_network, "config"),
    "of a layer that is not saved": (_nobody, "config"),
    "of one more layer": (_one_more, "config"),
    "of a layer with two metadata": (_two, "config"),
}


@pytest.mark.parametrize("case", _OPENED)
def test_a_file_that_is_opened_is_reported(case: str, tmp_path: Path) -> None:
    """A file of words that tf.keras would open is reported, wherever it makes the layer of."""
    change, where = _OPENED[case]
    assert ("S107", where) in _reported(edited(tmp_path, LOOKUP, change))


def test_numbers_of_objects_that_are_not_there(tmp_path: Path) -> None:
    """Metadata of objects that the graph does not have are read, and no more."""
    path = edited(tmp_path, LOOKUP, lambda objects: objects.append((99_999, b"_tf_keras_network", objects[0][2])))
    assert ("S107", "objects[99999]") in _reported(path)


def test_an_asset_that_leads_out_is_reported(tmp_path: Path) -> None:
    """The words of a lookup in a file outside of the SavedModel are an error, as TensorFlow reads them."""
    target = Path(shutil.copytree(LOOKUP, tmp_path / "model"))
    raw = (target / "saved_model.pb").read_bytes()
    name = b"vocabulary.txt"
    assert name in raw
    (target / "saved_model.pb").write_bytes(raw.replace(name, b"../../../../pw"))
    assert any(finding.rule.code.startswith("S2") for finding in findings(target))
