"""Optimizers that are not built when a file is loaded: that of a model, and those that it holds beside it, as a GAN.

Keras saves their state, and loads it into those alone that are built (`_load_state`, keras/src/saving/saving_lib.py,
3.15). A model of one's own class builds them with its first step of training, which comes later, or never: then the
file holds as many variables as an optimizer has before, and those are loaded at once.
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
def loaded_when_built(model: Any, path: Path) -> Iterator[None]:
    """While a file is loaded: optimizers that are not built keep what it holds of them, which they get as soon as they
    are. That of the model itself is built at once, if it was when the file was saved.
    """
    waiting = [each for each in optimizers_of(model) if not each.built]
    for each in waiting:
        each.load_own_variables = functools.partial(_keep, each, path)
    try:
        yield
    finally:
        for each in waiting:
            del each.load_own_variables
    own = getattr(model, "optimizer", None)
    if own is not None and "build" in vars(own):
        own.build(model.trainable_variables)


@contextlib.contextmanager
def left_alone(model: Any) -> Iterator[None]:
    """While a file is loaded: no optimizer gets anything of it."""
    present = optimizers_of(model)
    for each in present:
        each.load_own_variables = lambda store: None
    try:
        yield
    finally:
        for each in present:
            del each.load_own_variables


def optimizers_of(model: Any) -> list[Any]:
    """The optimizers that a model holds as attributes, or in lists, with those inside of them, each once."""
    found: dict[int, Any] = {}
    for _, child in _walk_saveable(model):
        _collect(child, found)
    return list(found.values())


def _collect(value: Any, found: dict[int, Any]) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _collect(each, found)
    if isinstance(value, keras.optimizers.Optimizer) and id(value) not in found:
        found[id(value)] = value
        _collect(getattr(value, "inner_optimizer", None), found)


def _keep(optimizer: Any, path: Path, store: Any) -> None:
    """Loads the state of an optimizer as far as it goes, or has it loaded when the optimizer is built."""
    values = {key: np.asarray(store[key]) for key in store.keys()}  # noqa: SIM118 - a store of Keras is no dictionary
    if not values:
        warnings.warn(f"{printable(str(path))} holds no state of the optimizer, which begins anew.", stacklevel=2)
    elif len(values) == len(optimizer.variables):
        type(optimizer).load_own_variables(optimizer, values)
    else:
        optimizer.build = functools.partial(_build, optimizer, values)


def _build(optimizer: Any, values: Values, variables: Any) -> None:
    """Builds an optimizer and gives it its state."""
    del optimizer.build  # the method of its class is in its place again
    optimizer.build(variables)
    shapes = {str(number): tuple(variable.shape) for number, variable in enumerate(optimizer.variables)}
    if shapes != {key: value.shape for key, value in values.items()}:
        raise CorruptFileError(
            "an optimizer is built for other variables than those whose state was saved",
            where=optimizer.name,
            expected=f"{len(values):,} variables",
            found=f"{len(shapes):,}",
        )
    with _at_once():
        optimizer.load_own_variables(values)


def _at_once() -> contextlib.AbstractContextManager[Any]:
    """Assignments act now, also where TensorFlow traces the function that builds the optimizer."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    from keras.src.utils.module_utils import tensorflow

    scope: contextlib.AbstractContextManager[Any] = tensorflow.init_scope()
    return scope
