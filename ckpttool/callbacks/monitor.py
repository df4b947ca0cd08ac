"""Which models are better: the monitored value, compared as Keras does, but for NaN and for what is missing."""

import contextlib
import difflib
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.callbacks.monitor_callback import MonitorCallback

from ckpttool.callbacks.names import Names
from ckpttool.manifest import Saved, best_entry


class Monitored(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]
    """A callback that knows the best value so far; to Keras, and to whoever asks, it is a ModelCheckpoint."""

    monitor: str
    monitor_op: Any
    best: float | None

    def __init__(self, monitor: str, mode: str, threshold: float | None, min_delta: float) -> None:
        MonitorCallback.__init__(self, monitor, mode, threshold, min_delta)  # Keras's own refuses names of old
        self._waits_for_epoch = self._told_missing = False

    def judged(self, logs: Mapping[str, Any], epoch_is_over: bool) -> tuple[bool, str]:
        """Whether a model is the best so far, and what to say of it. A value that comes with the end of the epoch only
        is waited for; where there is none, the model is wanted only as long as there is nothing better to lose.
        """
        current = value_of(logs, self.monitor)
        self._waits_for_epoch = current is None and not epoch_is_over and self.monitor.startswith("val_")
        if self._waits_for_epoch:
            return False, ""
        if current is None:
            self._tell_missing(logs)
            return self.best is None, f"{self.monitor} is not known"
        before = "None" if self.best is None else f"{self.best:.5f}"
        if np.isnan(current) or not self._improves(current):
            return False, f"{self.monitor} did not improve from {before}"
        self.best = current
        return True, f"{self.monitor} improved from {before} to {current:.5f}"

    def direction(self, required: bool) -> str:
        """Whether less is better, "min", or more, "max". Where nobody knows, "" or, if `required`, a ValueError."""
        try:
            self._know_direction()
        except ValueError:
            if required:
                raise
            return ""
        return "max" if self.monitor_op is keras.ops.greater else "min"

    def restore_best(self, saved: Sequence[Saved]) -> None:
        """Knows the best value of an earlier run."""
        found = best_entry(saved)
        if found is None or found.value is None:
            return
        if self.monitor_op is None:
            self.monitor_op = keras.ops.greater if found.mode == "max" else keras.ops.less
        if self._improves(found.value):
            self.best = found.value

    def _improves(self, value: float) -> bool:
        self._know_direction()
        return bool(self._is_improvement(value, self.best))

    def _know_direction(self) -> None:
        if self.monitor_op is None:
            self._set_monitor_op()

    def _tell_missing(self, logs: Mapping[str, Any]) -> None:
        if self._told_missing:
            return
        self._told_missing = True
        warnings.warn(
            f"Can save best model only with {self.monitor} available, as one number; there is "
            f"{', '.join(sorted(logs)) or 'nothing'}. A file whose {self.monitor} is known is left alone.",
            stacklevel=2,
        )


def value_of(logs: Mapping[str, Any], name: str) -> float | None:
    """A log, None where it is not there or is no single number."""
    return dict(numbers({name: logs.get(name)})).get(name)


def numbers(logs: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """The logs that are single numbers."""
    for name, value in logs.items():
        if value is not None and np.ndim(value) == 0:
            with contextlib.suppress(TypeError, ValueError):
                yield name, float(value)


_MAKING_LOGS = (
    *("fit", "evaluate", "train_step", "test_step", "compute_metrics", "get_metrics_result", "reset_metrics"),
    *("make_train_function", "make_test_function", "_get_metrics_result_or_logs"),
)


def logs_to_come(model: Any, others: Sequence[Any] | None, logs: Mapping[str, Any]) -> frozenset[str] | None:
    """The names of all logs there can be, judged by those of a batch. None where somebody else may have more to say: a
    model or a callback of the user's own, or callbacks that are not known.
    """
    if others is None or not all(_is_kerass(type(each)) for each in others):
        return None
    if any(isinstance(each, keras.callbacks.LambdaCallback) for each in others):
        return None
    if not all(_is_kerass(getattr(model, name, keras.Model)) for name in _MAKING_LOGS):
        return None
    return frozenset({*logs, *(f"val_{name}" for name in logs), "learning_rate", "val_loss"})


def _is_kerass(thing: Any) -> bool:
    return str(thing.__module__).split(".")[0] in ("keras", "ckpttool")


def unknown(name: str, known: Iterable[str]) -> str:
    """What to say of a name that is none of those known."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {name!r}; there are {', '.join(sorted(known))}.{hint}"


def check_logs(names: Names, known: Collection[str]) -> None:
    """Raises KeyError where a name asks for a log that can never come."""
    for name in sorted(names.logs - set(known)):
        if not name.startswith("learning_rate"):
            raise KeyError(f"Failed to format this callback filepath: {names.filepath!r}. {unknown(name, known)}")


def check_validation(names: Names, asked: Mapping[str, Any] | None) -> None:
    """Raises KeyError for a name with logs of a validation where a `fit`, as far as its arguments are known, has none;
    warns where it is not made after every epoch."""
    late = sorted(name for name in names.logs if name.startswith("val_"))
    if not late or asked is None:
        return
    if asked["validation_data"] is None:
        raise KeyError(
            f"Failed to format this callback filepath: {names.filepath!r}. There is no {late[0]}, for this fit has "
            "no validation data."
        )
    if asked["validation_freq"] != 1:
        warnings.warn(f"Only epochs with a validation are saved, as {names.filepath!r} names {late[0]}.", stacklevel=3)
