"""Models as people build and save them, by genuine old Keras: `python generator.py OUT --keras NAME --count M`.

Runs beside `own.py` wherever a Keras is installed (1.2, 2.0 to 2.3, tf.keras, 3), on Python 3.6 too. Each case is a
file, an `.npz` of inputs (x0, x1, ...), outputs (y0, ...) and, of a compiled model, targets (t0, ...) and the loss
there ("loss"), outputs after one more step of training (z0, ...) and after a step of the model that this Keras loads of
the file (w0, ...), and a line of `cases.jsonl` with the habits that went into it. The same seed, `--rare` and `--wide`
give the same models.
"""

import argparse
import json
import os
import sys
import traceback
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.filterwarnings("ignore")

import numpy as np
import own
import own_more
import settings
import special
import wider

SAMPLES = 4


class Draw:
    """A random person, who remembers what habits showed."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)
        self.habits = []

    def choice(self, *choices):
        """A random one of the choices."""
        return choices[self.random.randint(len(choices))]

    def chance(self, percent):
        """Whether something happens."""
        return self.random.randint(100) < percent

    def has(self, habit, percent):
        """Whether this person has a habit, which is noted."""
        shows = self.chance(percent)
        if shows:
            self.habits.append(habit)
        return shows


class Author:
    """Someone who writes models with one Keras."""

    def __init__(self, api, draw, rare=30, wide=0):
        self.rare = rare  # of a hundred models, which are of rarer habits
        self.wide = wide  # of a hundred models, which are of still others
        self.api, self.d, self.l = api, draw, api.layers
        self.first = api.generation == 1
        self.plain = draw.chance(60)  # uses no objects of its own
        self.repeats = draw.has("input_shape on every layer", 20)
        self.used = {}
        self.batch = None  # of a model that takes no random numbers
        self.asked = None  # keywords of `compile` that go with a model
        self.steps = None  # of training before saving

    # -- layers ---------------------------------------------------------------------------------------------------

    def name(self, kind):
        """The keyword for a name, sometimes one."""
        if not self.d.chance(25):
            return {}
        self.used[kind] = self.used.get(kind, 0) + 1
        slash = "/" if self.api.generation != 3 and self.d.has("slash in a name", 10) else "_"
        return {"name": "{}{}{}".format(self.d.choice("my", "block1", "Top"), slash, kind) + str(self.used[kind])}

    def shape(self, shape):
        """The keyword for a shape that a layer in mid-model does not need."""
        if not self.repeats or self.api.generation == 3:
            return {}
        if self.d.has("stale input_shape", 40):
            shape = tuple(size + 1 if isinstance(size, int) else size for size in shape)
        return {"input_shape": shape}

    def activation(self):
        """An activation as people state it: by a name, or a function of their own."""
        if not self.plain and self.d.has("own activation", 35):
            function = self.d.choice(own.exp_act, own.gelu, own.swish, own.hard_swish, own.mish)
            return own.exp_act if hasattr(self.api.keras.activations, function.__name__) else function
        return self.d.choice("relu", "tanh", "sigmoid", "linear", "relu", "elu", "hard_sigmoid", "softplus", None)

    def settings(self):
        """Initializers, regularizers and constraints of a layer with a kernel."""
        keywords, keras = {}, self.api.keras
        prefix = "W_" if self.first else "kernel_"
        if self.d.has("regularizer object", 15):
            keywords[prefix + "regularizer"] = keras.regularizers.l2(self.numpy(0.001))
        if self.d.has("constraint object", 8):
            keywords[prefix + "constraint"] = (keras.constraints.maxnorm if self.first else keras.constraints.MaxNorm)(
                2
            )
        if not self.first and self.d.has("initializer", 20):
            initializers = keras.initializers
            keywords["kernel_initializer"] = self.d.choice(
                "he_normal", "lecun_uniform", initializers.Constant(0.1), "glorot_normal"
            )
        if not self.plain and not self.first and self.d.has("own initializer", 12):
            keywords["bias_initializer"] = own.small
        if not self.plain and not self.first and self.d.has("own regularizer", 12):
            keywords["kernel_regularizer"] = own.shrink
        if self.d.has("no bias", 10) and "bias_initializer" not in keywords:
            keywords["bias" if self.first else "use_bias"] = False
        return keywords

    def dense(self, units, shape, **kwargs):
        """A Dense layer, or one of the author's own that computes the same kind of thing."""
        if not self.plain and self.d.has("own layer in the middle", 20):
            return own.Project(units, activation=self.activation(), **dict(self.name("project"), **kwargs))
        settings = dict(self.settings(), **self.name("dense"))
        settings.update(self.shape(shape))
        settings.update(kwargs)
        return self.l.Dense(self.numpy(units), activation=self.activation(), **settings)

    def numpy(self, value):
        """A number, sometimes as NumPy has it."""
        if self.api.generation == 3 or self.api.within_tensorflow or not self.d.has("NumPy value as an argument", 6):
            return value
        return np.int64(value) if isinstance(value, int) else np.float32(value)

    def conv(self, rank, filters, size, shape, **kwargs):
        """A convolution, of the names of its age."""
        kwargs.update(self.shape(shape))
        kwargs.update(self.name("conv"))
        activation = self.activation()
        if self.first:
            kwargs["border_mode"] = "same"
            if rank == 1:
                return self.l.Convolution1D(filters, size, activation=activation, **kwargs)
            return self.l.Convolution2D(filters, size, size, activation=activation, **kwargs)
        kwargs["padding"] = self.d.choice("same", "same", "valid")
        if rank == 2 and self.d.chance(20):
            return self.l.SeparableConv2D(filters, size, activation=activation, **kwargs)
        return getattr(self.l, "Conv{}D".format(rank))(
            filters, size, activation=activation, **dict(self.settings(), **kwargs)
        )

    def dropout(self):
        """A Dropout, or the author's own."""
        rate = self.numpy(0.25)
        if not self.plain and self.d.has("own Dropout", 30):
            return own.Fixed(rate, **self.name("fixed"))
        return self.l.Dropout(rate, **self.name("dropout"))

    def norm(self):
        """A normalization."""
        return self.l.BatchNormalization(**self.name("bn"))

    def between(self, shape):
        """A layer that keeps the shape, of many kinds."""
        kinds = ["dropout", "norm", "act", "leaky", "scale", "lambda", "prelu", "noise"]
        if not self.first:
            kinds += ["layer_norm", "reshape", "wrapped"]
        kind = self.d.choice(*kinds)
        if kind == "dropout":
            return self.dropout()
        if kind == "norm":
            return self.norm()
        if kind == "leaky":
            advanced = self.l if hasattr(self.l, "LeakyReLU") else self.l.advanced_activations
            return advanced.LeakyReLU(self.numpy(0.2))
        if kind == "prelu":
            return self.l.PReLU(**({} if self.first else {"shared_axes": list(range(1, len(shape))) or None}))
        if kind == "noise":
            return self.l.GaussianNoise(0.1)
        if kind == "scale" and not self.plain:
            self.d.habits.append("own layer with a weight")
            return own.Scale(**self.name("scale"))
        if kind == "lambda" and not self.plain:
            self.d.habits.append("Lambda")
            return self.lambda_layer()
        if kind == "layer_norm" and hasattr(self.l, "LayerNormalization"):
            return self.l.LayerNormalization()
        if kind == "wrapped" and not self.plain and self.api.generation != 1 and len(shape) == 1:
            self.d.habits.append("own wrapper")
            return own.Wrapped(self.l.Dense(shape[-1], activation="tanh"))
        activation = self.activation()
        return self.l.Activation(activation or "linear", **self.name("act"))

    def lambda_layer(self):
        """A Lambda layer of a function that can be given anew."""
        name = "lambda_{}".format(self.random_number())
        if self.d.chance(50):
            return self.l.Lambda(own.double, name=name)
        return self.l.Lambda(own.scaled_by, arguments={"factor": 0.5}, name=name)

    def random_number(self):
        """A number for a name."""
        return int(self.d.random.randint(10**6))

    # -- stacks of layers -----------------------------------------------------------------------------------------

    def front(self, kind):
        """The shape of an input and the first layers behind it."""
        if kind == "vector":
            shape = (self.d.choice(5, 6, 8),)
        elif kind == "sequence":
            shape = (self.d.choice(6, 7, None), 4)
        elif kind == "image":
            shape = (8, 8, self.d.choice(1, 3))
        else:
            shape = (6,)
        return shape

    def stack(self, kind, shape):
        """Layers that end in a vector, with the shapes that go into each; the last is not a head."""
        layers = []
        if not self.plain and kind == "vector" and self.d.has("own layer in front", 15):
            layers.append(own.Scale(**self.name("scale")))
        if kind == "tokens":
            mask = self.d.has("mask_zero", 30)
            layers.append(self.l.Embedding(12, 5, mask_zero=mask, **self.name("emb")))
            layers.append(self.recurrent((*shape, 5)))
        elif kind == "sequence":
            if self.d.chance(50):
                layers.append(self.conv(1, 5, 2, shape))
                layers.append(self.between((None, 5)))
            layers.append(self.recurrent((shape[0], 5)))
        elif kind == "image":
            for at in range(self.d.choice(1, 2)):
                layers.append(self.conv(2, 4, 3, shape if at == 0 else (*shape[:2], 4)))
                layers.append(self.between((8, 8, 4)))
            layers.append(self.l.MaxPooling2D())
            layers.append(self.d.choice(self.l.Flatten, self.l.GlobalAveragePooling2D)())
        for _ in range(self.d.choice(1, 2, 3)):
            units = self.d.choice(4, 5, 6)
            layers.append(self.dense(units, (units,)))
            if self.d.chance(60):
                layers.append(self.between((units,)))
        tracks = (
            self.api.within_tensorflow or self.api.generation == 3
        )  # Keras 2 of many backends saves no inner layers
        if not self.plain and tracks and self.d.has("own layer that holds layers", 12):
            layers.append(own.Block(3))
        return [layer for layer in layers if layer is not None]

    def recurrent(self, shape):
        """A recurrent layer, wrapped or not."""
        kind = self.d.choice("LSTM", "GRU", "SimpleRNN", "Bidirectional", "LSTM")
        options = {} if self.d.chance(70) else {"activation": self.d.choice("tanh", "relu")}
        options.update(self.shape(shape))
        if kind == "Bidirectional":
            self.d.habits.append("Bidirectional")
            cell = getattr(self.l, self.d.choice("LSTM", "GRU"))(4, **options)
            bidirectional = self.l.Bidirectional if hasattr(self.l, "Bidirectional") else self.l.wrappers.Bidirectional
            return bidirectional(cell)
        return getattr(self.l, kind)(4, **dict(options, **self.name("rnn")))

    def sequential(self, layers, shape, **kwargs):
        """A Sequential model of these layers, its input stated in one of the ways there are."""
        model = self.api.models.Sequential(**kwargs)
        how = self.d.choice("input layer", "first layer", "first layer")
        deferred = self.api.within_tensorflow or self.api.generation == 3
        if deferred and self.d.has("deferred Sequential", 15):
            how = "deferred"
        if how == "first layer" and not self.first and self.api.generation != 3:
            layers = self.sets_first_shape(layers, shape)
        elif how != "deferred" or self.first:
            layers = [self.input_layer(shape), *layers]
        for layer in layers:
            model.add(layer)
        return model

    def sets_first_shape(self, layers, shape):
        """The layers, the first of which states the input's shape, made anew with it."""
        config = dict(layers[0].get_config())
        config["batch_input_shape"] = (None, *tuple(shape))
        try:
            return [type(layers[0]).from_config(config), *layers[1:]]
        except Exception:
            return [self.input_layer(shape), *layers]

    def input_layer(self, shape):
        """An InputLayer."""
        return self.l.InputLayer(tuple(shape))

    def merged(self, tensors):
        """Some tensors in one."""
        if self.first:
            return self.l.merge(tensors, mode="concat")
        return self.l.Concatenate()(tensors) if self.d.chance(50) else self.l.concatenate(tensors)

    def graph(self, kinds):
        """A Functional model of some inputs, whose branches are joined."""
        keras, ends, inputs = self.api.keras, [], []
        for kind in kinds:
            shape = self.front(kind)
            options = {"dtype": "int32"} if kind == "tokens" else {}
            x = keras.layers.Input(
                shape=shape, **dict(options, **({"name": "in_" + kind} if self.d.chance(40) else {}))
            )
            inputs.append(x)
            ends.append(self.branch(kind, shape, x))
        joined = ends[0] if len(ends) == 1 else self.merged(ends)
        if self.d.has("shared layer", 25):
            units = int(joined.shape[-1]) if not self.first else int(keras.backend.int_shape(joined)[-1])
            shared = self.l.Dense(units, activation="tanh")
            again = shared(shared(joined))
            joined = self.merged([joined, again])
        heads = [self.head(joined, "out" if self.d.chance(60) else None)]
        if self.d.has("two outputs", 20):
            heads.append(self.head(joined, None))
        models = self.api.models
        ends_by_name = {"input": inputs, "output": heads} if self.first else {"inputs": inputs, "outputs": heads}
        if len(inputs) == 1 and self.d.chance(70):
            ends_by_name = {key: value[0] if key.startswith("input") else value for key, value in ends_by_name.items()}
        if len(heads) == 1:
            ends_by_name = {key: value[0] if key.startswith("output") else value for key, value in ends_by_name.items()}
        return models.Model(**ends_by_name)

    def branch(self, kind, shape, x):
        """The layers behind one input, sometimes a model of their own."""
        layers = self.stack(kind, shape)
        if self.d.has("nested Sequential", 25):
            return self.sequential(layers, shape, **self.name("nested"))(x)
        for layer in layers:
            x = layer(x)
        return x

    def head(self, x, name):
        """The last layer."""
        return self.l.Dense(2, activation=self.d.choice("softmax", "sigmoid"), **({"name": name} if name else {}))(x)

    def head_layer(self):
        """The last layer of a Sequential model."""
        return self.l.Dense(2, activation=self.d.choice("softmax", "sigmoid"))

    def joined_of(self, layers, shape):
        """A Functional model of layers one behind the other."""
        x = start = self.l.Input(shape=shape) if hasattr(self.l, "Input") else self.api.keras.engine.Input(shape=shape)
        for layer in layers:
            x = layer(x) if layer is not None else x
        return self.api.models.Model(
            **({"input": start, "output": x} if self.first else {"inputs": start, "outputs": x})
        )

    def moved(self, model):
        """A model of the layers of another one, as people cut and extend them."""
        keras = self.api.keras
        end = model.layers[-2].output
        head = self.l.Dense(2, activation="softmax", name="new_head")(end)
        inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
        if self.first:
            return keras.models.Model(input=inputs, output=head)
        return keras.models.Model(inputs, head)

    def taken(self, layers, shape):
        """A Sequential model into which the layers of another one were put, whose shapes were others."""
        donor = self.api.models.Sequential()
        for layer in [self.input_layer(shape), *layers]:
            donor.add(layer)
        model = self.api.models.Sequential()
        model.add(self.input_layer(shape))
        for layer in donor.layers:
            if type(layer).__name__ != "InputLayer":
                model.add(layer)
        return model

    def model(self):
        """A whole model."""
        if self.wide and self.d.chance(self.wide):
            return wider.wide(self)
        if self.rare and self.d.chance(self.rare):
            return special.special(self)
        kind = self.d.choice("vector", "vector", "sequence", "image", "tokens")
        form = self.d.choice("sequential", "sequential", "graph", "graph", "moved", "taken", "several")
        shape = self.front(kind)
        if form == "sequential":
            layers = [*self.stack(kind, shape), self.l.Dense(2, activation="softmax")]
            return self.sequential(layers, shape)
        if form == "taken":
            self.d.habits.append("layers taken over")
            return self.taken([*self.stack(kind, shape), self.l.Dense(2, activation="sigmoid")], shape)
        if form == "moved":
            self.d.habits.append("model cut and extended")
            return self.moved(self.graph([kind]))
        kinds = [kind] if form == "graph" else [kind, self.d.choice("vector", "tokens")]
        return self.graph(kinds)

    # -- compiling, training, saving ------------------------------------------------------------------------------

    def compiled(self, model, outputs):
        """Compile a model as people do; whether it was."""
        if self.asked or (self.wide and self.d.chance(self.wide)):
            model.compile(**(self.asked or settings.drawn(self, outputs)))
            return True
        if self.d.has("not compiled", 15):
            return False
        optimizers, keras = self.api.keras.optimizers, self.api.keras
        name = self.d.choice("adam", "sgd", "rmsprop", "Adam", "nadam", "adagrad", "adadelta", "adamax")
        optimizer = name.lower() if self.first else name
        if self.d.has("optimizer object", 60):
            optimizer = self.optimizer(optimizers)
        else:
            self.d.habits.append("optimizer by name")
        losses = ["mse", "mean_squared_error", "categorical_crossentropy", "binary_crossentropy", "mae"]
        loss = self.d.choice(*losses)
        if not self.plain and self.d.has("own loss", 15):
            loss = own.own_loss
        elif not self.first and hasattr(keras.losses, "MeanSquaredError") and self.d.has("loss object", 20):
            loss = keras.losses.MeanSquaredError()
        if self.rare and outputs > 1 and self.d.has("losses by output names", 40):
            return self.compiled_by_names(model, optimizer, loss)
        if outputs > 1 and self.d.has("losses in a list", 40):
            loss = [loss] * outputs
        metrics = self.d.choice(None, ["accuracy"], ["acc"], ["mae"], ["mse", "accuracy"])
        if not self.plain and metrics and self.d.has("own metric", 20):
            metrics = [*metrics, own.own_metric]
        if outputs > 1 and self.api.generation == 3 and metrics:
            metrics = [metrics] * outputs
        options = {"metrics": metrics} if metrics else {}
        if outputs > 1 and self.d.has("loss_weights", 30):
            options["loss_weights"] = [1.0, 0.5]
        model.compile(loss=loss, optimizer=optimizer, **options)
        return True

    def compiled_by_names(self, model, optimizer, loss):
        """Compile a model of several outputs with dicts; always true."""
        names = list(model.output_names)
        options = {"loss_weights": {name: 0.5 + at for at, name in enumerate(names)}} if self.d.chance(60) else {}
        if self.d.chance(60):
            options["metrics"] = {names[0]: self.d.choice(["mae"], ["accuracy"])}
        model.compile(optimizer=optimizer, loss=dict.fromkeys(names, loss), **options)
        return True

    def optimizer(self, optimizers):
        """An optimizer object."""
        rate = "learning_rate" if (self.api.within_tensorflow or self.api.generation == 3) else "lr"
        kind = self.d.choice("SGD", "Adam", "RMSprop", "SGD")
        options = {rate: 0.01}
        schedules = getattr(optimizers, "schedules", None)
        if self.rare and rate == "learning_rate" and schedules and self.d.has("schedule as learning rate", 20):
            options[rate] = self.d.choice(
                schedules.ExponentialDecay(0.01, 100, 0.9),
                schedules.PiecewiseConstantDecay([5, 10], [0.01, 0.005, 0.001]),
                schedules.PolynomialDecay(0.01, 50),
            )
        if kind == "SGD" and self.d.chance(60):
            options.update(momentum=0.9, nesterov=self.d.chance(50))
        if (
            isinstance(options[rate], float)
            and self.d.chance(25)
            and not (self.api.generation == 3 or "tf-keras" in self.api.version)
        ):
            options["decay"] = 1e-3
            self.d.habits.append("decay")
        if self.d.chance(20):
            options["clipnorm"] = 1.0
        try:
            return getattr(optimizers, kind)(**options)
        except (TypeError, ValueError):
            options.pop("decay", None)
            return getattr(optimizers, kind)(**options)


def inputs_of(api, model, random, kinds=None):
    """A batch for each input of a model."""
    batches = []
    for tensor in model.inputs:
        shape = tuple(api.keras.backend.int_shape(tensor)) if hasattr(api.keras.backend, "int_shape") else tensor.shape
        shape = (SAMPLES, *tuple(int(size) if size else 6 for size in shape[1:]))
        tokens = any("Embedding" in type(layer).__name__ for layer in first_layers(model, tensor))
        if tokens:
            batches.append(random.randint(0, 12, shape).astype("int32" if api.generation > 1 else "float32"))
        else:
            batches.append(random.uniform(-1, 1, shape).astype("float32"))
    return batches


def first_layers(model, tensor):
    """The layers that take an input of a model: all of a model whose graph does not say."""
    if len(model.inputs) == 1:
        stack, layers = list(model.layers), []
        while stack:
            layer = stack.pop()
            layers.append(layer)
            stack.extend(getattr(layer, "layers", None) or [])
        return layers
    name = tensor.name
    return (
        [type("Embedding", (), {})()]
        if "tokens" in name or getattr(tensor, "dtype", "") == "int32" or "int" in str(getattr(tensor, "dtype", ""))
        else []
    )


def as_list(value):
    """The arrays of what `predict` gave."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def randomized(model, random):
    """Every weight another random number, variances positive."""
    weights = model.get_weights()
    names = [getattr(w, "path", w.name) for w in model.weights]
    values = []
    for name, value in zip(names, weights):  # noqa: B905 - Python 3.6 has no strict
        if "variance" in name or "running_std" in name:
            values.append(random.uniform(0.5, 2.0, value.shape).astype(value.dtype))
        elif value.dtype.kind == "f":
            values.append(random.normal(0, 0.25, value.shape).astype(value.dtype))
        else:
            values.append(value)
    if len(values) == len(weights):
        model.set_weights(values)


def case(api, seed, out, formats, rare=30, wide=0):
    """Write one case; its line."""
    draw = Draw(seed)
    author = Author(api, draw, rare, wide)
    api.keras.backend.clear_session() if hasattr(api.keras.backend, "clear_session") else None
    model = author.model()
    random = np.random.RandomState(seed)
    if not getattr(model, "inputs", None):
        deferred = deferred_batch(author, model, random)
        model.predict(deferred)
        xs = [deferred]
    else:
        xs = author.batch or inputs_of(api, model, random)
    randomized(model, random)
    fed = [special.strings(x) if x.dtype.kind == "U" else x for x in xs]
    batch = fed if len(fed) > 1 else fed[0]
    outputs = as_list(model.predict(batch))
    compiled = author.compiled(model, len(outputs))
    arrays = {}
    steps = draw.choice(0, 0, 2, 3)
    steps = steps if author.steps is None else author.steps
    targets = [random.dirichlet(np.ones(y.shape[-1]), y.shape[:-1]).astype("float32") for y in outputs]
    if draw.has("frozen layers", 20):
        for layer in model.layers[: len(model.layers) // 2]:
            layer.trainable = False
        if draw.chance(60) and compiled:
            draw.habits.append("frozen after compile")
        elif compiled:
            model.compile(**(author.asked or {"loss": model.loss, "optimizer": model.optimizer}))
    goal = targets if len(targets) > 1 else targets[0]
    own.forget(model)
    if compiled:
        for _ in range(steps):
            model.train_on_batch(batch, goal)
            own.forget(model)
        draw.habits.append("trained" if steps else "untrained")
        loss = model.evaluate(batch, goal, batch_size=SAMPLES, verbose=0)
        arrays["loss"] = np.asarray(loss[0] if isinstance(loss, (list, tuple)) else loss, "float64")
        own.forget(model)
    outputs = as_list(model.predict(batch))
    arrays.update({f"x{at}": x for at, x in enumerate(xs)})
    arrays.update({f"y{at}": y for at, y in enumerate(outputs)})
    arrays.update({f"t{at}": t for at, t in enumerate(targets)})
    if not all(np.isfinite(y).all() for y in outputs):
        raise ValueError("not finite")
    form = draw.choice(*formats)
    stem = "{}_{:04}".format(api.version.replace(".", "").replace("-tf", ""), seed)
    line = {
        "name": stem,
        "keras": api.version,
        "seed": seed,
        "rare": rare,
        "wide": wide,
        "form": form,
        "habits": sorted(set(draw.habits)),
    }
    line["compiled"] = bool(compiled)
    line["lambdas"] = lambdas(model)
    line["classes"] = sorted({type(layer).__name__ for layer in layers_in(model)})
    if form == "weights":  # which tell nothing of compiling
        line["compiled"] = False
        arrays.pop("loss", None)
        line["file"], line["arch"] = stem + ".h5", stem + ".json"
        with open(os.path.join(out, line["arch"]), "w") as text:
            text.write(model.to_json())
        model.save_weights(os.path.join(out, line["file"])) if api.generation < 3 else None
    else:
        line["file"] = stem + form
        model.save(os.path.join(out, line["file"]))
        if compiled and not special.is_noisy(layers_in(model)):
            arrays.update(stepped(api, model, os.path.join(out, line["file"]), batch, goal))
    np.savez_compressed(os.path.join(out, stem + ".npz"), **arrays)
    return line


def stepped(api, model, path, batch, goal):
    """Outputs after a step of training of a saved model (z0, ...), and of what this Keras loads of it (w0, ...)."""
    arrays = {}
    try:
        loaded = api.models.load_model(path, custom_objects=dict(own.objects(), **own_more.objects()))
        if hasattr(loaded, "optimizer") and loaded.optimizer is not None:
            arrays.update(after_step(loaded, batch, goal, "w"))
    except Exception as error:
        sys.stderr.write(f"not loaded {path}: {type(error).__name__}: {str(error)[:150]}\n")
    arrays.update(after_step(model, batch, goal, "z"))
    return arrays


def after_step(model, batch, goal, letter):
    """The outputs of a model after a step of training."""
    own.forget(model)
    model.train_on_batch(batch, goal)
    own.forget(model)
    return {letter + str(at): y for at, y in enumerate(as_list(model.predict(batch)))}


def deferred_batch(author, model, random):
    """A batch for a model that has no input yet."""
    first = type(model.layers[0]).__name__
    if first == "Embedding":
        return random.randint(0, 12, (SAMPLES, 6)).astype("int32")
    if first in ("Conv2D", "SeparableConv2D"):
        return random.uniform(-1, 1, (SAMPLES, 8, 8, 3)).astype("float32")
    if first in ("Conv1D", "LSTM", "GRU", "SimpleRNN", "Bidirectional"):
        return random.uniform(-1, 1, (SAMPLES, 6, 4)).astype("float32")
    return random.uniform(-1, 1, (SAMPLES, 6)).astype("float32")


def layers_in(model):
    """All layers of a model, nested ones too."""
    stack, layers = list(model.layers), []
    while stack:
        layer = stack.pop()
        layers.append(layer)
        stack.extend(getattr(layer, "layers", None) or [])
    return layers


def lambdas(model):
    """The function that each Lambda layer runs, by the layer's name."""
    functions = {layer.name: layer.function.__name__ for layer in layers_in(model) if type(layer).__name__ == "Lambda"}
    return {name: function for name, function in functions.items() if function != "get_slice"}  # of multi_gpu_model


def main():
    """Write the cases that were asked for; those that Keras itself refuses to make are left out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--keras", default="keras")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--formats", default=".h5")
    parser.add_argument("--rare", type=int, default=30)
    parser.add_argument("--wide", type=int, default=0)
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    api = own.use(asked.keras)
    own_more.use(api)
    os.makedirs(asked.out, exist_ok=True)
    written = left = 0
    for seed in range(asked.seed, asked.seed + asked.count):
        try:
            line = case(api, seed, asked.out, asked.formats.split(","), asked.rare, asked.wide)
        except Exception as error:
            left += 1
            if asked.verbose:
                traceback.print_exc()
            sys.stderr.write(f"left out {seed}: {type(error).__name__}: {str(error)[:150]}\n")
            continue
        written += 1
        with open(os.path.join(asked.out, "cases.jsonl"), "a") as lines:
            lines.write(json.dumps(line) + "\n")
    sys.stderr.write(f"{written} cases, {left} left out\n")


if __name__ == "__main__":
    main()
