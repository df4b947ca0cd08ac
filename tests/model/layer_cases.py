"""Layers in many settings, as data: what the table of layers is compared with live Keras on."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int | None, ...]

POLICIES = ("float16", "float64", "bfloat16", "mixed_float16", "mixed_bfloat16")
INT4 = ("int4_from_float32", "int4/-1_from_float32", "int4/2_from_float32", "int4/128_from_mixed_bfloat16")
GROUPED = (
    "gptq/4/2_from_float32",
    "gptq/8/-1_from_float32",
    "gptq/2/3_from_mixed_bfloat16",
    "awq/4/2_from_float32",
    "awq/4/-1_from_float32",
)
QUANTIZED = ("int8_from_float32", "int8_from_mixed_bfloat16", "float8_from_float32", *INT4, *GROUPED)


@dataclass(frozen=True)
class Spec:
    """A layer to be made: its class and arguments, which may be specs themselves."""

    class_name: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.class_name}({', '.join(f'{key}={value}' for key, value in self.kwargs.items())})"

    __repr__ = __str__


@dataclass(frozen=True)
class Case:
    """A layer and the shapes it is built for. `listed` says that it takes its shapes as one list."""

    spec: Spec
    shapes: tuple[Shape, ...]
    listed: bool = False

    def __str__(self) -> str:
        return f"{self.spec}{list(self.shapes)}"

    __repr__ = __str__


def spec(class_name: str, **kwargs: Any) -> Spec:
    """A layer to be made."""
    return Spec(class_name, kwargs)


def settings(**choices: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """All combinations of arguments; an argument whose choice is `...` is left out."""
    for values in itertools.product(*choices.values()):
        yield {key: value for key, value in zip(choices, values, strict=True) if value is not ...}


def combine(class_name: str, shapes: tuple[Shape, ...], **choices: tuple[Any, ...]) -> Iterator[Case]:
    """All combinations of arguments and of shapes of a single input."""
    for kwargs in settings(**choices):
        for shape in shapes:
            yield Case(Spec(class_name, kwargs), (shape,))


def dense() -> Iterator[Case]:
    """Dense, plain, quantized and with LoRA."""
    yield from combine(
        "Dense", ((None, 4), (None, 3, 5)), units=(1, 5), use_bias=(True, False), trainable=(True, False)
    )
    yield from combine("Dense", ((None, 4),), units=(3,), dtype=POLICIES)
    yield from combine("Dense", ((None, 5),), units=(3, 4), dtype=QUANTIZED, use_bias=(True, False))
    lora = (..., "mixed_float16", "mixed_bfloat16", "int8_from_float32", "int8_from_mixed_bfloat16", *INT4)
    yield from combine("Dense", ((None, 5),), units=(3,), lora_rank=(2,), dtype=lora, trainable=(..., False))


def einsum() -> Iterator[Case]:
    """EinsumDense with each form of equation, quantized and with LoRA."""
    forms: tuple[tuple[str, Any, Any, Shape], ...] = (
        ("ab,bc->ac", 6, "c", (None, 4)),
        ("ab,bc->ac", 6, None, (None, 4)),
        ("abc,cd->abd", (None, 6), "d", (None, 5, 4)),
        ("abc,cd->abd", (5, 6), "bd", (None, 5, 4)),
        ("...x,xy->...y", 7, "y", (None, 3, 4)),
        ("...x,xy->...y", 7, "y", (None, 4)),
        ("...xy,yz->...xz", (3, 2), "x", (None, 5, 3, 4)),
        ("ab...,bc->ac...", 6, "c", (None, 4, 3, 2)),
        ("abc,cde->abde", (None, 2, 3), "de", (None, 5, 8)),
        ("abc,cde->abde", (None, 2, 3), "e", (None, 5, 8)),
        ("abcd,cde->abe", (None, 8), "e", (None, 5, 2, 3)),
        ("abc,acd->abd", (5, 6), "d", (2, 5, 4)),
    )
    for equation, shape, axes, input_shape in forms:
        arguments = {"equation": equation, "output_shape": shape, "bias_axes": axes}
        for dtype in (..., "mixed_bfloat16", *QUANTIZED):
            if "..." in equation and dtype not in (..., "mixed_bfloat16", "float8_from_float32"):
                continue  # Keras 3.15.1 fails: `_analyze_quantization_info` takes the length of a number
            for rank in (..., 2) if dtype in (..., "mixed_bfloat16", *QUANTIZED[:2], *INT4[1:]) else (...,):
                more = {"dtype": dtype, "lora_rank": rank}
                settings = {key: value for key, value in more.items() if value is not ...}
                yield Case(Spec("EinsumDense", {**arguments, **settings}), (input_shape,))


def embeddings() -> Iterator[Case]:
    """Embedding and ReversibleEmbedding."""
    policies = (..., "mixed_float16", "int8_from_float32", "int8_from_mixed_bfloat16", *INT4)
    yield from combine("Embedding", ((None, 3),), input_dim=(7,), output_dim=(5, 4), dtype=policies, lora_rank=(..., 2))
    yield from combine("Embedding", ((None,),), input_dim=(7,), output_dim=(5,), trainable=(False,))
    sizes: dict[str, tuple[Any, ...]] = {"input_dim": (7,), "output_dim": (5,)}
    yield from combine("ReversibleEmbedding", ((None, 3),), **sizes, tie_weights=(True, False), dtype=policies)
    yield from combine("ReversibleEmbedding", ((None, 3),), **sizes, lora_rank=(2,))


def _images(rank: int, channels_first: bool, channels: int = 4) -> Shape:
    space = (9, 8, 7)[:rank]
    return (None, channels, *space) if channels_first else (None, *space, channels)


def convolutions() -> Iterator[Case]:
    """All convolutions."""
    formats = ("channels_last", "channels_first")
    for rank, data_format, use_bias in itertools.product((1, 2, 3), formats, (True, False)):
        shape = _images(rank, data_format == "channels_first")
        common = {"data_format": (data_format,), "use_bias": (use_bias,), "kernel_size": (2, (3, 2, 1)[:rank])}
        yield from combine(f"Conv{rank}D", (shape,), **common, filters=(6,), groups=(1, 2))
        yield from combine(f"Conv{rank}DTranspose", (shape,), **common, filters=(6,))
        if rank < 3:
            yield from combine(f"SeparableConv{rank}D", (shape,), **common, filters=(6,), depth_multiplier=(1, 2))
            yield from combine(f"DepthwiseConv{rank}D", (shape,), **common, depth_multiplier=(1, 3))
    for name in ("Conv1D", "Conv2D", "Conv3D"):
        shape = _images(int(name[4]), False)
        yield from combine(name, (shape,), filters=(3,), kernel_size=(2,), lora_rank=(2,), dtype=(..., "mixed_float16"))
        yield from combine(name, (shape,), filters=(3,), kernel_size=(2,), dtype=("mixed_float16", "float64"))
        yield from combine(name, (shape,), filters=(3,), kernel_size=(2,), trainable=(False,))
    yield from combine("Convolution2D", (_images(2, False),), filters=(3,), kernel_size=(2,))


def recurrent() -> Iterator[Case]:
    """Recurrent layers and cells, Bidirectional, cells of other make."""
    both: dict[str, tuple[Any, ...]] = {"units": (3,), "use_bias": (True, False)}
    for name in ("SimpleRNN", "LSTM", "GRU"):
        yield from combine(name, ((None, 5, 4),), **both, trainable=(..., False), dtype=(..., "mixed_bfloat16"))
        yield from combine(name, ((2, 5, 4),), units=(3,), stateful=(True,))
        yield from combine(f"{name}Cell", ((None, 4),), **both)
        inner = spec(name, units=3)
        yield from combine(
            "Bidirectional", ((None, 5, 4),), layer=(inner,), trainable=(..., False), merge_mode=(..., "sum")
        )
    yield from combine("GRU", ((None, 5, 4),), **both, reset_after=(True, False))
    yield from combine("GRUCell", ((None, 4),), **both, reset_after=(False,))
    named, backwards = spec("LSTM", units=3, name="forward_mine"), spec("GRU", units=2, go_backwards=True, name="other")
    yield from combine("Bidirectional", ((None, 5, 4),), layer=(named,), backward_layer=(..., backwards))
    cells = ("LSTMCell", "GRUCell", "SimpleRNNCell", "LSTMCell")
    stack = spec("StackedRNNCells", cells=[spec(name, units=size + 2) for size, name in enumerate(cells)])
    nested = spec("StackedRNNCells", cells=[stack, spec("GRUCell", units=3)])
    custom = spec("StackedRNNCells", cells=[spec("OwnCell", units=3), spec("GRUCell", units=2)])
    run = (stack, nested, spec("LSTMCell", units=2, name="mine"), spec("OwnCell", units=3), custom)
    yield from combine("RNN", ((None, 5, 4),), cell=run, trainable=(..., False))
    yield from combine("Bidirectional", ((None, 5, 4),), layer=(spec("RNN", cell=stack),))
    yield from combine("StackedRNNCells", ((None, 4),), cells=([spec("LSTMCell", units=2), spec("LSTMCell", units=3)],))
    for rank, data_format in itertools.product((1, 2, 3), ("channels_last", "channels_first")):
        image = _images(rank, data_format == "channels_first")
        sizes = {"filters": (3,), "kernel_size": (2,), "data_format": (data_format,)}
        shape = (None, 5, *image[1:])
        yield from combine(f"ConvLSTM{rank}D", (shape,), **sizes, use_bias=(True, False), trainable=(..., False))


def attention() -> Iterator[Case]:
    """Attention layers."""
    query, value, key = (None, 5, 4), (None, 6, 3), (None, 6, 7)
    for kwargs in settings(use_scale=(True, False), score_mode=("dot", "concat"), dropout=(0.0, 0.5)):
        yield Case(Spec("Attention", kwargs), (query, value), listed=True)
    for kwargs in settings(use_scale=(True, False), dtype=(..., "mixed_float16")):
        yield Case(Spec("AdditiveAttention", kwargs), (query, value), listed=True)
    size: dict[str, tuple[Any, ...]] = {"num_heads": (2,), "key_dim": (3,)}
    for kwargs in settings(
        **size, value_dim=(..., 5), use_bias=(True, False), output_shape=(..., 6, (2, 3)), use_gate=(..., True)
    ):
        yield Case(Spec("MultiHeadAttention", kwargs), (query, value, key))
    for kwargs in settings(**size, dtype=("mixed_bfloat16", *QUANTIZED[:5]), trainable=(..., False)):
        yield Case(Spec("MultiHeadAttention", kwargs), (query, value))
    for kwargs in settings(**size, attention_axes=(..., 1, (2,), (1, 2)), dtype=(..., "int8_from_float32")):
        yield Case(Spec("MultiHeadAttention", kwargs), ((None, 5, 6, 4), (None, 5, 6, 3)))
    heads: dict[str, tuple[Any, ...]] = {"head_dim": (3,), "num_query_heads": (4,), "num_key_value_heads": (1, 2)}
    for kwargs in settings(**heads, use_bias=(True, False), use_gate=(..., True), dtype=(..., "int8_from_float32")):
        yield Case(Spec("GroupQueryAttention", kwargs), (query, value, key))


def normalization() -> Iterator[Case]:
    """Normalizing layers and those with a weight for each feature."""
    both = {"center": (True, False), "scale": (True, False)}
    shape = (None, 6, 5, 4)
    yield from combine(
        "BatchNormalization", (shape,), **both, renorm=(..., True), axis=(..., 1), trainable=(..., False)
    )
    yield from combine("BatchNormalization", (shape,), dtype=("mixed_float16", "float64"))
    yield from combine("LayerNormalization", (shape,), **both, axis=(..., 1, [1, 3], [3, 1], [-1, 1]))
    yield from combine("LayerNormalization", (shape,), **both, rms_scaling=(True,))
    yield from combine("GroupNormalization", (shape,), **both, groups=(2,), axis=(..., 1))
    yield from combine("RMSNormalization", (shape,), axis=(..., 1, [3, 1]), dtype=(..., "mixed_float16"))
    yield from combine("UnitNormalization", (shape,))
    yield from combine("Normalization", (shape,), axis=(..., None, 1, (1, 3), (-1, 1)), dtype=(..., "mixed_float16"))
    yield from combine("Normalization", (shape,), mean=(2.0,), variance=(3.0,))
    yield from combine("PReLU", (shape, (None, 3)), shared_axes=(..., 1))
    yield from combine("PReLU", (shape,), shared_axes=([1, 2], [-1]), trainable=(True, False))
    windows = {"window": (None,), "frame_length": (16, 20)}  # a named window needs scipy
    yield from combine("STFTSpectrogram", ((None, 64, 1),), **windows, mode=("log", "real", "imag", "stft"))
    yield from combine("STFTSpectrogram", ((None, 64, 1),), **windows, fft_length=(32,))


def holders() -> Iterator[Case]:
    """Layers that hold others."""
    image = (None, 5, 8, 8, 3)
    layers = (
        spec("Dense", units=3),
        spec("BatchNormalization"),
        spec("Conv2D", filters=2, kernel_size=3, trainable=False),
    )
    yield from combine("TimeDistributed", (image,), layer=layers, trainable=(..., False))
    yield from combine("TimeDistributed", (image,), layer=(spec("TimeDistributed", layer=layers[1]),))
    whole = (spec("LSTM", units=2), spec("PReLU"), spec("LayerNormalization", axis=1))
    yield from combine("TimeDistributed", ((None, 3, 5, 4),), layer=whole)
    own = spec("Own")
    block = spec(
        "Sequential",
        layers=[spec("Dense", units=3), spec("BatchNormalization", trainable=False), spec("Dense", units=2)],
    )
    yield from combine("TimeDistributed", ((None, 5, 4),), layer=(block, own))
    yield from combine("Wrapper", ((None, 4),), layer=(spec("Dense", units=3), own, spec("Dropout", rate=0.5)))
    normed = (
        spec("Dense", units=3),
        spec("Dense", units=3, use_bias=False, trainable=False),
        spec("Dense", units=3, lora_rank=2),
        spec("EinsumDense", equation="...x,xy->...y", output_shape=3, bias_axes="y"),
        spec("Conv2D", filters=2, kernel_size=3),
        spec("Conv2DTranspose", filters=2, kernel_size=3),
        spec("DepthwiseConv2D", kernel_size=3),
        spec("SpectralNormalization", layer=spec("Dense", units=3)),
    )
    yield from combine("SpectralNormalization", ((None, 8, 8, 3),), layer=normed, trainable=(..., False))
    yield from combine("SpectralNormalization", ((None, 5),), layer=(spec("Embedding", input_dim=4, output_dim=3),))
    mixed = spec("Dense", units=3, dtype="mixed_bfloat16")
    yield from combine("SpectralNormalization", ((None, 4),), layer=(mixed,))
    yield from combine("Own", ((None, 4),))


_REQUIRED: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AdaptiveAveragePooling1D": {"output_size": 2},
    "AdaptiveAveragePooling2D": {"output_size": 2},
    "AdaptiveAveragePooling3D": {"output_size": 2},
    "AdaptiveMaxPooling1D": {"output_size": 2},
    "AdaptiveMaxPooling2D": {"output_size": 2},
    "AdaptiveMaxPooling3D": {"output_size": 2},
    "AlphaDropout": {"rate": 0.5},
    "AveragePooling1D": {"pool_size": 2},
    "AveragePooling2D": {"pool_size": 2},
    "AveragePooling3D": {"pool_size": 2},
    "CategoryEncoding": {"num_tokens": 3},
    "CenterCrop": {"height": 4, "width": 4},
    "Dot": {"axes": 1},
    "Dropout": {"rate": 0.5},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
    "HashedCrossing": {"num_bins": 3},
    "Hashing": {"num_bins": 3},
    "InputLayer": {"shape": (4,)},
    "MaxNumBoundingBoxes": {"max_number": 3},
    "Permute": {"dims": (1,)},
    "RandomBrightness": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomCrop": {"height": 4, "width": 4},
    "RandomHue": {"factor": 0.5},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.5},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomTranslation": {"height_factor": 0.5, "width_factor": 0.5},
    "RandomZoom": {"height_factor": 0.5},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 0.5},
    "Reshape": {"target_shape": (4,)},
    "Resizing": {"height": 4, "width": 4},
    "SpatialDropout1D": {"rate": 0.5},
    "SpatialDropout2D": {"rate": 0.5},
    "SpatialDropout3D": {"rate": 0.5},
}
MERGING = frozenset({"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"})
NOT_BUILT = frozenset({"Lambda"})  # takes Python code, which no config is needed to know the weights of


def weightless(names: tuple[str, ...]) -> Iterator[Case]:
    """One case for each layer without weights; and some more that hold such."""
    for name in names:
        plain = Spec(name, _REQUIRED.get(name, {}))
        if name in MERGING:
            yield Case(plain, ((2, 4), (2, 4)), listed=True)
        elif name not in NOT_BUILT:
            yield Case(plain, ((2, 4),) if name == "Permute" else ((2, 8, 8, 3),))
    flips = [spec("RandomFlip"), spec("RandomFlip"), spec("RandomRotation", factor=0.5)]
    yield Case(spec("Pipeline", layers=flips), ((2, 8, 8, 3),))


def preprocessing() -> Iterator[Case]:
    """Lookups and bins; weights of words are no weights of the layer, and stored under a name of their own."""
    for mode in ("int", "multi_hot", "tf_idf"):
        weights = {"idf_weights": [0.5, 0.75]} if mode == "tf_idf" else {}
        for padded in ({}, {"max_tokens": 6, "pad_to_max_tokens": True}) if mode != "int" else ({},):
            arguments = {"vocabulary": ["a", "b"], "output_mode": mode, **weights, **padded}
            yield Case(spec("StringLookup", **arguments), ((None, 2),))
            yield Case(spec("TextVectorization", **arguments), ((None,),))
            yield Case(spec("IntegerLookup", **{**arguments, "vocabulary": [3, 5]}), ((None, 2),))
    yield Case(spec("Discretization", bin_boundaries=[0.0, 1.0]), ((None, 4),))


FAMILIES = (dense, einsum, embeddings, convolutions, recurrent, attention, normalization, holders, preprocessing)


def all_cases(weightless_names: tuple[str, ...]) -> list[Case]:
    """Every case, each once."""
    cases = [*itertools.chain.from_iterable(family() for family in FAMILIES), *weightless(weightless_names)]
    return list({str(case): case for case in cases}.values())
