"""Activations of old models."""

from typing import Any

import pytest

from ckpttool.conversion.config.hard_sigmoid import KNOWN, scaled_weights
from ckpttool.model.arguments import Args
from tests.live import keras


def test_known_are_those_of_keras() -> None:
    """The names are those that live Keras finds."""
    assert set(keras().src.activations.ALL_OBJECTS_DICT) == KNOWN


@pytest.mark.parametrize(
    ("class_name", "config", "gates"),
    [
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, (True, True, False, True)),
        ("LSTM", {"recurrent_activation": "hard_sigmoid", "activation": "hard_sigmoid"}, None),
        ("GRU", {"recurrent_activation": "hard_sigmoid"}, (True, True, False)),
        ("GRU", {"recurrent_activation": "hard_sigmoid", "activation": "hard_sigmoid"}, (True, True, True)),
        ("GRU", {"activation": "hard_sigmoid"}, (False, False, True)),
        ("SimpleRNN", {"activation": "hard_sigmoid"}, (True,)),
        ("Dense", {"activation": "hard_sigmoid"}, (True,)),
        ("Activation", {"activation": "hard_sigmoid"}, None),
        ("ConvLSTM2D", {"recurrent_activation": "hard_sigmoid"}, (True, True, False, True)),
    ],
)
def test_gates_that_are_scaled(class_name: str, config: dict[str, Any], gates: tuple[bool, ...] | None) -> None:
    """The gates before a hard_sigmoid are scaled; none where the function is applied to more than a sum of weights."""
    result = scaled_weights(Args(class_name, config))
    assert (result and result.gates) == gates
