"""What `fit` raises, learnt of wherever it may come from: Keras tells its callbacks nothing of a failure."""

import contextlib
from collections.abc import Callable
from typing import Any

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

    def end(self) -> None:
        """Takes the watch away again."""
        self._undo.close()

    def _watch(self, owner: Any, name: str) -> None:
        before = vars(owner).get(name)
        setattr(owner, name, _watched(getattr(owner, name), self._failed))
        self._undo.callback(_put_back, owner, name, before)


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
