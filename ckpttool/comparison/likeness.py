"""The likeness of layers by the values of their weights, of which only the beginnings are read."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ckpttool.arrays.value_pairs import contents_equal
from ckpttool.comparison.matches import Evidence, pair_inside
from ckpttool.comparison.weights import Unit
from ckpttool.errors import CheckpointError
from ckpttool.io.dtypes import values_of

if TYPE_CHECKING:
    import numpy as np

_HEAD = 1 << 16  # bytes of a weight that are looked at


def content_key(units: Sequence[Unit]) -> object:
    """A key that is the same for layers of equal content: names, shapes, dtypes and first bytes of their weights.

    None where a layer cannot be recognized by it, since each weight repeats one value or cannot be read.
    """
    try:
        heads = [(unit, _head(unit)) for unit in units]
    except CheckpointError:
        return None
    if all(_is_uniform(unit, head) for unit, head in heads):
        return None
    return tuple(sorted((unit.key, unit.shape, unit.dtype, hashlib.sha256(head).digest()) for unit, head in heads))


def contents_are_equal(a: Unit, b: Unit) -> bool:
    """Whether two weights have the same dtype and values; False where one of them cannot be read."""
    try:
        return contents_equal(a.weight, b.weight)
    except CheckpointError:
        return False


class Likeness:
    """The likeness of two layers of equal shapes, by the first values of their weights.

    The cosine of the angle between both, -1 to 1; 0 where there is none. Values are read once and kept.
    """

    def __init__(self) -> None:
        self._heads: dict[int, np.ndarray | None] = {}

    def __call__(self, ours: Sequence[Unit], theirs: Sequence[Unit]) -> float:
        """The likeness of two layers."""
        pairs = pair_inside(ours, theirs, Evidence.LIKENESS)
        sums = [self._products(pair.a, pair.b) for pair in pairs]
        product, a, b = (sum(column) for column in zip(*sums, strict=True)) if sums else (0.0, 0.0, 0.0)
        length = math.sqrt(a) * math.sqrt(b)
        return product / length if 0 < length < math.inf else 0.0

    def _products(self, a: Unit, b: Unit) -> tuple[float, float, float]:
        """The inner products of two weights, with each other and each with itself; infinite beyond float64."""
        import numpy as np

        one, other = self._head(a), self._head(b)
        if one is None or other is None or len(one) != len(other):
            return 0.0, 0.0, 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            return float((one * other).sum()), float((one * one).sum()), float((other * other).sum())

    def _head(self, unit: Unit) -> np.ndarray | None:
        """The first numbers of a weight; None where some are not finite, or the weight cannot be read."""
        if id(unit) not in self._heads:
            self._heads[id(unit)] = _numbers(unit)
        return self._heads[id(unit)]


def _numbers(unit: Unit) -> np.ndarray | None:
    import numpy as np

    try:
        values = values_of(_head(unit), unit.dtype, big_endian=False)
    except CheckpointError:
        return None
    if values.dtype.kind not in "fiub":
        return None
    wide = values.astype(np.float64)
    return wide if np.isfinite(wide).all() else None


def _head(unit: Unit) -> bytes:
    return bytes(next(iter(unit.weight.stored_blocks(_HEAD)), b""))


def _is_uniform(unit: Unit, head: bytes) -> bool:
    item = unit.weight.nbytes // max(unit.weight.size, 1)
    return not item or head == head[:item] * (len(head) // item)
