"""Normalized entries against live Keras 3.15: it makes layers of them, with the weights that the table tells."""

import copy
import warnings
from typing import Any

import pytest

from ckpttool.model.arguments import Args
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.layers.table import OLD_LAYERS
from ckpttool.model.parts import part_of
from ckpttool.model.slots import in_weights_order
from tests.live import keras as live_keras
from tests.model.generations.cases import ALL, Case

keras: Any = live_keras()


def can_be_built(case: Case) -> bool:
    """Whether Keras 3 has the layer and all it holds. How functional models are connected is not changed here."""
    return not case.classes & {"Functional", "Model", *OLD_LAYERS}


def lost(entry: Any) -> bool:
    """Whether an entry still has an argument that Keras 3 has no place for: BatchNormalization of each sample, by the
    statistics of each batch, or over several axes; Embedding that drops whole words."""
    config = entry["config"]
    if entry["class_name"] == "BatchNormalization":
        return "mode" in config or isinstance(config["axis"], list)
    return entry["class_name"] == "Embedding" and "dropout" in config


@pytest.mark.parametrize("case", [case for case in ALL if can_be_built(case)], ids=str)
def test_keras_builds_the_layer(case: Case) -> None:
    """Keras 3 makes the layer, and its weights are those of the table; what it cannot do it refuses."""
    entry = normalized(case.entry, case.generation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if lost(entry):
            with pytest.raises(TypeError, match="could not be deserialized"):
                keras.layers.deserialize(copy.deepcopy(entry))
            return
        layer = keras.layers.deserialize(copy.deepcopy(entry))
        called(layer, case)
    args = Args.of(entry)
    slots = [slot for _, slot in in_weights_order(part_of(args.class_name, args, case.inputs))]
    weights = [weight for weight in layer.weights if "seed_generator" not in weight.path]
    assert [slot.name for slot in slots] == [weight.name for weight in weights]
    for slot, weight in zip(slots, weights, strict=True):
        assert slot.shape is None or len(slot.shape) == len(weight.shape)
        assert all(size in (None, live) for size, live in zip(slot.shape or (), weight.shape, strict=False))


def called(layer: Any, case: Case) -> None:
    """Call a layer on its inputs, if that is needed to build it."""
    if layer.built:
        return
    inputs = [keras.Input(batch_shape=shape) for shape in case.inputs]
    layer(*inputs) if case.class_name == "MultiHeadAttention" else layer(inputs if len(inputs) > 1 else inputs[0])
