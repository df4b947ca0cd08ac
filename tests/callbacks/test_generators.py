"""States of random number generators as texts, which may come from a stranger."""

import base64
import random
import warnings
import zlib

import numpy as np
import pytest

from ckpttool.callbacks import generators


def text(state: bytes) -> str:
    """A state as a manifest has it."""
    return base64.b64encode(zlib.compress(state)).decode()


def test_they_go_on() -> None:
    """Numbers drawn after a state was read are drawn again, left-over deviates included."""
    random.seed(5)
    np.random.seed(5)
    random.gauss(0, 1)
    np.random.randn()
    known = generators.states()
    before = [random.gauss(0, 1), random.random(), np.random.randn(), np.random.rand()]
    generators.restore(known)
    assert [random.gauss(0, 1), random.random(), np.random.randn(), np.random.rand()] == before


STRANGE = {
    "no base64": {"python": "no base64"},
    "not compressed": {"python": base64.b64encode(b"x" * 2508).decode()},
    "too short": {"numpy": text(b"x" * 100)},
    "too long": {"numpy": text(b"\1" * 5000)},
    "a bomb": {"python": text(bytes(50_000_000))},
    "beyond the words": {"numpy": text(generators._TWISTER.pack(*[1] * 624, 625, False, 0.0))},
    "beyond the words of Python": {"python": text(generators._TWISTER.pack(*[1] * 624, 9999, False, 0.0))},
    "without any bit": {"python": text(generators._TWISTER.pack(*[0] * 624, 1, False, 0.0))},
    "of another machine": {"cuda:7": text(bytes(16))},
    "of nothing": {"\x1b[31m": text(b"x")},
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_state(name: str) -> None:
    """A text that is no state is warned of, and the generators are as they were."""
    before = random.getstate(), str(np.random.get_state())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        generators.restore(STRANGE[name])
    (warning,) = caught
    assert "begin anew" in str(warning.message)
    assert "\x1b" not in str(warning.message)
    assert (random.getstate(), str(np.random.get_state())) == before
