"""Habits of which a step of training shows more than a prediction: masks into Lambda layers, images that are normalized
in one operation, optimizers that have not begun, frozen and nested models; without noise, so that the step can be
repeated.

Runs beside `generator.py` wherever a Keras is installed, on Python 3.6 too.
"""

import numpy as np
import own_more
import settings
from steps import SAMPLES, inputs, model, numbers, tokens, wrapper


def masked_lambda(author):
    """A Lambda layer behind a mask, with a mask of its own or without, and a recurrent layer behind it."""
    draw, layers = author.d, author.l
    draw.habits.append("Lambda behind a mask")
    if draw.chance(50):
        author.batch = [tokens(6)]
        x = start = inputs(author, (6,), dtype="int32")
        x = layers.Embedding(12, 3, mask_zero=True)(x)
    else:
        author.batch = [padded()]
        x = start = inputs(author, (6, 3))
        x = layers.Masking(0.0)(x)
    if draw.has("recurrent layer before the Lambda", 50):
        x = getattr(layers, draw.choice("LSTM", "GRU", "SimpleRNN"))(3, return_sequences=True)(x)
    options = {"output_shape": lambda shape: shape} if author.first else {}
    if not author.first and draw.has("Lambda with a mask of its own", 40):
        options["mask"] = own_more.first_steps
    kind = draw.choice(own_more.squared, own_more.squared, own_more.zeroed)
    try:
        x = layers.Lambda(kind, name=f"lambda_{author.random_number()}", **options)(x)
    except TypeError:  # of Keras of many backends, where a layer does not take a mask
        return None
    answer = draw.choice("rnn", "mean", "steps")
    if answer == "rnn":
        x = getattr(layers, draw.choice("LSTM", "GRU"))(4)(x)
    elif answer == "mean":
        shape = {"output_shape": (3,)} if author.first else {}
        x = layers.Lambda(own_more.average, name=f"mean_{author.random_number()}", **shape)(x)
    else:
        return model(author, start, wrapper(author, "TimeDistributed")(layers.Dense(2, activation="softmax"))(x))
    return model(author, start, author.head(x, None))


def padded():
    """Sequences, whose last steps are zeros."""
    batch = numbers(6, 3)
    batch[:, 4:] = 0.0
    return batch


def normalized_images(author):
    """Convolutions with BatchNormalizations behind them, as people stack them."""
    draw, layers = author.d, author.l
    draw.habits.append("BatchNormalization of images")
    x = start = inputs(author, (6, 6, 2))
    for filters in (3, 4)[: draw.choice(1, 2)]:
        x = _convolution(author, filters)(x)
        options = {} if draw.chance(60) else {"momentum": 0.9}
        if not author.first and draw.chance(30):
            options.update(draw.choice({"scale": False}, {"center": False}, {"axis": [3]} if _lists(author) else {}))
        if author.api.within_tensorflow and author.api.since(2, 0) and author.api.generation == 2:
            options.update(draw.choice({}, {}, {"fused": False} if author.api.since(2, 4) else {}))
        x = layers.BatchNormalization(**options)(x)
        x = layers.Activation("relu")(x)
    end = layers.Flatten() if author.first or draw.chance(50) else layers.GlobalAveragePooling2D()
    return model(author, start, author.head(end(x), None))


def _lists(author):
    return author.api.within_tensorflow or author.api.generation == 3


def _convolution(author, filters):
    if author.first:
        return author.l.Convolution2D(filters, 3, 3, border_mode="same", bias=author.d.chance(50))
    return author.l.Conv2D(filters, 3, padding="same", use_bias=author.d.chance(50))


def not_begun(author):
    """A plain model, compiled and saved before any step."""
    draw, layers = author.d, author.l
    draw.habits.append("compiled and not trained")
    x = start = inputs(author, (6,))
    for units in (5, 4)[: draw.choice(1, 2)]:
        normalizes = draw.chance(40)
        activation = "tanh" if normalizes else "relu"  # behind which, on its line, a bias has noise for a gradient
        x = layers.Dense(units, activation=activation, **author.settings())(x)
        x = layers.BatchNormalization()(x) if normalizes else x
    author.asked = settings.drawn(author, 1)
    author.steps = 0
    return model(author, start, author.head(x, None))


def tuned(author):
    """A base with a BatchNormalization, frozen wholly or in part, before compile or after; some with a second stage."""
    draw, layers = author.d, author.l
    draw.habits.append("base tuned in stages")
    base_start = inputs(author, (6,))
    x = layers.Dense(5, activation="tanh", **author.name("base"))(base_start)
    x = layers.BatchNormalization()(x) if draw.chance(60) else x
    base = model(author, base_start, layers.Dense(4, activation="relu")(x))
    start = inputs(author, (6,))
    infers = _takes_training(author) and draw.has("base in inference mode", 40)
    x = base(start, **({"training": False} if infers else {}))
    built = model(author, start, author.head(layers.Dense(3, activation="tanh")(x), None))
    base.trainable = False
    author.asked = {"loss": "mse", "optimizer": draw.choice("sgd", "adam", "rmsprop", "adadelta")}
    built.compile(**author.asked)
    built.train_on_batch(numbers(6), np.full((SAMPLES, 2), 0.5, "float32"))
    if draw.has("unfrozen for a second stage", 50):
        base.trainable = True
        for layer in base.layers[: draw.choice(0, 2)]:
            layer.trainable = False
    return built


def _takes_training(author):
    return author.api.generation == 3 or (author.api.within_tensorflow and author.api.since(2, 1))


def nested_twice(author):
    """A model in a model in a model, called once or twice."""
    draw, layers = author.d, author.l
    draw.habits.append("model in a model in a model")
    inner = author.sequential([layers.Dense(4, activation="tanh"), layers.Dense(6)], (6,))
    middle_start = inputs(author, (6,))
    middle = model(author, middle_start, layers.Dense(6, activation="relu")(inner(middle_start)))
    start = inputs(author, (6,))
    x = middle(start)
    if draw.has("nested model called twice", 50):
        x = middle(x)
    if draw.chance(30):
        inner.trainable = False
        draw.habits.append("frozen model in a model in a model")
    return model(author, start, author.head(x, None))


HABITS = (masked_lambda, normalized_images, not_begun, tuned, nested_twice)
