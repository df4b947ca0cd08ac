"""Layers of the author's own whose class is called as one of Keras."""

import json
from typing import Any

import pytest

from ckpttool.model.generations.own_classes import difference, is_dumped, is_unlike, marked, unmarked
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


DENSE: dict[str, Any] = {
    "class_name": "Dense",
    "config": {
        **{"name": "d", "trainable": True, "dtype": "float32", "units": 2, "activation": "linear", "use_bias": True},
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        **dict.fromkeys(("kernel_regularizer", "bias_regularizer", "activity_regularizer")),
        **dict.fromkeys(("kernel_constraint", "bias_constraint")),
    },
}
"""A layer as TensorFlow 2.10 writes it."""
NORMALIZATION = dict.fromkeys(
    """
    center scale epsilon gamma_initializer beta_initializer gamma_regularizer beta_regularizer gamma_constraint
    beta_constraint
    """.split()
)


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("LayerNormalization", NORMALIZATION),  # of keras-layer-normalization
        ("MultiHeadAttention", {"num_heads": 2, "d_model": 8}),
        ("GroupNormalization", {"groups": 2, "axis": -1, "epsilon": 1e-5}),
        ("Dense", {"units": 2}),
        ("Dense", {**DENSE["config"], "rank": 2}),
        ("ReLU", {"leak": 0.1}),
        ("Dropout", {"p": 0.3}),
        ("RandomRotation", {"factor": 0.1}),
    ],
)
def test_beside_layers_that_keras_wrote(class_name: str, config: dict[str, Any]) -> None:
    """Keras states all arguments of its own layers, and no others; people who write a config by hand leave some out."""
    own = layer(class_name, "a", **config)
    assert classes([DENSE, own], "2.15.0") == [False, True]
    bare = {**own, "config": {key: item for key, item in own["config"].items() if key != "trainable"}}
    assert classes([DENSE, bare], "2.15.0") == [False, True]
    assert classes([layer("Dense", units=2), bare], "2.15.0") == [False, False]


def test_what_keras_states_in_some_versions_alone() -> None:
    """Attention stated `causal` first and `score_mode` later; ReLU of 2.2.0 had a maximum only."""
    for config in ({"causal": False, "use_scale": True}, {"use_scale": True, "score_mode": "dot", "dropout": 0.0}):
        assert classes([DENSE, layer("Attention", "a", "b", **config)], "2.4.0") == [False, False]
    assert classes([DENSE, layer("ReLU", "a", max_value=6.0)], "2.2.0") == [False, False]


OBJECTS = [
    ("kernel_regularizer", "L2", {"l2": 0.01}, [{}, {"rate": 0.01}, {"l2": 0.01, "rate": 0.01}]),
    ("activity_regularizer", "L1L2", {"l1": 0.0, "l2": 0.01}, [{"l1": 0.01}]),
    ("kernel_constraint", "MaxNorm", {"max_value": 2, "axis": 0}, [{}, {"max_value": 2}, {"m": 2, "axis": 0}]),
    ("kernel_constraint", "NonNeg", {}, [{"eps": 0.1}]),
    ("kernel_initializer", "RandomNormal", {"mean": 0.0, "stddev": 0.1, "seed": None}, [{"stddev": 0.1}]),
    ("activation", "LeakyReLU", {"name": "l", "trainable": True, "alpha": 0.1}, [{"slope": 0.1}]),
]


@pytest.mark.parametrize(("key", "class_name", "of_keras", "own"), OBJECTS)
def test_objects_in_arguments(key: str, class_name: str, of_keras: dict[str, Any], own: list[dict[str, Any]]) -> None:
    """An object of an own class gets the form in which Keras 2.13 to 2.15 write it, inside of wrappers, too; not where
    the config is written by hand."""

    def read(config: dict[str, Any], beside: dict[str, Any] = DENSE) -> dict[str, Any]:
        inner = layer("Dense", **{**beside["config"], key: {"class_name": class_name, "config": config}})
        model = {"class_name": "Sequential", "config": [layer("TimeDistributed", layer=inner)]}
        argument: dict[str, Any] = marked(model, "2.10.0")["config"][0]["config"]["layer"]["config"][key]
        return argument

    assert "module" not in read(of_keras)
    for config in own:
        marks = {"module": None, "registered_name": class_name}
        assert read(config) == {"class_name": class_name, "config": config, **marks}
        assert "module" not in read(config, layer("Dense", units=2))
        assert unmarked({"a": [read(config)]}, [class_name]) == {"a": [{"class_name": class_name, "config": config}]}


def test_the_difference_of_an_own_class() -> None:
    """The message names the keys, three at most."""
    assert difference("constraints", "MaxNorm", {"max_value": 2}) == (
        "its config lacks axis, which that of Keras always has"
    )
    assert difference("regularizers", "L2", {"l2": 0.1, "rate": 1}) == (
        "its config has rate, which that of Keras never has"
    )
    assert difference("metrics", "AUC", {}).startswith("its config lacks curve, dtype, name and others, which")
    assert difference("losses", "Huber", {"name": "h", "reduction": "auto"}) != ""
    assert difference("regularizers", "Unknown", {}) == difference("regularizers", "L2", None) == ""


def test_a_config_without_a_version_is_that_of_keras() -> None:
    """A config of which nothing says which Keras wrote it has no layer that is marked as one of an own class."""
    config = {"class_name": "Functional", "config": {"name": "m", "layers": [layer("Attention", "a", units=4)]}}
    assert marked(config) is config


def test_no_layer_of_a_genuine_file_is_unlike_keras() -> None:
    """All that Keras 2 wrote for its own classes into the fixtures."""
    seen = dumped = 0
    for path in sorted(samples.FIXTURES.glob("*/*.json")):
        config = json.loads(path.read_text("utf-8"))
        if not isinstance(config, dict) or not str(config.get("keras_version")).startswith("2."):
            continue
        assert marked(config) is config or path.parent.name in ("own_classes", "old_layers"), path
        dumped += is_dumped(config)
        for entry in config.get("config", {}).get("layers", []) if isinstance(config.get("config"), dict) else []:
            seen += 1
            assert not is_unlike(entry["class_name"], entry["config"]), (path, entry["class_name"])
    assert (seen > 20, dumped > 5) == (True, True)
