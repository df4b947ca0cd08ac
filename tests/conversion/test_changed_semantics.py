"""Arguments that Keras 3 reads otherwise than Keras 2 did, held against live Keras."""

from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.config.changed_semantics import Site, with_old_meaning
from ckpttool.conversion.config.rewriter import Generation, rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import PLAIN
from ckpttool.conversion.origin import Origin
from ckpttool.model.arguments import Args
from tests.conversion.of_generation import of_generation
from tests.live import keras


def sequential(*layers: tuple[str, dict[str, Any]], dtype: str = "float32", shape: Any = (None, 3)) -> Any:
    """A Sequential model of Keras 2 in the words of Keras 3, as live Keras makes it."""
    first = {"batch_input_shape": list(shape), "dtype": dtype, "name": "x"}
    entries = [{"class_name": "InputLayer", "config": first}]
    entries += [
        {"class_name": name, "config": {"name": f"layer_{at}", "dtype": "float32", **config}}
        for at, (name, config) in enumerate(layers)
    ]
    old = {"class_name": "Sequential", "config": {"name": "model", "layers": entries}, "keras_version": "2.15.0"}
    journal = Journal()
    new = rewrite(of_generation(old, Generation.KERAS_2), journal, PLAIN).config
    assert journal.refusals == []
    return keras().saving.deserialize_keras_object(new)


@pytest.mark.parametrize("mode", ["count", "multi_hot", "one_hot"])
@pytest.mark.parametrize("name", ["IntegerLookup", "StringLookup", "TextVectorization"])
def test_lookups_that_count_give_floats(name: str, mode: str) -> None:
    """As Keras 2 did; so an activation can stand behind one."""
    if (name, mode) == ("TextVectorization", "one_hot"):
        pytest.skip("it has no such mode")
    entries = [1, 2, 3] if name == "IntegerLookup" else ["red", "green", "blue"]
    kind = "int64" if name == "IntegerLookup" else "string"
    config: dict[str, Any] = {"vocabulary": entries, "output_mode": mode}
    config |= {"split": "whitespace", "standardize": None, "ngrams": None} if name == "TextVectorization" else {}
    shape = (None, 1)
    model = sequential((name, config), ("Activation", {"activation": "sigmoid"}), dtype=kind, shape=shape)
    output = np.asarray(model(keras().ops.convert_to_tensor(np.array([[entries[1]]]))))
    assert output.dtype == "float32"
    assert np.isclose(output, 1 / (1 + np.exp(-1))).sum() == 1
    assert model.predict(keras().ops.convert_to_tensor(np.array([[entries[1]]])), verbose=0).dtype == "float32"


@pytest.mark.parametrize("dtype", ["int64", "int32", "float32"])
@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot"])
def test_discretization_sees_numbers_as_they_are(dtype: str, mode: str) -> None:
    """Keras 3 would cast them to integers first, where that is the type of the layer."""
    config = {"bin_boundaries": [-1.0, 0.0, 0.5], "output_mode": mode, "epsilon": 0.01, "dtype": dtype}
    model = sequential(("Discretization", config))
    outputs = model.predict(np.array([[-0.4, 0.2, 0.7]], "float32"), verbose=0)
    wanted = {"int": [[1, 2, 3]], "one_hot": [np.eye(4)[1:]], "multi_hot": [[0, 1, 1, 1]]}
    np.testing.assert_array_equal(outputs, wanted[mode])


@pytest.mark.parametrize(
    ("equation", "sizes", "shape"),
    [
        ("abc,cd->abd", [None, 4], (None, 5, 3)),
        ("acb,bd->acd", [None, 4], (None, 5, 3)),
        ("ab,bc->ac", [4], (None, 3)),
    ],
)
def test_sizes_of_einsum_that_are_left_open(equation: str, sizes: list[Any], shape: Any) -> None:
    """They are those of the input, without which nothing behind can be built."""
    model = sequential(
        ("EinsumDense", {"equation": equation, "output_shape": sizes}),
        ("Flatten", {"data_format": "channels_last"}),
        ("Dense", {"units": 2}),
        shape=shape,
    )
    assert model.layers[0].output.shape == (None, *shape[1:-1], 4)


def test_a_middle_layer_is_built_by_what_comes_before_it() -> None:
    """Not by an input shape that its config still has."""
    stale = {"axis": [-1], "batch_input_shape": [None, None]}
    model = sequential(("Dense", {"units": 2}), ("Normalization", stale), ("Dense", {"units": 2}))
    assert model.outputs[0].shape == (None, 2)


@pytest.mark.parametrize(
    ("class_name", "config", "version", "theano", "reason"),
    [
        ("ReLU", {"threshold": -0.5}, "2.2.4", False, "below zero"),
        ("ConvLSTM2D", {"strides": [2, 2], "dilation_rate": [2, 2]}, "2.2.4", False, "together"),
        ("Resizing", {"interpolation": "gaussian"}, "2.15.0", False, "no more"),
        ("UpSampling2D", {"interpolation": "mitchellcubic"}, "2.15.0", False, "no more"),
        ("UpSampling2D", {"interpolation": "bilinear"}, "2.2.4", False, "other places"),
        ("UpSampling2D", {"interpolation": "bilinear"}, "2.2.4", True, "other places"),
        ("UpSampling2D", {"interpolation": "bilinear"}, "2.1.6-tf", False, "other places"),
        ("RandomCrop", {}, "2.15.0", False, "inference"),
        ("ReLU", {"threshold": 0.5}, "2.2.4", False, None),
        ("ConvLSTM2D", {"strides": [2, 2], "dilation_rate": [1, 1]}, "2.2.4", False, None),
        ("UpSampling2D", {"interpolation": "bilinear"}, "2.15.0", False, None),
        ("UpSampling2D", {"interpolation": "bilinear"}, "2.2.4-tf", False, None),
        ("UpSampling2D", {"interpolation": "nearest"}, "2.2.4", True, None),
    ],
)
def test_what_is_refused(
    class_name: str, config: dict[str, Any], version: str, theano: bool, reason: str | None
) -> None:
    """Arguments that Keras 3 does not take, or computes otherwise, are refused."""
    args, journal = Args(class_name, {"name": "layer", **config}), Journal()
    with_old_meaning(args, Site("layer", args, None, Origin(version, theano)), journal)
    assert [reason in refusal.what for refusal in journal.refusals if reason] == ([True] if reason else [])
    assert bool(journal.refusals) == bool(reason)


@pytest.mark.parametrize(
    ("version", "theano", "left"), [("2.2.2", False, 1), ("2.2.2", True, 1), ("2.2.4", False, 2), ("2.15.0", False, 2)]
)
def test_the_dilation_of_a_transposed_convolution(version: str, theano: bool, left: int) -> None:
    """Keras of many backends took it up to 2.2.2, and did nothing with it; 2.2.3 and 2.2.4 dilate."""
    args = Args("Conv2DTranspose", {"name": "layer", "dilation_rate": 2, "kernel_size": 3, "strides": 1})
    config = with_old_meaning(args, Site("layer", args, None, Origin(version, theano)), Journal())
    assert config["dilation_rate"] == left


@pytest.mark.parametrize(("units", "refused"), [(3, False), (4, True)])
@pytest.mark.parametrize("backward", ["LSTM", "GRU"])
def test_a_bidirectional_of_two_sizes(backward: str, units: int, refused: bool) -> None:
    """A Bidirectional of 2.15 may give other numbers of values in its directions; it is refused by its own name."""
    layers = {
        "layer": {"class_name": "LSTM", "config": {"name": "forward_lstm", "units": 3}},
        "backward_layer": {"class_name": backward, "config": {"name": "back", "units": units, "go_backwards": True}},
    }
    args = Args.of({"class_name": "Bidirectional", "config": {"name": "both", "merge_mode": "concat", **layers}})
    journal = Journal()
    with_old_meaning(args, Site("both", args, (None, 5, 3), Origin()), journal)
    assert [(refusal.where, "directions of 3 and 4" in refusal.what) for refusal in journal.refusals] == (
        [("both", True)] * refused
    )


@pytest.mark.parametrize(
    ("class_name", "version", "how", "expected"),
    [
        ("LSTM", "1.2.2", "cpu", "W"),
        ("GRU", "1.2.0", "mem", "W"),
        ("LSTM", "1.2.2", "gpu", "U"),
        ("LSTM", "1.1.2", "cpu", "U"),
        ("SimpleRNN", "1.2.2", "cpu", "U"),
    ],
)
def test_regularizers_of_keras_1_2(class_name: str, version: str, how: str, expected: str) -> None:
    """GRU and LSTM of 1.2 took W_regularizer for recurrent kernels, too, but for all gates in one (1.2.2)."""
    of = {
        f"{name}_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": l2} for name, l2 in (("W", 1), ("U", 2))
    }
    config = {"name": "r", "output_dim": 2, "batch_input_shape": [None, 3, 4], "consume_less": how, **of}
    journal = Journal()
    model = {"class_name": "Sequential", "config": [{"class_name": class_name, "config": config}]}
    rewritten = rewrite(of_generation(model, Generation.KERAS_1), journal, origin=Origin(version)).config
    args = rewritten["config"]["layers"][-1]["config"]
    factors = [args[f"{name}_regularizer"]["config"]["l2"] for name in ("kernel", "recurrent")]
    assert factors == [1, {"W": 1, "U": 2}[expected]]
    assert ("write-recurrent-regularizer" in [applied.edit.name for applied in journal.edits]) is (expected == "W")
