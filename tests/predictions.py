"""Predictions of live Keras, held against those that genuine old Keras recorded for a checkpoint of the corpus."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.conversion.judge import numbered
from tests.live import keras

ROUNDING = 2.0**-23  # the relative distance of two float32
DRAWS = 4

Arrays = list[np.ndarray]


def check_predictions(model: Any, recorded: Path, rtol: float) -> None:
    """Assert that a model predicts what was recorded, by the rule of the corpus: `rtol` of each value, and a tenth of
    that of the largest value.

    Processors add in different orders. Where the rule is missed, it is widened by what the model itself makes of a
    last bit of its inputs: logits in the thousands make 5e-5 of it.
    """
    with np.load(recorded) as arrays:
        inputs, outputs = numbered(arrays, "x"), numbered(arrays, "y")

    def predict(arguments: Arrays) -> Arrays:
        predicted: Arrays = keras().tree.flatten(
            model.predict_on_batch(arguments if len(arguments) > 1 else arguments[0])
        )
        return predicted

    predicted = predict(inputs)
    assert [output.shape for output in predicted] == [wanted.shape for wanted in outputs]
    limits = [rtol * np.abs(wanted) + rtol / 10 * np.abs(wanted).max() for wanted in outputs]
    misses = [np.abs(output - wanted) for output, wanted in zip(predicted, outputs, strict=True)]
    if not within(misses, limits):
        noise = rounding(predict, inputs, predicted)
        limits = [limit + each for limit, each in zip(limits, noise, strict=True)]
    assert within(misses, limits)


def within(misses: Arrays, limits: Arrays) -> bool:
    """Whether no value is further off than its limit."""
    return all(bool((miss <= limit).all()) for miss, limit in zip(misses, limits, strict=True))


def rounding(predict: Callable[[Arrays], Arrays], inputs: Arrays, predicted: Arrays) -> list[float]:
    """The largest change of each output where inputs change by their last bit; whole numbers, which may be indices,
    stay."""
    rng = np.random.default_rng(0)
    largest = [0.0] * len(predicted)
    for _ in range(DRAWS):
        signs = [rng.choice(np.array([-ROUNDING, ROUNDING], "float32"), array.shape) for array in inputs]
        nearby = [
            array if (array == np.round(array)).all() else array * (1 + sign)
            for array, sign in zip(inputs, signs, strict=True)
        ]
        changes = [np.abs(new - old).max() for new, old in zip(predict(nearby), predicted, strict=True)]
        largest = [max(pair) for pair in zip(largest, changes, strict=True)]
    return largest
