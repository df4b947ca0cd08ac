"""The comparison of the values of two weights of any size, in bounded memory.

Most pairs are the same: so bytes are compared first, and arithmetic is done only where they differ. Large weights are
compared in runs of elements, by as many threads as there are processors, two at most; NumPy and reads release the
interpreter's lock. The figures of a run do not depend on its thread, and runs are merged in order. So the same files
always give the same figures.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from itertools import islice, zip_longest
from typing import NamedTuple, TypeVar

from ckpttool.arrays.comparison import Comparison, Tolerance
from ckpttool.arrays.elements import Raw, Scratch, block_size, has_steps
from ckpttool.arrays.pair_blocks import compared
from ckpttool.checkpoint import Weight
from ckpttool.errors import CorruptFileError
from ckpttool.io.dtypes import itemsize

Progress = Callable[[int], None]

_RUN = 1 << 20  # elements: enough of them for a thread to pay
_SHORT = 1 << 16  # bytes that are compared at once
_MOST_THREADS = 2  # more threads would wait for each other
_spare = deque[Scratch](maxlen=_MOST_THREADS)


def compare(a: Weight, b: Weight, tolerance: Tolerance, progress: Progress = lambda nbytes: None) -> Comparison:
    """The comparison of two weights of equal shape.

    Where nothing differs, the figures over finite elements are not computed: see `Comparison`. `progress` is called
    with the number of bytes that were compared, of both sides together. Raises CheckpointError where the values of one
    cannot be read.
    """
    assert a.shape == b.shape, "nothing broadcasts"
    runs, reporter, different = _runs(a, b), _Reporter(progress), list[_Run]()
    comparisons = list(_each(partial(_unless_same, tolerance, different), runs, reporter))
    if not different:
        return Comparison(a.size, max_ulp=0 if a.size and has_steps(a.dtype, b.dtype) else None)
    # Another run differs: now the figures are wanted of the equal runs, too.
    equal = [run for run, comparison in zip(runs, comparisons, strict=True) if comparison is None]
    rest = _each(partial(_compared, tolerance), equal, reporter)
    whole = [next(rest) if comparison is None else comparison for comparison in comparisons]
    return reduce(Comparison.merged, whole)


def contents_equal(a: Weight, b: Weight) -> bool:
    """Whether two weights have the same dtype, shape and values, bit for bit, whatever their byte order."""
    return a.dtype == b.dtype and a.shape == b.shape and _Run(a, b).is_same()


@dataclass(slots=True)
class _Reporter:
    """Reports the bytes that were compared; bytes that are read again are reported once."""

    progress: Progress
    most: int = 0

    def __call__(self, reached: int) -> None:
        if reached > self.most:
            self.progress(reached - self.most)
            self.most = reached


def _no_report(reached: int) -> None:
    pass


class _Run(NamedTuple):
    """The same run of elements of two weights; each side is a weight itself."""

    a: Weight
    b: Weight

    @property
    def nbytes(self) -> int:
        """The number of bytes of both sides together."""
        return self.a.nbytes + self.b.nbytes

    def is_same(self) -> bool:
        """Whether all bytes are the same."""
        return all(_same(one, other) for one, other in self._blocks())

    def compared(self, tolerance: Tolerance, reached: Progress, blocks: int | None = None) -> Comparison:
        """The comparison of all elements, or of those in the first `blocks` blocks.

        `reached` is called with the number of bytes that are done so far.
        """
        comparison, done = Comparison(), 0
        for one, other in islice(self._blocks(), blocks):
            comparison = comparison.merged(self._compared(one, other, tolerance))
            done += len(one) + len(other)
            reached(done)
        return comparison

    def compared_unless_same(self, tolerance: Tolerance, reached: Progress) -> Comparison | None:
        """The comparison of all elements; None where they are the same.

        Equal blocks cost no arithmetic before the first block that differs.
        """
        comparison, equal, done = None, 0, 0
        for one, other in self._blocks():
            if comparison is None and self.a.dtype == self.b.dtype and _same(one, other):
                equal += 1
            else:  # at the first difference the equal blocks before it are read again, now for their figures
                before = self.compared(tolerance, reached, equal) if comparison is None else comparison
                comparison = before.merged(self._compared(one, other, tolerance))
            done += len(one) + len(other)
            reached(done)
        return comparison

    def _compared(self, one: Raw, other: Raw, tolerance: Tolerance) -> Comparison:
        with _scratch() as scratch:
            return compared(one, other, (self.a.dtype, self.b.dtype), tolerance, scratch)

    def _blocks(self) -> Iterator[tuple[Raw, Raw]]:
        """The stored bytes of both, little-endian, in blocks of equally many elements."""
        widths = [itemsize(side.dtype) or 1 for side in (self.a, self.b)]  # a dtype without a size raises when read
        size = block_size(self.a.dtype, self.b.dtype)
        sides = (side.stored_blocks(size * width) for side, width in zip((self.a, self.b), widths, strict=True))
        for one, other in zip_longest(*sides, fillvalue=b""):
            if len(one) * widths[1] != len(other) * widths[0]:
                raise CorruptFileError("fewer values are stored than declared", where=self.a.path)
            yield one, other


def _same(one: Raw, other: Raw) -> bool:
    """Whether two runs of bytes are the same; faster than `==` on views, and without the interpreter's lock."""
    if bytes(one[:_SHORT]) != bytes(other[:_SHORT]):  # most pairs that differ do so from the beginning
        return False
    if len(one) <= _SHORT and len(other) <= _SHORT:
        return True
    import numpy as np  # which takes longer to import than small models to compare

    code = "u8" if len(one) % 8 == 0 else "u1"
    return bool((np.frombuffer(one, code) == np.frombuffer(other, code)).all())


def _runs(a: Weight, b: Weight) -> Sequence[_Run]:
    """The runs in which a pair is compared: one, unless the pair is large and can be read from any element on."""
    if a.size <= _RUN:
        return [_Run(a, b)]
    runs = []
    for start in range(0, a.size, _RUN):  # one by one: a size that is only declared ends the loop at its first run
        stop = min(start + _RUN, a.size)
        one, other = a.between(start, stop), b.between(start, stop)
        if one is None or other is None:
            return [_Run(a, b)]
        runs.append(_Run(one, other))
    return runs


Result = TypeVar("Result")


def _each(work: Callable[[_Run, Progress], Result], runs: Sequence[_Run], reporter: _Reporter) -> Iterator[Result]:
    """The results of `work` for every run, in order; computed by several threads where there are several runs."""
    if len(runs) < 2:
        yield from (work(run, reporter) for run in runs)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool, done = ThreadPoolExecutor(_threads()), 0
    try:
        for run, result in zip(runs, pool.map(lambda run: work(run, _no_report), runs), strict=True):
            done += run.nbytes
            reporter(done)
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _unless_same(tolerance: Tolerance, different: list[_Run], run: _Run, reached: Progress) -> Comparison | None:
    """The comparison of a run; None where nothing differs in it, nor in the runs that are done so far. Adds it to those
    that are `different`."""
    if different:
        return run.compared(tolerance, reached)
    comparison = run.compared_unless_same(tolerance, reached)
    if comparison is not None and comparison.differing:
        different.append(run)
    return comparison


def _compared(tolerance: Tolerance, run: _Run, reached: Progress) -> Comparison:
    return run.compared(tolerance, reached)


def _threads() -> int:
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_THREADS, own)


@contextmanager
def _scratch() -> Iterator[Scratch]:
    """The buffers for one thread at a time, used again by the next.

    Getting memory from the system takes as long as comparing a small weight.
    """
    try:
        scratch = _spare.pop()
    except IndexError:
        scratch = Scratch()
    yield scratch
    _spare.append(scratch)
