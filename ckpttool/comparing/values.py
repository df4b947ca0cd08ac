"""The values of two weights side by side, of any size in bounded memory.

Most pairs are the same, so that bytes are compared first, and only what is not equal is worth arithmetic. Large weights
are compared in runs by as many threads as there are processors; NumPy and reads let them work at once. A run comes to
the same figures whichever thread meets it and when, and runs are merged in order: so does the whole.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import zip_longest

from ckpttool.checkpoint import Weight
from ckpttool.comparing.blocks import compared
from ckpttool.comparing.comparison import Comparison, Tolerance
from ckpttool.comparing.elements import BLOCK, Raw, Scratch, has_steps
from ckpttool.dtypes import itemsize
from ckpttool.errors import CorruptFileError

Progress = Callable[[int], None]

_RUN = 16 * BLOCK  # elements: enough of them to be worth a thread's while
_MOST_THREADS = 4  # more would wait for memory
_own = threading.local()


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
    return reduce(Comparison.merged, (next(rest) if comparison is None else comparison for comparison in found))


def contents_equal(a: Weight, b: Weight) -> bool:
    """Whether two weights are of one dtype and shape and hold the same, bit for bit, whatever their byte order."""
    return a.dtype == b.dtype and a.shape == b.shape and _Run(a, b).is_same(_nobody)


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

    def is_same(self, reached: Progress) -> bool:
        """Whether all bytes are the same. `reached` is told how far it has come."""
        import numpy as np

        for done, one, other in self._blocks():
            code = "u8" if len(one) % 8 == 0 else "u1"
            if not np.array_equal(np.frombuffer(one, code), np.frombuffer(other, code)):
                return False
            reached(done)
        return True

    def compared(self, tolerance: Tolerance, reached: Progress) -> Comparison:
        """The comparison of all elements. `reached` is told how far it has come."""
        found, dtypes, scratch = Comparison(), (self.a.dtype, self.b.dtype), _scratch()
        for done, one, other in self._blocks():
            found = found.merged(compared(one, other, dtypes, tolerance, scratch))
            reached(done)
        return found

    def _blocks(self) -> Iterator[tuple[int, Raw, Raw]]:
        """The blocks of both, and how many bytes are done with each."""
        widths = [itemsize(side.dtype) or 1 for side in (self.a, self.b)]  # one that has none cannot be read
        sides = (side.stored_blocks(BLOCK * width) for side, width in zip((self.a, self.b), widths, strict=True))
        done = 0
        for one, other in zip_longest(*sides, fillvalue=b""):
            if len(one) * widths[1] != len(other) * widths[0]:
                raise CorruptFileError("fewer values are stored than declared", where=self.a.path)
            done += len(one) + len(other)
            yield done, one, other


def _runs(a: Weight, b: Weight) -> Sequence[_Run]:
    """The runs that a pair is compared in: one, unless it is large and can be read anywhere."""
    if a.size <= _RUN:
        return [_Run(a, b)]
    bounds = [(start, min(start + _RUN, a.size)) for start in range(0, a.size, _RUN)]
    runs = [_Run(one, other) for one, other in ((a.between(*bound), b.between(*bound)) for bound in bounds) if one and other]
    return runs if len(runs) == len(bounds) else [_Run(a, b)]


def _each(
    work: Callable[[_Run, Progress], Comparison | None], runs: Sequence[_Run], told: _Told
) -> Iterator[Comparison | None]:
    """What `work` makes of every run, in order; by several threads where there are several runs."""
    if len(runs) < 2:
        yield from (work(run, told) for run in runs)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool, done = ThreadPoolExecutor(_threads()), 0
    try:
        for run, found in zip(runs, pool.map(partial(work, reached=_nobody), runs), strict=True):
            done += run.nbytes
            told(done)
            yield found
    finally:
        pool.shutdown(cancel_futures=True)


def _unless_same(tolerance: Tolerance, differ: threading.Event, run: _Run, reached: Progress) -> Comparison | None:
    """The comparison of a run; None where it is not needed, as nothing differs so far."""
    is_long = run.a.size > BLOCK  # a block is compared as soon as it is read
    if is_long and run.a.dtype == run.b.dtype and not differ.is_set() and run.is_same(reached):
        return None
    found = _compared(tolerance, run, reached)
    if found.differing:
        differ.set()
    return found


def _compared(tolerance: Tolerance, run: _Run, reached: Progress) -> Comparison:
    return run.compared(tolerance, reached)


def _threads() -> int:
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_THREADS, own)


def _scratch() -> Scratch:
    """The scratch of this thread."""
    if not hasattr(_own, "scratch"):
        _own.scratch = Scratch()
    scratch: Scratch = _own.scratch
    return scratch
