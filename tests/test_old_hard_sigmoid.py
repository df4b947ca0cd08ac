"""The hard_sigmoid of Keras 0 to 2, with NumPy in the place of Keras; test_old_activations.py asks live Keras."""

import importlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ckpttool

Function = Callable[[Any], Any]
MODULE = "ckpttool.old_activations"


def test_importing_registers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module registers the function under the name that converted configs have; it is 0.2x + 0.5 within 0 and 1."""
    registered = dict[str, Function]()

    def register(package: str, name: str) -> Callable[[Function], Function]:
        return lambda function: registered.setdefault(f"{package}>{name}", function)

    keras: Any = SimpleNamespace(saving=SimpleNamespace(register_keras_serializable=register), ops=np)
    monkeypatch.setitem(sys.modules, "keras", keras)
    before = sys.modules.get(MODULE)
    monkeypatch.setattr(ckpttool, "old_activations", None, raising=False)  # whatever was there comes back
    monkeypatch.setitem(sys.modules, MODULE, keras)
    del sys.modules[MODULE]
    module = importlib.import_module(MODULE)
    monkeypatch.undo()
    assert sys.modules.get(MODULE) is before
    assert vars(ckpttool).get("old_activations") is before
    assert registered == {"ckpttool>hard_sigmoid": module.hard_sigmoid}
    points = np.array([-4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0])
    np.testing.assert_allclose(module.hard_sigmoid(points), [0.0, 0.0, 0.3, 0.5, 0.7, 1.0, 1.0])
    assert module.hard_sigmoid.__name__ == "old_hard_sigmoid"
