"""Layers that hold others, whose configs state other shapes than the graph has: the weights that live Keras makes."""

import copy
import json
from typing import Any

import pytest

from ckpttool.model import Architecture, read_architecture
from ckpttool.model.buildability import buildability_of_keras
from ckpttool.model.spec import spec_of
from tests.live import keras

pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow, with NumPy 2


def holders() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """A layer that holds another, and where its config has that of the other."""
    layers = keras().layers
    return {
        "Bidirectional": (layers.Bidirectional(layers.LSTM(3)), ("layer",)),
        "Bidirectional, backwards": (
            layers.Bidirectional(layers.GRU(3), backward_layer=layers.GRU(3, go_backwards=True)),
            ("backward_layer",),
        ),
        "RNN": (layers.RNN(layers.LSTMCell(3)), ("cell",)),
        "StackedRNNCells": (layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)]), ("cell", "config", "cells", "1")),
        "TimeDistributed": (layers.TimeDistributed(layers.Conv1D(3, 2)), ("layer",)),
    }


@pytest.mark.parametrize(
    "kind", ["Bidirectional", "Bidirectional, backwards", "RNN", "StackedRNNCells", "TimeDistributed"]
)
def test_the_inner_layer_is_built_first(kind: str) -> None:
    """Keras builds the held layer for what its own config states, and leaves it so whatever its holder is called on."""
    layer, place = holders()[kind]
    rows = (5, 6, 4) if kind == "TimeDistributed" else (5, 4)
    inputs = keras().Input(rows)
    config = json.loads(keras().Model(inputs, layer(inputs)).to_json())
    config_of_layer = config["config"]["layers"][1]["config"]
    for key in place:
        config_of_layer = config_of_layer[int(key) if key.isdigit() else key]
    config_of_layer["build_config"]["input_shape"][-1] += 2
    live = keras().saving.deserialize_keras_object(copy.deepcopy(config))
    architecture = read_architecture(config)
    assert architecture is not None
    assert buildability_of_keras(config).builds
    expected = {slot.path: slot.shape for slot in spec_of(Architecture.from_model(live)).slots}
    assert {slot.path: slot.shape for slot in spec_of(architecture).slots} == expected
    assert {6} & {size for shape in expected.values() for size in shape or ()}
