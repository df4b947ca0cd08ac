"""The format `saved-model`: a directory of `saved_model.pb`, `variables/`, `assets/` and, by tf.keras, Keras's own
metadata.

The weights are a checkpoint of TensorFlow, `variables/variables`, or beside the graph where a web upload flattened the
directory. Graphs are never run.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ckpttool.checkpoint import Checkpoint, Refusal
from ckpttool.errors import CheckpointError, CorruptFileError
from ckpttool.formats import foreign
from ckpttool.formats.builder import Parts
from ckpttool.formats.tensorflow import keras_metadata, places
from ckpttool.formats.tensorflow.checkpoint import add_bundle
from ckpttool.formats.tensorflow.graphs import Graphs, read_graphs, read_metadata
from ckpttool.io.budget import Budget
from ckpttool.io.sources import FileSource
from ckpttool.saved_model import KerasObject, SavedModel

VARIABLES = "variables/variables.index"
FLATTENED = "variables.index"
WHOLE_CONFIG = "assets/saved_model.json"
_MAX_FILES = 10_000


def read(directory: Path) -> Checkpoint:
    """The SavedModel in a directory."""
    sizes = dict(_sizes(directory))
    with Parts(Budget(sizes.get(places.GRAPH, 0)), files=list(sizes)) as parts:
        graphs = _graphs(parts, directory / places.GRAPH)
        parts.producer = replace(parts.producer, tensorflow_version=graphs.tensorflow_version)
        metadata = _metadata(parts, directory / places.KERAS_METADATA)
        config_file = _add_config(parts, directory, graphs, metadata)
        parts.saved_model = SavedModel(
            tensorflow_version=graphs.tensorflow_version,
            tags=tuple(graphs.tags),
            signatures=tuple(graphs.signatures.values()),
            variables=graphs.variables,
            functions=graphs.functions,
            assets=tuple(graphs.assets),
            config_file=config_file,
            objects=graphs.objects,
            keras_objects=(*metadata, *graphs.keras_objects),
            tables=graphs.tables,
            variable_types=graphs.variable_types,
        )
        _add_variables(parts, directory, graphs)
        if not graphs.variables and not parts.weights and not parts.refusals:
            parts.notes.append("a graph without variables: it has no weights; `ckpttool info` shows what it takes")
        _refuse_absent_assets(parts, graphs, sizes)
    return parts.checkpoint(directory, "saved-model", sum(sizes.values()))


def _sizes(directory: Path) -> Iterator[tuple[str, int]]:
    """The files of a SavedModel, relative to it, with their sizes; links to directories are not followed."""
    count = 0
    for at, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = Path(at) / name
            count += 1
            if count > _MAX_FILES:
                return
            yield path.relative_to(directory).as_posix(), path.lstat().st_size


def _graphs(parts: Parts, path: Path) -> Graphs:
    with FileSource(path, parts.budget) as source:
        pointer = foreign.lfs_pointer(source)
        if pointer is not None:
            raise pointer.at(where=path.name)
        try:
            return read_graphs(source)
        except CorruptFileError as error:
            raise (foreign.instead_of_protobuf(source) or error).at(where=path.name) from error


def _add_config(parts: Parts, directory: Path, graphs: Graphs, metadata: list[KerasObject]) -> str:
    """Add the config of Keras from the first place that has one; the place."""
    if (directory / places.KERAS_METADATA).is_file():
        return keras_metadata.add_config(parts, metadata, places.KERAS_METADATA)
    whole = directory / WHOLE_CONFIG
    if whole.is_file():
        parts.budget.grow(whole.stat().st_size)
        raw = parts.small_file(whole)
        return keras_metadata.add_whole_config(parts, raw, WHOLE_CONFIG) if raw is not None else ""
    return keras_metadata.add_config(parts, graphs.keras_objects, places.GRAPH)


def _metadata(parts: Parts, path: Path) -> list[KerasObject]:
    """The objects in Keras's metadata; none where there is no such file, or it cannot be read, which is refused."""
    if not path.is_file():
        return []
    try:
        with FileSource(path, parts.budget) as source:
            parts.budget.grow(source.size)
            pointer = foreign.lfs_pointer(source)
            if pointer is not None:
                raise pointer
            return read_metadata(source)
    except CheckpointError as error:
        parts.refusals.append(Refusal.from_error(error, path.name))
        return []


def _add_variables(parts: Parts, directory: Path, graphs: Graphs) -> None:
    """Add the weights. A graph without variables has none."""
    index = next((directory / name for name in (VARIABLES, FLATTENED) if (directory / name).is_file()), None)
    if index is None:
        if graphs.variables:
            other = places.renamed((directory / VARIABLES).parent, Path(VARIABLES).name)
            hint = f"{other} beside it looks like it: rename it" if other else "copy the folder `variables`, too"
            detail = f"the values of the graph's {graphs.variables:,} variables are not there; {hint}"
            parts.refuse("missing", VARIABLES, detail)
        return
    if index.name == FLATTENED and index.parent == directory:
        parts.notes.append("its weights lie beside the graph, where TensorFlow does not look: move them to variables/")
    place = index.relative_to(directory).as_posix()
    source = FileSource(index, parts.budget)
    parts.closers.append(source.close)
    parts.budget.grow(source.size)
    pointer = foreign.lfs_pointer(source)
    if pointer is not None:
        parts.refusals.append(Refusal.from_error(pointer, place))
        return
    files = list(parts.files)
    try:
        add_bundle(parts, source)
    except CheckpointError as error:
        raise (foreign.instead_of_protobuf(source) or error).at(where=place) from error.__cause__
    parts.files = files  # which has the shards already, with their folder


def _refuse_absent_assets(parts: Parts, graphs: Graphs, sizes: dict[str, int]) -> None:
    """Refuse assets that are not there, or that would be looked for outside."""
    for name in dict.fromkeys(graphs.assets):
        if name.startswith(("/", "\\")) or ":" in name or ".." in name.replace("\\", "/").split("/"):
            parts.refuse("external", name, "an asset that leads out of the SavedModel; nothing is read there")
        elif f"assets/{name}" not in sizes:
            parts.refuse("missing", f"assets/{name}", "an asset that the graph reads, and that is not there")
