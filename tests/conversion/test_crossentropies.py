"""Crossentropies of a softmax and of a sigmoid: measured as old Keras did, or convert says that it is not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool import CheckpointError
from ckpttool.conversion import convert
from tests.conversion.judge import measured
from tests.conversion.test_anchors import Layer, dense, legacy
from tests.live import keras

INPUTS = np.random.default_rng(3).normal(size=(5, 3)).astype("float32")
TARGETS = np.random.default_rng(4).dirichlet([1, 1], 5).astype("float32")
SGD = {"class_name": "SGD", "config": {"lr": 0.01, "momentum": 0.0, "decay": 0.0, "nesterov": False}}

TAILS: dict[str, Any] = {
    "Dense": lambda activation: [dense(2, 3, activation=activation)],
    "Activation": lambda activation: [dense(2, 3), ("Activation", {"activation": activation}, {})],
    "Dropout behind": lambda activation: [dense(2, 3, activation=activation), ("Dropout", {"rate": 0.5}, {})],
    "noise behind": lambda activation: [dense(2, 3, activation=activation), ("GaussianNoise", {"stddev": 0.5}, {})],
    "linear behind": lambda activation: [
        dense(2, 3, activation=activation),
        ("Activation", {"activation": "linear"}, {}),
        ("ActivityRegularization", {"l1": 0.0, "l2": 0.0}, {}),
    ],
    "Reshape behind": lambda activation: [
        dense(2, 3, activation=activation),
        ("Reshape", {"target_shape": [2]}, {}),
    ],
}


def by_probabilities(loss: str, answer: np.ndarray) -> float:
    """A loss by what came out of the model, as backend/tensorflow_backend.py of Keras 2.2.4 works it out."""
    probabilities = answer.astype("float64")
    if loss == "binary_crossentropy":
        return float(np.mean(-(TARGETS * np.log(probabilities) + (1 - TARGETS) * np.log(1 - probabilities))))
    probabilities = probabilities / probabilities.sum(-1, keepdims=True)
    return float(np.mean(-(TARGETS * np.log(probabilities)).sum(-1)))


def compiled(path: Path, layers: list[Layer], loss: Any, version: str) -> Path:
    """A file of a model that was compiled with a loss by a Keras of this version."""
    training = json.dumps({"optimizer_config": SGD, "loss": loss, "metrics": []})
    return legacy(path, *layers, shape=(None, 3), training_config=training, keras_version=version)


@pytest.mark.parametrize("loss", ["binary_crossentropy", "categorical_crossentropy"])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("tail", TAILS)
def test_keras_3_measures_as_before_or_convert_says_so(loss: str, activation: str, tail: str, tmp_path: Path) -> None:
    """Losses and metrics of a converted model are those of the old one, exactly where no loss is announced."""
    source = compiled(tmp_path / "old.h5", TAILS[tail](activation), loss, "2.2.4")
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    model = keras().models.load_model(tmp_path / "new.keras")
    loss_now, *_ = measured(model, INPUTS, TARGETS)
    expected = by_probabilities(loss, np.asarray(model(INPUTS)))
    assert (abs(loss_now - expected) < 1e-5) == (not lost), (loss_now, expected, lost)


@pytest.mark.parametrize("metric", ["binary_crossentropy", "categorical_crossentropy"])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("tail", ["Dense", "Dropout behind", "Reshape behind"])
def test_metrics_are_measured_as_before_or_convert_says_so(
    metric: str, activation: str, tail: str, tmp_path: Path
) -> None:
    """A crossentropy as a metric is computed of the same tensors as a loss."""
    training = json.dumps({"optimizer_config": SGD, "loss": "mse", "metrics": [metric]})
    layers = TAILS[tail](activation)
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), training_config=training, keras_version="2.2.4")
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    model = keras().models.load_model(tmp_path / "new.keras")
    _, metric_now = measured(model, INPUTS, TARGETS)
    expected = by_probabilities(metric, np.asarray(model(INPUTS)))
    assert (abs(metric_now - expected) < 1e-5) == (not lost), (metric_now, expected, lost)


@pytest.mark.parametrize(
    ("metric", "version", "announced"),
    [  # measured of genuine 2.4 and 2.15
        ("binary_crossentropy", "2.2.4-tf", True),
        ("binary_crossentropy", "2.4.0", False),
        ("binary_crossentropy", "2.15.0", False),
        ({"class_name": "MeanMetricWrapper", "config": {"fn": "binary_crossentropy"}}, "2.3.0-tf", True),
        ({"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}, "2.3.0-tf", True),
        ({"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}, "2.15.0", False),
    ],
)
def test_metrics_carry_their_logits_since_tensorflow_2_3(
    metric: Any, version: str, announced: bool, tmp_path: Path
) -> None:
    """Metrics carry logits as losses do."""
    training = json.dumps({"optimizer_config": SGD, "loss": "mse", "metrics": [metric]})
    layers = [dense(2, 3, activation="softmax")]
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), training_config=training, keras_version=version)
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert [text.startswith("the metric ") for text in lost] == [True] * announced, lost


@pytest.mark.parametrize(
    ("activation", "loss", "version", "is_loss"),
    [
        ("softmax", "binary_crossentropy", "1.2.2", True),
        ("softmax", "binary_crossentropy", "2.2.4-tf", True),
        ("softmax", "binary_crossentropy", "2.4.0", False),
        ("softmax", "binary_crossentropy", "2.15.0", False),
        ("sigmoid", "sparse_categorical_crossentropy", "2.1.0", True),
        ("sigmoid", {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}, "2.2.4-tf", True),
        ("sigmoid", {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}, "2.4.0", False),
        ("sigmoid", {"class_name": "BinaryCrossentropy", "config": {"from_logits": False}}, "2.2.4-tf", False),
        ("softmax", "mse", "2.2.4", False),
        # measured of genuine 2.15: 1.68616, where Keras 3 has 1.14636
        ("sigmoid", {"class_name": "SparseCategoricalCrossentropy", "config": {"ignore_class": 1}}, "2.15.0", True),
        ("softmax", {"class_name": "SparseCategoricalCrossentropy", "config": {"ignore_class": 1}}, "2.15.0", False),
        ("sigmoid", {"class_name": "SparseCategoricalCrossentropy", "config": {"ignore_class": None}}, "2.15.0", False),
    ],
)
def test_what_carries_its_logits_since_tensorflow_2_3(
    activation: str, loss: Any, version: str, is_loss: bool, tmp_path: Path
) -> None:
    """Only Keras before 2.4 took what came out, of which the loss is another."""
    source = compiled(tmp_path / "old.h5", [dense(2, 3, activation=activation)], loss, version)
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert any("for logits" in loss for loss in lost) == is_loss, lost


@pytest.mark.parametrize(
    ("activation", "loss", "from_logits", "message"),
    [  # measured of genuine 2.15 and of Keras 3
        ("sigmoid", "BinaryFocalCrossentropy", True, "another number"),  # 0.72747 and 0.30738
        ("sigmoid", "BinaryFocalCrossentropy", False, ""),
        ("linear", "BinaryFocalCrossentropy", False, "not between 0 and 1"),  # 189.36 and 197.89
        ("linear", "BinaryFocalCrossentropy", True, ""),
        ("linear", "BinaryCrossentropy", True, ""),  # 1.67522
        ("softmax", "CategoricalFocalCrossentropy", True, "another number"),  # 1.01940 and 0.18737
        ("softmax", "CategoricalFocalCrossentropy", False, ""),
        ("linear", "CategoricalFocalCrossentropy", True, ""),
    ],
)
def test_focal_crossentropies(activation: str, loss: str, from_logits: bool, message: str, tmp_path: Path) -> None:
    """A focal crossentropy differs of probabilities that are said to be logits, and of numbers beyond 0 and 1."""
    entry = {"class_name": loss, "config": {"from_logits": from_logits}}
    source = compiled(tmp_path / "old.h5", [dense(2, 3, activation=activation)], entry, "2.15.0")
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert (len(lost) == 1 and message in lost[0]) if message else not lost, lost


@pytest.mark.parametrize(("reduction", "is_loss"), [("none", True), ("sum", False), ("auto", False)])
def test_a_loss_of_each_sample(reduction: str, is_loss: bool, tmp_path: Path) -> None:
    """Keras 3 takes the mean of a loss of each sample; measured of genuine 2.15: 1.38248, where Keras 3 has 1.32582."""
    entry = {"class_name": "BinaryCrossentropy", "config": {"reduction": reduction}}
    source = compiled(tmp_path / "old.h5", [dense(2, 3, activation="sigmoid")], entry, "2.15.0")
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert any("reduction 'none'" in loss for loss in lost) == bool(lost) == is_loss, lost


@pytest.mark.parametrize(("layer", "is_loss"), [("Dropout", True), ("GaussianDropout", False), ("Reshape", False)])
@pytest.mark.parametrize("version", ["2.4.0", "2.15.0"])
def test_what_hands_on_its_logits_since_tensorflow_2_3(layer: str, is_loss: bool, version: str, tmp_path: Path) -> None:
    """A Dropout of Keras 2.4 to 2.15 gave out a copy, of which the loss took what it is; measured of genuine 2.15:
    1.35405 for a Dropout and 1.24936 for a GaussianDropout, where Keras 3 has 1.24936 for both."""
    config = {"target_shape": [2]} if layer == "Reshape" else {"rate": 0.3}
    layers: list[Layer] = [dense(2, 3, activation="softmax"), (layer, config, {})]
    source = compiled(tmp_path / "old.h5", layers, "binary_crossentropy", version)
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert any("for logits when it evaluates" in loss for loss in lost) == is_loss, lost


@pytest.mark.parametrize(("version", "added"), [("2.2.4", 0.0), ("2.2.4-tf", 1e-7), ("2.15.0", 1e-7)])
@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid"])
def test_answers_beyond_0_and_1(version: str, added: float, activation: str, tmp_path: Path) -> None:
    """TensorFlow's Keras 2 cut answers and added the number that it cut by (`binary_crossentropy` of
    keras/src/backend.py, 2.15); Keras 3 measures the same exactly where nothing is said to be lost."""
    source = compiled(tmp_path / "old.h5", [dense(2, 3, activation=activation)], "binary_crossentropy", version)
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    model = keras().models.load_model(tmp_path / "new.keras")
    loss_now, *_ = measured(model, INPUTS, TARGETS)
    least = np.float32(1e-7)
    cut = np.clip(np.asarray(model(INPUTS)), least, 1 - least)
    old = np.mean(-(TARGETS * np.log(cut + np.float32(added)) + (1 - TARGETS) * np.log(1 - cut + np.float32(added))))
    if activation != "sigmoid":
        assert {least, 1 - least} & set(cut.ravel())
    assert (abs(loss_now - old) < 1e-5) == (not lost), (loss_now, old, lost)


@pytest.mark.parametrize(
    ("loss", "version", "is_loss"),
    [
        ("binary_crossentropy", "2.4.0", True),  # measured of genuine 2.4 and 2.6: 0.86788, where Keras 3 has 0.74661
        ("binary_crossentropy", "2.13.1", True),
        ("binary_crossentropy", "2.15.0", False),  # measured of genuine 2.15: 1.24936, as Keras 3 has
        ("categorical_crossentropy", "2.4.0", False),
        ({"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}, "2.6.0", True),
        ({"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}, "2.15.0", False),
    ],
)
def test_layer_softmax(loss: Any, version: str, is_loss: bool, tmp_path: Path) -> None:
    """The output of the layer Softmax carries its logits since Keras 2.14 alone."""
    source = compiled(tmp_path / "old.h5", [dense(2, 3), ("Softmax", {"axis": -1}, {})], loss, version)
    lost = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert any("for logits" in loss for loss in lost) == is_loss, lost


@pytest.mark.parametrize(
    "activation", [{"class_name": "Custom>mine", "config": "mine"}, {"class_name": "relu"}, ["relu"], 3]
)
def test_activations_that_are_no_names(activation: Any, tmp_path: Path) -> None:
    """An activation that a config spells out as an object is not taken for one of Keras's own."""
    source = compiled(tmp_path / "old.h5", [dense(2, 3, activation=activation)], "categorical_crossentropy", "2.2.4")
    with pytest.raises(CheckpointError):
        convert(source, tmp_path / "new.keras")
