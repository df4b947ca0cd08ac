"""Whole numbers in models of Keras 2: what TensorFlow 2.15 gave for them, live Keras 3 gives, or it is refused."""

import json
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation
from tests.live import keras

X = np.array([[[1, -2, 7], [2, -3, 0]]])  # a batch of one, two rows, three columns


def layer_of(class_name: str, name: str, config: dict[str, Any], *calls: list[Any]) -> dict[str, Any]:
    """A layer as Keras 2.15 wrote it into an `.h5`."""
    return {"class_name": class_name, "name": name, "config": {"name": name, **config}, "inbound_nodes": list(calls)}


def model_of(dtype: str, *layers: dict[str, Any]) -> dict[str, Any]:
    """A Functional model of one input of a dtype, the last layer of which is its output."""
    first = layer_of("InputLayer", "x", {"batch_input_shape": [None, 2, 3], "dtype": dtype})
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": [first, *layers], **ends}}


def function_of(function: str, source: str = "x", name: str = "f", **kwargs: Any) -> dict[str, Any]:
    """A layer that calls a TensorFlow function."""
    return layer_of("TFOpLambda", name, {"function": function}, [source, 0, 0, kwargs])


def converted(config: dict[str, Any]) -> tuple[dict[str, Any], Journal]:
    """The config for Keras 3, and what there is to say."""
    journal = Journal()
    return rewrite(of_generation(config, Generation.KERAS_2), journal).config, journal


def computed(config: dict[str, Any], x: Any) -> Any:
    """The output of the converted model in live Keras; nothing of it was guessed or refused."""
    new_config, journal = converted(config)
    assert (journal.refusals, journal.guesses) == ([], [])
    live = keras().saving.deserialize_keras_object(json.loads(json.dumps(new_config)), safe_mode=True)
    return np.asarray(live(np.asarray(x)))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_the_mean_is_cut_off(dtype: str) -> None:
    """reduce_mean of whole numbers is a whole number, cut off towards zero: -5 / 2 gives -2."""
    output = computed(model_of(dtype, function_of("math.reduce_mean", axis=1)), X.astype(dtype))
    assert output.dtype == dtype
    np.testing.assert_array_equal(output, [[1, -2, 3]])


def test_the_mean_of_a_cast() -> None:
    """A cast to whole numbers and one to floating-point numbers are told apart, each behind the other."""
    whole = function_of("cast", name="whole", dtype="int32")
    cut = model_of("float32", whole, function_of("math.reduce_mean", "whole", axis=1))
    np.testing.assert_array_equal(computed(cut, X * 1.1), [[1, -2, 3]])
    floats = function_of("cast", name="floats", dtype="float32")
    exact = model_of("int32", floats, function_of("math.reduce_mean", "floats", axis=1))
    np.testing.assert_array_equal(computed(exact, X.astype("int32")), [[1.5, -2.5, 3.5]])


def test_the_mean_of_comparisons_and_indices() -> None:
    """Truth values cast to int32, and the indices of argmax, are whole numbers."""
    layers = [function_of("math.greater", name="g", y=0), function_of("cast", "g", name="c", dtype="int32")]
    config = model_of("float32", *layers, function_of("math.reduce_mean", "c", axis=1))
    np.testing.assert_array_equal(computed(config, X.astype("float32")), [[1, 0, 0]])
    layers = [function_of("math.argmax", name="a", axis=2)]
    config = model_of("float32", *layers, function_of("math.reduce_mean", "a", axis=1))
    np.testing.assert_array_equal(computed(config, X.astype("float32")), [1])


def test_what_a_layer_hands_on() -> None:
    """Flatten hands whole numbers on; Embedding gives floating-point numbers."""
    flat = layer_of("Flatten", "flat", {}, ["x", 0, 0, {}])
    config = model_of("int32", flat, function_of("math.reduce_mean", "flat", axis=1))
    np.testing.assert_array_equal(computed(config, X.astype("int32")), [0])
    embedding = layer_of("Embedding", "e", {"input_dim": 9, "output_dim": 2}, ["x", 0, 0, {}])
    output = computed(
        model_of("int32", embedding, function_of("math.reduce_mean", "e", axis=1)), abs(X).astype("int32")
    )
    assert output.dtype == "float32"


def test_the_quotient_is_of_float64() -> None:
    """TensorFlow divides int32 as float64: 2 ** 24 + 1 is not rounded before."""
    config = model_of("int32", function_of("math.truediv", y=1))
    output = computed(config, np.full((1, 2, 3), 2**24 + 1, "int32"))
    assert output.dtype == "float64"
    assert output[0, 0, 0] == 2**24 + 1


def test_the_old_division() -> None:
    """compat.v1.div rounds whole numbers down: -3 / 2 gives -2."""
    output = computed(model_of("int32", function_of("compat.v1.div", y=2)), X.astype("int32"))
    np.testing.assert_array_equal(output, [[[0, -1, 3], [1, -2, 0]]])
    output = computed(model_of("float32", function_of("compat.v1.div", y=2)), X.astype("float32"))
    np.testing.assert_array_equal(output, X / 2)


def test_numbers_have_the_dtype_of_the_tensor() -> None:
    """A list of numbers beside float16 does not make float32 of it, nor a number beside uint8 int32."""
    output = computed(model_of("float16", function_of("math.add", y=[1.0, 2.0, 3.0])), X.astype("float16"))
    assert output.dtype == "float16"
    output = computed(model_of("uint8", function_of("math.floormod", y=3)), np.full((1, 2, 3), 200, "uint8"))
    assert (output.dtype, output[0, 0, 0]) == ("uint8", 2)


def test_ones_and_zeros() -> None:
    """one_hot with whole numbers as its values gives whole numbers, the mean of which is one."""
    hot = function_of("one_hot", name="hot", depth=3, on_value=1, off_value=0)
    output = computed(model_of("int32", hot, function_of("math.reduce_mean", "hot", axis=1)), abs(X).astype("int32"))
    assert output.dtype == "int32"


def test_images_are_resized_as_floating_point_numbers() -> None:
    """image.resize, Resizing and UpSampling2D give what lies between whole numbers, not rounded."""
    image = layer_of("Reshape", "image", {"target_shape": [2, 3, 1]}, ["x", 0, 0, {}])
    resized = function_of("image.resize", "image", size=[4, 3])
    resizing = layer_of("Resizing", "f", {"height": 4, "width": 3, "interpolation": "bilinear"}, ["image", 0, 0, {}])
    up = {"size": [2, 1], "interpolation": "bilinear", "data_format": "channels_last"}
    for layer in (resized, resizing, layer_of("UpSampling2D", "f", up, ["image", 0, 0, {}])):
        output = computed(model_of("uint8", image, layer), abs(X).astype("uint8"))
        np.testing.assert_array_equal(output[0, :, 0, 0], [1.0, 1.25, 1.75, 2.0])


@pytest.mark.parametrize("class_name", ["GlobalAveragePooling1D", "LayerNormalization", "UnitNormalization"])
def test_layers_that_compute_otherwise_are_refused(class_name: str) -> None:
    """Pooling and normalizations of whole numbers give other numbers in Keras 3; of others they do not."""
    pooled = layer_of(class_name, "f", {"axis": -1} if "Norm" in class_name else {}, ["x", 0, 0, {}])
    reason = f"{class_name} of int32, which computes otherwise with whole numbers in Keras 3"
    assert [refusal.what for refusal in converted(model_of("int32", pooled))[1].refusals] == [reason]
    assert converted(model_of("float32", pooled))[1].refusals == []


def test_refused_in_a_sequential_and_a_wrapper() -> None:
    """The dtype of an input is known behind it in a Sequential model, and inside a wrapper."""
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 2, 3], "dtype": "int32"}}
    pool = {"class_name": "GlobalAveragePooling1D", "config": {"name": "p"}}
    flat = {"class_name": "Reshape", "config": {"name": "r", "target_shape": [3, 2]}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [first, flat, pool]}}
    assert [refusal.where for refusal in converted(config)[1].refusals] == ["p"]
    wide = {"class_name": "Reshape", "config": {"name": "r", "target_shape": [2, 3, 1]}}
    wrapped = {"class_name": "TimeDistributed", "config": {"name": "t", "layer": pool}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [first, wide, wrapped]}}
    assert [refusal.where for refusal in converted(config)[1].refusals] == ["t/p"]


def test_what_comes_out_of_a_model() -> None:
    """A model inside gives the dtype of its outputs, and casts what it takes to that of its input."""
    inner = model_of("int32", function_of("math.multiply", y=1))
    inner = {**inner, "name": "m", "inbound_nodes": [[["x", 0, 0, {}]]]}
    outer = model_of("float32", inner, function_of("math.reduce_mean", "m", name="mean", axis=1))
    outer["config"]["layers"][2]["inbound_nodes"] = [["m", 1, 0, {"axis": 1}]]
    np.testing.assert_array_equal(computed(outer, X.astype("float32")), [[1, -2, 3]])


def test_of_the_smaller_whole_numbers() -> None:
    """The mean of uint8 is refused: its sum is more than the dtype holds."""
    reason = "TensorFlow's math.reduce_mean: the mean of uint8, which TensorFlow returns as whole numbers"
    journal = converted(model_of("uint8", function_of("math.reduce_mean", axis=1)))[1]
    assert [refusal.what for refusal in journal.refusals] == [reason]


def test_of_what_is_not_known() -> None:
    """The mean of what a class of the author's own gives is taken for one of floating-point numbers, as a guess."""
    own = layer_of("Mine", "own", {}, ["x", 0, 0, {}])
    journal = converted(model_of("float32", own, function_of("math.reduce_mean", "own", axis=1)))[1]
    assert [guess.where for guess in journal.guesses] == ["f"]
    assert "whole numbers" in journal.guesses[0].what


def test_divisions_of_a_graph() -> None:
    """RealDiv of whole numbers, as TensorFlow 2.1 wrote it, cuts off; it is refused."""
    node = json.dumps({"op": "RealDiv", "name": "d", "attr": {"T": {"type": "DT_INT32"}}})
    layer = layer_of("TensorFlowOpLayer", "f", {"node_def": node, "constants": {"1": 2}}, [["x", 0, 0, {}]])
    assert "cut off to a whole number" in converted(model_of("int32", layer))[1].refusals[0].what
    np.testing.assert_array_equal(computed(model_of("float32", layer), X.astype("float32")), X / 2)


@pytest.mark.parametrize(
    ("class_name", "config", "dtype", "is_cast"),
    [
        ("UpSampling2D", {"size": [2, 2], "interpolation": "bilinear"}, "int32", True),
        ("UpSampling2D", {"size": [2, 2], "interpolation": "bilinear"}, "float32", False),
        ("UpSampling2D", {"size": [2, 2], "interpolation": "nearest"}, "int32", False),
        ("UpSampling2D", {"size": [2, 2]}, "int32", False),
        ("Resizing", {"height": 4, "width": 4}, "uint8", True),
        ("Resizing", {"height": 4, "width": 4, "interpolation": "nearest"}, "uint8", False),
    ],
)
def test_a_cast_before_a_layer(class_name: str, config: dict[str, Any], dtype: str, is_cast: bool) -> None:
    """A layer that interpolates whole numbers gets a Rescaling of 1 before it, in a model of its name."""
    images = {"batch_input_shape": [None, 2, 3, 1], "dtype": dtype}
    first = layer_of("InputLayer", "x", images)
    layers = [first, layer_of(class_name, "up", {"data_format": "channels_last", **config}, ["x", 0, 0, {}])]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["up", 0, 0]]}
    new_config, journal = converted({"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}})
    assert journal.refusals == []
    entry = new_config["config"]["layers"][-1]
    cast = [applied.where for applied in journal.edits if applied.edit.name == "cast-whole-numbers"]
    assert (cast, entry["config"]["name"]) == (["up"] if is_cast else [], "up")
    if not is_cast:
        assert entry["class_name"] == class_name
        return
    assert entry["class_name"] == "Sequential"
    rescaling, layer = entry["config"]["layers"]
    assert (rescaling["class_name"], layer["class_name"]) == ("Rescaling", class_name)
    assert rescaling["config"] == {"name": "up_cast", "scale": 1.0, "offset": 0.0}
    assert layer["config"]["name"] == "up_layer"
    assert {key: layer["config"][key] for key in config} == config
