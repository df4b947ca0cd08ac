"""Random models of Keras 2.15 with what they predict: `python old_models.py OUT --seed N --count M`.

Runs with tensorflow-cpu 2.15.1 and imports nothing but that and NumPy. Writes into OUT each model as a legacy .h5, a
.keras, or weights beside an architecture, with an .npz of inputs (x0, x1, ...), outputs (y0, ...) and, where one step
of training can be repeated, targets (t0, ...) and the outputs after that step (z0, ...); and a manifest.json that says
what is in each. Every class in old_layers.TABLE comes up in every hundred models or so, and weights are random numbers,
moving statistics included, so that a permutation shows. The same seed gives the same models.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf
from old_layers import GONE, TABLE, Draw, activation, keras, shape

L = keras.layers
SCHEMA = "ckpttool.tests.old_models/1"
SAMPLES = 3
TRIES = 12
FORMS = (*["h5"] * 4, *["keras"] * 4, "json+h5", "json+weights.h5")
VOCABULARY = ("red", "green", "blue", "Red fish", "two", "blue, green fish!", "")
RANDOM = ("Dropout", "Noise", "Random", "AlphaDropout")  # parts of names of classes whose training is random
DIFFERENT = ("BatchNormalization", "SpectralNormalization")  # whose training keeps statistics
OPTIMIZERS = {
    "SGD": ({"momentum": 0.9, "nesterov": True}, {"momentum": 0.5}, {}),
    "RMSprop": ({"rho": 0.8, "momentum": 0.3, "centered": True}, {}),
    "Adam": ({"amsgrad": True}, {"beta_1": 0.8, "epsilon": 1e-5}, {}),
    "AdamW": ({"weight_decay": 0.01}, {}),
    "Adagrad": ({"initial_accumulator_value": 0.2}, {}),
    "Adadelta": ({"rho": 0.9}, {}),
    "Adamax": ({}, {"beta_2": 0.99}),
    "Nadam": ({}, {"beta_1": 0.8}),
    "Ftrl": ({"l1_regularization_strength": 0.01}, {}),
    "Adafactor": ({}, {"relative_step": False}),
    "Lion": ({}, {"weight_decay": 0.02}),
}
LEGACY = ("SGD", "RMSprop", "Adam", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl")


def entry(d: Draw, kind: str, name: str) -> Any:
    """An input of a kind."""
    sizes = {
        "vector": (d.size(3, 6),),
        "sequence": (d.pick(d.size(5, 7), d.size(5, 7), None), d.size(2, 4)),
        "image": (d.size(6, 9), d.size(6, 9), d.size(2, 4)),
        "volume": (d.size(4, 5), 5, 5, 2),
        "tokens": (d.size(4, 6),),
        "words": (3,),
        "sentences": (1,),
    }
    dtype = {"tokens": d.pick("int32", "int64"), "words": "string", "sentences": "string"}.get(kind)
    return keras.Input(sizes[kind], name=name, dtype=dtype)


def kind_of(x: Any) -> str:
    """The kind of a tensor of numbers."""
    return {2: "vector", 3: "sequence", 4: "image", 5: "volume"}[len(x.shape)]


def operations(x: Any) -> dict[str, Any]:
    """Bare TensorFlow operations on a tensor, by name, as functions without arguments."""
    last = len(x.shape) - 1
    layers = {
        "add": lambda: x + 1.5,
        "list_add": lambda: x + tf.constant(np.linspace(-1, 1, x.shape[-1]), x.dtype),
        "multiply": lambda: 2.0 * x,
        "negative": lambda: 1.0 - x,
        "divide": lambda: x / 3.0,
        "square": lambda: tf.square(x),
        "pow": lambda: x**2,
        "abs": lambda: tf.abs(x),
        "relu": lambda: tf.nn.relu(x),
        "sigmoid": lambda: tf.sigmoid(x),
        "tanh": lambda: tf.math.tanh(x),
        "softplus": lambda: tf.nn.softplus(x),
        "leaky_relu": lambda: tf.nn.leaky_relu(x, 0.1),
        "gelu": lambda: tf.nn.gelu(x),
        "swish": lambda: tf.nn.swish(x),
        "clip": lambda: tf.clip_by_value(x, -0.5, 0.7),
        "exp": lambda: tf.exp(tf.minimum(x, 1.0)),
        "log": lambda: tf.math.log(tf.abs(x) + 1.0),
        "sqrt": lambda: tf.sqrt(tf.nn.relu(x) + 0.5),
        "where": lambda: tf.where(x > 0.0, x, 0.25 * x),
        "maximum": lambda: tf.maximum(x, tf.constant(0.1, x.dtype)),
        "concat": lambda: tf.concat([x, -x], axis=-1),
        "stack": lambda: tf.reduce_sum(tf.stack([x, x * 2.0], axis=-1), axis=-1),
        "l2_normalize": lambda: tf.math.l2_normalize(x, axis=-1),
        "softmax": lambda: tf.nn.softmax(x, axis=-1),
        "mean": lambda: x - tf.reduce_mean(x, axis=-1, keepdims=True),
        "max": lambda: x - tf.reduce_max(x, axis=[last], keepdims=True),
        "cast": lambda: tf.cast(x > 0.0, x.dtype) * x,
        "backend_add": lambda: keras.backend.abs(x) + keras.backend.square(x),
        "norm": lambda: x / (1.0 + tf.norm(x, axis=-1, keepdims=True)),
        "slice_channels": lambda: x[..., :2],
        "reverse": lambda: tf.reverse(x, [last]),
        "expand": lambda: tf.squeeze(tf.expand_dims(x, -1), -1),
        "gather": lambda: tf.gather(x, [1, 0], axis=-1),
        "zeros_like": lambda: x + tf.ones_like(x),
    }
    if last > 1:
        perm = [0, *range(2, last + 1), 1]
        layers |= {
            "slice": lambda: x[:, 1:],
            "step": lambda: x[:, ::2],
            "pick": lambda: x[:, -1],
            "transpose": lambda: tf.transpose(x, perm),
            "reduce": lambda: tf.reduce_mean(x, axis=1),
            "sum": lambda: tf.reduce_sum(x, axis=[1]),
            "reshape": lambda: tf.reshape(x, (-1, int(np.prod(shape(x))))),
            "shaped": lambda: tf.reshape(x, (tf.shape(x)[0], -1, x.shape[-1])),
            "pad": lambda: tf.pad(x, [[0, 0], [1, 0], *[[0, 0]] * (last - 1)]),
            "matmul": lambda: tf.matmul(x, x, transpose_b=True),
            "tile": lambda: tf.tile(x, [1, 2, *[1] * (last - 1)]),
            "split": lambda: tf.add_n(tf.split(x, 2, axis=-1)),
        }
    if last == 3:
        layers |= {
            "resize": lambda: tf.image.resize(x, (5, 4)),
            "max_pool": lambda: tf.nn.max_pool2d(x, 2, 2, "VALID"),
            "space_to_depth": lambda: tf.nn.space_to_depth(x[:, :6, :6], 2),
        }
    return layers


class Builder:
    """One random model."""

    def __init__(self, seed: int, required: str) -> None:
        self.d, self.required, self.features = Draw(seed), required, set()  # type: ignore[var-annotated]

    def layer(self, x: Any, name: str) -> Any:
        """The output of a layer of a class for a tensor."""
        return TABLE[name][1](self.d, x)

    def chosen(self, x: Any) -> str:
        """A class that takes this tensor."""
        return str(
            self.d.pick(*(name for name, (kinds, _) in TABLE.items() if kind_of(x) in kinds and name not in GONE))
        )

    def step(self, x: Any) -> Any:
        """A layer, an operation, a block of layers, or one that is called twice."""
        d = self.d
        if d.often(0.2):
            name, layer = d.pick(*operations(x).items())
            self.features.add(f"op:{name}")
            return layer()
        if d.often(0.15):
            return self.block(x)
        if d.often(0.1):
            return self.shared(x)
        return self.layer(x, self.chosen(x))

    def block(self, x: Any) -> Any:
        """A model inside, called once or twice."""
        d = self.d
        if d.often(0.4):
            units = shape(x)[-1]
            name = d.pick({}, {"name": f"block_{d.size(0, 99)}"})
            first = L.Dense(units, activation="relu", **d.pick({}, {"input_shape": shape(x)}))
            model = keras.Sequential([first, L.BatchNormalization(), L.Dense(units)], **name)
            self.features.add("sequential inside")
        else:
            inside = keras.Input(shape(x))
            y = self.layer(inside, self.chosen(inside))
            y = y if not d.often(0.3) else self.block(y)
            model = keras.Model(inside, L.Dense(d.size())(y))
            self.features.add("functional inside")
        if d.often(0.2):
            model.trainable = False
            self.features.add("frozen")
        if d.often(0.4):
            self.features.add("model called twice")
            return L.Add()([model(x), model(L.Activation("tanh")(x))])
        return model(x)

    def shared(self, x: Any) -> Any:
        """A layer called twice."""
        self.features.add("layer called twice")
        layer = L.Dense(self.d.size(), **activation(self.d))
        return L.Concatenate()([layer(x), layer(x * 0.5)])

    def vector(self, x: Any) -> Any:
        """A vector of a tensor."""
        rank = len(x.shape) - 2
        if rank == 0:
            return x
        pools = [getattr(L, f"Global{how}Pooling{rank}D") for how in ("Average", "Max")]
        small = None not in shape(x) and np.prod(shape(x)) <= 120
        return self.d.pick(*pools, L.Flatten if small else pools[0])()(x)

    def branch(self, x: Any, steps: int) -> Any:
        """A tensor after some steps; small ones are made no smaller."""
        for _ in range(steps):
            if not x.dtype.is_floating or np.prod([size or 4 for size in shape(x)]) > 1500:
                break
            x = self.step(x)
        return x

    def started(self, name: str, kind: str) -> tuple[Any, Any]:
        """An input, and what the class that needs this kind, or one of those, makes of it."""
        tensor = entry(self.d, kind, name)
        if kind in ("tokens", "words", "sentences"):
            fit = [name for name, (kinds, _) in TABLE.items() if kind in kinds]
            first = self.required if self.required in fit else self.d.pick(*fit)
            return tensor, self.layer(tensor, first)
        return tensor, tensor

    def sequential(self) -> Any:
        """A Sequential model of layers that are one call each."""
        d = self.d
        size = entry(d, d.pick("vector", "image", "sequence"), "x").shape[1:]
        x = inside = keras.Input(size)
        for name in (self.required, *(self.chosen(x) for _ in range(d.size(1, 3)))):
            x = self.layer(x, name if kind_of(x) in TABLE[name][0] else self.chosen(x))
        x = self.vector(x)
        graph = keras.Model(inside, x)
        layers = [layer for layer in graph.layers if not isinstance(layer, L.InputLayer)]
        if any(type(layer).__name__.endswith(("OpLambda",)) for layer in layers):
            raise ValueError("no chain of layers")
        configs = [(type(layer), layer.get_config()) for layer in layers]
        new_layers = [cls.from_config(config) for cls, config in configs]
        head = [L.Dense(d.size(), activation=d.pick("softmax", "sigmoid", None))]
        start = d.pick([L.InputLayer(size)], [keras.Input(size)])
        self.features.add("sequential")
        return keras.Sequential([*start, *new_layers, *head])

    def model(self) -> Any:
        """The model."""
        kinds = TABLE[self.required][0]
        d = self.d
        if d.often(0.2) and kinds[0] in ("vector", "image", "sequence"):
            return self.sequential()
        names = [f"in_{letter}" for letter in "abc"[: d.pick(1, 1, 2, 3)]]
        tensors = [self.started(names[0], d.pick(*kinds))]
        tensors += [self.started(name, d.pick("vector", "sequence", "image", "tokens")) for name in names[1:]]
        inputs, ends = [tensor for tensor, _ in tensors], []
        for number, (tensor, x) in enumerate(tensors):
            x = self.branch(x, d.size(0, 1)) if number == 0 else x
            if (number == 0 and x is tensor) or (number == 0 and kind_of(x) in kinds and self.fresh(kinds)):
                x = self.layer(x, self.required)
            elif number == 0 and self.fresh(kinds):
                x = self.layer(tensor, self.required)
            ends.append(
                self.vector(self.branch(tf.cast(x, keras.backend.floatx()) if not x.dtype.is_floating else x, 2))
            )
        return self.ended(inputs, ends)

    def fresh(self, kinds: tuple[str, ...]) -> bool:
        """Whether the class that must be in was not put in at the start."""
        return kinds[0] not in ("tokens", "words", "sentences")

    def ended(self, inputs: list[Any], ends: list[Any]) -> Any:
        """The model of these inputs, its branches joined, with one or more outputs."""
        d = self.d
        x = ends[0] if len(ends) == 1 else L.Concatenate()(ends)
        x = L.Dense(4, activation=d.pick("relu", "tanh"))(x)
        heads = [self.head(x, name) for name in ("out_a", "out_b")[: d.pick(1, 1, 2)]]
        feed: Any = inputs if len(inputs) > 1 or d.often(0.3) else inputs[0]
        if d.often(0.2):
            feed = {tensor.name.split(":")[0]: tensor for tensor in inputs}
            self.features.add("dict of inputs")
        result: Any = heads if len(heads) > 1 or d.often(0.2) else heads[0]
        if len(heads) > 1 and d.often(0.3):
            result = {"first": heads[0], "second": heads[1]}
            self.features.add("dict of outputs")
        self.features |= {f"{len(inputs)} inputs", f"{len(heads)} outputs"}
        return keras.Model(feed, result)

    def head(self, x: Any, name: str) -> Any:
        """An output."""
        units = self.d.size(1, 3)
        if self.d.often(0.1):
            name = f"scope/{name}"
            self.features.add("name with a slash")
        return L.Dense(units, activation="softmax" if units > 1 and self.d.often(0.5) else None, name=name)(x)


def randomize(model: Any, d: Draw) -> None:
    """Gives every weight random numbers of a sensible size."""
    for weight in model.weights:
        if hasattr(weight, "assign") and weight.dtype.is_floating:
            weight.assign(tf.cast(values(weight.name, tuple(weight.shape), d), weight.dtype))
    for layer in every(model):
        if isinstance(layer, L.Normalization) and layer.input_mean is None:
            layer.finalize_state()


def values(name: str, size: tuple[int, ...], d: Draw) -> Any:
    """Random numbers for a weight of this name."""
    if "variance" in name or "accumulator" in name or "stddev" in name:
        return d.rng.uniform(0.5, 2.0, size)
    if "gamma" in name or "scale" in name:
        return d.rng.normal(1.0, 0.3, size)
    fan = max(1.0, np.prod(size[:-1])) if len(size) > 1 else 4.0
    return d.rng.normal(0.0, 1.0, size) / np.sqrt(fan)


def example(tensor: Any, d: Draw) -> Any:
    """Input for a tensor."""
    size = (SAMPLES, *(number or 6 for number in shape(tensor)))
    if tensor.dtype == tf.string:
        return np.array([d.pick(*VOCABULARY) for _ in range(int(np.prod(size)))]).reshape(size)
    if tensor.dtype.is_integer:
        return d.rng.integers(0, 12, size).astype(tensor.dtype.as_numpy_dtype)
    values = d.rng.normal(0.0, 1.0, size).astype("float32")
    if len(size) == 3 and d.often(0.5):
        values[0, -2:] = 0.0  # steps for a mask
    return values


def every(model: Any) -> Iterator[Any]:
    """All layers in a model, those within layers too."""
    yield from model._flatten_layers(include_self=False)


def optimizer(d: Draw) -> Any:
    """An optimizer, and its name."""
    legacy = d.often(0.25)
    name = d.pick(*(LEGACY if legacy else OPTIMIZERS))
    rate: Any = d.pick(0.01, 0.001)
    if d.often(0.15):
        schedules = keras.optimizers.schedules
        rate = d.pick(
            schedules.ExponentialDecay(0.01, 5, 0.9),
            schedules.PiecewiseConstantDecay([1, 3], [0.1, 0.01, 0.001]),
            schedules.CosineDecay(0.01, 10),
            schedules.PolynomialDecay(0.01, 10, 0.001),
            schedules.InverseTimeDecay(0.01, 5, 0.5),
        )
    arguments = dict(d.pick(*OPTIMIZERS[name]))
    if legacy:
        arguments = {key: value for key, value in arguments.items() if key != "weight_decay"}
        arguments |= {"decay": 0.01} if d.often(0.3) and isinstance(rate, float) else {}
        return getattr(keras.optimizers.legacy, name)(rate, **arguments), f"legacy.{name}"
    if d.often(0.15):
        arguments |= d.pick({"clipnorm": 1.0}, {"clipvalue": 0.5}, {"global_clipnorm": 1.0})
    if d.often(0.1):
        arguments |= {"use_ema": True, "ema_momentum": 0.9}
    return getattr(keras.optimizers, name)(rate, **arguments), name


def compiled(model: Any, d: Draw) -> str:
    """Compiles a model; the name of the optimizer."""
    instance, name = optimizer(d)
    losses = keras.losses
    loss = d.pick("mse", "mae", "huber", losses.MeanSquaredError(), losses.LogCosh(), losses.Huber(0.5), "log_cosh")
    metrics = d.pick(None, ["mae"], ["mse", keras.metrics.MeanAbsoluteError(name="off")], ["accuracy"])
    model.compile(instance, loss, metrics=metrics if len(model.outputs) == 1 else None)
    return str(name)


def saved(model: Any, form: str, base: Path) -> dict[str, str]:
    """Saves a model in a form; the names of the files."""
    if form in ("h5", "keras"):
        path = base.with_suffix(f".{form}")
        model.save(path, **({"save_format": "h5"} if form == "h5" else {}))
        return {"file": path.name}
    arch, weights = base.with_suffix(".json"), Path(f"{base}.{form.removeprefix('json+')}")
    weights = Path(f"{base}_weights.h5") if form == "json+h5" else weights
    arch.write_text(model.to_json())
    model.save_weights(weights)
    return {"file": weights.name, "arch": arch.name}


def again(model: Any, form: str, base: Path) -> Any:
    """The model as Keras 2.15 loads it: what a file means is what its own Keras makes of it. Where that cannot load
    what it wrote, the model itself."""
    try:
        return (
            keras.models.load_model(base.with_suffix(f".{form}"), compile=False) if form in ("h5", "keras") else model
        )
    except Exception:
        return model


def step_is_the_same(model: Any) -> bool:
    """Whether one step of training can be repeated elsewhere."""
    layers = [*every(model)]
    names = {type(layer).__name__ for layer in layers}
    drops = any(getattr(layer, key, 0) for layer in layers for key in ("dropout", "recurrent_dropout", "_dropout"))
    return not drops and not any(part in name for name in names for part in (*RANDOM, *DIFFERENT))


def finite(arrays: list[Any]) -> bool:
    """Whether all are numbers of a sensible size, and not all alike."""
    return all(np.isfinite(array).all() and np.abs(array).max() < 1e4 for array in arrays) and any(
        np.ptp(a) for a in arrays
    )


def record(seed: int, required: str, form: str, base: Path) -> dict[str, Any]:
    """Makes, trains, saves and records one model."""
    builder = Builder(seed, required)
    d = builder.d
    policy = d.pick(*["float32"] * 22, "mixed_float16", "float64")
    keras.mixed_precision.set_global_policy(policy)
    if policy == "float64":
        keras.backend.set_floatx("float64")
    if d.often(0.7):
        keras.backend.clear_session()
    tf.random.set_seed(seed)
    model = builder.model()
    if sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) > 4000:
        raise ValueError("too large")
    randomize(model, d)
    inputs = [example(tensor, d) for tensor in model.inputs]
    feed: Any = dict(zip(model.input_names, inputs, strict=True)) if isinstance(model._nested_inputs, dict) else inputs
    feed = feed if isinstance(feed, dict) or len(inputs) > 1 or isinstance(model._nested_inputs, list) else inputs[0]
    record: dict[str, Any] = {f"x{number}": value for number, value in enumerate(inputs)}
    names = {type(layer).__name__ for layer in every(model)}
    if required.rpartition(".")[2] not in names:
        raise ValueError(f"{required} is not in the model")
    dtype = {"step": False, "optimizer": None}
    targets: Any = None
    if form in ("h5", "keras") and d.often(0.6) and model.trainable_weights and policy == "float32":
        dtype["optimizer"] = compiled(model, d)
        targets = [d.rng.normal(size=(SAMPLES, *shape(output))).astype("float32") for output in model.outputs]
        nested: Any = tf.nest.pack_sequence_as(model._nested_outputs, targets) if len(targets) > 1 else targets[0]
        for _ in range(2):
            model.train_on_batch(feed, nested)
        dtype["step"] = step_is_the_same(model)
    files = saved(model, form, base)
    outputs = [np.asarray(output) for output in tf.nest.flatten(again(model, form, base).predict(feed, verbose=0))]
    if not finite(outputs):
        raise ValueError("outputs are no fit numbers")
    record |= {f"y{number}": value for number, value in enumerate(outputs)}
    if dtype["step"]:
        model.train_on_batch(feed, nested)
        record |= {f"t{number}": value for number, value in enumerate(targets)}
        after = tf.nest.flatten(model.predict(feed, verbose=0))
        record |= {f"z{number}": np.asarray(value) for number, value in enumerate(after)}
    np.savez_compressed(base.with_suffix(".npz"), **record)
    facts = {"name": base.name, "seed": seed, "form": form, **files, "required": required, **dtype, "policy": policy}
    dict_names = model.input_names if isinstance(feed, dict) else None
    return {**facts, "inputs": dict_names, "classes": sorted(names), "features": sorted(builder.features)}


def recorded_model(
    seed: int, required: str, form: str, base: Path, failed: dict[str, list[str]]
) -> dict[str, Any] | None:
    """One model, at the first of some seeds that gives one."""
    for attempt in range(TRIES):
        try:
            return record(seed + attempt, required, form, base)
        except Exception as error:  # noqa: PERF203
            failed.setdefault(required, []).append(f"{type(error).__name__}: {error}"[:200])
            for path in base.parent.glob(f"{base.name}[._]*"):
                path.unlink()
        finally:
            keras.mixed_precision.set_global_policy("float32")
            keras.backend.set_floatx("float32")
    return None


def main() -> None:
    """Writes the models and the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--classes", nargs="*", default=None)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    order = [str(name) for name in rng.permutation(options.classes or sorted(TABLE))]
    entries, failed = [], {}  # type: ignore[var-annotated]
    for number in range(options.count):
        required, form = order[number % len(order)], FORMS[int(rng.integers(len(FORMS)))]
        base = options.out / f"m{number:03}_{required.rpartition('.')[2]}"
        facts = recorded_model(1000 * (options.seed * 1000 + number), required, form, base, failed)
        if facts is not None:
            entries.append(facts)
            sys.stdout.write(f"{facts['name']} {form} {facts['optimizer']}\n")
        else:
            sys.stdout.write(f"{base.name} failed: {failed[required][-1]}\n")
        manifest = {
            "schema": SCHEMA,
            "keras": f"2.15, tensorflow {tf.__version__}",
            "models": entries,
            "failed": failed,
        }
        (options.out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
