"""The inputs on which a converted model is run are of the kind that it takes, as live Keras has it."""

from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.prove.child import try_inputs
from ckpttool.conversion.prove.inputs import Kind, kinds_of
from tests.live import keras


def model(*inputs: Any, first: Any) -> Any:
    """A Functional model of these inputs, `first` makes a tensor of the first one."""
    return keras().Model(list(inputs), first(inputs[0]))


def test_indices_stay_in_range() -> None:
    """An Embedding takes integers below its size, from an input of floats too, and behind other models."""
    layers = keras().layers
    inner = keras().Sequential([keras().Input((3,)), layers.Embedding(5, 2), layers.Flatten()])
    for dtype in ("float32", "int32"):
        outer = keras().Input((3,), dtype=dtype)
        kinds = kinds_of(keras().Model(outer, inner(outer)))
        assert kinds == [Kind((None, 3), dtype, 5)]
        values = kinds[0].batch(np.random.default_rng(0))
        assert (values.dtype, values.min() >= 0, values.max() < 5) == (dtype, True, True)


def test_every_input_has_a_kind() -> None:
    """Floats, integers of a small range, words, sparse tensors."""
    layers, of = keras().layers, keras().Input
    inputs = [of((2,)), of((4,), dtype="int64"), of((1,), dtype="string"), of((None, 3), sparse=True)]
    kinds = kinds_of(model(*inputs, first=layers.Dense(1)))
    expected = ["(2, 2) float32", "(2, 4) int64 below 2", "(2, 1) string", "(2, 8, 3) float32 sparse"]
    assert [kind.description for kind in kinds] == expected
    batches = [kind.batch(np.random.default_rng(0)) for kind in kinds]
    assert [tuple(batch.shape) for batch in batches] == [(2, 2), (2, 4), (2, 1), (2, 8, 3)]
    assert type(batches[3]).__name__ == "SparseTensor"


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_stateful_model_takes_its_own_batch(batch: int) -> None:
    """A stateful model is asked in one batch of the size that it states; others get two samples."""
    layers = keras().layers
    stateful = keras().Sequential([keras().Input(batch_shape=(batch, 4, 2)), layers.LSTM(3, stateful=True)])
    kinds, inputs, outputs = try_inputs(stateful, 0)
    assert [kind.description for kind in kinds] == [f"({batch}, 4, 2) float32"]
    assert [value.shape for value in (*inputs, *outputs)] == [(batch, 4, 2), (batch, 3)]


def test_a_ragged_batch_has_rows_of_unequal_length() -> None:
    """As a model that takes ragged tensors would be given."""
    batch: Any = Kind((None, None), "float32", ragged=True).batch(np.random.default_rng(0))
    assert [len(row) for row in batch.to_list()] == [8, 7]


def test_a_model_without_inputs() -> None:
    """Is said to be one."""

    class Own:
        def get_build_config(self) -> None:
            return None

    with pytest.raises(ValueError, match="whose inputs are not known"):
        kinds_of(Own())


def test_a_model_that_takes_no_small_images() -> None:
    """An axis of any size need not take eight values: convolutions without padding take some of each away."""
    layers = keras().layers
    images = keras().Input((None, None, 3))
    kinds, _, outputs = try_inputs(keras().Model(images, layers.Conv2D(1, 3)(layers.MaxPooling2D(4)(images))), 0)
    assert [kind.description for kind in kinds] == ["(2, 32, 32, 3) float32"]
    assert outputs[0].shape == (2, 6, 6, 1)
