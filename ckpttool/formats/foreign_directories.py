"""The error for a directory that is no checkpoint, which names what it is by the names of its files."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ckpttool.errors import CheckpointError, FileAccessError, UnknownFormatError, UnsupportedError
from ckpttool.escape import first_of
from ckpttool.formats import foreign
from ckpttool.formats.tensorflow.places import KILLED, leftovers, prefix_of, renamed, without_additions
from ckpttool.formats.tensorflow.state_file import INDEX, file_of, missing_newest, read_state

_MOST = 10_000  # names in a directory that are looked at
_MOST_BELOW = 20  # directories in it that are
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of directory: its description, the names of which one has to be in it, and what to do."""

    description: str
    names: frozenset[str]
    hint: str


_READS = "ckpttool reads checkpoints of Keras"
_KINDS = (
    _Kind(
        "is a checkpoint of Orbax (JAX, Flax)",
        frozenset({"_CHECKPOINT_METADATA", "_METADATA", "manifest.ocdbt", "commit_success.txt"}),
        _READS,
    ),
    _Kind("is a checkpoint of PyTorch in parts", frozenset({".metadata", "mp_rank_00_model_states.pt"}), _READS),
    _Kind(
        "is a model of Hugging Face without weights of Keras",
        frozenset(
            {"pytorch_model.bin", "model.safetensors", "pytorch_model.bin.index.json", "model.safetensors.index.json"}
        ),
        _READS,
    ),
)


def describe(path: Path, inside: str) -> CheckpointError:
    """The error that names the kind of a directory that is no checkpoint; `inside` is the name of one in it, if any."""
    if inside:
        return FileAccessError(
            "is a directory, but no checkpoint",
            expected="config.json and model.weights.h5 in it",
            hint=f"name a checkpoint in it, such as {inside}; ckpttool ls lists all",
        )
    names = frozenset(_names_in(path))
    known = next((error for test in _TESTS if (error := test(path, names))), None)
    return known or FileAccessError(
        "holds no checkpoint",
        expected=".keras, .weights.h5, .weights.json, .h5, .hdf5 or .index files in it",
        found=_names(names),
        hint="name a directory further down; they are not searched",
    )


def _names(names: Collection[str]) -> str:
    """The first names, for a message."""
    return first_of(sorted(names), _SHOWN) or "nothing"


def _other_saved_model(_path: Path, names: Collection[str]) -> CheckpointError | None:
    return next(filter(None, map(foreign.other_saved_model, sorted(names))), None)


def _several(path: Path, names: Collection[str]) -> CheckpointError | None:
    """Several checkpoints of TensorFlow, of which none is the newest."""
    if not any(name.endswith(INDEX) for name in names):
        return None
    missing = missing_newest(path)
    why = f"of which the newest, {missing}, is missing" if missing else "of which none is said to be the newest"
    return UnknownFormatError(
        f"holds several checkpoints of TensorFlow, {why}",
        expected=f"{missing}{INDEX}" if missing else "a file `checkpoint` in it that names one",
        hint="name one of them; ckpttool ls lists all",
    )


def _without_graph(_path: Path, names: Collection[str]) -> CheckpointError | None:
    """A SavedModel whose graph was not copied."""
    if "variables" not in names and "keras_metadata.pb" not in names:
        return None
    return FileAccessError(
        "has parts of a TensorFlow SavedModel, but not its graph",
        expected="saved_model.pb in it",
        found=_names(names),
        hint="copy the whole directory; ckpttool ls of its `variables` lists the weights",
    )


def _without_index(path: Path, names: Collection[str]) -> CheckpointError | None:
    """Values or a graph of a checkpoint of TensorFlow without its index, which may have another name."""
    files = sorted(name for name in names if prefix_of(without_additions(name)))
    if not files:
        return None
    index = f"{prefix_of(without_additions(files[0]))}{INDEX}"
    other = renamed(path, index)
    return FileAccessError(
        "has parts of a TensorFlow checkpoint, but not its index",
        expected=f"{index} in it",
        found=_names(files),
        hint=f"rename {other} to {index}" if other else "copy all files of the checkpoint",
    )


def _killed(path: Path, _names: Collection[str]) -> CheckpointError | None:
    left = next(leftovers(path), None)
    if left is None:
        return None
    return FileAccessError(f"holds no checkpoint, only {KILLED}", found=left, hint="save again")


def _without_listed(path: Path, _names: Collection[str]) -> CheckpointError | None:
    """A state file whose checkpoints are not there, or are of the first format."""
    name = read_state(path).newest
    if not name:
        return None
    first = file_of(path, name)
    if first is not None:
        return UnsupportedError("holds TensorFlow checkpoints of the first format (V1)", found=first.name)
    return FileAccessError(
        "has the list of TensorFlow checkpoints, but none of them",
        expected=f"{name}{INDEX} in it",
        hint="copy all files of the checkpoint",
    )


def _tensorflow_js(_path: Path, names: Collection[str]) -> CheckpointError | None:
    if "model.json" not in names or not any(name.endswith(".bin") for name in names):
        return None
    return UnsupportedError(
        "is a TensorFlow.js model",
        hint="bring it into Keras first, with tensorflowjs_converter --input_format tfjs_layers_model",
    )


def _of_another_program(path: Path, names: Collection[str]) -> CheckpointError | None:
    """The error for a directory of another program, or for one that holds such a directory for each step."""
    folders = (path / name for name in sorted(names)[:_MOST_BELOW])
    below = (name for folder in folders if not folder.is_symlink() for name in _names_in(folder))
    kind = _kind(names) or _kind(frozenset(below))
    return UnsupportedError(kind.description, hint=kind.hint) if kind else None


def _kind(names: Collection[str]) -> _Kind | None:
    return next((kind for kind in _KINDS if not kind.names.isdisjoint(names)), None)


def _names_in(path: Path) -> list[str]:
    try:
        return [entry.name for entry in islice(path.iterdir(), _MOST)]
    except OSError:
        return []


_TESTS: tuple[Callable[[Path, Collection[str]], CheckpointError | None], ...] = (
    _other_saved_model,
    _several,
    _without_graph,
    _without_index,
    _without_listed,
    _killed,
    _tensorflow_js,
    _of_another_program,
)
