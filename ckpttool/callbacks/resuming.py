"""Going on where a run was interrupted: the newest file that is whole, loaded into a model, and what belongs to it."""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
from keras.src.legacy.saving import legacy_h5_format
from keras.src.saving import saving_lib
from keras.src.utils.module_utils import h5py

from ckpttool.callbacks import neighbours, unsaved
from ckpttool.formats import open_checkpoint
from ckpttool.manifest import Manifest, Saved, damage, read_manifest, settled


def intact(directory: Path, manifest: Manifest) -> Iterator[Saved]:
    """The entries whose files are as they were written, newest first; says which are not."""
    for entry in reversed(manifest.saved):
        problem = damage(directory, entry, thorough=True)
        if problem:
            warnings.warn(f"{directory / entry.file}: {problem}. The checkpoint before it is looked at.", stacklevel=2)
        else:
            yield entry


def load_newest(model: Any, directory: Path, manifest: Manifest) -> Saved | None:
    """Loads the newest whole checkpoint of a directory; gives its entry, None where there is none."""
    entry = next(intact(directory, manifest), None)
    if entry is not None:
        load(model, directory / entry.file)
        unsaved.bring_seeds_back(model, entry.seeds)
    return entry


def load(model: Any, path: Path) -> None:
    """Loads weights, and what the file holds of the optimizer and the metrics, into a model that is built."""
    if not model.built:
        raise ValueError(
            f"The model has to be built before {path} can be loaded into it: call it on a batch of data, or give it an "
            "Input."
        )
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    with open_checkpoint(path) as checkpoint:
        is_legacy = checkpoint.kind.startswith("legacy")
    if is_legacy:
        _load_legacy(model, optimizer, path)
    else:
        model.load_weights(os.fspath(path))


def _load_legacy(model: Any, optimizer: Any, path: Path) -> None:
    with h5py.File(path, "r") as file:
        is_model = "layer_names" not in file.attrs and "model_weights" in file
        group = saving_lib.safe_get_h5_group(file, "model_weights") if is_model else file
        legacy_h5_format.load_weights_from_hdf5_group(group, model)
        if optimizer is not None and "optimizer_weights" in file:
            optimizer.set_weights(legacy_h5_format.load_optimizer_weights_from_hdf5_group(file))
        elif optimizer is not None:
            warnings.warn(f"{path} holds no state of the optimizer, which begins anew.", stacklevel=2)


def bring_back_best_weights(model: Any, callbacks: Sequence[Any], directory: Path) -> None:
    """Gives callbacks that keep the weights of their best epoch those weights, from its file if that is there."""
    manifest = manifest_of(directory)
    for callback in neighbours.those_that_restore(callbacks):
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
    """Another file in the model for a while."""
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer is not None else ())]
    kept = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    load(model, path)
    try:
        yield
    finally:
        for variable, values in zip(variables, kept, strict=True):
            variable.assign(values)


class Skipper:
    """Passes over the batches of an epoch that were trained before, in a model's place.

    They are taken from the data, so that the rest of the epoch is the rest, and the metrics go on from where they were.
    """

    def __init__(self, model: Any, batches: int, metrics: Sequence[Sequence[float]]) -> None:
        self._model, self._left, self._metrics = model, batches, metrics
        self._train = model.train_function
        model.train_function = self

    @property
    def active(self) -> bool:
        """Whether the batch that comes next is passed over."""
        return self._left > 0

    def __call__(self, *given: Any) -> Any:
        """One call of the training function of a model; what it is given differs by backend."""
        if not self.active:
            self.stop()
            return self._train(*given)
        steps, backend = self._model.steps_per_execution, keras.backend.backend()
        data = given[-1] if backend == "torch" else [next(given[-1]) for _ in range(steps)]
        metrics, self._metrics = self._metrics, ()  # they were reset when the epoch began
        self._left -= steps
        if backend == "jax":  # which keeps the state outside the model
            return {}, _with_metrics(given[0], metrics)
        if metrics:
            unsaved.bring_metrics_back(self._model, metrics, data[0])
        return {}

    def stop(self) -> None:
        """Gives the model its own training function back."""
        self._left = 0
        if self._model.train_function is self:
            self._model.train_function = self._train


def _with_metrics(state: Any, metrics: Sequence[Sequence[float]]) -> Any:
    """The state of a training on JAX, whose last part are the metrics, with other metrics."""
    *others, current = state
    if len(current) != len(metrics):
        return state
    arrays = [keras.ops.convert_to_tensor(unsaved.like(*pair)) for pair in zip(metrics, current, strict=True)]
    return (*others, arrays)


def load_latest(model: Any, directory: str | os.PathLike[str]) -> Saved | None:
    """Loads the newest whole checkpoint of a directory into a model; gives what the manifest says of it."""
    place = Path(directory)
    return load_newest(model, place, manifest_of(place))


def manifest_of(directory: Path) -> Manifest:
    """What was saved in a directory, which is only read."""
    return settled(directory, read_manifest(directory))
