"""The needs of a conversion: own classes and functions, whichever Keras wrote the config."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ckpttool
from ckpttool.model import read_architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.config import with_part
from ckpttool.model.entries import own_entry
from tests.conversion.test_anchors import dense, legacy
from tests.samples import FIXTURES


def test_own_classes_of_keras_3(tmp_path: Path) -> None:
    """A legacy file of Keras 3.15 with a layer of an own class says that it needs the class, as older ones do."""
    source = tmp_path / "model.h5"
    with zipfile.ZipFile(FIXTURES / "habits" / "cases.zip") as archive:
        source.write_bytes(archive.read("3151_0005.h5"))
    result = ckpttool.convert(source, tmp_path / "model.keras")
    (need,) = [need for need in result.needs if need.where == "Scale"]
    assert "custom_objects" in need.what


def test_needs_in_json(run: Callable[..., Any], tmp_path: Path) -> None:
    """A need is an object with its kind as a word."""
    source = FIXTURES / "old_layers/keras2.15/own_class.h5"
    data = json.loads(run("convert", source, tmp_path / "new.keras", "--dry-run", "-o", "json").out)
    assert [need["kind"] for need in data["needs"]] == ["class"] * len(data["needs"]) != []


def test_own_functions_are_needed_once(tmp_path: Path) -> None:
    """A regularizer of an own function, as Keras 2.13 to 2.15 write it, is needed by its name, and nothing else is."""
    own = {"module": "builtins", "class_name": "function", "config": "shrink", "registered_name": "function"}
    source = legacy(tmp_path / "old.h5", dense(2, 4, kernel_regularizer=own), shape=(None, 4))
    assert [need.where for need in ckpttool.convert(source, tmp_path / "new.keras").needs] == ["shrink"]


def test_registered_classes_are_imported(tmp_path: Path) -> None:
    """A class that its author registered is found where its module is imported."""
    own = {"module": None, "class_name": "Shrink", "config": {}, "registered_name": "mine>Shrink"}
    source = legacy(tmp_path / "old.h5", dense(2, 4, kernel_regularizer=own), shape=(None, 4))
    (need,) = ckpttool.convert(source, tmp_path / "new.keras").needs
    assert "import the module that registers it" in need.what


def test_packages_beside_keras_are_needed(tmp_path: Path) -> None:
    """A layer of KerasHub in a live model is needed as one of any other package, and Keras's own is not."""
    with zipfile.ZipFile(FIXTURES / "keras3/mlp.keras") as archive:
        config = json.loads(archive.read("config.json"))
    part = part_in(read_architecture(config))
    module, registered = "keras_hub.src.layers.modeling.rotary_embedding", "keras_hub>RotaryEmbedding"
    config["config"]["layers"].append(own_entry(module, "RotaryEmbedding", {"name": "rotary"}, registered))
    source = FIXTURES / "keras3/mlp.weights.h5"
    result = ckpttool.convert(source, tmp_path / "new.keras", arch=with_part(config, part), prove=False)
    assert [(need.where, need.what) for need in result.needs] == [
        (registered, f"import {module}, which registers it"),
    ]
