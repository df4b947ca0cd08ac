"""Findings in rows: names that differ in one number share one, and nothing is lost by it."""

import re
from dataclasses import replace

import pytest

import ckpttool
from ckpttool.model.spec import Opaque, SpecSlot
from ckpttool.render.style import Style
from ckpttool.render.verdicts import collapsed, finding_rows, headline, remarks, verdict_word
from ckpttool.verification import Status, WeightProblem
from tests.render.test_html import hostile_verdict
from tests.samples import FIXTURES

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


def test_many_long_names_are_cut() -> None:
    """Of names in one cell as many are shown as a reader takes in, and the others are counted."""
    layer = "bidirectional_1/forward_lstm_1/lstm_cell"
    weights = [f"{layer}/{name}/{part}" for name in ("kernel", "recurrent_kernel", "bias") for part in ("a", "b", "c")]
    slots = [SpecSlot("optimizer", name, (1,), "float32", False, "", "", None) for name in weights]
    ((_, label, count, *_),) = finding_rows(WeightProblem(Status.MISSING, slot, None, "why") for slot in slots)
    assert (len(label) < 200, count) == (True, "9")
    assert label.endswith("and 6 more}")


@pytest.mark.parametrize(("name", "word"), [("keras2.2/nested.h5", "fits"), ("keras3/nested.keras", "loads")])
def test_word_of_a_verdict(name: str, word: str) -> None:
    """Weights that fit an architecture which Keras 3 cannot build do not load."""
    assert verdict_word(ckpttool.verify(FIXTURES / name, FIXTURES / name)) == word


@pytest.mark.parametrize(("name", "color"), [("keras2.2/nested.h5", "33"), ("keras3/nested.keras", "32")])
def test_color_of_a_verdict(name: str, color: str) -> None:
    """Only what Keras 3 loads is green; weights that fit what it cannot build are yellow, as they are on a page."""
    assert f"\x1b[{color}m" in headline(ckpttool.verify(FIXTURES / name, FIXTURES / name), Style(color=True))


def test_classes_whose_weights_are_not_known() -> None:
    """A class of the user's own is called so, one that only older Keras has is not."""
    opaque = (Opaque("a", "Mine", "a"), Opaque("b", "DenseFeatures", "b"))
    lines = remarks(replace(hostile_verdict(), opaque=opaque))
    assert "? a is of class Mine, which is not Keras's own: its weights are not checked" in lines
    assert "? b is of class DenseFeatures, which Keras 3 does not have: its weights are not checked" in lines
