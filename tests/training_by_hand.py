"""`fit` for Keras's NumPy backend, which has none: the loop of its other backends around a step without gradients.

All else is Keras: models, data, callbacks, losses, metrics, optimizers. Callbacks cannot tell the difference.
"""

import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import dtypes
from keras.src.backend.numpy.trainer import NumpyTrainer
from keras.src.trainers.data_adapters.data_adapter_utils import unpack_x_y_sample_weight
from keras.src.trainers.epoch_iterator import EpochIterator


class BatchIterator(EpochIterator):  # type: ignore[misc]
    """The steps of an epoch, each with the iterator of its batches, as on TensorFlow and JAX."""

    def __next__(self) -> Any:
        return next(self._epoch_iterator)


@functools.wraps(NumpyTrainer.fit)  # so that it counts as Keras's own
@np.errstate(all="ignore")  # other backends warn of no numbers
def fit(
    self: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_data: Any = None,
    shuffle: bool = True,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
) -> Any:
    """The history of a training (`fit`, keras/src/backend/tensorflow/trainer.py, 3.15).

    Callbacks look for the names of its arguments, and of `epoch_iterator`, among the variables of their callers.
    """
    epoch_iterator = BatchIterator(
        x, y, None, batch_size, steps_per_epoch, shuffle, steps_per_execution=self.steps_per_execution
    )
    _build(self, epoch_iterator)
    epoch_iterator.reset()
    listed = keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=epoch_iterator.num_batches,
        model=self,
    )
    self.stop_training, self._eval_epoch_iterator = False, None
    self.train_function = self.train_function or functools.partial(_execute, self)
    logs: Any = {}
    listed.on_train_begin()
    for epoch in range(self._initial_epoch or initial_epoch, epochs):
        self.reset_metrics()
        listed.on_epoch_begin(epoch)
        with epoch_iterator.catch_stop_iteration():
            for begin, end, batches in epoch_iterator:
                listed.on_train_batch_begin(begin)
                logs = self.train_function(batches)
                listed.on_train_batch_end(end, logs)
                if self.stop_training:
                    break
        logs = dict(self._get_metrics_result_or_logs(logs))
        if validation_data is not None and (epoch + 1) % validation_freq == 0:
            size = validation_batch_size or batch_size
            values = self.evaluate(*validation_data, batch_size=size, callbacks=listed, return_dict=True)
            logs.update({f"val_{name}": value for name, value in values.items()})
        listed.on_epoch_end(epoch, logs)
        if self.stop_training:
            break
    self.optimizer.finalize_variable_values(self.trainable_weights)
    listed.on_train_end(logs)
    return self.history


def _build(model: Any, batches: BatchIterator) -> None:
    """Build a model on a batch of its data, where it is not built."""
    if not all(layer.built for layer in model._flatten_layers()):
        _, _, iterator = next(iter(batches))
        model._symbolic_build(next(iterator))


def _execute(model: Any, batches: Iterator[Any]) -> Any:
    """The logs after the steps of one execution, fewer where the data end. Raises StopIteration where there is none."""
    logs = _step(model, next(batches))
    for _, batch in zip(range(model.steps_per_execution - 1), batches, strict=False):
        logs = _step(model, batch)
    return logs


def _step(model: Any, batch: Any) -> Any:
    """The logs after a step of training. What stands for the gradients depends, as they do, on the weights, the batch
    and the random numbers of the forward pass."""
    x, y, weight = unpack_x_y_sample_weight(batch)
    prediction = model(x, training=True)
    loss = model._compute_loss(x=x, y=y, y_pred=prediction, sample_weight=weight, training=True)
    model._loss_tracker.update_state(loss, sample_weight=len(prediction))
    values = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    share = loss / (1 + loss)
    gradients = [value + share * np.cos(np.arange(value.size)).reshape(value.shape) for value in values]
    model.optimizer.apply(gradients, model.trainable_variables)
    return model.compute_metrics(x, y, prediction, sample_weight=weight)


def give_keras_a_fit() -> None:
    """Put the loop in the place of the NumPy backend's own, which only says that there is none.

    And remember the types of results, which Keras works out anew for each: a fifth of the time of a training.
    """
    NumpyTrainer.fit = fit
    dtypes._lattice_result_type = functools.cache(dtypes._lattice_result_type)
