"""Ragged inputs: what Keras 3 takes as Keras 2 did is converted, what it does not is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from ckpttool.conversion.config import ragged_inputs
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation
from tests.live import keras

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of TensorFlow, with NumPy 2

LAYERS: dict[str, dict[str, Any]] = {
    "LSTM": {"units": 2},
    "GRU": {"units": 2, "reset_after": True},
    "SimpleRNN": {"units": 2},
    "Dense": {"units": 2},
    "Flatten": {},
    "GlobalAveragePooling1D": {},
    "GlobalMaxPooling1D": {},
    "Dropout": {"rate": 0.5},
    "Activation": {"activation": "relu"},
    "LayerNormalization": {},
    "Rescaling": {"scale": 2.0, "offset": 0.0},
}


def config(class_name: str, arguments: dict[str, Any], nested: bool) -> dict[str, Any]:
    """A model of Keras 2 in which a layer gets what an Embedding makes of a ragged input."""
    settings = {"batch_input_shape": [None, None], "dtype": "int64", "ragged": True, "sparse": False}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "i", **settings}},
        {"class_name": "Embedding", "config": {"name": "e", "input_dim": 9, "output_dim": 4}},
        {"class_name": class_name, "config": {"name": "own", **arguments}},
    ]
    if not nested:
        return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    layers[1:] = [{"class_name": "Sequential", "config": {"name": "inner", "layers": layers[1:]}}]
    nodes: list[Any] = [[], [[["i", 0, 0, {}]]]]
    graph = [
        layer | {"name": layer["config"]["name"], "inbound_nodes": at} for layer, at in zip(layers, nodes, strict=True)
    ]
    ends = {"input_layers": [["i", 0, 0]], "output_layers": [["inner", 1, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": graph, **ends}}


@pytest.mark.parametrize("nested", [False, True], ids=["chain", "nested"])
@pytest.mark.parametrize("class_name", LAYERS)
def test_as_keras_takes_it(class_name: str, nested: bool, tmp_path: Path) -> None:
    """A layer is refused where live Keras 3 raises for a ragged tensor, and only there."""
    import tensorflow as tf

    from ckpttool.model.arguments import Args

    journal = Journal()
    new_config = rewrite(
        of_generation(config(class_name, LAYERS[class_name], nested), Generation.KERAS_2), journal
    ).config
    ragged_inputs.check(Args.of(new_config), journal)
    model = keras().saving.deserialize_keras_object(json.loads(json.dumps(new_config)))
    try:
        model(tf.ragged.constant([[1, 2, 3], [4]], dtype="int64"))
        raises = False
    except (ValueError, TypeError):
        raises = True
    assert [refusal.where.rpartition("/")[2] for refusal in journal.refusals] == ["own"] * raises
    assert not journal.guesses


def test_of_others(tmp_path: Path) -> None:
    """A layer that was not tried with ragged tensors is a guess."""
    from ckpttool.model.arguments import Args

    journal = Journal()
    new_config = rewrite(
        of_generation(config("GaussianNoise", {"stddev": 0.5}, False), Generation.KERAS_2), journal
    ).config
    ragged_inputs.check(Args.of(new_config), journal)
    assert [guess.where for guess in journal.guesses] == ["own"] and not journal.refusals
