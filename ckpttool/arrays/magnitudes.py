"""The mean magnitude of the values of each output of a kernel, summed block by block: a dead filter shows as 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MOST_CELLS = 48
_MOST_COLUMNS = 1 << 20  # sums that are worth their memory


class Magnitudes:
    """The sums of absolute values by column, of a weight whose values come in C order.

    A column is an output of the kernel: an index into the last axis, and into as many before it as are of size 1 after
    it, so that a depthwise kernel is cut by its channels.
    """

    def __init__(self, columns: int) -> None:
        import numpy as np

        self.sums = np.zeros(columns)
        self._at = self._count = 0

    @classmethod
    def of_shape(cls, shape: tuple[int, ...]) -> Magnitudes | None:
        """The empty sums for a weight of a shape; None where it is no kernel or has too many columns."""
        columns = output_count(shape)
        return cls(columns) if 1 < columns <= _MOST_COLUMNS else None

    def add(self, block: np.ndarray, all_finite: bool) -> None:
        """Add the next values, of which none but finite ones count; `all_finite` says that there are no others."""
        import numpy as np

        with np.errstate(invalid="ignore"):
            sizes = np.abs(block).astype(np.float32 if block.dtype.itemsize <= 4 else np.float64, copy=False)
        if not all_finite:
            sizes = np.where(np.isfinite(sizes), sizes, 0)
        columns = len(self.sums)
        ahead = min(-self._at % columns, len(sizes))
        self._add_at(self._at % columns, sizes[:ahead])
        rows, rest = divmod(len(sizes) - ahead, columns)
        body = sizes[ahead : ahead + rows * columns].reshape(rows, columns)
        if rows:
            with np.errstate(over="ignore"):
                sums = np.ones(rows, sizes.dtype) @ body
            self.sums += sums if np.isfinite(sums).all() else body.sum(axis=0, dtype=np.float64)
        self._add_at(0, sizes[len(sizes) - rest :] if rest else sizes[:0])
        self._at = (self._at + len(sizes)) % columns
        self._count += len(sizes)

    def _add_at(self, start: int, sizes: np.ndarray) -> None:
        self.sums[start : start + len(sizes)] += sizes

    def cells(self) -> tuple[float, ...]:
        """The mean magnitudes, those of neighbouring columns together where there are more than `MOST_CELLS`."""
        rows = self._count / len(self.sums)
        if not rows:
            return ()
        columns = self.sums / rows
        size, wider = divmod(len(columns), min(MOST_CELLS, len(columns)))  # the first cells have a column more
        at = wider * (size + 1)
        parts = columns[:at].reshape(-1, size + 1), columns[at:].reshape(-1, size)
        means = [mean for part in parts for mean in part.mean(axis=1).tolist()]
        return tuple(mean if math.isfinite(mean) else 0.0 for mean in means)


def output_count(shape: tuple[int, ...]) -> int:
    """The number of outputs of a kernel of this shape; 0 where a weight is no kernel, since it has fewer than two axes
    that are longer than 1."""
    if sum(size > 1 for size in shape) < 2 or 0 in shape:
        return 0
    return next(size for size in reversed(shape) if size > 1)
