"""Files that Keras 3 is reported not to open, or to open wrongly: each kind is converted and loads, or is refused.

A case is what the reports have in common, built with h5py or taken from the fixtures.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.conversion import Options, convert
from ckpttool.errors import CheckpointError
from tests.live import keras
from tests.samples import FIXTURES

Layer = tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]
GATES = {"LSTM": 4, "GRU": 3}


def legacy(path: Path, *layers: Layer, shape: Any, config: dict[str, Any] | None = None, **attributes: Any) -> Path:
    """A whole-model .h5 of Keras 2 with these layers, in a chain or as `config` has them; weights are random."""
    rng = np.random.default_rng(0)
    entries = [{"class_name": name, "config": {"name": f"l{at}", **own}} for at, (name, own, _) in enumerate(layers)]
    entries[0]["config"]["batch_input_shape"] = list(shape)  # type: ignore[index]
    config = config or {"class_name": "Sequential", "config": {"name": "model", "layers": entries}}
    with h5py.File(path, "w") as file:
        file.attrs.update({"keras_version": "2.11.0", "backend": "tensorflow", "model_config": json.dumps(config)})
        file.attrs.update(attributes)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [f"l{at}".encode() for at in range(len(layers))]
        for at, (_, _, weights) in enumerate(layers):
            own = group.create_group(f"l{at}")
            own.attrs["weight_names"] = [f"l{at}/{name}:0".encode() for name in weights]
            for name, size in weights.items():
                own[f"l{at}/{name}:0"] = rng.normal(size=size).astype("float32")
    return path


def dense(units: int, size: int, **config: Any) -> Layer:
    """A Dense layer."""
    return "Dense", {"units": units, **config}, {"kernel": (size, units), "bias": (units,)}


def recurrent(name: str, size: int, **config: Any) -> Layer:
    """An LSTM or GRU as Keras 2 wrote it."""
    width = 3 * GATES[name]
    bias = (2, width) if config.get("reset_after") else (width,)
    cell = f"{name.lower()}_cell"
    weights = {f"{cell}/kernel": (size, width), f"{cell}/recurrent_kernel": (3, width), f"{cell}/bias": bias}
    return name, {"units": 3, "recurrent_activation": "sigmoid", "activation": "tanh", **config}, weights


def bidirectional(size: int) -> Layer:
    """A Bidirectional LSTM of Keras 2.3, which has LSTM among its arguments with all it was made of."""
    inner = {"class_name": "LSTM", "config": {"name": "lstm", **recurrent("LSTM", size, implementation=2)[1]}}
    weights = {
        f"{way}_lstm/{name}": of for way in ("forward", "backward") for name, of in recurrent("LSTM", size)[2].items()
    }
    return "Bidirectional", {"merge_mode": "concat", "layer": inner}, weights


WINDOW = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "data_format": "channels_last"}
CONVERTED: dict[str, tuple[tuple[Layer, ...], Any]] = {
    "C1 C2 groups of DepthwiseConv2D": (
        (("DepthwiseConv2D", {**WINDOW, "groups": 1}, {"depthwise_kernel": (3, 3, 2, 1), "bias": (2,)}),),
        (None, 5, 5, 2),
    ),
    "C3 kernel_initializer of DepthwiseConv2D": (
        (
            (
                "DepthwiseConv2D",
                {**WINDOW, "kernel_initializer": "he_normal"},
                {"depthwise_kernel": (3, 3, 2, 1), "bias": (2,)},
            ),
        ),
        (None, 5, 5, 2),
    ),
    "C4 C5 groups of Conv2DTranspose": (
        (("Conv2DTranspose", {**WINDOW, "filters": 4, "groups": 1}, {"kernel": (3, 3, 4, 2), "bias": (4,)}),),
        (None, 5, 5, 2),
    ),
    "C6 time_major of GRU": ((recurrent("GRU", 2, time_major=False, reset_after=True),), (None, 5, 2)),
    "C7 C8 time_major of LSTM": ((recurrent("LSTM", 2, time_major=False),), (None, 5, 2)),
    "C9 batch_input_shape of LSTM": ((recurrent("LSTM", 7, stateful=True), dense(1, 3)), (1, 1, 7)),
    "C10 Bidirectional LSTM": ((bidirectional(2), dense(1, 6)), (None, 5, 2)),
    "C11 input_length of Embedding": (
        (("Embedding", {"input_dim": 9, "output_dim": 2, "input_length": 4}, {"embeddings": (9, 2)}),),
        (None, 4),
    ),
    "C40 a shape that is a list": ((dense(3, 7), dense(2, 3)), [None, 7]),
    "C51 hard_sigmoid": ((dense(3, 7, activation="hard_sigmoid"),), (None, 7)),
    "C52 two layers of one class": ((dense(3, 3), dense(3, 3)), (None, 3)),
}


@pytest.mark.parametrize("case", CONVERTED)
def test_converts_and_loads(case: str, tmp_path: Path) -> None:
    """Files that Keras 3 does not open, or opens as another model, convert and load."""
    layers, shape = CONVERTED[case]
    source = legacy(tmp_path / "old.h5", *layers, shape=shape)
    assert convert(source, tmp_path / "new.keras").proved
    model = keras().models.load_model(tmp_path / "new.keras")
    values = np.ones([size or 2 for size in shape], "float32")
    assert np.isfinite(model.predict(values, batch_size=shape[0] or 2, verbose=0)).all()
    with h5py.File(source) as file:
        stored: list[np.ndarray] = []
        file["model_weights"].visititems(
            lambda _, item: stored.append(item) if isinstance(item, h5py.Dataset) else None
        )
        assert sum(item.size for item in stored) == model.count_params()


FILES = {
    "C13 input_dtype of Keras 1": "old_layers/keras1.2/conv1d.h5",
    "C15 C16 the module of Functional": "keras2.15/nested.keras",
    "C17 C18 C19 paths of 2.13": "keras2.13/mlp.keras",
    "C22 weights of a .keras": "keras2.15/cnn.keras",
    "C34 C35 C37 models in models": "keras2.15/nested.h5",
    "C36 models in models of 2.2": "keras2.2/nested.h5",
    "C65 wrappers": "keras2.15/wrappers.h5",
}


@pytest.mark.parametrize("case", FILES)
def test_files_of_genuine_keras_convert_and_load(case: str, tmp_path: Path) -> None:
    """Anchors that the fixtures have already convert; their predictions are in `test_old_models` and the corpus."""
    assert convert(FIXTURES / FILES[case], tmp_path / "new.keras").proved
    keras().models.load_model(tmp_path / "new.keras")


@pytest.mark.parametrize(("name", "suffix"), [("keras2.15/cnn.h5", ".model"), ("keras2.15/cnn.keras", ".h5")])
def test_a_suffix_decides_nothing(name: str, suffix: str, tmp_path: Path) -> None:
    """C23, C31: a file is what its content is."""
    source = shutil.copy(FIXTURES / name, tmp_path / f"old{suffix}")
    assert convert(source, tmp_path / "new.keras").proved


@pytest.mark.parametrize("name", ["model.pkl", "model", "model.keras"])
def test_a_saved_model_is_refused(name: str, tmp_path: Path) -> None:
    """C24 to C30, C32, C33: it is told as what it is, whatever it is called."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    (folder / "variables").mkdir()
    with pytest.raises(CheckpointError, match="SavedModel"):
        convert(folder, tmp_path / "new.keras")


def test_an_empty_path_is_refused(tmp_path: Path) -> None:
    """C29: in words of its own."""
    with pytest.raises(CheckpointError):
        convert(tmp_path, tmp_path.parent / "new.keras")


def graph(*layers: tuple[str, dict[str, Any], list[str]]) -> dict[str, Any]:
    """The config of a Functional model of Keras 2: class, arguments, and the layers before; the last one ends it."""
    entries = []
    for at, (name, config, before) in enumerate(layers):
        nodes = [[[name, 0, 0, {}] for name in before]] if before else []
        entries.append(
            {"class_name": name, "name": f"l{at}", "config": {"name": f"l{at}", **config}, "inbound_nodes": nodes}
        )
    ends = {"input_layers": [["l0", 0, 0]], "output_layers": [[f"l{len(layers) - 1}", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "model", "layers": entries, **ends}}


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concatenate_keeps_its_axis(axis: int, tmp_path: Path) -> None:
    """C50: also where the shapes would fit along another one."""
    start = ("InputLayer", {"batch_input_shape": [None, 3, 3], "dtype": "float32"}, [])
    config = graph(start, ("Concatenate", {"axis": axis}, ["l0", "l0"]))
    layers: list[Layer] = [("InputLayer", {}, {}), ("Concatenate", {}, {})]
    convert(legacy(tmp_path / "old.h5", *layers, shape=(None, 3, 3), config=config), tmp_path / "new.keras")
    wanted = {1: (None, 6, 3), 2: (None, 3, 6), -1: (None, 3, 6)}
    assert keras().models.load_model(tmp_path / "new.keras").output_shape == wanted[axis]


@pytest.mark.parametrize("name", ["Add", "Average", "Concatenate", "Maximum", "Multiply"])
def test_a_layer_that_merges_one_tensor(name: str, tmp_path: Path) -> None:
    """C38: Keras 2 wrote it, and did not read it again."""
    start = ("InputLayer", {"batch_input_shape": [None, 3], "dtype": "float32"}, [])
    layers: list[Layer] = [("InputLayer", {}, {}), (name, {}, {})]
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), config=graph(start, (name, {}, ["l0"])))
    convert(source, tmp_path / "new.keras")
    outputs = keras().models.load_model(tmp_path / "new.keras").predict(np.eye(3), verbose=0)
    np.testing.assert_array_equal(outputs, np.eye(3))


@pytest.mark.parametrize("loss", ["mse", "mae", "mean_squared_error", "categorical_crossentropy"])
def test_compiled_by_names(loss: str, tmp_path: Path) -> None:
    """C56, C57: a loss and metrics told by their short names."""
    settings = {"loss": loss, "metrics": ["mse"], "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.5}}}
    source = legacy(tmp_path / "old.h5", dense(2, 3), shape=(None, 3), training_config=json.dumps(settings))
    convert(source, tmp_path / "new.keras")
    model = keras().models.load_model(tmp_path / "new.keras")
    assert model.compiled
    assert float(model.optimizer.learning_rate) == 0.5
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    """C62 to C64, C67, C68: all that does not fit is named, and nothing is written."""
    weights = legacy(tmp_path / "weights.h5", dense(3, 3), dense(2, 3), shape=(None, 3))
    other = graph(
        ("InputLayer", {"batch_input_shape": [None, 3], "dtype": "float32"}, []),
        ("Dense", {"units": 3}, ["l0"]),
        ("Dense", {"units": 5}, ["l1"]),
    )
    (tmp_path / "other.json").write_text(json.dumps({**other, "keras_version": "2.11.0", "backend": "tensorflow"}))
    with pytest.raises(CheckpointError):
        convert(weights, tmp_path / "new.keras", arch=tmp_path / "other.json")
    assert not (tmp_path / "new.keras").exists()


def test_code_is_refused_and_never_run(tmp_path: Path) -> None:
    """C42 to C49: a Lambda is named, and a function of the user's own takes its place."""
    code = ["4wEAAAA=", None, None]
    layer = ("Lambda", {"function": code, "function_type": "lambda", "output_shape": None, "arguments": {}}, {})
    source = legacy(tmp_path / "old.h5", layer, shape=(None, 3))
    with pytest.raises(CheckpointError, match="l0"):
        convert(source, tmp_path / "new.keras")
    convert(source, tmp_path / "new.keras", options=Options(functions={"l0": "mine:twice"}))
    model = keras().models.load_model(tmp_path / "new.keras", custom_objects={"twice": lambda x: x * 2})
    np.testing.assert_array_equal(model.predict(np.ones((1, 3)), verbose=0), [[2, 2, 2]])


ELSEWHERE = {
    "C53 C73 C74": "test_resume.py::test_the_next_step_is_the_same",
    "C55": "test_semantics.py::test_defaults_that_changed_are_listed",
    "C58 C59 C60 C61": "test_old_layers.py::test_an_own_class_with_weights_of_its_own",
    "C66": "test_old_layers.py::test_an_own_class_that_holds_layers",
}
"""Tests that stand elsewhere already. Not about a file that is converted: C12, C14, C20, C21, C39, C41, C54, C69 to C72
and C75 to C77, which are about other readers, live models, or saving itself."""


@pytest.mark.parametrize("entries", ELSEWHERE)
def test_is_tested_elsewhere(entries: str) -> None:
    """The test that is named is there."""
    module, _, name = ELSEWHERE[entries].partition("::")
    assert f"def {name}(" in (Path(__file__).parent / module).read_text(encoding="utf-8")
