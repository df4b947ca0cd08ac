"""Names of layers that Keras 3 does not take, or has for something else."""

import copy
from typing import Any

import pytest

from ckpttool.conversion.config.labels import keras3_name
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation
from tests.live import keras


def entry(class_name: str, name: str, *inbound: str, **config: Any) -> dict[str, Any]:
    """A layer of Keras 2 that is called once."""
    nodes = [[[name, 0, 0, {}] for name in inbound]] if inbound else []
    return {"class_name": class_name, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def model(masks: bool) -> dict[str, Any]:
    """A model of Keras 2 that puts two tensors together, with masks or without."""
    first = entry("Masking", "first", "i") if masks else entry("Activation", "first", "i", activation="relu")
    layers = [
        entry("InputLayer", "i", batch_input_shape=[None, 4, 2]),
        first,
        entry("Activation", "second", "first", activation="relu"),
        entry("Concatenate", "concatenate", "first", "second"),
        entry("LSTM", "last", "concatenate", units=2, recurrent_activation="sigmoid"),
    ]
    ends = {"input_layers": [["i", 0, 0]], "output_layers": [["last", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}


def test_slashes() -> None:
    """Become underscores, with a number where that name is there."""
    assert keras3_name("a/b", {"c"}, masked=False) == "a_b"
    assert keras3_name("a/b", {"a_b"}, masked=True) == "a_b_1"


def test_names_of_operations_on_masks() -> None:
    """Are not those of layers in a model with masks; others stay."""
    assert keras3_name("concatenate_2", {"concatenate_2"}, masked=True) == "concatenate_2_layer"
    assert keras3_name("concatenate_2", {"concatenate_2"}, masked=False) == "concatenate_2"
    assert keras3_name("my_concatenate", {"my_concatenate"}, masked=True) == "my_concatenate"


@pytest.mark.parametrize("masks", [True, False])
def test_a_concatenate_of_masks_loads(masks: bool) -> None:
    """Under its own name Keras 3 would have that twice, once for the layer and once for what is done to masks."""
    rewritten = rewrite(of_generation(model(masks), Generation.KERAS_2), Journal())
    assert dict(rewritten.labels) == ({"concatenate": "concatenate_layer"} if masks else {})
    keras().utils.clear_session(free_memory=False)
    assert keras().saving.deserialize_keras_object(copy.deepcopy(rewritten.config)).count_params() > 0
    if masks:
        config = rewritten.config | {"config": renamed(rewritten.config["config"], "concatenate_layer", "concatenate")}
        keras().utils.clear_session(free_memory=False)
        with pytest.raises((TypeError, ValueError), match="is used 2 times"):
            keras().saving.deserialize_keras_object(config)


@pytest.mark.parametrize("name", ["not_equal", "any"])
def test_a_layer_named_as_what_makes_masks_loads(name: str) -> None:
    """Under its own name Keras 3 would refuse the model, whose mask is made by an operation of that name."""
    config = model(masks=True)
    config = {**config, "config": renamed(config["config"], "last", name)}
    rewritten = rewrite(of_generation(config, Generation.KERAS_2), Journal())
    assert rewritten.labels[name] == f"{name}_layer"
    keras().utils.clear_session(free_memory=False)
    assert keras().saving.deserialize_keras_object(copy.deepcopy(rewritten.config)).count_params() > 0
    own = rewritten.config | {"config": renamed(rewritten.config["config"], f"{name}_layer", name)}
    keras().utils.clear_session(free_memory=False)
    with pytest.raises((TypeError, ValueError), match="is used 2 times"):
        keras().saving.deserialize_keras_object(own)


def renamed(value: Any, old: str, new: str) -> Any:
    """A config with another name in the place of one."""
    if isinstance(value, dict):
        return {key: renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, old, new) for item in value]
    return new if value == old else value
