"""The models and the optimizers of the matrix: tiny, the same every time."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import layers

_INPUTS = 4


def _adam(**options: Any) -> Any:
    return keras.optimizers.Adam(0.02, **options)


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "Adam": _adam,
    "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9),
    "mixed_float16": _adam,  # Keras scales the loss where the policy is this
    "averages": lambda: _adam(use_ema=True, ema_momentum=0.9),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.8)),
    "accumulation": lambda: _adam(gradient_accumulation_steps=2),
}


@contextlib.contextmanager
def _policy(optimizer: str) -> Iterator[None]:
    """New layers compute in half precision where the optimizer is for that."""
    if optimizer != "mixed_float16":
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _compiled(model: Any, optimizer: str, run_eagerly: bool) -> Any:
    model.compile(OPTIMIZERS[optimizer](), "mse", metrics=["mae"], run_eagerly=run_eagerly, jit_compile=False)
    return model


def sequential(optimizer: str, run_eagerly: bool) -> Any:
    """Layers in a row, with random numbers of their own and of the generator that all share."""
    keras.utils.set_random_seed(1)
    with _policy(optimizer):
        model = keras.Sequential(
            [
                keras.Input((_INPUTS,)),
                layers.Dense(3, activation="tanh"),
                layers.Dropout(0.2, seed=3),
                layers.GaussianNoise(0.1),
                layers.Dense(1),
            ]
        )
        return _compiled(model, optimizer, run_eagerly)


def _graph() -> tuple[Any, Any]:
    """The input and the output of a graph with moving averages, and two ways that meet."""
    inputs = keras.Input((_INPUTS,))
    left = layers.BatchNormalization()(layers.Dense(3, activation="tanh")(inputs))
    right = layers.Dropout(0.3, seed=5)(layers.Dense(3)(inputs))
    return inputs, layers.Dense(1)(layers.Add()([left, right]))


def functional(optimizer: str, run_eagerly: bool) -> Any:
    """A graph."""
    keras.utils.set_random_seed(1)
    with _policy(optimizer):
        return _compiled(keras.Model(*_graph()), optimizer, run_eagerly)


class Subclassed(keras.Model):
    """A model that is built by its first batch."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.first, self.last = layers.Dense(3, activation="tanh"), layers.Dense(1)
        self.dropout = layers.Dropout(0.2, seed=7)

    def call(self, x: Any, training: bool = False) -> Any:
        """A forward pass."""
        return self.last(self.dropout(self.first(x), training=training))


def subclassed(optimizer: str, run_eagerly: bool) -> Any:
    """A model of one's own class."""
    keras.utils.set_random_seed(1)
    with _policy(optimizer):
        return _compiled(Subclassed(), optimizer, run_eagerly)


class OwnStep(keras.Model):
    """A graph that is trained in a way of its own, as Keras's guide to `train_step` does it."""

    def train_step(self, data: Any) -> Any:
        """A step of training."""
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=predicted)
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(tape.gradient(scaled, self.trainable_weights), self.trainable_weights)
        for metric in self.metrics:
            metric.update_state(*([loss] if metric.name == "loss" else [y, predicted]))
        return {metric.name: metric.result() for metric in self.metrics}


def own_step(optimizer: str, run_eagerly: bool) -> Any:
    """A graph with a training step of one's own."""
    keras.utils.set_random_seed(1)
    with _policy(optimizer):
        return _compiled(OwnStep(*_graph()), optimizer, run_eagerly)


def _part(inputs: int, outputs: int) -> Any:
    return keras.Sequential([keras.Input((inputs,)), layers.Dense(3), layers.LeakyReLU(), layers.Dense(outputs)])


class Gan(keras.Model):
    """Two models with an optimizer each, as in Keras's example of a GAN (dcgan_overriding_train_step): there is no
    `call`, noise comes from a generator of random numbers, and Keras's own optimizer is never used.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.discriminator, self.generator = _part(_INPUTS, 1), _part(2, _INPUTS)
        self.seed_generator = keras.random.SeedGenerator(11)

    def compile(self, d_optimizer: Any, g_optimizer: Any, **options: Any) -> None:
        """Takes the optimizers."""
        super().compile(**options)
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        self.d_loss_metric, self.g_loss_metric = keras.metrics.Mean("d_loss"), keras.metrics.Mean("g_loss")

    @property
    def metrics(self) -> list[Any]:
        """The metrics, which are reset with every epoch."""
        return [self.d_loss_metric, self.g_loss_metric]

    def train_step(self, data: Any) -> Any:
        """A step of both models."""
        real = data[0] if isinstance(data, tuple) else data
        noise = keras.random.normal((4, 2), seed=self.seed_generator)
        d_loss = self._step(self.discriminator, self.d_optimizer, lambda: self._d_loss(real, noise))
        g_loss = self._step(self.generator, self.g_optimizer, lambda: -self._mean(self.generator(noise)))
        self.d_loss_metric.update_state(d_loss)
        self.g_loss_metric.update_state(g_loss)
        return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result()}

    def _d_loss(self, real: Any, noise: Any) -> Any:
        return self._mean(self.generator(noise)) - self._mean(real)

    def _mean(self, x: Any) -> Any:
        return keras.ops.mean(keras.ops.tanh(keras.ops.cast(self.discriminator(x), "float32")))

    def _step(self, part: Any, optimizer: Any, loss_of: Callable[[], Any]) -> Any:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = loss_of()
            scaled = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(scaled, part.trainable_weights), part.trainable_weights)
        return loss


def gan(optimizer: str, run_eagerly: bool) -> Any:
    """A GAN."""
    keras.utils.set_random_seed(1)
    with _policy(optimizer):
        model = Gan()
        optimizers = [OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()]
        if optimizer == "mixed_float16":
            optimizers = [keras.optimizers.LossScaleOptimizer(each) for each in optimizers]
        model.compile(*optimizers, run_eagerly=run_eagerly, jit_compile=False)
    return model


def shared(optimizer: str, run_eagerly: bool) -> Any:
    """A graph in which layers are called twice, a model among them."""
    keras.utils.set_random_seed(1)
    with _policy(optimizer):
        inner = keras.Sequential([keras.Input((3,)), layers.Dense(3, activation="tanh"), layers.Dropout(0.2, seed=9)])
        inputs, first = keras.Input((_INPUTS,)), layers.Dense(3)
        both = layers.Concatenate()([inner(first(inputs)), inner(first(layers.Rescaling(-0.5)(inputs)))])
        return _compiled(keras.Model(inputs, layers.Dense(1)(both)), optimizer, run_eagerly)


MODELS: dict[str, Callable[..., Any]] = {
    "Sequential": sequential,
    "Functional": functional,
    "subclassed": subclassed,
    "own train_step": own_step,
    "GAN": gan,
    "shared layers": shared,
}


def monitored(model: str) -> str:
    """A log that the training of a model has."""
    return "d_loss" if model == "GAN" else "loss"
