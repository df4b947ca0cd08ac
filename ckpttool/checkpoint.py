"""A checkpoint as read: its weights, its producer, its configs, and the refusals of the reader.

No array is read to make one. Readers report and do not interpret: all names are those of the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from ckpttool.errors import (
    CheckpointError,
    CorruptFileError,
    FileAccessError,
    UnsafeFileError,
    UnsupportedError,
    ambiguous,
    no_weight,
)
from ckpttool.escape import brief, brief_text
from ckpttool.io import dtypes
from ckpttool.io.facts import Facts
from ckpttool.kinds import FORMATS, Format
from ckpttool.notebook import Displayed

if TYPE_CHECKING:
    import numpy as np

    from ckpttool.object_graph import ObjectGraph
    from ckpttool.saved_model import SavedModel

BLOCK_BYTES = 1 << 20  # a block and what is computed from it stay within the caches


class Section(str, Enum):
    """The part of a checkpoint that a weight belongs to; the same split in every format."""

    MODEL = "model"
    OPTIMIZER = "optimizer"
    METRICS = "metrics"
    OTHER = "other"


class Values(Protocol):
    """The stored bytes of one weight."""

    def pieces(self, limit: int) -> Iterator[bytes | bytearray | memoryview]:
        """All bytes in C order, as stored, in pieces of exactly `limit` bytes and a last one that may be shorter.

        A piece is valid until the next one is asked for.
        """

    def part(self, start: int, stop: int) -> Values | None:
        """The bytes from `start` up to `stop` as values of their own, or None where bytes can only be read in order."""


class Texts(Protocol):
    """The values of a weight of texts, each of which is any bytes."""

    def elements(self) -> list[bytes]:
        """The texts in C order."""


class UnreadableValues(NamedTuple):
    """Values that cannot be read: every attempt raises the reason."""

    reason: CheckpointError

    def pieces(self, limit: int) -> Iterator[bytes]:
        """Raise the reason."""
        raise copy(self.reason)  # an error raised twice would grow a traceback of both

    def part(self, start: int, stop: int) -> UnreadableValues:
        """Raise the reason, before many parts are made of what is not there."""
        raise copy(self.reason)

    def stored_nbytes(self) -> None:
        """None: the number of bytes is not known."""


class Refusal(NamedTuple):
    """A part of a file that reading left alone, with the reason.

    `kind` is one of link, external, virtual, repeat, bomb, name, corrupt, missing, pointer, unfinished, unsupported,
    ambiguous, archive, program, pickle, foreign, nonstandard, extra.
    """

    kind: str
    place: str
    detail: str

    def __repr__(self) -> str:
        return brief(self)

    @classmethod
    def from_error(cls, error: CheckpointError, place: str = "") -> Refusal:
        """The refusal that an error amounts to when reading goes on without the part it concerns."""
        kinds = {UnsafeFileError: "bomb", UnsupportedError: "unsupported"}
        facts = [error.what]
        if error.expected:
            facts.append(f"expected {error.expected}")
        if error.found:
            facts.append(f"found {error.found}")
        return cls(error.kind or kinds.get(type(error), "corrupt"), place or error.where, ", ".join(facts))


@dataclass(frozen=True, slots=True, repr=False)
class Weight(Displayed):
    """One stored array. `path` is its place in the file and its key in the checkpoint.

    `layer` is the layer's name in the model (`dense_1`, inside a nested model `encoder/dense_1`) where the file stores
    it, `part` the names of the objects inside that layer down to the weight's owner (`forward_lstm/lstm_cell`), `name`
    the stored name of the weight (`dense/kernel:0`) where the layout has one. `dtype` is Keras's name of the dtype, or
    a description of the stored type where Keras has no such dtype.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    section: Section
    layer: str | None = None
    part: str = ""
    name: str | None = None
    big_endian: bool = False
    values: Values = field(default=None, compare=False)  # type: ignore[assignment]

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def stored_nbytes(self) -> int | None:
        """The number of bytes that the values take in the file, where they may be compressed; None where that is not
        known."""
        count = getattr(self.values, "stored_nbytes", None)  # which only values that may be compressed have
        return self.nbytes if count is None else count()

    @property
    def has_texts(self) -> bool:
        """Whether the values are texts, and `values` is `Texts`."""
        return hasattr(self.values, "elements")  # which takes a hundredth of the time of an `isinstance` of a protocol

    def __repr__(self) -> str:
        return f"<Weight {brief_text(self.path)} {self.shape} {self.dtype}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The values, for `numpy.asarray`; always read anew."""
        values = self.read()
        return values if dtype is None else values.astype(dtype, copy=False)

    def read(self) -> np.ndarray:
        """All values, in the weight's shape and native byte order; bfloat16 and float8 come as float32, exactly, and
        texts as objects that are bytes."""
        import numpy as np

        if self.has_texts:
            texts = np.empty(self.size, object)
            texts[:] = cast(Texts, self.values).elements()
            return texts.reshape(self.shape)
        if dtypes.itemsize(self.dtype) is None:
            raise self._unreadable()
        raw = _gathered(self.values, self.nbytes)
        return np.array(dtypes.values_of(raw, self.dtype, self.big_endian)).reshape(self.shape)

    def blocks(self, limit: int = BLOCK_BYTES) -> Iterator[np.ndarray]:
        """The values as flat arrays in C order, each of `limit` stored bytes at most: bounded memory at any size.

        Every weight of equal shape and dtype is cut at the same places. An array is valid until the next is asked for.
        """
        for piece in self._pieces(limit):
            yield dtypes.values_of(piece, self.dtype, self.big_endian)

    def stored_blocks(self, limit: int = BLOCK_BYTES) -> Iterator[bytes | bytearray | memoryview]:
        """The stored bytes in C order, every value little-endian, in blocks, as checksums need them."""
        if self.has_texts:
            yield from self.values.pieces(limit)
            return
        for piece in self._pieces(limit):
            yield dtypes.little_endian(piece, self.dtype, self.big_endian)

    def between(self, start: int, stop: int) -> Weight | None:
        """The values from number `start` up to `stop`, in C order, as a flat weight; several may be read at a time.

        None where the values can only be read in order.
        """
        item = dtypes.itemsize(self.dtype)
        if item is None:
            raise self._unreadable()
        values = self.values.part(start * item, stop * item)
        if values is None:
            return None
        return replace(self, shape=(stop - start,), nbytes=(stop - start) * item, values=values)

    def _pieces(self, limit: int) -> Iterator[bytes | bytearray | memoryview]:
        item = dtypes.itemsize(self.dtype)
        if item is None:
            raise self._unreadable()
        return self.values.pieces(max(item, limit // item * item))

    def _unreadable(self) -> UnsupportedError:
        return UnsupportedError(f"values of type {self.dtype} cannot be read", where=self.path)


def _gathered(values: Values, nbytes: int) -> bytearray:
    raw, at = bytearray(nbytes), 0
    for piece in values.pieces(BLOCK_BYTES):
        raw[at : at + len(piece)] = piece
        at += len(piece)
    if at != nbytes:
        raise CorruptFileError("fewer values are stored than declared", expected=f"{nbytes:,} bytes", found=f"{at:,}")
    return raw


@dataclass(frozen=True, slots=True)
class Producer:
    """The program that wrote a checkpoint, as far as is known: Keras, and for a SavedModel TensorFlow.

    `inferred_backend` and `generation` are inferred from names and layout; the file does not state them.
    """

    keras_version: str | None = None
    backend: str | None = None
    date_saved: str | None = None
    inferred_backend: str | None = None
    generation: str = ""
    tensorflow_version: str | None = None

    __repr__ = brief


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Checkpoint(Displayed, Mapping[str, Weight]):
    """An open checkpoint: a read-only mapping from stored path to `Weight`, in the file's natural order.

    `kind` is a key of `ckpttool.kinds.FORMATS`. `config` and `training_config` are those of the file, parsed; they
    are data and nothing in them is ever executed. What follows from them is worked out once, so that they are not to be
    changed. `layer_names` are the layers that the file lists itself, weightless ones included, `object_names` the names
    of objects by their paths, where the file stores them. `object_graph` is that of a file of TensorFlow, by which
    weights get their names, `saved_model` the further contents of a SavedModel. `refusals` are the parts of the file
    that were left alone.
    """

    path: Path
    kind: str
    size: int
    weights: Mapping[str, Weight]
    producer: Producer = Producer()
    config: Any = None
    training_config: Any = None
    layer_names: tuple[str, ...] = ()
    object_names: Mapping[str, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    check_bytes: Callable[[], None] | None = None
    object_graph: ObjectGraph | None = None
    saved_model: SavedModel | None = None
    release: Callable[[], None] | None = None
    facts: Facts = field(default_factory=Facts, init=False)

    def __getitem__(self, path: str) -> Weight:
        try:
            return self.weights[path]
        except KeyError:
            raise no_weight(f"no weight is stored as {path!r}", path, self.weights, str(self.path)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)

    def __contains__(self, path: object) -> bool:
        return path in self.weights

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        params = sum(weight.size for weight in self.section(Section.MODEL))
        return f"<{type(self).__name__} {self.path.name!r} {self.kind}: {len(self):,} weights, {params:,} parameters>"

    def close(self) -> None:
        """Close the file; the list of weights stays, but their values can no longer be read."""
        if self.release is not None:
            self.release()

    def section(self, section: Section) -> tuple[Weight, ...]:
        """The weights of one section, in order."""
        return tuple(weight for weight in self.weights.values() if weight.section is section)

    @property
    def format(self) -> Format:
        """The title of its kind, and what it holds."""
        return FORMATS[self.kind]

    @property
    def sections_inferred(self) -> bool:
        """Whether the sections are concluded from the names of the weights: TensorFlow 1 stored nothing else."""
        return self.format.is_of_tensorflow and self.object_graph is None and bool(self.weights)

    def require_one_view(self) -> None:
        """Raise UnsafeFileError where readers may see different contents in the file: no statement about it would be
        sure."""
        refusals = [refusal for refusal in self.refusals if refusal.kind == "ambiguous"]
        if refusals:
            more = f", and {len(refusals) - 1:,} more" if len(refusals) > 1 else ""
            error = ambiguous(
                "two readers see different things in it", refusals[0].place, f"{refusals[0].detail}{more}"
            )
            raise error.at(path=str(self.path))

    def require_intact(self) -> None:
        """Raise CorruptFileError where the bytes of all weights together are not those that were saved. They are read
        once, and only where the file has a checksum that was not compared when it was opened."""
        if self.check_bytes is not None:
            self.facts.once("intact", self.check_bytes)


__all__ = [
    "BLOCK_BYTES",
    "Checkpoint",
    "FileAccessError",
    "Producer",
    "Refusal",
    "Section",
    "UnreadableValues",
    "Values",
    "Weight",
]
