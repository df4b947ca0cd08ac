"""Losses, weights and metrics of outputs in dicts and nested lists: Keras 3 trains with them as 2.15 did."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.conversion import convert
from tests.live import keras

LAYERS = ("al", "be", "ce")
SGD = {"class_name": "SGD", "config": {"name": "SGD", "learning_rate": 0.1}}
METRIC = {"class_name": "MeanMetricWrapper", "config": {"fn": "mean_absolute_error", "name": "be_mae"}}
FLAT = {"z": ["al", 0, 0], "y": ["be", 0, 0]}
NESTED = [["al", 0, 0], [["be", 0, 0], ["ce", 0, 0]]]


def written(path: Path, ends: Any, settings: dict[str, Any]) -> Path:
    """A legacy file of 2.15: Dense layers on one input."""
    start = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "name": "x"}, "name": "x"}
    layers: list[dict[str, Any]] = [{**start, "inbound_nodes": []}]
    for name in LAYERS:
        entry = {"class_name": "Dense", "config": {"name": name, "units": 2}, "name": name}
        layers.append({**entry, "inbound_nodes": [[["x", 0, 0, {}]]]})
    config = {"name": "m", "layers": layers, "input_layers": ["x", 0, 0], "output_layers": ends}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.attrs["training_config"] = json.dumps({"optimizer_config": SGD, **settings})
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"], weights.attrs["keras_version"] = ["x", *LAYERS], "2.15.0"
        weights.attrs["backend"] = "tensorflow"
        weights.create_group("x").attrs["weight_names"] = np.zeros(0)
        for name in LAYERS:
            names = [f"{name}/kernel:0", f"{name}/bias:0"]
            group = weights.create_group(name)
            group.attrs["weight_names"] = [each.encode() for each in names]
            group[names[0]], group[names[1]] = np.ones((3, 2), "f"), np.zeros(2, "f")
    return path


@pytest.mark.filterwarnings("ignore")  # of Keras, for layers that nothing trains
@pytest.mark.parametrize(
    ("weights", "metrics"), [(None, [METRIC]), ({"z": 0.5}, None), ([2.0, 0.5], {"y": [METRIC]})], ids=str
)
@pytest.mark.parametrize(
    ("loss", "trained"),
    [("mse", "zy"), ({"z": "mse"}, "z"), ({"y": "mse", "z": None}, "y"), (["mse", None], "y"), (["mse", "mae"], "zy")],
    ids=str,
)
def test_a_dict_of_outputs(loss: Any, trained: str, weights: Any, metrics: Any, tmp_path: Path) -> None:
    """Keras 3 trains what 2.15 trained (lists go by the keys in order); other names of logs are said."""
    settings = {"loss": loss, "loss_weights": weights, "metrics": metrics}
    source = written(tmp_path / "a.h5", FLAT, settings)
    lost = [remark.what for remark in convert(source, tmp_path / "b.keras").losses]
    assert any("y_loss where older ones had be_loss" in text for text in lost)
    assert any(text.startswith("no loss for the output") for text in lost) == (len(trained) == 1)
    model = keras().models.load_model(tmp_path / "b.keras")
    model.run_eagerly = True
    targets = {key: np.zeros((4, 2), "f") for key in FLAT}
    history = model.fit(np.ones((4, 3), "f"), targets, verbose=0).history
    moved = [key for key in FLAT if not np.all(model.get_layer(FLAT[key][0]).kernel == 1)]
    assert "".join(moved) == trained
    assert ("y_mae" in history) == bool(metrics)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("metrics", [None, [["mae"], [["mse"], []]]], ids=str)
@pytest.mark.parametrize("weights", [None, [2.0, 0.5, 1.0]], ids=str)
def test_nested_outputs(weights: Any, metrics: Any, tmp_path: Path) -> None:
    """Settings with which Keras 3 would raise an error are left out, and announced."""
    settings = {"loss": ["mse", ["mae", "mse"]], "loss_weights": weights, "metrics": metrics}
    source = written(tmp_path / "a.h5", NESTED, settings)
    lost = [remark.what for remark in convert(source, tmp_path / "b.keras").losses]
    left_out = [text.partition(" of nested")[0] for text in lost if "in the nesting" in text]
    assert left_out == ["loss_weights"] * bool(weights) + ["metrics"] * bool(metrics)
    model = keras().models.load_model(tmp_path / "b.keras")
    model.run_eagerly = True
    model.fit(np.ones((4, 3), "f"), [np.zeros((4, 2), "f"), [np.zeros((4, 2), "f")] * 2], verbose=0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loss", ["mse", {"al": "mse"}], ids=str)
def test_a_single_output(loss: Any, tmp_path: Path) -> None:
    """Targets by the name of the output fail in Keras 3, which is announced where settings have it by its name."""
    source = written(tmp_path / "a.h5", [["al", 0, 0]], {"loss": loss, "metrics": None})
    losses = [remark.what for remark in convert(source, tmp_path / "b.keras").losses]
    assert any("the single output al alone" in text for text in losses) is isinstance(loss, dict)
    model = keras().models.load_model(tmp_path / "b.keras")
    model.run_eagerly = True
    model.fit(np.ones((4, 3), "f"), np.zeros((4, 2), "f"), verbose=0)
    with pytest.raises((TypeError, ValueError, KeyError)):
        model.fit(np.ones((4, 3), "f"), {"al": np.zeros((4, 2), "f")}, verbose=0)
