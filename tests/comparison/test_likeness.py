"""The likeness of layers, by the beginnings of their values."""

import numpy as np
import pytest

from ckpttool.comparison import diff
from ckpttool.comparison.likeness import Likeness
from ckpttool.comparison.weights import Unit, units_of
from tests.comparison.checkpoints import Array, checkpoint


def layer(*weights: Array) -> list[Unit]:
    """The weights of one layer."""
    return list(units_of(checkpoint({"a": {str(at): array for at, array in enumerate(weights)}}), None).units)


def test_likeness() -> None:
    """It is the cosine of the angle between all weights of two layers."""
    ones, ramp = np.ones(4), np.arange(4.0)
    both = np.concatenate([ones, ramp]), np.concatenate([ramp, ramp])
    angle = both[0] @ both[1] / np.sqrt((both[0] @ both[0]) * (both[1] @ both[1]))
    assert Likeness()(layer(ones, ramp), layer(ramp, ramp)) == pytest.approx(angle)
    assert Likeness()(layer(ones), layer(-ones)) == -1


@pytest.mark.parametrize("spoiled", [0.0, np.inf, np.nan, 1e155, 1e308])
def test_values_without_likeness(spoiled: float) -> None:
    """Zeros, what is not finite and squares beyond float64 tell nothing, and raise nothing."""
    weights = np.full(4, spoiled), np.full(3, spoiled)
    assert Likeness()(layer(*weights), layer(weights[0], -weights[1])) == 0
    assert Likeness()(layer(*weights), layer(np.ones(4), -np.ones(3))) in (0, pytest.approx(1 / 7))


@pytest.mark.parametrize("size", [1e155, 1e308])
def test_large_values(size: float) -> None:
    """Layers without partners whose values are beyond any square are told as added and removed."""
    sides = [{name: {"kernel": np.array([1, 2, size]), "bias": sign * np.array([size])}} for name, sign in
             (("old", 1), ("new", -1))]  # fmt: skip
    result = diff(*map(checkpoint, sides))
    assert (len(result.added), len(result.removed), result.moves) == (2, 2, ())
