"""The states of the other callbacks of the same `fit`: collected for a checkpoint, and restored when it is resumed.

Keras does not pass a callback the list of all callbacks, so that it is taken from the functions that call. Four of
Keras's callbacks have a state: EarlyStopping, ReduceLROnPlateau and TensorBoard count, and SwapEMAWeights knows which
weights are in the model (keras/src/callbacks/early_stopping.py, reduce_lr_on_plateau.py, tensorboard.py,
swap_ema_weights.py, 3.15). LearningRateScheduler and TerminateOnNaN use the epoch, the optimizer and the loss, and have
none. A callback of the user's own has one if it has the methods `state_dict` and `load_state_dict`.
"""

import inspect
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras.src import callbacks as keras_callbacks

from ckpttool.manifest import CallbackState, StateValue, checked_state

STATE_ATTRIBUTES = {
    keras_callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch"),
    keras_callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
    keras_callbacks.TensorBoard: ("_global_train_batch", "_global_test_batch", "_previous_epoch_iterations"),
    keras_callbacks.SwapEMAWeights: ("_ema_weights_in_model",),
}
_WHOLE = frozenset(
    {"wait", "stopped_epoch", "best_epoch", "cooldown_counter", *STATE_ATTRIBUTES[keras_callbacks.TensorBoard]}
)
_MAX_FRAMES = 20


def list_of(callback: Any) -> Any:
    """The `CallbackList` that calls a callback, None where something else does."""
    for variables in _callers():
        owner = variables.get("self")
        if isinstance(owner, keras_callbacks.CallbackList) and any(member is callback for member in owner.callbacks):
            return owner
    return None


def arguments_of_fit(*names: str) -> dict[str, Any] | None:
    """These arguments of the `fit` that calls, None where something else does."""
    variables = next(
        (frame for frame in _callers() if "epoch_iterator" in frame and all(n in frame for n in names)), None
    )
    return None if variables is None else {name: variables[name] for name in names}


def iterator_of_fit() -> Any:
    """The `EpochIterator` of the `fit` that calls, None where something else does."""
    return next((iterator for frame in _callers() if (iterator := frame.get("epoch_iterator")) is not None), None)


def data_of_fit() -> Any:
    """The shapes and dtypes of a batch of the data of a `fit` on TensorFlow, None where they are not known."""
    iterators = (variables.get("epoch_iterator") for variables in _callers())
    datasets = (getattr(iterator, "_distributed_dataset", None) for iterator in iterators)
    return getattr(next(filter(None, datasets), None), "element_spec", None)


def _callers() -> Iterator[Mapping[str, Any]]:
    """The variables of the functions that have called this one, the nearest first."""
    frame = inspect.currentframe()
    for _ in range(_MAX_FRAMES):
        frame = frame.f_back if frame else None
        if frame is not None:
            yield frame.f_locals


def move_behind_stateful_callbacks(callback: Any, listed: Any) -> None:
    """Move a callback behind those that change the model, the optimizer or a state of their own at the end of an epoch,
    so that these changes are saved."""
    counting = [
        number
        for number, member in enumerate(listed.callbacks)
        if isinstance(member, (*STATE_ATTRIBUTES, *_SCHEDULERS))
    ]
    place = next(number for number, member in enumerate(listed.callbacks) if member is callback)
    if counting and place < counting[-1]:
        others = [member for member in listed.callbacks if member is not callback]
        # A new list, as Keras is iterating over the old one now.
        listed.callbacks = [*others[: counting[-1]], callback, *others[counting[-1] :]]


_SCHEDULERS = (keras_callbacks.LearningRateScheduler,)


def states_of(callbacks: Sequence[Any]) -> tuple[CallbackState, ...]:
    """The states of the callbacks that have one."""
    known_states = [
        CallbackState(
            kind.__name__, number, {name: _number(getattr(callback, name, None)) for name in STATE_ATTRIBUTES[kind]}
        )
        for kind, number, callback in _with_known_state(callbacks)
    ]
    return (*known_states, *filter(None, (_checked_own_state(*entry) for entry in _with_own_state(callbacks))))


def _checked_own_state(name: str, number: int, callback: Any) -> CallbackState | None:
    """The state of a callback of the user's own; None, with a warning, where it cannot be stored."""
    try:
        return CallbackState(name, number, checked_state(callback.state_dict()))
    except Exception as error:  # code of the user's own, for whose error no checkpoint is to be lost
        warnings.warn(f"The state of the callback {name} is not saved: {error}", stacklevel=2)
        return None


def restore(callbacks: Sequence[Any], states: Sequence[CallbackState], skipped: int) -> None:
    """Restore the states of the callbacks; those that have none in `states` begin anew.

    `skipped` are the batches that are about to be skipped, which TensorBoard counts again.
    """
    known = {(state.class_name, state.number): state.values for state in states}
    for kind, number, callback in _with_known_state(callbacks):
        values = known.get((kind.__name__, number), {})
        for name in STATE_ATTRIBUTES[kind]:
            value = _single_number(values.get(name))
            if name == "_global_train_batch":
                value = max((value or 0) - skipped, 0)
            if name in values:
                setattr(callback, name, int(value or 0) if name in _WHOLE else value)
    for name, number, callback in _with_own_state(callbacks):
        if (name, number) in known:
            state = known[name, number].items()
            callback.load_state_dict({key: list(value) if isinstance(value, tuple) else value for key, value in state})


def _single_number(value: StateValue) -> float | None:
    return None if isinstance(value, str | tuple) else value


def complete_histories(callbacks: Sequence[Any], epochs: Mapping[int, Mapping[str, float]]) -> None:
    """Give each `History` the logs of the epochs before an interruption, counted from one; one that has logs already is
    left alone. An epoch without a value has none, as in Keras's own (keras/src/callbacks/history.py, 3.15)."""
    for callback in callbacks:
        if isinstance(callback, keras_callbacks.History) and not callback.history:
            for epoch in sorted(epochs):
                callback.epoch.append(epoch - 1)
                for name, value in epochs[epoch].items():
                    callback.history.setdefault(name, []).append(value)


def begin_epoch(callbacks: Sequence[Any], epoch: int) -> None:
    """Have SwapEMAWeights begin an epoch again, now that it knows which weights are in the model."""
    for callback in callbacks:
        if isinstance(callback, keras_callbacks.SwapEMAWeights):
            callback._ema_weights_in_model = bool(callback._ema_weights_in_model)
            callback.on_epoch_begin(epoch)


def later_backup(callback: Any, listed: Any) -> Any:
    """A BackupAndRestore that comes after a callback, and would restore its own state last; None if there is none."""
    place = next(number for number, member in enumerate(listed.callbacks) if member is callback)
    later = listed.callbacks[place + 1 :]
    return next((member for member in later if isinstance(member, keras_callbacks.BackupAndRestore)), None)


def have_stopped(callbacks: Sequence[Any], states: Sequence[CallbackState]) -> bool:
    """Whether one of the callbacks had ended the training, by its state then and its patience now."""
    known = {
        state.number: state.values for state in states if state.class_name == keras_callbacks.EarlyStopping.__name__
    }
    stopping = [callback for kind, _, callback in _with_known_state(callbacks) if kind is keras_callbacks.EarlyStopping]
    with_values = [(callback, known.get(number, {})) for number, callback in enumerate(stopping)]
    return any(
        values.get("stopped_epoch") and (_single_number(values.get("wait")) or 0) >= each.patience
        for each, values in with_values
    )


def end(callbacks: Sequence[Any]) -> None:
    """Have callbacks restore the weights of their best epoch, as at the end of a training."""
    for callback in callbacks_with_best_weights(callbacks):
        callback.on_train_end()


def callbacks_with_best_weights(callbacks: Sequence[Any]) -> list[Any]:
    """The callbacks that store the weights of the best epoch and restore them at the end."""
    return [
        callback
        for callback in callbacks
        if isinstance(callback, keras_callbacks.EarlyStopping) and callback.restore_best_weights
    ]


def best_epochs(callbacks: Sequence[Any]) -> frozenset[int]:
    """The epochs, counted from one, whose weights callbacks store to restore them."""
    return frozenset(
        callback.best_epoch + 1 for callback in callbacks_with_best_weights(callbacks) if callback.best is not None
    )


def _with_known_state(callbacks: Sequence[Any]) -> Iterator[tuple[Any, int, Any]]:
    """The callbacks of Keras that have a state: the class, a number among those of the class, and the callback."""
    for kind in STATE_ATTRIBUTES:
        for number, callback in enumerate(callback for callback in callbacks if isinstance(callback, kind)):
            yield kind, number, callback


def _with_own_state(callbacks: Sequence[Any]) -> Iterator[tuple[str, int, Any]]:
    """The callbacks of the user's own that have a state: the name of the class, a number among those of that name, and
    the callback."""
    met = Counter[str]()
    for callback in callbacks:
        if all(callable(getattr(callback, method, None)) for method in ("state_dict", "load_state_dict")):
            name = type(callback).__name__
            yield name, met[name], callback
            met[name] += 1


def _number(value: Any) -> float | None:
    return None if value is None else value if isinstance(value, int) else float(value)
