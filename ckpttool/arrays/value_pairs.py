"""The values of two weights side by side, of any size in bounded memory.

Most pairs are the same, so that bytes are compared first, and only what is not equal is worth arithmetic. Large weights
are compared in runs by as many threads as there are processors; NumPy and reads let them work at once. A run comes to
the same figures whichever thread meets it and when, and runs are merged in order: so does the whole.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from itertools import islice, zip_longest
from typing import TypeVar

from ckpttool.arrays.comparison import Comparison, Tolerance
from ckpttool.arrays.elements import Raw, Scratch, block_size, has_steps
from ckpttool.arrays.pair_blocks import compared
from ckpttool.checkpoint import Weight
from ckpttool.errors import CorruptFileError
from ckpttool.io.dtypes import itemsize

Progress = Callable[[int], None]

_RUN = 1 << 20  # elements: enough of them to be worth a thread's while
_MOST_THREADS = 2  # more of them would wait for each other
_spare = deque[Scratch](maxlen=_MOST_THREADS)


def compare(a: Weight, b: Weight, tolerance: Tolerance, progress: Progress = lambda nbytes: None) -> Comparison:
    """The comparison of two weights of equal shape; `progress` is told the bytes done, of both together.

    Where nothing differs only that is known, and no figure that is over finite elements: see `Comparison`. Raises
    CheckpointError where the values of one cannot be read.
    """
    assert a.shape == b.shape, "nothing broadcasts"
    runs, told, differ = _runs(a, b), _Told(progress), threading.Event()
    found = list(_each(partial(_unless_same, tolerance, differ), runs, told))
    if not differ.is_set():
        return Comparison(a.size, max_ulp=0 if a.size and has_steps(a.dtype, b.dtype) else None)
    left = [run for run, comparison in zip(runs, found, strict=True) if comparison is None]
    rest = _each(partial(_compared, tolerance), left, told)
    whole = [next(rest) if comparison is None else comparison for comparison in found]
    return reduce(Comparison.merged, whole)


def contents_equal(a: Weight, b: Weight) -> bool:
    """Whether two weights are of one dtype and shape and hold the same, bit for bit, whatever their byte order."""
    return a.dtype == b.dtype and a.shape == b.shape and _Run(a, b).is_same()


@dataclass(slots=True)
class _Told:
    """Tells of the bytes that are done, and only once of those that are read again."""

    progress: Progress
    most: int = 0

    def __call__(self, reached: int) -> None:
        if reached > self.most:
            self.progress(reached - self.most)
            self.most = reached


def _nobody(reached: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Run:
    """The same elements of two weights, themselves as weights."""

    a: Weight
    b: Weight

    @property
    def nbytes(self) -> int:
        """The bytes of both together."""
        return self.a.nbytes + self.b.nbytes

    def is_same(self) -> bool:
        """Whether all bytes are the same."""
        return all(_same(one, other) for one, other in self._blocks())

    def compared(self, tolerance: Tolerance, reached: Progress, blocks: int | None = None) -> Comparison:
        """The comparison of all elements, or of those in the first blocks. `reached` is told how far it has come."""
        found, done = Comparison(), 0
        for one, other in islice(self._blocks(), blocks):
            found = found.merged(self._compared(one, other, tolerance))
            done += len(one) + len(other)
            reached(done)
        return found

    def compared_unless_same(self, tolerance: Tolerance, reached: Progress) -> Comparison | None:
        """The comparison of all elements, None where they are the same: blocks that are alike cost no arithmetic as
        long as no other was met."""
        found, alike, done = None, 0, 0
        for one, other in self._blocks():
            if found is None and self.a.dtype == self.b.dtype and _same(one, other):
                alike += 1
            else:
                before = self.compared(tolerance, reached, alike) if found is None else found
                found = before.merged(self._compared(one, other, tolerance))
            done += len(one) + len(other)
            reached(done)
        return found

    def _compared(self, one: Raw, other: Raw, tolerance: Tolerance) -> Comparison:
        with _scratch() as scratch:
            return compared(one, other, (self.a.dtype, self.b.dtype), tolerance, scratch)

    def _blocks(self) -> Iterator[tuple[Raw, Raw]]:
        """The stored bytes of both, little-endian, in blocks of equally many elements."""
        widths = [itemsize(side.dtype) or 1 for side in (self.a, self.b)]  # one that has none cannot be read
        size = block_size(self.a.dtype, self.b.dtype)
        sides = (side.stored_blocks(size * width) for side, width in zip((self.a, self.b), widths, strict=True))
        for one, other in zip_longest(*sides, fillvalue=b""):
            if len(one) * widths[1] != len(other) * widths[0]:
                raise CorruptFileError("fewer values are stored than declared", where=self.a.path)
            yield one, other


def _same(one: Raw, other: Raw) -> bool:
    """Whether two runs of bytes are the same; unlike == on views it is fast, and lets other threads work."""
    import numpy as np

    code = "u8" if len(one) % 8 == 0 else "u1"
    return bool((np.frombuffer(one, code) == np.frombuffer(other, code)).all())


def _runs(a: Weight, b: Weight) -> Sequence[_Run]:
    """The runs that a pair is compared in: one, unless it is large and can be read anywhere."""
    if a.size <= _RUN:
        return [_Run(a, b)]
    runs = []
    for start in range(0, a.size, _RUN):  # one by one: what is only declared ends it with the first
        stop = min(start + _RUN, a.size)
        one, other = a.between(start, stop), b.between(start, stop)
        if one is None or other is None:
            return [_Run(a, b)]
        runs.append(_Run(one, other))
    return runs


Found = TypeVar("Found")


def _each(work: Callable[[_Run, Progress], Found], runs: Sequence[_Run], told: _Told) -> Iterator[Found]:
    """What `work` makes of every run, in order; by several threads where there are several runs."""
    if len(runs) < 2:
        yield from (work(run, told) for run in runs)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool, done = ThreadPoolExecutor(_threads()), 0
    try:
        for run, found in zip(runs, pool.map(lambda run: work(run, _nobody), runs), strict=True):
            done += run.nbytes
            told(done)
            yield found
    finally:
        pool.shutdown(cancel_futures=True)


def _unless_same(tolerance: Tolerance, differ: threading.Event, run: _Run, reached: Progress) -> Comparison | None:
    """The comparison of a run; None where nothing differs, in it and in those that are done so far."""
    if differ.is_set():
        return run.compared(tolerance, reached)
    found = run.compared_unless_same(tolerance, reached)
    if found is not None and found.differing:
        differ.set()
    return found


def _compared(tolerance: Tolerance, run: _Run, reached: Progress) -> Comparison:
    return run.compared(tolerance, reached)


def _threads() -> int:
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_THREADS, own)


@contextmanager
def _scratch() -> Iterator[Scratch]:
    """Scratch for one thread at a time, which is kept for the next: to get room from the system takes as long as a
    small weight."""
    try:
        scratch = _spare.pop()
    except IndexError:
        scratch = Scratch()
    yield scratch
    _spare.append(scratch)
