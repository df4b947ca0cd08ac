"""Behaviour that differs by backend: random numbers, reading data. `KERAS_BACKEND=torch` and `jax` run these too."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ckpttool.callbacks import ModelCheckpoint, saved_in
from tests.callbacks.test_restoration import Kill, Killed
from tests.callbacks.test_set_ups import BATCHES, X, Y, last, sequential, state

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
BACKEND = keras.backend.backend()


def unseeded() -> Any:
    """A compiled model whose Dropout has no seed of its own; on PyTorch it draws from torch's generator."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.4), keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    return model


class Augmented(keras.utils.PyDataset):
    """Data that draw random numbers of Python and of NumPy for every batch."""

    def __len__(self) -> int:
        return BATCHES

    def __getitem__(self, number: int) -> Any:
        rows = slice(4 * number, 4 * number + 4)
        return X[rows] * random.random() + np.random.rand(), Y[rows]


def arrays(trained: Any, callbacks: list[Any]) -> Any:
    """The history of a training with arrays."""
    return trained.fit(X, Y, batch_size=4, shuffle=False, epochs=3, verbose=0, callbacks=callbacks)


def shuffled(trained: Any, callbacks: list[Any]) -> Any:
    """The history of a training with arrays that are shuffled."""
    return trained.fit(X, Y, batch_size=4, shuffle=True, epochs=3, verbose=0, callbacks=callbacks)


def augmented(trained: Any, callbacks: list[Any]) -> Any:
    """The history of a training with data that draw random numbers."""
    return trained.fit(Augmented(workers=0), shuffle=False, epochs=3, verbose=0, callbacks=callbacks)


def endless(trained: Any, callbacks: list[Any]) -> Any:
    """The history of a training with data that go on from epoch to epoch, and never come again."""

    def batches() -> Iterator[Any]:
        number = 0
        while True:
            number += 1
            yield X[:4] * number / 40, Y[:4]

    return trained.fit(batches(), shuffle=False, steps_per_epoch=BATCHES, epochs=3, verbose=0, callbacks=callbacks)


def part(trained: Any, callbacks: list[Any]) -> Any:
    """The history of a training whose epochs are a part of the data each: two of the whole, of ten batches."""
    return trained.fit(
        X, Y, batch_size=2, shuffle=False, steps_per_epoch=BATCHES, epochs=3, verbose=0, callbacks=callbacks
    )


@cache
def straight(train: Callable[..., Any]) -> tuple[Any, list[np.ndarray]]:
    """The history of a training that nobody interrupts or saves, and the state that it leaves."""
    trained = unseeded()
    return train(trained, []), state(trained)


@pytest.mark.parametrize(("freq", "batches"), [("epoch", 8), (2, 3), (2, 13)])
@pytest.mark.parametrize("train", [arrays, augmented, endless, part, shuffled])
def test_random_numbers_and_data_go_on(train: Callable[..., Any], freq: Any, batches: int, tmp_path: Path) -> None:
    """Killed and resumed, a training draws the same random numbers and takes the same batches."""
    if train is shuffled and BACKEND != "torch":
        pytest.skip("only PyTorch draws the order of arrays from a generator with a state")
    if train is augmented and freq == 2 and BACKEND == "tensorflow":
        pytest.skip("tf.data takes batches before they are trained, and draws for them")
    whole, expected = straight(train)
    resumed = unseeded()
    with pytest.raises(Killed):
        train(unseeded(), [last(tmp_path, save_freq=freq), Kill(batches)])
    random.seed(99)
    np.random.seed(99)
    keras.utils.set_random_seed(99)
    rest = train(resumed, [last(tmp_path, save_freq=freq)])
    assert rest.history["loss"] == whole.history["loss"]
    assert all(np.array_equal(*pair) for pair in zip(expected, state(resumed), strict=True))


def test_what_the_data_raise(tmp_path: Path) -> None:
    """The model that a failed training leaves is saved, wherever its backend takes the data."""

    def batches() -> Iterator[Any]:
        for number in range(2 * BATCHES):
            if number == 7:
                raise RuntimeError("the disk is gone")
            yield X[:4], Y[:4]

    saving = ModelCheckpoint(tmp_path / "m.keras", save_freq=None, save_on_exception=True)
    with pytest.raises(Exception, match="the disk is gone"):
        sequential().fit(batches(), shuffle=False, steps_per_epoch=BATCHES, epochs=4, verbose=0, callbacks=[saving])
    (entry,) = saved_in(tmp_path)
    assert (entry.epoch, entry.reason) == (2, "exception")
    assert entry.step in ((7,) if BACKEND == "torch" else range(5, 8))  # others take data ahead
