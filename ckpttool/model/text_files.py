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


def parsed(raw: bytes) -> Any:
    """The value of a text in JSON, or else in YAML."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b'"') or b"\0" in raw[:8]:
        budget = Budget(len(raw), _TIMES * LEAST_STEPS)
        return json_text.parse_unambiguous(raw, "the architecture", budget)
    return yaml_text.parse(raw, "the architecture")
