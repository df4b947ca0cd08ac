"""The error for a JSON file that is no checkpoint: its kind follows from the keys of its outermost object."""

import re
from typing import NamedTuple

from ckpttool.errors import CheckpointError, UnknownFormatError
from ckpttool.io import json_text
from ckpttool.io.sources import Source

_READ = 4 << 20  # bytes up to which a file is parsed; of a larger one the keys are looked for in the text
_KEY = re.compile(r'"([^"\\]{1,64})"\s*:')


class _Document(NamedTuple):
    """A kind of JSON file: keys that all have to be there, what it is called, and what to do."""

    keys: frozenset[str]
    description: str
    hint: str


WEIGHTS_HINT = "name the file of the weights, often .weights.h5 or .h5 beside it"
_OF_MODELS = (
    _Document(frozenset({"class_name", "config"}), "the architecture of a model, not a checkpoint", WEIGHTS_HINT),
    _Document(
        frozenset({"class_mode", "layers", "loss"}),
        "the architecture of a model of Keras 0, not a checkpoint",
        WEIGHTS_HINT,
    ),
    _Document(frozenset({"slots", "schema", "layers"}), "a spec of a model, not a checkpoint", WEIGHTS_HINT),
)
_OTHERS = (
    _Document(
        frozenset({"modelTopology", "weightsManifest"}),
        "the model.json of a TensorFlow.js model",
        "bring it into Keras first, with tensorflowjs_converter --input_format tfjs_layers_model",
    ),
    _Document(frozenset({"weightsManifest"}), "the index of TensorFlow.js weights", "name a checkpoint of Keras"),
    _Document(
        frozenset({"keras_version", "date_saved"}),
        "the metadata.json of an unzipped .keras",
        "name the directory that it is in",
    ),
    _Document(
        frozenset({"model_type", "transformers_version"}),
        "the config of a model of Hugging Face transformers",
        "name the file of its weights, if these are of Keras: tf_model.h5",
    ),
    _Document(
        frozenset({"architectures", "model_type"}),
        "the config of a model of Hugging Face transformers",
        "name the file of its weights, if these are of Keras: tf_model.h5",
    ),
    _Document(
        frozenset({"metadata", "weight_map"}),
        "the index of sharded weights, but of no layers of Keras",
        "name the .weights.json that Keras wrote",
    ),
    _Document(frozenset({"cells", "nbformat"}), "a Jupyter notebook", "run it, and name the file that it saves"),
    _Document(frozenset({"name", "version", "dependencies"}), "a package.json of npm", "name a checkpoint of Keras"),
    _Document(frozenset({"name", "version", "scripts"}), "a package.json of npm", "name a checkpoint of Keras"),
    _Document(frozenset({"files", "schema"}), "a manifest of ckpttool", "name its directory, or a file in that"),
)


def describe_json(source: Source, start: str) -> CheckpointError:
    """The error that names what a JSON file is; `start` is how it begins."""
    known = _known(source)
    if known is not None:
        return _error(known)
    return UnknownFormatError(
        "is JSON, but no index of sharded weights and no architecture",
        expected="a checkpoint of Keras, or the config of a model",
        found=repr(start[:60]),
    )


def describe_other_json(source: Source) -> CheckpointError | None:
    """The error that names a JSON file of another program; None for one that may describe a model."""
    known = _known(source)
    return None if known is None or known in _OF_MODELS else _error(known)


def _known(source: Source) -> _Document | None:
    keys = _keys(source)
    return next((document for document in (*_OF_MODELS, *_OTHERS) if document.keys <= keys), None)


def _error(document: _Document) -> CheckpointError:
    return UnknownFormatError(f"is {document.description}", expected="a checkpoint of Keras", hint=document.hint)


def _keys(source: Source) -> set[str]:
    """The keys of the outermost object, or all in the first megabytes where the text is too large or broken."""
    raw = source.read(0, min(source.size, _READ))
    try:
        value = json_text.parse(raw, "the file").value
    except CheckpointError:
        return set(_KEY.findall(raw.decode("utf-8", "replace")))
    return {key for key in value if isinstance(key, str)} if isinstance(value, dict) else set()
