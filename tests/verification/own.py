"""Models and layers of a user's own classes, in variants of which one's checkpoints fit another, or do not."""

from collections.abc import Callable
from typing import Any

VARIANTS: dict[str, tuple[str, ...]] = {
    "attributes": ("same", "units", "unbias", "renamed", "turned", "more", "fewer", "frozen", "scale", "float16"),
    "listed": ("same", "turned", "fewer", "more", "nested", "dict", "units"),
    "shared": ("same", "other-first", "apart", "units", "in-layer"),
    "layers": ("same", "units", "no-own", "two-own", "inner-renamed", "frozen", "sequential"),
    "hidden": ("same", "units", "fewer"),
    "odd-loader": ("same", "units", "more"),
    "tracking": ("same", "compiled", "units"),
    "functional-attributes": ("same", "units", "fewer"),
}
"""The variants of each model, the plain one first."""


def build(keras: Any, name: str, variant: str) -> Any:
    """A built model of one kind in one variant, with the same names in whatever order models are made."""
    keras.backend.clear_session(free_memory=False)
    model = _KINDS[name](keras, variant)
    if not model.built:
        model(keras.ops.zeros((1, 4)))
    return model


def _model(keras: Any, fill: Callable[[Any], list[Any]]) -> Any:
    """A subclassed model that `fill` gives its attributes; it calls the layers that this returns one by one."""

    class Own(keras.Model):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__(name="own")
            steps = fill(self)
            object.__setattr__(self, "__steps", steps)

        def call(self, x: Any) -> Any:
            for step in getattr(self, "__steps"):
                x = step(x)
            return x

    return Own()


def _attributes(keras: Any, variant: str) -> Any:
    dense = keras.layers.Dense

    def fill(model: Any) -> list[Any]:
        first = dense(4, name="one", dtype="float16" if variant == "float16" else None)
        second = dense(5 if variant == "units" else 4, use_bias=variant != "unbias", name="two")
        model.a, model.b = (second, first) if variant == "turned" else (first, second)
        second.trainable = variant != "frozen"
        steps = [first, second]
        if variant == "more":
            model.c = dense(4, name="three")
            steps.append(model.c)
        if variant == "fewer":
            del model.b
            steps = [first]
        if variant == "renamed":
            model.z = model.b
            del model.b
        if variant != "scale":
            model.scale = model.add_weight(shape=(2,), name="scale")
        return steps

    return _model(keras, fill)


def _listed(keras: Any, variant: str) -> Any:
    dense = keras.layers.Dense
    width = 6 if variant == "units" else 4

    def fill(model: Any) -> list[Any]:
        blocks = [dense(4, name="d0"), dense(4, use_bias=False, name="d1"), keras.layers.BatchNormalization(name="n")]
        last = dense(width, name="d2")
        steps = [*blocks, last]
        if variant == "turned":
            blocks = [blocks[1], blocks[0], blocks[2]]
        elif variant == "fewer":
            steps = [blocks[0], blocks[2], last]
            blocks = [blocks[0], blocks[2]]
        elif variant == "more":
            blocks.append(dense(4, name="d3"))
            steps = [*blocks, last]
        model.blocks = {"x": blocks[0], "y": blocks[1:]} if variant == "dict" else blocks
        if variant == "nested":
            model.blocks = [blocks[:1], blocks[1:]]
        model.last = last
        return steps

    return _model(keras, fill)


def _shared(keras: Any, variant: str) -> Any:
    dense = keras.layers.Dense
    holder = _block_class(keras)

    def fill(model: Any) -> list[Any]:
        layer = dense(5 if variant == "units" else 4, name="one")
        if variant == "other-first":
            model.late = model.near = layer
        elif variant == "apart":
            model.early, model.late = layer, dense(4, name="other")
            return [layer, model.late]
        else:
            model.early = model.late = layer
        if variant == "in-layer":
            model.block = holder(4, name="block", inner=layer)
            return [model.block]
        return [layer]

    return _model(keras, fill)


def _block_class(keras: Any) -> Any:
    class Block(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
        """A layer with a weight of its own, one that is not trained before it, and a layer inside."""

        def __init__(
            self, units: int, own: int = 1, inner: Any = None, attribute: str = "inner", **kwargs: Any
        ) -> None:
            super().__init__(**kwargs)
            self.units, self.own, self.attribute = units, own, attribute
            setattr(self, attribute, inner or keras.layers.Dense(units, name="inner"))

        def build(self, shape: Any) -> None:
            for number in range(self.own):
                self.add_weight(shape=(3,), name=f"count{number}", trainable=False)
                self.add_weight(shape=(self.units,), name=f"gain{number}")
            if not getattr(self, self.attribute).built:
                getattr(self, self.attribute).build(shape)

        def call(self, x: Any) -> Any:
            return getattr(self, self.attribute)(x)

    return Block


def _layers(keras: Any, variant: str) -> Any:
    block = _block_class(keras)
    own, attribute = {"no-own": 0, "two-own": 2}.get(variant, 1), "core" if variant == "inner-renamed" else "inner"
    parts = [
        keras.layers.Dense(4, name="before"),
        block(5 if variant == "units" else 4, own, None, attribute, name="mine"),
        keras.layers.BatchNormalization(name="norm"),
    ]
    parts[1].trainable = variant != "frozen"
    if variant == "sequential":
        return keras.Sequential([keras.Input((4,)), *parts], name="top")
    x = inputs = keras.Input((4,), name="in")
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x, name="top")


def _hidden(keras: Any, variant: str) -> Any:
    """A Functional model in a subclassed one in a Sequential one."""
    x = inputs = keras.Input((4,))
    for name in ("p", "q") if variant != "fewer" else ("p",):
        x = keras.layers.Dense(6 if variant == "units" and name == "q" else 4, name=name)(x)
    functional = keras.Model(inputs, x, name="functional")

    def fill(model: Any) -> list[Any]:
        model.body, model.head = functional, keras.layers.Dense(2, name="head")
        return [model.body, model.head]

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="stem"), _model(keras, fill)], name="top")


def _odd_loader(keras: Any, variant: str) -> Any:
    class Odd(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
        """A layer that writes names instead of numbers."""

        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(5 if variant == "units" else 3, 2), name="table")

        def call(self, x: Any) -> Any:
            return x

        def save_own_variables(self, store: Any) -> None:
            store["table"] = self.table.numpy()

        def load_own_variables(self, store: Any) -> None:
            self.table.assign(store["table"])

    layers = [keras.layers.Dense(4, name="first"), Odd(name="odd"), keras.layers.Dense(4, name="last")]
    if variant == "more":
        layers.append(keras.layers.Dense(4, name="more"))
    return keras.Sequential([keras.Input((4,)), *layers], name="top")


def _tracking(keras: Any, variant: str) -> Any:
    """A model with metrics, a generator of random numbers and an optimizer among its attributes."""

    def fill(model: Any) -> list[Any]:
        model.mean = keras.metrics.Mean(name="mean")
        model.noise = keras.layers.Dropout(0.5, name="noise", seed=1)
        model.chance = keras.random.SeedGenerator(3)
        model.only = keras.layers.Dense(6 if variant == "units" else 4, name="only")
        model.second_optimizer = keras.optimizers.SGD(momentum=0.5)
        return [model.only, model.noise]

    model = _model(keras, fill)
    model(keras.ops.zeros((1, 4)))
    model.second_optimizer.build(model.trainable_variables)
    if variant == "compiled":
        model.compile("adam", "mse")
    return model


def _functional_attributes(keras: Any, variant: str) -> Any:
    """A subclass of Model made from inputs and outputs, with attributes beside its layers."""

    class Both(keras.Model):  # type: ignore[misc, unused-ignore]
        pass

    x = inputs = keras.Input((4,), name="in")
    first = keras.layers.Dense(4, name="first")
    second = keras.layers.Dense(7 if variant == "units" else 4, name="second")
    x = first(x) if variant == "fewer" else second(first(x))
    model = Both(inputs, x, name="both")
    model.again = first
    return model


_KINDS: dict[str, Callable[[Any, str], Any]] = {
    "attributes": _attributes,
    "listed": _listed,
    "shared": _shared,
    "layers": _layers,
    "hidden": _hidden,
    "odd-loader": _odd_loader,
    "tracking": _tracking,
    "functional-attributes": _functional_attributes,
}
