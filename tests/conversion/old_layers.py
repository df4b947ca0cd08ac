"""Every layer class of Keras 2.15 with random settings, as functions from a tensor to a tensor: for old_models.py.

Imports only NumPy and tensorflow-cpu 2.15.1, in whose environment it runs.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

keras = tf.keras
L = keras.layers
Apply = Callable[["Draw", Any], Any]

ACTIVATIONS = (
    *("relu", "elu", "selu", "gelu", "tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign", "softmax", "swish"),
    *("exponential", "linear", "mish"),
)
SAFE = tuple(name for name in ACTIVATIONS if name != "exponential")


class Draw:
    """Random choices from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, *choices: Any) -> Any:
        """A choice at random."""
        return choices[int(self.rng.integers(len(choices)))]

    def often(self, share: float) -> bool:
        """True in this share of cases."""
        return bool(self.rng.random() < share)

    def size(self, low: int = 2, high: int = 5) -> int:
        """A number of units."""
        return int(self.rng.integers(low, high + 1))

    def real(self, low: float, high: float) -> float:
        """A number with two digits after the point."""
        return round(float(self.rng.uniform(low, high)), 2)


def shape(x: Any) -> tuple[Any, ...]:
    """The shape of a sample."""
    return tuple(x.shape[1:])


def with_weights(d: Draw, *, bias: bool = True) -> dict[str, Any]:
    """Arguments that layers with a kernel have, now and then an initializer, a regularizer, a constraint."""
    arguments: dict[str, Any] = {"use_bias": d.often(0.8)} if bias else {}
    init, reg, limit = keras.initializers, keras.regularizers, keras.constraints
    if d.often(0.25):
        arguments["kernel_initializer"] = d.pick(
            *("he_normal", "lecun_uniform", "glorot_normal", "random_normal", "truncated_normal", "ones"),
            *(init.VarianceScaling(2.0, "fan_out", "uniform"), init.RandomUniform(-0.1, 0.1, seed=3)),
            *(init.Constant(0.3), init.TruncatedNormal(0.0, 0.2), init.RandomNormal(stddev=0.01), init.HeUniform(4)),
        )
    if d.often(0.2):
        arguments["kernel_regularizer"] = d.pick("l1", "l2", "l1_l2", reg.L1L2(0.01, 0.02), reg.L2(0.1), reg.L1(0.1))
    if d.often(0.2):
        arguments["kernel_constraint"] = d.pick(
            "max_norm", "unit_norm", limit.MinMaxNorm(0.1, 2.0), limit.MaxNorm(9.0, [0])
        )
    if bias and d.often(0.1):
        arguments["bias_regularizer"] = d.pick("l2", reg.L2(0.3))
        arguments["bias_initializer"] = d.pick("ones", init.Constant(0.2))
    if d.often(0.1):
        arguments["activity_regularizer"] = d.pick("l2", reg.L1(0.01))
    return arguments


def activation(d: Draw) -> dict[str, Any]:
    """An activation by its name or as an object, or none."""
    name = d.pick(None, *SAFE)
    return {"activation": d.pick(name, getattr(keras.activations, name)) if name else None}


def renamed(**arguments: Any) -> dict[str, Any]:
    """The arguments of a depthwise layer: its kernel is called otherwise."""
    return {key.replace("kernel", "depthwise"): value for key, value in arguments.items()}


def single(make: Callable[[Draw, tuple[Any, ...]], Any]) -> Apply:
    """A function that makes a layer for a shape and calls it."""
    return lambda d, x: make(d, shape(x))(x)


def plain(class_name: str, **choices: Any) -> Apply:
    """A function that calls a layer of this class with one of the values for each argument."""
    return lambda d, x: getattr(L, class_name)(**{key: d.pick(*values) for key, values in choices.items()})(x)


def window(d: Draw, rank: int, high: int = 3) -> Any:
    """A size for each axis, or one number for all."""
    return d.pick(d.size(1, high), tuple(d.size(1, high) for _ in range(rank)))


def conv(rank: int) -> Apply:
    """A convolution."""

    def build(d: Draw, of: tuple[Any, ...]) -> Any:
        more = {"strides": d.pick(1, 2)} if d.often(0.5) else {"dilation_rate": d.pick(1, 2)}
        groups = d.pick(1, 2) if of[-1] % 2 == 0 and rank < 3 else 1
        padding = d.pick("valid", "same", *(("causal",) if rank == 1 else ()))
        arguments = {**with_weights(d), **activation(d), **more, "groups": groups, "padding": padding}
        return getattr(L, f"Conv{rank}D")(2 * d.size(1, 2), window(d, rank), **arguments)

    return single(build)


def conv_transpose(rank: int) -> Apply:
    """A transposed convolution."""

    def build(d: Draw, of: tuple[Any, ...]) -> Any:
        strides = d.pick(1, 2)
        arguments = {**with_weights(d), **activation(d), "strides": strides, "padding": d.pick("valid", "same")}
        if strides == 2 and d.often(0.3):
            arguments["output_padding"] = d.pick(1, 0)
        return getattr(L, f"Conv{rank}DTranspose")(d.size(), d.pick(2, 3), **arguments)

    return single(build)


def depthwise(rank: int) -> Apply:
    """A depthwise convolution."""

    def build(d: Draw, of: tuple[Any, ...]) -> Any:
        arguments = {**activation(d), **renamed(**with_weights(d))}
        arguments |= {"strides": d.pick(1, 2)} if d.often(0.5) else {"dilation_rate": d.pick(1, 2)}
        more = {"depth_multiplier": d.pick(1, 2), "padding": d.pick("valid", "same")}
        return getattr(L, f"DepthwiseConv{rank}D")(window(d, 1), **arguments, **more)

    return single(build)


def separable(rank: int) -> Apply:
    """A separable convolution."""

    def build(d: Draw, of: tuple[Any, ...]) -> Any:
        arguments = {**activation(d), **renamed(**with_weights(d)), "depth_multiplier": d.pick(1, 2)}
        return getattr(L, f"SeparableConv{rank}D")(d.size(), window(d, 1), padding=d.pick("valid", "same"), **arguments)

    return single(build)


def local(rank: int) -> Apply:
    """A convolution with weights of their own at each place."""
    return single(lambda d, of: getattr(L, f"LocallyConnected{rank}D")(2, 2, implementation=d.pick(1, 2, 3)))


def pooling(rank: int, kind: str) -> Apply:
    """Pooling."""

    def build(d: Draw, of: tuple[Any, ...]) -> Any:
        arguments = {"strides": d.pick(None, 1, 2), "padding": d.pick("valid", "same")}
        return getattr(L, f"{kind}Pooling{rank}D")(d.pick(2, 3) if rank == 1 else window(d, rank), **arguments)

    return single(build)


def conv_lstm(rank: int) -> Apply:
    """A convolutional LSTM."""

    def build(d: Draw, of: tuple[Any, ...]) -> Any:
        arguments = {"padding": d.pick("valid", "same"), "return_sequences": d.often(0.4), "use_bias": d.often(0.7)}
        arguments |= {"activation": d.pick("tanh", "relu"), "go_backwards": d.often(0.3)}
        arguments |= {
            "recurrent_activation": d.pick("hard_sigmoid", "hard_sigmoid", "sigmoid"),
            "dropout": d.pick(0, 0.2),
        }
        return getattr(L, f"ConvLSTM{rank}D")(d.size(2, 3), 2, **arguments)

    return single(build)


def recurrent(d: Draw, name: str) -> dict[str, Any]:
    """Arguments of a recurrent layer or cell."""
    arguments = {"activation": d.pick("tanh", "tanh", "relu", "softsign"), "use_bias": d.often(0.8)}
    if name != "SimpleRNN":
        arguments["recurrent_activation"] = d.pick("sigmoid", "sigmoid", "hard_sigmoid", "tanh")
    if name == "SimpleRNN" and d.often(0.3):
        arguments["activation"] = "hard_sigmoid"
    if name == "GRU":
        arguments["reset_after"] = d.often(0.5)
    if d.often(0.2):
        arguments |= {"dropout": 0.2, "recurrent_dropout": d.pick(0.0, 0.1)}
    if name == "LSTM" and d.often(0.3):
        arguments["unit_forget_bias"] = False
    if d.often(0.2):
        arguments["recurrent_regularizer"] = "l2"
    return arguments


def layer_of(d: Draw, name: str, **more: Any) -> Any:
    """A recurrent layer."""
    arguments = {"go_backwards": d.often(0.2), "unroll": d.often(0.1), "return_sequences": d.often(0.5)}
    return getattr(L, name)(d.size(2, 4), **{**recurrent(d, name), **arguments, **more})


def rnn(name: str) -> Apply:
    """A recurrent layer, now and then given or giving states."""

    def applied(d: Draw, x: Any) -> Any:
        if d.often(0.15):
            y = layer_of(d, name, return_state=True)(x)
            return L.Concatenate()([L.Flatten()(part) for part in y])
        if d.often(0.15):
            units = d.size()
            states = [L.Dense(units)(L.GlobalMaxPooling1D()(x)) for _ in range(2 if name == "LSTM" else 1)]
            return getattr(L, name)(units, **recurrent(d, name))(x, initial_state=states)
        return layer_of(d, name)(x)

    return applied


def cell_of(d: Draw, name: str) -> Any:
    """A recurrent cell."""
    return getattr(L, f"{name}Cell")(d.size(2, 3), **recurrent(d, name))


def cell(name: str) -> Apply:
    """A cell in an RNN."""
    return single(lambda d, of: L.RNN(cell_of(d, name), return_sequences=d.often(0.4), go_backwards=d.often(0.2)))


def stacked(d: Draw, of: tuple[Any, ...]) -> Any:
    """Stacked cells in an RNN, as a list or an object."""
    cells = [cell_of(d, d.pick("LSTM", "GRU", "SimpleRNN")) for _ in range(d.size(2, 3))]
    return L.RNN(d.pick(cells, L.StackedRNNCells(cells)), return_sequences=d.often(0.4))


def bidirectional(d: Draw, of: tuple[Any, ...]) -> Any:
    """Bidirectional, some with a backward layer of their own."""
    name, same = d.pick("LSTM", "GRU", "SimpleRNN"), d.often(0.5)
    sequences = {"return_sequences": d.often(0.5)}
    if d.often(0.2):
        forward = getattr(L, name)(3, **recurrent(d, name), **sequences)
        back = L.GRU(3, go_backwards=True, **recurrent(d, "GRU"), **sequences)
        return L.Bidirectional(forward, backward_layer=back, merge_mode=d.pick("concat", "sum"))
    if d.often(0.15):
        return L.Bidirectional(L.RNN(cell_of(d, name), **sequences), merge_mode="ave")
    layer = getattr(L, name)(3, **recurrent(d, name), **sequences, go_backwards=same and d.often(0.3))
    return L.Bidirectional(layer, merge_mode=d.pick("concat", "sum", "mul", "ave"))


def time_distributed(d: Draw, x: Any) -> Any:
    """A layer or a model at every step."""
    if len(shape(x)) == 2:
        block = keras.Sequential([L.Dense(3, activation="relu"), L.BatchNormalization()])
        return L.TimeDistributed(d.pick(L.Dense(d.size()), L.BatchNormalization(), block))(x)
    inner = d.pick(
        L.Conv2D(d.size(), 2), L.Flatten(), L.GlobalAveragePooling2D(), L.MaxPooling2D(2), L.LayerNormalization()
    )
    return L.TimeDistributed(inner)(x)


def batch_normalization(d: Draw, of: tuple[Any, ...]) -> Any:
    """Batch normalization over one or more axes."""
    axis = d.pick(-1, -1, len(of), *((1,) if len(of) > 1 else ()))
    arguments = {
        "scale": d.often(0.8),
        "center": d.often(0.8),
        "epsilon": d.pick(1e-3, 1e-5),
        "momentum": d.pick(0.99, 0.9),
    }
    return L.BatchNormalization(axis=axis, **arguments, **({"synchronized": True} if d.often(0.1) else {}))


def layer_normalization(d: Draw, of: tuple[Any, ...]) -> Any:
    """Layer normalization over one axis or the last ones."""
    axis = d.pick(-1, -1, len(of), *(([-2, -1], [len(of) - 1, len(of)]) if len(of) > 1 else ()))
    return L.LayerNormalization(axis=axis, epsilon=d.pick(1e-3, 1e-6), scale=d.often(0.8), center=d.often(0.8))


def group_normalization(d: Draw, of: tuple[Any, ...]) -> Any:
    """Group normalization."""
    groups = d.pick(-1, 1, *(number for number in (2, 3) if of[-1] % number == 0))
    return L.GroupNormalization(groups, scale=d.often(0.8), center=d.often(0.8), epsilon=d.pick(1e-3, 1e-2))


def normalization(d: Draw, of: tuple[Any, ...]) -> Any:
    """Features brought to mean 0 and variance 1, with statistics that were learned or given."""
    if d.often(0.3):
        return L.Normalization(mean=d.real(-1, 1), variance=d.real(0.5, 2), invert=d.often(0.3))
    layer = L.Normalization(axis=d.pick(-1, None, -1), invert=d.often(0.2))
    layer.adapt(d.rng.normal(0.5, 2.0, (16, *of)).astype("float32"))
    return layer


def spectral(d: Draw, of: tuple[Any, ...]) -> Any:
    """Spectral normalization."""
    inner = L.Conv2D(3, 2) if len(of) == 3 and d.often(0.7) else L.Dense(d.size())
    return L.SpectralNormalization(inner, power_iterations=d.pick(1, 2))


def prelu(d: Draw, of: tuple[Any, ...]) -> Any:
    """PReLU with shared axes."""
    return L.PReLU(shared_axes=d.pick(None, [1], [1, 2]) if len(of) > 1 else None)


def relu(d: Draw, of: tuple[Any, ...]) -> Any:
    """ReLU with all it can do."""
    return L.ReLU(d.pick(None, 1.5, 6.0), negative_slope=d.pick(0.0, 0.1), threshold=d.pick(0.0, 0.3))


def einsum_dense(d: Draw, of: tuple[Any, ...]) -> Any:
    """EinsumDense."""
    bias = {"bias_axes": d.pick(None, "d")}
    if len(of) == 1:
        return L.EinsumDense("ab,bd->ad", output_shape=d.size(), **bias, **activation(d))
    return L.EinsumDense("abc,cd->abd", output_shape=(None, d.size()), **bias, **activation(d))


def merged(class_name: str) -> Apply:
    """A layer that merges tensors of one shape."""

    def applied(d: Draw, x: Any) -> Any:
        others = [L.Dense(shape(x)[-1], activation=d.pick(None, "tanh"))(x)]
        others += [L.Activation("sigmoid")(x)] if class_name != "Subtract" and d.often(0.4) else []
        arguments = {"axis": d.pick(-1, 1, len(shape(x)))} if class_name == "Concatenate" else {}
        return getattr(L, class_name)(**arguments)([x, *others])

    return applied


def dot(d: Draw, x: Any) -> Any:
    """Dot of two tensors."""
    other = L.Dense(shape(x)[-1])(x)
    axes = d.pick(-1, 2, (2, 2), 1) if len(shape(x)) == 2 else 1
    return L.Dot(axes=axes, normalize=d.often(0.4))([x, other])


def attention(class_name: str) -> Apply:
    """Attention of a sequence to another."""

    def applied(d: Draw, x: Any) -> Any:
        value = L.Dense(shape(x)[-1])(x)
        arguments: dict[str, Any] = {"use_scale": d.often(0.5), "dropout": d.pick(0.0, 0.1)}
        if class_name == "Attention":
            arguments["score_mode"] = d.pick("dot", "dot", "concat")
        call = {"use_causal_mask": True} if d.often(0.3) else {}
        inputs = d.pick([x, value], [x, value, L.Activation("tanh")(value)])
        return getattr(L, class_name)(**arguments)(inputs, **call)

    return applied


def multi_head(d: Draw, x: Any) -> Any:
    """Multi-head attention."""
    value = d.pick(x, L.Dense(3)(x))
    arguments: dict[str, Any] = {"use_bias": d.often(0.8), "value_dim": d.pick(None, 2), "dropout": d.pick(0.0, 0.1)}
    if d.often(0.3):
        arguments["output_shape"] = d.size()
    if d.often(0.2):
        arguments["attention_axes"] = (1,)
    call = {"use_causal_mask": True} if d.often(0.3) else {}
    if d.often(0.2):
        call["key"] = L.Activation("relu")(value)
    return L.MultiHeadAttention(d.size(1, 3), d.size(2, 3), **arguments)(x, value, **call)


def masked(d: Draw, x: Any) -> Any:
    """Masking before what takes its mask."""
    x = L.Masking(d.pick(0.0, 0.5))(x)
    if d.often(0.2):
        return L.TimeDistributed(L.Dense(3))(L.LSTM(3, return_sequences=True)(x))
    if d.often(0.2):
        return L.GlobalAveragePooling1D()(x)
    if d.often(0.2):
        return L.Bidirectional(L.LSTM(2, return_sequences=d.often(0.5)))(x)
    return d.pick(L.LSTM, L.GRU, L.SimpleRNN)(3, return_sequences=d.often(0.4))(x)


def embedding(d: Draw, x: Any) -> Any:
    """An embedding of tokens, some with a mask that a recurrent layer takes."""
    zero = d.often(0.5)
    y = L.Embedding(12, d.size(), mask_zero=zero, **({"input_length": shape(x)[0]} if d.often(0.5) else {}))(x)
    return d.pick(L.LSTM, L.GRU)(3, return_sequences=d.often(0.5))(y) if zero and d.often(0.7) else y


def encoding(d: Draw, x: Any) -> Any:
    """Tokens as vectors of zeros and ones, or counts."""
    return L.CategoryEncoding(12, output_mode=d.pick("multi_hot", "count"))(x)


def hashing(d: Draw, x: Any) -> Any:
    """Tokens hashed."""
    return L.Embedding(7, 3)(L.Hashing(7, **d.pick({}, {"salt": 133}, {"salt": [5, 7]}, {"mask_value": 0}))(x))


def crossing(d: Draw, x: Any) -> Any:
    """Two tokens crossed."""
    return L.HashedCrossing(9, output_mode="one_hot")((x[:, :1], x[:, 1:2]))


def integer_lookup(d: Draw, x: Any) -> Any:
    """Tokens looked up in a vocabulary."""
    arguments = {"num_oov_indices": d.pick(0, 1, 2), "mask_token": d.pick(None, 0)}
    mode = d.pick("int", "multi_hot", "count")
    arguments["num_oov_indices"] = max(arguments["num_oov_indices"], 1)
    y = L.IntegerLookup(vocabulary=[3, 1, 7, 5], output_mode=mode, **arguments)(x)
    return L.Embedding(8, 3)(y) if mode == "int" else y


def discretization(d: Draw, x: Any) -> Any:
    """Numbers sorted into bins."""
    if d.often(0.5):
        layer = L.Discretization(bin_boundaries=[-1.0, 0.0, 0.5], output_mode=d.pick("int", "multi_hot", "count"))
    else:
        layer = L.Discretization(num_bins=4, epsilon=0.01, output_mode=d.pick("int", "multi_hot"))
        layer.adapt(d.rng.normal(size=(64, 1)).astype("float32"))
    y = layer(x)
    return L.Embedding(5, 3)(y) if layer.output_mode == "int" else y


def string_lookup(d: Draw, x: Any) -> Any:
    """Words looked up in a vocabulary."""
    arguments: dict[str, Any] = {"num_oov_indices": d.pick(1, 2), "mask_token": d.pick(None, "")}
    mode = d.pick("int", "multi_hot", "count", "tf_idf")
    weights = {"idf_weights": [0.5, 1.5, 0.25]} if mode == "tf_idf" else {}
    y = L.StringLookup(vocabulary=["red", "green", "blue"], output_mode=mode, **weights, **arguments)(x)
    return L.Embedding(7, 3)(y) if mode == "int" else y


def text_vectorization(d: Draw, x: Any) -> Any:
    """Sentences as tokens."""
    mode = d.pick("int", "int", "multi_hot", "count", "tf_idf")
    arguments: dict[str, Any] = {
        "ngrams": d.pick(None, 2),
        "standardize": d.pick("lower_and_strip_punctuation", "lower", None),
    }
    arguments |= (
        {"output_sequence_length": 5} if mode == "int" else {"pad_to_max_tokens": d.often(0.5), "max_tokens": 20}
    )
    layer = L.TextVectorization(output_mode=mode, **arguments)
    if d.often(0.5) and mode != "tf_idf":
        layer.set_vocabulary(["red", "green", "blue", "red green", "fish"])
    else:
        layer.adapt(["red fish", "blue fish, red fish", "green Fish and blue!", "two"])
    y = layer(x)
    return L.Embedding(40, 3)(y) if mode == "int" else y


def random_fourier(d: Draw, of: tuple[Any, ...]) -> Any:
    """Random Fourier features."""
    arguments = {
        "kernel_initializer": d.pick("gaussian", "laplacian"),
        "scale": d.pick(None, 2.0),
        "trainable": d.often(0.5),
    }
    return L.experimental.RandomFourierFeatures(d.size(), **arguments)


def resized(d: Draw, of: tuple[Any, ...]) -> Any:
    """Images in another size."""
    how = d.pick("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area", "gaussian", "mitchellcubic")
    return L.Resizing(d.size(3, 9), d.size(3, 9), interpolation=how, crop_to_aspect_ratio=d.often(0.3))


def upsampling2d(d: Draw, of: tuple[Any, ...]) -> Any:
    """Images made larger."""
    return L.UpSampling2D(d.pick(2, (1, 2), (3, 2)), interpolation=d.pick("nearest", "nearest", "bilinear", "bicubic"))


def dense_features(d: Draw, x: Any) -> Any:
    """Feature columns, of a dict of inputs."""
    column = tf.feature_column.numeric_column("numbers", shape=shape(x))
    return L.DenseFeatures([column])({"numbers": x})


def sides(rank: int, class_name: str) -> Apply:
    """Padding or cropping."""

    def build(d: Draw, of: tuple[Any, ...]) -> Any:
        pair = (d.size(0, 1), d.size(0, 2 if class_name == "ZeroPadding" else 1))
        amount = d.pick(1, pair) if rank == 1 else d.pick(1, (1, 0, 1)[:rank], (pair,) * rank)
        return getattr(L, f"{class_name}{rank}D")(amount)

    return single(build)


def reshaped(d: Draw, of: tuple[Any, ...]) -> Any:
    """Another shape."""
    return L.Reshape(d.pick((of[-1], -1), (-1, of[-1]), (-1,)))


def permuted(d: Draw, of: tuple[Any, ...]) -> Any:
    """Axes in another order."""
    return L.Permute(d.pick(*itertools.permutations(range(1, len(of) + 1))))


def dropout(class_name: str, key: str = "rate", **more: Any) -> Apply:
    """Something that does nothing but in training."""
    return lambda d, x: getattr(L, class_name)(**{key: d.real(0.1, 0.5)}, **more)(x)


def recurrent_entries() -> dict[str, tuple[tuple[str, ...], Apply]]:
    """The recurrent layers and cells."""
    entries: dict[str, tuple[tuple[str, ...], Apply]] = {}
    for name in ("LSTM", "GRU", "SimpleRNN"):
        entries[name] = (("sequence",), rnn(name))
        entries[f"{name}Cell"] = (("sequence",), cell(name))
    entries["RNN"] = (("sequence",), single(stacked))
    entries["StackedRNNCells"] = (("sequence",), single(stacked))
    entries["Bidirectional"] = (("sequence",), single(bidirectional))
    entries["ConvLSTM1D"] = (("image",), conv_lstm(1))
    entries["ConvLSTM2D"] = (("volume",), conv_lstm(2))
    return entries


def spatial_entries() -> dict[str, tuple[tuple[str, ...], Apply]]:
    """The layers that exist for each number of axes."""
    entries: dict[str, tuple[tuple[str, ...], Apply]] = {}
    for rank, kind in ((1, "sequence"), (2, "image"), (3, "volume")):
        on = (kind,)
        entries[f"Conv{rank}D"] = (on, conv(rank))
        entries[f"Conv{rank}DTranspose"] = (on, conv_transpose(rank))
        entries[f"ZeroPadding{rank}D"] = (on, sides(rank, "ZeroPadding"))
        entries[f"Cropping{rank}D"] = (on, sides(rank, "Cropping"))
        entries[f"SpatialDropout{rank}D"] = (on, dropout(f"SpatialDropout{rank}D"))
        for how in ("Max", "Average"):
            entries[f"{how}Pooling{rank}D"] = (on, pooling(rank, how))
            entries[f"Global{how}Pooling{rank}D"] = (
                on,
                plain(f"Global{how}Pooling{rank}D", keepdims=(False, False, True)),
            )
        if rank < 3:
            entries[f"DepthwiseConv{rank}D"] = (on, depthwise(rank))
            entries[f"SeparableConv{rank}D"] = (on, separable(rank))
            entries[f"LocallyConnected{rank}D"] = (on, local(rank))
    entries["UpSampling1D"] = (("sequence",), plain("UpSampling1D", size=(2, 3)))
    entries["UpSampling2D"] = (("image",), single(upsampling2d))
    entries["UpSampling3D"] = (("volume",), plain("UpSampling3D", size=(2, (1, 2, 1))))
    entries["Resizing"] = (("image",), single(resized))
    entries["CenterCrop"] = (("image",), plain("CenterCrop", height=(3, 4, 9), width=(3, 5)))
    return entries


def augmentation_entries() -> dict[str, tuple[tuple[str, ...], Apply]]:
    """The layers that change images in training alone."""
    on = ("image",)
    fills = {"fill_mode": ("reflect", "constant", "nearest"), "interpolation": ("bilinear", "nearest")}
    return {
        "RandomBrightness": (on, plain("RandomBrightness", factor=(0.2, (-0.1, 0.3)), value_range=((0, 1), (0, 255)))),
        "RandomContrast": (on, plain("RandomContrast", factor=(0.2, (0.1, 0.3)))),
        "RandomCrop": (on, plain("RandomCrop", height=(3, 5), width=(3, 4))),
        "RandomFlip": (on, plain("RandomFlip", mode=("horizontal", "vertical", "horizontal_and_vertical"))),
        "RandomHeight": (on, plain("RandomHeight", factor=(0.2, (-0.1, 0.3)))),
        "RandomRotation": (on, plain("RandomRotation", factor=(0.2, (-0.1, 0.3)), **fills)),
        "RandomTranslation": (on, plain("RandomTranslation", height_factor=(0.1,), width_factor=(0.2,), **fills)),
        "RandomWidth": (on, plain("RandomWidth", factor=(0.2, (-0.1, 0.3)))),
        "RandomZoom": (on, plain("RandomZoom", height_factor=(0.1,), width_factor=(None, 0.2), **fills)),
    }


ANY = ("vector", "sequence", "image", "volume")
TABLE: dict[str, tuple[tuple[str, ...], Apply]] = {
    **recurrent_entries(),
    **spatial_entries(),
    **augmentation_entries(),
    "Dense": (ANY, single(lambda d, of: L.Dense(d.size(), **with_weights(d), **activation(d)))),
    "EinsumDense": (("vector", "sequence"), single(einsum_dense)),
    "experimental.RandomFourierFeatures": (("vector",), single(random_fourier)),
    "Activation": (ANY, plain("Activation", activation=ACTIVATIONS)),
    "ELU": (ANY, plain("ELU", alpha=(1.0, 0.5))),
    "LeakyReLU": (ANY, plain("LeakyReLU", alpha=(0.3, 0.1))),
    "ReLU": (ANY, single(relu)),
    "PReLU": (("vector", "sequence", "image"), single(prelu)),
    "Softmax": (ANY, single(lambda d, of: L.Softmax(axis=d.pick(-1, 1)))),
    "ThresholdedReLU": (ANY, plain("ThresholdedReLU", theta=(1.0, 0.3))),
    "BatchNormalization": (ANY, single(batch_normalization)),
    "experimental.SyncBatchNormalization": (ANY, single(lambda d, of: L.experimental.SyncBatchNormalization())),
    "LayerNormalization": (ANY, single(layer_normalization)),
    "GroupNormalization": (("sequence", "image"), single(group_normalization)),
    "UnitNormalization": (ANY, plain("UnitNormalization", axis=(-1, 1))),
    "Normalization": (ANY, single(normalization)),
    "SpectralNormalization": (("vector", "image"), single(spectral)),
    "Rescaling": (ANY, plain("Rescaling", scale=(0.5, 2.0), offset=(0.0, -1.0))),
    "Dropout": (ANY, dropout("Dropout")),
    "AlphaDropout": (ANY, dropout("AlphaDropout")),
    "GaussianDropout": (ANY, dropout("GaussianDropout")),
    "GaussianNoise": (ANY, dropout("GaussianNoise", "stddev")),
    "ActivityRegularization": (ANY, plain("ActivityRegularization", l1=(0.0, 0.1), l2=(0.01,))),
    "Identity": (ANY, plain("Identity")),
    "Flatten": (ANY, plain("Flatten")),
    "Reshape": (("sequence", "image"), single(reshaped)),
    "Permute": (("sequence", "image"), single(permuted)),
    "RepeatVector": (("vector",), plain("RepeatVector", n=(2, 3))),
    "TimeDistributed": (("sequence", "volume"), time_distributed),
    "Masking": (("sequence",), masked),
    "Add": (ANY, merged("Add")),
    "Average": (ANY, merged("Average")),
    "Concatenate": (ANY, merged("Concatenate")),
    "Maximum": (ANY, merged("Maximum")),
    "Minimum": (ANY, merged("Minimum")),
    "Multiply": (ANY, merged("Multiply")),
    "Subtract": (ANY, merged("Subtract")),
    "Dot": (("vector", "sequence"), dot),
    "Attention": (("sequence",), attention("Attention")),
    "AdditiveAttention": (("sequence",), attention("AdditiveAttention")),
    "MultiHeadAttention": (("sequence",), multi_head),
    "Embedding": (("tokens",), embedding),
    "CategoryEncoding": (("tokens",), encoding),
    "Hashing": (("tokens",), hashing),
    "HashedCrossing": (("tokens",), crossing),
    "IntegerLookup": (("tokens",), integer_lookup),
    "Discretization": (("vector",), discretization),
    "StringLookup": (("words",), string_lookup),
    "TextVectorization": (("sentences",), text_vectorization),
    "DenseFeatures": (("vector",), dense_features),
}
"""Of each class the kinds of tensors that it takes, and what applies it."""
REMOVED = frozenset(
    {
        *("DenseFeatures", "LocallyConnected1D", "LocallyConnected2D", "RandomHeight", "RandomWidth"),
        "experimental.RandomFourierFeatures",
    }
)
"""Classes without a successor in Keras 3, which are put in models of their own only."""
BASES = frozenset({"AbstractRNNCell", "InputLayer", "Lambda", "Layer", "Wrapper"})
"""Classes that are no layers to apply, and Lambda, whose code is never converted."""
