"""The error for a directory that is no checkpoint, which names what it is by the names of its files."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ckpttool.errors import CheckpointError, FileAccessError, UnknownFormatError, UnsupportedError
from ckpttool.formats import foreign
from ckpttool.formats.tensorflow.places import is_shard, prefix_of
from ckpttool.formats.tensorflow.state_file import INDEX, missing_newest

_MOST = 10_000  # names in a directory that are looked at


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
    names = frozenset(entry.name for entry in islice(path.iterdir(), _MOST))
    known = next((error for test in _TESTS if (error := test(path, names))), None)
    return known or FileAccessError(
        "holds no checkpoint",
        expected=".keras, .weights.h5, .weights.json, .h5, .hdf5 or .index files in it",
        hint="name a directory further down; they are not searched",
    )


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
        found=", ".join(sorted(names)[:5]),
        hint="copy the whole directory; ckpttool ls of its `variables` lists the weights",
    )


def _without_index(_path: Path, names: Collection[str]) -> CheckpointError | None:
    """The values of a checkpoint of TensorFlow without its index."""
    shards = sorted(name for name in names if is_shard(name))
    if not shards:
        return None
    return FileAccessError(
        "has the values of a TensorFlow checkpoint, but not its index",
        expected=f"{prefix_of(shards[0])}{INDEX} in it",
        found=", ".join(shards[:3]),
        hint="copy all files of the checkpoint",
    )


def _tensorflow_js(_path: Path, names: Collection[str]) -> CheckpointError | None:
    if "model.json" not in names or not any(name.endswith(".bin") for name in names):
        return None
    return UnsupportedError(
        "is a TensorFlow.js model",
        hint="bring it into Keras first, with tensorflowjs_converter --input_format tfjs_layers_model",
    )


def _of_another_program(_path: Path, names: Collection[str]) -> CheckpointError | None:
    kind = next((kind for kind in _KINDS if not kind.names.isdisjoint(names)), None)
    return UnsupportedError(kind.description, hint=kind.hint) if kind else None


_TESTS: tuple[Callable[[Path, Collection[str]], CheckpointError | None], ...] = (
    _other_saved_model,
    _several,
    _without_graph,
    _without_index,
    _tensorflow_js,
    _of_another_program,
)
