"""The restoration of a model from the newest undamaged checkpoint of a run, with the state that belongs to it."""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras.src.legacy.saving import legacy_h5_format
from keras.src.saving import saving_lib
from keras.src.utils.module_utils import h5py

from ckpttool.callbacks import optimizers, other_callbacks, random_states, unlisted_files
from ckpttool.callbacks.names import Names
from ckpttool.errors import ModelError, UnsupportedError
from ckpttool.escape import printable
from ckpttool.formats import open_checkpoint
from ckpttool.manifest import EpochLogs, Manifest, Saved, damage, read_manifest, recovered
from ckpttool.model import Architecture
from ckpttool.verification import Allowed, verify


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """A checkpoint from which a training can be resumed, with the known logs of its run's epochs."""

    directory: Path
    entry: Saved
    epochs: tuple[EpochLogs, ...] = ()

    @property
    def path(self) -> Path:
        """The path of the checkpoint."""
        return self.directory / self.entry.file


@dataclass(frozen=True, slots=True)
class SavedSeries:
    """The series of one callback: its names, the manifest of its directory, and its run, None for all runs."""

    names: Names
    manifest: Manifest
    run: str | None = None

    @property
    def manifest_of_run(self) -> Manifest:
        """The manifest with the entries of the run only."""
        return self.manifest if self.run is None else self.manifest.of_run(self.run)


def newest_point(all_series: Sequence[SavedSeries], steps: int | None) -> ResumePoint | None:
    """The newest undamaged checkpoint of several series, None where nothing was saved.

    Where no manifest lists one, it is the newest file whose name fits; `steps` is the number of steps of an epoch, None
    where it is not known. Raises ValueError where there are such files, and training can be resumed from none of them.
    """
    manifests = {(series.names.directory, series.run): series.manifest_of_run for series in all_series}
    points = [
        ResumePoint(directory, entry, tuple(epoch for epoch in manifest.epochs if epoch.run == entry.run))
        for (directory, _), manifest in manifests.items()
        if (entry := next(intact_entries(directory, manifest), None))
    ]
    if not points:
        points = [point for series in all_series if (point := _unlisted_point(series.names, series.manifest, steps))]
    return max(points, key=lambda point: (point.entry.date, point.entry.step), default=None)


def _unlisted_point(names: Names, manifest: Manifest, steps: int | None) -> ResumePoint | None:
    problem = ""
    for file in unlisted_files.candidates(names, {entry.file for entry in manifest.saved}, steps):
        path = printable(str(names.directory / file.file))
        if file.entry is not None:
            warnings.warn(
                f"{path} is in no manifest: only its epoch is known, {file.entry.epoch:,}. Other callbacks and random "
                "numbers begin anew.",
                stacklevel=2,
            )
            return ResumePoint(names.directory, file.entry)
        problem = problem or f"{path}: {printable(file.problem)}"
    if problem:
        raise ValueError(
            f"resume=True: training cannot be resumed from any of the files named as {names.series}. {problem}. "
            "Move these files away, or save under another name."
        )
    return None


def intact_entries(directory: Path, manifest: Manifest) -> Iterator[Saved]:
    """The entries whose files are as they were written, newest first. Warns of each other one."""
    for entry in reversed(manifest.saved):
        problem = damage(directory, entry, thorough=True)
        if problem:
            path = printable(str(directory / entry.file))
            warnings.warn(f"{path}: {printable(problem)}. The checkpoint before it is tried.", stacklevel=2)
        else:
            yield entry


def build(model: Any) -> None:
    """Build a model that Keras on TensorFlow would build in the first step of `fit`, by the shapes of the data."""
    if is_built(model) or keras.backend.backend() != "tensorflow":
        return
    data = other_callbacks.data_of_fit()
    if data is not None:
        model._symbolic_build(data_batch=data)


def is_built(model: Any) -> bool:
    """Whether a model has all its weights.

    Keras never builds a model without `call`, such as a GAN whose training step calls its parts: where all parts are
    built, it is marked as built here.
    """
    parts = model._flatten_layers(include_self=False)
    if not model.built and type(model).call is keras.Model.call and all(part.built for part in parts):
        model.built = True
    return bool(model.built)


def load_point(model: Any, point: ResumePoint) -> None:
    """Load a checkpoint into a model, and the states of random numbers, where its entry has them."""
    load(model, point.path)
    if point.entry.seeds:
        random_states.restore_seeds(model, point.entry.seeds)


def load(model: Any, path: Path) -> None:
    """Load the weights, and the state of optimizers and metrics in the file, into a model that is built.

    Raises ValueError where the model is not built, or where the file does not fit it: then nothing is loaded.
    """
    _check_that_it_is_built(model, path)
    _check_that_it_fits(model, path)
    if _is_legacy(path):
        _load_legacy(model, path)
        _load_legacy_optimizer(model, path)
        return
    with optimizers.deferred_loading(model, path):
        model.load_weights(os.fspath(path))


def _load_weights(model: Any, path: Path) -> None:
    """Load weights, and leave the optimizers as they are."""
    _check_that_it_fits(model, path)
    if _is_legacy(path):
        _load_legacy(model, path)
        return
    with optimizers.without_loading(model):
        model.load_weights(os.fspath(path))


def _is_legacy(path: Path) -> bool:
    with open_checkpoint(path) as checkpoint:
        return checkpoint.format.is_legacy


def _check_that_it_is_built(model: Any, path: Path) -> None:
    if not is_built(model):
        raise ValueError(
            f"The model has to be built before {path} can be loaded into it: call it on a batch of data, or give it an "
            "Input."
        )


def _check_that_it_fits(model: Any, path: Path) -> None:
    """Raise ValueError where a file does not fit a model, before anything of it is loaded."""
    try:
        result = verify(path, Architecture.from_model(model), allowed=Allowed(unexpected=("*",)))
    except (ModelError, UnsupportedError):  # ckpttool cannot say whether it fits: Keras raises where it does not
        return
    reasons = [*result.problems, *(f"{finding.label}: {finding.why}" for finding in result.failures)]
    if reasons:
        more = f", and {len(reasons) - 3:,} more" if reasons[3:] else ""
        raise ValueError(
            f"The model does not fit {printable(str(path))}: {printable('; '.join(reasons[:3]))}{more}. Nothing was "
            "loaded. Save another model under another name."
        )


def _load_legacy(model: Any, path: Path) -> None:
    with h5py.File(path, "r") as file:
        is_model = "layer_names" not in file.attrs and "model_weights" in file
        group = saving_lib.safe_get_h5_group(file, "model_weights") if is_model else file
        legacy_h5_format.load_weights_from_hdf5_group(group, model)


def _load_legacy_optimizer(model: Any, path: Path) -> None:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    with h5py.File(path, "r") as file:
        if "optimizer_weights" in file:
            optimizer.set_weights(legacy_h5_format.load_optimizer_weights_from_hdf5_group(file))
        else:
            warnings.warn(f"{printable(str(path))} has no state of the optimizer, which begins anew.", stacklevel=2)


def restore_best_weights_of_callbacks(model: Any, callbacks: Sequence[Any], directory: Path) -> None:
    """Give callbacks the weights of their best epoch, from its file; warn where that is missing or damaged."""
    manifest = manifest_in(directory)
    for callback in other_callbacks.callbacks_with_best_weights(callbacks):
        if callback.best is None:
            continue
        epoch = callback.best_epoch + 1
        entry = next((saved for saved in reversed(manifest.saved) if saved.ends_epoch and saved.epoch == epoch), None)
        if entry is None or damage(directory, entry, thorough=True):
            warnings.warn(
                f"EarlyStopping cannot restore the weights of epoch {epoch:,}, the best so far: the file is missing or "
                "altered.",
                stacklevel=2,
            )
            continue
        with _temporarily_loaded(model, directory / entry.file):
            callback.best_weights = model.get_weights()


@contextlib.contextmanager
def _temporarily_loaded(model: Any, path: Path) -> Iterator[None]:
    """A context in which the model has the weights of a file; at its end, it has its own again."""
    values_before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]
    _load_weights(model, path)
    try:
        yield
    finally:
        for variable, values in zip(model.variables, values_before, strict=True):
            variable.assign(values)


def load_latest(model: Any, directory: str | os.PathLike[str]) -> Saved | None:
    """Load the newest undamaged checkpoint of a directory into a model. Returns its entry, None where there is none."""
    place = Path(directory)
    entry = next(intact_entries(place, manifest_in(place)), None)
    if entry is not None:
        load_point(model, ResumePoint(place, entry))
    return entry


def manifest_in(directory: Path) -> Manifest:
    """The manifest of a directory, in which nothing is changed."""
    return recovered(directory, read_manifest(directory))
