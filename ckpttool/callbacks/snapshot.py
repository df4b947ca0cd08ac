"""Snapshots of live models: Keras's own saving functions, called with a store that records what they save.

So Keras decides what is saved, and under which names, custom layers included (`_save_state`, `_save_model_to_fileobj`,
keras/src/saving/saving_lib.py; `save_model_to_hdf5`, keras/src/legacy/saving/legacy_h5_format.py; 3.15).
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.legacy.saving import json_utils, legacy_h5_format, saving_options, saving_utils
from keras.src.saving import saving_lib

from ckpttool.callbacks.names import Container
from ckpttool.checkpoint import Section, Weight
from ckpttool.errors import UnsupportedError
from ckpttool.formats.write import archive, path_layout
from ckpttool.formats.write.block_copy import copy, silent
from ckpttool.formats.write.hdf5 import layout
from ckpttool.formats.write.legacy import names_attributes
from ckpttool.formats.write.messages import Attribute, Attributes
from ckpttool.io import dtypes
from ckpttool.io.replacement import replacing
from ckpttool.paths import join_path


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of a file before it is written. `trained` are the paths of the trainable weights."""

    container: Container
    weights: Mapping[str, Weight]
    trained: frozenset[str]
    names: Mapping[str, str | None] = field(default_factory=dict)
    attributes: Mapping[str, Attributes] = field(default_factory=dict)
    config: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the file, durably."""
        content = path_layout.Content(self.weights, self.names)
        if self.container is Container.ARCHIVE:
            archive.write_archive(path, archive.Model(self.config, self.metadata, content, self.assets))
        elif self.container is Container.WEIGHTS:
            path_layout.write_file(path, content)
        else:
            file_layout = layout(self.weights, self.attributes)
            with replacing(path) as file:
                copy(file_layout.blocks(), file, silent)


class Buffers:
    """Memory for copies of a model's values, which each new copy uses again."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def copy_of(self, path: str, values: np.ndarray) -> np.ndarray:
        """A copy of the values at a path, in the memory of the copy before it."""
        buffer = self._arrays.get(path)
        if buffer is None or buffer.shape != values.shape or buffer.dtype != values.dtype:
            buffer = self._arrays[path] = np.empty_like(values, order="C")
        np.copyto(buffer, values)
        return buffer


def snapshot_of(model: Any, container: Container, buffers: Buffers | None = None) -> Snapshot:
    """The snapshot of a model as Keras would save it.

    With `buffers`, its values are copied now; without, they are those of the model at the time when they are read.
    Raises UnsupportedError where something is saved that only Keras itself can write.
    """
    recorder = _Recorder(buffers)
    if container in (Container.LEGACY_MODEL, Container.LEGACY_WEIGHTS):
        return _legacy(model, container, recorder)
    if container is Container.WEIGHTS:
        _walk(model, recorder, None)
        return _of_paths(container, recorder)
    config, metadata = map(json.loads, saving_lib._serialize_model_as_json(model))
    assets = saving_lib.DiskIOStore(archive.ASSETS, mode="w")
    try:
        _walk(model, recorder, assets)
        files = dict(_files(Path(assets.working_dir)))
    finally:
        assets.close()
    return _of_paths(container, recorder, config=config, metadata=metadata, assets=files)


def _of_paths(container: Container, recorder: "_Recorder", **documents: Any) -> Snapshot:
    return Snapshot(container, recorder.weights, frozenset(recorder.trained), recorder.names, **documents)


def _walk(model: Any, recorder: "_Recorder", assets: Any) -> None:
    saving_lib._save_state(model, _Store(recorder), assets, "", set())


def _files(directory: Path) -> Iterator[tuple[str, bytes]]:
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder) / name
            yield path.relative_to(directory).as_posix(), path.read_bytes()


class _Recorder:
    """The weights that Keras has saved into a store, by their paths."""

    def __init__(self, buffers: Buffers | None) -> None:
        self.buffers = buffers
        self.weights: dict[str, Weight] = {}
        self.names: dict[str, str | None] = {}
        self.trained: set[str] = set()

    def add(self, path: str, value: Any, trained: bool) -> None:
        """Add a variable or an array."""
        if path in self.weights:
            raise UnsupportedError("two weights of one name", where=path)
        source = value if isinstance(value, keras.Variable) else _array(value)
        if self.buffers is not None:
            source = self.buffers.copy_of(path, _array(value))
        dtype = _dtype(source, path)
        shape = tuple(map(int, source.shape))
        nbytes = int(np.prod(shape, dtype=np.int64)) * (dtypes.itemsize(dtype) or 0)
        self.weights[path] = Weight(path, shape, dtype, nbytes, Section.MODEL, values=_Values(source))
        if trained:
            self.trained.add(path)


def _array(value: Any) -> np.ndarray:
    """The values of a variable or an array: a view of the model's own memory where the backend has one, else a copy.
    Keras's `convert_to_numpy` always copies."""
    if keras.backend.backend() == "torch":  # which gives no view of values that have a gradient
        values: np.ndarray = keras.ops.convert_to_numpy(value)
        return values
    source = value.value if isinstance(value, keras.Variable) else value
    return np.asarray(source.read_value() if hasattr(source, "read_value") else source)  # a variable of TensorFlow


def _dtype(source: Any, path: str) -> str:
    """Keras's name of a dtype. Raises UnsupportedError for values that are no numbers."""
    try:
        name = str(keras.backend.standardize_dtype(source.dtype))
    except ValueError:
        name = str(source.dtype)
    if dtypes.itemsize(name) is None:
        raise UnsupportedError(f"values of type {name} cannot be written", where=path)
    return name


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a variable, at the time when they are read, or of an array."""

    source: Any

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, in pieces of `limit` bytes."""
        raw = self._raw()
        for start in range(0, len(raw), limit):
            yield raw[start : start + limit]

    def part(self, start: int, stop: int) -> None:
        """None: the values can only be read as a whole."""

    def _raw(self) -> memoryview:
        array = np.ascontiguousarray(_array(self.source))
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        return array.reshape(-1).view(np.uint8).data


class _Store(saving_lib.H5IOStore):  # type: ignore[misc]
    """A store for Keras's saving functions that records the variables instead of writing them."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder, self._group = recorder, ""
        self.mode, self.archive = "w", None

    def __bool__(self) -> bool:
        return True

    def make(self, path: str, metadata: Mapping[str, str] | None = None) -> "_Store":
        """The store for the variables of the object at a path."""
        self._group = f"{path}/vars" if path else "vars"
        self._recorder.names[path] = metadata["name"] if metadata else None
        return self

    def close(self) -> None:
        """Do nothing: there is no file to close."""

    def __setitem__(self, key: str, value: Any) -> None:
        self._recorder.add(f"{self._group}/{key}", value, bool(getattr(value, "trainable", False)))

    def __getitem__(self, key: str) -> Any:
        return self._recorder.weights[f"{self._group}/{key}"].read()

    def __delitem__(self, key: str) -> None:
        del self._recorder.weights[f"{self._group}/{key}"]

    def __contains__(self, key: object) -> bool:
        return f"{self._group}/{key}" in self._recorder.weights

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> list[str]:
        """The names of the variables that were saved for the object."""
        prefix = f"{self._group}/"
        return [path.removeprefix(prefix) for path in self._recorder.weights if path.startswith(prefix)]


def _legacy(model: Any, container: Container, recorder: _Recorder) -> Snapshot:
    file = _LegacyFile(recorder, frozenset(str(variable.path) for variable in model.trainable_variables))
    if container is Container.LEGACY_WEIGHTS:
        file.add_layers("", model)
    else:
        with saving_options.keras_option_scope(use_legacy_config=True):
            file.attributes[""] = {
                name: _attribute(value) for name, value in saving_utils.model_metadata(model).items()
            }
        file.add_layers("model_weights", model)
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None and optimizer.variables:
            file.add_group("optimizer_weights", optimizer.variables)
    return Snapshot(container, recorder.weights, frozenset(recorder.trained), attributes=file.attributes)


def _attribute(value: Any) -> Attribute:
    is_config = isinstance(value, dict | list | tuple)
    attribute: Attribute = json.dumps(value, default=json_utils.get_json_type).encode() if is_config else value
    return attribute


@dataclass(frozen=True, slots=True)
class _LegacyFile:
    """The groups of a legacy file, in the order and under the names that Keras gives them.

    This does what Keras's functions do, which would copy all values at once (`save_weights_to_hdf5_group`,
    `save_subset_weights_to_hdf5_group`, `save_optimizer_weights_to_hdf5_group`,
    keras/src/legacy/saving/legacy_h5_format.py, 3.15).
    """

    recorder: _Recorder
    trained: frozenset[str]
    attributes: dict[str, Attributes] = field(default_factory=dict)

    def add_layers(self, path: str, model: Any) -> None:
        """Add the group of a model, with one for each of its layers and one for weights of the model itself."""
        self.attributes[path] = {
            **names_attributes("layer_names", [layer.name for layer in model.layers]),
            "backend": keras.backend.backend().encode(),
            "keras_version": keras.__version__.encode(),
        }
        for layer in sorted(model.layers, key=lambda layer: str(layer.name)):
            self.add_group(join_path(path, layer.name), legacy_h5_format._legacy_weights(layer))
        weights = {id(weight) for weight in model.weights}
        own = [*model._trainable_variables, *model._non_trainable_variables]
        self.add_group(join_path(path, "top_level_model_weights"), [weight for weight in own if id(weight) in weights])

    def add_group(self, path: str, variables: Sequence[Any]) -> None:
        """Add a group that lists its weights."""
        if path in self.attributes:
            raise UnsupportedError("two layers of one name", where=path)
        names = [str(variable.path) for variable in variables]
        self.attributes[path] = names_attributes("weight_names", names)
        for name, variable in zip(names, variables, strict=True):
            self.recorder.add(f"{path}/{name}", variable, name in self.trained)
