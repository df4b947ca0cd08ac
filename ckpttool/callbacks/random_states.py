"""What training changes and Keras writes into none of its files: the states of random numbers and of metrics.

`SeedGenerator` keeps a seed and a counter in a variable that no layer saves (keras/src/random/seed_generator.py,
3.15): a training with Dropout that is resumed without them begins its masks anew. Metrics matter within an epoch only.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator

_MAX_METRICS = 10_000  # numbers; beyond, the metrics of the rest of an epoch are those of the rest alone


def seeds_of(model: Any) -> tuple[tuple[int, ...], ...]:
    """The states of the generators of a model, and of the one that all share, which comes first."""
    return tuple(tuple(map(int, _flat(each))) for each in _generators(model))


def metrics_of(model: Any) -> tuple[tuple[float, ...], ...]:
    """The states of the metrics of a model, none where they are large."""
    variables = model.metrics_variables
    if sum(int(np.prod(each.shape)) for each in variables) > _MAX_METRICS:
        return ()
    return tuple(tuple(map(float, _flat(each))) for each in variables)


def bring_seeds_back(model: Any, states: Sequence[Sequence[int]]) -> None:
    """Gives the generators of a model the states that they had."""
    if not _assign(list(_generators(model)), states):
        warnings.warn("The states of the random numbers of this model are not known; they begin anew.", stacklevel=2)


def bring_metrics_back(model: Any, states: Sequence[Sequence[float]], batch: Any) -> None:
    """Gives the metrics of a model, which are built on a batch if they are not, the states that they had."""
    metrics = getattr(model, "_compile_metrics", None)
    if metrics is not None and not metrics.built:
        model._symbolic_build(data_batch=batch)
    _assign(model.metrics_variables, states)


def rate_of(model: Any) -> float | None:
    """The learning rate of a model, None where it has none or goes by a schedule of the optimizer."""
    optimizer: Any = getattr(model, "optimizer", None)
    while hasattr(optimizer, "inner_optimizer"):  # whose own learning rate says nothing
        optimizer = optimizer.inner_optimizer
    rate = getattr(optimizer, "_learning_rate", None)
    return float(keras.ops.convert_to_numpy(rate)) if isinstance(rate, keras.Variable) else None


def layer_with_lora(model: Any) -> str:
    """The name of a layer whose weights are trained by the factors of LoRA, empty where there is none. Keras saves the
    product, and sets the factors to zero on loading (`Dense.load_own_variables`, keras/src/layers/core/dense.py, 3.15).
    """
    return next((str(layer.name) for layer in model._flatten_layers() if getattr(layer, "lora_enabled", False)), "")


def like(values: Sequence[float], variable: Any) -> np.ndarray:
    """Numbers as an array that can be assigned to a variable."""
    return np.array(values, keras.backend.standardize_dtype(variable.dtype)).reshape(variable.shape)


def _assign(variables: Sequence[Any], states: Sequence[Sequence[float]]) -> bool:
    """Assigns all states, or none where they are not those of these variables."""
    if [int(np.prod(each.shape)) for each in variables] != [len(values) for values in states]:
        return False
    for variable, values in zip(variables, states, strict=True):
        variable.assign(like(values, variable))
    return True


def _flat(variable: Any) -> np.ndarray:
    found: np.ndarray = keras.ops.convert_to_numpy(variable).ravel()
    return found


def _generators(model: Any) -> Iterator[Any]:
    """The variables of the generators, each once."""
    found = {id(each): each for layer in model._flatten_layers() for each in layer._seed_generators}
    yield from (each.state for each in (global_seed_generator(), *found.values()))
