"""The facts that `info` shows beyond the truth of the fixtures: compile settings, companions, odd files."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ckpttool
from ckpttool.inspection.info import Info, describe, setting_text
from tests.samples import FIXTURES, keras_like


def info(path: Path) -> Info:
    """The info on a checkpoint."""
    with ckpttool.open(path) as checkpoint:
        return describe(checkpoint)


def with_compile(tmp_path: Path, compiled: Any) -> Info:
    """The compile settings that are shown of a `.keras` with a certain compile_config."""
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": []}, "compile_config": compiled}
    return info(keras_like(tmp_path / "m.keras", config=json.dumps(config).encode()))


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        (None, ""),
        ("mse", "mse"),
        (["mae", "mse"], "mae, mse"),
        ([["mae"], None, ["acc"]], "mae, acc"),
        ({"out": "mse", "aux": None}, "out: mse"),
        ({"class_name": "MeanSquaredError", "config": {"name": "mean_squared_error"}}, "mean_squared_error"),
        ({"class_name": "Custom", "config": {}}, "Custom"),
        ({"class_name": "function", "config": "sparse_crossentropy"}, "sparse_crossentropy"),
        ([0.5, 2], "0.5, 2"),
        ({"class_name": 3}, "class_name: 3"),
    ],
)
def test_short(setting: Any, shown: str) -> None:
    """Settings of `compile` are told in a few words."""
    assert setting_text(setting) == shown


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["class_name", "config", "name", "a"]), inner, max_size=3)
        ),
        max_leaves=20,
    )
)
def test_short_of_junk(setting: Any) -> None:
    """A setting of any shape is told in a text, and never raises."""
    assert isinstance(setting_text(setting), str)


def test_compile_settings() -> None:
    """Loss and metrics are told where the model was compiled."""
    assert info(FIXTURES / "keras3/nested.keras").compiled == {"loss": "mse", "metrics": "mae"}
    assert info(FIXTURES / "keras3/cnn.keras").compiled == {}
    assert info(FIXTURES / "keras2.15/mlp.h5").compiled["loss"] == "mse"


@pytest.mark.parametrize(
    "compiled", [None, [], "x", {"optimizer": 3}, {"optimizer": None}, {"optimizer": []}, {"loss": {}}]
)
def test_odd_compile_config(compiled: Any, tmp_path: Path) -> None:
    """A compile_config of any shape leaves the rest of the description alone; state is found without it."""
    description = with_compile(tmp_path, compiled)
    assert description.optimizer is not None
    assert (description.optimizer.class_name, description.optimizer.iteration, description.optimizer.weights) == (
        None,
        2,
        10,
    )


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_iterations_of_every_backend(dtype: str, tmp_path: Path) -> None:
    """JAX and PyTorch count them in 32 bits."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((2, 2), "float32")
        file["optimizer/vars/0"] = np.array(7, dtype)
        file["optimizer/vars/1"] = np.array(0.5, "float32")
    description = info(path).optimizer
    assert description is not None
    assert (description.iteration, description.learning_rate) == (7, 0.5)


def test_steps_of_a_scaled_optimizer(tmp_path: Path) -> None:
    """A LossScaleOptimizer counts no steps and has no learning rate of its own, in whatever order the state is."""
    with ckpttool.open(FIXTURES / "keras3/mixed_float16.keras") as checkpoint:
        turned = replace(checkpoint, weights=dict(reversed(checkpoint.weights.items())))
        for description in (describe(checkpoint).optimizer, describe(turned).optimizer):
            assert description is not None
            assert (description.iteration, description.learning_rate) == (2, pytest.approx(0.1))
    names = [f"scaled/{name}" for name in ("iteration", "learning_rate", "step_counter", "dynamic_scale")]
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = np.array([], "S1")
        state = file.create_group("optimizer_weights")
        state.attrs["weight_names"] = [*names, "adam/iteration", "adam/learning_rate"]
        for name, number in zip(
            [*names, "adam/iteration", "adam/learning_rate"], (0, 0.0, 3, 8.0, 3, 0.25), strict=True
        ):
            state[name] = np.asarray(number, "int64" if isinstance(number, int) else "float32")
    stored = info(path).optimizer
    assert stored is not None
    assert (stored.iteration, stored.learning_rate) == (3, 0.25)


@pytest.mark.parametrize(
    ("optimizer", "class_name"),
    [
        ("adam", "adam"),
        ({"class_name": "Adam", "config": {"learning_rate": 0.5}}, "Adam"),
        ({"class_name": "Addons>AdamW", "config": {"lr": 0.5}}, "AdamW"),
        ({"class_name": 3, "config": []}, None),
    ],
)
def test_optimizer_class(optimizer: Any, class_name: str | None, tmp_path: Path) -> None:
    """The class of the optimizer is told without its package; the state's learning rate goes before the config's."""
    description = with_compile(tmp_path, {"optimizer": optimizer}).optimizer
    assert description is not None
    assert description.class_name == class_name
    assert description.learning_rate_from == "state"
    assert description.learning_rate == pytest.approx(0.01, rel=1e-6)


def test_dtypes_and_totals() -> None:
    """Dtypes are counted in parameters of the model, the most first."""
    description = info(FIXTURES / "keras2.15/wrappers.h5")
    assert list(description.dtypes.items()) == [("float32", 496), ("int64", 1)]
    assert {section.value: total.params for section, total in description.totals.items()} == {"model": 497}


def test_layers() -> None:
    """Layers are counted by the config, nested ones included, else by what the file lists, else not at all."""
    assert info(FIXTURES / "keras3/nested.keras").layers == 15
    assert info(FIXTURES / "keras2.15/mlp_weights.h5").layers == 2
    assert info(FIXTURES / "keras3/mlp.weights.h5").layers is None


def test_files() -> None:
    """Members of an archive or a directory, and the shards of an index, are listed."""
    assert set(info(FIXTURES / "keras3/mlp.keras").files) == {"metadata.json", "config.json", "model.weights.h5"}
    assert set(info(FIXTURES / "keras3/mlp_dir").files) >= {"metadata.json", "config.json", "model.weights.h5"}
    assert len(info(FIXTURES / "keras3/sharded/sharded.weights.json").files) == 4
    assert any(name.startswith("assets") for name in info(FIXTURES / "keras3/lookup.keras").files)


def test_companion() -> None:
    """An architecture beside weights is found by its name, and guessed only where names are alike."""
    assert info(FIXTURES / "keras0.3/cnn_weights.hdf5").companion == FIXTURES / "keras0.3/cnn.json"
    assert info(FIXTURES / "keras3/mlp.weights.h5").companion is None
    assert info(FIXTURES / "keras2.15/mlp.h5").companion is None  # its architecture is inside


def test_companion_fits(tmp_path: Path) -> None:
    """An architecture whose weights others are is not named, however alike its name is."""
    shutil.copy(FIXTURES / "keras2.15/mlp_weights.h5", tmp_path / "net_weights.h5")
    (tmp_path / "net_model.json").write_bytes((FIXTURES / "keras2.2/nested.json").read_bytes())
    assert info(tmp_path / "net_weights.h5").companion is None
    (tmp_path / "net_arch.json").write_bytes((FIXTURES / "keras2.15/mlp.json").read_bytes())
    assert info(tmp_path / "net_weights.h5").companion == tmp_path / "net_arch.json"


def test_models_of_own_classes(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A whole model of a subclass is not said to have no layers, nor to store weights only."""
    config = b'{"module": "mine", "class_name": "MyModel", "config": {}, "registered_name": "mine>MyModel"}'
    path = keras_like(tmp_path / "m.keras", config=config)
    assert info(path).layers is None
    assert "layers           not listed: the model is of a class of your own" in run("info", path).out
    refused = run("convert", path, tmp_path / "other.h5").err
    assert "stores a model of class MyModel" in refused
    assert "weights only" not in refused


def test_who_opens_it(run: Callable[..., Any]) -> None:
    """A whole model of Keras 3 is said to need it, with the way for its weights into Keras 2; no other is."""
    assert info(FIXTURES / "keras3/mlp.keras").needs_keras_3
    assert info(FIXTURES / "keras3/cnn.h5").needs_keras_3
    for name in ("keras3/mlp.weights.h5", "keras2.15/mlp.keras", "keras2.15/mlp.h5", "keras1.2/mlp.h5"):
        assert not info(FIXTURES / name).needs_keras_3, name
    assert "needs            Keras 3" in run("info", FIXTURES / "keras3/mlp.keras").out


MLP = (FIXTURES / "keras2.15/mlp.json").read_text()


@pytest.mark.parametrize(
    ("name", "content", "is_companion"),
    [
        ("model.json", MLP, True),
        ("model_architecture.json", MLP, True),
        ("model.yaml", MLP, True),
        ("model.json", '{"weight_map": {"/layers/a/vars": 1}}', False),
        ("model.json", "", False),
        ("other_thing.json", MLP, False),
        ("model.txt", MLP, False),
    ],
)
def test_companion_by_content(name: str, content: str, is_companion: bool, tmp_path: Path) -> None:
    """A companion has a name like that of the weights and is a config that fits."""
    shutil.copy(FIXTURES / "keras3/mlp.weights.h5", tmp_path / "model.weights.h5")
    (tmp_path / name).write_text(content)
    assert info(tmp_path / "model.weights.h5").companion == (tmp_path / name if is_companion else None)


def test_describing_reads_scalars_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all arrays, only the optimizer's scalars are read."""
    from ckpttool.checkpoint import Weight

    read, seen = Weight.read, []
    monkeypatch.setattr(Weight, "read", lambda self: seen.append(self.shape) or read(self))
    info(FIXTURES / "keras3/mlp.keras")
    assert seen == [(), ()]
