"""What is saved of a model: a snapshot that ckpttool writes, or, where only Keras can write it, a file by Keras."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils.module_utils import h5py

from ckpttool.callbacks import read_back
from ckpttool.callbacks.names import Container
from ckpttool.callbacks.snapshot import Buffers, Snapshot, snapshot_of
from ckpttool.callbacks.writer import Source
from ckpttool.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A model as it is written by ckpttool. Unless `verify`, what was written is believed."""

    snapshot: Snapshot
    verify: bool

    def write(self, path: Path) -> None:
        """Writes the snapshot."""
        self.snapshot.write(path)

    def check(self, path: Path) -> None:
        """Compares the file with the snapshot."""
        if self.verify:
            read_back.check_content(path, self.snapshot)


@dataclass(frozen=True, slots=True)
class _ByKeras:
    """A model that Keras has written, or will."""

    model: Any
    container: Container
    verify: bool
    written: Path | None = None
    place: tempfile.TemporaryDirectory[str] | None = None  # which lasts as long as this

    def write(self, path: Path) -> None:
        """Has Keras write the file, or moves the one that it has written."""
        if self.written is not None and self.place is not None:
            with self.place:
                shutil.move(self.written, path)
            return
        _save_by_keras(self.model, self.container, path)

    def check(self, path: Path) -> None:
        """Reads the file; what it should hold is not known here, but NaN is never good."""
        if self.verify:
            read_back.check_finite(path)


def judged(source: Source, name: Path) -> Source:
    """The source with its file judged, but for a model that saves itself, and loads itself in a way of its own."""
    return Judged(source, name) if isinstance(source, _Recorded) else source


@dataclass(frozen=True, slots=True)
class Judged:
    """A source whose file is judged too, by whether Keras will load it; `name` is what to call it."""

    source: Source
    name: Path

    def write(self, path: Path) -> None:
        """Writes the file."""
        self.source.write(path)

    def check(self, path: Path) -> None:
        """Compares the file with what it should hold, and warns where Keras would not load it."""
        self.source.check(path)
        read_back.warn_unless_loadable(path, self.name, keras.backend.backend())


def source_of(model: Any, container: Container, verify: bool, buffers: Buffers | None) -> Source:
    """What to save of a model. With `buffers`, it is the model of now, whatever becomes of it: what cannot be copied
    is written now, into a directory for temporary files.
    """
    if not _saves_itself(model, container):
        try:
            return _Recorded(snapshot_of(model, container, buffers), verify)
        except UnsupportedError:  # texts among the weights of a class of the user's own, as an example
            pass
    if buffers is None:
        return _ByKeras(model, container, verify)
    place = tempfile.TemporaryDirectory()
    written = Path(place.name) / f"model{_SUFFIXES[container]}"
    _save_by_keras(model, container, written)
    return _ByKeras(model, container, verify, written, place)


_SUFFIXES = {
    Container.ARCHIVE: ".keras",
    Container.WEIGHTS: ".weights.h5",
    Container.LEGACY_MODEL: ".h5",
    Container.LEGACY_WEIGHTS: ".h5",
}


def check_that_it_can_be_saved(model: Any, container: Container) -> None:
    """Raises NotImplementedError, in Keras's words, where a config is saved and a class of the model gives none."""
    if container is Container.WEIGHTS or container is Container.LEGACY_WEIGHTS or _saves_itself(model, container):
        return
    try:
        model.get_config()
    except NotImplementedError:
        raise
    except Exception:  # it may come with the first batch, as what is built then
        return


def _saves_itself(model: Any, container: Container) -> bool:
    """Whether the class of a model has a way of its own to be saved."""
    if container is Container.WEIGHTS:
        return type(model).save_weights is not keras.Model.save_weights
    return container is not Container.LEGACY_WEIGHTS and type(model).save is not keras.Model.save


def _save_by_keras(model: Any, container: Container, path: Path) -> None:
    """Has Keras save a model; it goes by the suffix, so the file is named as it likes and renamed."""
    named = path.with_name(f"by-keras{_SUFFIXES[container]}")
    if container is Container.WEIGHTS:
        model.save_weights(named, overwrite=True)
    elif container is Container.LEGACY_WEIGHTS:
        with h5py.File(named, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    else:
        model.save(named, overwrite=True)
    named.rename(path)
