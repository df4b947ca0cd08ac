"""Layers that look values up, and the places of their vocabularies."""

from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.alignment.vocabularies import lookups_in_checkpoint, outermost, with_entry_counts
from ckpttool.model import read_architecture
from ckpttool.model.architecture_parts import part_in

CLASSES = ("IntegerLookup", "StringLookup", "TextVectorization")


def config(class_name: str, **arguments: Any) -> dict[str, Any]:
    """A Sequential model of one layer."""
    layer = {"class_name": class_name, "config": {"name": "look", **arguments}, "module": "keras.layers"}
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}, "module": "keras"}


def lookups(value: Any, folder: Path, assets: tuple[str, ...] = ()) -> list[tuple[str, str, int | None]]:
    """Layers, where their vocabularies are, and how many entries these have, of an unzipped `.keras`."""
    from ckpttool.formats.write.archive import Model, write_directory
    from ckpttool.formats.write.path_layout import Content

    folder.mkdir()
    write_directory(folder, Model(value, {}, Content({}, {}), dict.fromkeys(assets, b"[UNK]\na\nb")))
    with ckpttool.open(folder) as checkpoint:
        architecture = read_architecture(value)
        assert architecture is not None
        lookups_with_counts = with_entry_counts(
            checkpoint, outermost(lookups_in_checkpoint(checkpoint, part_in(architecture)))
        )
        return [(lookup.layer, lookup.source, entries) for lookup, entries in lookups_with_counts]


@pytest.mark.parametrize("class_name", CLASSES)
def test_places(class_name: str, tmp_path: Path) -> None:
    """In the config, among the assets, in a file that the config names, or nowhere."""
    place = {"IntegerLookup": "integer_lookup", "StringLookup": "string_lookup"}.get(class_name, "text_vectorization")
    asset = (f"layers/{place}/vocabulary.txt", f"layers/{place}/_lookup_layer/vocabulary.txt")
    listed, file = config(class_name, vocabulary=[1, 2, 3, 4]), config(class_name, vocabulary="/v.txt")
    assert lookups(listed, tmp_path / "given") == [("look", "config", 4)]
    assert lookups(config(class_name), tmp_path / "asset", asset) == [("look", "asset", 3)]
    assert lookups(file, tmp_path / "file") == [("look", "file", None)]
    assert lookups(config(class_name), tmp_path / "nowhere") == [("look", "missing", None)]


def test_of_an_earlier_keras(tmp_path: Path) -> None:
    """Keras 2.12 and 2.13 name the folder of a layer otherwise."""
    assets = ("_layer_checkpoint_dependencies/string_lookup/vocabulary.txt",)
    assert lookups(config("StringLookup"), tmp_path / "early", assets) == [("look", "asset", 3)]
