"""Whether Keras makes the weights of a Sequential model when it reads its config: as live Keras does."""

from typing import Any

import pytest

from ckpttool.model.arguments import Args
from ckpttool.model.shape_inference import is_built
from tests.live import keras

MAKE: dict[str, Any] = {
    "GRU": lambda layers: [layers.GRU(3)],
    "LSTM": lambda layers: [layers.LSTM(3)],
    "Bidirectional": lambda layers: [layers.Bidirectional(layers.SimpleRNN(3))],
    "Dense": lambda layers: [layers.Dense(3)],
    "Flatten": lambda layers: [layers.Flatten(), layers.Dense(2)],
    "GlobalMaxPooling1D": lambda layers: [layers.GlobalMaxPooling1D(), layers.Dense(2)],
    "InputLayer": lambda layers: [layers.InputLayer(shape=(5, 3)), layers.GRU(3)],
    "model": lambda layers: [keras().Sequential([layers.InputLayer(shape=(5,)), layers.Dense(3)]), layers.Dense(2)],
    "model without a shape": lambda layers: [keras().Sequential([layers.Dense(3)]), layers.Dense(2)],
}


@pytest.mark.parametrize("case", MAKE)
def test_as_keras_builds_it(case: str) -> None:
    """A model is built where its first layer tells what goes in; that something is known of what comes out is no
    reason."""
    pytest.importorskip("keras", minversion="3.15", reason="the oracle is Keras 3.15 itself")
    config = keras().Sequential(MAKE[case](keras().layers)).get_config()
    live = keras().Sequential.from_config(config)
    assert is_built(Args.of({"class_name": "Sequential", "config": config})) == live.built
