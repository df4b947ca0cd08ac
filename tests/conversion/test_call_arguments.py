"""Calls of old graphs as Keras 3 takes them."""

import base64
import marshal
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.config.call_arguments import keras3_call, serialized_argument
from ckpttool.conversion.journal import Journal
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor, read_calls
from tests.model.live_defaults import keras

X, H, C = (Tensor(name, 0, 0, (None, 4)) for name in "xhc")


def new_call(class_name: str, call: Call, **config: Any) -> tuple[Call, Journal]:
    """A call of a layer today, and what was noted."""
    journal = Journal()
    return keras3_call(Args(class_name, {"name": "layer", **config}), call, "layer", journal), journal


def code(function: Any) -> str:
    """The code of a function as Keras stores it."""
    return base64.b64encode(marshal.dumps(function.__code__)).decode()


@pytest.mark.parametrize(
    ("class_name", "inputs", "state"),
    [("LSTM", [X, H, C], [H, C]), ("GRU", [X, H], H), ("SimpleRNN", [X, H], H), ("Bidirectional", [X, H, C], [H, C])],
)
def test_initial_states_are_passed_by_name(class_name: str, inputs: list[Tensor], state: Any) -> None:
    """Initial states, which older Keras had among the inputs of a recurrent layer, become arguments of the call."""
    call, journal = new_call(class_name, Call((inputs,)))
    assert (call.args, call.kwargs) == ((X,), {"initial_state": state})
    assert [applied.edit.name for applied in journal.edits] == ["states-by-name"]


def test_constants_are_refused() -> None:
    """Keras 3 runs no cell with constants."""
    _, journal = new_call("RNN", Call(([X, H, C],)), num_constants=1)
    assert "constants" in journal.refusals[0].what


def test_a_causal_mask_is_asked_for_in_the_call() -> None:
    """It was an argument of the layer; false asks for nothing."""
    assert new_call("Attention", Call(([X, X],)), causal=True)[0].kwargs == {"use_causal_mask": True}
    assert new_call("Attention", Call(([X, X],)), causal=False)[0].kwargs == {}


def test_arguments_that_ask_for_nothing_go() -> None:
    """Null, and `training` of a layer that does the same in both; what matters stays."""
    assert new_call("Dense", Call((X,), {"training": True, "mask": None}))[0].kwargs == {}
    for class_name in ("Dropout", "Lambda"):  # the function of a Lambda may take it
        assert new_call(class_name, Call((X,), {"training": True}))[0].kwargs == {"training": True}
    assert new_call("Mine", Call((X,), {"training": False}))[0].kwargs == {"training": False}


@pytest.mark.parametrize(
    ("class_name", "config", "differs"),
    [
        ("Dropout", {"rate": 0.5}, True),
        ("Dropout", {"rate": 0.0}, False),
        ("BatchNormalization", {}, True),
        ("BatchNormalization", {"trainable": False}, False),
        ("LSTM", {"recurrent_dropout": 0.1}, True),
        ("LSTM", {"dropout": 0.0}, False),
        ("TimeDistributed", {"layer": {"class_name": "Dropout", "config": {"rate": 0.5}}}, True),
        ("TimeDistributed", {"layer": {"class_name": "Dense", "config": {"units": 2}}}, False),
        ("Sequential", {"layers": [{"class_name": "GaussianNoise", "config": {"stddev": 1.0}}]}, True),
        ("Mine", {}, True),
        ("Dense", {"units": 2}, False),
        ("Lambda", {"function": [code(lambda x, training=None: x), None, None]}, True),
        ("Lambda", {"function": [code(lambda x: x * 2), None, None]}, False),
        ("Lambda", {"function": "by_name", "function_type": "function"}, True),
        ("Sequential", {"layers": [{"class_name": "Lambda", "config": {"function": code(lambda x: x)}}]}, False),
    ],
)
def test_training_that_a_call_states(class_name: str, config: dict[str, Any], differs: bool) -> None:
    """Keras 3 overrides it: true is refused, and of false what further training lacks is said."""
    always, never = (
        new_call(class_name, Call((X,), {"training": training}), **config)[1] for training in (True, False)
    )
    assert [bool(always.refusals), bool(never.losses), bool(never.refusals)] == [differs, differs, False]
    assert not any("training" in loss.what for loss in always.losses)


@pytest.mark.parametrize("training", [True, False])
def test_keras_3_overrides_the_training_of_a_call(training: bool) -> None:
    """In `predict` a Dropout is off that the graph calls in training; in `fit` a BatchNormalization moves that it calls
    in inference."""
    layers = keras().layers
    layer = layers.Dropout(0.5) if training else layers.BatchNormalization()
    inputs = keras().Input((64,))
    model = keras().Model(inputs, layer(inputs, training=training))
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.full((4, 64), 3.0)
    if training:
        assert (model.predict(x, verbose=0) == 3).all()
        return
    model.train_on_batch(x, x)
    assert np.asarray(layer.moving_mean).max() > 0


def test_a_list_of_one_tensor_is_a_guess() -> None:
    """An `Add` of one tensor may be a class of the author's own; one that is known to be is called as it was."""
    call, journal = new_call("Add", Call((X,)))
    assert call.args == ([X],)
    assert "no class of yours" in journal.guesses[0].what
    own = keras3_call(Args("Add", {"name": "layer"}, foreign=True), Call((X,)), "layer", Journal())
    assert own.args == (X,)
    assert new_call("LSTM", Call((X,), {"mask": H}))[0].kwargs == {"mask": H}


def test_written_and_read_again() -> None:
    """Tensors, slices, tuples and unknown shapes survive in the notation of Keras 3."""
    unknown = Tensor("u", 1, 2, None)
    args = [X, [H, unknown], {"c": C}, 3, None, slice(1, None, 2), (X, 1)]
    node = {"args": serialized_argument(args, lambda tensor: "float32"), "kwargs": {}}
    assert read_calls({"inbound_nodes": [node]}) == (Call(tuple(args), {}),)
