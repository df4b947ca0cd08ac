"""Findings in rows: names that differ in one number share one, and nothing is lost by it."""

import re

import pytest

from ckpttool.render.verdicts import collapsed

CASES = {
    "block{1..5}_conv1/kernel": [f"block{number}_conv1/kernel" for number in range(1, 6)],
    "a{2,5}": ["a2", "a5"],
    "layers/dense_1/vars/{0..2}": [f"layers/dense_1/vars/{number}" for number in (2, 0, 1)],
    "same": ["same"],
}


@pytest.mark.parametrize("expected", sorted(CASES))
def test_ranges(expected: str) -> None:
    """Numbers in a row become a range, others a list, whatever their order."""
    assert collapsed(CASES[expected]) == expected


@pytest.mark.parametrize("names", [["a1b1", "a2b2"], ["a1", "a1", "a2"], ["a1", "a1_2"]])
def test_what_stays_apart(names: list[str]) -> None:
    """Names that differ in more than one number, or repeat, have no common name."""
    assert collapsed(names) is None


def test_many_numbers_are_cut() -> None:
    """A list of numbers is cut after some, and says so."""
    name = collapsed([f"a{number}" for number in range(0, 100, 2)])
    assert name is not None
    assert re.fullmatch(r"a\{(\d+,)+\.\.\.\}", name)
