"""Entries of old Keras as those of Keras 3: class, arguments, values, what is left as it is."""

from collections.abc import Mapping
from typing import Any

import pytest

from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.keras1 import CHANGES as CHANGES_1
from ckpttool.model.generations.keras2 import CHANGES as CHANGES_2
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS
from ckpttool.model.parts import part_of
from tests.loops import for_each
from tests.model.generations.cases import ALL, Case

K0, K1, K2, K3 = Generation


def new_entry(class_name: str, generation: Generation = K1, **config: Any) -> Mapping[str, Any]:
    """The entry of Keras 3 for a layer with these arguments."""
    return normalized({"class_name": class_name, "config": config}, generation)


def object_of(kind: str, class_name: str, **config: Any) -> dict[str, Any]:
    """An object as Keras 3 writes it."""
    return {"module": f"keras.{kind}s", "class_name": class_name, "config": config, "registered_name": None}


HARD = {"recurrent_activation": "hard_sigmoid"}


@for_each(ALL)
def test_known(case: Case) -> None:
    """Every layer of genuine Keras becomes one of a class that the table knows."""
    args = Args.of(normalized(case.entry, case.generation))
    assert args.class_name in LAYERS or args.class_name in OLD_LAYERS
    assert part_of(args.class_name, args, case.inputs).known


@for_each(ALL)
def test_once_is_enough(case: Case) -> None:
    """An entry of Keras 3 stays as it is, and what was normalized is one."""
    entry = normalized(case.entry, case.generation)
    assert normalized(entry, K3) == entry


def test_names_in_the_tables() -> None:
    """The new names of old classes are in the table."""
    for table in (CHANGES_1, CHANGES_2):
        for class_name, change in table.items():
            expected = change.class_name or class_name
            assert expected in LAYERS or expected in OLD_LAYERS


def test_dense_of_keras_1() -> None:
    """The arguments of Dense, all renamed."""
    regularizer = {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01}
    entry = new_entry(
        "Dense",
        name="d",
        output_dim=5,
        init="he_normal",
        bias=False,
        W_regularizer=regularizer,
        b_constraint={"name": "MaxNorm", "m": 3, "axis": 0},
        input_dim=4,
    )
    assert (entry["module"], entry["class_name"], entry["registered_name"]) == ("keras.layers", "Dense", None)
    assert entry["build_config"] == {"input_shape": [None, 4]}
    assert entry["config"] == {
        "name": "d",
        "units": 5,
        "use_bias": False,
        "kernel_initializer": object_of("initializer", "HeNormal", seed=None),
        "kernel_regularizer": object_of("regularizer", "L1L2", l1=0.0, l2=0.01),
        "bias_constraint": object_of("constraint", "MaxNorm", max_value=3, axis=0),
    }


@pytest.mark.parametrize(
    ("old", "new_class", "config", "expected"),
    [
        ("AtrousConvolution2D", "Conv2D", {"atrous_rate": [2, 2]}, {"dilation_rate": [2, 2]}),
        ("Convolution1D", "Conv1D", {"filter_length": 3, "subsample_length": 2}, {"kernel_size": 3, "strides": 2}),
        ("Convolution2D", "Conv2D", {"nb_row": 3, "nb_col": 2}, {"kernel_size": [3, 2]}),
        ("Convolution2D", "Conv2D", {"dim_ordering": "th"}, {"data_format": "channels_first"}),
        ("Convolution2D", "Conv2D", {"dim_ordering": "tf"}, {"data_format": "channels_last"}),
        ("Convolution2D", "Conv2D", {"border_mode": "same"}, {"padding": "same"}),
        ("Convolution3D", "Conv3D", {f"kernel_dim{n}": n for n in (1, 2, 3)}, {"kernel_size": [1, 2, 3]}),
        ("Deconvolution2D", "Conv2DTranspose", {"output_shape": [None, 3, 4, 5], "nb_filter": 3}, {"filters": 3}),
        ("Dropout", "Dropout", {"p": 0.5}, {"rate": 0.5}),
        (
            "Embedding",
            "Embedding",
            {"input_dim": 7, "output_dim": 5, "dropout": 0.0},
            {"input_dim": 7, "output_dim": 5},
        ),
        ("Embedding", "Embedding", {"dropout": 0.2}, {"dropout": 0.2}),
        ("GaussianNoise", "GaussianNoise", {"sigma": 0.1}, {"stddev": 0.1}),
        ("BatchNormalization", "BatchNormalization", {"mode": 0, "axis": 1}, {"axis": 1}),
        ("BatchNormalization", "BatchNormalization", {"mode": 2}, {"mode": 2}),
        ("GRU", "GRU", {"consume_less": "gpu"}, {**HARD, "implementation": 2, "reset_after": False}),
        ("LeakyReLU", "LeakyReLU", {"alpha": 0.2}, {"negative_slope": 0.2}),
        ("LSTM", "LSTM", {"forget_bias_init": "zero"}, {**HARD, "implementation": 0, "unit_forget_bias": False}),
        ("MaxPooling1D", "MaxPooling1D", {"pool_length": 3, "stride": 2}, {"pool_size": 3, "strides": 2}),
        ("TimeDistributedDense", "Dense", {"output_dim": 3, "input_length": None}, {"units": 3}),
        ("UpSampling1D", "UpSampling1D", {"length": 3}, {"size": 3}),
        ("ZeroPadding2D", "ZeroPadding2D", {"padding": {"top_pad": 1, "left_pad": 2}}, {"padding": [[1, 0], [2, 0]]}),
        ("ZeroPadding2D", "ZeroPadding2D", {"padding": [1, 2, 3, 4]}, {"padding": [[1, 2], [3, 4]]}),
        ("ZeroPadding2D", "ZeroPadding2D", {"padding": [1, 2]}, {"padding": [1, 2]}),
    ],
)
def test_renamed_of_keras_1(old: str, new_class: str, config: dict[str, Any], expected: dict[str, Any]) -> None:
    """Classes and arguments of Keras 1 by the names of today; what would change the layer is not dropped silently."""
    entry = new_entry(old, **config)
    assert (entry["class_name"], entry["config"]) == (new_class, expected)


def test_initializers_of_keras_1() -> None:
    """Keras 1 scales orthogonal matrices by 1.1; a name that is not known stays one."""
    config = new_entry("LSTM", inner_init="orthogonal", init="mine")["config"]
    assert config["recurrent_initializer"] == object_of("initializer", "Orthogonal", gain=1.1, seed=None)
    assert config["kernel_initializer"] == "mine"


def test_one_initializer_for_two() -> None:
    """The single initializer of a separable convolution is that of both its kernels."""
    config = new_entry("SeparableConvolution2D", init="zero", nb_row=3, nb_col=3)["config"]
    zeros = object_of("initializer", "Zeros")
    assert config == {"kernel_size": [3, 3], "depthwise_initializer": zeros, "pointwise_initializer": zeros}


@pytest.mark.parametrize(
    ("old", "new_class", "config", "expected"),
    [
        ("BatchNormalizationV1", "BatchNormalization", {"axis": [3]}, {"axis": 3}),
        ("BatchNormalization", "BatchNormalization", {"axis": [1, 3], "fused": None}, {"axis": [1, 3]}),
        ("SyncBatchNormalization", "BatchNormalization", {}, {"synchronized": True}),
        ("DepthwiseConv2D", "DepthwiseConv2D", {"groups": 1, "kernel_initializer": {}}, {}),
        ("Conv2DTranspose", "Conv2DTranspose", {"groups": 2}, {"groups": 2}),
        ("Embedding", "Embedding", {"input_length": 3, "input_dim": 7}, {"input_dim": 7}),
        ("GRU", "GRU", {"units": 3}, {"units": 3, "reset_after": False}),
        ("GRU", "GRU", {"reset_after": True, "time_major": False}, {"reset_after": True}),
        ("LSTM", "LSTM", {"time_major": True}, {"time_major": True}),
        ("InputLayer", "InputLayer", {"batch_input_shape": [None, 3]}, {"batch_shape": [None, 3]}),
        ("LeakyReLU", "LeakyReLU", {"alpha": 0.2}, {"negative_slope": 0.2}),
        ("SpatialDropout1D", "SpatialDropout1D", {"rate": 0.5, "noise_shape": None, "trainable": True}, {"rate": 0.5}),
    ],
)
def test_renamed_of_keras_2(old: str, new_class: str, config: dict[str, Any], expected: dict[str, Any]) -> None:
    """Classes and arguments of Keras 2 by the names of today."""
    entry = new_entry(old, K2, **config)
    assert (entry["class_name"], entry["config"]) == (new_class, expected)


@pytest.mark.parametrize(
    ("key", "old", "expected"),
    [
        (
            "kernel_initializer",
            {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}},
            object_of("initializer", "GlorotUniform", seed=None),
        ),
        (
            "kernel_initializer",  # as TensorFlow 1 wrote it
            {
                "class_name": "VarianceScaling",
                "config": {"scale": 2, "mode": "fan_in", "distribution": "truncated_normal"},
            },
            object_of("initializer", "HeNormal", seed=None),
        ),
        (
            "kernel_initializer",
            {"class_name": "VarianceScaling", "config": {"scale": 3.0, "mode": "fan_in", "distribution": "normal"}},
            object_of("initializer", "VarianceScaling", scale=3.0, mode="fan_in", distribution="truncated_normal"),
        ),
        (
            "bias_initializer",
            {"class_name": "Zeros", "config": {"dtype": "float32"}},
            object_of("initializer", "Zeros"),
        ),
        ("kernel_regularizer", {"class_name": "L2", "config": {"l2": 0.1}}, object_of("regularizer", "L2", l2=0.1)),
        ("kernel_constraint", {"class_name": "NonNeg", "config": {}}, object_of("constraint", "NonNeg")),
        ("kernel_constraint", {"class_name": "Mine", "config": {}}, {"class_name": "Mine", "config": {}}),
        ("dtype", "float16", "float16"),
        ("dtype", {"class_name": "Policy", "config": {"name": "infer"}}, None),
        (
            "dtype",
            {"class_name": "Policy", "config": {"name": "mixed_float16"}},
            {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": {"name": "mixed_float16"},
                "registered_name": None,
            },
        ),
    ],
)
def test_values_of_keras_2(key: str, old: Any, expected: Any) -> None:
    """Objects in the arguments of Keras 2 as Keras 3 writes them; those of the user as they are."""
    assert new_entry("Dense", K2, **{key: old})["config"] == {key: expected}


@pytest.mark.parametrize(
    ("config", "new_class", "expected"),
    [
        ({"mode": "sum"}, "Add", {}),
        ({"mode": "concat", "concat_axis": 1}, "Concatenate", {"axis": 1}),
        ({"mode": "cos", "dot_axes": 2}, "Merge", {"axes": 2, "mode": "cos"}),
        ({"mode": "dot", "dot_axes": [[1], [2]]}, "Dot", {"axes": [1, 2], "normalize": False}),
        ({"mode": "sum", "mode_type": "raw"}, "Add", {}),
        ({"mode": "sum", "mode_type": "function"}, "Lambda", {"function": "sum", "arguments": None}),
        ({"mode": ["code"], "arguments": {"k": 2}}, "Lambda", {"function": ["code"], "arguments": {"k": 2}}),
    ],
)
def test_merge(config: dict[str, Any], new_class: str, expected: dict[str, Any]) -> None:
    """Merge is a class of its own for each mode, with the user's code a Lambda; mode "cos" has none."""
    entry = new_entry("Merge", **config)
    assert (entry["class_name"], entry["config"]) == (new_class, expected)


def test_merge_of_listed_layers() -> None:
    """A Merge that lists its inputs keeps them, as entries of Keras 3."""
    entry = new_entry("Merge", mode="sum", layers=[{"class_name": "Dense", "config": {"output_dim": 3}}])
    assert entry["class_name"] == "Merge"
    assert entry["config"]["layers"][0]["config"] == {"units": 3}


@pytest.mark.parametrize("generation", [K1, K2])
def test_input_layer(generation: Generation) -> None:
    """The input shape of a Sequential's first layer becomes an InputLayer, once."""
    first = {"class_name": "Flatten", "config": {"name": "flat", "batch_input_shape": [None, 2, 3]}}
    rest = {"class_name": "Activation", "config": {"name": "a", "activation": "relu"}}
    entry = normalized({"class_name": "Sequential", "config": [first, rest]}, generation)
    names = [layer["class_name"] for layer in entry["config"]["layers"]]
    assert names == ["InputLayer", "Flatten", "Activation"]
    new_input, flat, _ = entry["config"]["layers"]
    assert new_input["config"] == {"name": "flat_input", "batch_shape": [None, 2, 3], "dtype": "float32"}
    assert flat["config"] == {"name": "flat"}
    assert "build_config" not in flat
    input_entry = {"class_name": "InputLayer", "config": {"name": "i", "batch_input_shape": [None, 2, 3]}}
    again = normalized({"class_name": "Sequential", "config": [input_entry, first]}, generation)
    assert [layer["class_name"] for layer in again["config"]["layers"]] == ["InputLayer", "Flatten"]


def test_shape_of_the_entry_first() -> None:
    """The shape for which a layer was built comes from its entry rather than from the shape that its config
    declares."""
    shapes = {"input_shape": [2, 3]}
    entry = {"class_name": "Dense", "config": {"units": 2, "batch_input_shape": [None, 3]}, "build_config": shapes}
    assert normalized(entry, K2)["build_config"] == shapes


def test_names_of_models() -> None:
    """Models without a name get one that is theirs alone; a graph's name for one is kept."""
    models = [{"class_name": "Sequential", "config": []} for _ in range(3)]
    entry = normalized({"class_name": "Sequential", "config": models}, K1)
    assert entry["config"]["name"] == "sequential"
    assert [layer["config"]["name"] for layer in entry["config"]["layers"]] == [
        "sequential",
        "sequential_1",
        "sequential_2",
    ]
    named = {"class_name": "Sequential", "config": [], "name": "mine"}
    assert normalized(named, K1)["config"]["name"] == "mine"


def test_keras_0() -> None:
    """Keras 0.3 has a layer's class in `name`, its name in `custom_name`, and everything else beside them."""
    dense = {"name": "Dense", "custom_name": "d", "output_dim": 3, "input_shape": [4], "cache_enabled": True}
    entry = normalized({"name": "Sequential", "layers": [dense], "loss": "mse", "optimizer": {"name": "SGD"}}, K0)
    assert entry["class_name"] == "Sequential"
    assert set(entry["config"]) == {"name", "layers"}
    new_input, layer = entry["config"]["layers"]
    assert new_input["config"]["batch_shape"] == [None, 4]
    assert (layer["class_name"], layer["config"]) == ("Dense", {"name": "d", "units": 3})


@pytest.mark.parametrize("generation", [K1, K2])
def test_inner_layers(generation: Generation) -> None:
    """Layers inside wrappers, cells and models are entries of Keras 3, too."""
    old = {"class_name": "LeakyReLU", "config": {"alpha": 0.2}}
    expected = {"negative_slope": 0.2}
    assert new_entry("TimeDistributed", generation, layer=old)["config"]["layer"]["config"] == expected
    assert new_entry("Sequential", generation, layers=[old])["config"]["layers"][0]["config"] == expected
    stack = {"class_name": "StackedRNNCells", "config": {"cells": [{"class_name": "GRUCell", "config": {}}]}}
    cell = new_entry("RNN", K2, cell=stack)["config"]["cell"]["config"]["cells"][0]
    assert cell["config"] == {"reset_after": False}
    both = new_entry("Bidirectional", generation, layer=old, backward_layer=old)["config"]
    assert both["layer"]["config"] == both["backward_layer"]["config"] == expected


@pytest.mark.parametrize("class_name", ["Mine", "Custom>Dense", "KerasLayer", "ModuleWrapper"])
def test_unknown_class(class_name: str) -> None:
    """A class that is no part of Keras stays as it is."""
    entry = {"class_name": class_name, "config": {"alpha": 0.2, "init": "zero"}, "name": "x", "inbound_nodes": []}
    for generation in Generation:
        assert normalized(entry, generation) == entry


def test_foreign_module() -> None:
    """A class that its entry places outside Keras is not the built-in one of that name."""
    entry = {"module": "mine", "class_name": "LeakyReLU", "config": {"alpha": 0.2}, "registered_name": "mine>LeakyReLU"}
    assert normalized(entry, K2) == entry


def test_connections_stay() -> None:
    """The name and the calls that a graph has for a layer stay beside it."""
    calls = [[["in", 0, 0, {}]]]
    entry = {"class_name": "Dense", "config": {"units": 3}, "name": "d", "inbound_nodes": calls}
    item = normalized(entry, K2)
    assert (item["name"], item["inbound_nodes"]) == ("d", calls)


def test_attention_shapes() -> None:
    """The shapes in the config of MultiHeadAttention are what it was built for."""
    shapes = {"query_shape": [None, 5, 4], "value_shape": [None, 6, 3], "key_shape": [None, 6, 7]}
    entry = new_entry("MultiHeadAttention", K2, num_heads=2, key_dim=3, **shapes)
    assert entry["config"] == {"num_heads": 2, "key_dim": 3}
    assert Args.of(entry).built == tuple(map(tuple, shapes.values()))


def test_nothing_is_changed_in_place() -> None:
    """The entry that is given stays as it was."""
    for case in ALL:
        before = repr(case.entry)
        normalized(case.entry, case.generation)
        assert repr(case.entry) == before
