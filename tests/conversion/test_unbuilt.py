"""Sequential models of Keras 2.2.4 whose files state no shape of an input: `InputLayer` was left out of the config."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.errors import ConversionError
from tests.live import keras


def written(path: Path, *first: str) -> Path:
    """A model as Keras 2.2.4 wrote `Sequential([InputLayer((3,)), ..., Dense(2)])`."""
    layers = [{"class_name": "Activation", "config": {"name": name, "activation": "relu"}} for name in first]
    dense = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "linear", "use_bias": True}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [*layers, dense]}}
    with h5py.File(path, "w") as file:
        file.attrs.update({"keras_version": "2.2.4", "backend": "tensorflow", "model_config": json.dumps(config)})
        group = file.create_group("model_weights")
        group.attrs.update({"keras_version": "2.2.4", "backend": "tensorflow"})
        group.attrs["layer_names"] = [name.encode() for name in (*first, "d")]
        for name in first:
            group.create_group(name).attrs["weight_names"] = np.zeros(0)
        own = group.create_group("d")
        own.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        own["d/kernel:0"], own["d/bias:0"] = np.ones((3, 2), "float32"), np.ones(2, "float32")
    return path


@pytest.mark.parametrize("first", [(), ("a",)])
def test_refused_before_it_is_written(tmp_path: Path, first: tuple[str, ...]) -> None:
    """A whole model is refused, with what to do; its weights alone are converted."""
    source = written(tmp_path / "s.h5", *first)
    with pytest.raises(ConversionError) as caught:
        ckpttool.convert(source, tmp_path / "s.keras")
    assert [refusal.where for refusal in caught.value.refusals] == ["s"]
    assert "has no shape of its input" in caught.value.refusals[0].what
    assert not (tmp_path / "s.keras").exists()
    assert ckpttool.convert(source, tmp_path / "s.weights.h5").losses == ()


def test_a_first_model_has_the_shape(tmp_path: Path) -> None:
    """TensorFlow 1.15 and 2.0 wrote the shape of the input among the arguments of a Sequential that is the first layer:
    the model is built by it."""
    source = written(tmp_path / "s.h5")
    with h5py.File(source, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        inner = {"name": "i", "layers": config["config"]["layers"], "batch_input_shape": [None, 3]}
        config["config"]["layers"] = [{"class_name": "Sequential", "config": inner}]
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.2.4-tf"
        group = file["model_weights"]
        group.attrs["layer_names"] = [b"i"]
        group.move("d", "i")
    ckpttool.convert(source, tmp_path / "s.keras")
    with ckpttool.open(tmp_path / "s.keras") as checkpoint:
        first = checkpoint.config["config"]["layers"][0]
    assert first["class_name"] == "InputLayer"
    assert first["config"]["batch_shape"] == [None, 3]
    model = keras().models.load_model(tmp_path / "s.keras")
    assert model.predict(np.ones((2, 3)), verbose=0).tolist() == [[4.0, 4.0], [4.0, 4.0]]
