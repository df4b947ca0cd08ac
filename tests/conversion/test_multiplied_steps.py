"""Steps of training of weights that were multiplied for hard_sigmoid, of optimizers that have not begun, too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.conversion.options import Options
from tests.conversion.judge import measured
from tests.conversion.test_anchors import Layer, dense, legacy, recurrent
from tests.conversion.test_regularizers import INPUTS, TARGETS
from tests.live import keras

OPTIMIZERS = [("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.01})]


def training(class_name: str, config: dict[str, Any]) -> str:
    """Compile settings as Keras 2 wrote them."""
    return json.dumps({"optimizer_config": {"class_name": class_name, "config": config}, "loss": "mse", "metrics": []})


def lost(source: Path, target: Path, **options: Any) -> list[str]:
    """The losses of a conversion that speak of steps of multiplied weights."""
    losses = convert(source, target, options=Options(**options)).losses
    return [loss.what for loss in losses if "before a hard_sigmoid are multiplied" in loss.what]


def stepped(path: Path) -> Any:
    """The predictions of a converted model after one step of training."""
    if "hard" in path.name:
        import ckpttool.old_activations  # noqa: F401 - registers the old function
    model = keras().models.load_model(path)
    model.run_eagerly = True
    model.train_on_batch(INPUTS, TARGETS)
    return model.predict(INPUTS, verbose=0)


@pytest.mark.parametrize(("class_name", "config"), OPTIMIZERS, ids=["sgd", "momentum", "adam"])
@pytest.mark.parametrize("trainable", [True, False])
def test_keras_steps_otherwise_where_it_is_said(
    class_name: str, config: dict[str, Any], trainable: bool, tmp_path: Path
) -> None:
    """One step with the old function and the weights as they were gives the same exactly where nothing is said."""
    layers = [dense(4, 3, activation="hard_sigmoid", trainable=trainable), dense(2, 4)]
    settings = training(class_name, config)
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), training_config=settings, keras_version="2.2.4")
    announced = lost(source, tmp_path / "new.keras")
    assert not lost(source, tmp_path / "hard.keras", keep_weights=True)
    same = np.allclose(stepped(tmp_path / "new.keras"), stepped(tmp_path / "hard.keras"), atol=1e-6)
    assert bool(announced) is trainable is not same
    assert all("further training of l0 is" in loss for loss in announced)


@pytest.mark.parametrize(
    "layer",
    [
        recurrent("LSTM", 2, recurrent_activation="hard_sigmoid"),
        recurrent("GRU", 2, recurrent_activation="hard_sigmoid"),
    ],
    ids=["LSTM", "GRU"],
)
def test_of_gates(layer: Layer, tmp_path: Path) -> None:
    """A recurrent layer is named once, whichever of its gates were multiplied; a model that is not compiled never."""
    settings = training("Adam", {"lr": 0.01})
    source = legacy(tmp_path / "old.h5", layer, shape=(None, 4, 2), training_config=settings, keras_version="2.2.4")
    assert len(lost(source, tmp_path / "new.keras")) == 1
    assert not lost(legacy(tmp_path / "plain.h5", layer, shape=(None, 4, 2)), tmp_path / "plain.keras")


@pytest.mark.parametrize("regularizer", [None, "l2"])
def test_of_regularizers(regularizer: str | None, tmp_path: Path) -> None:
    """The loss that live Keras 3 measures is another one where it is said."""
    l2 = {"class_name": "L2", "config": {"l2": 0.1}}
    layers = [dense(4, 3, activation="hard_sigmoid", kernel_regularizer=regularizer and l2), dense(2, 4)]
    settings = training("SGD", {"lr": 0.1})
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), training_config=settings, keras_version="2.15.0")
    losses = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    convert(source, tmp_path / "hard.keras", options=Options(keep_weights=True))
    import ckpttool.old_activations  # noqa: F401 - registers the old function

    new, old = (
        measured(keras().models.load_model(tmp_path / f"{name}.keras"), INPUTS, TARGETS) for name in ("new", "hard")
    )
    announced = any("the regularizers of l0 count the multiplied weights" in loss for loss in losses)
    assert announced is bool(regularizer) is not np.allclose(new, old, atol=1e-5)
