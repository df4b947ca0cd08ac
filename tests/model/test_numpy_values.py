"""NumPy values that old configs hold as objects are the values."""

from typing import Any

import numpy as np
import pytest

from ckpttool.model import read_architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.numpy_values import keras3_value, plain
from ckpttool.model.spec import spec_of
from tests.loops import for_each
from tests.model.generations.cases import ALL, Case


def as_arrays(value: Any, dtype: bool) -> Any:
    """The same config with every number, truth value and list of such as Keras 2.0 writes an array."""
    if isinstance(value, dict):
        return {key: as_arrays(item, dtype) for key, item in value.items()}
    if isinstance(value, list) and not all(isinstance(item, int | float | list) for item in value):
        return [as_arrays(item, dtype) for item in value]
    if isinstance(value, int | float | list):
        return {"type": "ndarray", "value": value, **({"dtype": "float32"} if dtype else {})}
    return value


@pytest.mark.parametrize("dtype", [False, True])
@for_each([case for case in ALL if case.generation is not Generation.KERAS_3])  # which does not write them so
def test_every_argument_of_every_layer(case: Case, dtype: bool) -> None:
    """An array in any argument, however deep, is what the value alone is."""
    entry = {**case.entry, "config": as_arrays(case.entry["config"], dtype)}
    assert normalized(entry, case.generation) == normalized(case.entry, case.generation)


def test_what_is_no_array() -> None:
    """An object that has other keys is one of somebody's own, and a config without arrays is the same object."""
    own = {"type": "ndarray", "value": 1, "shape": [1]}
    config = {"a": [own, {"type": "ndarray"}, {"type": "list", "value": [1]}]}
    assert plain(config) is config
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert plain(deep) is deep


def test_the_sizes_of_a_model() -> None:
    """Units and input shape given as arrays: the slots are known."""
    units = {"type": "ndarray", "value": 3}
    shape = [None, {"type": "ndarray", "value": 4}]
    layer = {"class_name": "Dense", "config": {"name": "d", "units": units, "batch_input_shape": shape}}
    config = {"class_name": "Sequential", "config": [layer], "keras_version": "2.0.9"}
    architecture = read_architecture(config)
    assert architecture is not None
    assert [slot.shape for slot in spec_of(architecture).slots] == [(4, 3), (3,)]
    assert architecture.layers[0].input_shape == (None, 4)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(0.5, "float64"), ([1, 2], "int64"), ([[1, 0.5]], "float64"), ([True], "bool"), ([], "float64")],
)
def test_arrays_for_a_function(value: Any, dtype: str) -> None:
    """The array of NumPy for a value, as Keras 2 made it for the function of a Lambda."""
    assert np.array(value).dtype == dtype
    entry = {"type": "ndarray", "value": value}
    assert keras3_value(entry) == {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}
    assert keras3_value({**entry, "dtype": "int8"})["config"]["dtype"] == "int8"
    assert keras3_value([entry]) == [value]
