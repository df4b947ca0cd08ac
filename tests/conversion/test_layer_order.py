"""The order of layers against live Keras, on random graphs."""

import json
import random
from typing import Any

import pytest

from ckpttool.conversion.config.layer_order import layer_order
from ckpttool.model.graph import flat, read_calls, read_references
from tests.live import keras


def random_graph(seed: int) -> Any:
    """A model of shared layers, several inputs and outputs, tensors in lists, dicts and keyword arguments."""
    source, layers = random.Random(seed), keras().layers
    inputs = [keras().Input((4,), name=f"in_{at}") for at in range(source.randint(1, 4))]
    shared = [layers.Dense(4, name=f"shared_{at}") for at in range(3)]
    attention = layers.MultiHeadAttention(1, 2, name="mha")
    tensors = list(inputs)
    for at in range(source.randint(3, 12)):
        kind = source.randrange(4)
        if kind == 0:
            tensors.append(layers.Dense(4, name=f"d_{at}")(source.choice(tensors)))
        elif kind == 1:
            tensors.append(source.choice(shared)(source.choice(tensors)))
        elif kind == 2:
            tensors.append(layers.Add(name=f"a_{at}")(source.choices(tensors, k=source.randint(2, 3))))
        else:
            wide = [layers.Reshape((1, 4), name=f"r_{at}_{n}")(source.choice(tensors)) for n in range(3)]
            attended = attention(wide[0], wide[1], key=wide[2])
            tensors.append(layers.Flatten(name=f"f_{at}")(attended))
    chosen = source.sample(tensors[len(inputs) :], k=source.randint(1, 2))
    outputs = {f"z{9 - at}": tensor for at, tensor in enumerate(chosen)} if source.random() < 0.3 else chosen
    return keras().Model(inputs, outputs)


@pytest.mark.parametrize("seed", range(60))
def test_as_keras_has_it(seed: int) -> None:
    """The order of layers is that of live Keras, whatever order a config lists."""
    model = random_graph(seed)
    config = json.loads(json.dumps(model.get_config()))
    entries = list(config["layers"])
    random.Random(seed).shuffle(entries)
    calls = {entry["name"]: read_calls(entry) for entry in entries}
    inputs = [tensor.layer for tensor in read_references(config["input_layers"])]
    outputs = list(flat(_references(config["output_layers"])))
    assert layer_order(calls, inputs, outputs) == [layer.name for layer in model.operations]


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _references(item) for key, item in value.items()}
    return list(read_references(value))


def test_deep_graph() -> None:
    """A chain of any length is walked."""
    calls = {"in": ()} | {
        f"l{at}": read_calls({"inbound_nodes": [[[f"l{at - 1}" if at else "in", 0, 0, {}]]]}) for at in range(20_000)
    }
    order = layer_order(calls, ["in"], list(read_references(["l19999", 0, 0])))
    assert order == ["in", *(f"l{at}" for at in range(20_000))]
