"""The other callbacks of the same `fit`: found, remembered, and brought back to where they were.

Keras tells a callback nothing of its neighbours, so the list is looked for among those who call. EarlyStopping,
ReduceLROnPlateau and TensorBoard count, and SwapEMAWeights knows which weights are in the model
(keras/src/callbacks/early_stopping.py, reduce_lr_on_plateau.py, tensorboard.py, swap_ema_weights.py, 3.15);
LearningRateScheduler and TerminateOnNaN go by the epoch, the optimizer and the loss, and keep nothing of their own. A
callback with the methods `state_dict` and `load_state_dict` says itself what it keeps.
"""

import inspect
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras.src import callbacks as keras_callbacks

from ckpttool.manifest import CallbackState, StateValue, checked_state

COUNTED = {
    keras_callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch"),
    keras_callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
    keras_callbacks.TensorBoard: ("_global_train_batch", "_global_test_batch", "_previous_epoch_iterations"),
    keras_callbacks.SwapEMAWeights: ("_ema_weights_in_model",),
}
_WHOLE = frozenset({"wait", "stopped_epoch", "best_epoch", "cooldown_counter", *COUNTED[keras_callbacks.TensorBoard]})
_MAX_FRAMES = 20


def list_of(callback: Any) -> Any:
    """The list that calls a callback, None where somebody else does."""
    for variables in _callers():
        found = variables.get("self")
        if isinstance(found, keras_callbacks.CallbackList) and any(each is callback for each in found.callbacks):
            return found
    return None


def arguments_of_fit(*names: str) -> dict[str, Any] | None:
    """Some of what the `fit` that has called was given, None where something else has."""
    found = next((each for each in _callers() if "epoch_iterator" in each and all(n in each for n in names)), None)
    return None if found is None else {name: found[name] for name in names}


def iterator_of_fit() -> Any:
    """What gives the `fit` that has called its batches, None where something else has."""
    return next((found for each in _callers() if (found := each.get("epoch_iterator")) is not None), None)


def data_of_fit() -> Any:
    """The shapes and dtypes of a batch of the data of a `fit` on TensorFlow, None where they are not known."""
    iterators = (variables.get("epoch_iterator") for variables in _callers())
    datasets = (getattr(found, "_distributed_dataset", None) for found in iterators)
    return getattr(next(filter(None, datasets), None), "element_spec", None)


def _callers() -> Iterator[Mapping[str, Any]]:
    """The variables of the functions that have called this one, the nearest first."""
    frame = inspect.currentframe()
    for _ in range(_MAX_FRAMES):
        frame = frame.f_back if frame else None
        if frame is not None:
            yield frame.f_locals


def put_behind_those_that_count(callback: Any, listed: Any) -> None:
    """Moves a callback behind those that change what it saves, so that it saves what they have made of an epoch."""
    counting = [number for number, each in enumerate(listed.callbacks) if isinstance(each, (*COUNTED, *_SETTING))]
    place = next(number for number, each in enumerate(listed.callbacks) if each is callback)
    if counting and place < counting[-1]:
        others = [each for each in listed.callbacks if each is not callback]
        # a new list: this is called while the old one is gone through
        listed.callbacks = [*others[: counting[-1]], callback, *others[counting[-1] :]]


_SETTING = (keras_callbacks.LearningRateScheduler,)


def states_of(callbacks: Sequence[Any]) -> tuple[CallbackState, ...]:
    """What the callbacks have counted."""
    counted = [
        CallbackState(kind.__name__, number, {name: _number(getattr(each, name, None)) for name in COUNTED[kind]})
        for kind, number, each in _counting(callbacks)
    ]
    return (*counted, *filter(None, (_own_state(*found) for found in _keeping(callbacks))))


def _own_state(name: str, number: int, callback: Any) -> CallbackState | None:
    """What a callback of the user's own wants kept; None, with a warning, where that cannot be: a save is worth more
    than it."""
    try:
        return CallbackState(name, number, checked_state(callback.state_dict()))
    except Exception as error:
        warnings.warn(f"The state of the callback {name} is not saved: {error}", stacklevel=2)
        return None


def bring_back(callbacks: Sequence[Any], states: Sequence[CallbackState], passed: int) -> None:
    """Gives the callbacks what they had counted; those that were not there then begin anew.

    Of what TensorBoard counts, so many batches are `passed` over, and counted, once more.
    """
    known = {(state.class_name, state.number): state.values for state in states}
    for kind, number, each in _counting(callbacks):
        values = known.get((kind.__name__, number), {})
        for name in COUNTED[kind]:
            value = _counted(values.get(name))
            if name == "_global_train_batch":
                value = max((value or 0) - passed, 0)
            if name in values:
                setattr(each, name, int(value or 0) if name in _WHOLE else value)
    for name, number, each in _keeping(callbacks):
        if (name, number) in known:
            each.load_state_dict({key: _as_given(value) for key, value in known[name, number].items()})


def _counted(value: StateValue) -> float | None:
    return None if isinstance(value, str | tuple) else value


def _as_given(value: StateValue) -> Any:
    return list(value) if isinstance(value, tuple) else value


def complete_histories(callbacks: Sequence[Any], epochs: Mapping[int, Mapping[str, float]]) -> None:
    """Give each `History` the logs of the epochs before an interruption, counted from one; one that has logs already is
    left alone. An epoch without a value has none, as in Keras's own (keras/src/callbacks/history.py, 3.15)."""
    for each in callbacks:
        if isinstance(each, keras_callbacks.History) and not each.history:
            for epoch in sorted(epochs):
                each.epoch.append(epoch - 1)
                for name, value in epochs[epoch].items():
                    each.history.setdefault(name, []).append(value)


def begin_epoch(callbacks: Sequence[Any], epoch: int) -> None:
    """Has callbacks that swap weights with every epoch do so, once they know which are in the model."""
    for each in callbacks:
        if isinstance(each, keras_callbacks.SwapEMAWeights):
            each._ema_weights_in_model = bool(each._ema_weights_in_model)
            each.on_epoch_begin(epoch)


def overruling(callback: Any, listed: Any) -> Any:
    """A BackupAndRestore that restores its own state after that of a callback, None where there is none."""
    place = next(number for number, each in enumerate(listed.callbacks) if each is callback)
    later = listed.callbacks[place + 1 :]
    return next((each for each in later if isinstance(each, keras_callbacks.BackupAndRestore)), None)


def have_stopped(callbacks: Sequence[Any], states: Sequence[CallbackState]) -> bool:
    """Whether one of the callbacks had ended the training."""
    known = {
        state.number: state.values for state in states if state.class_name == keras_callbacks.EarlyStopping.__name__
    }
    stopping = [each for kind, _, each in _counting(callbacks) if kind is keras_callbacks.EarlyStopping]
    found = [(each, known.get(number, {})) for number, each in enumerate(stopping)]
    return any(
        values.get("stopped_epoch") and (_counted(values.get("wait")) or 0) >= each.patience for each, values in found
    )


def end(callbacks: Sequence[Any]) -> None:
    """Has callbacks that keep the weights of their best epoch give them back, as at the end of a training."""
    for each in those_that_restore(callbacks):
        each.on_train_end()


def those_that_restore(callbacks: Sequence[Any]) -> list[Any]:
    """The callbacks that keep the weights of the best epoch, to give them back at the end."""
    return [each for each in callbacks if isinstance(each, keras_callbacks.EarlyStopping) and each.restore_best_weights]


def best_epochs(callbacks: Sequence[Any]) -> frozenset[int]:
    """The epochs, counted from one, whose weights those callbacks keep."""
    return frozenset(each.best_epoch + 1 for each in those_that_restore(callbacks) if each.best is not None)


def _counting(callbacks: Sequence[Any]) -> Iterator[tuple[Any, int, Any]]:
    """The callbacks that count, with their class and a number among those of the class."""
    for kind in COUNTED:
        for number, each in enumerate(each for each in callbacks if isinstance(each, kind)):
            yield kind, number, each


def _keeping(callbacks: Sequence[Any]) -> Iterator[tuple[str, int, Any]]:
    """The callbacks that keep a state of their own, with the name of their class and a number among those so named."""
    met = Counter[str]()
    for each in callbacks:
        if all(callable(getattr(each, method, None)) for method in ("state_dict", "load_state_dict")):
            name = type(each).__name__
            yield name, met[name], each
            met[name] += 1


def _number(value: Any) -> float | None:
    return None if value is None else value if isinstance(value, int) else float(value)
