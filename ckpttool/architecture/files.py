"""Architectures from files that hold nothing else: `model.to_json()` and `model.to_yaml()` of any Keras."""

import os
from typing import Any

from ckpttool import jsontext, yamltext
from ckpttool.architecture.config import Architecture, read_architecture
from ckpttool.errors import CheckpointError, UnknownFormatError
from ckpttool.files import FileSource


def architecture_of_text(path: str | os.PathLike[str]) -> Architecture:
    """The architecture that a JSON or YAML file describes; raises where it is none."""
    source = FileSource(path)
    try:
        if source.size > jsontext.MAX_BYTES:
            raise jsontext.too_large("the architecture", source.size)
        raw = source.read(0, source.size)
        found = read_architecture(parsed(raw))
        if found is None or not found.layers:
            raise UnknownFormatError("describes no model", expected="the config of a model with layers, JSON or YAML")
        return found
    except CheckpointError as error:
        raise error.at(path=os.fspath(path)) from error.__cause__
    finally:
        source.close()


def parsed(raw: bytes) -> Any:
    """The value of a text in JSON, or else in YAML."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b'"') or b"\0" in raw[:8]:
        return jsontext.parse(raw, "the architecture").value
    return yamltext.parse(raw, "the architecture")
