"""Lookups whose arguments contradict each other, and models called inside others: what Keras refuses, and live Keras,
where it is there, says the same."""

import warnings
from typing import Any

import pytest

from ckpttool.model.buildability import buildability_of_json
from tests.model.buildability.test_bounds import node, tensor
from tests.model.buildability.test_loaders import layer, sequential


def lookup(class_name: str, **arguments: Any) -> dict[str, Any]:
    """A model of one lookup."""
    dtype = "int64" if class_name == "IntegerLookup" else "string"
    start = layer("InputLayer", batch_shape=[None, 1], dtype=dtype, name="x")
    return sequential(start, layer(class_name, name="look", **arguments))


WEIGHTED = {"output_mode": "tf_idf", "vocabulary": ["a", "b"]}
LOOKUPS: list[tuple[str, dict[str, Any], str]] = [
    ("StringLookup", {"vocabulary": ["a", "b"]}, ""),
    ("StringLookup", {"vocabulary": ["[UNK]", "a"]}, ""),
    ("StringLookup", {"vocabulary": ["", "[UNK]", "a"], "mask_token": ""}, ""),
    ("StringLookup", {"vocabulary": ["a"], "pad_to_max_tokens": True}, "pad_to_max_tokens"),
    ("StringLookup", {"vocabulary": ["a"], "invert": True, "output_mode": "one_hot"}, "invert"),
    ("StringLookup", {"vocabulary": ["a"], "sparse": True}, "sparse"),
    ("StringLookup", {"vocabulary": ["a"], "idf_weights": [1.0], "output_mode": "count"}, "idf_weights"),
    ("StringLookup", {"vocabulary": ["a"], "mask_token": 3}, "mask_token"),
    ("IntegerLookup", {"vocabulary": [1], "mask_token": "m"}, "mask_token"),
    ("IntegerLookup", {"vocabulary": [1], "mask_token": 0}, ""),
    ("StringLookup", {"output_mode": "tf_idf", "vocabulary": ["a"]}, "idf_weights"),
    ("StringLookup", {**WEIGHTED, "idf_weights": [1.0, 2.0]}, ""),
    ("StringLookup", {**WEIGHTED, "idf_weights": [1.0]}, "idf_weights"),
    ("StringLookup", {"vocabulary": []}, "vocabulary"),
    ("StringLookup", {"vocabulary": [["a"]]}, "vocabulary"),
    ("StringLookup", {"vocabulary": [1, 2]}, "vocabulary"),
    ("IntegerLookup", {"vocabulary": ["a", 2]}, "vocabulary"),
    ("StringLookup", {"vocabulary": ["[UNK]"]}, "vocabulary"),
    ("StringLookup", {"vocabulary": ["a", "b", "a"]}, "vocabulary"),
    ("IntegerLookup", {"vocabulary": [1, 1.5]}, "vocabulary"),
    ("StringLookup", {"vocabulary": ["a", "m"], "mask_token": "m"}, "mask_token"),
    ("StringLookup", {"vocabulary": ["a", "[UNK]"], "invert": True}, "oov_token"),
    ("StringLookup", {"vocabulary": ["a", "b"], "max_tokens": 2}, "max_tokens"),
    ("StringLookup", {"vocabulary": ["a", "b"], "max_tokens": 3}, ""),
    ("StringLookup", {"vocabulary": ["a", "b"], "max_tokens": 3, "mask_token": "m"}, "max_tokens"),
    ("StringLookup", {"vocabulary": ["a", "b"], "max_tokens": 3, "num_oov_indices": 2}, "max_tokens"),
]


@pytest.mark.parametrize(("class_name", "arguments", "refused"), LOOKUPS, ids=str)
def test_lookups(class_name: str, arguments: dict[str, Any], refused: str) -> None:
    """The argument that Keras refuses is named."""
    answer = buildability_of_json(lookup(class_name, **arguments))
    assert [(obstacle.where, obstacle.argument) for obstacle in answer.obstacles] == [("look", refused)][
        : bool(refused)
    ]
    assert answer.builds is not bool(refused)


def test_a_reason_says_what_the_layer_looks_up() -> None:
    """The reason for a vocabulary of another type names both."""
    [strings] = buildability_of_json(lookup("StringLookup", vocabulary=[1, 2])).obstacles
    [numbers] = buildability_of_json(lookup("IntegerLookup", vocabulary=["a"])).obstacles
    assert (strings.why, numbers.why) == (
        "it is [1, 2], and the layer looks up strings",
        "it is ['a'], and the layer looks up whole numbers",
    )


INNER_ENDS = {"input_layers": [["i", 0, 0]], "output_layers": [["d", 0, 0]]}


def of_shape(entry: dict[str, Any], *shape: int | None) -> dict[str, Any]:
    """The entry of a tensor with another shape."""
    entry["config"]["shape"] = list(shape)
    return entry


def inner(*shape: int | None, units: int = 2) -> dict[str, Any]:
    """A model of one input and one Dense."""
    start = node(layer("InputLayer", name="i", batch_shape=list(shape), dtype="float32"))
    layers = [start, node(layer("Dense", name="d", units=units), of_shape(tensor("i"), *shape))]
    return layer("Functional", "keras.src.models.functional", name="inner", layers=layers, **INNER_ENDS)


def pair() -> dict[str, Any]:
    """A model of two inputs, which it adds."""
    starts = [node(layer("InputLayer", name=name, batch_shape=[None, 3], dtype="float32")) for name in "ab"]
    add = node(layer("Add", name="d"), [of_shape(tensor(name), None, 3) for name in "ab"])
    ends = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["d", 0, 0]]}
    return layer("Functional", "keras.src.models.functional", name="inner", layers=[*starts, add], **ends)


def outer(model: dict[str, Any], call: Any, *shape: int | None, **kwargs: Any) -> dict[str, Any]:
    """A model that calls another one, and a Dense on its output."""
    start = node(layer("InputLayer", name="x", batch_shape=list(shape), dtype="float32"))
    called = {**model, "name": "inner", "inbound_nodes": [{"args": [call], "kwargs": kwargs}]}
    end = node(layer("Dense", name="end", units=1), tensor("inner"))
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["end", 0, 0]]}
    return layer("Functional", "keras.src.models.functional", name="m", layers=[start, called, end], **ends)


def x(*shape: int | None) -> dict[str, Any]:
    """The input of the outer model."""
    return of_shape(tensor("x"), *shape)


DEFERRED = layer("Sequential", "keras", name="inner", layers=[layer("Dense", name="d", units=2)])
BUILT = {**DEFERRED, "build_config": {"input_shape": [None, 3]}}
MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "the same shape": (outer(inner(None, 3), x(None, 3), None, 3), ""),
    "another size": (outer(inner(None, 3), x(None, 4), None, 4), "call"),
    "an open size": (outer(inner(None, None, 3), x(None, 7, 3), None, 7, 3), ""),
    "another batch": (outer(inner(8, 3), x(None, 3), None, 3), ""),
    "too many inputs": (outer(inner(None, 3), [x(None, 3), x(None, 3)], None, 3), "call"),
    "too few inputs": (outer(pair(), x(None, 3), None, 3), "call"),
    "inputs by name": (outer(pair(), {"b": x(None, 3), "a": x(None, 3)}, None, 3), ""),
    "inputs by another name": (outer(pair(), {"b": x(None, 3)}, None, 3), "call"),
    "no tensor": (outer(inner(None, 3), 5, None, 3), "call"),
    "another argument": (outer(inner(None, 3), x(None, 3), None, 3, speed=2), "speed"),
    "built by its call": (outer(DEFERRED, x(None, 3), None, 3), ""),
    "built before": (outer(BUILT, x(None, 3), None, 3), ""),
    "built for another size": (outer(BUILT, x(None, 4), None, 4), "call"),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_in_models(name: str) -> None:
    """A call of a model is refused where inputs or arguments do not fit, at its place."""
    config, refused = MODELS[name]
    answer = buildability_of_json(config)
    assert [obstacle.argument for obstacle in answer.obstacles] == [refused][: bool(refused)], answer
    assert all(obstacle.why for obstacle in answer.obstacles)


def test_what_comes_out_of_a_model_for_another_shape() -> None:
    """A model that was made for any length is computed anew for the one it is called on: what follows takes that."""
    for length, builds in ((4, True), (5, False)):
        model = outer(inner(None, None, 3), x(None, length, 3), None, length, 3)
        model["config"]["layers"][-1] = node(layer("Reshape", name="end", target_shape=[2, 4]), tensor("inner"))
        answer = buildability_of_json(model)
        assert answer.builds is builds, (length, answer)


def test_live_keras_says_the_same() -> None:
    """Keras 3.15 builds and refuses the same configs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("keras", minversion="3.15", reason="the oracle is Keras 3.15 itself")
        from tests.model.buildability.live_answers import ask
    cases = [(str(arguments), lookup(name, **arguments), refused) for name, arguments, refused in LOOKUPS]
    cases += [(name, config, refused) for name, (config, refused) in MODELS.items()]
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, config, refused in cases:
            building, _ = ask("json", config, None)
            if bool(building) != bool(refused):
                wrong.append(f"{name}: Keras: {building[:200] or 'builds'}; ours: {refused or 'builds'}")
    assert not wrong, "\n".join(wrong)
