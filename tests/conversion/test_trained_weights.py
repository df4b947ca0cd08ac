"""The weights for which an optimizer has state, and optimizers that have not begun."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.checkpoint import Section
from ckpttool.conversion import Options, convert
from ckpttool.formats import open_checkpoint
from ckpttool.formats.weight_paths import section_of
from tests.conversion.test_lost_and_refused import RESUME, edited
from tests.live import keras


def loaded(path: Path, **options: Any) -> Any:
    """The model as Keras loads it compiled, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return keras().models.load_model(path, **options)


def freeze(config: Any, name: str) -> None:
    """A layer of a Sequential model frozen after the model was compiled."""
    layers = config["config"] if isinstance(config["config"], list) else config["config"]["layers"]
    next(layer for layer in layers if layer["config"]["name"] == name)["config"]["trainable"] = False


def with_state(source: Path, target: Path, state: dict[str, Any]) -> Path:
    """A copy of a legacy file with another state of its optimizer."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        del file["optimizer_weights"]
        group = file.create_group("optimizer_weights")
        for name, value in state.items():
            group[name] = value
        group.attrs["weight_names"] = [name.encode() for name in state]
    return target


def without(source: Path, target: Path, layer: str) -> Path:
    """A copy of a legacy file whose optimizer kept nothing for a layer."""
    with h5py.File(source) as file:
        group = file["optimizer_weights"]
        names = [str(name) if isinstance(name, str) else name.decode() for name in group.attrs["weight_names"]]
        state = {name: group[name][()] for name in names if f"/{layer}/" not in name}
    return with_state(source, target, state)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd", "momentum", "adadelta"])
def test_an_optimizer_that_has_not_begun(name: str, tmp_path: Path) -> None:
    """Keras 2.11 to 2.15 stores its iteration alone, and nothing is lost."""
    source = with_state(RESUME / "keras2.15" / f"{name}.h5", tmp_path / "old.h5", {"iteration:0": np.int64(0)})
    assert convert(source, tmp_path / "new.keras").losses == ()
    model = loaded(tmp_path / "new.keras")
    assert all(not np.any(variable) for variable in map(np.asarray, model.optimizer.variables[2:]))
    model.train_on_batch(np.ones((2, 4), "float32"), np.ones((2, 2), "float32"))


def test_steps_of_which_nothing_is_stored(tmp_path: Path) -> None:
    """The state of an optimizer that took steps, of which nothing is stored, is lost."""
    source = with_state(RESUME / "keras2.15" / "adam.h5", tmp_path / "old.h5", {"iteration:0": np.int64(7)})
    [loss] = convert(source, tmp_path / "new.keras").losses
    assert loss.what == "its state: 7 steps were taken, and nothing is stored of what they left"
    loaded(tmp_path / "new.keras")


@pytest.mark.parametrize("writer", ["keras2.15", "keras2.2"])
@pytest.mark.parametrize("layer", ["zeta", "alpha"])
@pytest.mark.parametrize("name", ["adam", "momentum", "rmsprop"])
def test_a_layer_frozen_after_compile(name: str, layer: str, writer: str, tmp_path: Path) -> None:
    """The state of the other layers is carried, and that the layer was trained before is said."""
    source = edited(RESUME / writer / f"{name}.h5", tmp_path / "old.h5", lambda config: freeze(config, layer))
    whole = convert(RESUME / writer / f"{name}.h5", tmp_path / "whole.keras")
    result = convert(source, tmp_path / "new.keras")
    assert result.losses == whole.losses
    [guess] = [guess for guess in result.guesses if guess not in whole.guesses]
    assert (guess.where, guess.what.startswith(f"layers are frozen ({layer}), and the optimizer")) == (
        "optimizer",
        True,
    )
    new, old = loaded(tmp_path / "new.keras").optimizer, loaded(tmp_path / "whole.keras").optimizer
    stored = {variable.path.rpartition("/")[2]: np.asarray(variable) for variable in old.variables}
    variables = [variable for variable in new.variables if "alpha" in variable.path or "zeta" in variable.path]
    assert variables
    assert not any(layer in variable.path for variable in variables)
    for variable in variables:
        np.testing.assert_array_equal(np.asarray(variable), stored[variable.path.rpartition("/")[2]])
    assert int(new.iterations) == int(old.iterations)


def test_a_layer_set_free_after_compile(tmp_path: Path) -> None:
    """Nothing is stored for it: all begins anew, which is said."""
    source = without(RESUME / "keras2.15" / "adam.h5", tmp_path / "old.h5", "zeta")
    [loss] = convert(source, tmp_path / "new.keras").losses
    assert "arrays for" in loss.what
    assert int(loaded(tmp_path / "new.keras").optimizer.iterations) == 0


def test_weights_that_had_no_gradient(tmp_path: Path) -> None:
    """tf.keras up to 2.10 made what it keeps for a weight at its first gradient, as zeros; so does the converted model,
    and it is said, since these weights may have been frozen as the model was compiled."""
    source = without(RESUME / "keras2.15" / "old_adam.h5", tmp_path / "old.h5", "zeta")
    result = convert(source, tmp_path / "new.keras")
    assert result.losses == ()
    assert any(guess.what.startswith("zeta/kernel, zeta/bias are trained, and the") for guess in result.guesses)
    assert "begin-optimizer-late" in [applied.edit.name for applied in result.edits]
    optimizer = loaded(tmp_path / "new.keras").optimizer
    assert int(optimizer.iterations) == 3
    assert all(np.any(np.asarray(variable)) == ("alpha" in variable.path) for variable in optimizer.variables[2:])


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_the_optimizer_is_left_out_between_weights(tmp_path: Path) -> None:
    """Weights alone are written without the optimizer where that is asked for, of files without a config too."""
    model = keras().Sequential([keras().Input((3,)), keras().layers.Dense(2)])
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))
    model.save_weights(tmp_path / "all.weights.h5")
    for target in ("new.weights.h5", "new.weights.json"):
        convert(tmp_path / "all.weights.h5", tmp_path / target, options=Options(optimizer=False))
        with open_checkpoint(tmp_path / target) as opened:
            assert [weight.path for weight in opened.values()] == ["layers/dense/vars/0", "layers/dense/vars/1"]


@pytest.mark.parametrize("holder", ["layers", "_layer_checkpoint_dependencies"])
def test_state_of_a_metric_that_a_layer_added(holder: str) -> None:
    """It is state of metrics, as Keras 2.13 stored it below its layer, and no weight of the model."""
    assert section_of((holder, "add_metric", "_metrics", "mean", "vars", "0")) is Section.METRICS
    assert section_of((holder, "dense", "vars", "0")) is Section.MODEL


def functional(path: Path, added: str, **options: Any) -> Path:
    """A whole legacy model of tf.keras 2.10 with a layer that adds to its loss or metrics, as `add_loss` leaves it."""
    ends: dict[str, Any] = {"input_layers": [["x", 0, 0]], "output_layers": [["out", 0, 0]]}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 3]}, "inbound_nodes": []},
        {"class_name": "Dense", "config": {"name": "out", "units": 2}, "inbound_nodes": [[["x", 0, 0, {}]]]},
        {"class_name": added, "config": {"name": "added", **options}, "inbound_nodes": [[["out", 0, 0, {}]]]},
    ]
    for layer in layers:
        layer["name"] = layer["config"]["name"]
    config = {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}
    settings = {"loss": "mse", "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.5}}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["training_config"] = json.dumps(settings)
        file.attrs["keras_version"] = "2.10.0"
        file.attrs["backend"] = "tensorflow"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"x", b"out", b"added"]
        for name in ("x", "added"):
            group.create_group(name).attrs["weight_names"] = np.zeros(0)
        group.create_group("out").attrs["weight_names"] = [b"out/kernel:0", b"out/bias:0"]
        group["out/out/kernel:0"], group["out/out/bias:0"] = np.ones((3, 2), "float32"), np.ones(2, "float32")
    return path


@pytest.mark.parametrize(
    ("added", "options", "message"),
    [
        ("AddLoss", {"unconditional": False}, "the tensor that it added to the loss of the model"),
        ("AddMetric", {"aggregation": "mean", "metric_name": "m"}, "the tensor that it added to the metrics"),
    ],
)
def test_what_a_model_adds_itself(added: str, options: Any, message: str, tmp_path: Path) -> None:
    """It is lost, which is said, and the model computes and trains without it."""
    [loss] = convert(functional(tmp_path / "old.h5", added, **options), tmp_path / "new.keras").losses
    assert (loss.where, loss.what.startswith(message)) == ("added", True)
    model = loaded(tmp_path / "new.keras")
    np.testing.assert_allclose(model.predict_on_batch(np.ones((1, 3), "float32")), [[4.0, 4.0]])
    model.train_on_batch(np.ones((1, 3), "float32"), np.ones((1, 2), "float32"))
