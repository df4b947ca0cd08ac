"""A choice of the matrix of trainings: killed and resumed, each ends as if nothing had happened, or says why not."""

import sys
from pathlib import Path

import keras
import pytest

from tests.callbacks.matrix import AXES, Member, chosen, everything, groups, outcome, refusal
from tests.speeds import is_slow

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="training steps of TensorFlow"),
]

# All pairs, in a slow run nearly all triples; `python -m tests.callbacks.matrix` trains more, by hand.
CHOICE = chosen(126 if is_slow() else 37)


def test_the_choice_holds_all_pairs() -> None:
    """Every two values of two axes meet in it; no member is in it twice."""
    met = {each for member in CHOICE for each in groups(member, 2)}
    assert met == {each for member in everything() for each in groups(member, 2)}
    assert len(set(CHOICE)) == len(CHOICE)
    assert {len(axis) for axis in AXES.values()} == {2, 3, 4, 6}


@pytest.mark.parametrize("member", CHOICE, ids=str)
def test_it_ends_as_if_nothing_had_happened(member: Member, tmp_path: Path) -> None:
    """Weights, optimizers, random numbers, history, logs and events are equal to the bit; or it is refused."""
    if member.other == "TensorBoard":
        pytest.importorskip("tensorboard")  # without which Keras's callback writes nothing
    assert outcome(member, tmp_path) == (refusal(member) or "equal")
