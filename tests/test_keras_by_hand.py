"""Keras in a quick run: there for the files that drive it by hand, and for no others."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

import pytest

from tests import keras_by_hand
from tests.speeds import BY_HAND, FRAMEWORKS, LIVE, LONG, ON_TENSORFLOW, is_full

TESTS = Path(__file__).parent
in_a_quick_run = pytest.mark.skipif(is_full(), reason="a full run has Keras on TensorFlow for all tests")


def test_listed_files() -> None:
    """The files are there, and in no other list; tests that ask for more are among theirs."""
    assert [name for name in BY_HAND if not (TESTS / name).is_file()] == []
    assert BY_HAND.isdisjoint(LIVE)
    assert BY_HAND.isdisjoint(name.partition("::")[0] for name in LONG)
    assert {name.partition("::")[0] for name in ON_TENSORFLOW} <= BY_HAND


@in_a_quick_run
def test_other_tests_find_no_keras() -> None:
    """Whether Keras is installed or not, neither it nor anything that it imports is found here."""
    assert [name for name in FRAMEWORKS if importlib.util.find_spec(name)] == []
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("keras.src.saving.saving_lib")


@in_a_quick_run
@pytest.mark.skipif(not keras_by_hand.is_installed(), reason=keras_by_hand.HINT)
def test_keras_is_shown_for_a_while() -> None:
    """Within the context it is one Keras, on NumPy, without TensorFlow; what was set for its import is unset again."""
    environment = dict(os.environ)
    with keras_by_hand.shown():
        first = importlib.import_module("keras")
        assert first.backend.backend() == "numpy"
        assert importlib.util.find_spec("tensorflow") is None
    assert sys.modules["keras"] is None
    with keras_by_hand.shown():
        assert importlib.import_module("keras") is first
    assert dict(os.environ) == environment
