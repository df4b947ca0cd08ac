"""The cost of a model, counted by hand: operations and memory of each kind of layer, of nested and shared models."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.errors import CheckpointError
from ckpttool.inspection.cost import cost_of
from ckpttool.inspection.graph import graph_of
from ckpttool.model.class_names import ALIASES
from ckpttool.model.config import read_architecture
from ckpttool.model.layers.layer_type import LayerType
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS
from ckpttool.model.layers.work import unknown_work
from tests.samples import FIXTURES

# What these compute follows from code that no config has.
NOT_COUNTED = {"Lambda", "Layer", "Wrapper"}
NOT_COUNTED_OLD = {"ClassMethod", "InstanceMethod", "InstanceProperty"}


def layer(class_name: str, shape: list[int | None] | None = None, **config: Any) -> dict[str, Any]:
    """A layer's entry; with a shape it is the first one."""
    batch_shape = {"batch_shape": [None, *shape]} if shape is not None else {}
    return {"class_name": class_name, "config": {"name": class_name.lower(), **batch_shape, **config}}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    """The config of a Sequential model."""
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}}


def counted(shape: list[int | None], *layers: dict[str, Any], batch: int = 1) -> tuple[int | None, int | None]:
    """The multiply-adds and the operations of the last of some layers for inputs of a shape."""
    architecture = read_architecture(sequential(layer("InputLayer", shape), *layers))
    assert architecture is not None
    cost = cost_of(architecture, [(batch, *(size or 7 for size in shape))]).layers[-1]
    return cost.macs, cost.flops


def dense(units: int, **config: Any) -> dict[str, Any]:
    """A Dense layer."""
    return layer("Dense", units=units, **config)


MEL = layer("MelSpectrogram", num_mel_bins=4, fft_length=8, sequence_length=8, sequence_stride=4)
STACKED = layer(
    "RNN", cell=layer("StackedRNNCells", cells=[layer("SimpleRNNCell", units=3), layer("GRUCell", units=2)])
)
CASES: tuple[tuple[list[int | None], dict[str, Any], int, int], ...] = (
    # shape, layer, multiply-adds, other operations
    ([4], dense(3), 12, 3),
    ([4], dense(3, use_bias=False, activation="relu"), 12, 3),
    ([4], dense(3, activation="softmax"), 12, 3 + 15),
    ([4], dense(3, activation="linear"), 12, 3),
    ([5, 4], dense(3), 60, 15),
    ([8, 8, 3], layer("Conv2D", filters=4, kernel_size=[3, 3], padding="same"), 8 * 8 * 27 * 4, 256),
    ([8, 8, 3], layer("Conv2D", filters=4, kernel_size=[3, 3]), 6 * 6 * 27 * 4, 144),
    ([8, 8, 4], layer("Conv2D", filters=4, kernel_size=3, strides=2, groups=2, use_bias=False), 9 * 9 * 2 * 4, 0),
    ([8, 3], layer("Conv1D", filters=2, kernel_size=3, padding="causal"), 8 * 9 * 2, 16),
    ([4, 4, 4, 2], layer("Conv3D", filters=2, kernel_size=2), 27 * 16 * 2, 54),
    ([8, 8, 3], layer("DepthwiseConv2D", kernel_size=3, depth_multiplier=2), 36 * 9 * 3 * 2, 36 * 6),
    ([8, 8, 3], layer("SeparableConv2D", filters=5, kernel_size=3), 36 * (9 * 3 + 3 * 5), 36 * 5),
    ([8, 8, 3], layer("Conv2DTranspose", filters=2, kernel_size=3, strides=2), 64 * 9 * 3 * 2, 17 * 17 * 2),
    ([3, 8, 8], layer("Conv2D", filters=4, kernel_size=3, data_format="channels_first"), 36 * 27 * 4, 144),
    ([8, 8, 3], layer("MaxPooling2D", pool_size=2), 0, 4 * 16 * 3),
    ([8, 8, 3], layer("AveragePooling2D", pool_size=3, strides=1, padding="same"), 0, 9 * 64 * 3),
    ([8, 8, 3], layer("GlobalAveragePooling2D"), 0, 192),
    ([8, 8, 3], layer("BatchNormalization"), 0, 384),
    ([8], layer("LayerNormalization"), 0, 40),
    ([8], layer("Activation", activation="tanh"), 0, 8),
    ([8], layer("Activation", activation={"class_name": "Softmax", "config": {}}), 0, 40),
    ([8], layer("ReLU"), 0, 8),
    ([8], layer("Softmax"), 0, 40),
    ([8], layer("Dropout", rate=0.5), 0, 0),
    ([8], layer("Rescaling", scale=2.0), 0, 16),
    ([8, 2], layer("Flatten"), 0, 0),
    ([8], layer("Embedding", input_dim=10, output_dim=4), 0, 0),
    ([5, 4], layer("SimpleRNN", units=3), 5 * (4 * 3 + 3 * 3), 5 * 3 * 3),
    ([5, 4], layer("LSTM", units=3), 5 * 4 * (4 * 3 + 3 * 3), 5 * 3 * 17),
    ([5, 4], layer("GRU", units=3), 5 * 3 * (4 * 3 + 3 * 3), 5 * 3 * 16),
    ([5, 4], layer("Bidirectional", layer=layer("LSTM", units=3)), 2 * 5 * 4 * 21, 2 * 5 * 51),
    ([5, 4], layer("TimeDistributed", layer=dense(3)), 60, 15),
    ([5, 4], layer("EinsumDense", equation="abc,cd->abd", output_shape=[5, 3], bias_axes="d"), 60, 15),
    ([6, 6, 2], layer("UpSampling2D", size=2), 0, 0),
    ([6, 6, 2], layer("UpSampling2D", size=2, interpolation="bilinear"), 4 * 288, 0),
    ([6, 6, 2], layer("Resizing", height=4, width=3), 4 * 24, 0),
    ([6, 6, 2], layer("Resizing", height=4, width=3, interpolation="nearest"), 0, 0),
    ([6, 6, 2], layer("Resizing", height=4, width=3, interpolation="lanczos5"), 100 * 24, 0),
    ([6, 6, 2], layer("CenterCrop", height=4, width=6), 0, 0),
    ([6, 6, 2], layer("RandomCrop", height=4, width=6), 0, 0),
    ([6, 6, 2], layer("CenterCrop", height=4, width=7), 4 * 56, 0),
    ([6, 6, 3], layer("RandomColorDegeneration", factor=0.5), 0, 0),
    ([8, 3], layer("Conv1DTranspose", filters=2, kernel_size=3, strides=2), 8 * 3 * 3 * 2, 17 * 2),
    ([4, 4, 4, 3], layer("Conv3DTranspose", filters=2, kernel_size=3), 64 * 27 * 3 * 2, 216 * 2),
    ([8, 3], layer("DepthwiseConv1D", kernel_size=3, depth_multiplier=2), 6 * 3 * 3 * 2, 6 * 6),
    ([8, 3], layer("SeparableConv1D", filters=5, kernel_size=3), 6 * (3 * 3 + 3 * 5), 6 * 5),
    ([5, 8, 3], layer("ConvLSTM1D", filters=2, kernel_size=3), 5 * 6 * (3 * 3 + 3 * 2) * 8, 5 * 6 * 2 * 17),
    ([5, 8, 8, 3], layer("ConvLSTM2D", filters=2, kernel_size=3), 5 * 36 * (9 * 3 + 9 * 2) * 8, 5 * 36 * 2 * 17),
    ([5, 4, 4, 4, 3], layer("ConvLSTM3D", filters=2, kernel_size=3), 5 * 8 * 27 * (3 + 2) * 8, 5 * 8 * 2 * 17),
    ([5, 4], layer("RNN", cell=layer("LSTMCell", units=3)), 5 * 4 * (4 * 3 + 3 * 3), 5 * 3 * 17),
    ([5, 4], STACKED, 5 * (4 * 3 + 3 * 3) + 5 * 3 * (3 * 2 + 2 * 2), 5 * 3 * 3 + 5 * 2 * 16),
    ([4], layer("SpectralNormalization", layer=dense(3)), 12, 3),
    ([4], layer("Pipeline", layers=[layer("Dropout", rate=0.5)]), 0, 0),
    ([5], layer("ReversibleEmbedding", input_dim=10, output_dim=4), 0, 0),
    ([6, 2], layer("UpSampling1D", size=2), 0, 0),
    ([4, 4, 4, 2], layer("UpSampling3D", size=2), 0, 0),
    *(([8], layer(name), 0, 8 * 1) for name in "ELU LeakyReLU PReLU ThresholdedReLU".split()),
    *(([8], layer(name), 0, 8 * 2) for name in ("Normalization", "Masking")),  # a comparison and a product
    ([8], layer("UnitNormalization"), 0, 8 * 3),  # a square, a sum, a quotient
    ([8], layer("RMSNormalization"), 0, 8 * 4),  # a square, a sum, a quotient, a scale
    ([8, 4], layer("GroupNormalization", groups=2), 0, 32 * 5),
    *(
        (shape, layer(f"{kind}Pooling{rank}D", **own), 0, math.prod(shape))  # pools of 2 that do not overlap
        for rank, shape in ((1, [8, 3]), (2, [8, 8, 3]), (3, [4, 4, 4, 3]))
        for name in ("Max", "Average")
        for kind, own in ((name, {"pool_size": 2}), (f"Global{name}", {}), (f"Adaptive{name}", {"output_size": 2}))
    ),
    # 2 channels, 3 steps of 8 values, 5 frequencies: real and imaginary; squares, sum, bound and root
    ([16, 2], layer("STFTSpectrogram", frame_length=8, mode="magnitude"), 2 * 3 * 5 * 2 * 8, 2 * 3 * 5 * 5),
    ([16, 2], layer("STFTSpectrogram", frame_length=8, mode="real"), 2 * 3 * 5 * 8, 0),
    ([16, 2], layer("STFTSpectrogram", frame_length=8, mode="stft"), 2 * 3 * 10 * 8, 0),
    # 5 steps, 4 bins of 5 frequencies: a window, a transform of 8 real values, magnitudes, decibels
    ([16], MEL, 5 * 5 * 4, 5 * (8 + 60 + 25 + 24)),
)


@pytest.mark.parametrize(("shape", "counted_layer", "macs", "operations"), CASES, ids=lambda case: str(case)[:60])
def test_counted_by_hand(shape: list[int | None], counted_layer: dict[str, Any], macs: int, operations: int) -> None:
    """The numbers of a layer are those of counting by hand, and twice as many for two examples."""
    assert counted(shape, counted_layer) == (macs, 2 * macs + operations)
    assert counted(shape, counted_layer, batch=2) == (2 * macs, 2 * (2 * macs + operations))


NO_WORK = {
    "": "ActivityRegularization AlphaDropout GaussianDropout GaussianNoise Identity IntegerLookup StringLookup "
    "TextVectorization",
    "2": "SpatialDropout1D Cropping1D ZeroPadding1D",
    "3": "AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MixUp RandAugment "
    "RandomBrightness RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip "
    "RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation "
    "RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom Solarization SpatialDropout2D "
    "Cropping2D ZeroPadding2D",
    "4": "SpatialDropout3D Cropping3D ZeroPadding3D",
}
"""Layers that need no arguments, by the rank of what they take, which is one where it is left out."""
MOVING: tuple[dict[str, Any], ...] = (
    *(layer(name, num_bins=4) for name in ("Discretization", "Hashing")),
    layer("CategoryEncoding", num_tokens=4),
    layer("MaxNumBoundingBoxes", max_number=2),
    layer("Permute", dims=[1]),
    layer("RepeatVector", n=2),
    layer("Reshape", target_shape=[3, 2]),
)


def test_layers_without_work() -> None:
    """Layers that move or look up values, or change them in training alone, take no operation."""
    for rank, names in NO_WORK.items():
        for name in names.split():
            assert counted([6] * int(rank or 1), layer(name)) == (0, 0), name
    for moving in MOVING:
        assert counted([6], moving) == (0, 0), moving


def functional(shapes: dict[str, list[int]], class_name: str, calls: list[str], **config: Any) -> tuple[Any, Any]:
    """The numbers of a layer that is called on several inputs at once."""
    inputs = [
        {**layer("InputLayer", list(shape), name=name), "name": name, "inbound_nodes": []}
        for name, shape in shapes.items()
    ]
    own = {**layer(class_name, **config), "name": "own", "inbound_nodes": [[[name, 0, 0, {}] for name in calls]]}
    ends = {"input_layers": [[name, 0, 0] for name in shapes], "output_layers": [["own", 0, 0]]}
    entry = {"class_name": "Functional", "config": {"name": "m", "layers": [*inputs, own], **ends}}
    architecture = read_architecture(entry)
    assert architecture is not None
    cost = cost_of(architecture).by_layer()[class_name.lower()]
    return cost.macs, cost.flops


def test_layers_with_several_inputs() -> None:
    """Merging layers take one operation less than they have inputs; products a multiply-add a summed value; attention
    two products and a softmax."""
    pair = {"a": [4, 3], "b": [4, 3]}
    for name in ("Add", "Maximum", "Minimum", "Subtract"):
        assert functional(pair, name, ["a", "b"]) == (0, 12)
    assert functional({"a": [1], "b": [1]}, "HashedCrossing", ["a", "b"], num_bins=4) == (0, 0)
    assert functional(pair, "Average", ["a", "b"]) == (0, 24)
    assert functional(pair, "Multiply", ["a", "b", "b"]) == (0, 24)
    assert functional(pair, "Concatenate", ["a", "b"], axis=-1) == (0, 0)
    assert functional(pair, "Dot", ["a", "b"], axes=[2, 2]) == (48, 96)
    assert functional({"a": [4, 3], "b": [5, 3]}, "Attention", ["a", "b"]) == (2 * 4 * 5 * 3, 4 * 60 + 5 * 20)


def called(class_name: str, shapes: list[list[int]], **config: Any) -> tuple[int | None, int | None]:
    """The numbers of a layer of Keras 3 that takes tensors of these shapes, batch of 1, each as an argument."""
    names = [f"x{at}" for at in range(len(shapes))]
    inputs = [
        {**layer("InputLayer", list(shape), name=name), "name": name, "inbound_nodes": []}
        for name, shape in zip(names, shapes, strict=True)
    ]
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"shape": [None, *shape], "keras_history": [name, 0, 0]}}
        for name, shape in zip(names, shapes, strict=True)
    ]
    node = {"args": tensors, "kwargs": {}}
    own = {**layer(class_name, name="own", **config), "name": "own", "module": "keras.layers", "inbound_nodes": [node]}
    ends = {"input_layers": [[name, 0, 0] for name in names], "output_layers": [["own", 0, 0]]}
    model = {"name": "m", "layers": [*inputs, own], **ends}
    architecture = read_architecture({"class_name": "Functional", "module": "keras", "config": model})
    assert architecture is not None
    cost = cost_of(architecture).layers[-1]
    return cost.macs, cost.flops


def heads_by_hand(query: list[int], key: list[int], heads: int, width: int, scores: int) -> tuple[int, int]:
    """Four projections with biases, and for each score two products over `width`, a scale and a softmax."""
    size, rows, columns = query[-1], math.prod(query[:-1]), math.prod(key[:-1])
    macs = 2 * (rows + columns) * size * heads * width + scores * 2 * width
    operations = (rows + 2 * columns) * heads * width + rows * size + scores * 6
    return macs, 2 * macs + operations


@pytest.mark.parametrize(
    ("query", "key", "axes", "scores"),
    [
        ([4, 8], [4, 8], None, 4 * 4),
        ([4, 8], [4, 8], [1], 4 * 4),  # what the config of every layer holds that was built
        ([4, 8], [5, 8], 1, 4 * 5),
        ([4, 8], [5, 8], [-2], 4 * 5),
        ([3, 4, 8], [3, 5, 8], None, 3 * 4 * 3 * 5),
        ([3, 4, 8], [3, 5, 8], [1, 2], 3 * 4 * 3 * 5),
        ([3, 4, 8], [3, 5, 8], [2], 3 * 4 * 5),  # along the second axis, for each place of the first
        ([3, 4, 8], [6, 4, 8], {"class_name": "__tuple__", "items": [1]}, 4 * 3 * 6),
        ([2, 3, 4, 8], [2, 5, 6, 8], [2, 3], 2 * 3 * 4 * 5 * 6),
        ([2, 3, 4, 8], [7, 3, 5, 8], [1, 3], 3 * 2 * 4 * 7 * 5),
    ],
)
def test_attention_with_heads(query: list[int], key: list[int], axes: Any, scores: int) -> None:
    """The scores of a head are as many as pairs of places along the axes of attention, for each place of the others."""
    expected = heads_by_hand(query, key, 2, 3, 2 * scores)
    assert called("MultiHeadAttention", [query, key], num_heads=2, key_dim=3, attention_axes=axes) == expected


def test_attention_with_gate_and_shared_heads() -> None:
    """A gate is a projection with a bias and a sigmoid, and a product; keys and values of fewer heads are projected
    once."""
    (macs, flops), gate = heads_by_hand([4, 8], [5, 8], 2, 3, 2 * 4 * 5), 4 * 8 * 6
    config = {"num_heads": 2, "key_dim": 3, "attention_axes": [1], "use_gate": True}
    assert called("MultiHeadAttention", [[4, 8], [5, 8]], **config) == (macs + gate, flops + 2 * gate + 3 * 4 * 6)
    shared = {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 3}
    macs = 4 * 8 * 12 * 2 + 5 * 8 * 6 * 2 + 4 * (4 * 5) * 2 * 3
    operations = 4 * 12 + 5 * 6 * 2 + 4 * 8 + 4 * (4 * 5) * 6
    for class_name in ("GroupQueryAttention", "GroupedQueryAttention"):
        assert called(class_name, [[4, 8], [5, 8]], **shared) == (macs, 2 * macs + operations)
    gate = 4 * 8 * 12
    assert called("GroupQueryAttention", [[4, 8], [5, 8]], **shared, use_gate=True) == (
        macs + gate,
        2 * (macs + gate) + operations + 3 * 4 * 12,
    )


@pytest.mark.parametrize(
    ("class_name", "config", "products", "each_score"),
    [
        ("Attention", {}, 3, 0),
        ("Attention", {"use_scale": True}, 3, 1),
        ("Attention", {"score_mode": "concat"}, 0, 3 * 3 + 1),  # sum, tanh and total of three values, and a weight
        ("Attention", {"score_mode": "concat", "use_scale": True}, 0, 4 * 3 + 1),
        ("AdditiveAttention", {}, 3, 2 * 3),  # a scale for each feature, whose products are added up
        ("AdditiveAttention", {"use_scale": False}, 0, 3 * 3),
    ],
)
def test_attention_without_heads(class_name: str, config: dict[str, Any], products: int, each_score: int) -> None:
    """Each pair of rows has a score of its own, a softmax and a row of values."""
    scores, value_width = 4 * 5, 2
    macs = scores * (products + value_width)
    shapes = {"a": [4, 3], "b": [5, 2], "c": [5, 3]}
    model = functional(shapes, class_name, ["a", "b", "c"], **config)
    assert model == (macs, 2 * macs + scores * (each_score + 5))


def test_shared_and_nested_models() -> None:
    """A model in the model counts as often as it is called; memory is that of each call's output."""
    cost = ckpttool.cost(FIXTURES / "keras3/nested.keras")
    layers = cost.by_layer()
    assert (layers["shared/dense"].calls, layers["shared/dense"].macs) == (2, 2 * 16)
    assert layers["shared/dense"].outputs_nbytes == 2 * 4 * 4
    assert cost.macs == sum(layer.macs or 0 for layer in cost.layers) == 92
    assert (cost.unknown, cost.unsized) == ((), ())
    assert cost.parameters == {"float32": 440}


def test_inputs_of_other_shapes() -> None:
    """Shapes are taken in order or by name; a batch of two costs twice as much; wrong ones are errors."""
    path = FIXTURES / "keras3/nested.keras"
    single = ckpttool.cost(path)
    assert ckpttool.cost(path, [(2, 4), (2, 4)]).flops == 2 * single.flops
    assert ckpttool.cost(path, {"left": (2, 4), "right": (2, 4)}).outputs_nbytes == 2 * single.outputs_nbytes
    assert ckpttool.cost(path, {"left": (2, 4)}).flops == 2 * single.flops
    impossible = ([(0, 4), (0, 4)], [(1, -4), (1, 4)], [(1, 4), (2, 4)], [(1, 2**70), (1, 4)])
    for wrong in ([(1, 5), (1, 5)], [(1, 4)] * 3, {"middle": (1, 4)}, *impossible):
        with pytest.raises(CheckpointError, match=r"nested\.keras"):
            ckpttool.cost(path, wrong)  # type: ignore[arg-type]


def test_memory_by_dtype() -> None:
    """Outputs take the dtype in which a layer computes, weights that in which they are kept."""
    path = FIXTURES / "keras3/mixed_float16.keras"
    mixed, shapes = ckpttool.cost(path), {row.path: row.shapes for row in ckpttool.graph(path).layers}
    assert set(mixed.parameters or ()) == {"float32"}
    halves = [row for row in mixed.layers if row.outputs_nbytes == 2 * math.prod((shapes[row.layer][0] or ())[1:])]
    assert "Dense" in {row.class_name for row in halves}
    int8 = ckpttool.cost(FIXTURES / "keras3/int8.keras")
    assert set(int8.parameters or ()) == {"float32", "int8"}


def peak(*layers: dict[str, Any], batch: int = 1) -> tuple[int, str]:
    """The outputs that some layers need at once, and the layer that then runs."""
    architecture = read_architecture(sequential(layer("InputLayer", [4]), *layers))
    assert architecture is not None
    peak = cost_of(architecture, [(batch, 4)]).peak
    return peak.nbytes, peak.layer


def test_outputs_at_once() -> None:
    """A chain needs its input, and of the rest what a layer takes and makes; its outputs stay, too."""
    wide, narrow, last = dense(8, name="wide"), dense(2, name="narrow"), dense(1, name="last")
    assert peak() == (4 * 4, "")
    assert peak(wide) == (4 * (4 + 8), "wide")
    assert peak(wide, narrow, last) == (4 * (4 + 8 + 2), "narrow")
    assert peak(wide, narrow, last, batch=3) == (3 * 56, "narrow")
    half = dense(8, name="half", dtype={"class_name": "DTypePolicy", "config": {"name": "float16"}})
    assert peak(half) == (4 * 4 + 2 * 8, "half")
    inner = layer("Sequential", layers=[layer("InputLayer", [8], name="in"), dense(2, name="a"), dense(6, name="b")])
    assert peak(wide, inner) == (4 * (4 + 8 + 2), "sequential/a")


class Name(str):
    """The name of a layer that counts how often it is looked up."""

    looked_up = 0

    def __hash__(self) -> int:
        Name.looked_up += 1
        return super().__hash__()


def look_ups(count: int) -> int:
    """The number of lookups of names while the cost of a graph of so many layers is counted."""
    names = [Name(f"d{at}") for at in range(count)]
    first = {**layer("InputLayer", [4], name=names[0]), "name": names[0], "inbound_nodes": []}
    layers = [
        {**dense(4, name=name), "name": name, "inbound_nodes": [[[before, 0, 0, {}]]]}
        for before, name in pairwise(names)
    ]
    ends = {"input_layers": [[names[0], 0, 0]], "output_layers": [[names[-1], 0, 0]]}
    config = {"name": "m", "layers": [first, *layers], **ends}
    architecture = read_architecture({"class_name": "Functional", "config": config})
    assert architecture is not None
    before = Name.looked_up
    cost_of(architecture)
    return Name.looked_up - before


def test_large_graphs_are_counted_in_proportion() -> None:
    """Twice as many layers take twice as many look-ups, and not four times as many."""
    assert look_ups(400) < 2.5 * look_ups(200)


def test_outputs_at_once_along_branches() -> None:
    """An output that a later layer takes is kept until then: of the residual the stem beside the two that run, and of a
    shared model what its second call made."""
    image, extra, map_of_4 = 8 * 8 * 3 * 4, 2 * 4, 8 * 8 * 4 * 4
    peak = ckpttool.cost(FIXTURES / "keras3/cnn.keras").peak
    assert (peak.nbytes, peak.layer) == (image + extra + 3 * map_of_4, "re_lu")
    inputs, shared, before, core_in = 2 * 16, 16, 16, 20
    peak = ckpttool.cost(FIXTURES / "keras3/nested.keras").peak
    assert (peak.nbytes, peak.layer) == (inputs + shared + before + core_in, "block/core/core_in")


def test_what_is_not_known_is_named(tmp_path: Path) -> None:
    """Layers of own classes, Lambdas, and what comes behind them are named; the sums are those of the others."""
    layers = [layer("InputLayer", [4]), dense(3), layer("Mine"), layer("Lambda"), dense(2, name="last")]
    path = tmp_path / "m.json"
    path.write_text(json.dumps(sequential(*layers)))
    cost = ckpttool.cost(path)
    assert [row.layer for row in cost.unknown] == ["mine", "lambda", "last"]
    assert [row.layer for row in cost.unsized] == ["mine", "lambda", "last"]
    assert (cost.macs, cost.parameters) == (12, None)
    assert "at least" in repr(cost)


def reasons(*layers: dict[str, Any], inputs: Any = ()) -> dict[str, str]:
    """Why some layers are not counted, by layer."""
    architecture = read_architecture(sequential(*layers))
    assert architecture is not None
    return {row.layer: row.reason for row in cost_of(architecture, inputs).unknown}


def test_why_layers_are_not_counted() -> None:
    """Every layer that is not counted has a reason: its code, an open size, an unknown shape, an argument, its age."""
    conv = layer("Conv2D", filters=2, kernel_size=3)
    why = reasons(layer("InputLayer", [None, 8, 3]), conv, layer("Mine"), layer("Lambda"), layer("ReLU"))
    assert "--input" in why.pop("conv2d")
    assert why == {
        "mine": "no class of Keras: its own code says what it computes",
        "lambda": "its own code says what it computes",
        "relu": "the shape of its input is not known",
    }
    method = "a method of a class of TensorFlow: its own code says what it computes"
    assert reasons(layer("InstanceMethod", [4])) == {"instancemethod": method}
    features = "a layer of older Keras: its own code says what it computes"
    assert reasons(layer("DenseFeatures", feature_columns=[])) == {"densefeatures": features}
    assert reasons(dense(3)) == {"dense": "the shape of its input is not known"}
    assert reasons(dense(3), inputs=[(1, 4)]) == {}
    resizing = layer("Resizing", [6, 6, 2], height=4, width=3, interpolation="other")
    assert reasons(resizing) == {"resizing": "its arguments or its weights leave a size open"}


def test_functions_that_are_not_known_are_named() -> None:
    """A function of TensorFlow without an equivalent has its name in the reason."""
    first = {**layer("InputLayer", [4], name="x"), "name": "x", "inbound_nodes": []}
    own = layer("TFOpLambda", name="y", function="linalg.expm")
    config = {"name": "m", "layers": [first, {**own, "name": "y", "inbound_nodes": [["x", 0, 0, {}]]}]}
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["y", 0, 0]]}
    architecture = read_architecture({"class_name": "Functional", "config": {**config, **ends}})
    assert architecture is not None
    (row,) = cost_of(architecture).unknown
    assert row.reason == "TensorFlow's linalg.expm: no operation of Keras 3 computes it"


def test_layers_of_older_keras() -> None:
    """A window of its own at each place counts as a convolution does, a layer for cuDNN as that for any device."""
    for rank, shape in ((1, [8, 3]), (2, [8, 6, 3])):
        for how in (1, 2, 3):
            config = {"filters": 4, "kernel_size": [3] * rank, "activation": "relu"}
            local = layer(f"LocallyConnected{rank}D", implementation=how, **config)
            assert counted(shape, local) == counted(shape, layer(f"Conv{rank}D", **config))
    for name in ("GRU", "LSTM"):
        assert counted([5, 4], layer(f"CuDNN{name}", units=3)) == counted([5, 4], layer(name, units=3))
        both = layer("Bidirectional", layer=layer(f"CuDNN{name}", units=3))
        assert counted([5, 4], both) == counted([5, 4], layer("Bidirectional", layer=layer(name, units=3)))


OLD_CASES: tuple[tuple[list[int | None], dict[str, Any], int, int], ...] = (
    # of each output: two biases, the carry's sigmoid, two products, a difference, a sum; an activation
    ([4], layer("Highway"), 2 * 16, 4 * 7),
    ([4], layer("Highway", activation="relu", bias=False), 2 * 16, 4 * 6),
    ([4], layer("MaxoutDense", output_dim=3), 4 * 12, 12 * 2),
    ([4], layer("MaxoutDense", output_dim=3, nb_feature=5, bias=False), 4 * 15, 15),
    ([5, 4], layer("ParametricSoftplus"), 0, 20 * 3),
    ([5, 4], layer("SReLU"), 0, 20 * 7),
    ([4], layer("RandomFourierFeatures", output_dim=3), 12, 3 * 2),
    ([8, 6, 3], layer("RandomHeight", factor=0.2), 0, 0),
    ([8, 6, 3], layer("RandomWidth", factor=0.2), 0, 0),
    ([4], layer("AddLoss", unconditional=False), 0, 0),
    ([4], layer("AddMetric", aggregation="mean"), 0, 0),
)


@pytest.mark.parametrize(("shape", "counted_layer", "macs", "operations"), OLD_CASES, ids=lambda case: str(case)[:60])
def test_layers_of_older_keras_counted_by_hand(
    shape: list[int | None], counted_layer: dict[str, Any], macs: int, operations: int
) -> None:
    """The numbers of a layer that Keras 3 does not have are those of its `call`, and what comes out has its size."""
    for batch in (1, 2):
        assert counted(shape, counted_layer, batch=batch) == (batch * macs, batch * (2 * macs + operations))
    architecture = read_architecture(sequential(layer("InputLayer", shape), counted_layer, layer("ReLU")))
    assert architecture is not None
    first, passed = cost_of(architecture).layers[-2:]
    assert first.outputs_nbytes == passed.outputs_nbytes == 4 * (passed.flops or 0) > 0


def test_images_of_random_size() -> None:
    """Images whose size training changes have that of the input in inference, and an open one in the listing."""
    layers = [layer("RandomHeight", factor=0.2), layer("RandomWidth", factor=0.2)]
    architecture = read_architecture(sequential(layer("InputLayer", [8, 6, 3]), *layers, layer("Flatten"), dense(2)))
    assert architecture is not None
    assert cost_of(architecture).layers[-1].macs == 8 * 6 * 3 * 2
    path = {row.path: row.shapes for row in graph_of(architecture).layers}
    assert (path["randomheight"], path["randomwidth"]) == (((None, None, 6, 3),), ((None, None, None, 3),))


def test_merged_by_angle() -> None:
    """A Merge in the mode "cos" takes three products, and four operations for each angle."""
    pair = {"a": [4, 3], "b": [4, 3]}
    assert functional(pair, "Merge", ["a", "b"], mode="cos", axes=[2, 2]) == (3 * 48, 6 * 48 + 4 * 16)
    assert functional({"a": [3], "b": [3]}, "Merge", ["a", "b"], mode="cos", axes=[1, 1]) == (9, 18 + 4)
    assert functional({"a": [1], "b": [1]}, "CategoryCrossing", ["a", "b"]) == (0, 0)


def test_sizes_that_keras_leaves_open() -> None:
    """A size that Keras states as open is that of the input in a run whose inputs are known."""
    einsum = layer("EinsumDense", equation="abc,cd->abd", output_shape=[None, 4], bias_axes="d")
    assert counted([None, 3], einsum) == (7 * 3 * 4, 2 * 84 + 28)
    assert counted([None, 3], einsum, layer("Flatten"), dense(2)) == (7 * 4 * 2, 2 * 56 + 2)
    ellipsis = layer("EinsumDense", equation="...x,xy->...y", output_shape=[4])
    assert counted([5, 6, 3], ellipsis) == (30 * 3 * 4, 2 * 360)
    architecture = read_architecture(sequential(layer("InputLayer", [7, 3]), einsum))
    assert architecture is not None
    assert graph_of(architecture).layers[-1].shapes == ((None, None, 4),)


def test_why_weights_are_not_known() -> None:
    """The reason names a layer where the memory of the weights is not known."""
    architecture = read_architecture(sequential(layer("InputLayer", [4]), layer("Mine"), dense(3, name="last")))
    assert architecture is not None
    cost = cost_of(architecture)
    assert (cost.parameters, cost.problem) == (None, "only its own class knows the weights of mine")
    architecture = read_architecture(sequential(dense(3, name="first"), dense(2, name="last")))
    assert architecture is not None
    assert cost_of(architecture).problem == "the config leaves the shapes of weights open, of first and 1 more"


def rows() -> Iterator[tuple[str, LayerType]]:
    """The rows of the classes of Keras 3, models left out."""
    yield from ((name, row) for name, row in LAYERS.items() if row.kind != "model")


def test_every_layer_is_counted_or_named_here() -> None:
    """Every class of Keras 3 and every one of older Keras says what it costs, but for those that are listed in this
    file."""
    assert {name for name, row in rows() if row.work is unknown_work} == NOT_COUNTED
    assert {name for name, row in OLD_LAYERS.items() if row.work is unknown_work} == NOT_COUNTED_OLD


SEVERAL_INPUTS = set(
    """
    Add AdditiveAttention Attention Average CategoryCrossing Concatenate Dot GroupedQueryAttention HashedCrossing
    Maximum Merge Minimum MultiHeadAttention Multiply Subtract
    """.split()
)
OTHERS = set("CuDNNGRU CuDNNLSTM InputLayer LocallyConnected1D LocallyConnected2D".split())
GRAPH_FUNCTIONS = {"SlicingOpLambda", "TFOpLambda", "TensorFlowOpLayer"}
"""The classes that tests in this file count apart from the cases; functions in graphs count as their equivalents."""


def classes_in(value: Any) -> Iterator[str]:
    """The classes of a layer and of those in its arguments."""
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, dict) and "class_name" in entry:
            yield entry["class_name"]
            for argument in entry["config"].values():
                yield from classes_in(argument)


def test_every_row_of_work_has_a_case() -> None:
    """The cost that a row states for a layer is counted by hand in this file, for each class."""
    cased = SEVERAL_INPUTS | OTHERS | GRAPH_FUNCTIONS | {name for names in NO_WORK.values() for name in names.split()}
    cased.update(name for case in (*CASES, *OLD_CASES) for name in classes_in(case[1]))
    cased.update(name for entry in MOVING for name in classes_in(entry))
    with_work = {name for name, row in (*rows(), *OLD_LAYERS.items()) if row.work is not unknown_work}
    assert with_work - ALIASES.keys() - cased == set()


def test_every_fixture_has_a_cost() -> None:
    """Every architecture of the fixtures is counted, whatever generation wrote it."""
    seen = 0
    for path in sorted(FIXTURES.rglob("*")):
        if path.suffix in (".keras", ".h5", ".json", ".yaml") and "broken" not in path.parts:
            try:
                ckpttool.load_architecture(path)
            except CheckpointError:
                continue
            cost = ckpttool.cost(path)
            assert cost.flops >= 2 * cost.macs >= 0
            assert cost.unsized or 0 < cost.peak.nbytes <= cost.outputs_nbytes
            seen += 1
    assert seen > 100
