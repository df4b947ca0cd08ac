"""Batches that were trained before an interruption: they are read from the data again, and not trained again."""

import contextlib
from typing import Any

import keras

from ckpttool.callbacks import generators, random_states
from ckpttool.manifest import Saved


def batches_before(epoch_iterator: Any, epochs: int) -> int:
    """The number of batches to skip before the epoch that follows so many epochs.

    It is 0 where every epoch begins with the first batch of the data. With `steps_per_epoch`, an epoch begins where the
    one before it ended (`EpochIterator`, keras/src/trainers/epoch_iterator.py, 3.15).
    """
    steps = getattr(epoch_iterator, "steps_per_epoch", None)
    if not steps:
        return 0
    whole = epoch_iterator.data_adapter.num_batches
    # Data of a known length begin anew after so many epochs as it takes to use them up.
    return int(steps * (epochs % -(-whole // steps) if whole else epochs))


class BatchSkipper:
    """A training function for one epoch that skips the batches trained before `entry` was saved, and trains the rest.

    First it reads the `before` batches of earlier epochs, where the data continue from one epoch to the next. Metrics
    and random generators continue from their states in `entry`. `ends` says that no batch of the epoch is left to
    train: the logs of the epoch are then those of the restored metrics.
    """

    def __init__(self, model: Any, entry: Saved, ends: bool, epoch_iterator: Any, before: int) -> None:
        self._model, self._left, self._metrics, self._ends = model, entry.batch or 0, entry.metrics, ends
        self._generators, self._epoch_iterator, self._before = entry.generators, epoch_iterator, before
        self._metrics_restored = False
        self._train = model.train_function
        model.train_function = self

    def __call__(self, *arguments: Any) -> Any:
        """Call the training function; its arguments and its result differ by backend."""
        if self._before:
            arguments = (*arguments[:-1], self._moved_forward(arguments[-1]))
        if self._left <= 0:
            self._finish()
            return self._train(*arguments)
        backend, state = keras.backend.backend(), arguments[0]
        batches = arguments[-1] if backend == "torch" else _next_batches(arguments[-1], self._model.steps_per_execution)
        self._left -= self._model.steps_per_execution
        if self._metrics and not self._metrics_restored:  # here, as Keras resets them when the epoch begins
            self._metrics_restored = True
            random_states.restore_metrics(self._model, self._metrics, batches[0])
            state = (
                (*state[:-1], [variable.value for variable in self._model.metrics_variables])
                if backend == "jax"
                else state
            )
        logs = self._model.get_metrics_result() if self._ends and self._metrics and self._left <= 0 else {}
        if self._left <= 0:
            self._finish()
        return (logs, state) if backend == "jax" else logs  # on JAX, the state of the model is passed from call to call

    def _moved_forward(self, data: Any) -> Any:
        """The data argument of a training function, after the batches of earlier epochs were read."""
        before, self._before = self._before, 0
        self._epoch_iterator._steps_seen += before
        if keras.backend.backend() != "torch":
            _next_batches(data, before)
            return data
        return _next_batches(self._epoch_iterator._current_iterator, before)[-1:]  # Keras has read the first already

    def _finish(self) -> None:
        """Stop skipping, and restore the states of the random generators."""
        self.stop()
        known, self._generators = self._generators, {}
        generators.restore(known)

    def stop(self) -> None:
        """Give the model its own training function back."""
        self._left = 0
        if self._model.train_function is self:
            self._model.train_function = self._train


def _next_batches(iterator: Any, count: int) -> list[Any]:
    """The next `count` batches, fewer where the data end. Raises StopIteration where there is none."""
    batches = [next(iterator)]
    with contextlib.suppress(StopIteration):
        batches += [next(iterator) for _ in range(count - 1)]
    return batches
