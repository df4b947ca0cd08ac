"""The model of `fixtures/recipes/own_classes.py` as its user ports it to Keras 3, in a module of functions to name."""

from typing import Any

import keras


class Gate(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """Two layers of one shape, and a weight and a counter of its own."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.inner = keras.layers.Dense(units)
        self.outer = keras.layers.Dense(units)

    def build(self, shape: Any) -> None:
        """Makes the weights, the one that is not trained first."""
        self.seen = self.add_weight(name="seen", shape=(2,), trainable=False)
        self.gain = self.add_weight(name="gain", shape=(self.units,))
        self.inner.build(shape)
        self.outer.build(shape)

    def call(self, x: Any) -> Any:
        """One layer times the gain, and the other."""
        return self.inner(x) * self.gain + self.outer(x) + self.seen[0]

    def get_config(self) -> dict[str, Any]:
        """With the units."""
        return {**super().get_config(), "units": self.units}


class Block(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """Layers of an own class in a list, and one that normalizes."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.gates = [Gate(units), Gate(units)]
        self.norm = keras.layers.BatchNormalization()

    def build(self, shape: Any) -> None:
        """Builds what it holds."""
        for layer in (*self.gates, self.norm):
            layer.build(shape)

    def call(self, x: Any) -> Any:
        """One after the other."""
        for gate in self.gates:
            x = gate(x)
        return self.norm(x)

    def get_config(self) -> dict[str, Any]:
        """With the units."""
        return {**super().get_config(), "units": self.units}


def build() -> Any:
    """A model of such layers, whose names nobody gave."""
    x = inputs = keras.Input((3,))
    for _ in range(2):
        x = Block(3)(keras.layers.Dense(3, activation="tanh")(x))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def compiled() -> Any:
    """The same, compiled."""
    model = build()
    model.compile("adam", "mse")
    return model


class Mute(keras.Model):  # type: ignore[misc, unused-ignore]
    """A model whose arguments no config can hold."""

    def __init__(self, first: Any) -> None:
        super().__init__()
        self.first, self.last = first, keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        """One after the other."""
        return self.last(self.first(x))

    def get_config(self) -> dict[str, Any]:
        """None, as in models that were never to be written down."""
        raise NotImplementedError("not \x1b[31mtoday")


def mute() -> Any:
    """A built model without a config."""
    model = Mute(Gate(3))
    model(keras.ops.zeros((1, 3)))
    return model
