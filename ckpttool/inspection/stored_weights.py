"""The weights of a model as a file stores them: their bytes by dtype, and what they take of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.escape import brief


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """The weights of a model as a file stores them.

    `by_dtype` are the bytes of their values by the dtype in which they are stored. `in_file` is what they take of the
    file, where they may be compressed, in bytes; None where it cannot be told.
    """

    by_dtype: Mapping[str, int]
    in_file: int | None

    __repr__ = brief

    @property
    def nbytes(self) -> int:
        """The bytes of all values."""
        return sum(self.by_dtype.values())


def stored_weights(checkpoint: Checkpoint) -> StoredWeights | None:
    """The weights of the model as a checkpoint stores them, None where it stores none; reads no array."""
    weights = checkpoint.section(Section.MODEL)
    by_dtype: dict[str, int] = {}
    for weight in weights:
        by_dtype[weight.dtype] = by_dtype.get(weight.dtype, 0) + weight.nbytes
    sizes = [weight.stored_nbytes for weight in weights]
    in_file = None if None in sizes else sum(size or 0 for size in sizes)
    return StoredWeights(by_dtype, in_file) if weights else None
