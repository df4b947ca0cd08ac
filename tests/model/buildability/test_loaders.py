"""Whether Keras builds a config: the answers for configs in which one thing is wrong."""

from typing import Any

import pytest

from ckpttool.model.buildability import (
    OwnObject,
    buildability_of_h5,
    buildability_of_json,
    buildability_of_keras,
)


def layer(class_name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    """An entry of a layer as Keras 3 writes it."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def sequential(*layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A Sequential model as Keras 3 writes it."""
    return layer("Sequential", "keras", name="model", layers=list(layers)) | more


INPUT = layer("InputLayer", batch_shape=[None, 3], dtype="float32", name="x")


def test_builds() -> None:
    """A config of Keras 3 is built."""
    answer = buildability_of_keras(sequential(INPUT, layer("Dense", name="d", units=2, activation="relu")))
    assert answer.builds and answer.compiles and not answer.unknown


@pytest.mark.parametrize(
    ("wrong", "where", "argument"),
    [
        (layer("Dense", name="d", units=2, activation="no_such"), "d", "activation"),
        (layer("Dense", name="d", units=2, batch_input_shape=[None, 3]), "d", "batch_input_shape"),
        (layer("Dense", name="d", units={"type": "ndarray", "value": [2]}), "d", "units"),
        (layer("Dense", name="d", units=2, kernel_initializer={"class_name": "No", "config": {}}), "d", None),
        (layer("LSTM", name="d", units=2, time_major=False), "d", "time_major"),
        (layer("Conv2D", name="d", filters=2, kernel_size=3), "d", "call"),
        (layer("CuDNNLSTM", name="d", units=2), "", ""),
        (layer("TFOpLambda", name="d", function="math.multiply"), "", ""),
        (layer("Dense", "keras.src.layers.core.nothing", name="d", units=2), "", "module"),
        (layer("Dense", name="a/b", units=2), "a/b", "name"),
        (layer("Dense", name="d", units=2, dtype="float99"), "d", "dtype"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_obstacle(wrong: dict[str, Any], where: str, argument: str | None) -> None:
    """An argument that Keras raises on is named with its layer."""
    answer = buildability_of_keras(sequential(INPUT, wrong))
    if argument is None:
        assert answer.unknown == (OwnObject("No", where),)
        return
    (obstacle,) = answer.obstacles
    assert (obstacle.where, obstacle.argument) == (where, argument)


def test_a_text_that_names_a_function() -> None:
    """The loader of .h5 puts the function `keras.layers.dot` in the place of the text "dot"."""
    entry = {"class_name": "Attention", "config": {"name": "a", "score_mode": "dot"}}
    sequence = {"class_name": "Sequential", "config": {"name": "model", "layers": [entry]}}
    (obstacle,) = buildability_of_h5(sequence).obstacles
    assert (obstacle.where, obstacle.argument) == ("a", "score_mode")
    entry["config"]["score_mode"] = "concat"
    assert buildability_of_h5(sequence).builds


@pytest.mark.parametrize("axis", [None, [], [1, 2]], ids=str)
def test_an_axis_that_is_dropped(axis: list[int] | None) -> None:
    """The loader of .h5 drops an axis that is null or several ones; a single one and single numbers are no matter."""
    entry: dict[str, Any] = {"class_name": "Normalization", "config": {"name": "n", "axis": axis}}
    sequence = {"class_name": "Sequential", "config": {"name": "model", "layers": [entry]}}
    answer = buildability_of_h5(sequence)
    assert answer.builds
    assert [(misread.where, misread.argument) for misread in answer.misread] == [("n", "axis")]
    entry["config"] |= {"mean": 1.5, "variance": 2}
    assert not buildability_of_h5(sequence).misread
    entry["config"] = {"name": "n", "axis": [1]}
    assert not buildability_of_h5(sequence).misread


def test_compile_settings() -> None:
    """An obstacle to a compiled load alone is listed apart."""
    config = sequential(INPUT, compile_config={"optimizer": "adam", "lr": 0.1})
    answer = buildability_of_keras(config)
    assert answer.builds and not answer.compiles
    assert [(obstacle.where, obstacle.argument) for obstacle in answer.compile_obstacles] == [("compile", "lr")]


@pytest.mark.parametrize(
    ("class_name", "settings", "compiles"),
    [  # asked of live Keras 3.15
        *(("AUC", {"curve": curve}, True) for curve in ("PR", "ROC", "pr", "PRGAIN")),
        *(("AUC", {"summation_method": how}, True) for how in ("minoring", "majoring", "interpolation")),
        ("AUC", {"multi_label": True, "num_labels": 3}, True),
        *(("F1Score", {"average": average}, True) for average in (None, "micro", "macro", "weighted")),
        ("FBetaScore", {"average": "macro", "beta": 2.0}, True),
        ("AUC", {"curve": "x"}, False),
        ("AUC", {"summation_method": "x"}, False),
        ("AUC", {"num_labels": 3}, False),
        ("F1Score", {"average": "x"}, False),
    ],
    ids=str,
)
def test_settings_of_metrics(class_name: str, settings: dict[str, Any], compiles: bool) -> None:
    """Every setting that Keras knows by name is taken, and no other."""
    metrics = [layer(class_name, "keras.metrics", name="metric", **settings)]
    answer = buildability_of_keras(sequential(INPUT, compile_config={"optimizer": "adam", "metrics": metrics}))
    assert answer.builds and answer.compiles == compiles, answer


def test_own_class() -> None:
    """An own class is named, and what the config says of it is left to the user's code."""
    own = {"module": "mine", "class_name": "Block", "config": {"name": "b"}, "registered_name": "mine>Block"}
    answer = buildability_of_keras(sequential(INPUT, own))
    assert answer.builds and answer.unknown == (OwnObject("mine>Block", "", "mine"),)


def test_own_function() -> None:
    """A function that is none of Keras's own is named, not called function, as older files register it."""
    own = {"module": "builtins", "class_name": "function", "config": "mine", "registered_name": "function"}
    answer = buildability_of_keras(sequential(INPUT, layer("Dense", name="d", units=2, activation=own)))
    assert answer.unknown == (OwnObject("mine", "d", "builtins"),)


def test_legacy() -> None:
    """Entries without a module are built by the loader of legacy files alone."""
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "name": "x"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "mine"}},
    ]}}  # fmt: skip
    answer = buildability_of_h5(config)
    assert answer.builds and answer.unknown == (OwnObject("mine", "d"),)
    assert [obstacle.argument for obstacle in buildability_of_json(config).obstacles] == ["module"]


@pytest.mark.parametrize("config", [None, 1, "x", [], {}, {"class_name": 3, "config": 4}, {"config": {}}])
def test_junk(config: Any) -> None:
    """A value that is no config is refused with one reason by the loader of legacy files, and by no loader with
    more."""
    answers = [ask(config).obstacles for ask in (buildability_of_keras, buildability_of_h5, buildability_of_json)]
    assert len(answers[1]) == 1
    assert all(len(obstacles) <= 1 and all(obstacle.why for obstacle in obstacles) for obstacles in answers)


def test_what_keras_looks_up() -> None:
    """A class that Keras has elsewhere is refused with the name that is looked up, and where Keras has it."""
    (obstacle,) = buildability_of_keras(layer("Functional", "keras", name="m")).obstacles
    assert "looks up keras.Functional" in obstacle.why and "keras.src.models.functional" in obstacle.why
