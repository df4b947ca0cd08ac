"""Batches that were trained before a training was interrupted: taken from the data, and not trained once more."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras

from ckpttool.callbacks import random_states


class Passing:
    """The training function of a model for one epoch: passes over the first batches, and trains the rest.

    The data are where they were, and the metrics go on from where they were. Where nothing but passing over is left of
    the epoch, so that it `ends`, its logs are those that it had.
    """

    def __init__(self, model: Any, batches: int, metrics: Sequence[Sequence[float]], ends: bool) -> None:
        self._model, self._left, self._metrics, self._ends = model, batches, metrics, ends
        self._are_metrics_back = False
        self._train = model.train_function
        model.train_function = self

    def __call__(self, *given: Any) -> Any:
        """One call of the training function of a model; what it is given differs by backend."""
        if self._left <= 0:
            self.stop()
            return self._train(*given)
        backend, state = keras.backend.backend(), given[0]
        batches = given[-1] if backend == "torch" else _taken(given[-1], self._model.steps_per_execution)
        self._left -= self._model.steps_per_execution
        if self._metrics and not self._are_metrics_back:  # they were reset when the epoch began
            self._are_metrics_back = True
            random_states.bring_metrics_back(self._model, self._metrics, batches[0])
            state = (*state[:-1], [each.value for each in self._model.metrics_variables]) if backend == "jax" else state
        logs = self._model.get_metrics_result() if self._ends and self._metrics and self._left <= 0 else {}
        return (logs, state) if backend == "jax" else logs  # JAX keeps the state outside the model

    def stop(self) -> None:
        """Gives the model its own training function back."""
        self._left = 0
        if self._model.train_function is self:
            self._model.train_function = self._train


def _taken(iterator: Any, count: int) -> list[Any]:
    """So many batches, fewer where the data end; StopIteration where there is none."""
    found = [next(iterator)]
    with contextlib.suppress(StopIteration):
        found += [next(iterator) for _ in range(count - 1)]
    return found
