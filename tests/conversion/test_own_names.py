"""Functions and classes of the author's own that are called as something in Keras is, as Keras 2.13 to 2.15 wrote them
into a `.keras`, and what else training needs that no config tells."""

import json
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.conversion.compile.measure_entries import FUNCTIONS
from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import Options
from ckpttool.conversion.origin import Origin
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation
from tests.conversion.test_anchors import legacy
from tests.live import keras
from tests.samples import FIXTURES

SGD = {"module": "keras.optimizers", "class_name": "SGD", "config": {"learning_rate": 0.5}, "registered_name": "SGD"}


def function(name: str) -> dict[str, Any]:
    """A function as Keras 2.13 to 2.15 states it, of its own or the author's."""
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def own(name: str) -> dict[str, Any]:
    """An object of a class of the author's own that is not registered, as Keras 2.13 to 2.15 states it."""
    return {"module": None, "class_name": name, "config": {}, "registered_name": name}


def compiled(**training: Any) -> tuple[dict[str, Any], Journal]:
    """The settings of compile in the words of Keras 3, and what there is to say."""
    journal = Journal()
    settings = compile_config({"optimizer": SGD, "loss": "mse", **training}, "2.15.0", [("d", "d")], journal)
    return settings or {}, journal


def rewritten(layers: list[Any], version: str | None) -> tuple[dict[str, Any], Journal]:
    """A Sequential model in the words of Keras 3, and what there is to say."""
    journal = Journal()
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 3]}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [first, *layers]}}
    return rewrite(of_generation(config, Generation.KERAS_2), journal, origin=Origin(version)).config, journal


def dense(**arguments: Any) -> tuple[dict[str, Any], Journal]:
    """A model of a Dense layer with these arguments, and what there is to say."""
    return rewritten([{"class_name": "Dense", "config": {"name": "d", "units": 2, **arguments}}], "2.15.0")


@pytest.mark.parametrize("name", ["mse", "MSE", "mae", "mape", "msle", "kld", "bce", "logcosh", "acc", "accuracy"])
def test_short_names_are_the_authors(name: str) -> None:
    """Keras states its functions by their long names, and short ones as texts, so that a short one is the author's."""
    settings, journal = compiled(loss=function(name), metrics=[function(name)])
    assert (settings["loss"], settings["metrics"]) == (None, [])
    assert [loss.what.partition(",")[0] for loss in journal.losses] == [f"the loss: {name}", f"metrics: {name}"]
    assert [need.where for need in journal.needs] == [name]
    assert compiled(loss="mse")[0]["loss"] == "mse"


@pytest.mark.parametrize("name", ["mean_squared_error", "huber", "binary_crossentropy"])
def test_long_names_are_a_guess(name: str) -> None:
    """An own function of a long name is stated as that of Keras is."""
    settings, journal = compiled(loss=function(name))
    assert (settings["loss"], journal.losses) == (name, [])
    assert [guess.what.partition(":")[0] for guess in journal.guesses] == [f"the function {name} is that of Keras"]


def test_the_names_of_functions() -> None:
    """Keras 3 still has all functions of these names, among its losses or metrics."""
    live = keras()
    assert all(hasattr(live.losses, name) or hasattr(live.metrics, name) for name in FUNCTIONS)


def test_in_what_wraps_a_function() -> None:
    """A short name in an object that wraps a function is the author's, too."""
    wrapper = {"module": "keras.metrics", "class_name": "MeanMetricWrapper", "registered_name": "MeanMetricWrapper"}
    settings, journal = compiled(metrics=[{**wrapper, "config": {"name": "m", "fn": function("mse")}}])
    assert (settings["metrics"], [need.where for need in journal.needs]) == ([], ["mse"])


def test_classes_without_a_module_are_the_authors() -> None:
    """Keras states a module for each of its own classes."""
    settings, journal = compiled(loss=own("Huber"), metrics=[own("Precision")])
    assert (settings["loss"], settings["metrics"]) == (None, [])
    assert [(need.where, need.what) for need in journal.needs] == [
        ("Huber", "the loss Huber, to compile the model anew"),
        ("Precision", "the metric Precision, to compile the model anew"),
    ]
    settings, journal = compiled(optimizer=own("Adam"))
    assert (settings, [need.where for need in journal.needs]) == ({}, ["Adam"])


@pytest.mark.parametrize(
    ("key", "name"),
    [("kernel_initializer", "ones"), ("kernel_regularizer", "l2"), ("kernel_constraint", "non_neg")],
)
def test_functions_of_layers(key: str, name: str) -> None:
    """Keras has classes for these, so that a function is the author's, for which live Keras asks by its name."""
    config, journal = dense(**{key: function(name)})
    assert [need.where for need in journal.needs] == [name]

    def mine(*args: Any, **_: Any) -> Any:
        return keras().ops.ones(args[0]) if key == "kernel_initializer" else args[0]

    live = keras().saving.deserialize_keras_object(json.loads(json.dumps(config)), custom_objects={name: mine})
    assert getattr(live.layers[-1], key) is mine
    with pytest.raises(TypeError):
        keras().saving.deserialize_keras_object(json.loads(json.dumps(config)))


def test_a_registered_class_in_a_bidirectional() -> None:
    """Keras 3 makes the backward layer of what it would save, where an own class that is not imported has no package:
    under the registered name alone it is not found. `needs` gives both."""
    regularizer = {"module": "code", "class_name": "Reg", "config": {}, "registered_name": "pkg>Reg"}
    inner = {"class_name": "LSTM", "config": {"name": "l", "units": 2, "kernel_regularizer": regularizer}}
    layers = [
        {"class_name": "Reshape", "config": {"name": "r", "target_shape": [3, 1]}},
        {"class_name": "Bidirectional", "config": {"name": "b", "layer": inner, "merge_mode": "concat"}},
    ]
    config, journal = rewritten(layers, "2.15.0")
    (need,) = journal.needs
    assert need.what.endswith('load_model(..., custom_objects={"pkg>Reg": Reg, "Reg": Reg})')
    live = keras()

    class Reg(live.regularizers.Regularizer):  # type: ignore[misc]
        def __call__(self, x: Any) -> Any:
            return live.ops.sum(x)

        def get_config(self) -> dict[str, Any]:
            return {}

    def load(names: list[str]) -> Any:
        custom = dict.fromkeys(names, Reg)
        return live.saving.deserialize_keras_object(json.loads(json.dumps(config)), custom_objects=custom)

    layer = load(["pkg>Reg", "Reg"]).layers[-1]
    assert isinstance(layer.backward_layer.cell.kernel_regularizer, Reg)
    with pytest.raises((TypeError, ValueError), match="Reg"):
        load(["pkg>Reg"])


@pytest.mark.parametrize(
    ("key", "name"),
    [("kernel_initializer", "Ones"), ("kernel_regularizer", "L2"), ("kernel_constraint", "NonNeg")],
)
def test_classes_of_layers(key: str, name: str) -> None:
    """A class of the author's own under the name of one of Keras is refused, as Keras 3 does not find it so."""
    (refusal,) = dense(**{key: own(name)})[1].refusals
    assert refusal.what.startswith(f"the class {name} as {key} of d is the author's own, ")
    assert refusal.what.endswith("and Keras 3 has another of this name; register it under a package")


DENSE = {
    **{"name": "d", "trainable": True, "units": 2, "activation": "linear", "use_bias": True},
    **dict.fromkeys(("kernel_regularizer", "bias_regularizer", "activity_regularizer")),
    **dict.fromkeys(("kernel_constraint", "bias_constraint", "kernel_initializer", "bias_initializer")),
}
"""The arguments of a Dense, all that Keras 2 states."""
DUMPED = {"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": "Dense", "config": DENSE}]}}
SGD_2 = {"name": "SGD", "learning_rate": 0.5, "decay": 0.0, "momentum": 0.0, "nesterov": False}
ADAM = {
    "name": "Adam",
    "learning_rate": 0.5,
    "decay": 0.0,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-7,
    "amsgrad": False,
}


def entry(class_name: str, **config: Any) -> dict[str, Any]:
    """An object as Keras 2 states it."""
    return {"class_name": class_name, "config": config}


@pytest.mark.parametrize(
    ("key", "name", "of_keras", "own"),
    [
        ("optimizer", "SGD", SGD_2, {**SGD_2, "look": 2}),
        ("optimizer", "Adam", ADAM, {**SGD_2, "warm": 2}),
        ("loss", "Huber", {"name": "h", "reduction": "auto", "delta": 1.0}, {"name": "h", "reduction": "auto"}),
        ("metrics", "Precision", dict.fromkeys(("name", "dtype", "thresholds", "top_k", "class_id")), {"name": "p"}),
    ],
)
def test_settings_that_no_keras_wrote(key: str, name: str, of_keras: dict[str, Any], own: dict[str, Any]) -> None:
    """An optimizer, loss or metric called as one of Keras is the author's by its config, beside layers that Keras
    wrote; written by hand, it is that of Keras."""

    def needed(config: dict[str, Any], model: Any) -> list[str]:
        journal = Journal()
        training = {"optimizer": entry("SGD", **SGD_2), "loss": "mse", key: entry(name, **config)}
        compile_config(training, "2.10.0", [("d", "d")], journal, model=model)
        return [need.where for need in journal.needs]

    assert (needed(own, DUMPED), needed(own, None), needed(of_keras, DUMPED)) == ([name], [], [])


def test_schedules_that_no_keras_wrote() -> None:
    """A learning rate schedule, too."""
    schedule = entry("ExponentialDecay", initial_learning_rate=0.1, decay_steps=2, decay_rate=0.5)
    journal = Journal()
    training = {"optimizer": entry("SGD", **{**SGD_2, "learning_rate": schedule}), "loss": "mse"}
    assert compile_config(training, "2.10.0", [("d", "d")], journal, model=DUMPED) is None
    assert [need.where for need in journal.needs] == ["ExponentialDecay"]
    assert "its config lacks name, staircase, which" in journal.losses[0].what


@pytest.mark.parametrize("name", ["Adafactor", "Lamb", "Lion"])
def test_optimizers_that_came_later(name: str) -> None:
    """The Keras of the writer did not have them."""
    journal = Journal()
    assert compile_config({"optimizer": entry(name), "loss": "mse"}, "2.10.0", [("d", "d")], journal) is None
    assert [need.where for need in journal.needs] == [name]


def test_classes_that_no_keras_wrote(tmp_path: Path) -> None:
    """They are needed as other own classes are, or refused where Keras 3 would take its own; --builtin takes it."""
    dense = {key: item for key, item in DENSE.items() if key != "name"}
    norm = {"trainable": True, "center": True, "scale": True, "epsilon": 0.001}
    arrays = {"kernel": (3, 2), "bias": (2,)}
    layers = [("Dense", dense, arrays), ("LayerNormalization", norm, {"gamma": (2,), "beta": (2,)})]
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3), keras_version="2.10.0")
    result = ckpttool.convert(source, tmp_path / "own.keras")
    (need,) = result.needs
    assert need.what.startswith("the class LayerNormalization, the author's own, as its config lacks axis")
    options = Options(builtins=frozenset({"LayerNormalization"}))
    assert ckpttool.convert(source, tmp_path / "keras.keras", options=options).needs == ()

    constrained = {**dense, "kernel_constraint": entry("MaxNorm", max_value=2)}
    source = legacy(tmp_path / "max.h5", ("Dense", constrained, arrays), shape=(None, 3), keras_version="2.10.0")
    with pytest.raises(ckpttool.ConversionError, match=r"MaxNorm .* its config lacks axis, .*\(--builtin MaxNorm"):
        ckpttool.convert(source, tmp_path / "max.keras")
    ckpttool.convert(source, tmp_path / "max.keras", options=Options(builtins=frozenset({"MaxNorm"})))


@pytest.mark.parametrize(
    ("version", "took"),
    [("1.2.2", "took"), ("2.0.9", "took"), ("2.2.4", "took"), ("2.3.1", "took"), ("2.2.4-tf", "may have taken")],
)
def test_a_frozen_batch_normalization(version: str, took: str) -> None:
    """It took the statistics of each batch in training, as genuine 1.2.2, 2.0.9, 2.2.4 and TensorFlow 1.15 do."""
    config = {"name": "b", "axis": -1, "trainable": False}
    journal = rewritten([{"class_name": "BatchNormalization", "config": config}], version)[1]
    assert [loss.where for loss in journal.losses] == ["b"]
    assert f"and {took} the mean and variance of each batch" in journal.losses[0].what
    trained = {"class_name": "BatchNormalization", "config": {**config, "trainable": True}}
    assert rewritten([trained], version)[1].losses == []


def test_a_frozen_batch_normalization_of_tensorflow_2() -> None:
    """It took the moving statistics, as genuine TensorFlow 2.1 does, and as Keras 3 does."""
    frozen = {"class_name": "BatchNormalization", "config": {"name": "b", "axis": -1, "trainable": False}}
    for version in ("2.3.0-tf", "2.10.0", "2.15.0"):
        assert rewritten([frozen], version)[1].losses == []


def test_weight_decay_of_all_weights() -> None:
    """The weights that weight decay leaves out are set on a live optimizer, and are in no config."""
    adam = {**SGD, "class_name": "AdamW", "config": {"learning_rate": 0.5, "weight_decay": 0.01}}
    assert ["exclude_from_weight_decay" in guess.what for guess in compiled(optimizer=adam)[1].guesses] == [True]
    assert compiled()[1].guesses == []


@pytest.mark.parametrize("target", ["a.weights.h5", "a.h5"])
def test_the_state_that_weights_do_not_carry(tmp_path: Path, target: str) -> None:
    """A file of weights made of a model of Keras 2 lacks the state of its optimizer, which is said."""
    source = FIXTURES / "keras2.15" / "mlp.h5"
    result = ckpttool.convert(source, tmp_path / target)
    assert [loss.where for loss in result.losses] == ["optimizer"]
    assert "the target has only weights" in result.losses[0].what
    assert ckpttool.convert(source, tmp_path / "a.keras").losses == ()


def test_a_learning_rate_schedule_of_the_authors() -> None:
    """It is said to be a schedule, though it takes the optimizer with it."""
    schedule = {"module": "code", "class_name": "Sched", "config": {}, "registered_name": "mine>Sched"}
    settings, journal = compiled(optimizer={**SGD, "config": {"learning_rate": schedule}})
    assert settings == {}
    (need,) = journal.needs
    assert need.what == "the learning rate schedule mine>Sched, to compile the model anew"
    assert any("the learning rate schedule mine>Sched, which is not built" in loss.what for loss in journal.losses)
