"""Live Keras, for the tests that ask it."""

import os
import warnings
from typing import Any

import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def keras() -> Any:
    """Keras, imported without its messages; a test that asks for it is skipped where it is not to be had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras", minversion="3.15", reason="live Keras 3.15 is the oracle")
