"""TensorFlow functions whose namesake in Keras 3 computes otherwise for some values."""

import json
from typing import Any

import numpy as np

from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation
from tests.live import keras


def config_of(function: str, *calls: list[Any]) -> dict[str, Any]:
    """A Functional model of Keras 2 of two inputs of three numbers and one function, as Keras 2.15 wrote it."""
    inputs = [
        {
            "class_name": "InputLayer",
            "name": name,
            "config": {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False, "name": name},
            "inbound_nodes": [],
        }
        for name in ("x", "y")
    ]
    layer = {
        "class_name": "TFOpLambda",
        "name": "f",
        "config": {"name": "f", "trainable": True, "dtype": "float32", "function": function},
        "inbound_nodes": list(calls),
    }
    ends = {"input_layers": [["x", 0, 0], ["y", 0, 0]], "output_layers": [["f", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": [*inputs, layer], **ends}}


def rewritten(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The config for Keras 3, and what was refused."""
    journal = Journal()
    new_config = rewrite(of_generation(config, Generation.KERAS_2), journal).config
    return new_config, [remark.what for remark in journal.refusals]


def test_multiply_no_nan() -> None:
    """TensorFlow's product is 0 wherever the second factor is, of whatever the first one."""
    config, refused = rewritten(config_of("math.multiply_no_nan", ["x", 0, 0, {"y": ["y", 0, 0]}]))
    assert refused == []
    live = keras().saving.deserialize_keras_object(json.loads(json.dumps(config)), safe_mode=True)
    x, y = np.array([[np.inf, np.nan, 3.0]], "float32"), np.array([[0.0, 0.0, 2.0]], "float32")
    np.testing.assert_array_equal(np.asarray(live([x, y])), [[0.0, 0.0, 6.0]])
