"""The resumption of a training by a callback; of several in a `fit` that resume, the first loads the checkpoint."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keras.src.utils import io_utils

from ckpttool.callbacks import generators, other_callbacks, random_states, restoration
from ckpttool.callbacks.batches import BatchSkipper, batches_before
from ckpttool.callbacks.claim import Claim
from ckpttool.callbacks.monitor import Monitored, numbers
from ckpttool.callbacks.names import Names
from ckpttool.callbacks.writer import prepare, tidy
from ckpttool.errors import CheckpointError, ClaimedError
from ckpttool.manifest import EpochLogs, Manifest, Saved


class Resumable(Monitored):
    """A callback that follows the progress of training, and can resume it from a checkpoint."""

    filepath: str
    resume: bool
    run: str | None
    on_error: str
    verbose: int
    save_best_only: bool
    model: Any
    params: Any
    _names: Names
    _run: str
    _epoch: int
    _step: int
    _saved_step: int | None
    _listed: Any
    _has_saved = False
    _claim: Claim
    _newest: tuple[Any, restoration.ResumePoint | None] | None = None
    _resumed_from: Path | None = None
    _resumed: Saved | None = None
    _skipper: BatchSkipper | None = None
    _skipped = 0
    _rate: float | None = None
    _epoch_logs: dict[int, Mapping[str, Any]]  # of the run, by epochs that count from one
    _resumes_here = False  # the next epoch is the first one after a resumption
    _generators_before: Mapping[str, str] = MappingProxyType({})

    def _resume(self, manifest: Manifest) -> None:
        """Resume from the newest checkpoint of all callbacks of this `fit` that resume it."""
        if self._has_saved:
            self._print(f"{self.filepath} was saved by this very callback: training continues with the model as it is")
            return
        self._check_that_it_can_be_resumed()
        if self._newest is None or self._newest[0] is not self._listed:
            peers = [
                callback
                for callback in (self, *self._others())
                if isinstance(callback, Resumable) and callback._resumes
            ]
            all_series = [
                callback._saved_series(manifest if callback is self else callback._clean_directory())
                for callback in peers
            ]
            point = restoration.newest_point(all_series, self._fit_parameter("steps"))
            if point is not None:
                restoration.build(self.model)
                restoration.load_point(self.model, point)
            for callback in peers:
                callback._newest = (self._listed, point)
            self._adopt(manifest, point, leads=True)
        else:
            self._adopt(manifest, self._newest[1], leads=False)
        self._newest = None

    @property
    def _resumes(self) -> bool:
        return self.resume and not self._has_saved

    def _saved_series(self, manifest: Manifest) -> restoration.SavedSeries:
        return restoration.SavedSeries(self._names, manifest, self.run)

    def _check_that_it_can_be_resumed(self) -> None:
        """Raise ValueError for state that no file of Keras can restore, before anything is trained."""
        if self._listed is None:
            warnings.warn("The other callbacks of this fit are not known; they begin anew.", stacklevel=4)
        elif other_callbacks.later_backup(self, self._listed) is not None:
            raise ValueError(
                "resume=True: BackupAndRestore comes after this callback and would replace the resumed state by its "
                "own, older one. Put it first, or leave it out."
            )
        if layer := random_states.layer_with_lora(self.model):
            raise ValueError(
                f"resume=True: the factors of LoRA in layer {layer} cannot be restored, as Keras saves only their "
                "product. Train without resume=True, or save the factors by a callback of your own."
            )

    def _adopt(self, manifest: Manifest, point: restoration.ResumePoint | None, leads: bool) -> None:
        """Take over the progress of the checkpoint that was loaded. The one callback that `leads` also has the trained
        batches skipped and prints what happens."""
        if self._listed is not None:
            other_callbacks.move_behind_stateful_callbacks(self, self._listed)
        own = [
            entry for entry in self._saved_series(manifest).manifest_of_run.saved if entry.series == self._names.series
        ]
        if own and self.run is None:
            self._run = own[-1].run
        if self.save_best_only:
            self.restore_best([entry for entry in own if entry.run == self._run and entry.monitor == self.monitor])
        if point is None:
            if leads:
                self._print(f"no checkpoint in {self._names.directory} to resume from: training begins anew")
            return
        entry = point.entry
        self._step = self._saved_step = entry.step
        self._resumed_from = point.path
        self._epoch = entry.epoch - 1
        self._skipped = entry.batch or 0
        self._generators_before = entry.generators_before if entry.batch else entry.generators
        self._resumes_here = bool(self._generators_before)
        whole = entry.epoch if entry.batch is None else entry.epoch - 1
        self._epoch_logs = {epoch.epoch: epoch.logs for epoch in point.epochs if epoch.epoch <= whole}
        if leads:
            self._continue_fit(point)

    def _continue_fit(self, point: restoration.ResumePoint) -> None:
        """Have `fit` continue after the loaded checkpoint, and print that; warn where nothing is left to train."""
        entry, model, epochs = point.entry, self.model, self._fit_parameter("epochs")
        self._resumed = entry
        model._initial_epoch = entry.epoch if entry.batch is None else entry.epoch - 1
        where = f"epoch {entry.epoch:,}" + ("" if entry.batch is None else f", batch {entry.batch:,}")
        if other_callbacks.have_stopped(self._others(), entry.callbacks):
            model._initial_epoch = epochs
            self._warn_that_nothing_is_left(point, "EarlyStopping had ended this training")
        elif epochs is not None and model._initial_epoch >= epochs:
            self._warn_that_nothing_is_left(point, f"it is {where} of {epochs:,}")
        else:
            self._print(f"resuming from {point.path}, {where}")
            self._skip_trained_batches(entry)

    def _skip_trained_batches(self, entry: Saved) -> None:
        """Have the batches skipped that were trained before the checkpoint was saved."""
        epoch_iterator = other_callbacks.iterator_of_fit()
        before = batches_before(epoch_iterator, self.model._initial_epoch)
        if before:
            self._print(f"the data continue from epoch to epoch: {before:,} batches are skipped first")
        if entry.batch:
            self._rate = random_states.rate_of(self.model)
        if entry.batch or before:
            ends = bool(entry.batch) and self._skipped >= (self._fit_parameter("steps") or 0)
            self._skipper = BatchSkipper(self.model, entry, ends, epoch_iterator, before)

    def _warn_that_nothing_is_left(self, point: restoration.ResumePoint, why: str) -> None:
        warnings.warn(
            f"Nothing is left to train after {point.path}: {why}. For another training, save under another name, or "
            "name it by run=.",
            stacklevel=5,
        )

    def _fit_parameter(self, name: str) -> Any:
        """A parameter that `fit` passes to its callbacks, None where something else calls."""
        return (self.params or {}).get(name)

    def _print(self, text: str) -> None:
        io_utils.print_msg(f"ModelCheckpoint: {text}")

    def _print_if_verbose(self, text: str, epoch: int | None = None) -> None:
        if self.verbose > 0:
            io_utils.print_msg(f"\nEpoch {epoch or self._epoch + 1}: {text}")

    def _restore_others(self) -> bool:
        """Restore the other callbacks after a resumption. Returns whether there was one."""
        entry, self._resumed = self._resumed, None
        if entry is None:
            return False
        self.model._initial_epoch = None  # it was for this fit only
        others = self._others()
        other_callbacks.restore(others, entry.callbacks, -(-self._skipped // self.model.steps_per_execution))
        other_callbacks.complete_histories(others, self._epoch_logs)
        restoration.restore_best_weights_of_callbacks(self.model, others, self._names.directory)
        if self._rate is not None:  # a scheduler has set the rate at the start of the epoch, and not as it was later
            self.model.optimizer.learning_rate = self._rate
        generators.restore(self._generators_before)
        return True

    def _epochs_so_far(self) -> list[EpochLogs]:
        """The logs of the run's whole epochs, those before an interruption included."""
        return [EpochLogs(self._run, epoch, dict(numbers(logs))) for epoch, logs in self._epoch_logs.items()]

    def _stop_skipping(self) -> None:
        self._skipped = 0
        if self._skipper is not None:
            self._skipper.stop()
            self._skipper = None

    def _others(self) -> list[Any]:
        return (
            [callback for callback in self._listed.callbacks if callback is not self]
            if self._listed is not None
            else []
        )

    def _clean_directory(self) -> Manifest:
        """Claim the directory for this training and clean up after runs that died. Returns its manifest."""
        try:
            prepare(self._names.directory)
            self._claim.take()
            return tidy(self._names.directory, self._names.series)
        except (OSError, CheckpointError) as error:
            if self.on_error == "raise" or isinstance(error, ClaimedError):
                raise
            warnings.warn(f"Models cannot be saved now. {error}", stacklevel=3)
            return Manifest()
