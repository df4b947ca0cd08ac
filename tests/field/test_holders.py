"""Classes of the user's own that hold layers or weights, wrappers, and weights for another architecture."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool import Architecture, verify
from ckpttool.conversion import convert, plan
from tests.corpus import FIELD, needs_field
from tests.live import keras

pytestmark = [needs_field, pytest.mark.filterwarnings("ignore")]


def predicted(model: Any, name: str) -> tuple[Any, Any]:
    """The predictions of a model and those of its writer."""
    with np.load(FIELD / f"{name}.npz") as truth:
        return model.predict(truth["x0"], verbose=0), truth["y0"]


def test_a_class_whose_config_holds_a_layer_is_refused() -> None:
    """The file has one list of weights, of which no port could take them; the way out is named, once a layer."""
    result = plan(FIELD / "c11_tfa_weightnorm.h5", "new.keras")
    assert [refusal.where for refusal in result.refusals] == ["wn_conv", "wn_dense"]
    assert all("--arch package.module:function" in refusal.what for refusal in result.refusals)


def scale() -> Any:
    """The class of c37, ported."""

    class Scale(keras().layers.Layer):  # type: ignore[misc, unused-ignore]
        def __init__(self, by: float = 2.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.by = by

        def build(self, shape: Any) -> None:
            self.w = self.add_weight(name="w", shape=(shape[-1],))

        def call(self, x: Any) -> Any:
            return x * self.w * self.by

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "by": self.by}

    return Scale


@pytest.mark.parametrize("name", ["c37_custom.h5", "c37_custom.keras"])
def test_an_own_class_keeps_its_weights(name: str, tmp_path: Path) -> None:
    """The group of a `.keras` is copied as it is; that a legacy list is the layer's own is a guess."""
    result = convert(FIELD / name, tmp_path / "new.keras")
    assert [guess.where for guess in result.guesses] == (["own classes"] if name.endswith(".h5") else [])
    objects = {"mine>Scale": scale(), "mine>act": lambda x: keras().ops.relu(x) - 0.1}
    model = keras().saving.load_model(tmp_path / "new.keras", custom_objects=objects)
    np.testing.assert_allclose(*predicted(model, "c37_custom"), atol=1e-6)


def test_weights_of_a_parallel_model_go_into_the_single_one(tmp_path: Path) -> None:
    """All stand in one nested model; that it is the architecture is a guess, which names the pattern."""
    result = convert(FIELD / "c02_multi_gpu_weights.h5", tmp_path / "new.keras", arch=FIELD / "c02_single.json")
    assert "multi_gpu_model" in result.guesses[0].what
    model = keras().saving.load_model(tmp_path / "new.keras")
    np.testing.assert_allclose(*predicted(model, "c02_multi_gpu"), atol=1e-6)
    convert(FIELD / "c02_multi_gpu_weights.h5", tmp_path / "again.keras", arch=Architecture.from_model(model))
    model = keras().saving.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(*predicted(model, "c02_multi_gpu"), atol=1e-6)


def parallel(path: Path, **changed: Any) -> Path:
    """The whole file of the parallel model, as `multi_gpu_model` of Keras 2.2.4 makes its config."""
    single = json.loads((FIELD / "c02_single.json").read_text())
    start = {"batch_input_shape": [None, 8, 8, 3], "dtype": "float32", "sparse": False, "name": "conv2d_1_input"}
    slices = [
        {"name": f"lambda_{at + 1}", "arguments": {"i": at, "parts": 2}, "function": ["4wM=", None, None]}
        for at in range(2)
    ]
    layers = [
        ("InputLayer", start, []),
        *(("Lambda", {**lambda_, **changed}, [[["conv2d_1_input", 0, 0, {}]]]) for lambda_ in slices),
        ("Sequential", single["config"], [[["lambda_1", 0, 0, {}]], [["lambda_2", 0, 0, {}]]]),
        ("Concatenate", {"name": "dense_1", "axis": 0}, [[["sequential_1", 1, 0, {}], ["sequential_1", 2, 0, {}]]]),
    ]
    entries = [
        {"class_name": kind, "name": config["name"], "config": config, "inbound_nodes": nodes}
        for kind, config, nodes in layers
    ]
    ends = {"input_layers": [["conv2d_1_input", 0, 0]], "output_layers": [["dense_1", 0, 0]]}
    model = {"class_name": "Model", "config": {"name": "model_1", "layers": entries, **ends}}
    with h5py.File(path, "w") as file, h5py.File(FIELD / "c02_multi_gpu_weights.h5") as weights:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(model), "2.2.4"
        weights.copy(weights, file, "model_weights")
    return path


def test_the_towers_of_a_parallel_model_are_stripped(tmp_path: Path) -> None:
    """The config has the pattern, so that the model inside is no guess; its Lambdas need no function."""
    result = convert(parallel(tmp_path / "old.h5"), tmp_path / "new.keras")
    assert (result.edits[0].edit.name, result.guesses) == ("strip-towers", ())
    model = keras().saving.load_model(tmp_path / "new.keras")
    np.testing.assert_allclose(*predicted(model, "c02_multi_gpu"), atol=1e-6)


def test_other_lambdas_are_no_towers(tmp_path: Path) -> None:
    """Slices that are not those of two devices stay Lambdas, which lack their function."""
    result = plan(parallel(tmp_path / "old.h5", arguments={"i": 0, "parts": 2}), "new.keras")
    assert [refusal.where for refusal in result.refusals] == ["lambda_1", "lambda_2"]


CUDNN = np.random.RandomState(1).uniform(-1, 1, (3, 4, 6, 5))
AS_LSTM = [[0.013019762933254242, 0.28821897506713867]]
"""What Keras 2.2.4 predicts first with c03_plain.json, into which it loaded the weights for cuDNN."""


def test_weights_for_cudnn_go_into_layers_for_any_device(tmp_path: Path) -> None:
    """Of a JSON and of a live model, in Bidirectional, TimeDistributed and a nested model."""
    source = FIELD / "c03_cudnn_weights.h5"
    result = convert(source, tmp_path / "new.keras", arch=FIELD / "c03_plain.json")
    assert [edit.edit.name for edit in result.edits].count("lay-out-cudnn-weights") == 5
    model = keras().saving.load_model(tmp_path / "new.keras")
    np.testing.assert_allclose(model.predict(CUDNN.astype("float32"), verbose=0)[:1], AS_LSTM, atol=1e-6)
    convert(source, tmp_path / "again.keras", arch=Architecture.from_model(model))
    again = keras().saving.load_model(tmp_path / "again.keras")
    assert all(np.array_equal(one, other) for one, other in zip(model.weights, again.weights, strict=True))


def test_verify_judges_weights_for_cudnn_as_keras_2_loads_them() -> None:
    """They fit, and Keras 2 alone builds the architecture, which is said."""
    result = verify(FIELD / "c03_cudnn_weights.h5", FIELD / "c03_plain.json")
    assert (result.failures, result.verdict, len(result.matched)) == ((), "loads", 17)
    assert result.keras == "cannot build"


def test_weights_of_layers_for_any_device_go_into_those_for_cudnn(tmp_path: Path) -> None:
    """Keras 2 loads them there too; the layer that takes the place of the one for cuDNN has them as they are."""
    plain = json.loads((FIELD / "c03_plain.json").read_text())
    convert(FIELD / "c03_cudnn_weights.h5", tmp_path / "plain.keras", arch=FIELD / "c03_plain.json")
    plain_model = keras().saving.load_model(tmp_path / "plain.keras")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        keras().src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, plain_model)
        file.attrs["keras_version"] = "2.2.4"
    (tmp_path / "cudnn.json").write_text(
        json.dumps(plain).replace('"class_name": "LSTM"', '"class_name": "CuDNNLSTM"').replace('"GRU"', '"CuDNNGRU"')
    )
    convert(tmp_path / "plain.h5", tmp_path / "new.keras", arch=tmp_path / "cudnn.json")
    model = keras().saving.load_model(tmp_path / "new.keras")
    assert all(np.array_equal(one, other) for one, other in zip(model.weights, plain_model.weights, strict=True))
