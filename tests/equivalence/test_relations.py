"""The relation of two weights by their values: what is found, and how little is read where there is none."""

from collections.abc import Iterator

import numpy as np
import pytest

from ckpttool.checkpoint import Weight
from ckpttool.conversion.weights.transforms import Cudnn
from ckpttool.equivalence.relations import relation
from tests.comparison.checkpoints import checkpoint

SHAPES = ((3, 3, 2, 4), (1, 1, 1, 1), (5, 2, 3), (2, 3, 4, 2, 3), (4, 12), (3, 9), (1, 3), (6, 1), (12,))


def weight(values: np.ndarray) -> Weight:
    """A stored weight of these values."""
    return next(iter(checkpoint({"layer": {"kernel": np.ascontiguousarray(values)}}).values()))


def changes(old: np.ndarray, random: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """The changes that `convert` may make to a kernel, each with the beginning of its text."""
    yield "multiplied by 1.2", old * np.float32(1.2)
    columns = random.permutation(old.shape[-1]) < max(1, old.shape[-1] // 2)
    yield "multiplied by 1.2", np.where(columns, old * np.float32(1.2), old)
    if old.ndim > 2 and old[..., 0, 0].size > 1:
        yield "reversed along", old[tuple(slice(None, None, -1) for _ in old.shape[:-2])]
    for gates in (gates for gates in (3, 4) if old.ndim == 2 and old.shape[1] % gates == 0):
        yield from (("changed", Cudnn("kernel", gates).apply(old)) for _ in range(min(old.shape) > 1))
        if old.shape[0] * gates == old.shape[1] and old.shape[0] > 1:
            yield "changed", Cudnn("recurrent_kernel", gates).apply(old)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rounded", [False, True])
def test_relation_of_kernels_changed_as_convert_does(shape: tuple[int, ...], rounded: bool) -> None:
    """A kernel that was changed as `convert` does is known by it, also where numbers are alike."""
    random = np.random.default_rng(len(shape))
    old = random.normal(size=shape).astype("float32")
    old = np.round(old) + 2 if rounded else old
    for text, new in changes(old, random):
        if new.shape == old.shape and new.tobytes() != old.tobytes():
            assert relation(weight(old), weight(new)).startswith(text)


@pytest.mark.parametrize("shape", [(64, 64), (3, 3, 16, 32)])
def test_unrelated_kernels_are_hardly_read(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of large kernels that are plainly different, as after training, a row or two are read."""
    random = np.random.default_rng(1)
    old, new = (weight(random.normal(size=shape).astype("float32")) for _ in range(2))
    sizes = []
    whole = Weight.read
    monkeypatch.setattr(Weight, "read", lambda self: (sizes.append(self.size), whole(self))[1])
    assert relation(old, new) == ""
    assert sum(sizes) == 3 * shape[-1]
