"""`ModelCheckpoint`, the callback: it decides when to save, what and under which name; the other modules do it."""

import os
import signal
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ckpttool.callbacks import generators, other_callbacks
from ckpttool.callbacks.background import Worker
from ckpttool.callbacks.claim import Claim
from ckpttool.callbacks.failures import Watch
from ckpttool.callbacks.monitor import check_logs, check_validation, possible_logs, unknown_name
from ckpttool.callbacks.names import Container, Names
from ckpttool.callbacks.retention import Retention
from ckpttool.callbacks.saver import Saver
from ckpttool.callbacks.schedule import Schedule
from ckpttool.callbacks.signals import SignalDelayer, signals_of
from ckpttool.callbacks.snapshot import Buffers
from ckpttool.callbacks.sources import check_that_it_can_be_saved
from ckpttool.manifest import Saved, checked_notes

ON_ERROR = ("raise", "warn")


class ModelCheckpoint(Saver):
    """Saves a Keras model while it is trained. A run that is killed, at whatever moment, keeps its last good file.

    The arguments of `keras.callbacks.ModelCheckpoint` come first, in its order and with its meaning. These behave
    differently: NaN is never the best value; where the monitored value is missing, a best file is not replaced;
    `save_freq` may be None; a wrong name in `filepath` or `monitor` is an error after the first batch.

    Args:
        filepath: as in Keras, and `.hdf5` too.
        monitor: as in Keras.
        verbose: as in Keras.
        save_best_only: as in Keras.
        save_weights_only: as in Keras.
        mode: as in Keras.
        save_freq: as in Keras; None saves on the occasions below only.
        initial_value_threshold: as in Keras.
        every_n_epochs: the number of epochs from one save to the next.
        every_minutes: the number of minutes from one save to the next; the save waits for the end of the batch.
        save_at_end: save when training ends, unless the last step is saved already.
        save_on_exception: save when `fit` fails, unless the last step is saved already.
        save_on_signal: save on SIGTERM and SIGINT, at the end of the batch, and only then let them end the process; or
            a list of signals, such as [signal.SIGUSR1].
        deadline: seconds after which such a signal acts even if the batch has not ended.
        overhead: the share of the time that saving may take at most, such as 0.03.
        keep_last: the number of newest files of the series to keep.
        keep_best: the number of best files of the series to keep.
        keep_every: keep each file whose epoch is a multiple of this number (whose step, where `save_freq` is a number).
        verify: read every file back and compare it before it takes its place, and refuse weights that are NaN or Inf.
        background: write in a thread; training waits only until the values are copied.
        on_error: "raise" or "warn" where a file cannot be written.
        resume: continue from the newest undamaged file in the directory.
        run: a name for this training, such as that of a fold; only files saved under this name are resumed from.
        min_delta: the least improvement on the best value that counts with `save_best_only`, as for EarlyStopping.
        link: the name of a symbolic link beside the files, which leads to the newest of the series, such as
            "latest.keras".
        notes: texts and numbers of your own for the entries in `checkpoints.json`.
        on_saved: called with the path and the entry of each file that has taken its place. Training waits for it; what
            it raises is a warning.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int | None = "epoch",
        initial_value_threshold: float | None = None,
        *,
        every_n_epochs: int = 1,
        every_minutes: float | None = None,
        save_at_end: bool = False,
        save_on_exception: bool = False,
        save_on_signal: bool | Sequence[signal.Signals] = False,
        deadline: float = 30.0,
        overhead: float | None = None,
        keep_last: int | None = None,
        keep_best: int | None = None,
        keep_every: int | None = None,
        verify: bool = True,
        background: bool = False,
        on_error: str = "raise",
        resume: bool = False,
        run: str | None = None,
        min_delta: float = 0.0,
        link: str | None = None,
        notes: Mapping[str, str | float] | None = None,
        on_saved: Callable[[Path, Saved], object] | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold, min_delta)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only, self.save_freq = save_best_only, save_weights_only, save_freq
        self.save_at_end, self.save_on_exception, self.resume = save_at_end, save_on_exception, resume
        self.verify, self.on_error, self.run = verify, on_error, run
        self.on_saved, self._link = on_saved or (lambda path, entry: None), link
        self._names, self._notes = Names.of(filepath, save_weights_only), checked_notes(notes or {})
        self._schedule = Schedule(save_freq, every_n_epochs, every_minutes, overhead)
        self._retention = Retention(keep_last, keep_best, keep_every)
        self._buffers = Buffers() if background else None
        self._worker: Worker[Saved] = Worker(background, self._after_save, self._after_failed_save)
        self._check_arguments()
        self._claim = Claim(self._names.directory, self._names.series)
        signals = signals_of(save_on_signal)
        self._signal_delayer = SignalDelayer(deadline, signals, self._claim.release) if signals else None
        self._run, self._step = run or uuid.uuid4().hex[:12], 0
        self._saved_step = self._saved_epoch = None
        self._checks_loadability = verify and self._names.container is Container.ARCHIVE
        self._begin_anew()

    def _check_arguments(self) -> None:
        """Raise ValueError for arguments that can never work; warn of a name that suggests another format."""
        if self.on_error not in ON_ERROR:
            raise ValueError(f"on_error is one of {', '.join(ON_ERROR)}. Received: {self.on_error!r}")
        self._names.check_use(self.save_freq, self._retention.is_set)
        if self._link is not None:
            self._names.check_link(self._link)
        if warning := self._names.warning():
            warnings.warn(warning, stacklevel=4)

    def _begin_anew(self) -> None:
        """Reset the progress of the last `fit`. The state of the series stays, as `fit` may be called again."""
        self._epoch = self._batch = 0
        self._epoch_is_over = self._names_are_checked = False
        self._listed, self._epoch_logs = None, {}
        self._best_before: float | None = self.best
        self._failure: BaseException | None = None
        self._watch = Watch(self._after_failed_fit)

    # The methods that Keras calls.

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Clean up after runs that died, and with `resume` continue where one was interrupted."""
        self._begin_anew()
        self._listed = other_callbacks.list_of(self)
        if possible_logs(self.model, self._others(), {}) is not None:
            check_validation(self._names, other_callbacks.arguments_of_fit("validation_data", "validation_freq"))
        check_that_it_can_be_saved(self.model, self._names.container)
        manifest = self._clean_directory()
        if self.resume:
            self._resume(manifest)
        if self._signal_delayer is not None and not self._signal_delayer.install():
            warnings.warn("Signals can only be delayed in the main thread; save_on_signal is off.", stacklevel=2)
        self._watch.begin(self.model, self._listed)
        self._schedule.begin()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Note the progress of training. In the first epoch after a resumption, restore the other callbacks."""
        self._epoch, self._batch, self._epoch_is_over = epoch, 0, False
        if self._restore_others():
            other_callbacks.begin_epoch(self._others(), epoch)
        if not self._resumes_here:
            self._generators_before = generators.states()
        self._resumes_here = False

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save if it is time to, or if a signal waits."""
        batch = min(batch, (self._fit_parameter("steps") or batch + 1) - 1)  # the last execution may have fewer steps
        steps, self._batch = batch + 1 - self._batch, batch + 1  # several with steps_per_execution
        if self._batch <= self._skipped:
            return
        self._step += steps
        self._worker.poll()
        if not self._names_are_checked:
            try:
                self._check_names(logs or {})
            except (KeyError, ValueError):
                self._end_training()
                raise
        if self._schedule.count_batches(steps):
            self._save_on_schedule(logs or {})
        elif self._schedule.is_due_by_time():
            self._save_off_schedule("time", logs or {})
        self._serve_signal(logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save if it is time to, or if a signal waits."""
        self._epoch, self._epoch_is_over = epoch, True
        self._epoch_logs[epoch + 1] = logs or {}
        self._stop_skipping()
        self._worker.poll()
        if self._schedule.after_epoch(epoch + 1) or self._waits_for_epoch:
            self._save_on_schedule(logs or {})
        elif self._schedule.is_due_by_time():
            self._save_off_schedule("time", logs or {})
        if self.resume and self._saved_epoch != epoch + 1 in other_callbacks.best_epochs(self._others()):
            self._save(self._names.best, self._names.best, "best", logs or {}, Retention(), self.best)
        self._serve_signal(logs or {})

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save if a signal waits, before the rest of the validation."""
        self._serve_signal({})

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Save if `save_at_end` is set, and wait for a save in the background."""
        try:
            if self._restore_others():  # no epoch was left to train
                other_callbacks.end(self._others())
            if self.save_at_end:
                self._save_off_schedule("end", logs or {})
            self._worker.close()
        finally:
            self._end_training()

    # When to save, and what.

    def _save_on_schedule(self, logs: Mapping[str, Any]) -> None:
        """Save a file of the series, unless `save_best_only` is set and it is not the best."""
        best_before = self.best  # `_is_wanted` replaces it
        missing = self._names.logs - set(logs)
        if missing and all(name.startswith("val_") for name in missing):
            return  # an epoch without validation
        batch = None if self._epoch_is_over and self.save_freq == "epoch" else max(self._batch - 1, 0)
        filepath = self._names.name(self._epoch, batch, logs)
        if not self._is_wanted(self._names.directory / filepath, logs):
            return
        reason = "epoch" if self._epoch_is_over else "batch"
        self._save(filepath, self._names.series, reason, logs, self._retention, best_before)

    def _save_off_schedule(self, reason: str, logs: Mapping[str, Any]) -> None:
        """Save outside the schedule, unless the last step is saved already. The file gets a name of its own, except
        where the template has a name for any moment."""
        if self._saved_step == self._step or not (self._step or self._batch):
            return
        names, available = self._names, {"epoch", *logs, *(() if self._epoch_is_over else ("batch",))}
        is_for_any_moment = self.save_freq is None or "batch" in names.fields
        if is_for_any_moment and not self.save_best_only and names.fields <= available:
            batch = None if self._epoch_is_over else self._batch - 1
            self._save(names.name(self._epoch, batch, logs), names.series, reason, logs, self._retention, self.best)
        else:
            self._save(names.last, names.last, reason, logs, Retention(), self.best)

    def _is_wanted(self, path: Path, logs: Mapping[str, Any]) -> bool:
        """Whether to save this model in the series. Prints that as Keras does."""
        wanted, text = self.judge(logs, self._epoch_is_over) if self.save_best_only else (True, "")
        if wanted:
            text = f"{text}, saving model to {path}" if text else f"saving model to {path}"
        if text:
            self._print_if_verbose(text)
        return wanted

    def _check_names(self, logs: Mapping[str, Any]) -> None:
        """Check placeholders and `monitor` by the logs of the first batch. Raises KeyError or ValueError."""
        self._names_are_checked = True
        known = possible_logs(self.model, None if self._listed is None else self._others(), logs)
        if known is not None:
            check_logs(self._names, known)
            if (self.save_best_only or self._retention.best) and self.monitor not in known:
                raise ValueError(f"monitor={self.monitor!r}: {unknown_name(self.monitor, known)}")

    # Interruptions.

    def _serve_signal(self, logs: Mapping[str, Any]) -> None:
        """Save if a signal waits, and then let it act."""
        if self._signal_delayer is None or self._signal_delayer.pending is None:
            return
        self._signal_delayer.begin()
        try:
            self._worker.wait()
            self._save_off_schedule("signal", logs)
            self._worker.wait()
        finally:
            self._signal_delayer.release()
        self._claim.take()  # the signal's own handler has let training continue
        self._signal_delayer.install()

    def _after_failed_fit(self, failure: BaseException) -> None:
        """Save the model after a failure of `fit`, once. An error of that save is a warning."""
        if self._failure is failure:
            return
        self._failure = failure
        try:
            self._worker.wait()
            if self.save_on_exception:
                self._save_off_schedule("exception", {})
            self._worker.close()
        except Exception as error:
            warnings.warn(f"The model could not be saved. {error}", stacklevel=2)
        finally:
            self._end_training()

    def _end_training(self) -> None:
        """Undo what lasts for one training: the watch, the claim on the directory, the delay of signals, skipping."""
        self._watch.end()
        self._claim.release()
        if self._signal_delayer is not None:
            self._signal_delayer.restore()
        self._stop_skipping()
