"""The state of an optimizer that Keras skips with a warning, though it saved it itself."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.render.style import Style
from ckpttool.render.verdicts import headline
from tests.live import keras as live_keras

keras: Any = live_keras()

pytestmark = pytest.mark.filterwarnings("ignore")


def _trained(first: bool = True, dtype: str = "float32", optimizer: Any = "adam") -> Any:
    """A model of two layers after a step; `first` says whether its first layer is trained."""
    dense = keras.layers.Dense
    layers = [keras.Input((4,)), dense(3, trainable=first), dense(1, dtype="float32")]
    model = keras.Sequential(layers)
    model.dtype_policy = keras.DTypePolicy(dtype)
    model.compile(optimizer, "mse")
    model.run_eagerly = True  # a graph of one step takes longer to trace than to run
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 1)))
    return model


def _with_frozen(model: Any, trainable: bool) -> Any:
    model.layers[0].trainable = trainable
    return model


def _untrained() -> Any:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    return model


def _scaled() -> Any:
    return _trained(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))


@pytest.mark.parametrize(
    ("make", "skipped"),
    [
        (_trained, False),
        (_scaled, False),
        (lambda: _trained(dtype="mixed_float16"), True),
        (lambda: _with_frozen(_trained(), False), True),
        (lambda: _with_frozen(_trained(first=False), True), True),
        (lambda: _with_frozen(_trained(first=False), False), False),
    ],
    ids=("trained", "scaled", "mixed", "frozen after", "unfrozen after", "frozen before"),
)
def test_verify_says_that_keras_skips_it(make: Callable[[], Any], skipped: bool, tmp_path: Path) -> None:
    """A model that was frozen after its training, or scales the loss by its policy, is loaded with a new state."""
    path = tmp_path / "model.keras"
    make().save(path)
    assert _warns(path) == skipped
    result = ckpttool.verify(path, path)
    assert result.ok
    assert bool(result.skipped_state) == ("with a warning and a new state" in headline(result, Style())) == skipped


def test_no_state_is_none_that_is_skipped(tmp_path: Path) -> None:
    """Of a model that was not trained Keras skips two numbers, which are those that an optimizer begins with."""
    path = tmp_path / "model.keras"
    _untrained().save(path)
    assert _warns(path)
    assert not ckpttool.verify(path, path).skipped_state


def _warns(path: Path) -> bool:
    """Whether Keras warns that it skips the variables of an optimizer."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keras.saving.load_model(path)
    return any("Skipping variable loading for optimizer" in str(warning.message) for warning in caught)


def test_a_legacy_file_has_no_state_for_keras(tmp_path: Path) -> None:
    """Keras writes the state of an optimizer into a `.h5`, and loads none of what it has for weights."""
    for model, has_state in ((_trained(optimizer="adam"), True), (_untrained(), False)):
        model.compile(model.optimizer, keras.losses.MeanSquaredError())
        path = tmp_path / "model.h5"
        model.save(path)
        loaded = keras.saving.load_model(path)
        shaped = [variable.path for variable in loaded.optimizer.variables if len(variable.shape)]
        assert shaped == []
        result = ckpttool.verify(path, path)
        assert result.keras == "loads"
        assert bool(result.skipped_state) == (", with a new state" in headline(result, Style())) == has_state
