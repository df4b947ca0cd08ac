"""Own layers that are called as something else of Keras 3 is: an operation, a metric, an optimizer."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.errors import ConversionError
from ckpttool.model.buildability import buildability_of_keras
from ckpttool.model.buildability.lookup import is_of_keras
from tests.live import keras

NAMES = ("Inner", "Norm", "Mean", "Loss", "Adam", "L2")
X = np.arange(8, dtype="float32").reshape(2, 4)


def own_class(name: str) -> Any:
    """A layer that multiplies what it is given."""

    def build(self: Any, shape: Any) -> None:
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="uniform")

    cls = type(name, (keras().layers.Layer,), {"build": build, "call": lambda self, x: x * self.scale})
    cls.__module__ = "models_of_someone"
    return cls


def predicted(path: Path, name: str, own: Any) -> Any:
    """The predictions of the converted file in Keras, which is given the class."""
    target = path.with_name("new.keras")
    convert(path, target)
    return keras().models.load_model(target, custom_objects={name: own})(X)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_of_keras_3(name: str, tmp_path: Path) -> None:
    """A legacy file says of a class its name alone, which Keras looks up among the user's classes and the layers."""
    own, path = own_class(name), tmp_path / "old.h5"
    first = keras().Input((4,))
    model = keras().Model(first, own(name="one")(keras().layers.Dense(3)(first)))
    model.save(path)
    assert np.allclose(predicted(path, name, own), model(X))


@pytest.mark.parametrize("name", NAMES)
def test_of_keras_2(name: str, tmp_path: Path) -> None:
    """So do the files of Keras 2."""
    path, kernel, scale = tmp_path / "old.h5", np.full((4, 3), 0.5, "float32"), np.float32([1, 2, 3])
    dense = {"name": "dense", "trainable": True, "batch_input_shape": [None, 4], "units": 3, "activation": "linear"}
    layers = [("Dense", {**dense, "use_bias": False}), (name, {"name": "one", "trainable": True, "dtype": "float32"})]
    entries = [{"class_name": class_name, "config": config} for class_name, config in layers]
    write(path, {"name": "model", "layers": entries}, {"dense": {"kernel": kernel}, "one": {"scale": scale}})
    assert np.allclose(predicted(path, name, own_class(name)), X @ kernel * scale)


def test_a_model_that_holds_a_normalization(tmp_path: Path) -> None:
    """A model as a layer, all of whose weights are stored under its name, is one that holds layers."""
    path, names = tmp_path / "old.h5", ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    dense = {"name": "dense", "trainable": True, "batch_input_shape": [None, 3], "units": 3, "use_bias": False}
    entries = [{"class_name": "Dense", "config": dense}, {"class_name": "Inner", "config": {"name": "inner"}}]
    kernel = np.ones((3, 3), "float32")
    weights = {"dense": {"kernel": kernel}, "inner": dict.fromkeys(names, kernel[0]) | {"kernel": kernel}}
    write(path, {"name": "model", "layers": entries}, weights)
    with pytest.raises(ConversionError, match="Inner of your own, which has layers"):
        convert(path, tmp_path / "new.keras")


def write(path: Path, config: dict[str, Any], weights: dict[str, dict[str, Any]]) -> None:
    """A whole Sequential model of Keras 2.15."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        groups = file.create_group("model_weights")
        groups.attrs["layer_names"] = [layer.encode() for layer in weights]
        groups.attrs["keras_version"], groups.attrs["backend"] = "2.15.0", "tensorflow"
        for layer, arrays in weights.items():
            group = groups.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in arrays]
            for name, value in arrays.items():
                group[f"{layer}/{name}:0"] = value


def in_sequential(entry: dict[str, Any]) -> dict[str, Any]:
    """A model of a layer."""
    first = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4]}}
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "model", "layers": [first, entry]}}


def test_a_registered_name_without_a_module() -> None:
    """Keras looks up a registered name among the user's classes, even one that its own layer has."""
    own: Any = own_class("Add")
    entry = {"module": None, "class_name": "Add", "config": {"name": "one"}, "registered_name": "Add"}
    model = keras().saving.deserialize_keras_object(in_sequential(entry), custom_objects={"Add": own})
    assert isinstance(model.layers[0], own)
    answer = buildability_of_keras(in_sequential(entry))
    assert answer.obstacles == ()
    assert [own_object.name for own_object in answer.unknown] == ["Add"]


@pytest.mark.parametrize(
    ("name", "config", "is_keras"),
    [
        ("Mean", {"name": "mean", "axis": None, "keepdims": False}, True),
        ("Mean", {"name": "mean", "trainable": True, "dtype": "float32"}, False),
        ("Norm", {"name": "norm", "units": 3}, False),
        ("Adam", {"name": "adam"}, False),
        ("LayerScale", {"name": "scale", "trainable": True}, True),
        ("TFOpLambda", {"name": "op"}, True),
        ("Patches", {"name": "patches"}, False),
    ],
)
def test_what_is_meant(name: str, config: dict[str, Any], is_keras: bool) -> None:
    """The config of an operation says nothing of being trainable, and has no arguments but its own."""
    assert is_of_keras(name, config) == is_keras
