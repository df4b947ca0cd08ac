"""Calls of layers in many settings, as data: what the table of output shapes is compared with live Keras on.

Some of them Keras refuses, because arguments make no sense or inputs do not fit.
"""

from collections.abc import Iterator
from typing import Any

from tests.model.layer_cases import Spec, settings, spec
from tests.model.shapes.preprocessing_shape_cases import categories, random_images
from tests.model.shapes.shape_case import FORMATS, Case, calls, images


def convolutions() -> Iterator[Case]:
    """Convolutions of every kind."""
    paddings: tuple[Any, ...] = (..., "same", "causal", "full")
    steps: tuple[dict[str, Any], ...] = ({}, {"strides": 2}, {"dilation_rate": 2}, {"strides": 2, "dilation_rate": 2})
    for rank in (1, 2, 3):
        for padding in paddings:
            for step in steps:
                choices = {key: (value,) for key, value in step.items()} | {"padding": (padding,)}
                yield from calls(f"Conv{rank}D", images(rank), filters=(6,), kernel_size=(3,), **choices)
        yield from calls(f"Conv{rank}D", images(rank), filters=(6,), kernel_size=(2,), data_format=FORMATS)
        yield from calls(f"Conv{rank}D", images(rank), filters=(6,), kernel_size=(1,), groups=(2, 3, 4), strides=(3,))
    for name, rank in (("SeparableConv1D", 1), ("SeparableConv2D", 2), ("DepthwiseConv1D", 1), ("DepthwiseConv2D", 2)):
        filters = (5,) if name.startswith("Sep") else (...,)
        more = {"depth_multiplier": (..., 2), "padding": paddings[:2], "data_format": FORMATS}
        yield from calls(name, images(rank), filters=filters, kernel_size=(3,), strides=(1, 2), **more)
        yield from calls(name, images(rank), filters=filters, kernel_size=(2,), dilation_rate=(2,), padding=("same",))
    windows: dict[str, tuple[Any, ...]] = {"kernel_size": ([3, 2],), "strides": ([2, 1],), "filters": (5,)}
    for name in ("Conv2D", "Convolution2D", "Conv2DTranspose", "SeparableConv2D"):
        yield from calls(name, images(2), **windows, padding=paddings[:2], data_format=FORMATS)


def transposed_convolutions() -> Iterator[Case]:
    """Transposed convolutions."""
    for rank in (1, 2, 3):
        name, more = f"Conv{rank}DTranspose", {"filters": (5,), "padding": (..., "same")}
        yield from calls(name, images(rank), kernel_size=(1, 4), strides=(1, 3), **more)
        yield from calls(name, images(rank)[:4], kernel_size=(3,), strides=(3,), output_padding=(0, 2, 3), **more)
        yield from calls(name, images(rank)[1:5], kernel_size=(3,), dilation_rate=(2,), data_format=FORMATS, **more)
    paddings = ([1, 0], [1, 1], [1])
    yield from calls(
        "Conv2DTranspose", images(2)[:2], filters=(3,), kernel_size=(3,), strides=([2, 3],), output_padding=paddings
    )
    yield from calls(
        "Conv1DTranspose", images(1)[:1], filters=(3,), kernel_size=(3,), strides=(2,), dilation_rate=(1, 2)
    )


def pooling() -> Iterator[Case]:
    """Pooling of every kind."""
    for rank in (1, 2, 3):
        for kind in ("Max", "Average"):
            name = f"{kind}Pooling{rank}D"
            yield from calls(name, images(rank), padding=(..., "same", "causal"), data_format=FORMATS, pool_size=(2,))
            yield from calls(name, images(rank)[:1], strides=(..., 1))
            yield from calls(name, images(rank)[:4], pool_size=(3,), strides=(..., 1, 2), padding=(..., "same"))
            yield from calls(f"Global{name}", images(rank), keepdims=(..., True), data_format=FORMATS)
            more = {"output_size": (2, [3] * rank, [1, 2, 3, 4]), "data_format": FORMATS}
            yield from calls(f"Adaptive{name}", images(rank)[:5], **more)
    yield from calls("MaxPooling2D", images(2), pool_size=([3, 1],), strides=(..., [2, 3]))


def reshaping() -> Iterator[Case]:
    """Reshaping."""
    yield from calls("Flatten", [(None, 3, 4), (2,), (None, None, 4), (None,), (), (3, 0, 2)], data_format=FORMATS)
    targets = ([6, 4], [-1], [2, -1], [-1, 5], [None, 4], [4, -1, -1], [], [1, 24], [-2, 4], [0, -1])
    yield from calls("Reshape", [(None, 24), (2, 4, 6), (None, None, 6), (None,), (None, 0)], target_shape=targets)
    orders = ([2, 1], [1], [3, 1, 2], [1, 1], [0, 1], [2, 3])
    yield from calls("Permute", [(None, 3, 4), (None, 5), (2, None, 3, 4)], dims=orders)
    yield from calls("RepeatVector", [(None, 3), (2, None), (None, 3, 4), (None,)], n=(1, 3))
    for rank in (1, 2, 3):
        pairs = [[1, 2], [3, 0], [0, 1]][:rank]
        pads: tuple[Any, ...] = (..., 0, 2, [1, 2], [1] * rank, pairs, [[1, 2, 3]] * rank, -1 if rank == 1 else "x")
        formats = (...,) if rank == 1 else FORMATS
        yield from calls(f"ZeroPadding{rank}D", images(rank), padding=pads, data_format=FORMATS)
        yield from calls(f"Cropping{rank}D", images(rank), cropping=pads, data_format=formats)
        sizes = (..., 1, 3) if rank == 1 else (..., 1, 3, [2, 3, 4][:rank], [2])
        yield from calls(f"UpSampling{rank}D", images(rank), size=sizes, data_format=formats)


def merging() -> Iterator[Case]:
    """Merging layers on lists of inputs."""
    lists: list[list[Any]] = [
        [(None, 3), (None, 3)],
        [(None, 3, 4), (2, 1, 4)],
        [(None, 3, 4), (None, 4), (3, 3, 1)],
        [(2, 3), (3, 3)],
        [(None, 3), (None, 4)],
        [(None, None, 4), (None, 3, None)],
        [(None, 1), (None, None)],
        [(None, 1, 4), (None, 3, 4)],
        [(None, 5)],
        [(None,), (None, 2)],
        [(2, 3, 4), (2, 5, 4)],
        [(2, 3, None), (2, 5, 4)],
        [(1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 9)],
    ]
    for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"):
        yield from calls(name, lists)
    yield from calls("Concatenate", lists, axis=(..., 0, 1, 2, -2, 3, -4))
    pairs: list[list[Any]] = [
        [(None, 3), (None, 3)],
        [(None, 3, 4), (None, 5, 4)],
        [(2, 3, 4), (2, 4)],
        [(None, 4), (None, 4, 5)],
        [(None, 2, 3, 4), (None, 4, 5, 6)],
        [(2, 3), (2, 4)],
        [(2, 3), (3, 3)],
        [(None, 3), (None, 3), (None, 3)],
    ]
    yield from calls("Dot", pairs, axes=(-1, 1, 2, [1, 2], [-1, 1], [2, 1], [3, 1], [-2, -1], [1, 2, 3], "x"))


def simple() -> Iterator[Case]:
    """Layers that give out the shape they take."""
    shapes = [(None, 3), (2, 3, 4), (None, None, 4, 5), (None,)]
    for name in ("ActivityRegularization", "ELU", "Identity", "LeakyReLU", "Masking", "ReLU", "Softmax"):
        yield from calls(name, shapes)
    yield from calls("Activation", shapes, activation=("relu",))
    yield from calls("Identity", [[(None, 3), (2, 4)], {"b": (None, 2), "a": (None, 1)}])
    yield from calls("Softmax", shapes, axis=([1, 2],))
    for name in ("AlphaDropout", "Dropout", "GaussianDropout"):
        yield from calls(name, shapes, rate=(0.5,))
    yield from calls("GaussianNoise", shapes, stddev=(0.5,))
    yield from calls("Rescaling", shapes, scale=(0.5,), offset=(..., 1.0))
    for rank in (1, 2, 3):
        yield from calls(f"SpatialDropout{rank}D", [*shapes, *images(rank)], rate=(0.5,))


def normalization() -> Iterator[Case]:
    """Normalization, whose axes must be there."""
    shapes = [(None, 6), (2, 3, 6), (None, None, 4, 6), (None,), (None, 3, None)]
    for name in ("BatchNormalization", "Normalization"):
        yield from calls(name, shapes, axis=(..., 1, -2, 3))
    for name in ("LayerNormalization", "RMSNormalization", "UnitNormalization"):
        yield from calls(name, shapes, axis=(..., 1, -2, 3, [1, 2], [-1, -4]))
    yield from calls("Normalization", shapes, axis=(None, [1, 2]))
    yield from calls("GroupNormalization", shapes, groups=(2, -1, 4, 9, 0), axis=(..., 1))
    yield from calls("PReLU", shapes[:3], shared_axes=(..., 1, [1, 2], [3]))
    spectral = (spec("Dense", units=5), spec("Conv1D", filters=5, kernel_size=2), spec("ReLU"))
    yield from calls("SpectralNormalization", shapes[:3], layer=spectral)
    yield from calls("SpectralNormalization", [(None, 3)], layer=(spec("Embedding", input_dim=4, output_dim=7),))


def core() -> Iterator[Case]:
    """Dense layers, embeddings, inputs, Lambda."""
    yield from calls("Dense", [(None, 4), (2, 3, 4), (None, None, 5), (None,), (3, None)], units=(1, 5))
    numbers = [(None, 3), (2,), (None, None, 2), ()]
    for name in ("Embedding", "ReversibleEmbedding"):
        yield from calls(name, numbers, input_dim=(7,), output_dim=(5,))
    for shape in ((None, 3, 5), (2, 5), (None, None, 5), ()):
        for reverse in (True, False):
            kwargs = {"input_dim": 7, "output_dim": 5}
            yield Case(Spec("ReversibleEmbedding", kwargs), (shape,), {"reverse": reverse})
    forms: tuple[tuple[str, Any, Any], ...] = (
        ("ab,bc->ac", 6, "c"),
        ("abc,cd->abd", [None, 6], None),
        ("abc,cd->abd", [5, 6], "bd"),
        ("...x,xy->...y", 7, "y"),
        ("...xy,yz->...xz", [3, 2], None),
        ("ab...,bc->ac...", 6, "c"),
        ("a...,ab->b...", 6, None),
        ("abc,cde->abde", [None, 2, 3], "de"),
        ("abcd,cde->abe", [None, 8], "e"),
        ("ab,bc->ad", 6, None),
        ("ab,bd->ac", 6, None),
        ("ab,bc->ac", 6, "b"),
        ("ab,bc->ac", [6, 7], None),
        ("ab->ac", 6, None),
    )
    inputs = [(None, 4), (2, 5, 4), (None, None, 4), (None, 5, 3, 4), (None, 2, 5, 3, 4), (None,)]
    for equation, shape, axes in forms:
        yield from calls("EinsumDense", inputs, equation=(equation,), output_shape=(shape,), bias_axes=(axes,))
    yield from calls("Pipeline", [(None, 8, 8, 3)], layers=([spec("Rescaling", scale=2.0)],))
    chain = [spec("CenterCrop", height=5, width=4), spec("Rescaling", scale=0.5), spec("Resizing", height=3, width=2)]
    yield from calls("Pipeline", [(None, 8, 9, 3), (2, 5, 5, 1)], layers=(chain, chain[:2], [spec("Flatten")]))
    yield Case(spec("InputLayer", batch_shape=[2, None, 3]), ())
    yield Case(spec("InputLayer", shape=[4], batch_size=2), ())
    yield Case(spec("InputLayer", shape=[None, 4]), ())
    for class_name in ("Layer", "Wrapper", "Lambda"):
        layers = (
            {"layer": spec("ReLU")}
            if class_name == "Wrapper"
            else {"function": "relu"}
            if class_name == "Lambda"
            else {}
        )
        yield Case(Spec(class_name, layers), ((None, 3),))
    for shape in ((3, 4), (None,), [3, 4]):
        yield Case(spec("Lambda", function="relu", output_shape=shape), ((2, 3),))
        yield Case(spec("Lambda", function="relu", output_shape=shape), ([(None, 3), (2, 5)],))


def recurrent() -> Iterator[Case]:
    """Recurrent layers, their cells and wrappers."""
    sequences = [(None, 5, 3), (2, None, 3), (None, 3), (None, 4, 3, 2)]
    flags: dict[str, tuple[Any, ...]] = {"return_sequences": (..., True), "return_state": (..., True)}
    for name in ("SimpleRNN", "GRU", "LSTM"):
        yield from calls(name, sequences, units=(4,), **flags)
    units = {"GRUCell": 4, "LSTMCell": 5, "SimpleRNNCell": 6}
    cells = [spec(name, units=size) for name, size in units.items()]
    stacks = [spec("StackedRNNCells", cells=cells), spec("StackedRNNCells", cells=cells[:2]), spec("OwnCell", units=3)]
    yield from calls("RNN", sequences, cell=(*cells, *stacks), **flags)
    yield from calls("RNN", sequences[:1], cell=([*cells[1:]], spec("StackedRNNCells", cells=[stacks[1]])), **flags)
    for cell, size in zip(cells, units.values(), strict=True):
        states = [(None, size)] * (2 if cell.class_name == "LSTMCell" else 1)
        for shape in ((None, 3), (2, 3)):
            yield Case(cell, (shape, [(shape[0], state[1]) for state in states]))
    yield Case(stacks[1], ((None, 3), [[(None, 4)], [(None, 5), (None, 5)]]))
    for rank in (1, 2, 3):
        space = (6, 5, 4)[:rank]
        inputs = [(None, 3, *space, 2), (2, None, *space, 2), (None, *space, 2), (None, 3, 2, *space)]
        more = {"filters": (4,), "kernel_size": (3,), "padding": (..., "same")}
        yield from calls(f"ConvLSTM{rank}D", inputs[: 5 - rank], **more, **flags, data_format=FORMATS)
        yield from calls(f"ConvLSTM{rank}D", inputs[:1], **more, strides=(2,), return_sequences=(True,))
    yield from bidirectional(flags)
    yield from time_distributed()
    for args, kwargs in (((), {"initial_state": [(None, 4), (None, 4)]}), (([(None, 4), (None, 4)],), {})):
        yield Case(spec("LSTM", units=4, return_state=True), ((None, 5, 3), *args), kwargs)
    yield Case(spec("LSTM", units=4), ((None, 5, 3),), {"mask": (None, 5)})


def bidirectional(flags: dict[str, tuple[Any, ...]]) -> Iterator[Case]:
    """Bidirectional over every kind of layer, in every mode."""
    modes = (..., "sum", "mul", "ave", None, "concat")
    for kwargs in settings(**flags):
        specs = [Spec(name, {"units": 4, **kwargs}) for name in ("SimpleRNN", "GRU", "LSTM")]
        yield from calls("Bidirectional", [(None, 5, 3), (2, None, 3)], layer=tuple(specs), merge_mode=modes)
        conv = Spec("ConvLSTM2D", {"filters": 4, "kernel_size": 3, "data_format": "channels_first", **kwargs})
        yield from calls("Bidirectional", [(None, 3, 2, 6, 5)], layer=(conv,), merge_mode=(..., None))
        own = Spec("RNN", {"cell": spec("OwnCell", units=3), **kwargs})
        yield from calls("Bidirectional", [(None, 5, 3)], layer=(own,), merge_mode=(..., None))
    yield from calls("Bidirectional", [(None, 5, 3), (None, 3)], layer=(spec("GRU", units=2), spec("Dense", units=2)))


def time_distributed() -> Iterator[Case]:
    """TimeDistributed over layers of several ranks."""
    layers = (
        spec("Dense", units=5),
        spec("Conv1D", filters=3, kernel_size=2),
        spec("Flatten"),
        spec("LSTM", units=4),
        spec("LSTM", units=4, return_state=True),
        spec("TimeDistributed", layer=spec("Dense", units=6)),
    )
    inputs = [(None, 5, 3), (2, None, 6, 3), (None, 5, 4, 3, 2), (None, 5)]
    yield from calls("TimeDistributed", inputs, layer=layers)


def attention() -> Iterator[Case]:
    """Attention, with scores and without."""
    lists: list[Any] = [
        [(None, 5, 4), (None, 6, 4)],
        [(None, 5, 4), (None, 6, 3), (None, 6, 4)],
        [(2, None, 4), (2, None, 4)],
        [(2, 3, 5, 4), (2, 3, 6, 4)],
        [(None, 5, 4)],
        [(None, 5, 4)] * 4,
    ]
    for name in ("Attention", "AdditiveAttention"):
        for names in lists:
            for kwargs in ({}, {"return_attention_scores": True}, {"return_attention_scores": False}):
                yield Case(spec(name, use_scale=True), (names,), kwargs)
    triples: list[tuple[Any, ...]] = [
        ((None, 5, 4), (None, 6, 4)),
        ((None, 5, 4), (None, 6, 4), (None, 6, 4)),
        ((2, None, 4), (2, 6, 4)),
        ((None, 5, 4), (None, 6, 3)),
        ((None, 5, 4), (None, 6, 4), (None, 7, 4)),
        ((None, 5, 4), (None, 6, 4), (None, 6, 3)),
        ((None, 3, 5, 4), (None, 3, 6, 4)),
    ]
    heads = (
        spec("MultiHeadAttention", num_heads=2, key_dim=3),
        spec("MultiHeadAttention", num_heads=2, key_dim=3, value_dim=5, output_shape=7, use_gate=True),
        spec("MultiHeadAttention", num_heads=2, key_dim=3, output_shape=[6, 7], attention_axes=[1]),
        spec("GroupQueryAttention", head_dim=3, num_query_heads=4, num_key_value_heads=2),
        spec("GroupQueryAttention", head_dim=3, num_query_heads=4, num_key_value_heads=3),
    )
    for layer in heads:
        for names in triples:
            for scored in ({}, {"return_attention_scores": True}):
                yield Case(layer, names, scored)
                yield Case(layer, names[:1], {**dict(zip(("value", "key"), names[1:], strict=False)), **scored})
    yield Case(heads[0], triples[0], {"attention_mask": (None, 5, 6)})


FAMILIES = (
    convolutions,
    transposed_convolutions,
    pooling,
    reshaping,
    merging,
    simple,
    normalization,
    core,
    recurrent,
    attention,
    categories,
    random_images,
)


def all_cases() -> list[Case]:
    """Every case, each once."""
    return list({str(case): case for family in FAMILIES for case in family()}.values())
