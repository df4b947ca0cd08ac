"""Habits that `--wide` draws: a function each, that makes a model, or nothing where a Keras has not what it takes.

Runs beside `generator.py` wherever a Keras is installed, on Python 3.6 too; `settings.py` draws compile settings.
"""

import own_more
import preprocessing
import settings
import trained
from steps import in_time, inputs, masks, model, numbers, stateful, states


def siamese(author):
    """Two inputs through the same layers, or the same model."""
    draw, layers = author.d, author.l
    draw.habits.append("two inputs through the same layers")
    shape = (6,)
    left, right = inputs(author, shape, name="left"), inputs(author, shape, name="right")
    if draw.has("shared nested model", 60):
        x = start = inputs(author, shape)
        x = layers.Dense(4, activation=author.activation())(x)
        between = author.between((4,))
        x = between(x) if between is not None else x
        tower = model(author, start, layers.Dense(4, **author.name("tower"))(x))
        ends = [tower(left), tower(right)]
    else:
        first, second = layers.Dense(5, activation="relu", **author.settings()), layers.Dense(4)
        ends = [second(first(left)), second(first(right))]
    if not author.plain and draw.has("Lambda of two tensors", 50):
        shapes = {"output_shape": lambda shapes: shapes[0]} if author.api.generation < 3 else {}
        joined = layers.Lambda(own_more.difference, name=f"away_{author.random_number()}", **shapes)(ends)
    else:
        joined = author.merged(ends)
    return model(author, [left, right], author.head(joined, "same" if draw.chance(50) else None))


def base_of(author):
    """A model that was trained before, of images or of numbers, and its input."""
    layers = author.l
    x = start = inputs(author, (6,), name=f"base_in_{author.random_number()}")
    for layer in [
        layers.Dense(5, activation="relu"),
        layers.BatchNormalization(),
        layers.Dense(4),
        author.between((4,)),
    ]:
        x = layer(x) if layer is not None else x
    built = model(author, start, x)
    if author.d.has("base was compiled", 50):
        built.compile(loss="mse", optimizer="sgd")
        built.train_on_batch(numbers(6), numbers(*[int(size) for size in built.predict(numbers(6)).shape[1:]]))
    return built


def frozen_base(author):
    """A frozen model within a model, as people tune the last layers of one; sometimes its last ones are not frozen."""
    draw, layers = author.d, author.l
    base = base_of(author)
    draw.habits.append("frozen nested model")
    base.trainable = False
    if draw.has("partly frozen nested model", 40):
        base.trainable = True
        for layer in base.layers[:-2]:
            layer.trainable = False
    how = draw.choice("functional", "sequential", "flat")
    if how == "sequential":
        sequential = author.api.models.Sequential()
        for layer in [base, author.dropout(), layers.Dense(2, activation="softmax")]:
            sequential.add(layer)
        return sequential
    if how == "flat":
        draw.habits.append("layers of a base taken on")
        return model(author, base.input, author.head(base.layers[-2].output, "tuned"))
    start = inputs(author, (6,))
    return model(author, start, author.head(layers.Dense(4)(base(start)), None))


def truncated(author):
    """A model that ends in the midst of another, within a third."""
    draw = author.d
    base = base_of(author)
    draw.habits.append("nested model cut off")
    cut = model(author, base.input, base.layers[draw.choice(1, 2, 3)].output)
    start = inputs(author, (6,))
    x = cut(start)
    if draw.has("the whole beside its part", 40):
        x = author.merged([x, base(start)])
    return model(author, start, author.head(x, None))


def lambdas(author):
    """Lambda layers of several kinds, nested too."""
    draw, layers = author.d, author.l
    draw.habits.append("Lambda that changes the shape")
    x = start = inputs(author, (5, 4))
    x = author.conv(1, 4, 3, (5, 4))(x)
    shape = {"output_shape": (4,)} if author.first or draw.chance(30) else {}
    square = layers.Lambda(own_more.squared, name=f"square_{author.random_number()}")
    if draw.has("Lambda in a nested model", 40):
        inner = author.api.models.Sequential()
        for layer in [author.input_layer((6,)), layers.Dense(4), square]:
            inner.add(layer)
        other = inputs(author, (6,))
        x = layers.Lambda(own_more.average, name=f"mean_{author.random_number()}", **shape)(x)
        return model(author, [start, other], author.head(author.merged([x, inner(other)]), None))
    x = layers.Lambda(own_more.average, name=f"mean_{author.random_number()}", **shape)(square(x))
    return model(author, start, author.head(x, "out"))


def inner_model(author):
    """A model of the author's own as a layer of a Functional or Sequential model."""
    if not own_more.has("Inner"):
        return None
    author.d.habits.append("own Model as a layer")
    layers = [author.l.Dense(4, activation="relu"), own_more.Inner(3), author.head_layer()]
    return author.joined_of(layers, (6,)) if author.d.chance(60) else author.sequential(layers, (6,))


def added(author):
    """Losses and metrics that a model or its layers add."""
    draw, layers = author.d, author.l
    penalty = own_more.Penalty() if not author.plain and draw.has("own layer that adds a loss", 40) else None
    watched = own_more.Watched() if not author.plain and own_more.has("Watched") and draw.chance(30) else None
    x = start = inputs(author, (6,))
    hidden = layers.Dense(5, activation="tanh", **activity(author))
    for layer in [hidden, penalty, watched]:
        x = layer(x) if layer is not None else x
    built = model(author, start, author.head(x, "out"))
    adds = author.api.generation < 3 and not author.first and draw.chance(50)
    if adds and author.api.within_tensorflow:  # Keras of its own writes nothing of it
        draw.habits.append("add_loss of a model")
        built.add_loss(0.1 * author.api.backend.mean(author.api.backend.square(x)))
    if author.api.within_tensorflow and draw.has("add_metric of a model", 40):
        built.add_metric(author.api.backend.mean(x), name="middle", aggregation="mean")
    return built


def activity(author):
    """A regularizer of what a layer gives, sometimes."""
    regularizers = author.api.keras.regularizers
    if not author.d.has("activity regularizer", 60):
        return {}
    if author.first:
        return {"activity_regularizer": author.d.choice("activity_l2", regularizers.activity_l1l2(0.01, 0.02))}
    both = regularizers.L1L2(0.01, 0.02) if hasattr(regularizers, "L1L2") else regularizers.l1_l2(0.01, 0.02)
    return {"activity_regularizer": author.d.choice(regularizers.l1(0.01), regularizers.l2(0.02), both)}


def deferred(author):
    """Sequential models without a shape, within another model and in each other."""
    if not (author.api.within_tensorflow or author.api.generation == 3):
        return None
    layers, sequential = author.l, author.api.models.Sequential
    author.d.habits.append("nested deferred Sequential")
    norm = author.norm() if author.d.chance(50) else layers.Dropout(0.2)
    block = sequential([layers.Dense(5, activation=author.activation()), norm, layers.Dense(4)])
    if author.d.has("deferred in deferred", 50):
        block = sequential([block, layers.Activation("relu"), sequential([layers.Dense(4)])])
    if author.d.chance(40):
        return sequential([block, author.head_layer()])
    start = inputs(author, (6,))
    return model(author, start, author.head(block(start), None))


def activations(author):
    """Activations given as functions of Keras, of TensorFlow, and as layers."""
    draw, layers, keras = author.d, author.l, author.api.keras
    kinds = [keras.activations.relu, keras.activations.softplus, "relu", keras.activations.hard_sigmoid]
    if not author.first and not author.plain:
        kinds += [own_more.leaky]
    if author.api.within_tensorflow:
        import tensorflow

        nn = tensorflow.nn
        kinds += [nn.relu, nn.tanh, nn.sigmoid, nn.elu, nn.selu, tensorflow.identity, nn.relu6, nn.leaky_relu, nn.swish]
        kinds += [layers.LeakyReLU(0.3), layers.PReLU(), layers.ReLU(max_value=4.0), layers.ELU()] * 2
    if author.api.generation == 3:
        kinds += [
            layers.LeakyReLU(0.3),
            layers.ReLU(max_value=4.0),
            keras.activations.gelu,
            keras.ops.tanh,
            "silu",
        ]
    draw.habits.append("activation as a function or layer")
    layer_list = [
        layers.Dense(4, activation=draw.choice(*kinds)),
        layers.Activation(draw.choice(*kinds)),
        layers.Dense(3, activation=draw.choice(*kinds)),
    ]
    return (
        author.joined_of([*layer_list, author.head_layer()], (6,))
        if draw.chance(50)
        else author.sequential([*layer_list, author.head_layer()], (6,))
    )


def two_names(author):
    """A model of two outputs that have names, and compile settings by them."""
    x = start = inputs(
        author, (6,), **author.d.choice({}, {"name": "main/in" if author.api.generation == 1 else "main_in"})
    )
    x = author.dense(5, (6,))(x)
    ends = [author.head(x, "left_out"), author.l.Dense(3, activation="sigmoid", name="right_out")(x)]
    author.asked = settings.by_names(author, ["left_out", "right_out"])
    return model(author, start, ends)


def merge_first(author):
    """A Merge in front of a Sequential model, or layers that only Keras 1 has."""
    if not author.first:
        return None
    layers, draw = author.l, author.d
    if draw.chance(60):
        draw.habits.append("Merge in front")
        branches = [author.sequential([layers.Dense(4, activation="tanh", input_shape=(6,))], (6,)) for _ in range(2)]
        sequential = author.api.models.Sequential()
        sequential.add(layers.Merge(branches, mode=draw.choice("sum", "mul", "ave", "max", "concat", "dot", "cos")))
        if "Flatten" and draw.chance(20):
            sequential.add(layers.Dropout(0.2))
        sequential.add(layers.Dense(2, activation="softmax"))
        return sequential
    draw.habits.append("layers of Keras 1")
    kinds = [layers.MaxoutDense(4, nb_feature=3), layers.Highway(activation="tanh"), layers.Dense(5, init="he_normal")]
    return author.sequential([kinds[at] for at in draw.random.permutation(3)] + [author.head_layer()], (6,))


def channels(author):
    """Images with the channels first."""
    if author.api.generation == 3 or author.api.within_tensorflow:
        return None
    layers, draw = author.l, author.d
    draw.habits.append("channels first")
    if author.first:
        order = {"dim_ordering": "th"}
        conv, pool = layers.Convolution2D(3, 3, 3, border_mode="same", **order), layers.MaxPooling2D(**order)
    else:
        order = {"data_format": "channels_first"}
        conv, pool = layers.Conv2D(3, 3, padding="same", **order), layers.MaxPooling2D(**order)
    norm = layers.BatchNormalization(axis=1)
    return author.sequential([conv, norm, pool, layers.Flatten(), author.head_layer()], (2, 6, 6))


def tensors(author):
    """Functions of TensorFlow and operators between the layers."""
    if not author.api.within_tensorflow and author.api.generation != 3:
        return None
    draw, layers = author.d, author.l
    draw.habits.append("operators on tensors")
    x = start = inputs(author, (6,))
    x = layers.Dense(4, activation="tanh")(x)
    y = layers.Dense(4)(x)
    x = draw.choice(
        lambda: x + y, lambda: x * 2.0 - y, lambda: x[:, 1:3] * 0.5, lambda: (x - 1.0) / 2.0, lambda: -x + y * y
    )()
    if author.api.generation == 2 and draw.chance(60):
        import tensorflow

        x = draw.choice(
            lambda: tensorflow.concat([x, y], -1),
            lambda: tensorflow.reduce_mean(x, axis=-1, keepdims=True),
            lambda: tensorflow.nn.relu(x),
            lambda: tensorflow.reshape(x, (-1, int(x.shape[-1]))),
            lambda: author.api.backend.sqrt(author.api.backend.abs(x) + 0.1),
        )()
    return model(author, start, author.head(x, None))


def adversarial(author):
    """A generator in front of a discriminator, which was compiled and is frozen."""
    draw, layers = author.d, author.l
    draw.habits.append("generator in front of a frozen discriminator")
    models = []
    for size in (draw.choice(5, 7), 6):
        sequential = author.api.models.Sequential()
        units = 6 if not models else 2
        for layer in [author.input_layer((6,)), layers.Dense(size, activation="tanh"), layers.Dense(units)]:
            sequential.add(layer)
        models.append(sequential)
    generator, discriminator = models
    discriminator.compile(loss="mse", optimizer="adam")
    discriminator.trainable = False
    start = inputs(author, (6,))
    author.asked = {"loss": "mse", "optimizer": draw.choice("sgd", "adam", "rmsprop", "adagrad")}
    return model(author, start, discriminator(generator(start)))


def named_target(author):
    """A loss by the name of the one output."""
    draw = author.d
    draw.habits.append("loss by the name of one output")
    x = start = inputs(author, (6,))
    x = author.l.Dense(2, activation="softmax", name="score")(x)
    author.asked = {"loss": {"score": draw.choice("mse", "categorical_crossentropy")}, "optimizer": "adam"}
    return model(author, start, x)


def wide(author):
    """A model of one of these habits that this Keras has; of those of later, for more than 100 of a hundred models, and
    of those of training, for more than 200."""
    habits = trained.HABITS if author.wide > 200 else LATER if author.wide > 100 else HABITS
    order = author.d.random.permutation(len(habits))
    return next(built for built in (habits[at](author) for at in order) if built is not None)


HABITS = (
    masks, stateful, siamese, frozen_base, truncated, lambdas, inner_model, added, deferred, activations, states,
    two_names, in_time, merge_first, channels, tensors, preprocessing.prepared, preprocessing.prepared,
)  # fmt: skip
LATER = (adversarial, named_target)
