"""Checkpoints and SavedModels of every kind, written and read by a genuine TensorFlow 1.15 to 2.21.

    PYTHON tests/formats/tensorflow/old_artefacts.py FOLDER [NAME...]

PYTHON is that of an environment with such a TensorFlow and nothing of this project. Each model is trained for three
steps and saved in all forms: `weights` (save_weights), `objects` (tf.train.Checkpoint), `saved` (SavedModel),
`model.h5`. Beside them are `record.json`, what `tf.train.load_checkpoint` says of each checkpoint, and `values.npz`:
inputs, predictions, and the predictions after one more step. What a version cannot build or save is left out. Keras 3
writes `model.keras`, `model.weights.h5` and an export in place of `model.h5`, `weights` and the SavedModel.
"""

import hashlib
import json
import os
import sys
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

keras = tf.keras
L = keras.layers
VERSION = tuple(int(part) for part in tf.__version__.split(".")[:2])


def preprocessing(name):
    """A layer that was experimental up to TensorFlow 2.5."""
    built = getattr(L, name, None)
    return built if built is not None else getattr(L.experimental.preprocessing, name)


# Layers alone: name, input shape, layers.
SINGLE = {
    "dense": ((4,), lambda: [L.Dense(3, activation="relu"), L.Dense(2)]),
    "dense_no_bias": ((4,), lambda: [L.Dense(3, use_bias=False)]),
    "batchnorm": ((4,), lambda: [L.Dense(3), L.BatchNormalization(), L.Dense(2)]),
    "layernorm": ((4,), lambda: [L.LayerNormalization(), L.Dense(2)]),
    "groupnorm": ((4,), lambda: [L.GroupNormalization(2), L.Dense(2)]),
    "unitnorm": ((4,), lambda: [L.UnitNormalization(), L.Dense(2)]),
    "prelu": ((4,), lambda: [L.Dense(3), L.PReLU()]),
    "activations": ((4,), lambda: [L.Dense(3), L.LeakyReLU(), L.ELU(), L.ThresholdedReLU(), L.Softmax()]),
    "conv1d": ((8, 2), lambda: [L.Conv1D(3, 2), L.GlobalMaxPooling1D()]),
    "conv1d_causal": ((8, 2), lambda: [L.Conv1D(3, 2, padding="causal"), L.Flatten(), L.Dense(2)]),
    "conv1d_transpose": ((4, 2), lambda: [L.Conv1DTranspose(3, 2), L.Flatten()]),
    "conv2d": ((6, 6, 2), lambda: [L.Conv2D(3, 2), L.MaxPooling2D(), L.Flatten(), L.Dense(2)]),
    "conv2d_strides": ((6, 6, 2), lambda: [L.Conv2D(3, 3, strides=2, padding="same"), L.GlobalAveragePooling2D()]),
    "conv2d_transpose": ((4, 4, 2), lambda: [L.Conv2DTranspose(3, 2, strides=2), L.Flatten()]),
    "conv3d": ((4, 4, 4, 1), lambda: [L.Conv3D(2, 2), L.Flatten()]),
    "conv3d_transpose": ((3, 3, 3, 1), lambda: [L.Conv3DTranspose(2, 2), L.Flatten()]),
    "depthwise1d": ((6, 2), lambda: [L.DepthwiseConv1D(2), L.Flatten()]),
    "depthwise2d": ((5, 5, 2), lambda: [L.DepthwiseConv2D(2, depth_multiplier=2), L.Flatten()]),
    "separable1d": ((6, 2), lambda: [L.SeparableConv1D(3, 2), L.Flatten()]),
    "separable2d": ((5, 5, 2), lambda: [L.SeparableConv2D(3, 2), L.Flatten()]),
    "local1d": ((6, 2), lambda: [L.LocallyConnected1D(2, 2), L.Flatten()]),
    "local2d": ((4, 4, 1), lambda: [L.LocallyConnected2D(2, 2), L.Flatten()]),
    "einsum_dense": (
        (4, 3),
        lambda: [EinsumDense()("abc,cd->abd", output_shape=(None, 5), bias_axes="d"), L.Flatten()],
    ),
    "lstm": ((5, 3), lambda: [L.LSTM(4), L.Dense(2)]),
    "lstm_stacked": ((5, 3), lambda: [L.LSTM(4, return_sequences=True), L.LSTM(3), L.Dense(2)]),
    "gru": ((5, 3), lambda: [L.GRU(4), L.Dense(2)]),
    "gru_reset_before": ((5, 3), lambda: [L.GRU(4, reset_after=False), L.Dense(2)]),
    "simple_rnn": ((5, 3), lambda: [L.SimpleRNN(4), L.Dense(2)]),
    "rnn_of_cells": ((5, 3), lambda: [L.RNN([L.LSTMCell(4), L.GRUCell(3)]), L.Dense(2)]),
    "rnn_of_cell": ((5, 3), lambda: [L.RNN(L.LSTMCell(4)), L.Dense(2)]),
    "bidirectional": ((5, 3), lambda: [L.Bidirectional(L.LSTM(3)), L.Dense(2)]),
    "bidirectional_gru": ((5, 3), lambda: [L.Bidirectional(L.GRU(3), merge_mode="sum"), L.Dense(2)]),
    "bidirectional_rnn": ((5, 3), lambda: [L.Bidirectional(L.RNN([L.LSTMCell(2), L.LSTMCell(3)])), L.Dense(2)]),
    "conv_lstm1d": ((3, 5, 1), lambda: [L.ConvLSTM1D(2, 2), L.Flatten()]),
    "conv_lstm2d": ((3, 4, 4, 1), lambda: [L.ConvLSTM2D(2, 2), L.Flatten()]),
    "time_distributed": ((4, 3), lambda: [L.TimeDistributed(L.Dense(3)), L.Flatten()]),
    "time_distributed_conv": ((3, 5, 5, 1), lambda: [L.TimeDistributed(L.Conv2D(2, 2)), L.Flatten()]),
    "masking": ((5, 3), lambda: [L.Masking(0.5), L.LSTM(3)]),
    "dropouts": (
        (5, 3),
        lambda: [L.SpatialDropout1D(0.2), L.GaussianNoise(0.1), L.Flatten(), L.Dropout(0.5), L.Dense(2)],
    ),
    "alpha_dropout": ((4,), lambda: [L.AlphaDropout(0.1), L.GaussianDropout(0.1), L.Dense(2)]),
    "reshapes": ((8,), lambda: [L.Reshape((4, 2)), L.Permute((2, 1)), L.Flatten(), L.RepeatVector(2), L.Flatten()]),
    "padding": (
        (4, 4, 1),
        lambda: [L.ZeroPadding2D(1), L.Cropping2D(1), L.UpSampling2D(2), L.Conv2D(2, 2), L.Flatten()],
    ),
    "pooling1d": ((8, 2), lambda: [L.AveragePooling1D(2), L.MaxPooling1D(2), L.Flatten(), L.Dense(2)]),
    "pooling3d": ((4, 4, 4, 1), lambda: [L.AveragePooling3D(2), L.GlobalAveragePooling3D(), L.Dense(2)]),
    "regularized": (
        (4,),
        lambda: [L.Dense(3, kernel_regularizer="l2", kernel_constraint="max_norm"), L.ActivityRegularization(l1=0.1)],
    ),
    "rescaling": ((4,), lambda: [preprocessing("Rescaling")(0.5, 0.1), L.Dense(2)]),
    "images": (
        (6, 6, 1),
        lambda: [preprocessing("Resizing")(4, 4), preprocessing("CenterCrop")(3, 3), L.Conv2D(2, 2), L.Flatten()],
    ),
    "augmented": (
        (6, 6, 1),
        lambda: [preprocessing("RandomFlip")(), preprocessing("RandomRotation")(0.1), L.Conv2D(2, 2), L.Flatten()],
    ),
    "frozen": ((4,), lambda: [L.Dense(3, trainable=False), L.Dense(2)]),
    "nested_sequential": ((4,), lambda: [keras.Sequential([L.Dense(3), L.BatchNormalization()]), L.Dense(2)]),
    "spectral": ((4,), lambda: [L.SpectralNormalization(L.Dense(3)), L.Dense(2)]),
    "fourier": ((4,), lambda: [keras.layers.experimental.RandomFourierFeatures(5), L.Dense(2)]),
    "custom_dtype": ((4,), lambda: [L.Dense(3, dtype="float64"), L.Dense(2, dtype="float64")]),
}


def EinsumDense():
    """EinsumDense, which was experimental up to TensorFlow 2.9."""
    return getattr(L, "EinsumDense", None) or L.experimental.EinsumDense


def embedding():
    """Words as numbers."""
    return keras.Sequential([L.Embedding(20, 4, input_length=6), L.Flatten(), L.Dense(2)])


def masked_embedding():
    """Words as numbers, zeros masked."""
    return keras.Sequential([L.Embedding(20, 4, mask_zero=True, input_length=6), L.GRU(3), L.Dense(2)])


def functional():
    """Two inputs, a shared layer, a nested model, merges."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = L.Dense(3, name="shared")
    inner_in = keras.Input((3,))
    inner = keras.Model(inner_in, L.Dense(3, name="inside")(inner_in), name="inner")
    x = L.Add()([shared(a), inner(shared(b))])
    x = L.Concatenate()([x, L.Multiply()([shared(a), x]), L.Dot(axes=1)([x, x])])
    return keras.Model([a, b], L.Dense(2, name="out")(x))


def outputs():
    """Two outputs."""
    a = keras.Input((4,))
    x = L.Dense(3)(a)
    return keras.Model(a, [L.Dense(2, name="one")(x), L.Dense(1, name="two")(x)])


def residual():
    """Convolutions with a way around."""
    a = keras.Input((6, 6, 2))
    x = L.BatchNormalization()(L.Conv2D(2, 3, padding="same")(a))
    x = L.Activation("relu")(L.add([x, a]))
    return keras.Model(a, L.Dense(2)(L.GlobalAveragePooling2D()(x)))


def attention():
    """Attention of two kinds."""
    a = keras.Input((5, 4))
    x = L.Attention(use_scale=True)([a, a])
    x = L.AdditiveAttention()([x, a])
    return keras.Model(a, L.Dense(2)(L.Flatten()(x)))


def multi_head():
    """Attention of several heads."""
    a = keras.Input((5, 4))
    return keras.Model(a, L.Dense(2)(L.Flatten()(L.MultiHeadAttention(2, 3)(a, a))))


def operations():
    """Operations of TensorFlow between layers."""
    a = keras.Input((4,))
    x = L.Dense(4)(a)
    return keras.Model(a, L.Dense(2)(tf.nn.relu(x * 2.0 + a)))


def adapted():
    """Normalization that was adapted."""
    norm = preprocessing("Normalization")()
    norm.adapt(np.random.RandomState(3).rand(30, 4).astype("float32"))
    return keras.Sequential([keras.Input((4,)), norm, L.Dense(2)])


def bins():
    """Numbers in bins."""
    a = keras.Input((3,))
    key = "bins" if VERSION < (2, 4) else "bin_boundaries"
    built = preprocessing("Discretization")(**{key: [0.2, 0.5]})(a)
    return keras.Model(a, L.Dense(2)(preprocessing("Rescaling")(1.0)(built)))


VOCABULARY = ["the cat sat", "the dog sat on the cat", "a bird", "dog and cat and bird"]


def texts(mode="int", **options):
    """Texts to numbers."""

    def build():
        layer = preprocessing("TextVectorization")(
            output_mode=mode,
            max_tokens=options.get("max_tokens"),
            **({"output_sequence_length": 5} if mode == "int" else {}),
        )
        layer.adapt(tf.data.Dataset.from_tensor_slices(VOCABULARY).batch(2))
        a = keras.Input((1,), dtype="string")
        x = layer(a)
        x = L.Flatten()(L.Embedding(20, 3)(x)) if mode == "int" else L.Dense(3)(x)
        return keras.Model(a, L.Dense(2)(x))

    return build


def strings(mode="int", **options):
    """Words to numbers."""

    def build():
        layer = preprocessing("StringLookup")(
            vocabulary=["cat", "dog", "bird"], **({"output_mode": mode} if mode != "int" else {}), **options
        )
        a = keras.Input((1,), dtype="string")
        x = layer(a)
        x = L.Flatten()(L.Embedding(20, 3)(x)) if mode == "int" else L.Dense(3)(x)
        return keras.Model(a, L.Dense(2)(x))

    return build


def adapted_strings(mode="int"):
    """Words that a layer was adapted to."""

    def build():
        layer = preprocessing("StringLookup")(**({"output_mode": mode} if mode != "int" else {}))
        layer.adapt(np.array([[w] for w in " ".join(VOCABULARY).split()]))
        a = keras.Input((1,), dtype="string")
        x = layer(a)
        x = L.Flatten()(L.Embedding(20, 3)(x)) if mode == "int" else L.Dense(3)(x)
        return keras.Model(a, L.Dense(2)(x))

    return build


def integers():
    """Numbers looked up."""
    a = keras.Input((1,), dtype="int64")
    x = preprocessing("IntegerLookup")(vocabulary=[3, 5, 9])(a)
    return keras.Model(a, L.Dense(2)(L.Flatten()(L.Embedding(9, 3)(x))))


def half():
    """Half precision."""
    policy = getattr(keras.mixed_precision, "set_global_policy", None)
    (policy or keras.mixed_precision.experimental.set_policy)("mixed_float16")
    try:
        return keras.Sequential(
            [
                keras.Input((8,)),
                L.Dense(16, activation="relu"),
                L.Dense(8),
                L.Activation("linear", dtype="float32"),
                L.Dense(2, dtype="float32"),
            ]
        )
    finally:
        (policy or keras.mixed_precision.experimental.set_policy)("float32")


class Blocks(keras.Model):
    """A model of an own class with layers in a list, a dict and a model."""

    def __init__(self):
        super(Blocks, self).__init__()
        self.blocks = [L.Dense(3), L.Dense(3)]
        self.by = {"a": L.Dense(2)}
        self.inner = keras.Sequential([L.Dense(3), L.BatchNormalization()])

    def call(self, x, training=None):
        """The layers one after the other."""
        for block in self.blocks:
            x = block(x)
        return self.by["a"](self.inner(x))


def mlp():
    """Two layers."""
    return keras.Sequential([keras.Input((4,)), L.Dense(5, activation="tanh"), L.Dense(2)])


OTHER = {
    "embedding": embedding, "masked_embedding": masked_embedding, "functional": functional, "outputs": outputs,
    "residual": residual, "attention": attention, "multi_head": multi_head, "operations": operations,
    "adapted": adapted, "bins": bins, "texts_int": texts(), "texts_count": texts("count"), "texts_tfidf": texts("tf-idf"),
    "texts_binary": texts("binary"), "strings": strings(), "strings_onehot": strings("one_hot"),
    "strings_multihot": strings("multi_hot"), "strings_count": strings("count"),
    "strings_adapted": adapted_strings(), "strings_adapted_tfidf": adapted_strings("tf-idf"), "integers": integers,
    "half": half, "blocks": Blocks,
}  # fmt: skip
OWN_CLASSES = ("blocks",)


def optimizers():
    """Optimizers by name."""
    kinds = keras.optimizers
    rate = 0.01
    built = {
        "adam": lambda: kinds.Adam(rate), "sgd": lambda: kinds.SGD(rate), "sgd_momentum": lambda: kinds.SGD(rate, momentum=0.9),
        "sgd_nesterov": lambda: kinds.SGD(rate, momentum=0.9, nesterov=True), "rmsprop": lambda: kinds.RMSprop(rate),
        "rmsprop_centered": lambda: kinds.RMSprop(rate, momentum=0.5, centered=True), "amsgrad": lambda: kinds.Adam(rate, amsgrad=True),
        "adagrad": lambda: kinds.Adagrad(rate), "adadelta": lambda: kinds.Adadelta(rate), "adamax": lambda: kinds.Adamax(rate),
        "nadam": lambda: kinds.Nadam(rate), "ftrl": lambda: kinds.Ftrl(rate),
        "scheduled": lambda: kinds.Adam(kinds.schedules.ExponentialDecay(0.01, 2, 0.5)),
        "clipped": lambda: kinds.Adam(rate, clipnorm=0.1),
    }  # fmt: skip
    if VERSION >= (2, 11):
        built["adamw"] = lambda: kinds.AdamW(rate)
        built["lion"] = lambda: kinds.Lion(rate)
        built["adafactor"] = lambda: kinds.Adafactor(rate)
        built["averaged"] = lambda: kinds.Adam(rate, use_ema=True)
        for name in ("Adam", "SGD", "RMSprop", "Nadam"):
            built["legacy_" + name.lower()] = lambda name=name: getattr(kinds.legacy, name)(rate)
    if VERSION >= (2, 4):
        built["scaled"] = lambda: keras.mixed_precision.LossScaleOptimizer(kinds.Adam(rate))
    return built


def inputs_of(model, name, seed):
    """Numbers or words for the inputs of a model."""
    random = np.random.RandomState(seed)
    if name in OWN_CLASSES:
        return [random.rand(8, 4).astype("float32")]
    built = []
    for tensor in model.inputs:
        shape, dtype = [8] + [size or 5 for size in list(tensor.shape)[1:]], tf.as_dtype(tensor.dtype)
        if dtype == tf.string:
            source = VOCABULARY if name.startswith("texts") else " ".join(VOCABULARY).split() + ["unseen"]
            built.append(np.array([[source[at % len(source)]] for at in range(8)], dtype=object))
        elif dtype.is_integer or "embedding" in name:
            built.append(random.randint(0, 10, shape).astype("int64" if dtype.is_integer else "float32"))
        else:
            built.append(random.rand(*shape).astype("float32"))
    return built


def digest(value):
    """The dtype, the shape and the sum of the bytes of an array, texts with their lengths."""
    value = np.asarray(value)
    if value.dtype == object or value.dtype.kind == "S":
        items = [item if isinstance(item, bytes) else bytes(item) for item in value.ravel().tolist()]
        raw, kind = b"".join(str(len(item)).encode() + b":" + item for item in items), "string"
    else:
        raw, kind = np.ascontiguousarray(value).tobytes(), value.dtype.name
    return [kind, list(value.shape), hashlib.sha256(raw).hexdigest()]


def listed(prefix):
    """The facts that TensorFlow gives of a checkpoint."""
    reader = tf.train.load_checkpoint(prefix)
    built = {}
    for name in reader.get_variable_to_shape_map():
        try:
            built[name] = digest(reader.get_tensor(name))
        except Exception as error:  # of types that it cannot give
            built[name] = ["?", list(reader.get_variable_to_shape_map()[name]), str(error)[:80]]
    return built


def write(folder, name, build, optimizer, label):
    """One model in all forms."""
    keras.backend.clear_session()
    np.random.seed(1)
    (getattr(tf.random, "set_seed", None) or tf.compat.v1.set_random_seed)(7)
    model = build()
    x = inputs_of(model, name, 5)
    feed = x if len(x) > 1 else x[0]
    if name in OWN_CLASSES:
        model._set_inputs(x[0]) if VERSION < (2, 2) else model(x[0])
    chosen = optimizer()
    model.compile(chosen, "mse")
    y = model.predict(feed)
    random = np.random.RandomState(9)
    t = [random.rand(*array.shape).astype("float32") for array in (y if isinstance(y, list) else [y])]
    target = t if len(t) > 1 else t[0]
    for _ in range(3):
        model.train_on_batch(feed, target)
    y = model.predict(feed)
    forms = {}

    def attempt(form, act):
        try:
            act()
            forms[form] = True
        except Exception as error:
            forms[form] = str(error)[:200]

    os.makedirs(folder, exist_ok=True)
    at = lambda part: os.path.join(folder, part)
    attempt("objects", lambda: tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(at("objects")))
    if VERSION < (2, 16):
        attempt("model.h5", lambda: model.save(at("model.h5"), save_format="h5"))
        attempt("weights", lambda: model.save_weights(at("weights"), save_format="tf"))
    if VERSION >= (2, 16):
        attempt("model.keras", lambda: model.save(at("model.keras")))
        attempt("model.weights.h5", lambda: model.save_weights(at("model.weights.h5")))
        attempt("saved", lambda: model.export(at("saved"), verbose=False))
    elif VERSION < (2, 0):
        attempt("saved", lambda: tf.keras.experimental.export_saved_model(model, at("saved")))
    else:
        attempt("saved", lambda: model.save(at("saved"), save_format="tf"))
    record = {"tensorflow": tf.__version__, "name": name, "optimizer": label, "forms": forms}
    prefixes = {"weights": "weights", "objects": "objects", "saved": "saved/variables/variables"}
    record["tensors"] = {form: listed(at(prefix)) for form, prefix in prefixes.items() if forms.get(form) is True}
    record["names"] = [getattr(variable, "name", "") for variable in model.weights]
    model.train_on_batch(feed, target)
    after = model.predict(feed)
    values = {"x%d" % n: array.astype("U") if array.dtype == object else array for n, array in enumerate(x)}
    values.update({"t%d" % n: array for n, array in enumerate(t)})
    values.update({"y%d" % n: array for n, array in enumerate(y if isinstance(y, list) else [y])})
    values.update({"z%d" % n: array for n, array in enumerate(after if isinstance(after, list) else [after])})
    np.savez(at("values.npz"), **values)
    with open(at("record.json"), "w") as file:
        json.dump(record, file, indent=1)


def main():
    """Write all models, or the named ones."""
    folder, wanted = sys.argv[1], set(sys.argv[2:])
    rules = optimizers()
    labels = sorted(rules)
    jobs = [("mlp_" + label, mlp, label) for label in labels]
    for name, (shape, layers) in sorted(SINGLE.items()):
        jobs.append((name, lambda shape=shape, layers=layers: keras.Sequential([keras.Input(shape)] + layers()), None))
    jobs += [(name, build, None) for name, build in sorted(OTHER.items())]
    common = ["adam", "sgd_momentum", "rmsprop", "adagrad", "nadam", "adam", "rmsprop_centered", "sgd", "amsgrad"]
    for number, (name, build, label) in enumerate(jobs):
        if wanted and name not in wanted:
            continue
        label = label or common[number % len(common)]
        try:
            write(os.path.join(folder, name), name, build, rules[label], label)
        except Exception:
            print("%s: %s" % (name, traceback.format_exc().strip().splitlines()[-1][:200]), flush=True)


if __name__ == "__main__":
    main()
