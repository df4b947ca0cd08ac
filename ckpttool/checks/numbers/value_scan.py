"""One pass over the values of a weight, of any size in bounded memory: all that the rules of numbers ask about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from ckpttool.checkpoint import BLOCK_BYTES, Texts, Weight
from ckpttool.checks.numbers.bits import LAYOUTS, Bounds, Layout, bounds_of
from ckpttool.checks.subject import Progress
from ckpttool.io.dtypes import itemsize

_BLOCK = BLOCK_BYTES  # what four passes find in the caches
_RUN = 16 << 20  # bytes: enough to be worth a thread's while
_THREADS = 2  # more of them would wait for each other


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over a weight's values found."""

    weight: Weight
    layout: Layout
    bounds: Bounds


def scan(weight: Weight, progress: Progress) -> Scan | None:
    """The figures of a weight from one pass; None where it has no values, or texts. Raises CheckpointError.

    `progress` is told the bytes that were read. The parts of a large weight are read by two threads: reading and
    NumPy let them work at once.
    """
    if isinstance(weight.values, Texts):
        progress(weight.nbytes)
        return None
    runs = list(_runs(weight))
    if len(runs) < 2:
        found = [_bounds(run) for run in runs]
        progress(weight.nbytes)
    else:
        found = list(_by_threads(runs, progress))
    known = [bounds for bounds in found if bounds is not None]
    return Scan(weight, LAYOUTS[weight.dtype], reduce(Bounds.merged, known)) if known else None


def _by_threads(runs: list[Weight], progress: Progress) -> Iterator[Bounds | None]:
    from concurrent.futures import ThreadPoolExecutor  # small files do without

    pool = ThreadPoolExecutor(_THREADS)
    try:
        for run, bounds in zip(runs, pool.map(_bounds, runs), strict=True):
            progress(run.nbytes)
            yield bounds
    finally:
        pool.shutdown(cancel_futures=True)


def _runs(weight: Weight) -> Iterator[Weight]:
    """The weight in parts that can be read at a time; as a whole where it is small or can only be read in order."""
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
    found: Bounds | None = None
    for block in weight.stored_blocks(_BLOCK):
        if len(block):
            bounds = bounds_of(block, LAYOUTS[weight.dtype])
            found = bounds if found is None else found.merged(bounds)
    return found
