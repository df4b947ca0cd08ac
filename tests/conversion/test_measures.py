"""Metrics that Keras 3 measures otherwise than Keras 2.15, or not at all: said, and no other is."""

from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.journal import Journal
from tests.live import keras

SGD = {"class_name": "SGD", "config": {"name": "SGD", "learning_rate": 0.5}}
SPARSE = "sparse_categorical_crossentropy"
DENSE = {"class_name": "CategoricalCrossentropy", "config": {"from_logits": False}}
BOTH = {"num_classes": 3, "target_class_ids": [0, 2]}
MEAN = {"num_classes": 3}
LEFT_OUT = "raises an error in evaluate"


def converted(loss: Any, name: str, config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings of a model with one metric, and what is lost of them."""
    journal = Journal()
    training = {"optimizer_config": SGD, "loss": loss, "metrics": [{"class_name": name, "config": config}]}
    settings = compile_config(training, "2.15.0", [("dense", "dense")], journal)
    assert settings is not None
    return settings, [loss.what for loss in journal.losses]


@pytest.mark.parametrize(
    ("loss", "name", "config", "message"),
    [  # measured of genuine 2.15, which gives a number for each
        (SPARSE, "SparseCategoricalCrossentropy", {"ignore_class": 1}, "counts samples of that class as 0"),
        (SPARSE, "SparseCategoricalCrossentropy", {"ignore_class": None}, ""),
        (SPARSE, "MeanIoU", {**MEAN, "ignore_class": 1}, LEFT_OUT),
        (SPARSE, "MeanIoU", {**MEAN, "ignore_class": 1, "sparse_y_pred": False}, ""),
        (SPARSE, "IoU", {**BOTH, "ignore_class": 0}, LEFT_OUT),
        (SPARSE, "IoU", {**BOTH, "sparse_y_pred": False, "axis": 1}, LEFT_OUT),
        (SPARSE, "IoU", {**BOTH, "sparse_y_pred": False, "axis": -1}, ""),
        (DENSE, "MeanIoU", {**MEAN, "ignore_class": 1}, ""),
        (DENSE, "MeanIoU", {**MEAN, "ignore_class": 1, "sparse_y_true": False}, LEFT_OUT),
        (DENSE, "OneHotIoU", {**BOTH, "ignore_class": 1, "sparse_y_pred": True}, LEFT_OUT),
        (DENSE, "OneHotIoU", {**BOTH, "axis": 1}, LEFT_OUT),
        (DENSE, "OneHotMeanIoU", {**MEAN, "ignore_class": 1, "sparse_y_pred": False}, ""),
        (DENSE, "OneHotMeanIoU", {**MEAN, "axis": 1}, LEFT_OUT),
        (DENSE, "OneHotMeanIoU", {**MEAN, "axis": 0}, ""),
    ],
    ids=str,
)
def test_keras_3_evaluates_what_is_left(loss: Any, name: str, config: dict[str, Any], message: str) -> None:
    """A metric with which Keras 3 raises an error is left out, others stay, and Keras 3 evaluates the model."""
    new_config, lost = converted(loss, name, config)
    assert (len(lost) == 1 and message in lost[0]) if message else not lost, lost
    labels = np.array([[0], [1], [2], [1]], "float32")
    inputs, targets = np.eye(4, 5, dtype="float32"), labels if loss is SPARSE else np.eye(3)[labels[:, 0].astype(int)]
    live = keras()
    model = live.Sequential([live.Input((5,)), live.layers.Dense(3, activation="softmax", name="dense")])
    model.compile_from_config(new_config)
    model.run_eagerly = True  # no graph is traced for one batch
    assert len(model.evaluate(inputs, targets, verbose=0, return_dict=True)) == 1 + (message != LEFT_OUT)


@pytest.mark.parametrize("name", ["MeanIoU", "OneHotMeanIoU"])
@pytest.mark.parametrize("axis", [None, [1], "x", {}, 1e9])
def test_an_axis_that_is_none(name: str, axis: Any) -> None:
    """A config may give anything for an axis; the metric is left out then."""
    config, lost = converted(DENSE, name, {**MEAN, "axis": axis})
    assert (config["metrics"], len(lost)) == ([], 1)


@pytest.mark.parametrize("losses", [["mse", SPARSE], {"a": "mse", "b": SPARSE}, {"b": SPARSE}], ids=str)
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("output", ["a", "b"])
def test_each_output_by_its_own_loss(losses: Any, listed: bool, output: str) -> None:
    """With several losses, the loss of the output says whether it has a number for each class."""
    metric = {"class_name": "MeanIoU", "config": {**MEAN, "ignore_class": 1}}
    by_name = {output: [metric, "crossentropy"]}
    metrics = [by_name.get(name, []) for name in ("a", "b")] if listed else by_name
    training = {"optimizer_config": SGD, "loss": losses, "metrics": metrics}
    journal = Journal()
    config = compile_config(training, "2.15.0", [("a", "a"), ("b", "b")], journal)
    assert config is not None
    left = config["metrics"][["a", "b"].index(output)] if listed else config["metrics"][output]
    assert [entry["class_name"] for entry in left] == (
        ["SparseCategoricalCrossentropy"] if output == "b" else ["MeanIoU"]
    )
    lost = [loss.what for loss in journal.losses if loss.what.startswith("metrics: ")]
    assert len(lost) == 1
    assert (LEFT_OUT in lost[0]) == (output == "b")
