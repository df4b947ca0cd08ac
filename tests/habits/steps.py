"""Habits of models that go through steps: masks, states, weights of samples at each step; and what all habits share.

Runs beside `generator.py` wherever a Keras is installed, on Python 3.6 too.
"""

import numpy as np
import own_more
import settings

SAMPLES = 4


def inputs(author, shape, **options):
    """An input of a Functional model."""
    return author.api.layers.Input(shape=shape, **options)


def model(author, starts, ends):
    """A Functional model."""
    keywords = ("input", "output") if author.first else ("inputs", "outputs")
    return author.api.models.Model(**dict(zip(keywords, (starts, ends))))  # noqa: B905 - Python 3.6 has no strict


def numbers(*shape):
    """A batch of numbers, the same each time."""
    return np.random.RandomState(sum(shape)).uniform(-1, 1, (SAMPLES, *shape)).astype("float32")


def tokens(length, size=12):
    """A batch of whole numbers, the last of a row 0."""
    tokens = np.random.RandomState(length).randint(1, size, (SAMPLES, length)).astype("int32")
    tokens[:, -2:] = 0
    return tokens


def sequences(author, layer, **options):
    """A recurrent layer that answers at each step."""
    return getattr(author.l, layer)(4, return_sequences=True, **options)


def wrapper(author, name):
    """TimeDistributed or Bidirectional, wherever Keras has it."""
    return getattr(author.l, name) if hasattr(author.l, name) else getattr(author.l.wrappers, name)


def masks(author):
    """A mask from Masking or an Embedding through layers that hand it on, into the loss where the answer has steps."""
    draw, layers = author.d, author.l
    if draw.chance(50):
        draw.habits.append("Masking")
        batch = numbers(6, 3)
        batch[:, 4:] = 0.0
        x = start = inputs(author, (6, 3))
        x = layers.Masking(0.0)(x)
    else:
        draw.habits.append("mask_zero into many layers")
        batch = tokens(6)
        x = start = inputs(author, (6,), dtype="int32")
        x = layers.Embedding(12, 3, mask_zero=True)(x)
    author.batch = [batch]
    for _ in range(draw.choice(1, 2, 3)):
        x = masked(author, x)
    if draw.has("masked loss", 40):
        return model(author, start, wrapper(author, "TimeDistributed")(layers.Dense(2, activation="softmax"))(x))
    return model(author, start, layers.Dense(2, activation="softmax")(author.recurrent((6, 4))(x)))


def masked(author, x):
    """A layer behind a mask."""
    draw, layers = author.d, author.l
    kind = draw.choice("dense", "dropout", "rnn", "bidirectional", "own", "act", "concat", "add")
    if kind == "dense":
        return wrapper(author, "TimeDistributed")(layers.Dense(4, activation="tanh"))(x)
    if kind == "dropout":
        return layers.Dropout(0.3)(x)
    if kind == "rnn":
        return sequences(author, draw.choice("LSTM", "GRU", "SimpleRNN"), **draw.choice({}, {"go_backwards": False}))(x)
    if kind == "bidirectional":
        return wrapper(author, "Bidirectional")(
            sequences(author, "LSTM"), merge_mode=draw.choice("sum", "concat", "ave")
        )(x)
    if kind == "own" and not author.plain:
        draw.habits.append("own layer that supports masks")
        return own_more.Hold()(x)
    if kind in ("concat", "add"):
        other = layers.Activation("tanh")(x)
        if author.first:
            return layers.merge([x, other], mode="concat" if kind == "concat" else "sum")
        return (layers.Concatenate() if kind == "concat" else layers.Add())([x, other])
    return layers.Activation("tanh")(x)


def stateful(author):
    """Recurrent layers that remember, one behind the other."""
    draw, layers = author.d, author.l
    draw.habits.append("stateful")
    shape, kinds = (SAMPLES, 5, 3), [draw.choice("LSTM", "GRU", "SimpleRNN") for _ in range(draw.choice(1, 2))]
    batch_shape = {} if author.api.generation == 3 else {"batch_input_shape": shape}
    sequential = author.api.models.Sequential()
    if not batch_shape:
        sequential.add(layers.Input(batch_shape=shape))
    for at, kind in enumerate(kinds):
        more = at < len(kinds) - 1
        options = batch_shape if at == 0 else {}
        if not more and not author.first and draw.chance(25):
            sequential.add(layers.Bidirectional(layers.LSTM(3, stateful=True), **options))
        else:
            sequential.add(getattr(layers, kind)(4, stateful=True, return_sequences=more, **options))
    sequential.add(layers.Dense(2, activation="softmax"))
    author.batch = [numbers(5, 3)]
    return sequential


def states(author):
    """An encoder, whose states a decoder begins with."""
    if author.first:
        return None
    draw, layers = author.d, author.l
    draw.habits.append("states from an encoder")
    kind = draw.choice("LSTM", "GRU")
    first, second = inputs(author, (5, 3)), inputs(author, (4, 2))
    states_of = getattr(layers, kind)(4, return_state=True)(first)[1:]
    decoder = getattr(layers, kind)(4, return_sequences=draw.chance(50), return_state=draw.chance(30))
    answer = decoder(second, initial_state=list(states_of))
    answer = answer[0] if isinstance(answer, (list, tuple)) else answer
    author.batch = [numbers(5, 3), numbers(4, 2)]
    return model(author, [first, second], layers.Dense(2, activation="softmax")(answer))


def in_time(author):
    """Weights of samples at each step."""
    if author.api.generation == 3 or (author.api.within_tensorflow and author.api.since(2, 3)):
        return None
    author.d.habits.append("sample_weight_mode")
    x = start = inputs(author, (5, 3))
    x = sequences(author, author.d.choice("LSTM", "GRU"))(x)
    built = model(author, start, wrapper(author, "TimeDistributed")(author.l.Dense(2, activation="softmax"))(x))
    author.asked = dict(settings.drawn(author, 1), sample_weight_mode="temporal")
    return built
