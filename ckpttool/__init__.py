"""ckpttool: opens any Keras checkpoint, without TensorFlow, and says what is in it.

with ckpttool.open("model.keras") as checkpoint:
    for path, weight in checkpoint.items():
        print(path, weight.shape, weight.dtype)
"""

from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
from ckpttool.errors import (
    CheckpointError,
    CorruptFileError,
    FileAccessError,
    UnknownFormatError,
    UnsafeFileError,
    UnsupportedError,
    WeightNotFoundError,
)
from ckpttool.formats import open_checkpoint as open

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CorruptFileError",
    "FileAccessError",
    "Producer",
    "Refusal",
    "Section",
    "UnknownFormatError",
    "UnsafeFileError",
    "UnsupportedError",
    "Weight",
    "WeightNotFoundError",
    "open",
]
