"""A callback that goes on where a training was interrupted: one of them for all in a `fit` that resume it."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keras.src.utils import io_utils

from ckpttool.callbacks import generators, other_callbacks, random_states, restoration
from ckpttool.callbacks.batches import Passing, number_before
from ckpttool.callbacks.claim import Claim, HeldError
from ckpttool.callbacks.monitor import Monitored, numbers
from ckpttool.callbacks.names import Names
from ckpttool.callbacks.writer import prepare, tidy
from ckpttool.errors import CheckpointError
from ckpttool.manifest import EpochLogs, Manifest, Saved


class Resumable(Monitored):
    """A callback that knows where training is, and can bring it back to where it was."""

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
    _found: tuple[Any, restoration.Found | None] | None = None
    _resumed_from: Path | None = None
    _resumed: Saved | None = None
    _passing: Passing | None = None
    _passed = 0
    _rate: float | None = None
    _epoch_logs: dict[int, Mapping[str, Any]]  # of the run, by epochs that count from one
    _resumes_here = False  # the next epoch is the one that is gone on with, or after
    _generators_before: Mapping[str, str] = MappingProxyType({})

    def _resume(self, manifest: Manifest) -> None:
        """Goes on from the newest checkpoint of all callbacks of this `fit` that resume it."""
        if self._has_saved:
            self._tell(f"{self.filepath} was saved by this very callback: training goes on with the model as it is")
            return
        self._check_that_it_can_be_resumed()
        if self._found is None or self._found[0] is not self._listed:
            peers = [each for each in (self, *self._others()) if isinstance(each, Resumable) and each._resumes]
            places = [each._place(manifest if each is self else each._tidied()) for each in peers]
            found = restoration.newest(places, self._given("steps"))
            if found is not None:
                restoration.build(self.model)
                restoration.load_found(self.model, found)
            for each in peers:
                each._found = (self._listed, found)
            self._take_over(manifest, found, leads=True)
        else:
            self._take_over(manifest, self._found[1], leads=False)
        self._found = None

    @property
    def _resumes(self) -> bool:
        return self.resume and not self._has_saved

    def _place(self, manifest: Manifest) -> restoration.Place:
        return restoration.Place(self._names, manifest, self.run)

    def _check_that_it_can_be_resumed(self) -> None:
        """Raises ValueError for what Keras's files do not bring back, before anything is trained."""
        if self._listed is None:
            warnings.warn("The other callbacks of this fit are not known; they begin anew.", stacklevel=4)
        elif other_callbacks.overruling(self, self._listed) is not None:
            raise ValueError(
                "resume=True: BackupAndRestore comes after this callback and would restore its own, older state over "
                "what is resumed. Put it first, or leave it out."
            )
        if layer := random_states.layer_with_lora(self.model):
            raise ValueError(
                f"resume=True: the factors of LoRA in layer {layer} cannot be brought back, for Keras saves their "
                "product alone. Train without resume=True, or save the factors by a callback of your own."
            )

    def _take_over(self, manifest: Manifest, found: restoration.Found | None, leads: bool) -> None:
        """Knows what belongs to the checkpoint that was loaded; the callback that `leads` has the batches passed over
        and says what happens."""
        if self._listed is not None:
            other_callbacks.put_behind_those_that_count(self, self._listed)
        own = [each for each in self._place(manifest).own.saved if each.series == self._names.series]
        if own and self.run is None:
            self._run = own[-1].run
        if self.save_best_only:
            self.restore_best([each for each in own if each.run == self._run and each.monitor == self.monitor])
        if found is None:
            if leads:
                self._tell(f"there is no checkpoint in {self._names.directory} to resume from: training begins anew")
            return
        entry = found.entry
        self._step = self._saved_step = entry.step
        self._resumed_from = found.path
        self._epoch = entry.epoch - 1
        self._passed = entry.batch or 0
        self._generators_before = entry.generators_before if entry.batch else entry.generators
        self._resumes_here = bool(self._generators_before)
        whole = entry.epoch if entry.batch is None else entry.epoch - 1
        self._epoch_logs = {each.epoch: each.logs for each in found.epochs if each.epoch <= whole}
        if leads:
            self._lead(found)

    def _lead(self, found: restoration.Found) -> None:
        """Has the training go on behind what was loaded, and says so."""
        entry, model, epochs = found.entry, self.model, self._given("epochs")
        self._resumed = entry
        model._initial_epoch = entry.epoch if entry.batch is None else entry.epoch - 1
        where = f"epoch {entry.epoch:,}" + ("" if entry.batch is None else f", batch {entry.batch:,}")
        if other_callbacks.have_stopped(self._others(), entry.callbacks):
            model._initial_epoch = epochs
            self._warn_that_nothing_is_left(found, "EarlyStopping had ended this training")
        elif epochs is not None and model._initial_epoch >= epochs:
            self._warn_that_nothing_is_left(found, f"it is {where} of {epochs:,}")
        else:
            self._tell(f"resuming from {found.path}, {where}")
            self._pass_over(entry)

    def _pass_over(self, entry: Saved) -> None:
        """Has what was trained of the data passed over."""
        epoch_iterator = other_callbacks.iterator_of_fit()
        before = number_before(epoch_iterator, self.model._initial_epoch)
        if before:
            self._tell(f"the data go on from epoch to epoch: {before:,} batches are passed over first")
        if entry.batch:
            self._rate = random_states.rate_of(self.model)
        if entry.batch or before:
            ends = bool(entry.batch) and self._passed >= (self._given("steps") or 0)
            self._passing = Passing(self.model, entry, ends, epoch_iterator, before)

    def _warn_that_nothing_is_left(self, found: restoration.Found, why: str) -> None:
        warnings.warn(
            f"Nothing is left to train after {found.path}: {why}. For another training, save under another name, or "
            "name it by run=.",
            stacklevel=5,
        )

    def _given(self, name: str) -> Any:
        """What `fit` has told its callbacks, None where something else has called."""
        return (self.params or {}).get(name)

    def _tell(self, text: str) -> None:
        io_utils.print_msg(f"ModelCheckpoint: {text}")

    def _say(self, text: str, epoch: int | None = None) -> None:
        if self.verbose > 0:
            io_utils.print_msg(f"\nEpoch {epoch or self._epoch + 1}: {text}")

    def _bring_others_back(self) -> bool:
        """Gives the other callbacks what they had counted before an interruption; whether there was one."""
        entry, self._resumed = self._resumed, None
        if entry is None:
            return False
        self.model._initial_epoch = None  # it was for this fit only
        others = self._others()
        other_callbacks.bring_back(others, entry.callbacks, -(-self._passed // self.model.steps_per_execution))
        other_callbacks.complete_histories(others, self._epoch_logs)
        restoration.bring_back_best_weights(self.model, others, self._names.directory)
        if self._rate is not None:  # which a scheduler has set once more for the same epoch
            self.model.optimizer.learning_rate = self._rate
        generators.bring_back(self._generators_before)
        return True

    def _epochs_so_far(self) -> list[EpochLogs]:
        """The logs of the run's whole epochs, those before an interruption included."""
        return [EpochLogs(self._run, epoch, dict(numbers(logs))) for epoch, logs in self._epoch_logs.items()]

    def _leave_passing(self) -> None:
        self._passed = 0
        if self._passing is not None:
            self._passing.stop()
            self._passing = None

    def _others(self) -> list[Any]:
        return [each for each in self._listed.callbacks if each is not self] if self._listed is not None else []

    def _tidied(self) -> Manifest:
        """What is in the directory, without traces of runs that died. It is claimed for this training."""
        try:
            prepare(self._names.directory)
            self._claim.take()
            return tidy(self._names.directory, self._names.series)
        except (OSError, CheckpointError) as error:
            if self.on_error == "raise" or isinstance(error, HeldError):
                raise
            warnings.warn(f"Models cannot be saved as it stands. {error}", stacklevel=3)
            return Manifest()
