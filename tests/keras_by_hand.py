"""Keras in a quick run: on its NumPy backend, and only for the files of `speeds.BY_HAND`; no other test finds it.

A full run has Keras on TensorFlow for all tests alike.
"""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType
from unittest import mock

import pytest

from tests.speeds import FRAMEWORKS

PACKAGES = ("keras", "jax")  # Keras 3.15 imports jax for its NumPy backend, which computes with NumPy all the same
HINT = "drives live Keras by hand, which needs keras and jax: pip install '.[test]'"
_imported: dict[str, ModuleType] = {}


def is_installed() -> bool:
    """Whether Keras and what its NumPy backend imports are there; none of it is imported to find out."""
    return all(PathFinder.find_spec(name) for name in PACKAGES)


def hide() -> None:
    """Have all frameworks count as not installed."""
    sys.modules.update(dict.fromkeys(FRAMEWORKS))  # type: ignore[arg-type]


@contextmanager
def shown() -> Iterator[None]:
    """A context in which Keras can be imported, with a `fit`; other frameworks stay hidden."""
    for name in PACKAGES:
        del sys.modules[name]
    sys.modules.update(_imported)
    try:
        if not _imported:
            _import()
        yield
    finally:
        _imported.update({name: sys.modules.pop(name) for name in list(sys.modules) if _is_shown(name)})
        hide()


def _is_shown(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES


def _import() -> None:
    """Import Keras with its default settings, not those of a keras.json of the user's, and leave none behind."""
    with tempfile.TemporaryDirectory() as settings:
        names = {"KERAS_BACKEND": "numpy", "KERAS_HOME": settings, "JAX_PLATFORMS": "cpu"}
        with mock.patch.dict(os.environ, names):
            importlib.import_module("tests.training_by_hand").give_keras_a_fit()


class ByHand(pytest.Module):
    """A file of tests that see Keras."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """The tests of the file; it is skipped where there is no Keras."""
        if not is_installed():
            pytest.skip(HINT, allow_module_level=True)
        with shown():
            return list(super().collect())
