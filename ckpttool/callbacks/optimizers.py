"""Optimizers that a model holds beside the one that it was compiled with, as those of a GAN.

Keras saves their state, and loads it into those alone that are built (`_load_state`, keras/src/saving/saving_lib.py,
3.15); they are built by the first step of training, which comes later.
"""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.saving.saving_lib import _walk_saveable

from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.errors import CorruptFileError


def load_when_built(model: Any, checkpoint: Checkpoint) -> None:
    """Reads the state of the optimizers of a model that are not built, which they get as soon as they are."""
    for path, optimizer in _unbuilt(model):
        prefix = f"{path}/vars/"
        stored = [weight for name, weight in checkpoint.items() if name.startswith(prefix)]
        if stored:
            stored.sort(key=lambda weight: int(weight.path.rpartition("/")[2]))
            optimizer.build = functools.partial(_build, optimizer, optimizer.build, _values(stored))


def _values(stored: Sequence[Weight]) -> list[np.ndarray]:
    return [weight.read() for weight in stored]


def _build(optimizer: Any, build: Any, values: Sequence[np.ndarray], variables: Any) -> None:
    """Builds an optimizer and gives it its state."""
    del optimizer.build  # the method of its class is in its place again
    build(variables)
    if [tuple(each.shape) for each in optimizer.variables] != [value.shape for value in values]:
        raise CorruptFileError(
            "an optimizer is built for other variables than those whose state was saved",
            where=optimizer.name,
            expected=f"{len(values):,} variables",
            found=f"{len(optimizer.variables):,}",
        )
    with _at_once():
        for variable, value in zip(optimizer.variables, values, strict=True):
            variable.assign(value)


def _at_once() -> contextlib.AbstractContextManager[Any]:
    """Assignments act now, also where TensorFlow traces the function that builds the optimizer."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    from keras.src.utils.module_utils import tensorflow

    scope: contextlib.AbstractContextManager[Any] = tensorflow.init_scope()
    return scope


def _unbuilt(model: Any) -> Iterator[tuple[str, Any]]:
    """The optimizers that are attributes of a model, and not built, by the paths at which Keras saves them."""
    for name, child in _walk_saveable(model):
        if isinstance(child, keras.optimizers.Optimizer) and not child.built:
            yield name, child
