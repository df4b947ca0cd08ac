"""Text files of an architecture or a spec alone, in JSON or YAML."""

import os
from typing import TYPE_CHECKING, Any

from ckpttool.errors import CheckpointError, UnknownFormatError
from ckpttool.io import json_text, yaml_text
from ckpttool.io.budget import LEAST_STEPS, Budget
from ckpttool.io.sources import FileSource
from ckpttool.model.config import Architecture, read_architecture

if TYPE_CHECKING:
    from ckpttool.model.spec import Spec

_SEARCHED = 4 << 20  # bytes at the start of a text that are searched for the keys of an architecture or a spec
_KEYS = (b"class_name", b"ckpttool.spec/", b"c\0l\0a\0s\0s\0_\0n\0a\0m\0e\0", b'"layers"', b"layers:")
_TIMES = 4  # the budget of a config by itself against that in a checkpoint: it has no weights to be matched


def architecture_of_text(path: str | os.PathLike[str]) -> Architecture:
    """The architecture in a JSON or YAML file. Raises CheckpointError where it has none."""
    try:
        return architecture_in(value_in(path))
    except CheckpointError as error:
        raise error.at(path=os.fspath(path)) from error.__cause__


def spec_of_text(path: str | os.PathLike[str]) -> "Spec":
    """The spec in a file, or the spec of the architecture in it. Raises CheckpointError where it has neither."""
    from ckpttool.model.spec import from_json, is_spec, spec_of  # which brings the table of layers

    try:
        value = value_in(path)
        return from_json(value) if is_spec(value) else spec_of(architecture_in(value))
    except CheckpointError as error:
        raise error.at(path=os.fspath(path)) from error.__cause__


def architecture_in(value: Any) -> Architecture:
    """The architecture in the value of a JSON or YAML file. Raises UnknownFormatError where it has none."""
    architecture = read_architecture(value)
    if architecture is None or not architecture.layers:
        from ckpttool.model.spec import is_spec  # which brings the table of layers

        if is_spec(value):
            raise UnknownFormatError(
                "is a spec, which lists weights and no connections between layers",
                expected="the config of a model with layers, JSON or YAML",
                hint="name the whole model or its architecture",
            )
        raise UnknownFormatError("describes no model", expected="the config of a model with layers, JSON or YAML")
    return architecture


def value_in(path: str | os.PathLike[str]) -> Any:
    """The value of a file in JSON or YAML."""
    with FileSource(path) as source:
        return parsed(json_text.read_whole(source, "the architecture"))


def is_text_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a text does. Raises CheckpointError where it cannot be read; a prefix of a checkpoint
    of TensorFlow is the name of no file."""
    if os.path.isdir(path) or os.path.isfile(f"{os.fspath(path)}.index"):
        return False
    with FileSource(path) as source:
        return is_text(source.read(0, min(source.size, 512)))


def is_text(start: bytes) -> bool:
    """Whether the start of a file is that of a text: no byte is zero, unless it is JSON in UTF-16 or UTF-32."""
    return b"\0" not in start or start[:8].lstrip(b"\xff\xfe\0")[:1] in (b"{", b"[")


def parsed(raw: bytes) -> Any:
    """The value of a text in JSON, or else in YAML."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b'"') or b"\0" in raw[:8]:
        budget = Budget(len(raw), _TIMES * LEAST_STEPS)
        return json_text.parse_unambiguous(raw, "the architecture", budget)
    return yaml_text.parse(raw, "the architecture")


def text_size(path: str | os.PathLike[str]) -> int | None:
    """The size in bytes of a file that may be the text of an architecture or a spec; None for any other file."""
    if os.path.isdir(path) or os.fspath(path).lower().endswith("weights.json"):
        return None
    try:
        with FileSource(path) as source:
            start = source.read(0, min(source.size, _SEARCHED))
            return source.size if is_text(start) and any(key in start for key in _KEYS) else None
    except CheckpointError:
        return None
