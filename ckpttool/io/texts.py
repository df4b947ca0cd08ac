"""Texts that stand for a model among what a command is given: files that may describe one, and the name of a function
that builds one. Nothing has parsed or run them yet."""

import os
from typing import Any, TypeGuard

from ckpttool.errors import CheckpointError
from ckpttool.io.sources import FileSource

_SEARCHED = 4 << 20  # bytes at the start of a text that are searched for the keys of an architecture or a spec
_KEYS = (b"class_name", b"ckpttool.spec/", b"c\0l\0a\0s\0s\0_\0n\0a\0m\0e\0", b'"layers"', b"layers:")


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


def names_function(architecture: Any) -> TypeGuard[str]:
    """Whether an architecture is named as `package.module:function`, and no file of that name is there."""
    if not isinstance(architecture, str) or architecture.count(":") != 1:
        return False
    names = architecture.replace(":", ".").split(".")
    return all(map(str.isidentifier, names)) and not os.path.exists(architecture)


def text_size(path: str | os.PathLike[str]) -> int | None:
    """The size in bytes of a file that may be the text of an architecture or a spec; None for any other file."""
    if not os.path.isfile(path) or os.fspath(path).lower().endswith("weights.json"):
        return None
    try:
        with FileSource(path) as source:
            start = source.read(0, min(source.size, _SEARCHED))
            return source.size if is_text(start) and any(key in start for key in _KEYS) else None
    except CheckpointError:
        return None
