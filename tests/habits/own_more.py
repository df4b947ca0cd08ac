"""More of a user's own: a model as a layer, layers that add losses, losses, metrics and schedules; for every Keras.

Runs beside `own.py` wherever a Keras is installed, on Python 3.6 too.
"""


def average(x):
    """The mean over time, which a Lambda layer computes."""
    return _mean(x, 1)


def difference(tensors):
    """The difference of two tensors, which a Lambda layer computes."""
    return tensors[0] - tensors[1]


def squared(x):
    """A square, which a Lambda layer computes."""
    return x * x * 0.5


def zeroed(x, mask=None):
    """Steps that are masked become zeros, which a Lambda layer computes that is given the mask."""
    if mask is None:
        return x * 1.0
    return x * (_api.backend.expand_dims(_numbers(mask), -1))


def first_steps(x, mask=None):
    """The mask behind a Lambda layer: the steps after the first are taken if the first is not masked."""
    return mask


def _numbers(mask):
    if _api.generation == 3:
        return _api.backend.cast(mask, "float32")
    return _api.keras.backend.cast(mask, "float32")


def leaky(x):
    """An activation of a user's own, with a slope for negative numbers."""
    return x * 0.5 + _api.backend.abs(x) * 0.3


def share(y_true, y_pred):
    """A metric of a user's own that has the name of an argument of Keras."""
    return _mean(y_pred * y_true, -1)


def _mean(x, axis):
    return _api.backend.mean(x, axis=axis)


_api = None
FUNCTIONS = (average, difference, squared, zeroed, first_steps, leaky, share)
CLASSES = ("Inner", "Penalty", "Watched", "Hold", "Loss", "Ratio", "Warm")


def use(api):
    """Make the classes for a Keras, those that it has the parts for."""
    global _api
    _api = api
    for name in CLASSES:
        globals().pop(name, None)
    globals().update(_layers(api))
    if api.within_tensorflow or api.generation == 3:
        globals().update(_models(api))
        globals().update(_settings(api))


def has(name):
    """Whether this Keras has the parts for a class."""
    return name in globals()


def objects():
    """All classes and functions by the names that configs have for them."""
    functions = {function.__name__: function for function in FUNCTIONS}
    functions.update({name: globals()[name] for name in CLASSES if has(name)})
    return functions


def _layers(api):
    base = api.base()

    class Penalty(base):
        """A layer without weights that adds a loss where it is called."""

        def call(self, x, mask=None):
            if api.generation > 1 and (api.within_tensorflow or api.generation == 3):
                self.add_loss(0.01 * api.backend.sum(api.backend.square(x)))
            return x + 0.0

        def compute_output_shape(self, input_shape):
            return input_shape

        def get_output_shape_for(self, input_shape):
            return input_shape

    class Hold(base):
        """A layer that takes a mask and hands it on, with a frozen weight and a trained one."""

        def __init__(self, factor=2.0, **kwargs):
            base.__init__(self, **kwargs)
            self.factor, self.supports_masking = factor, True

        def build(self, input_shape):
            ones = "one" if api.generation == 1 else "ones"
            self.fixed = api.weight(self, "fixed", (int(input_shape[-1]),), ones, trainable=False)
            self.gain = api.weight(self, "gain", (int(input_shape[-1]),), ones)
            base.build(self, input_shape)

        def call(self, x, mask=None):
            return x * self.gain * self.factor + self.fixed

        def compute_mask(self, x, mask=None):
            return mask

        def compute_output_shape(self, input_shape):
            return tuple(input_shape)

        def get_output_shape_for(self, input_shape):
            return tuple(input_shape)

        def get_config(self):
            return dict(base.get_config(self), factor=self.factor)

    return {"Penalty": Penalty, "Hold": Hold}


def _models(api):
    class Inner(api.keras.Model):
        """A model of a user's own, used as a layer: two layers as attributes."""

        def __init__(self, units=3, **kwargs):
            api.keras.Model.__init__(self, **kwargs)
            self.units = units
            self.dense = api.layers.Dense(units, activation="tanh")
            self.norm = api.layers.BatchNormalization()

        def build(self, input_shape):
            self.dense.build(input_shape)
            self.norm.build((*tuple(input_shape[:-1]), self.units))
            self.built = True

        def call(self, x, training=None):
            return self.norm(self.dense(x), training=training)

        def get_config(self):
            return {"units": self.units, "name": self.name}

        @classmethod
        def from_config(cls, config, custom_objects=None):
            return cls(**config)

    class Watched(api.base()):
        """A layer that adds a metric where it is called, where Keras lets it."""

        def call(self, x):
            if api.generation == 2:
                self.add_metric(api.backend.mean(x), name="watched", aggregation="mean")
            return x * 1.0

        def compute_output_shape(self, input_shape):
            return input_shape

    return {"Inner": Inner, "Watched": Watched}


def _settings(api):
    keras, backend = api.keras, api.backend

    class Loss(keras.losses.Loss):
        """A loss of a user's own, a class with an argument."""

        def __init__(self, factor=1.5, name="mine", **kwargs):
            keras.losses.Loss.__init__(self, name=name, **kwargs)
            self.factor = factor

        def call(self, y_true, y_pred):
            return self.factor * backend.mean(backend.square(y_true - y_pred), axis=-1)

        def get_config(self):
            return dict(keras.losses.Loss.get_config(self), factor=self.factor)

    class Ratio(keras.metrics.Metric):
        """A metric of a user's own, a class with state."""

        def __init__(self, name="ratio", **kwargs):
            keras.metrics.Metric.__init__(self, name=name, **kwargs)
            self.total = self.add_weight(name="total", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign(self.total + backend.mean(y_pred))

        def result(self):
            return self.total + 0.0

    class Warm(keras.optimizers.schedules.LearningRateSchedule):
        """A schedule of a user's own."""

        def __init__(self, rate=0.01):
            self.rate = rate

        def __call__(self, step):
            return self.rate

        def get_config(self):
            return {"rate": self.rate}

    return {"Loss": Loss, "Ratio": Ratio, "Warm": Warm}
