"""TensorFlow functions as Keras 2.15 wrote them, replaced by keras.ops: live Keras 3 computes what Keras 2.15 did."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.tensorflow_ops import FUNCTIONS
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation
from tests.live import keras
from tests.samples import FIXTURES

MODELS = json.loads((FIXTURES / "operations" / "keras2.15.json").read_text())


@pytest.fixture(scope="module")
def recorded() -> Iterator[Any]:
    """The inputs, the weights and the outputs of Keras 2.15."""
    with np.load(FIXTURES / "operations" / "keras2.15.npz") as arrays:
        yield arrays


@pytest.mark.parametrize("case", sorted(MODELS))
def test_computes_the_same(case: str, recorded: Any) -> None:
    """Every function in the fixture is replaced, none refused, and gives the values that it gave."""
    model, journal = MODELS[case], Journal()
    config = rewrite(of_generation(model["config"], Generation.KERAS_2), journal).config
    assert journal.refusals == []
    live = keras().saving.deserialize_keras_object(json.loads(json.dumps(config)), safe_mode=True)
    for layer in live.layers:
        stored = [key for key in recorded if key.startswith(f"weight/{case}/{layer.name}/")]
        layer.set_weights([recorded[key] for key in sorted(stored)])
    inputs = [recorded[f"in/{name}"] for name in model["inputs"]]
    output = np.asarray(live(inputs if len(inputs) > 1 else inputs[0]))
    wanted = recorded[f"out/{case}"]
    assert output.shape == wanted.shape
    np.testing.assert_allclose(output, wanted, rtol=2e-5, atol=2e-6)


def test_as_many_as_people_meet() -> None:
    """There are names for more than 120 functions."""
    assert len(FUNCTIONS) > 120
