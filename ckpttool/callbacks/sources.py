"""Sources of a save: a snapshot of a model that ckpttool writes, or a file that only Keras can write."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils.module_utils import h5py

from ckpttool.callbacks import file_check
from ckpttool.callbacks.names import Container
from ckpttool.callbacks.snapshot import Buffers, Snapshot, snapshot_of
from ckpttool.callbacks.writer import Source
from ckpttool.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class _SnapshotSource:
    """A snapshot that ckpttool writes; with `verify`, the file is read back and compared with it."""

    snapshot: Snapshot
    verify: bool

    def write(self, path: Path) -> None:
        """Write the snapshot."""
        self.snapshot.write(path)

    def check(self, path: Path) -> None:
        """Compare the file with the snapshot."""
        if self.verify:
            file_check.check_content(path, self.snapshot)


@dataclass(frozen=True, slots=True)
class _KerasSource:
    """A model that Keras writes: it is written already where `written` is set, else by `write`."""

    model: Any
    container: Container
    verify: bool
    written: Path | None = None
    place: tempfile.TemporaryDirectory[str] | None = None  # the directory of `written`, removed with this object

    def write(self, path: Path) -> None:
        """Have Keras write the file, or move the one that it has written."""
        if self.written is not None and self.place is not None:
            with self.place:
                shutil.move(self.written, path)
            return
        _save_by_keras(self.model, self.container, path)

    def check(self, path: Path) -> None:
        """Read the file. Its values cannot be compared, as there is no snapshot, but none may be NaN."""
        if self.verify:
            file_check.check_finite(path)


def with_loadability_check(source: Source, name: Path) -> Source:
    """The source with a check whether Keras loads its file. A model that saves itself may also load in its own way, and
    is not checked."""
    return CheckedSource(source, name) if isinstance(source, _SnapshotSource) else source


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """A source whose check also warns where Keras would not load the file; `name` is its path in the warning."""

    source: Source
    name: Path

    def write(self, path: Path) -> None:
        """Write the file."""
        self.source.write(path)

    def check(self, path: Path) -> None:
        """Check the file as the source does, and warn where Keras would not load it."""
        self.source.check(path)
        file_check.warn_unless_loadable(path, self.name, keras.backend.backend())


def source_of(model: Any, container: Container, verify: bool, buffers: Buffers | None) -> Source:
    """The source for saving a model.

    With `buffers`, it is independent of later changes of the model: its values are copied now, or, where only Keras can
    write them, Keras writes them now into a temporary directory.
    """
    if not _saves_itself(model, container):
        try:
            return _SnapshotSource(snapshot_of(model, container, buffers), verify)
        except UnsupportedError:  # texts among the weights of a class of the user's own, as an example
            pass
    if buffers is None:
        return _KerasSource(model, container, verify)
    place = tempfile.TemporaryDirectory()
    written = Path(place.name) / f"model{_SUFFIXES[container]}"
    _save_by_keras(model, container, written)
    return _KerasSource(model, container, verify, written, place)


_SUFFIXES = {
    Container.ARCHIVE: ".keras",
    Container.WEIGHTS: ".weights.h5",
    Container.LEGACY_MODEL: ".h5",
    Container.LEGACY_WEIGHTS: ".h5",
}


def check_that_it_can_be_saved(model: Any, container: Container) -> None:
    """Raise Keras's NotImplementedError where a config is to be saved and a class of the model has no `get_config`."""
    if container is Container.WEIGHTS or container is Container.LEGACY_WEIGHTS or _saves_itself(model, container):
        return
    try:
        model.get_config()
    except NotImplementedError:
        raise
    except Exception:  # a model that is not built yet may have its config after the first batch
        return


def _saves_itself(model: Any, container: Container) -> bool:
    """Whether the class of a model has a way of its own to be saved."""
    if container is Container.WEIGHTS:
        return type(model).save_weights is not keras.Model.save_weights
    return container is not Container.LEGACY_WEIGHTS and type(model).save is not keras.Model.save


def _save_by_keras(model: Any, container: Container, path: Path) -> None:
    """Have Keras save a model. Keras chooses the format by the suffix, so that the file has that first, and is then
    renamed."""
    named = path.with_name(f"by-keras{_SUFFIXES[container]}")
    if container is Container.WEIGHTS:
        model.save_weights(named, overwrite=True)
    elif container is Container.LEGACY_WEIGHTS:
        with h5py.File(named, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    else:
        model.save(named, overwrite=True)
    named.rename(path)
