"""The settings that a model was compiled with, as Keras 3 spells them: those that are carried, and losses announced."""

import copy
import math
from typing import Any

import numpy as np
import pytest

from ckpttool.checkpoint import Section, Weight
from ckpttool.conversion.compile.optimizer_scalars import (
    MAX_FACTORS,
    Numbers,
    StateNotConvertible,
    finite,
    number,
    product,
)
from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.journal import Journal
from ckpttool.formats.hdf5.values import InMemory
from tests.live import keras
from tests.speeds import is_full

ONE = [("dense", "dense")]
TWO = [("a/b", "a_b"), ("c", "c")]
SGD = {"class_name": "SGD", "config": {"name": "SGD", "learning_rate": 0.5}}
OF_MANY_BACKENDS = {"class_name": "SGD", "config": {"lr": 0.5}}
RESULT = {
    "module": "keras.optimizers", "class_name": "SGD", "config": {"name": "SGD", "learning_rate": 0.5},
    "registered_name": None,
}  # fmt: skip


def compiled(
    training: dict[str, Any], version: str = "2.15.0", outputs: list[tuple[str, str]] = ONE
) -> tuple[dict[str, Any], list[str]]:
    """The settings for Keras 3 and what is lost; in a full run, a live model of Keras takes them."""
    journal = Journal()
    settings = compile_config({"optimizer_config": SGD, "loss": "mse", **training}, version, outputs, journal)
    if settings and is_full():
        live = keras()
        x = live.Input((3,))
        model = live.Model(x, [live.layers.Dense(2, name=expected)(x) for _, expected in outputs])
        model.compile_from_config(copy.deepcopy(settings))  # which it changes
        assert model.compiled
        if settings["loss"] is not None:
            targets = keras().tree.map_structure(np.zeros_like, predicted := model(np.ones((2, 3))))
            assert np.isfinite(model.compute_loss(np.ones((2, 3)), targets, predicted)).all()
    return settings or {}, [loss.what for loss in journal.losses]


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (None, "an object that cannot be read"),
        (3, "an object that cannot be read"),
        ({"class_name": 3}, "an object that cannot be read"),
        ({"class_name": "Mystery", "config": {}}, "the optimizer Mystery, which is not built into Keras 3"),
        ({"class_name": "mine>SGD", "config": {}}, "mine>SGD, which is not built into Keras 3"),
        ({"class_name": "SGD", "registered_name": "mine>SGD", "config": {}}, "mine>SGD, which is not built"),
        ({"class_name": "SGD", "module": "tensorflow_addons.optimizers", "config": {}}, "SGD, which is not built"),
        ({"class_name": "SGD", "config": []}, "the optimizer SGD"),
        ({"class_name": "SGD", "config": {"lr": "fast"}}, "the learning rate fast"),
        ({"class_name": "SGD", "config": {"lr": True}}, "the learning rate True"),
        ({"class_name": "SGD", "config": {"lr": {"class_name": "Mine", "config": {}}}}, "schedule of learning rates"),
        ({"class_name": "SGD", "config": {"lr": {"class_name": "CosineDecay"}}}, "schedule of learning rates Cosine"),
        (
            {"class_name": "LossScaleOptimizer", "config": {"optimizer": SGD, "dynamic": False}},
            "the file does not store",
        ),
    ],
)
def test_an_optimizer_that_is_none_of_keras(optimizer: Any, reason: str) -> None:
    """Nothing is compiled, and that is said."""
    settings, losses = compiled({"optimizer_config": optimizer})
    assert settings == {}
    assert len(losses) == 1
    assert losses[0].startswith("all settings of compile: ")
    assert reason in losses[0]


def test_optimizers_in_each_other() -> None:
    """Some scale the loss of one that does; without end they are none."""
    optimizer: Any = SGD
    for _ in range(40):
        optimizer = {"class_name": "LossScaleOptimizer", "config": {"optimizer": optimizer, "dynamic": True}}
    assert compiled({"optimizer_config": optimizer})[0] == {}


@pytest.mark.parametrize("package", ["Custom>", "keras>", "Keras>", ""])
@pytest.mark.parametrize("module", [None, "builtins", "keras.optimizers", "tensorflow.keras", "tf_keras.src"])
def test_packages_of_keras(package: str, module: str | None) -> None:
    """Keras registered its own classes under names of its own."""
    optimizer = {**SGD, "class_name": f"{package}SGD", "module": module}
    assert compiled({"optimizer_config": optimizer})[0]["optimizer"] == RESULT


def test_decay() -> None:
    """Becomes a schedule; beside one it is lost, and 0 asks for nothing."""
    settings, losses = compiled({"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.5, "decay": 0.1}}})
    rate = settings["optimizer"]["config"]["learning_rate"]
    schedule = {"initial_learning_rate": 0.5, "decay_steps": 1, "decay_rate": 0.1, "staircase": False}
    assert (rate["class_name"], rate["config"], losses) == ("InverseTimeDecay", schedule, [])
    beside = {"class_name": "ExponentialDecay", "config": {**schedule, "decay_steps": 3, "name": None}}
    settings, losses = compiled({"optimizer_config": {"class_name": "SGD", "config": {"lr": beside, "decay": 0.1}}})
    assert settings["optimizer"]["config"]["learning_rate"]["class_name"] == "ExponentialDecay"
    assert "name" not in settings["optimizer"]["config"]["learning_rate"]["config"]
    assert losses == ["decay=0.1 of the optimizer, beside a schedule of learning rates"]
    for nothing in (0, 0.0, None, False, True):
        config = {"name": "SGD", "lr": 0.5, "decay": nothing}
        assert compiled({"optimizer_config": {"class_name": "SGD", "config": config}})[0]["optimizer"] == RESULT


@pytest.mark.parametrize(
    ("clipping", "many", "expected", "lost"),
    [
        ({"clipnorm": 0.5}, False, {"clipnorm": 0.5}, []),
        ({"clipnorm": 0.5}, True, {"global_clipnorm": 0.5}, []),
        ({"clipvalue": 0.5}, True, {"clipvalue": 0.5}, []),
        ({"clipnorm": 0.5, "clipvalue": 2.0}, False, {"clipnorm": 0.5}, ["clipvalue=2.0"]),
        ({"clipnorm": 0.5, "clipvalue": 2.0}, True, {"global_clipnorm": 0.5}, ["clipvalue=2.0"]),
        (
            {"clipnorm": 0.5, "global_clipnorm": 1.0, "clipvalue": 2.0}, False, {"clipnorm": 0.5},
            ["global_clipnorm=1.0", "clipvalue=2.0"],
        ),
        ({"clipnorm": 0.0, "clipvalue": None}, False, {}, []),
    ],
)  # fmt: skip
def test_clipping(clipping: dict[str, Any], many: bool, expected: dict[str, Any], lost: list[str]) -> None:
    """In one way alone, of the gradients together where Keras had many backends."""
    optimizer = OF_MANY_BACKENDS if many else SGD
    settings, losses = compiled({"optimizer_config": {**optimizer, "config": {**optimizer["config"], **clipping}}})
    assert {key: value for key, value in settings["optimizer"]["config"].items() if "clip" in key} == expected
    assert [loss.partition(", which Keras 3 does not take beside")[0] for loss in losses] == lost


def test_what_an_optimizer_has_no_more() -> None:
    """Is told where it asks for something."""
    for value, count in ((0.5, 1), (0.0, 0), (None, 0), (False, 0)):
        config = {**SGD["config"], "mystery": value, "jit_compile": True}
        settings, losses = compiled({"optimizer_config": {"class_name": "SGD", "config": config}})
        assert settings["optimizer"] == RESULT
        assert losses == ["SGD's mystery, which was 0.5"] * count


@pytest.mark.parametrize(
    ("config", "scaled"),
    [
        ({"dynamic": True, "initial_scale": 8.0, "dynamic_growth_steps": 5}, (8.0, 5)),
        ({"dynamic": True}, (None, None)),
        ({"initial_scale": 8.0, "dynamic_growth_steps": 5}, (8.0, 5)),
        (
            {"loss_scale": {"class_name": "DynamicLossScale",
                            "config": {"initial_loss_scale": 8.0, "increment_period": 5, "multiplier": 2.0}}},
            (8.0, 5),
        ),
        ({"dynamic": False, "initial_scale": 8.0}, 8.0),
        ({"loss_scale": 8.0}, 8.0),
        ({"loss_scale": {"class_name": "FixedLossScale", "config": {"loss_scale_value": 8.0}}}, 8.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["LossScaleOptimizer", "LossScaleOptimizerV1", "LossScaleOptimizerV3"])
@pytest.mark.parametrize("inner", ["optimizer", "inner_optimizer"])
def test_scaled_losses(name: str, inner: str, config: dict[str, Any], scaled: Any) -> None:
    """A scale that changes stays an optimizer around another, a fixed one is a factor; Keras adds none of its own."""
    settings, losses = compiled({"optimizer_config": {"class_name": name, "config": {inner: SGD, **config}}})
    assert losses == []
    optimizer = settings["optimizer"]
    if isinstance(scaled, tuple):
        scaling = dict(zip(("initial_scale", "dynamic_growth_steps"), scaled, strict=True))
        expected = {key: value for key, value in scaling.items() if value is not None}
        assert optimizer["class_name"] == "LossScaleOptimizer"
        assert optimizer["config"] == {"inner_optimizer": RESULT, **expected}
        assert "auto_scale_loss" not in settings
    else:
        assert optimizer == {**RESULT, "config": {**RESULT["config"], "loss_scale_factor": scaled}}  # type: ignore[dict-item]
        assert settings["auto_scale_loss"] is False


def nested(depth: int) -> Any:
    """A loss in lists."""
    return [nested(depth - 1)] if depth else "mse"


@pytest.mark.parametrize(
    ("loss", "version", "reason"),
    [
        ("mystery", "2.15.0", "mystery, which is not built into Keras 3"),
        ({"class_name": "Mine", "config": {}}, "2.15.0", "Mine, which is not built into Keras 3"),
        ({"class_name": "MeanSquaredError", "config": 3}, "2.15.0", "a loss that cannot be read"),
        ({"class_name": "LossFunctionWrapper", "config": {"fn": "mystery"}}, "2.15.0", "mystery, which is not built"),
        ({"class_name": "function", "config": "mystery"}, "2.15.0", "mystery, which is not built"),
        (3, "2.15.0", "an object that cannot be read"),
        (nested(40), "2.15.0", "losses nested too deep"),
        ("cosine", "2.1.5", "cosine, which was divided by the length of the vectors"),
        ("cosine_proximity", "1.2.2", "cosine_proximity, which was divided by the length of the vectors"),
    ],
)
def test_a_loss_that_is_none_of_keras(loss: Any, version: str, reason: str) -> None:
    """The optimizer stays, and how to compile anew is said."""
    optimizer = OF_MANY_BACKENDS if version < "2.15" else SGD
    settings, losses = compiled({"loss": loss, "loss_weights": [2.0], "optimizer_config": optimizer}, version)
    assert (settings["loss"], settings["loss_weights"]) == (None, None)
    assert settings["optimizer"]["class_name"] == "SGD"
    assert len(losses) == 1
    assert losses[0].startswith(f"the loss: {reason}")
    assert losses[0].endswith("compile anew with it and with optimizer=model.optimizer")


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", "mse"),
        ("cosine", "cosine_similarity"),
        ("cosine_proximity", "cosine_similarity"),
        ("huber_loss", "huber"),
        ("kullback_leibler_divergence", "kl_divergence"),
        ("logcosh", "log_cosh"),
        ({"class_name": "function", "config": "logcosh"}, "log_cosh"),
        ("MeanSquaredError", "MeanSquaredError"),
        (
            {"class_name": "MeanSquaredError", "config": {"reduction": "auto", "name": "mine", "fn": "x"}},
            ("MeanSquaredError", {"reduction": "sum_over_batch_size", "name": "mine"}),
        ),
        (
            {"class_name": "LossFunctionWrapper", "config": {"fn": "huber_loss", "reduction": None, "name": "h"}},
            ("Huber", {"reduction": "none", "name": "h"}),
        ),
        (
            {"class_name": "LossFunctionWrapper",
             "config": {"fn": {"class_name": "function", "config": "logcosh"}, "reduction": "sum"}},
            ("LogCosh", {"reduction": "sum"}),
        ),
    ],
)  # fmt: skip
def test_losses_of_keras_3(loss: Any, expected: Any) -> None:
    """The name or the object that Keras 3 finds."""
    settings, losses = compiled({"loss": loss}, "2.2.4-tf")  # Keras of its own had no huber_loss before 2.3
    if isinstance(expected, tuple):
        class_name, config = expected
        expected = {"module": "keras.losses", "class_name": class_name, "config": config, "registered_name": None}
    is_by_sample = (
        isinstance(expected, dict) and expected["config"].get("reduction") == "none"
    )  # which is said to train otherwise
    assert (settings["loss"], len(losses)) == (expected, is_by_sample)


@pytest.mark.parametrize(("version", "is_reported"), [("2.2.4", True), ("2.2.4-tf", False)])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "mse"])
def test_labels_of_hinge(loss: str, version: str, is_reported: bool) -> None:
    """Keras with its many backends took 0 as it is, tf.keras did not."""
    losses = compiled({"loss": loss, "optimizer_config": OF_MANY_BACKENDS}, version)[1]
    assert ["labels 0 and 1" in loss for loss in losses] == [True] * (is_reported and loss != "mse")


def test_cosine_since_2_1_6() -> None:
    """It is that of Keras 3 as a loss; as a metric its sign was the other in Keras of many backends."""
    many = {"optimizer_config": OF_MANY_BACKENDS}
    assert compiled({"loss": "cosine", **many}, "2.1.6") == (
        {**compiled(many)[0], "loss": "cosine_similarity"}, [],
    )  # fmt: skip
    assert compiled({"metrics": ["cosine", "mae"], **many}, "2.2.4")[0]["metrics"] == ["mae"]
    assert "which had the opposite sign" in compiled({"metrics": ["cosine", "mae"], **many}, "2.2.4")[1][0]
    [metric] = compiled({"metrics": ["cosine"]})[0]["metrics"]
    assert (metric["class_name"], metric["config"]) == ("CosineSimilarity", {"name": "cosine"})


def of_loss(class_name: str, **config: Any) -> dict[str, Any]:
    """A metric of an object of a loss, as tf.keras of TensorFlow 2.4 wrote it."""
    fn = {"class_name": class_name, "config": {"name": "loss", **config}, "__passive_serialization__": True}
    return {"class_name": "MeanMetricWrapper", "config": {"name": "m", "fn": fn}}


@pytest.mark.parametrize(
    ("metrics", "loss", "expected", "lost"),
    [
        (["acc", "Accuracy"], "mse", ["acc", "Accuracy"], []),
        (["mae", "mystery"], "mse", ["mae"], ["metrics: mystery, which is not built into Keras 3"]),
        ([["mae", None], []], "mse", ["mae"], []),
        ("mae", "mse", ["mae"], []),
        (None, "mse", None, []),
        (["logcosh"], "mse", [("LogCoshError", {"name": "logcosh"})], []),
        (["AUC"], "mse", [("AUC", {"name": "auc"})], []),
        ([{"class_name": "AUC", "config": {"name": "mine", "num_thresholds": 5, "mystery": 1}}], "mse",
         [("AUC", {"name": "mine", "num_thresholds": 5})], []),
        ([{"class_name": "MeanMetricWrapper", "config": {"name": "m", "fn": "kullback_leibler_divergence"}}], "mse",
         [("KLDivergence", {"name": "m"})], []),
        ([of_loss("BinaryCrossentropy", from_logits=True, reduction="auto")], "mse",
         [("BinaryCrossentropy", {"name": "m", "from_logits": True})], []),
        ([of_loss("CosineSimilarity", axis=-1)], "mse", [],
         ["metrics: CosineSimilarity, an object of a loss, which the metric of Keras 3 does not measure"]),
        ([of_loss("MeanSquaredError", reduction="sum")], "mse", [],
         ["metrics: MeanSquaredError, an object of a loss, which the metric of Keras 3 does not measure"]),
        ([{"class_name": "AUC", "config": None}], "mse", [], ["metrics: a metric that cannot be read"]),
        (["ce"], "categorical_crossentropy", [("CategoricalCrossentropy", {"name": "ce"})], []),
        (["crossentropy"], {"class_name": "SparseCategoricalCrossentropy", "config": {}},
         [("SparseCategoricalCrossentropy", {"name": "crossentropy"})], []),
        (["ce"], "mse", [], ["metrics: ce, which Keras 3 does not choose by the outputs"]),
    ],
)  # fmt: skip
def test_metrics_of_keras_3(metrics: Any, loss: Any, expected: Any, lost: list[str]) -> None:
    """Each under the name that it had; what Keras 3 does not find is left out and told."""
    journal = Journal()
    training = {"optimizer_config": SGD, "loss": loss, "metrics": metrics, "weighted_metrics": metrics}
    settings = compile_config(training, "2.15.0", ONE, journal)
    assert settings is not None
    wanted = expected and [
        metric if isinstance(metric, str) else
        {"module": "keras.metrics", "class_name": metric[0], "config": metric[1], "registered_name": None}
        for metric in expected
    ]  # fmt: skip
    assert (settings["metrics"], settings["weighted_metrics"]) == (wanted, wanted)
    assert [text.what for text in journal.losses] == lost + [
        text.replace("metrics", "weighted_metrics") for text in lost
    ]


def test_several_outputs() -> None:
    """Settings by the names of outputs go by those of Keras 3; one loss with weights stands for each output."""
    settings, losses = compiled({"loss": {"a/b": "mae"}, "loss_weights": {"c": 3.0}}, outputs=TWO)
    assert (settings["loss"], settings["loss_weights"]) == ({"a_b": "mae", "c": None}, {"a_b": 1.0, "c": 3.0})
    assert [loss.partition(":")[0] for loss in losses] == ["no loss for the output c"]
    settings, _ = compiled({"loss": "mae", "loss_weights": {"c": 3.0}}, outputs=TWO)
    assert settings["loss"] == {"a_b": "mae", "c": "mae"}
    settings, _ = compiled({"loss": "mae", "loss_weights": [1.0, 3.0]}, outputs=TWO)
    assert settings["loss"] == ["mae", "mae"]
    settings, _ = compiled({"loss": ["mse", "mae"], "loss_weights": [1.0, 3.0]}, outputs=TWO)
    assert settings["loss"] == ["mse", "mae"]
    settings, _ = compiled({"metrics": {"a/b": "mae"}, "weighted_metrics": ["mae"]}, outputs=TWO)
    assert (settings["metrics"], settings["weighted_metrics"]) == ({"a_b": ["mae"]}, [["mae"], ["mae"]])
    assert compiled({"metrics": [["mae"], []]}, outputs=TWO)[0]["metrics"] == [["mae"], []]
    journal = Journal()
    other = compile_config({"optimizer_config": SGD, "loss": {"mystery": "mae"}}, "2.15.0", TWO, journal)
    assert other is not None
    assert other["loss"] == {"mystery": "mae"}


@pytest.mark.parametrize(
    ("outputs", "name", "expected"),
    [
        (TWO, "a/b_auc", "auc"),
        (TWO, "c_auc", "auc"),
        (TWO, "d_auc", "d_auc"),
        (ONE, "dense_auc", "dense_auc"),
        ([("a", "a"), ("a_b", "a_b")], "a_b_auc", "auc"),
        ([("a_b", "a_b"), ("a", "a")], "a_b_auc", "auc"),
    ],
)
def test_names_of_metrics(outputs: list[tuple[str, str]], name: str, expected: str) -> None:
    """Keras 2 put the name of an output before them where there are several, and Keras 3 does so again."""
    training = {
        "optimizer_config": SGD,
        "metrics": [[{"class_name": "AUC", "config": {"name": name}}]] * len(outputs),
    }
    settings = compile_config(training, "2.15.0", outputs, Journal())
    assert settings is not None
    [metric] = settings["metrics"] if outputs == ONE else settings["metrics"][0]
    assert metric["config"]["name"] == expected


def test_one_weight_of_one_loss() -> None:
    """Stays with the one loss that it is for."""
    settings, losses = compiled({"loss": "mse", "loss_weights": [2.0]})
    assert (settings["loss"], settings["loss_weights"], losses) == ("mse", [2.0], [])


def test_clipping_inside_another_optimizer() -> None:
    """One that scales the loss is of tf.keras, whether it states its name or not."""
    inner = {"class_name": "SGD", "config": {"learning_rate": 0.5, "clipnorm": 1.0}}
    settings, _ = compiled(
        {"optimizer_config": {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": inner}}}
    )
    config = settings["optimizer"]["config"]["inner_optimizer"]["config"]
    assert (config.get("clipnorm"), config.get("global_clipnorm")) == (1.0, None)


def test_decay_of_nadam() -> None:
    """That of its momentum, which tf.keras called so, is none of its learning rate."""
    config = {"name": "Nadam", "learning_rate": 0.5, "decay": 0.004}
    settings, losses = compiled({"optimizer_config": {"class_name": "Nadam", "config": config}})
    assert settings["optimizer"]["config"]["learning_rate"] == 0.5
    assert any("schedule_decay" in loss for loss in losses)


@pytest.mark.parametrize(("arguments", "expected"), [({}, 0.0), ({"initial_accumulator_value": 0.3}, 0.3)])
def test_where_adagrad_begins(arguments: dict[str, Any], expected: float) -> None:
    """An accumulator whose config names no start began at zero."""
    settings, _ = compiled({"optimizer_config": {"class_name": "Adagrad", "config": {"lr": 0.5, **arguments}}}, "2.2.4")
    assert settings["optimizer"]["config"]["initial_accumulator_value"] == expected


def test_settings() -> None:
    """Other arguments of `compile` are carried in so far as Keras 3 takes them."""
    arguments = {"run_eagerly": True, "jit_compile": False, "steps_per_execution": 2}
    settings, losses = compiled(arguments)
    assert ({key: settings[key] for key in arguments}, losses) == (arguments, [])
    settings, losses = compiled({"run_eagerly": None, "steps_per_execution": None, "sample_weight_mode": "temporal"})
    assert arguments.keys().isdisjoint(settings)
    assert losses == ["sample_weight_mode 'temporal', which Keras 3 chooses by itself"]
    for steps in (0, -1, True, "auto"):
        settings, losses = compiled({"steps_per_execution": steps})
        assert ("steps_per_execution" in settings, losses) == (False, [f"steps_per_execution {steps}"])
    assert compile_config({}, None, ONE, Journal()) is None
    assert compile_config([1], None, ONE, Journal()) is None


@pytest.mark.parametrize("steps", [0, 1, 2, 50, 1000])
@pytest.mark.parametrize(("beta_1", "decay"), [(0.9, 0.004), (0.9999, 0.004), (0.5, 0.0)])
def test_the_product_of_momenta(steps: int, beta_1: float, decay: float) -> None:
    """As the rule multiplies it up."""
    factors = [beta_1 * (1 - 0.5 * 0.96 ** (step * decay)) for step in range(1, steps + 1)]
    assert product(steps, beta_1, decay) == pytest.approx(math.prod(factors), rel=1e-9, abs=1e-44)


def test_a_product_of_many_factors() -> None:
    """Momenta that are beta_1 alone are not multiplied one by one."""
    beta_1 = 1 - 1e-9
    ten = product(MAX_FACTORS + 10**9, beta_1, 10.0) / product(MAX_FACTORS, beta_1, 10.0)
    assert ten == pytest.approx(math.exp(-1), rel=1e-6)
    for wrong in ((-0.1, 0.004), (1.0, 0.004), (0.9, -0.1)):
        with pytest.raises(StateNotConvertible):
            product(3, *wrong)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, 1e17])
def test_numbers_that_count_nothing(value: float) -> None:
    """No iteration is negative, or beyond what is counted."""
    raw = np.asarray(value, "<f8").tobytes()
    weight = Weight("iteration", (), "float64", 8, Section.OPTIMIZER, values=InMemory(raw))
    with pytest.raises(StateNotConvertible, match="iteration is"):
        finite(weight)


@pytest.mark.parametrize("value", ["x", None, True, math.inf, 1e39, [1.0]])
def test_settings_that_are_no_numbers(value: Any) -> None:
    """Keras cannot hold them."""
    with pytest.raises(StateNotConvertible, match="rate is"):
        number({"config": {"rate": value}}, "rate", 1.0)
    assert number({"config": {}}, "rate", 3.0) == 3.0


def test_numbers_of_an_optimizer_around_another() -> None:
    """It has counts of its own, which begin anew, and the scale of its config."""
    inner = {"class_name": "SGD", "config": {"learning_rate": 0.5}}
    outer = {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": inner, "initial_scale": 8.0}}
    numbers = Numbers(outer, 7, None)
    names = ("iteration", "learning_rate", "step_counter", "dynamic_scale")
    names += ("inner_optimizer/iteration", "inner_optimizer/learning_rate")
    weights = [numbers.weight(name) for name in names]
    assert [float(weight.read()) for weight in weights if weight is not None] == [0.0, 0.0, 0.0, 8.0, 7.0, 0.5]
    assert numbers.weight("inner_optimizer/dense/kernel/momentum") is None
    alone = Numbers(inner, 7, None)
    assert [alone.weight(name) is None for name in ("iteration", "learning_rate", "dynamic_scale")] == [
        False,
        False,
        True,
    ]
    scheduled = {"class_name": "SGD", "config": {"learning_rate": {"class_name": "CosineDecay"}}}
    assert Numbers(scheduled, 7, None).weight("learning_rate") is None


@pytest.mark.parametrize("loss", [[], {}, "", [None], {"dense": None}, None, [[]]])
def test_no_loss(loss: Any) -> None:
    """An empty loss is none, and that the file states none is said; what is stated beside it stays."""
    settings, losses = compiled({"loss": loss, "metrics": ["mae"]})
    assert (settings["loss"], settings["loss_weights"], settings["metrics"]) == (None, None, ["mae"])
    [loss_text] = losses
    assert loss_text.startswith("the loss: the file stores none")


@pytest.mark.parametrize(
    ("optimizer", "version", "class_name", "rate"),
    [
        ("adam", "2.15.0", "Adam", 0.001),
        ("ADAM", "2.13.1", "Adam", 0.001),
        ("SGD", "2.15.0", "SGD", 0.01),
        ("rmsprop", "2.15.0", "RMSprop", 0.001),
        ("RMSprop", "2.12.0", "RMSprop", 0.001),
        ("Custom>Adam", "2.15.0", "Adam", 0.001),
        ("keras.optimizers.Adam", "2.15.0", "Adam", 0.001),
        ("lion", "2.15.0", "Lion", 0.0001),
        ("lion", "3.15.1", "Lion", 0.001),
        ("adagrad", "2.15.0", "Adagrad", 0.001),
        ("adagrad", "2.4.0-tf", "Adagrad", 0.001),
        ("adagrad", "2.2.4-tf", "Adagrad", 0.001),
        ("adagrad", "2.2.4", "Adagrad", 0.01),
        ("adadelta", "2.2.4", "Adadelta", 1.0),
        ("adamax", "1.2.2", "Adamax", 0.002),
        ("adam", None, "Adam", 0.001),
    ],
)
def test_an_optimizer_by_name(optimizer: str, version: str, class_name: str, rate: float) -> None:
    """It is the class with the defaults of the Keras that wrote it (their constructors)."""
    settings, _ = compiled({"optimizer_config": None, "optimizer": optimizer, "loss": "mse"}, version)
    assert settings == {}  # an optimizer_config that is stated counts
    journal = Journal()
    new_settings = compile_config({"optimizer": optimizer, "loss": "mse"}, version, ONE, journal)
    assert new_settings is not None
    assert (new_settings["optimizer"]["class_name"], new_settings["optimizer"]["config"]["learning_rate"]) == (
        class_name,
        rate,
    )
    live = keras().optimizers.deserialize(new_settings["optimizer"])
    assert float(live.learning_rate) == np.float32(rate)
    since = version is None or version.startswith(("2.12", "2.13", "2.15", "3."))
    assert bool(journal.losses) == (class_name in ("Adagrad", "RMSprop", "Nadam") and not since)


def test_numbers_of_numpy() -> None:
    """Stand in settings as old Keras wrote them, and are the numbers that they hold."""
    rate, array = {"type": "ndarray", "value": 0.5}, {"type": "ndarray", "value": [1.0, 3.0], "dtype": "float32"}
    tensor = {"class_name": "__numpy__", "config": {"value": 0.25, "dtype": "float32"}}
    config = {"name": "SGD", "learning_rate": rate, "momentum": tensor}
    training = {"optimizer_config": {"class_name": "SGD", "config": config}, "loss": "mse", "loss_weights": array}
    settings, losses = compiled(training, outputs=TWO)
    assert settings["optimizer"]["config"] == {"name": "SGD", "learning_rate": 0.5, "momentum": 0.25}
    assert (settings["loss_weights"], losses) == ([1.0, 3.0], [])
    deep: Any = 0.5
    for _ in range(1000):
        deep = {"type": "ndarray", "value": deep}
    assert compiled({"optimizer_config": {"class_name": "SGD", "config": {"learning_rate": deep}}})[0] == {}


@pytest.mark.parametrize("name", ["mse", "MSE", "mean_squared_error", "MeanSquaredError"])
@pytest.mark.parametrize("front", ["", "keras.{}.", "tf.keras.{}.", "keras.src.{}."])
def test_names_of_functions(front: str, name: str) -> None:
    """In every spelling, of losses and of metrics."""
    settings, losses = compiled({"loss": front.format("losses") + name, "metrics": [front.format("metrics") + name]})
    [metric] = settings["metrics"]
    assert (settings["loss"], losses) == (name, [])
    assert metric == name or metric["class_name"] == name


ADDED: dict[str, Any] = {
    "name": "x",
    "learning_rate": 0.02,
    "decay": 0.0,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-7,
}


@pytest.mark.parametrize(
    ("name", "config", "class_name", "expected"),
    [
        ("AdamW", {"weight_decay": 0.01, "amsgrad": True}, "AdamW", {"weight_decay": 0.5, "amsgrad": True}),
        ("AdamW", {"weight_decay": 0.0}, "AdamW", {"weight_decay": 0.0}),
        ("SGDW", {"weight_decay": 0.01, "momentum": 0.9}, "SGD", {"weight_decay": 0.5, "momentum": 0.9}),
        ("LAMB", {"weight_decay_rate": 0.0, "exclude_from_layer_adaptation": None}, "Lamb", {"epsilon": 1e-7}),
        ("LazyAdam", {}, "Adam", {"beta_1": 0.9}),
    ],
)
def test_optimizers_of_tensorflow_addons(name: str, config: Any, class_name: str, expected: dict[str, Any]) -> None:
    """Optimizers that Keras 3 has get the arguments that take the same steps (each was compared with TensorFlow Addons
    0.13: the weights after a step from the converted state are the same)."""
    shown = {key: value for key, value in ADDED.items() if name != "SGDW" or not key.startswith(("beta", "eps"))}
    settings, losses = compiled({"optimizer_config": {"class_name": f"Addons>{name}", "config": shown | config}})
    assert settings["optimizer"]["class_name"] == class_name
    assert {key: settings["optimizer"]["config"][key] for key in expected} == expected
    assert len(losses) == (name == "LazyAdam")


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("AdamW", {"weight_decay": 0.01, "decay": 0.1}),
        ("AdamW", {"weight_decay": {"class_name": "ExponentialDecay"}}),
        ("AdamW", {"weight_decay": 0.01, "learning_rate": {"class_name": "ExponentialDecay"}}),
        ("AdamW", {"weight_decay": 0.01, "exclude_from_weight_decay": ["bias"]}),
        ("LAMB", {"weight_decay_rate": 0.1}),
        ("LAMB", {"exclude_from_layer_adaptation": ["bias"]}),
        ("Lookahead", {}),
        ("RectifiedAdam", {}),
    ],
)
def test_optimizers_of_tensorflow_addons_that_are_gone(name: str, config: Any) -> None:
    """Nothing is compiled, and why is said."""
    settings, [reason] = compiled({"optimizer_config": {"class_name": f"Addons>{name}", "config": ADDED | config}})
    assert settings == {}
    assert f"Addons>{name}" in reason


def test_metrics_of_tensorflow_addons() -> None:
    """F1Score and FBetaScore are those of Keras 3, which works the number of classes out itself."""
    f1 = {"class_name": "Addons>F1Score", "config": {"name": "f1", "num_classes": 3, "average": None}}
    kappa = {"class_name": "Addons>CohenKappa", "config": {"name": "kappa", "num_classes": 3}}
    settings, losses = compiled({"metrics": [f1, kappa, "mae"]})
    assert [metric if isinstance(metric, str) else metric["config"] for metric in settings["metrics"]] == [
        {"name": "f1", "average": None}, "mae",
    ]  # fmt: skip
    assert losses == ["metrics: Addons>CohenKappa, which is not built into Keras 3"]


@pytest.mark.parametrize(
    ("loss", "announced"),
    [
        (["mse", None], "no loss for the output c: fit"),
        ([None, "mse"], "no loss for the output a_b: fit"),
        ({"a/b": "mse"}, "no loss for the output c: fit"),
        ({"a/b": None, "c": "mse"}, "no loss for the output a_b: fit"),
        (["mse", "mae"], ""),
        ({"a/b": "mse", "c": "mae"}, ""),
        ("mse", ""),
    ],
)
def test_outputs_without_a_loss(loss: Any, announced: str) -> None:
    """Outputs without a loss are announced: Keras 3 asks for their targets, and logs a single loss without a name."""
    _, losses = compiled({"loss": loss}, outputs=TWO)
    assert [text.startswith(announced) for text in losses] == [True] * bool(announced)
    assert all("_loss is logged as loss alone" in text for text in losses)
