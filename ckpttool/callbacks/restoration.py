"""Going on where a run was interrupted: the newest file that is whole, loaded into a model, and what belongs to it."""

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

from ckpttool.callbacks import optimizers, other_callbacks, random_states, unlisted
from ckpttool.callbacks.names import Names
from ckpttool.errors import ModelError, UnsupportedError
from ckpttool.escape import printable
from ckpttool.formats import open_checkpoint
from ckpttool.manifest import EpochLogs, Manifest, Saved, damage, read_manifest, recovered
from ckpttool.model import Architecture
from ckpttool.verification import Allowed, verify


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint that a training can go on from, with the logs of its run's epochs that are known."""

    directory: Path
    entry: Saved
    epochs: tuple[EpochLogs, ...] = ()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.directory / self.entry.file


@dataclass(frozen=True, slots=True)
class Place:
    """Where a callback saves: its names, what the manifest there tells, and the run, None where any will do."""

    names: Names
    manifest: Manifest
    run: str | None = None

    @property
    def own(self) -> Manifest:
        """The entries of the run."""
        return self.manifest if self.run is None else self.manifest.of_run(self.run)


def newest(places: Sequence[Place], steps: int | None) -> Found | None:
    """The newest whole checkpoint of several series, None where nothing was saved.

    Where no manifest knows of any, it is the newest file whose name fits; an epoch has `steps`, None where nobody
    knows. Raises ValueError where there are such files, and none can be gone on from.
    """
    manifests = {(place.names.directory, place.run): place.own for place in places}
    found = [
        Found(directory, entry, tuple(each for each in known.epochs if each.run == entry.run))
        for (directory, _), known in manifests.items()
        if (entry := next(intact(directory, known), None))
    ]
    if not found:
        found = [each for place in places if (each := _unlisted(place.names, place.manifest, steps))]
    return max(found, key=lambda each: (each.entry.date, each.entry.step), default=None)


def _unlisted(names: Names, known: Manifest, steps: int | None) -> Found | None:
    problem = ""
    for each in unlisted.candidates(names, {entry.file for entry in known.saved}, steps):
        path = printable(str(names.directory / each.file))
        if each.entry is not None:
            warnings.warn(
                f"No manifest tells of {path}: what is known of it is its epoch, {each.entry.epoch:,}. What other "
                "callbacks had counted, and random numbers, begin anew.",
                stacklevel=2,
            )
            return Found(names.directory, each.entry)
        problem = problem or f"{path}: {printable(each.problem)}"
    if problem:
        raise ValueError(
            f"resume=True: there are files with names such as {names.series} gives, and none can be gone on from. "
            f"{problem}. Move them away, or save under another name."
        )
    return None


def intact(directory: Path, manifest: Manifest) -> Iterator[Saved]:
    """The entries whose files are as they were written, newest first; says which are not."""
    for entry in reversed(manifest.saved):
        problem = damage(directory, entry, thorough=True)
        if problem:
            path = printable(str(directory / entry.file))
            warnings.warn(f"{path}: {printable(problem)}. The checkpoint before it is looked at.", stacklevel=2)
        else:
            yield entry


def build(model: Any) -> None:
    """Builds a model that TensorFlow would build with the first step of its `fit`, by the shapes of the data."""
    if is_built(model) or keras.backend.backend() != "tensorflow":
        return
    data = other_callbacks.data_of_fit()
    if data is not None:
        model._symbolic_build(data_batch=data)


def is_built(model: Any) -> bool:
    """Whether a model has all its weights. One without `call`, as a GAN whose parts are called by its training step, is
    never built by Keras: it is where all parts are, which Keras is told.
    """
    parts = model._flatten_layers(include_self=False)
    if not model.built and type(model).call is keras.Model.call and all(part.built for part in parts):
        model.built = True
    return bool(model.built)


def load_found(model: Any, found: Found) -> None:
    """Loads a checkpoint into a model, with the states of random numbers, where its entry tells them."""
    load(model, found.path)
    if found.entry.seeds:
        random_states.bring_seeds_back(model, found.entry.seeds)


def load(model: Any, path: Path) -> None:
    """Loads weights, and what the file holds of the optimizers and the metrics, into a model that is built."""
    _check_that_it_is_built(model, path)
    _check_that_it_fits(model, path)
    if _is_legacy(path):
        _load_legacy(model, path)
        _load_legacy_optimizer(model, path)
        return
    with optimizers.loaded_when_built(model, path):
        model.load_weights(os.fspath(path))


def _load_weights(model: Any, path: Path) -> None:
    """Loads weights, and leaves the optimizers as they are."""
    _check_that_it_fits(model, path)
    if _is_legacy(path):
        _load_legacy(model, path)
        return
    with optimizers.left_alone(model):
        model.load_weights(os.fspath(path))


def _is_legacy(path: Path) -> bool:
    with open_checkpoint(path) as checkpoint:
        return checkpoint.kind.startswith("legacy")


def _check_that_it_is_built(model: Any, path: Path) -> None:
    if not is_built(model):
        raise ValueError(
            f"The model has to be built before {path} can be loaded into it: call it on a batch of data, or give it an "
            "Input."
        )


def _check_that_it_fits(model: Any, path: Path) -> None:
    """Raises ValueError where a file does not fit a model, so that nothing of it is loaded."""
    try:
        result = verify(path, Architecture.from_model(model), allowed=Allowed(unexpected=("*",)))
    except (ModelError, UnsupportedError):  # Keras will say what it makes of it
        return
    why = [*result.problems, *(f"{each.label}: {each.why}" for each in result.failures)]
    if why:
        more = f", and {len(why) - 3:,} more" if why[3:] else ""
        raise ValueError(
            f"The model does not fit {printable(str(path))}: {printable('; '.join(why[:3]))}{more}. Nothing was "
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
            warnings.warn(f"{path} holds no state of the optimizer, which begins anew.", stacklevel=2)


def bring_back_best_weights(model: Any, callbacks: Sequence[Any], directory: Path) -> None:
    """Gives callbacks that keep the weights of their best epoch those weights, from its file if that is there."""
    manifest = manifest_of(directory)
    for callback in other_callbacks.those_that_restore(callbacks):
        if callback.best is None:
            continue
        epoch = callback.best_epoch + 1
        found = next((each for each in reversed(manifest.saved) if _ends(each, epoch)), None)
        if found is None or damage(directory, found, thorough=True):
            warnings.warn(
                f"EarlyStopping cannot restore the weights of epoch {epoch:,}, the best so far: the file is gone.",
                stacklevel=2,
            )
            continue
        with _loaded(model, directory / found.file):
            callback.best_weights = model.get_weights()


def _ends(entry: Saved, epoch: int) -> bool:
    return entry.batch is None and entry.epoch == epoch


@contextlib.contextmanager
def _loaded(model: Any, path: Path) -> Iterator[None]:
    """The weights of another file in the model for a while."""
    kept = [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]
    _load_weights(model, path)
    try:
        yield
    finally:
        for variable, values in zip(model.variables, kept, strict=True):
            variable.assign(values)


def load_latest(model: Any, directory: str | os.PathLike[str]) -> Saved | None:
    """Loads the newest whole checkpoint of a directory into a model; gives what the manifest says of it."""
    place = Path(directory)
    entry = next(intact(place, manifest_of(place)), None)
    if entry is not None:
        load_found(model, Found(place, entry))
    return entry


def manifest_of(directory: Path) -> Manifest:
    """What was saved in a directory, which is only read."""
    return recovered(directory, read_manifest(directory))
