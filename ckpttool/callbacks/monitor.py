"""The monitored value: compared as Keras does, but a NaN is never the best, and a missing value replaces no file."""

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
from ckpttool.model.entries import is_keras


class Monitored(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]
    """A callback that knows the best value so far. It is a subclass of Keras's ModelCheckpoint, so that other code
    recognises it as one."""

    monitor: str
    monitor_op: Any
    best: float | None

    def __init__(self, monitor: str, mode: str, threshold: float | None, min_delta: float) -> None:
        # Not `super().__init__`, which refuses names with the suffixes of legacy files.
        MonitorCallback.__init__(self, monitor, mode, threshold, min_delta)
        self._waits_for_epoch = self._has_warned_of_missing = False

    def judge(self, logs: Mapping[str, Any], epoch_is_over: bool) -> tuple[bool, str]:
        """Judge by its logs whether to save a model as the best so far. Returns the verdict and the message for it.

        A `val_` value that only the end of the epoch brings is waited for. Without a value, a model is saved only as
        long as there is no best one that it would replace.
        """
        current = log_value(logs, self.monitor)
        self._waits_for_epoch = current is None and not epoch_is_over and self.monitor.startswith("val_")
        if self._waits_for_epoch:
            return False, ""
        if current is None:
            self._warn_of_missing(logs)
            return self.best is None, f"{self.monitor} is not known"
        before = "None" if self.best is None else f"{self.best:.5f}"
        if np.isnan(current) or not self._improves(current):
            return False, f"{self.monitor} did not improve from {before}"
        self.best = current
        return True, f"{self.monitor} improved from {before} to {current:.5f}"

    def direction(self, required: bool) -> str:
        """The mode: "min" where less is better, "max" where more is, and "" where that is not known.

        Raises ValueError where it is not known and `required`.
        """
        try:
            self._determine_direction()
        except ValueError:
            if required:
                raise
            return ""
        return "max" if self.monitor_op is keras.ops.greater else "min"

    def restore_best(self, saved: Sequence[Saved]) -> None:
        """Take over the best value of the entries of an earlier run."""
        entry = best_entry(saved)
        if entry is None or entry.value is None:
            return
        if self.monitor_op is None:
            self.monitor_op = keras.ops.greater if entry.mode == "max" else keras.ops.less
        if self._improves(entry.value):
            self.best = entry.value

    def _improves(self, value: float) -> bool:
        self._determine_direction()
        return bool(self._is_improvement(value, self.best))

    def _determine_direction(self) -> None:
        if self.monitor_op is None:
            self._set_monitor_op()

    def _warn_of_missing(self, logs: Mapping[str, Any]) -> None:
        if self._has_warned_of_missing:
            return
        self._has_warned_of_missing = True
        warnings.warn(
            f"Can save best model only with {self.monitor} available, as one number; there is "
            f"{', '.join(sorted(logs)) or 'nothing'}. A file whose {self.monitor} is known is not replaced.",
            stacklevel=2,
        )


def log_value(logs: Mapping[str, Any], name: str) -> float | None:
    """The value of a log, None where it is missing or no single number."""
    return dict(numbers({name: logs.get(name)})).get(name)


def numbers(logs: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """The logs that are single numbers."""
    for name, value in logs.items():
        if value is not None and np.ndim(value) == 0:
            with contextlib.suppress(TypeError, ValueError):
                yield name, float(value)


_LOG_METHODS = (
    *("fit", "evaluate", "train_step", "test_step", "compute_metrics", "get_metrics_result", "reset_metrics"),
    *("make_train_function", "make_test_function", "_get_metrics_result_or_logs"),
)


def possible_logs(model: Any, others: Sequence[Any] | None, logs: Mapping[str, Any]) -> frozenset[str] | None:
    """The names of all logs that there can be, by those of a batch. None where there may be more: with a model or a
    callback of the user's own, or with callbacks that are not known.
    """
    if others is None or not all(_is_from_keras(type(callback)) for callback in others):
        return None
    if any(isinstance(callback, keras.callbacks.LambdaCallback) for callback in others):
        return None
    if not all(_is_from_keras(getattr(model, name, keras.Model)) for name in _LOG_METHODS):
        return None
    return frozenset({*logs, *(f"val_{name}" for name in logs), "learning_rate", "val_loss"})


def _is_from_keras(obj: Any) -> bool:
    return is_keras(obj.__module__) or str(obj.__module__).partition(".")[0] == "ckpttool"


def unknown_name(name: str, known: Iterable[str]) -> str:
    """The message for a name that is none of those known, with the nearest of them."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {name!r}; there are {', '.join(sorted(known))}.{hint}"


def check_logs(names: Names, known: Collection[str]) -> None:
    """Raise KeyError where a name has a placeholder for a log that there can never be."""
    for name in sorted(names.logs - set(known)):
        if not name.startswith("learning_rate"):
            raise KeyError(f"Failed to format this callback filepath: {names.filepath!r}. {unknown_name(name, known)}")


def check_validation(names: Names, fit_arguments: Mapping[str, Any] | None) -> None:
    """Check the placeholders of a name for logs of the validation, by the arguments of `fit` if these are known.

    Raises KeyError where there is no validation; warns where there is none after some of the epochs.
    """
    late = sorted(name for name in names.logs if name.startswith("val_"))
    if not late or fit_arguments is None:
        return
    if fit_arguments["validation_data"] is None:
        raise KeyError(
            f"Failed to format this callback filepath: {names.filepath!r}. There is no {late[0]}, for this fit has "
            "no validation data."
        )
    if fit_arguments["validation_freq"] != 1:
        warnings.warn(f"Only epochs with a validation are saved, as {names.filepath!r} names {late[0]}.", stacklevel=3)
