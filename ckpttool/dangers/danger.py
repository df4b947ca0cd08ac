"""One dangerous thing in a config: of which kind it is, where it stands, and what it is."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Kinds of dangerous things. All but a `CUSTOM_OBJECT`, which is somebody's own class or function, run code or open
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


@dataclass(frozen=True, slots=True)
class Danger:
    """A dangerous thing at one place of a config; `detail` says what is there."""

    kind: Kind
    place: str
    detail: str
