"""What `fit` raises, learnt of wherever it may come from: Keras tells its callbacks nothing of a failure."""

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
    """Calls `failed` with what is raised by a model or by the callbacks of its `fit`."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed, self._undo = failed, contextlib.ExitStack()

    def begin(self, model: Any, listed: Any) -> None:
        """Watches the functions in which a model computes, and the calls of callbacks in a list, if there is one."""
        self._watch(model, "train_function")
        self._watch(model, "evaluate")
        for hook in _HOOKS if listed is not None else ():
            self._watch(listed, hook)
        if keras.backend.backend() == "torch":  # takes its data outside of those functions
            self._watch_data(other_callbacks.iterator_of_fit())

    def end(self) -> None:
        """Takes the watch away again."""
        self._undo.close()

    def _watch_data(self, epoch_iterator: Any) -> None:
        """Watches an iterator over the epochs of a `fit` (`EpochIterator`, keras/src/trainers/epoch_iterator.py, 3.15),
        and what it takes the batches from."""
        if epoch_iterator is None:
            return
        steps = epoch_iterator._enumerate_iterator

        def watched() -> Iterator[tuple[int, int, Any]]:
            for begin, end, batches in _Data(steps(), self._failed):
                yield begin, end, _Data(batches, self._failed)

        epoch_iterator._enumerate_iterator = watched
        self._undo.callback(_put_back, epoch_iterator, "_enumerate_iterator", None)

    def _watch(self, owner: Any, name: str) -> None:
        function, before = getattr(owner, name), vars(owner).get(name)
        if function is None:  # a loop of the user's own trains the model
            return
        setattr(owner, name, _watched(function, self._failed))
        self._undo.callback(_put_back, owner, name, before)


@dataclass(frozen=True, slots=True)
class _Data:
    """An iterator that tells of what it raises."""

    iterator: Iterator[Any]
    failed: Callable[[BaseException], None]

    def __iter__(self) -> "_Data":
        return self

    def __next__(self) -> Any:
        return _watched(next, self.failed)(self.iterator)


def _watched(function: Callable[..., Any], failed: Callable[[BaseException], None]) -> Callable[..., Any]:
    """The function, which tells of what it raises; the end of the data is no failure."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            if not isinstance(error, StopIteration) and type(error).__name__ != "OutOfRangeError":
                failed(error)
            raise

    return call


def _put_back(owner: Any, name: str, before: Any) -> None:
    if before is None:
        delattr(owner, name)
    else:
        setattr(owner, name, before)
