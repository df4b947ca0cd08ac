"""Weights put together from the arrays of a legacy file: gates joined, axes in the order of Keras 3, Theano's kernels
turned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.alignment.alignment import Aligned, Stored
from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.errors import UnsupportedError
from ckpttool.io import dtypes
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.keras1_weight_forms import Form

if TYPE_CHECKING:
    import numpy as np


def is_reversed(checkpoint: Checkpoint, generation: Generation | None) -> bool:
    """Whether the kernels of a checkpoint are those of Theano, which convolves where other backends correlate.

    Files of Keras 1 and 2 show their backend in an attribute or in their names. Files of Keras 0 do not; Theano is
    assumed, the only backend when most of them were written.
    """
    producer = checkpoint.producer
    backend = producer.backend or producer.inferred_backend
    return backend == "theano" or (backend is None and generation is Generation.KERAS_0)


def weight_of(aligned: Aligned, reversed_kernels: bool) -> Weight:
    """The weight of a slot in the form of Keras 3; `reversed_kernels` says whether the checkpoint's kernels are
    Theano's.

    The stored weight itself where it has that form; else a weight whose `values` are put together when they are read.
    """
    first = aligned.stored[0]
    if len(aligned.stored) == 1 and not _turns(first, reversed_kernels):
        return first.weight  # nothing to do, so that a large weight is read block by block
    shape = _shape(aligned)
    item = dtypes.itemsize(first.weight.dtype)
    if item is None:
        raise UnsupportedError(f"values of type {first.weight.dtype} cannot be read", where=first.weight.path)
    values = _Assembled(aligned.stored, shape, item, reversed_kernels)
    return replace(first.weight, shape=shape, nbytes=math.prod(shape) * item, big_endian=False, values=values)


def _turns(stored: Stored, reversed_kernels: bool) -> bool:
    """Whether a stored array has other axes than its slot, or is reversed along them."""
    return not _form(stored).is_current or (reversed_kernels and stored.slot is not None and stored.slot.spatial > 0)


def _form(stored: Stored) -> Form:
    """The form in which an array is stored; the form of Keras 3 where no other is known."""
    form = stored.slot.form_of(stored.weight.shape) if stored.slot else None
    return form or Form(stored.weight.shape)


def _shape(aligned: Aligned) -> tuple[int, ...]:
    """The shape of the whole weight, from the shapes of its parts, which are joined along the last axis."""
    parts = [_form(stored).turned(stored.weight.shape) for stored in aligned.stored]
    return (*parts[0][:-1], sum(part[-1] for part in parts)) if len(parts) > 1 else parts[0]


class _Assembled(NamedTuple):
    """The values of a weight that is stored in parts or in another form; put together in memory."""

    stored: Sequence[Stored]
    shape: tuple[int, ...]
    item: int
    reversed_kernels: bool

    def pieces(self, limit: int) -> Iterator[memoryview]:
        """All bytes in C order, every value little-endian, in pieces of `limit` bytes."""
        import numpy as np

        gates = sorted(self.stored, key=lambda stored: stored.slot.gate if stored.slot else 0)
        parts = [self._part(stored) for stored in gates]
        whole = np.ascontiguousarray(np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0])
        raw = memoryview(whole.reshape(-1).view(np.uint8).data)
        for start in range(0, len(raw), limit):
            yield raw[start : start + limit]

    def part(self, start: int, stop: int) -> None:
        """None, which says that no part can be read alone: a part takes as much work as the whole."""

    def _part(self, stored: Stored) -> np.ndarray:
        import numpy as np

        raw = b"".join(bytes(block) for block in stored.weight.stored_blocks())
        array = np.frombuffer(raw, f"V{self.item}").reshape(stored.weight.shape)  # of any dtype, as bytes only move
        form = _form(stored)
        array = (array.transpose(form.axes) if form.axes else array).reshape(form.turned(array.shape))
        return np.flip(array, tuple(range(stored.slot.spatial))) if self.reversed_kernels and stored.slot else array
