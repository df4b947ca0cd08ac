"""Optimizers that are not built when a file is loaded: the model's own, and others among its attributes, as in a GAN.

Keras saves the state of all of them, and loads it only into those that are built (`_load_state`,
keras/src/saving/saving_lib.py, 3.15). A model of the user's own class builds them in its first step of training, or
never. Where an optimizer was saved unbuilt, the file has as many variables as it has now, and they are loaded at once.
"""

import contextlib
import functools
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.saving.saving_lib import _walk_saveable

from ckpttool.errors import CorruptFileError
from ckpttool.escape import printable

Values = Mapping[str, np.ndarray]


@contextlib.contextmanager
def deferred_loading(model: Any, path: Path) -> Iterator[None]:
    """A context in which to load a file: optimizers that are not built get their state as soon as they are built.

    The model's own optimizer is built at the end of the context, if it was built when the file was saved.
    """
    waiting = [optimizer for optimizer in optimizers_of(model) if not optimizer.built]
    for optimizer in waiting:
        optimizer.load_own_variables = functools.partial(_load_or_defer, optimizer, path)
    try:
        yield
    finally:
        for optimizer in waiting:
            del optimizer.load_own_variables
    own = getattr(model, "optimizer", None)
    if own is not None and "build" in vars(own):
        own.build(model.trainable_variables)


@contextlib.contextmanager
def without_loading(model: Any) -> Iterator[None]:
    """A context in which to load a file: optimizers stay as they are."""
    present = optimizers_of(model)
    for optimizer in present:
        optimizer.load_own_variables = lambda store: None
    try:
        yield
    finally:
        for optimizer in present:
            del optimizer.load_own_variables


def optimizers_of(model: Any) -> list[Any]:
    """The optimizers in the attributes of a model, in lists there, and inside other optimizers, each once."""
    optimizers: dict[int, Any] = {}
    for _, child in _walk_saveable(model):
        _collect(child, optimizers)
    return list(optimizers.values())


def _collect(value: Any, optimizers: dict[int, Any]) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _collect(each, optimizers)
    if isinstance(value, keras.optimizers.Optimizer) and id(value) not in optimizers:
        optimizers[id(value)] = value
        _collect(getattr(value, "inner_optimizer", None), optimizers)


def _load_or_defer(optimizer: Any, path: Path, store: Any) -> None:
    """Load the state of an optimizer that has as many variables now, else defer that until it is built."""
    values = {key: np.asarray(store[key]) for key in store.keys()}  # noqa: SIM118 - a store of Keras is no dictionary
    if not values:
        warnings.warn(f"{printable(str(path))} has no state of the optimizer, which begins anew.", stacklevel=2)
    elif len(values) == len(optimizer.variables):
        type(optimizer).load_own_variables(optimizer, values)
    else:
        optimizer.build = functools.partial(_build_and_load, optimizer, values)


def _build_and_load(optimizer: Any, values: Values, variables: Any) -> None:
    """Build an optimizer and load its state. Raises CorruptFileError where that has other shapes."""
    del optimizer.build  # this function, which hides the method of the class
    optimizer.build(variables)
    shapes = {str(number): tuple(variable.shape) for number, variable in enumerate(optimizer.variables)}
    saved_shapes = {key: value.shape for key, value in values.items()}
    if shapes != saved_shapes:
        differing = [key for key in {**saved_shapes, **shapes} if saved_shapes.get(key) != shapes.get(key)]
        raise CorruptFileError(
            "the saved state of an optimizer does not fit the variables of the model",
            where=optimizer.name,
            expected=f"{len(shapes):,} variables; variable {differing[0]}: {shapes.get(differing[0], 'none')}",
            found=f"{len(values):,}; {saved_shapes.get(differing[0], 'none')}",
        )
    with _init_scope():
        optimizer.load_own_variables(values)


def _init_scope() -> contextlib.AbstractContextManager[Any]:
    """A context in which assignments act at once, even while TensorFlow traces the function around it."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    from keras.src.utils.module_utils import tensorflow

    scope: contextlib.AbstractContextManager[Any] = tensorflow.init_scope()
    return scope
