"""Rarer habits of the generator's people: a function each, that makes a model, or nothing where a Keras has it not.

Runs beside `generator.py` wherever a Keras is installed, on Python 3.6 too.
"""

import numpy as np
import own

SAMPLES = 4
TOKENS = np.array(["red", "green", "blue", "two fish", "black"])


def distributed(author):
    """Layers in TimeDistributed, with a recurrent layer of an own cell behind them where Keras has cells."""
    layers, draw = author.l, author.d
    wrapper = layers.TimeDistributed if hasattr(layers, "TimeDistributed") else layers.wrappers.TimeDistributed
    draw.habits.append("TimeDistributed")
    inner = draw.choice(layers.Dense(3, activation="tanh"), layers.Dense(4, activation=author.activation()))
    steps = [wrapper(inner), author.recurrent((6, 4))]
    if hasattr(layers, "RNN") and draw.has("own RNN cell", 60):
        steps[1] = layers.RNN(own.Cell(4), **author.name("rnn"))
    return author.sequential([*steps, author.head_layer()], (6, 4))


def several_gpus(author):
    """A model of `multi_gpu_model`, on a machine that has no GPU and says that it has two."""
    utils = getattr(author.api.keras.utils, "multi_gpu_utils", None)
    if utils is None:
        return None
    author.d.habits.append("multi_gpu_model")
    utils._get_available_devices = lambda: ["/cpu:0", "/gpu:0", "/gpu:1"]
    single = author.graph(["vector"]) if author.d.chance(50) else chain(author, 6)
    return utils.multi_gpu_model(single, gpus=2)


def chain(author, size):
    """A Sequential model of Dense layers."""
    layers = [author.dense(4, (size,)), author.between((4,)), author.head_layer()]
    return author.sequential([layer for layer in layers if layer is not None], (size,))


def registered(author):
    """Classes and functions registered under the author's package."""
    if "Registered" not in own.names():
        return None
    author.d.habits.append("registered class")
    layers = [own.Registered(4, activation=author.d.choice("tanh", own.registered_act)), author.head_layer()]
    if author.d.chance(50):
        return author.sequential(layers, (6,))
    return author.joined_of(layers, (6,))


def own_in_front(author):
    """A Functional model, whose first layer is the author's own."""
    author.d.habits.append("own layer in front")
    return author.joined_of([own.Scale(), author.dense(5, (6,)), own.Fixed(0.2), author.head_layer()], (6,))


def gates(author):
    """GRU and LSTM layers with the arguments that say how they compute."""
    options = {}
    if author.api.generation > 1 and not author.api.version.startswith("2.0"):
        options["reset_after"] = author.d.chance(50)
        author.d.habits.append("reset_after")
    first = author.l.GRU(4, return_sequences=True, **options)
    return author.joined_of([first, author.recurrent((6, 4)), author.head_layer()], (6, 4))


def popped(author):
    """A Sequential model, whose last layer was taken off, and others put on."""
    author.d.habits.append("layers popped")
    model = chain(author, 6)
    model.pop()
    if author.d.chance(50):
        model.add(author.dropout())
    model.add(author.head_layer())
    return model


def mixed(author):
    """A model that computes in float16 and holds float32."""
    precision = getattr(author.api.keras, "mixed_precision", None)
    if not hasattr(precision, "set_global_policy") or author.api.generation == 1:
        return None
    author.d.habits.append("mixed_float16")
    precision.set_global_policy("mixed_float16")
    try:
        layers = [author.l.Dense(5, activation="relu"), author.between((5,)), author.l.Dense(2, dtype="float32")]
        return author.sequential(layers, (6,)) if author.d.chance(50) else author.joined_of(layers, (6,))
    finally:
        precision.set_global_policy("float32")


def adapted(author):
    """A preprocessing layer that saw data, in front of a Dense layer."""
    layers, draw = author.l, author.d
    if not hasattr(layers, "Normalization") or not hasattr(layers, "StringLookup"):
        return None
    random = np.random.RandomState(author.random_number())
    numbers = random.uniform(-3, 5, (40, 3)).astype("float32")
    kind = draw.choice("Normalization", "TextVectorization", "StringLookup", "Discretization")
    draw.habits.append("adapted " + kind)
    if kind == "Normalization":
        front, data, shape = layers.Normalization(axis=-1), numbers, (3,)
    elif kind == "Discretization":
        front, data, shape = layers.Discretization(num_bins=4, **mode(author)), numbers, (3,)
    elif kind == "StringLookup":
        front, data, shape = layers.StringLookup(**draw.choice({}, {"output_mode": "one_hot"})), TOKENS[:, None], (1,)
    else:
        front, data, shape = text(author), np.array([" ".join(TOKENS), "red red blue"])[:, None], (1,)
    front.adapt(data if data.dtype.kind == "f" else strings(data))
    rows = numbers[:SAMPLES] if data.dtype.kind == "f" else TOKENS[:SAMPLES, None]
    author.batch = [rows]
    dtype = {} if data.dtype.kind == "f" else {"dtype": "string"}
    x = start = layers.Input(shape=shape, **dtype)
    for layer in [front, *after(author, kind, front), author.head_layer()]:
        x = layer(x)
    return author.api.models.Model(start, x)


def strings(values):
    """Words as a tensor, which every Keras takes."""
    import tensorflow

    return tensorflow.constant(values.tolist())


def is_noisy(layers):
    """Whether a step of training with these layers is another each time."""
    wrapped = [getattr(layer, name) for layer in layers for name in ("layer", "cell") if hasattr(layer, name)]
    names = {type(layer).__name__ for layer in [*layers, *wrapped]}
    return any(name.startswith(("Random", "GaussianNoise", "Fixed")) or "Dropout" in name for name in names)


def mode(author):
    """The outputs of a Discretization."""
    return author.d.choice({}, {"output_mode": "multi_hot"})


def text(author):
    """A TextVectorization."""
    options = author.d.choice({"output_sequence_length": 4}, {"output_mode": "multi_hot"}, {"output_mode": "tf_idf"})
    return author.l.TextVectorization(**options)


def after(author, kind, front):
    """The layers behind a preprocessing layer: whole numbers go into an Embedding."""
    answer = front.get_config().get("output_mode", "int") if kind != "Normalization" else "float"
    return [author.l.Embedding(12, 3), author.l.Flatten()] if answer == "int" else []


HABITS = (distributed, several_gpus, registered, own_in_front, gates, popped, mixed, adapted, adapted)


def special(author):
    """A model of a rarer habit that this Keras has."""
    order = author.d.random.permutation(len(HABITS))
    return next(model for model in (HABITS[at](author) for at in order) if model is not None)
