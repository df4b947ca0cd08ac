"""Live Keras, for the tests that ask it."""

import importlib
import os
import pkgutil
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def keras() -> Any:
    """Keras, imported without its messages; a test that asks for it is skipped where it is not to be had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras", minversion="3.15", reason="live Keras 3.15 is the oracle")


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The modules in a package of Keras, but for its tests and for what needs a framework that is not installed.

    Backends that are not in use are left out, too: to import `keras.src.backend.numpy` puts it in the place of the
    module of this name that the backend in use has, and Keras computes no more.
    """
    backend = keras().backend.backend()
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        is_backend = package.__name__ == "keras.src.backend" and info.ispkg and not info.name.endswith(".common")
        is_test = info.name.endswith("_test") or ".testing" in info.name
        if is_test or (is_backend and not info.name.endswith(f".{backend}")):
            continue
        try:
            module = importlib.import_module(info.name)
        except ImportError:
            continue
        yield module
        if info.ispkg:
            yield from modules(module)
