"""The saves of a callback: each under a name that is free, with its entry in the manifest, and what follows it."""

import time
import warnings
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras

from ckpttool import __version__
from ckpttool.callbacks import generators, other_callbacks, random_states, unlisted_files
from ckpttool.callbacks.background import Worker
from ckpttool.callbacks.monitor import log_value, numbers
from ckpttool.callbacks.resumption import Resumable
from ckpttool.callbacks.retention import Retention
from ckpttool.callbacks.schedule import Schedule
from ckpttool.callbacks.snapshot import Buffers
from ckpttool.callbacks.sources import source_of, with_loadability_check
from ckpttool.callbacks.writer import SaveJob, save, tidy
from ckpttool.errors import CheckpointError, NotFiniteError
from ckpttool.manifest import Saved, State


class Saver(Resumable):
    """A callback that saves its model. What it saves when, its subclass decides."""

    verify: bool
    on_saved: Callable[[Path, Saved], object]
    _batch: int
    _epoch_is_over: bool
    _saved_epoch: int | None
    _best_before: float | None
    _checks_loadability: bool
    _link: str | None
    _notes: Mapping[str, str | float]
    _schedule: Schedule
    _retention: Retention
    _buffers: Buffers | None
    _worker: Worker[Saved]

    def _save(
        self, name: str, series: str, reason: str, logs: Mapping[str, Any], retention: Retention, best: float | None
    ) -> None:
        """Save a file. `best` is the best value before it, which counts again if the save fails."""
        begun = time.monotonic()
        self._worker.wait()  # so that the error of the save before is raised first, and its buffers are free
        directory, model = self._names.directory, self.model
        name = self._names.numbered(name, self._protected_names(name, retention))
        self._best_before, self._saved_step = best, self._step
        self._saved_epoch = self._epoch + 1 if self._epoch_is_over else self._saved_epoch
        entry = self._entry(name, series, reason, logs)
        try:
            source = source_of(model, self._names.container, self.verify, self._buffers)
        except (OSError, CheckpointError) as error:
            self._after_failed_save(error)
            return
        if self._checks_loadability:  # only once: whether Keras loads this model does not change
            self._checks_loadability, source = False, with_loadability_check(source, directory / name)
        link = self._link if series == self._names.series else None
        needed = other_callbacks.best_epochs(self._others())
        job = SaveJob(source, directory, entry, retention, needed, begun, link, self._epochs_so_far())
        try:
            self._worker.submit(lambda: save(job))
        finally:
            self._schedule.saved(time.monotonic() - begun)

    def _protected_names(self, name: str, retention: Retention) -> Collection[str]:
        """The names of files that must not be replaced: links, retained files of this run, with `resume` unlisted ones.
        Empty where there is no file of this name."""
        directory = self._names.directory
        if (directory / name).is_symlink():
            return (name,)
        if not (retention.is_set or self.resume) or not (directory / name).exists():
            return ()
        saved = tidy(directory, self._names.series).saved
        known = {entry.file for entry in saved}
        taken = {
            entry.file for entry in saved if entry.run == self._run and entry.step != self._step and retention.is_set
        }
        is_own = name in known - taken or directory / name == self._resumed_from
        if self.resume and not is_own:
            taken.update(unlisted_files.files(self._names, known))
        return taken

    def _entry(self, name: str, series: str, reason: str, logs: Mapping[str, Any]) -> Saved:
        value = log_value(logs, self.monitor)
        return Saved(
            file=name,
            series=series,
            state=State.WRITING,
            epoch=self._epoch + 1,
            batch=None if self._epoch_is_over else self._batch,
            step=self._step,
            sha256="",
            size=0,
            run=self._run,
            reason=reason,
            monitor=self.monitor,
            mode=self.direction(required=self.save_best_only or self._retention.best is not None),
            value=value,
            logs=dict(numbers(logs)),
            date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            keras=keras.__version__,
            backend=keras.backend.backend(),
            ckpttool=__version__,
            callbacks=other_callbacks.states_of(self._others()),
            seeds=random_states.seeds_of(self.model),
            metrics=() if self._epoch_is_over else random_states.metrics_of(self.model),
            generators=generators.states(),
            notes=self._notes,
            generators_before={} if self._epoch_is_over else self._generators_before,
        )

    def _after_save(self, entry: Saved) -> None:
        self._has_saved = True
        path = self._names.directory / entry.file
        self._print_if_verbose(f"finished saving model to {path}", entry.epoch)
        try:
            self.on_saved(path, entry)
        except Exception as error:  # code of the user's own, whose error must not end the training
            warnings.warn(f"on_saved failed for {path}: {type(error).__name__}: {error}", stacklevel=2)

    def _after_failed_save(self, error: Exception) -> None:
        """Raise the error of a save, or warn. The model was not saved, so that it is not the best one either."""
        self.best, self._saved_step = self._best_before, None
        if isinstance(error, NotFiniteError):
            warnings.warn(f"The model is not saved. {error}", stacklevel=2)
        elif self.on_error == "raise" or not isinstance(error, OSError | CheckpointError):
            self._claim.release()  # the training ends here
            raise error
        else:
            warnings.warn(f"The model could not be saved. {error}", stacklevel=2)
