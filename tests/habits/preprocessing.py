"""Preprocessing layers of every age, that saw data or were given what they need, in front of a small model.

Runs beside `generator.py` wherever a Keras is installed, on Python 3.6 too.
"""

import numpy as np

SAMPLES = 4
TOKENS = np.array(["red", "green", "blue", "Two, fish!", "black"])
LINES = np.array(["red blue, Green", "two fish in the red", "blue blue", "black"])


def layers_of(author):
    """The module of preprocessing layers: keras.layers, or its experimental part of TensorFlow 2.1 to 2.5."""
    layers = author.l
    if not hasattr(layers, "Normalization"):
        layers = getattr(getattr(layers, "experimental", None), "preprocessing", None)
    return layers


def prepared(author):
    """A model with one of them."""
    module = layers_of(author)
    if module is None or author.api.generation == 1:
        return None
    kinds = [kind for kind in KINDS if hasattr(module, kind)]
    kind = author.d.choice(*kinds)
    random = np.random.RandomState(author.random_number())
    author.d.habits.append("prepared " + kind)
    return KINDS[kind](author, module, random)


def finished(author, front, rows, dtype, kind="numbers"):
    """The model behind it: an Embedding where whole numbers come out, else Dense layers."""
    author.batch = [rows]
    layers = author.l
    x = start = layers.Input(shape=rows.shape[1:], dtype=dtype)
    x = front(x)
    if kind == "indices":
        x = layers.Flatten()(layers.Embedding(16, 3)(x))
    elif kind == "images":
        x = layers.Flatten()(x)
    between = author.between((4,))
    for layer in [layers.Dense(4, activation=author.activation()), between, author.head_layer()]:
        x = layer(x) if layer is not None else x
    return author.api.models.Model(start, x)


def strings(values):
    """Words as a tensor, which every Keras takes."""
    import tensorflow

    return tensorflow.constant(values.tolist())


def normalization(author, module, random):
    """A Normalization that saw data, or was given mean and variance."""
    data = random.uniform(-3, 5, (40, 3)).astype("float32")
    if author.d.has("mean and variance given", 25):
        front = module.Normalization(mean=[0.5, 1.0, 2.0], variance=[1.0, 2.0, 4.0])
    else:
        front = module.Normalization(**author.d.choice({}, {"axis": -1}, {"axis": None}, {"axis": 1}))
        front.adapt(data)
    return finished(author, front, data[:SAMPLES], "float32")


def discretization(author, module, random):
    """A Discretization that saw data, or was given its boundaries."""
    data = random.uniform(-3, 5, (40, 3)).astype("float32")
    options = author.d.choice({}, {}, {"output_mode": "one_hot"}, {"output_mode": "count"})
    if author.d.has("boundaries given", 50) or not author.api.since(2, 5):
        options = {} if not author.api.since(2, 6) else options
        keyword = "bins" if not author.api.since(2, 6) else "bin_boundaries"
        front = module.Discretization(**dict(options, **{keyword: [-1.0, 0.0, 2.5]}))
    else:
        front = module.Discretization(num_bins=5, **options)
        front.adapt(data)
    rows = data[:SAMPLES, :1] if options.get("output_mode") == "one_hot" else data[:SAMPLES]
    return finished(author, front, rows, "float32", "numbers" if options else "indices")


def hashing(author, module, random):
    """A Hashing, with and without a salt."""
    options = author.d.choice({}, {"salt": 7}, {"salt": [3, 9]}, {"salt": 133})
    if author.api.since(2, 6):
        options = dict(options, **author.d.choice({}, {"mask_value": "red"}, {"output_mode": "multi_hot"}))
    front = module.Hashing(10, **options)
    kind = "numbers" if "output_mode" in options else "indices"
    return finished(author, front, TOKENS[:SAMPLES, None], "string", kind)


def string_lookup(author, module, random):
    """A StringLookup that saw words, or was given a list of them."""
    options = dict(author.d.choice({}, {"num_oov_indices": 2}, {"mask_token": None} if author.api.since(2, 6) else {}))
    if author.api.since(2, 6):
        options.update(
            author.d.choice({}, {"output_mode": "one_hot"}, {"output_mode": "multi_hot"}, {"output_mode": "count"})
        )
    kind = "numbers" if "output_mode" in options else "indices"
    if author.d.has("vocabulary given", 40):
        front = module.StringLookup(vocabulary=TOKENS.tolist(), **options)
    else:
        front = module.StringLookup(**options)
        front.adapt(strings(TOKENS[:, None]))
    return finished(author, front, TOKENS[[0, 2, 4, 1]][:, None], "string", kind)


def integer_lookup(author, module, random):
    """An IntegerLookup."""
    options = author.d.choice({}, {"vocabulary": [3, 5, 8]})
    mode = (
        author.d.choice({}, {"output_mode": "multi_hot"}, {"output_mode": "one_hot"}) if author.api.since(2, 6) else {}
    )
    front = module.IntegerLookup(**dict(options, **mode))
    if not options:
        front.adapt(np.array([[3], [5], [5], [9]], "int64"))
    rows = np.array([[3], [5], [1], [8]], "int64")
    return finished(author, front, rows, "int64", "numbers" if mode else "indices")


def text_vectorization(author, module, random):
    """A TextVectorization with the arguments that people give."""
    old = not author.api.since(2, 6)
    options = dict(author.d.choice({}, {"max_tokens": 9}, {"standardize": None}, {"ngrams": 2}))
    if not old:
        options.update(author.d.choice({}, {"split": "character"}, {"standardize": "lower"}, {}))
    modes = [
        {"output_mode": "int", "output_sequence_length": 5},
        {"output_mode": "binary" if old else "multi_hot"},
        {"output_mode": "count"},
    ]
    modes += [{"output_mode": "tf-idf" if old else "tf_idf"}]
    options.update(author.d.choice(*modes))
    front = module.TextVectorization(**options)
    front.adapt(strings(LINES[:, None]) if not old else LINES[:, None])
    kind = "indices" if options["output_mode"] == "int" else "numbers"
    if kind == "indices":
        kind = "tokens"
    author.d.habits.append("TextVectorization " + options["output_mode"])
    return behind_text(author, front, kind)


def behind_text(author, front, kind):
    """The model behind a TextVectorization."""
    if kind != "tokens":
        return finished(author, front, LINES[:, None], "string")
    author.batch = [LINES[:, None]]
    layers = author.l
    x = start = layers.Input(shape=(1,), dtype="string")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(60, 3, mask_zero=author.d.chance(50))(front(x)))
    return author.api.models.Model(start, author.head_layer()(x))


def images(author, module, random):
    """Rescaling, Resizing and random layers, one behind the other."""
    layers = [module.Rescaling(1.0 / 127.5, offset=-1.0), module.Resizing(6, 6), module.RandomFlip("horizontal")]
    layers += [module.RandomRotation(0.1), module.RandomContrast(0.2), module.CenterCrop(4, 4), module.RandomZoom(0.2)]
    chosen = [layers[at] for at in author.d.random.permutation(len(layers))[: author.d.choice(1, 2, 3)]]
    front = (
        author.api.models.Sequential(chosen)
        if author.d.chance(50)
        else author.api.models.Sequential([author.input_layer((8, 8, 3)), *chosen])
    )
    return finished(author, front, random.uniform(0, 255, (SAMPLES, 8, 8, 3)).astype("float32"), "float32", "images")


def encoding(author, module, random):
    """A CategoryEncoding."""
    old = not author.api.since(2, 6)
    front = module.CategoryEncoding(
        **({"max_tokens": 6} if old else {"num_tokens": 6}),
        output_mode="binary" if old else author.d.choice("multi_hot", "count"),
    )
    return finished(author, front, random.randint(0, 6, (SAMPLES, 3)).astype("int64"), "int64")


KINDS = {
    "Normalization": normalization, "Discretization": discretization, "Hashing": hashing, "StringLookup": string_lookup,
    "IntegerLookup": integer_lookup, "TextVectorization": text_vectorization, "Rescaling": images,
    "CategoryEncoding": encoding,
}  # fmt: skip
