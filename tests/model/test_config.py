"""Configs of every dialect become layers; configs of no dialect become nothing, and never an exception."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ckpttool
from ckpttool.inspection.listing import list_checkpoint
from ckpttool.model import Architecture, Layer, read_architecture
from ckpttool.model.class_names import snake_case
from ckpttool.model.config import MAX_DEPTH
from tests.samples import FIXTURES, TRUE_FILES


def architecture(config: Any) -> Architecture:
    """The architecture of a config that has one."""
    architecture = read_architecture(config)
    assert architecture is not None
    return architecture


def read(name: str) -> Architecture:
    """The architecture in a JSON file among the fixtures."""
    return architecture(json.loads((FIXTURES / name).read_text(encoding="utf-8")))


def chains(architecture: Architecture) -> list[tuple[str, str]]:
    """The layers by their chain of names, with their classes."""
    return [(layer.path, layer.class_name) for layer in architecture.layers]


def dense(name: str, **more: Any) -> dict[str, Any]:
    """The config of a Dense layer."""
    return {"class_name": "Dense", "config": {"name": name, "units": 2, **more}}


def model(class_name: str, name: str, *layers: Any, **more: Any) -> dict[str, Any]:
    """The config of a model."""
    return {"class_name": class_name, "config": {"name": name, "layers": list(layers), **more}}


def test_keras_0() -> None:
    """Keras 0.3 has the class in `name` and the name in `custom_name`."""
    read_back = read("keras0.3/mlp.json")
    assert read_back.class_name == "Sequential"
    assert chains(read_back) == [
        ("hidden", "Dense"),
        ("activation", "Activation"),
        ("dropout", "Dropout"),
        ("dense", "Dense"),
        ("activation", "Activation"),
    ]
    assert read_back.inputs == (("hidden", (None, 4)),)


def test_keras_1() -> None:
    """Keras 1's Sequential is a bare list."""
    read_back = read("keras1.2/cnn.json")
    assert (read_back.class_name, read_back.name) == ("Sequential", "")
    assert chains(read_back)[:2] == [
        ("convolution2d_1", "Convolution2D"),
        ("batchnormalization_1", "BatchNormalization"),
    ]
    assert read_back.inputs == (("convolution2d_1", (None, 2, 6, 6)),)
    assert read_back.outputs == (("score", None),)


def test_keras_2() -> None:
    """Keras 2 nests models; their layers follow them, named by their chain."""
    read_back = read("keras2.2/nested.json")
    assert (read_back.class_name, read_back.name) == ("Model", "nested")
    assert chains(read_back) == [
        ("left", "InputLayer"),
        ("shared", "Sequential"),
        ("shared/dense_1", "Dense"),
        ("shared/batch_normalization_1", "BatchNormalization"),
        ("right", "InputLayer"),
        ("block", "Sequential"),
        ("block/frozen", "Dense"),
        ("block/free", "Dense"),
        ("add_1", "Add"),
        ("verdict", "Dense"),
    ]
    by_path = read_back.by_path()
    assert [layer.path for layer in read_back.layers if layer.is_model] == ["shared", "block"]
    assert [layer.path for layer in read_back.layers if not layer.trainable] == ["block/frozen"]
    assert by_path["left"].input_shape == (None, 4)
    assert read_back.inputs == (("left", (None, 4)), ("right", (None, 4)))
    assert read_back.outputs == (("verdict", None),)


def test_keras_3() -> None:
    """Keras 3 states shapes of the graph's tensors; inputs and outputs may be dicts."""
    with ckpttool.open(FIXTURES / "keras3/dict_io.keras") as checkpoint:
        stored = architecture(checkpoint.config)
    assert dict(stored.inputs) == {"wide": (None, 3), "deep": (None, 2)}
    assert [name for name, _ in stored.outputs] == ["value", "class"]


def test_output_shape_from_the_graph() -> None:
    """An output that another layer takes in has the shape that the graph states for it."""
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 7], "keras_history": ["a", 0, 0]}}
    taken = {**dense("b"), "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}
    config = model("Functional", "m", dense("a"), taken, output_layers=[["a", 0, 0], ["b", 0, 0]])
    assert architecture(config).outputs == (("a", (None, 7)), ("b", None))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda config: config,
        json.dumps,
        lambda config: json.dumps(json.dumps(config)),
        lambda config: {"model_config": config},
        lambda config: {"model": config},
        lambda config: {"model_config": json.dumps(config)},
    ],
    ids=["bare", "text", "text in text", "model_config", "model", "text in model_config"],
)
def test_wrapped(wrap: Any) -> None:
    """A config is found where it is encoded once more or wrapped."""
    assert chains(architecture(wrap(model("Sequential", "m", dense("a"))))) == [("a", "Dense")]


def test_merge_lists_its_inputs() -> None:
    """Keras 1's Merge lists the layers it merges, which are not inside it."""
    config = {"class_name": "Merge", "config": {"name": "merge", "layers": [dense("a"), dense("b")]}}
    stored = architecture(model("Sequential", "m", config, dense("c")))
    assert chains(stored) == [("merge", "Merge"), ("c", "Dense")]
    assert not stored.layers[0].is_model


def test_wrapper_is_one_layer() -> None:
    """A wrapper such as Bidirectional is one layer; what it wraps is no member of the model."""
    config = {"class_name": "Bidirectional", "config": {"name": "bi", "layer": dense("inner")}}
    assert chains(architecture(model("Sequential", "m", config))) == [("bi", "Bidirectional")]


def test_frozen_models_freeze_what_they_hold() -> None:
    """A layer is frozen by its own setting or by that of any model around it."""
    inner = model("Sequential", "inner", dense("a"), dense("b", trainable=True), trainable=False)
    stored = architecture(model("Functional", "m", inner, dense("c", trainable=False), dense("d", trainable=None)))
    assert [layer.path for layer in stored.layers if layer.trainable] == ["d"]


def test_shapes() -> None:
    """Input shapes come as Keras 1, 2, 2.13 and 3 write them; anything else is None."""
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"batch_shape": [None, 2]}, (None, 2)),
        ({"batch_input_shape": [None, 2, None]}, (None, 2, None)),
        ({"batch_input_shape": {"class_name": "__tuple__", "items": [None, 2]}}, (None, 2)),
        ({"input_shape": [2, 3]}, (None, 2, 3)),
        ({"batch_shape": [None, True]}, None),
        ({"batch_shape": "2"}, None),
        ({"batch_shape": [[1], 2]}, None),
        ({}, None),
    ]
    for settings, expected in cases:
        assert architecture(model("Sequential", "m", dense("a", **settings))).layers[0].input_shape == expected


def test_equal_classes_are_numbered_within_their_model() -> None:
    """The second layer of a class gets `_1` in its place, counted in each model anew."""
    inner = model("Sequential", "inner", dense("x"), dense("y"))
    stored = architecture(model("Sequential", "m", dense("a"), inner, dense("b"), dense("c")))
    assert ["/".join(layer.place) for layer in stored.layers] == [
        "layers/dense",
        "layers/sequential",
        "layers/sequential/layers/dense",
        "layers/sequential/layers/dense_1",
        "layers/dense_1",
        "layers/dense_2",
    ]
    assert [layer.name for layer in stored.layers if layer.place == ("layers", "dense_2")] == ["c"]


# What Keras 3.15 makes of class names.
SNAKES = {
    "Dense": "dense",
    "InputLayer": "input_layer",
    "BatchNormalization": "batch_normalization",
    "Conv1D": "conv1d",
    "Conv2DTranspose": "conv2d_transpose",
    "DepthwiseConv2D": "depthwise_conv2d",
    "GlobalAveragePooling2D": "global_average_pooling2d",
    "ReLU": "re_lu",
    "PReLU": "p_re_lu",
    "ELU": "elu",
    "LeakyReLU": "leaky_re_lu",
    "LSTM": "lstm",
    "LSTMCell": "lstm_cell",
    "GRUCell": "gru_cell",
    "ConvLSTM2D": "conv_lstm2d",
    "SimpleRNN": "simple_rnn",
    "StackedRNNCells": "stacked_rnn_cells",
    "TFSMLayer": "tfsm_layer",
    "MultiHeadAttention": "multi_head_attention",
    "UpSampling2D": "up_sampling2d",
    "TextVectorization": "text_vectorization",
    "RMSNormalization": "rms_normalization",
    "MyPackage>OddLayer": "odd_layer",
    "already_snake": "already_snake",
    "A": "a",
    "ABc": "a_bc",
    "X-Y z": "x_yz",
}


@pytest.mark.parametrize(("name", "snake"), SNAKES.items())
def test_snake_case(name: str, snake: str) -> None:
    """Class names are written in paths as Keras writes them."""
    assert snake_case(name) == snake


@pytest.mark.parametrize("name", [name for name in TRUE_FILES if name.endswith((".keras", "_dir"))])
def test_places(name: str) -> None:
    """Each layer of a `.keras` that has weights is where its config puts it, and each weight has a layer."""
    if "npz" in name:
        pytest.skip("holds pickles only")
    with ckpttool.open(FIXTURES / name) as checkpoint:
        if checkpoint.kind.startswith("legacy"):
            pytest.skip("no path layout")
        by_place = {layer.place: layer for layer in architecture(checkpoint.config).layers}
        for row in list_checkpoint(checkpoint).rows:
            if row.weight.section.value != "model":
                continue
            assert row.class_name is not None
            parts = row.weight.path.replace("\\", "/").split("/")
            if parts[0] == "layers":
                fitting = [by_place[tuple(parts[:end])] for end in range(len(parts)) if tuple(parts[:end]) in by_place]
                assert fitting[-1].path == row.layer
                assert fitting[-1].class_name == row.class_name


NOT_MODELS = [None, 0, 1.5, True, "", "text", [], {}, [[]], {"config": {}}, {"class_name": 3}, {"model": None}, b"x"]


@pytest.mark.parametrize("config", NOT_MODELS, ids=repr)
def test_no_model(config: Any) -> None:
    """A value that is no config of a model has no architecture."""
    assert read_architecture(config) is None


def test_layer_alone() -> None:
    """The config of a single layer has a class and no layers."""
    assert read_architecture(dense("a")) == Architecture("Dense", "a", ())


def test_depth_is_bounded() -> None:
    """Models nested without end are listed down to a bound."""
    config = dense("deepest")
    for _ in range(500):
        config = model("Sequential", "m", config)
    stored = architecture(config)
    assert len(stored.layers) <= MAX_DEPTH + 1
    text: Any = model("Sequential", "m", dense("a"))
    for _ in range(10):
        text = json.dumps(text)
    assert read_architecture(text) is None


KEYS = st.sampled_from(
    ["class_name", "config", "name", "layers", "model", "model_config", "batch_shape", "input_layers", "output_layers",
     "trainable", "keras_history", "shape", "inbound_nodes", "items", "input_shape", "custom_name"]
)  # fmt: skip
NAMES = st.sampled_from(["Sequential", "Functional", "Dense", "Merge", "__keras_tensor__", "__tuple__", "a", "b", ""])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | NAMES | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=40,
)


@given(JUNK)
def test_junk_raises_nothing(config: Any) -> None:
    """A config of any shape gives an architecture of sound layers or none, and never an exception."""
    for value in (config, model("Sequential", "m", config), {"class_name": "Functional", "config": config}):
        architecture = read_architecture(value)
        assert architecture is None or all(isinstance(layer, Layer) for layer in architecture.layers)
        if architecture is not None:
            assert isinstance(architecture.class_name, str)
            assert isinstance(architecture.name, str)
            for layer in architecture.layers:
                assert isinstance(layer.path, str)
                assert isinstance(layer.trainable, bool)
            for _, shape in (*architecture.inputs, *architecture.outputs):
                assert shape is None or all(size is None or isinstance(size, int) for size in shape)
