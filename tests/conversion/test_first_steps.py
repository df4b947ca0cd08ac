"""First steps of training after a conversion that the older Keras took otherwise."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.conversion import convert
from tests.conversion.test_anchors import dense, legacy


def settings(class_name: str, **config: Any) -> str:
    """Compile settings as Keras of many backends wrote them."""
    return json.dumps({"optimizer_config": {"class_name": class_name, "config": config}, "loss": "mse", "metrics": []})


@pytest.mark.parametrize(
    ("class_name", "version", "backend", "steps", "announced"),
    [
        ("Adam", "2.2.4", "tensorflow", 0, True),
        ("Adamax", "2.0.9", "tensorflow", 3, True),
        ("Adam", "2.2.4", "tensorflow", 20_000, False),
        ("Adam", "2.2.4", "theano", 0, False),
        ("Adam", "2.3.1", "tensorflow", 0, False),
        ("SGD", "2.2.4", "tensorflow", 0, False),
    ],
)
def test_steps_that_were_counted_by_chance(
    class_name: str, version: str, backend: str, steps: int, announced: bool, tmp_path: Path
) -> None:
    """Of optimizers that divide by the number of the step, as long as that matters, on TensorFlow 1 alone."""
    attributes = {"training_config": settings(class_name, lr=0.01), "keras_version": version, "backend": backend}
    source = legacy(tmp_path / "old.h5", dense(2, 3), shape=(None, 3), **attributes)
    with h5py.File(source, "a") as file:
        group = file.create_group("optimizer_weights")
        names = [f"training/{class_name}/iterations:0", *(f"training/{class_name}/v{at}:0" for at in range(6))]
        group.attrs["weight_names"] = [name.encode() for name in names[: 5 if class_name == "Adamax" else 7]]
        group[names[0]] = np.int64(steps)
        for at, name in enumerate(names[1:]):
            group[name] = np.zeros([(3, 2), (2,)][at % 2] if at < 4 else (1,), "float32")
    losses = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert any("counted a step before or after they took it" in loss for loss in losses) is announced


@pytest.mark.parametrize(("use_ema", "steps", "announced"), [(True, 0, True), (True, 5, False), (False, 0, False)])
def test_moving_averages_of_weights(use_ema: bool, steps: int, announced: bool, tmp_path: Path) -> None:
    """They begin with the weights before the first step in Keras 2.15, with those after it in Keras 3."""
    text = settings("SGD", learning_rate=0.1, use_ema=use_ema, ema_overwrite_frequency=1 if use_ema else None)
    source = legacy(tmp_path / "old.h5", dense(2, 3), shape=(None, 3), training_config=text, keras_version="2.15.0")
    with h5py.File(source, "a") as file:
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [b"SGD/iteration:0", b"SGD/learning_rate:0"]
        group["SGD/iteration:0"], group["SGD/learning_rate:0"] = np.int64(steps), np.float32(0.1)
    losses = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert any("the moving averages of the weights: Keras 2 began" in loss for loss in losses) is announced
