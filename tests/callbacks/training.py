"""Tiny models in training, the same on every run."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ckpttool.callbacks import ModelCheckpoint
from tests.callbacks.files import names as names

X = np.linspace(-1, 1, 64, dtype="float32").reshape(16, 4)
Y = X.sum(axis=1, keepdims=True)


def model(optimizer: str = "adam", seed: int = 1, **compiled: Any) -> Any:
    """A compiled model of 17 weights, initialised from a seed."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, name="hidden"), keras.layers.Dense(1, name="out")]
    )
    model.compile(optimizer, "mse", **{"metrics": ["mae"], "run_eagerly": True, **compiled})
    return model


def fit(trained: Any, *callbacks: Any, epochs: int = 3, validate: bool = True, **options: Any) -> Any:
    """The history of a training of four batches an epoch."""
    arguments = {"batch_size": 4, "shuffle": False, "verbose": 0, **options}
    data = {"validation_data": (X, Y), "validation_batch_size": 8} if validate else {}
    return trained.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **data, **arguments)


class Played(ModelCheckpoint):
    """The callback with logs that a test makes up, played epoch by epoch, without training."""

    def play(self, values: list[Any], monitor: str = "val_loss", first: int = 0) -> None:
        """Ends one epoch a value, from the `first` on; the weights of each are filled with the number of the epoch."""
        self.set_model(model())
        self.on_train_begin()
        for epoch, value in list(enumerate(values))[first:]:
            self.model.set_weights([np.full(w.shape, epoch + 1, w.dtype) for w in self.model.get_weights()])
            self.on_epoch_begin(epoch)
            self.on_train_batch_end(0, {"loss": 1.0})
            self.on_epoch_end(epoch, {"loss": 1.0} if value is None else {"loss": 1.0, monitor: value})
        self.on_train_end()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Warnings are ignored for a while."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
