"""hard_sigmoid in a live model whose weights come from an older Keras, where its slope was another."""

from typing import Any

import pytest

from ckpttool.conversion.journal import Journal
from ckpttool.conversion.live import slopes
from ckpttool.conversion.origin import Origin
from ckpttool.model import Architecture, read_architecture
from ckpttool.model.generations.generation import Generation


def layer(class_name: str, name: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    """A layer of Keras 3."""
    return {"module": module, "class_name": class_name, "config": {"name": name, **config}}


def live(*layers: dict[str, Any]) -> Architecture:
    """The architecture of a live model."""
    start = layer("InputLayer", "x", batch_shape=[None, 3, 4])
    read = read_architecture({"module": "keras", "class_name": "Sequential", "config": {"layers": [start, *layers]}})
    assert read is not None
    return read


HARD = {"activation": "hard_sigmoid"}
GATES = {"units": 2, "recurrent_activation": "hard_sigmoid", "activation": "tanh"}


def scaled(model: Architecture, generation: Generation | None) -> tuple[dict[str, Any], Journal]:
    """The layers whose weights are multiplied, each with the gates, and the journal."""
    journal = Journal()
    return {label: of.gates for label, of in slopes.scaled_in(model, generation, journal).items()}, journal


def test_weights_before_it_are_multiplied() -> None:
    """Weights of an older Keras are multiplied, in the gates that have it; those of Keras 3 are not."""
    model = live(layer("LSTM", "lstm", **GATES), layer("Dense", "dense", **HARD), layer("Dense", "other"))
    gates, journal = scaled(model, Generation.KERAS_2)
    assert gates == {"lstm": (True, True, False, True), "dense": (True,)}
    assert [(edit.edit.name, edit.where, edit.detail) for edit in journal.edits] == [
        ("scale-hard-sigmoid", "lstm", "recurrent_activation"),
        ("scale-hard-sigmoid", "dense", "activation"),
    ]
    gates, journal = scaled(model, Generation.KERAS_3)
    assert (gates, journal) == ({}, Journal())


def test_layers_inside_others() -> None:
    """Cells, layers of wrappers and both directions are looked at, at the labels that their weights have."""
    cells = [layer("GRUCell", "first", **GATES), layer("GRUCell", "second", units=2)]
    both = layer("Bidirectional", "both", layer=layer("GRU", "forward_gru", **GATES))
    two = layer(
        "Bidirectional", "two", layer=layer("GRU", "a", units=2), backward_layer=layer("GRU", "backward_a", **GATES)
    )
    steps = layer("TimeDistributed", "steps", layer=layer("Dense", "dense", units=2, **HARD))
    model = live(layer("RNN", "rnn", cell=layer("StackedRNNCells", "cells", cells=cells)), both, two, steps)
    gates, _ = scaled(model, Generation.KERAS_1)
    assert list(gates) == ["rnn/cells/first", "both/forward_gru", "both/backward_gru", "two/backward_a", "steps/dense"]


def test_layers_that_no_weight_makes_up_for() -> None:
    """A bare activation is refused, with the way out; an own class and weights of an unknown Keras are guesses."""
    _, journal = scaled(live(layer("Activation", "act", **HARD)), Generation.KERAS_2)
    [refusal] = journal.refusals
    assert (refusal.where, refusal.what) == (
        "act",
        "Activation with hard_sigmoid as activation, whose slope was 0.2 and is 1/6 in Keras 3; "
        "name the function ckpttool.old_activations.hard_sigmoid in your model instead",
    )
    gates, journal = scaled(live(layer("Own", "own", "mine", **HARD)), Generation.KERAS_2)
    assert gates == {}
    assert [guess.what[:39] for guess in journal.guesses] == ["Own of your own has hard_sigmoid as act"]
    gates, journal = scaled(live(layer("Dense", "dense", **HARD)), None)
    assert gates == {}
    [guess] = journal.guesses
    assert guess.what.endswith("it is not known whether the weights are of Keras 3, and they stay as they are")


def noted(generation: Generation, origin: Origin, arrangements: tuple[str, ...] = ()) -> list[str]:
    """The places of the notes on the gates of a model with two layers of sigmoid gates."""
    gates = {"units": 2, "recurrent_activation": "sigmoid"}
    both = layer("Bidirectional", "both", layer=layer("GRU", "forward_gru", **gates))
    model = live(layer("LSTM", "lstm", **gates), both, layer("LSTM", "hard", **GATES))
    journal = Journal()
    slopes.note_sigmoid(model, generation, origin, arrangements, journal)
    assert all(guess.what.startswith("recurrent_activation is sigmoid in your model") for guess in journal.guesses)
    return [guess.where for guess in journal.guesses]


@pytest.mark.parametrize(
    ("generation", "version", "is_noted"),
    [
        (Generation.KERAS_1, None, True),
        (Generation.KERAS_2, "2.2.4", True),
        (Generation.KERAS_2, "2.2.4-tf", False),
        (Generation.KERAS_2, "2.3.1", False),
        (Generation.KERAS_2, None, False),
    ],
)
def test_gates_that_were_hard_by_default(generation: Generation, version: str | None, is_noted: bool) -> None:
    """Keras before 2.3 had hard_sigmoid in gates by default, tf.keras had not."""
    expected = ["lstm, both/forward_gru, both/backward_gru"] if is_noted else []
    assert noted(generation, Origin(version)) == expected


def test_gates_of_cudnn_were_never_hard() -> None:
    """Weights that cuDNN had are of layers with sigmoid."""
    layers = ("lstm/lstm_cell/kernel", "both/forward_gru/gru_cell/bias")
    assert noted(Generation.KERAS_1, Origin(), layers) == ["both/backward_gru"]
    assert noted(Generation.KERAS_1, Origin(), ("lstm/kernel",)) == ["both/forward_gru, both/backward_gru"]
    assert noted(Generation.KERAS_1, Origin(), (*layers, "both/backward_gru/gru_cell/bias")) == []
