"""A danger in a config: its kind, its place, and a description."""

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """The kinds of dangers. All but a `CUSTOM_OBJECT`, which is somebody's own class or function, run code or open
    files that the config names."""

    LAMBDA_CODE = "lambda-code"
    TORCH_MODULE = "torch-module"
    BYTES = "bytes"
    UNSAFE_CALLABLE = "unsafe-callable"
    DISGUISED = "disguised"
    CUSTOM_OBJECT = "custom-object"
    SAVED_MODEL = "saved-model"
    OPENED_FILE = "opened-file"
    PATH = "path"


class Danger(NamedTuple):
    """A danger at one place of a config; `detail` describes the value there."""

    kind: Kind
    place: str
    detail: str
