"""The scan of a weight's values for all rules about numbers: one pass, in bounded memory for any size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple, cast

from ckpttool.checkpoint import BLOCK_BYTES, Texts, Weight
from ckpttool.checks.numbers.bits import LAYOUTS, Bounds, Layout, bounds_of
from ckpttool.checks.subject import Progress
from ckpttool.errors import UnsupportedError
from ckpttool.io.dtypes import itemsize

_BLOCK = BLOCK_BYTES  # what four passes find in the caches
_RUN = 16 << 20  # bytes of a part for one thread; for smaller parts, threads cost more than they save
_THREADS = 2  # more of them would wait for each other


class Scan(NamedTuple):
    """The bounds of a weight's values, from one pass over them."""

    weight: Weight
    layout: Layout
    bounds: Bounds


MAX_TEXTS = 500_000
MAX_TEXT_BYTES = 16 << 20


def scan(weight: Weight, progress: Progress) -> Scan | None:
    """The bounds of a weight's values; None where it has no values, or texts. Raises CheckpointError.

    `progress` is called with the numbers of bytes that were read. Two threads read the parts of a large weight, as both
    reading and NumPy release the interpreter's lock.
    """
    if weight.has_texts:
        if weight.size > MAX_TEXTS or weight.nbytes > MAX_TEXT_BYTES:
            raise UnsupportedError("texts whose checksum is not compared", expected=f"{MAX_TEXTS:,} at most")
        cast(Texts, weight.values).elements()  # compares the checksums
        progress(weight.nbytes)
        return None
    runs = list(_runs(weight))
    if len(runs) < 2:
        bounds_of_runs = [_bounds(run) for run in runs]
        progress(weight.nbytes)
    else:
        bounds_of_runs = list(_by_threads(runs, progress))
    known = [bounds for bounds in bounds_of_runs if bounds is not None]
    return Scan(weight, LAYOUTS[weight.dtype], reduce(Bounds.merged, known)) if known else None


def _by_threads(runs: list[Weight], progress: Progress) -> Iterator[Bounds | None]:
    from concurrent.futures import ThreadPoolExecutor  # slow to import, and small files do not need it

    pool = ThreadPoolExecutor(_THREADS)
    try:
        for run, bounds in zip(runs, pool.map(_bounds, runs), strict=True):
            progress(run.nbytes)
            yield bounds
    finally:
        pool.shutdown(cancel_futures=True)


def _runs(weight: Weight) -> Iterator[Weight]:
    """The parts of a weight that can be read alone; the weight itself where it is small or only readable in order."""
    item = itemsize(weight.dtype)
    if weight.nbytes <= _RUN or item is None:
        yield weight
        return
    count = _RUN // item
    for start in range(0, weight.size, count):
        part = weight.between(start, min(start + count, weight.size))
        if part is None:
            yield weight
            return
        yield part


def _bounds(weight: Weight) -> Bounds | None:
    merged: Bounds | None = None
    for block in weight.stored_blocks(_BLOCK):
        if len(block):
            bounds = bounds_of(block, LAYOUTS[weight.dtype])
            merged = bounds if merged is None else merged.merged(bounds)
    return merged
