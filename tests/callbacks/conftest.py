"""The set-ups that a backend does not have: tests run on TensorFlow, and by hand on JAX and PyTorch."""

import os

import pytest

from tests.speeds import is_full

_STEPS = "Keras runs one step an execution on PyTorch"
_TWO = "a train_step of TensorFlow"
NOT_HERE = {
    "torch": {
        "steps that do not divide an epoch": _STEPS,
        "more steps than an epoch has": _STEPS,
        "two optimizers": _TWO,
        "two optimizers, and the best weights": _TWO,
        "two optimizers, within an epoch": _TWO,
    },
    "jax": dict.fromkeys(
        ("two optimizers", "two optimizers, and the best weights", "two optimizers, within an epoch"), _TWO
    ),
}


@pytest.fixture(autouse=True)
def _no_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a quick run nothing waits until it is on the disk; no test turns the power off."""
    if not is_full():
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def pytest_configure(config: pytest.Config) -> None:
    """Knows the mark that Keras's own tests carry."""
    config.addinivalue_line("markers", "requires_trainable_backend: a test of Keras's that trains")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what the backend in use does not have."""
    reasons = NOT_HERE.get(os.environ.get("KERAS_BACKEND", ""), {})
    for item in items:
        reason = (
            reasons.get(item.callspec.id) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
        )
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
