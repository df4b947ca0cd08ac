"""Batches that were trained before a training was interrupted: taken from the data, and not trained once more."""

import contextlib
from typing import Any

import keras

from ckpttool.callbacks import generators, random_states
from ckpttool.manifest import Saved


def number_before(epoch_iterator: Any, epochs: int) -> int:
    """How many batches of the data were taken in so many epochs, where data go on from one epoch to the next; 0 where
    every epoch begins with the first (`EpochIterator`, keras/src/trainers/epoch_iterator.py, 3.15)."""
    steps = getattr(epoch_iterator, "steps_per_epoch", None)
    if not steps:
        return 0
    whole = epoch_iterator.data_adapter.num_batches
    return int(steps * (epochs % -(-whole // steps) if whole else epochs))


class Passing:
    """The training function of a model for one epoch: passes over the first batches of `entry`, and trains the rest.

    The data are where they were, which is `before` batches further where they go on from one epoch to the next, and the
    metrics and the random numbers go on from where they were. Where nothing but passing over is left of the epoch, so
    that it `ends`, its logs are those that it had.
    """

    def __init__(self, model: Any, entry: Saved, ends: bool, epoch_iterator: Any, before: int) -> None:
        self._model, self._left, self._metrics, self._ends = model, entry.batch or 0, entry.metrics, ends
        self._generators, self._epoch_iterator, self._before = entry.generators, epoch_iterator, before
        self._are_metrics_back = False
        self._train = model.train_function
        model.train_function = self

    def __call__(self, *given: Any) -> Any:
        """One call of the training function of a model; what it is given differs by backend."""
        if self._before:
            given = (*given[:-1], self._further(given[-1]))
        if self._left <= 0:
            self._end()
            return self._train(*given)
        backend, state = keras.backend.backend(), given[0]
        batches = given[-1] if backend == "torch" else _taken(given[-1], self._model.steps_per_execution)
        self._left -= self._model.steps_per_execution
        if self._metrics and not self._are_metrics_back:  # they were reset when the epoch began
            self._are_metrics_back = True
            random_states.bring_metrics_back(self._model, self._metrics, batches[0])
            state = (*state[:-1], [each.value for each in self._model.metrics_variables]) if backend == "jax" else state
        logs = self._model.get_metrics_result() if self._ends and self._metrics and self._left <= 0 else {}
        if self._left <= 0:
            self._end()
        return (logs, state) if backend == "jax" else logs  # JAX keeps the state outside the model

    def _further(self, data: Any) -> Any:
        """What a training function is given of data that are where they were."""
        before, self._before = self._before, 0
        self._epoch_iterator._steps_seen += before
        if keras.backend.backend() != "torch":
            _taken(data, before)
            return data
        return _taken(self._epoch_iterator._current_iterator, before)[-1:]  # the first batch was taken already

    def _end(self) -> None:
        """Everything is where it was."""
        self.stop()
        known, self._generators = self._generators, {}
        generators.bring_back(known)

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
