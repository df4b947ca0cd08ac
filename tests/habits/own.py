"""Classes and functions of a user's own, for every Keras from 1.2 to 3: models are made and loaded with the same ones.

Runs wherever one Keras is installed (`use` says which), on Python 3.6 too, and imports nothing else of the project.
"""

import importlib

import numpy as np


class Api:
    """One Keras: its modules, its number, and what is called otherwise in it."""

    def __init__(self, name):
        """`name` is the module of Keras: "keras" or "tensorflow.keras"."""
        front, _, last = name.rpartition(".")
        self.keras = getattr(importlib.import_module(front), last) if front else importlib.import_module(name)
        self.layers, self.models = self.keras.layers, self.keras.models
        self.backend = getattr(self.keras, "ops", None) or self.keras.backend
        version = getattr(self.keras, "__version__", None) or importlib.import_module("keras").__version__
        self.version = version
        self.generation = int(version.split(".")[0])
        self.within_tensorflow = name != "keras"

    def weight(self, layer, name, shape, start, trainable=True):
        """Make a weight of a layer, with an initializer by name."""
        if self.generation == 1:
            return layer.add_weight(
                shape, initializer=start, name="{}_{}".format(layer.name, name), trainable=trainable
            )
        return layer.add_weight(name=name, shape=shape, initializer=start, trainable=trainable)

    def since(self, *numbers):
        """Whether this Keras is of a version or a later one."""
        own = [int(number) for number in self.version.split("-")[0].split(".")[:2]]
        return own >= list(numbers)

    def base(self):
        """The class of which layers are made."""
        return self.layers.Layer if hasattr(self.layers, "Layer") else self.keras.engine.topology.Layer


def exp_act(x):
    """An activation of a user's own."""
    return _api.backend.exp(x) * 0.1


def gelu(x):
    """A GELU that people wrote before Keras had one, by a sigmoid."""
    return x * _sigmoid(1.702 * x)


def swish(x):
    """A swish with a slope of its own."""
    return x * _sigmoid(1.5 * x)


def hard_swish(x):
    """A hard swish over a line of slope 0.2."""
    return x * _clip(0.2 * x + 0.5)


def mish(x):
    """Mish, as Keras 3 has it."""
    return x * _api.backend.tanh(_api.backend.softplus(x)) if hasattr(_api.backend, "softplus") else x


def _sigmoid(x):
    return _api.backend.sigmoid(x)


def _clip(x):
    return _api.backend.clip(x, 0.0, 1.0)


def double(x):
    """The function of a Lambda layer."""
    return x * 2.0 + 1.0


def scaled_by(x, factor=1.0):
    """The function of a Lambda layer with arguments."""
    return x * factor


def own_loss(y_true, y_pred):
    """A loss of a user's own."""
    return _mean(_square(y_true - y_pred)) * 2.0


def own_metric(y_true, y_pred):
    """A metric of a user's own."""
    return _mean(_square(y_true - y_pred))


def _square(x):
    return _api.backend.square(x)


def _mean(x):
    return _api.backend.mean(x, axis=-1)


def small(shape, dtype=None, **others):
    """An initializer of a user's own, a function."""
    value = np.full([int(size) for size in shape], 0.05, dtype="float32")
    return value if _api.generation == 3 else _api.keras.backend.constant(value)


def shrink(weights):
    """A regularizer of a user's own, a function."""
    backend = _api.backend
    return 0.001 * (backend.sum(backend.abs(weights)))


_api = None


def registered_act(x):
    """An activation that the author registered."""
    return _api.backend.tanh(x) * 0.5


CLASSES = ("Scale", "Project", "Fixed", "Block", "Wrapped", "Cell", "Registered")
FUNCTIONS = (exp_act, gelu, swish, hard_swish, mish, own_loss, own_metric, small, shrink, registered_act)


def use(name):
    """Take the Keras of this module name, and make the classes for it."""
    global _api
    _api = Api(name)
    globals().update(_classes(_api))
    return _api


def forget(model):
    """Let recurrent layers that remember begin anew."""
    for layer in model.layers:
        inner = getattr(layer, "layers", None)
        if inner:
            forget(layer)
        parts = [getattr(layer, name, layer) for name in ("forward_layer", "backward_layer")]
        for part in [] if inner else parts:
            if getattr(part, "stateful", False) and hasattr(part, "reset_states"):
                part.reset_states()


def objects():
    """All classes and functions by the names that configs have for them."""
    functions = {function.__name__: function for function in FUNCTIONS}
    functions.update({name: globals()[name] for name in names()})
    functions.update({"mine>" + name: globals()[name] for name in names()})
    functions["mine>registered_act"] = registered_act
    return functions


def names():
    """The names of the classes that this Keras has the parts for."""
    return [name for name in CLASSES if name in globals()]


def _registering(api):
    """The decorator that registers a class or a function under a package; none in Keras before TensorFlow's."""
    for module in ("saving", "utils"):
        register = getattr(getattr(api.keras, module, None), "register_keras_serializable", None)
        if register:
            return register("mine")
    return None


def name_of(api, function):
    """An activation as a config has it."""
    if api.generation == 1:
        return function.__name__
    return api.keras.activations.serialize(function)


def _shape(api, shape):
    """The result of `compute_output_shape`, whatever Keras calls it."""
    return tuple(shape)


def _classes(api):
    """The classes, made for one Keras."""
    base = api.base()

    class Scale(base):
        """A factor for every feature: in front or in the middle, one weight."""

        def build(self, input_shape):
            self.gain = api.weight(self, "gain", (int(input_shape[-1]),), "one" if api.generation == 1 else "ones")
            base.build(self, input_shape)

        def call(self, x, mask=None):
            return x * self.gain

        def compute_output_shape(self, input_shape):
            return _shape(api, input_shape)

    class Project(base):
        """A dense layer of a user's own, with an activation and an argument."""

        def __init__(self, units=4, activation=None, **kwargs):
            base.__init__(self, **kwargs)
            self.units = units
            own_ones = {function.__name__: function for function in FUNCTIONS}
            known = isinstance(activation, str) and not hasattr(api.keras.activations, activation)
            self.activation = own_ones[activation] if known else api.keras.activations.get(activation)

        def build(self, input_shape):
            start = "glorot_uniform"
            self.matrix = api.weight(self, "matrix", (int(input_shape[-1]), self.units), start)
            self.shift = api.weight(self, "shift", (self.units,), "zero" if api.generation == 1 else "zeros")
            base.build(self, input_shape)

        def call(self, x, mask=None):
            product = (
                api.backend.matmul(x, self.matrix) if api.generation == 3 else api.keras.backend.dot(x, self.matrix)
            )
            return self.activation(product + self.shift)

        def compute_output_shape(self, input_shape):
            return (*tuple(input_shape[:-1]), self.units)

        def get_output_shape_for(self, input_shape):
            return self.compute_output_shape(input_shape)

        def get_config(self):
            config = dict(base.get_config(self))
            config.update(units=self.units, activation=name_of(api, self.activation))
            return config

    class Fixed(api.layers.Dropout):
        """A Dropout under a name of a user's own, as EfficientNet's; its argument had another name in Keras 1."""

        def __init__(self, rate=0.5, **kwargs):
            api.layers.Dropout.__init__(self, kwargs.pop("p", rate), **kwargs)

    class Block(base):
        """Two layers of Keras that it holds as attributes."""

        def __init__(self, units=3, **kwargs):
            base.__init__(self, **kwargs)
            self.units = units
            self.first = api.layers.Dense(units, activation="relu")
            self.second = api.layers.Dense(units)

        def build(self, input_shape):
            self.first.build(input_shape)
            self.second.build((*tuple(input_shape[:-1]), self.units))
            base.build(self, input_shape)

        def call(self, x):
            return self.second(self.first(x))

        def compute_output_shape(self, input_shape):
            return (*tuple(input_shape[:-1]), self.units)

        def get_config(self):
            config = dict(base.get_config(self))
            config.update(units=self.units)
            return config

    class Wrapped(api.layers.Wrapper):
        """A wrapper of a user's own: the layer that it holds, times two."""

        def build(self, input_shape=None):
            if not self.layer.built:
                self.layer.build(input_shape)
                self.layer.built = True
            self.built = True

        def call(self, x):
            return self.layer(x) * 2.0 if api.within_tensorflow or api.generation == 3 else self.layer.call(x) * 2.0

        def compute_output_shape(self, input_shape):
            return self.layer.compute_output_shape(input_shape)

    class Cell(base):
        """The step of a recurrent layer of a user's own."""

        def __init__(self, units=4, **kwargs):
            base.__init__(self, **kwargs)
            self.units = self.state_size = self.output_size = units

        def build(self, input_shape):
            self.kernel = api.weight(self, "kernel", (int(input_shape[-1]), self.units), "glorot_uniform")
            self.recurrent = api.weight(self, "recurrent", (self.units, self.units), "glorot_uniform")
            base.build(self, input_shape)

        def call(self, x, states):
            dot = api.backend.matmul if api.generation == 3 else api.keras.backend.dot
            output = api.backend.tanh(dot(x, self.kernel) + dot(states[0], self.recurrent))
            return output, [output]

        def compute_output_shape(self, input_shape):
            return (input_shape[0], self.units)

        def get_config(self):
            config = dict(base.get_config(self))
            config.update(units=self.units)
            return config

    class Registered(Project):
        """A dense layer that its author registered."""

    classes = {"Scale": Scale, "Project": Project, "Fixed": Fixed, "Block": Block, "Wrapped": Wrapped}
    if api.generation > 1:
        classes["Cell"] = Cell
    register = _registering(api)
    if register:
        classes["Registered"] = register(Registered)
        register(registered_act)
    if api.generation == 1:
        Scale.get_output_shape_for = lambda self, input_shape: tuple(input_shape)
    return classes
