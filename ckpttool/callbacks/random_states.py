"""State that training changes and Keras saves in no file: that of the model's random generators and of its metrics.

`SeedGenerator` has a seed and a counter in a variable that no layer saves (keras/src/random/seed_generator.py, 3.15): a
training with Dropout that is resumed without them repeats its masks. Metrics matter within an epoch only.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR, global_seed_generator

_MAX_METRICS = 10_000  # numbers; with more, metrics of a resumed epoch cover only the batches after the interruption


def seeds_of(model: Any) -> tuple[tuple[int, ...], ...]:
    """The states of the random generators of a model; first comes that of the global generator of Keras.

    That one is empty where nothing has drawn from it yet: Keras makes it then, with a seed from Python's generator,
    from which the user's data may draw, too.
    """
    known = get_global_attribute(GLOBAL_SEED_GENERATOR)
    states = (_flat(known.state) if known is not None else (), *map(_flat, _own_generators(model)))
    return tuple(tuple(map(int, state)) for state in states)


def metrics_of(model: Any) -> tuple[tuple[float, ...], ...]:
    """The states of the metrics of a model, none where they are too large."""
    variables = model.metrics_variables
    if sum(int(np.prod(variable.shape)) for variable in variables) > _MAX_METRICS:
        return ()
    return tuple(tuple(map(float, _flat(variable))) for variable in variables)


def restore_seeds(model: Any, states: Sequence[Sequence[int]]) -> None:
    """Restore the states of the generators of a model; warn where they are not those of this model."""
    of_keras, *own = states
    generators = _own_generators(model)
    if of_keras:
        generators, own = [global_seed_generator().state, *generators], [of_keras, *own]
    else:  # it was not there yet: Keras makes it at the first draw
        set_global_attribute(GLOBAL_SEED_GENERATOR, None)
    if not _assign(generators, own):
        warnings.warn(
            "The stored states of random numbers do not fit this model's generators, which begin anew.", stacklevel=2
        )


def restore_metrics(model: Any, states: Sequence[Sequence[float]], batch: Any) -> None:
    """Restore the states of the metrics of a model; metrics that are not built are first built on a batch."""
    metrics = getattr(model, "_compile_metrics", None)
    if metrics is not None and not metrics.built:
        model._symbolic_build(data_batch=batch)
    _assign(model.metrics_variables, states)


def rate_of(model: Any) -> float | None:
    """The learning rate of a model's optimizer, None where there is none or a schedule computes it."""
    optimizer: Any = getattr(model, "optimizer", None)
    while hasattr(optimizer, "inner_optimizer"):  # a LossScaleOptimizer, whose own learning rate is not used
        optimizer = optimizer.inner_optimizer
    rate = getattr(optimizer, "_learning_rate", None)
    return float(keras.ops.convert_to_numpy(rate)) if isinstance(rate, keras.Variable) else None


def layer_with_lora(model: Any) -> str:
    """The name of a layer with LoRA, empty where there is none.

    Keras saves the product of the factors added to the kernel, and sets the factors to zero on loading
    (`Dense.load_own_variables`, keras/src/layers/core/dense.py, 3.15).
    """
    return next((str(layer.name) for layer in model._flatten_layers() if getattr(layer, "lora_enabled", False)), "")


def like(values: Sequence[float], variable: Any) -> np.ndarray:
    """Numbers as an array that can be assigned to a variable."""
    return np.array(values, keras.backend.standardize_dtype(variable.dtype)).reshape(variable.shape)


def _assign(variables: Sequence[Any], states: Sequence[Sequence[float]]) -> bool:
    """Assign all states, or none where their sizes are not those of the variables. Returns whether they were."""
    if [int(np.prod(variable.shape)) for variable in variables] != [len(values) for values in states]:
        return False
    for variable, values in zip(variables, states, strict=True):
        variable.assign(like(values, variable))
    return True


def _flat(variable: Any) -> np.ndarray:
    array: np.ndarray = keras.ops.convert_to_numpy(variable).ravel()
    return array


def _own_generators(model: Any) -> list[Any]:
    """The state variables of the generators of the layers, each once."""
    own = {id(generator): generator for layer in model._flatten_layers() for generator in layer._seed_generators}
    return [generator.state for generator in own.values()]
