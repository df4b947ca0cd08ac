"""Files that hold an architecture or a spec and nothing else, in JSON or YAML."""

import os
from typing import Any

from ckpttool.errors import CheckpointError, UnknownFormatError
from ckpttool.io import json_text, yaml_text
from ckpttool.io.budget import LEAST_STEPS, Budget
from ckpttool.io.sources import FileSource
from ckpttool.model.config import Architecture, read_architecture
from ckpttool.model.spec import Spec, from_json, is_spec, spec_of

_TIMES = 4  # what a config by itself may cost, against that in a checkpoint: no weights have to be found for it


def architecture_of_text(path: str | os.PathLike[str]) -> Architecture:
    """The architecture that a JSON or YAML file describes; raises where it is none."""
    try:
        return architecture_in(value_in(path))
    except CheckpointError as error:
        raise error.at(path=os.fspath(path)) from error.__cause__


def spec_of_text(path: str | os.PathLike[str]) -> Spec:
    """The spec that a file holds, or that follows from the architecture in it; raises where it is neither."""
    try:
        value = value_in(path)
        return from_json(value) if is_spec(value) else spec_of(architecture_in(value))
    except CheckpointError as error:
        raise error.at(path=os.fspath(path)) from error.__cause__


def architecture_in(value: Any) -> Architecture:
    """The architecture that the value of a JSON or YAML file describes. Raises UnknownFormatError where it is none."""
    found = read_architecture(value)
    if found is None or not found.layers:
        raise UnknownFormatError("describes no model", expected="the config of a model with layers, JSON or YAML")
    return found


def value_in(path: str | os.PathLike[str]) -> Any:
    """The value of a file in JSON or YAML."""
    source = FileSource(path)
    try:
        if source.size > json_text.MAX_BYTES:
            raise json_text.too_large("the architecture", source.size)
        return parsed(source.read(0, source.size))
    finally:
        source.close()


def parsed(raw: bytes) -> Any:
    """The value of a text in JSON, or else in YAML."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b'"') or b"\0" in raw[:8]:
        budget = Budget(len(raw), _TIMES * LEAST_STEPS)
        return json_text.parse_unambiguous(raw, "the architecture", budget)
    return yaml_text.parse(raw, "the architecture")
