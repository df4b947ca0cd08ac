"""Layers of the author's own whose class is called as one of Keras."""

import json
from typing import Any

import pytest

from ckpttool.model.generations.own_classes import is_unlike, marked
from tests import samples

MERGES = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]


def classes(layers: list[dict[str, Any]], version: str, model: str = "Functional") -> list[bool]:
    """Whether each layer of a model is of the author's own class."""
    config = {"class_name": model, "config": {"name": "m", "layers": layers}}
    return ["module" in layer for layer in marked(config, version)["config"]["layers"]]


def layer(class_name: str, *tensors: str, **config: Any) -> dict[str, Any]:
    """The entry of a layer that is called once, with these tensors."""
    nodes = [[[name, 0, 0, {}] for name in tensors]]
    return {"class_name": class_name, "config": {"name": "l", "trainable": True, **config}, "inbound_nodes": nodes}


@pytest.mark.parametrize("version", ["2.1.6", "2.2.4-tf", "2.4.0", "2.15.0"])
@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("Attention", {"units": 4}),
        ("LayerNormalization", {"eps": 1e-6}),
        ("Highway", {"gate_bias": -1.0, "act": "tanh"}),
        ("MaxoutDense", {"units": 3, "pieces": 2}),
        ("Merge", {}),
        ("Add", {"factor": 2.0}),
        ("Dense", {"size": 3}),
    ],
)
def test_another_config_is_the_authors(class_name: str, config: dict[str, Any], version: str) -> None:
    """No Keras states its layers of these names so."""
    assert classes([layer(class_name, "a", "b", **config)], version) == [True]


@pytest.mark.parametrize("version", ["2.0.0", "2.15.0"])
@pytest.mark.parametrize(
    ("class_name", "config"),
    [("Dense", {"units": 3}), ("Flatten", {}), ("Add", {}), ("Dense", {"units": 3, "rank": 2})],
)
def test_an_incomplete_config_is_that_of_keras(class_name: str, config: dict[str, Any], version: str) -> None:
    """People who write a config by hand leave arguments out."""
    assert classes([layer(class_name, "a", "b", **config)], version) == [False]


@pytest.mark.parametrize(
    ("class_name", "config"),
    [("Highway", {"init": "uniform"}), ("MaxoutDense", {"output_dim": 2}), ("Merge", {"mode": "sum"})],
)
def test_layers_that_tensorflow_never_had(class_name: str, config: dict[str, Any]) -> None:
    """Keras of many backends kept those of Keras 1 for old files, TensorFlow's did not."""
    assert classes([layer(class_name, "a", "b", **config)], "2.2.4") == [False]
    assert classes([layer(class_name, "a", "b", **config)], "2.2.4-tf") == [True]


@pytest.mark.parametrize("class_name", MERGES)
def test_a_merge_of_one_tensor(class_name: str) -> None:
    """Keras up to TensorFlow 2.4 merged two tensors at least, and in a Sequential model none."""
    config: dict[str, Any] = {"Concatenate": {"axis": -1}, "Dot": {"axes": 1, "normalize": False}}.get(class_name, {})
    assert classes([layer(class_name, "a", **config)], "2.4.0") == [True]
    assert classes([layer(class_name, "a", **config)], "2.10.0") == [False]
    assert classes([layer(class_name, "a", "b", **config)], "2.4.0") == [False]
    assert classes([layer("Dense", units=2), layer(class_name, **config)], "2.15.0", "Sequential") == [False, True]


def test_a_config_without_a_version_is_that_of_keras() -> None:
    """A config of which nothing says which Keras wrote it has no layer that is marked as one of an own class."""
    config = {"class_name": "Functional", "config": {"name": "m", "layers": [layer("Attention", "a", units=4)]}}
    assert marked(config) is config


def test_no_layer_of_a_genuine_file_is_unlike_keras() -> None:
    """All that Keras 2 wrote for its own classes into the fixtures."""
    seen = 0
    for path in sorted(samples.FIXTURES.glob("*/*.json")):
        config = json.loads(path.read_text("utf-8"))
        if not isinstance(config, dict) or not str(config.get("keras_version")).startswith("2."):
            continue
        for entry in config.get("config", {}).get("layers", []) if isinstance(config.get("config"), dict) else []:
            seen += 1
            assert not is_unlike(entry["class_name"], entry["config"]), (path, entry["class_name"])
    assert seen > 20
