"""Failures of `fit`: its functions are wrapped to report what they raise, as Keras tells callbacks nothing of it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from ckpttool.callbacks import other_callbacks

_HOOKS = (
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_epoch_end",
    "on_test_begin",
    "on_test_end",
)


class Watch:
    """Calls `failed` with each exception that a model or a callback raises in `fit`."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed, self._undo = failed, contextlib.ExitStack()

    def begin(self, model: Any, listed: Any) -> None:
        """Watch the model's `train_function` and `evaluate`, and the calls of a list of callbacks, if there is one."""
        self._watch(model, "train_function")
        self._watch(model, "evaluate")
        for hook in _HOOKS if listed is not None else ():
            self._watch(listed, hook)
        if keras.backend.backend() == "torch":  # which reads its data outside of these functions
            self._watch_data(other_callbacks.iterator_of_fit())

    def end(self) -> None:
        """Undo the watch: put the watched functions back."""
        self._undo.close()

    def _watch_data(self, epoch_iterator: Any) -> None:
        """Watch the iterator that gives a `fit` its steps, and those of their batches (`EpochIterator`,
        keras/src/trainers/epoch_iterator.py, 3.15)."""
        if epoch_iterator is None:
            return
        steps = epoch_iterator._enumerate_iterator

        def watched_steps() -> Iterator[tuple[int, int, Any]]:
            for begin, end, batches in _WatchedIterator(steps(), self._failed):
                yield begin, end, _WatchedIterator(batches, self._failed)

        epoch_iterator._enumerate_iterator = watched_steps
        self._undo.callback(_put_back, epoch_iterator, "_enumerate_iterator", None)

    def _watch(self, owner: Any, name: str) -> None:
        function, before = getattr(owner, name), vars(owner).get(name)
        if function is None:  # a loop of the user's own trains the model
            return
        setattr(owner, name, _reporting_failures(function, self._failed))
        self._undo.callback(_put_back, owner, name, before)


@dataclass(frozen=True, slots=True)
class _WatchedIterator:
    """An iterator that reports the exceptions of another one."""

    iterator: Iterator[Any]
    failed: Callable[[BaseException], None]

    def __iter__(self) -> "_WatchedIterator":
        return self

    def __next__(self) -> Any:
        return _reporting_failures(next, self.failed)(self.iterator)


def _reporting_failures(function: Callable[..., Any], failed: Callable[[BaseException], None]) -> Callable[..., Any]:
    """The function, with a call of `failed` for each exception that it raises; the end of the data is no failure."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            # TensorFlow's OutOfRangeError is the end of the data, too; by name, so that TensorFlow is not imported.
            if not isinstance(error, StopIteration) and type(error).__name__ != "OutOfRangeError":
                failed(error)
            raise

    return call


def _put_back(owner: Any, name: str, before: Any) -> None:
    if before is None:
        delattr(owner, name)
    else:
        setattr(owner, name, before)
