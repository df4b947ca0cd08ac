"""The changes between two configs: layers, connections, names, compile settings, versions; each as one row."""

import copy
from typing import Any

import pytest

from ckpttool.checkpoint import Producer
from ckpttool.comparison.change import ABSENT, ConfigChange
from ckpttool.comparison.configs import config_changes, layer_pairs
from tests.comparison.configured import (
    Configs,
    both_ways,
    changes,
    dense,
    functional,
    image,
    layer,
    nested,
    sequential,
    tensor,
)

MLP = functional(image(), dense("a", "x"), dense("b", "a"), dense("c", "b"))


def compiled(**settings: Any) -> Configs:
    """A model with these compile settings."""
    return Configs(MLP, settings)


def compile_rows(a: Configs, b: Configs) -> list[tuple[str, Any, Any, str]]:
    """The changes of the settings that two models are compiled with."""
    return [(change.key, change.old, change.new, change.kind) for change in both_ways(a, b)]


def test_argument() -> None:
    """A changed argument is a row: the layer, the key, both values."""
    other = functional(image(), dense("a", "x", units=4), dense("b", "a"), dense("c", "b"))
    assert changes(MLP, other) == [("a", "units", 3, 4, "hyper-parameter")]


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        ({"kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.1}}}, {}, [("kernel_regularizer", "l2")]),
        (
            {"kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.1}}},
            {"kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.5, "l2": 0.1}}},
            [("kernel_regularizer.l1", "l1")],
        ),
        ({"kernel_initializer": "he_normal"}, {}, [("kernel_initializer", "")]),
        ({"dtype": "mixed_float16"}, {"dtype": "float16"}, [("dtype", "")]),
        ({"activation": "relu"}, {}, [("activation", "")]),
    ],
)
def test_objects_in_arguments(old: Any, new: Any, rows: list[tuple[str, str]]) -> None:
    """An object of the same class differs in its own arguments; one of another class is another value."""
    differences = changes(functional(image(), dense("a", "x", **old)), functional(image(), dense("a", "x", **new)))
    assert [row[1] for row in differences] == [key for key, _ in rows]


def test_objects_are_shown_in_short() -> None:
    """An object is told by its class and by what it does not have by default."""
    plain = {"class_name": "HeNormal", "config": {"seed": None}}
    special = {"class_name": "HeUniform", "config": {"seed": 3}}
    one = functional(image(), dense("a", "x", kernel_initializer=plain))
    other = functional(image(), dense("a", "x", kernel_initializer=special))
    assert changes(one, other) == [
        ("a", "kernel_initializer", "HeNormal", {"class_name": "HeUniform", "config": {"seed": 3}}, "hyper-parameter")
    ]
    assert changes(functional(image(), dense("a", "x")), one)[0][2:4] == ("GlorotUniform", "HeNormal")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"activation": None}, {"activation": "linear"}),
        ({"activation": "swish"}, {"activation": {"class_name": "function", "config": "silu"}}),
        ({"kernel_initializer": "glorot_uniform"}, {}),
        ({"kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}}}, {}),
        (
            {"kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 2.0}}},
            {"kernel_initializer": "HeNormal"},
        ),
        ({"kernel_regularizer": "l2"}, {"kernel_regularizer": {"class_name": "L1L2", "config": {"l2": 0.01}}}),
        ({"dtype": "float32"}, {"dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}}}),
        ({"dtype": "int4_from_float32"}, {"dtype": "int4/-1_from_float32"}),
        ({"activity_regularizer": {"class_name": "L2", "config": {"l2": 0.1}}},
         {"activity_regularizer": {"class_name": "L2", "config": {"l2": 0.10000000149011612}}}),
        ({"trainable": True}, {}),
        ({"units": 3}, {"units": 3.0}),
        ({"bias_constraint": {"class_name": "MaxNorm", "config": {}, "shared_object_id": 7}},
         {"bias_constraint": {"class_name": "MaxNorm", "config": {"axis": 0}, "module": "keras.constraints"}}),
    ],
)  # fmt: skip
def test_spellings(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Arguments of the same meaning are the same."""
    assert changes(functional(image(), dense("a", "x", **one)), functional(image(), dense("a", "x", **other))) == []


def test_numbers() -> None:
    """Numbers that differ by more than float32 makes of one are two."""
    one, other = (functional(image(), layer("Dropout", "d", "x", rate=rate)) for rate in (0.1, 0.100000001))
    assert changes(one, other) == [("d", "rate", 0.1, 0.100000001, "hyper-parameter")]


def test_added_and_removed() -> None:
    """A layer that is new is one row, and so is the other source of the layer behind it."""
    other = functional(
        image(), dense("a", "x"), layer("Dropout", "drop", "a", rate=0.5), dense("b", "drop"), dense("c", "b")
    )
    assert changes(MLP, other) == [
        ("b", "inbound", "a", "drop", "connection"),
        ("drop", "", ABSENT, "Dropout", "layer added"),
    ]
    assert changes(other, MLP) == [
        ("drop", "", "Dropout", ABSENT, "layer removed"),
        ("b", "inbound", "drop", "a", "connection"),
    ]


def test_sequential() -> None:
    """The layers of a Sequential model are connected by their order."""
    model = sequential(image(), dense("a"), dense("b"), dense("c"))
    assert changes(model, sequential(image(), dense("b"), dense("a"), dense("c"))) == [
        ("a", "inbound", "x", "b", "connection"),
        ("b", "inbound", "a", "x", "connection"),
        ("c", "inbound", "b", "a", "connection"),
    ]
    assert changes(model, sequential(image(), dense("a"), dense("b"))) == [
        ("", "outputs", "c", "b", "connection"),
        ("c", "", "Dense", ABSENT, "layer removed"),
    ]


def test_sequential_and_functional() -> None:
    """The same layers in a model of another class are the same layers."""
    model = sequential(image(), dense("a"), dense("b"), dense("c"))
    assert changes(model, MLP) == [("", "class", "Sequential", "Functional", "class")]


def test_order_of_inputs() -> None:
    """The order of inputs is a row."""
    one = functional(image("x"), image("y"), layer("Concatenate", "j", ["x", "y"]))
    other = functional(image("x"), image("y"), layer("Concatenate", "j", ["y", "x"]))
    assert changes(one, other) == [("j", "inbound", ["x", "y"], ["y", "x"], "connection")]


def test_order_in_the_config() -> None:
    """In which order a graph lists its layers is none."""
    one = functional(image("x"), dense("a", "x"), dense("b", "x"), layer("Add", "s", ["a", "b"]))
    other = copy.deepcopy(one)
    other["config"]["layers"][1:3] = reversed(other["config"]["layers"][1:3])
    assert changes(one, other) == []


def called(entry: dict[str, Any], *calls: dict[str, Any]) -> dict[str, Any]:
    """A layer with these calls."""
    return {**entry, "inbound_nodes": list(calls)}


def test_calls() -> None:
    """A layer that is called several times has a row for each call that changed, and one where their number did."""
    twice = [{"args": [tensor("x")], "kwargs": {}}, {"args": [tensor("y")], "kwargs": {}}]
    once = [{"args": [tensor("x")], "kwargs": {}}, {"args": [tensor("z")], "kwargs": {}}]
    ends = [image("x"), image("y"), image("z")]
    one = functional(*ends, called(dense("a"), *twice), outputs=[["a", 0, 0], ["a", 1, 0]])
    other = functional(*ends, called(dense("a"), *once), outputs=[["a", 0, 0], ["a", 1, 0]])
    assert changes(one, other) == [("a", "inbound.call 2", "y", "z", "connection")]
    third = functional(*ends, called(dense("a"), twice[0]), outputs=[["a", 0, 0]])
    assert changes(one, third) == [
        ("", "outputs", ["a", "a (call 2)"], "a", "connection"),
        ("a", "inbound", ["x", "y"], "x", "connection"),
    ]


def test_arguments_of_calls() -> None:
    """Another argument of a call is a row by its name, unless it has its default."""
    plain = {"args": [tensor("x"), tensor("x")], "kwargs": {"training": False, "query_mask": None}}
    causal = {"args": [tensor("x")], "kwargs": {"value": tensor("x"), "use_causal_mask": True}}
    masked = {"args": [tensor("x")], "kwargs": {"value": tensor("y"), "attention_mask": tensor("y", 0, 1)}}
    heads = layer("MultiHeadAttention", "h", num_heads=2, key_dim=3)
    first, second, third = (functional(image("x"), image("y"), called(heads, call)) for call in (plain, causal, masked))
    assert changes(first, second) == [("h", "inbound.use_causal_mask", ABSENT, True, "connection")]
    assert changes(first, third) == [
        ("h", "inbound.value", "x", "y", "connection"),
        ("h", "inbound.attention_mask", ABSENT, "y (output 2)", "connection"),
    ]


def test_calls_of_old_keras() -> None:
    """A call as Keras 2 writes it is that of Keras 3."""
    old = {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [
                {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 3]}, "name": "x",
                 "inbound_nodes": []},
                {"class_name": "Dense", "config": {"name": "a", "units": 3}, "name": "a",
                 "inbound_nodes": [[["x", 0, 0, {}]]]},
                {"class_name": "Add", "config": {"name": "s"}, "name": "s",
                 "inbound_nodes": [[["x", 0, 0, {}], ["a", 0, 0, {}]]]},
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["s", 0, 0]],
        },
    }  # fmt: skip
    new = functional(image(), dense("a", "x"), layer("Add", "s", ["x", "a"]))
    assert changes(old, new) == []
    turned = functional(image(), dense("a", "x"), layer("Add", "s", ["a", "x"]))
    assert changes(old, turned) == [("s", "inbound", ["x", "a"], ["a", "x"], "connection")]


def test_unreadable_calls() -> None:
    """Connections that cannot be read are compared as they are written, and all else is compared."""
    broken = {**dense("a", "x"), "inbound_nodes": [{"args": 3}]}
    worse = {**dense("a", "x", units=4), "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__"}]}]}
    one, other = functional(image(), broken), functional(image(), worse)
    assert changes(one, copy.deepcopy(one)) == []
    assert changes(one, other) == [
        ("a", "inbound", broken["inbound_nodes"], worse["inbound_nodes"], "connection"),
        ("a", "units", 3, 4, "hyper-parameter"),
    ]


def test_class() -> None:
    """A layer of another class is one row; its arguments are others then."""
    other = functional(image(), dense("a", "x"), layer("Dropout", "b", "a", rate=0.5), dense("c", "b"))
    assert changes(MLP, other) == [("b", "class", "Dense", "Dropout", "class")]


def test_own_class_of_the_same_name() -> None:
    """A user's class is not the built-in one of its name; where it was defined does not matter."""
    own = {**dense("a", "x"), "module": "mine", "registered_name": "Custom>Dense"}
    moved = {**own, "module": "my.layers"}
    one, other, third = (functional(image(), entry) for entry in (dense("a", "x"), own, moved))
    assert changes(one, other) == [("a", "class", "Dense", "Dense of its own", "class")]
    assert changes(other, third) == []


def test_own_arguments() -> None:
    """An argument of the user's own class has no default; what all layers have by default it has."""
    own = {**layer("Mine", "a", "x"), "module": "mine"}
    one, other = copy.deepcopy(own), copy.deepcopy(own)
    other["config"] |= {"depth": None, "trainable": True, "dtype": "float32"}
    assert changes(functional(image(), one), functional(image(), other)) == [
        ("a", "depth", ABSENT, None, "hyper-parameter")
    ]


def test_trainable_and_dtype() -> None:
    """Frozen layers and dtype policies are rows of their own kinds."""
    other = functional(image(), dense("a", "x", trainable=False), dense("b", "a", dtype="bfloat16"), dense("c", "b"))
    assert changes(MLP, other) == [
        ("a", "trainable", True, False, "trainable"),
        ("b", "dtype", "float32", "bfloat16", "dtype"),
    ]


def test_known_names() -> None:
    """A layer that is known under another name is none of them; references to it follow."""
    other = functional(image(), dense("first", "x"), dense("b", "first"), dense("c", "b", units=4))
    assert changes(MLP, other, {"a": "first"}) == [("c", "units", 3, 4, "hyper-parameter")]


def test_swapped_names() -> None:
    """Layers that are known to have changed names are compared crosswise."""
    other = functional(image(), dense("b", "x"), dense("a", "b"), dense("c", "a"))
    assert changes(MLP, other, {"a": "b", "b": "a"}) == []
    assert [row[1] for row in changes(MLP, other)] == ["inbound"] * 3


def test_equal_layers_under_other_names() -> None:
    """A layer with another name that is the same otherwise is one row."""
    other = functional(image(), dense("a", "x"), dense("new", "a"), dense("c", "new"))
    assert changes(MLP, other) == [("b", "name", "b", "new", "name")]


def test_names_that_keras_numbers() -> None:
    """Numbers that Keras gave to layers are no change, wherever they begin."""

    def model(start: int, rate: float = 0.5) -> Any:
        names = ["dropout" if at == 0 else f"dropout_{at}" for at in range(start, start + 3)]
        layers = [layer("Dropout", name, before, rate=0.5) for before, name in zip(["x", *names], names, strict=False)]
        layers[1]["config"]["rate"] = rate
        return functional(image(), *layers)

    for start in (0, 1, 2, 7):
        assert changes(model(0), model(start)) == []
        assert [row[1:] for row in changes(model(0), model(start, 0.25))] == [("rate", 0.5, 0.25, "hyper-parameter")]


def test_one_more_numbered_layer() -> None:
    """A layer that is added among numbered ones is one, though the numbers behind it are others then."""
    model = sequential(image(), *(layer("ReLU", f"re_lu_{at}", max_value=at) for at in range(5)))
    inserted = [layer("ReLU", f"re_lu_{at}", max_value=value) for at, value in enumerate((0, 1, 9, 2, 3, 4))]
    differences = changes(model, sequential(image(), *inserted))
    assert [(kind, key) for _, key, _, _, kind in differences] == [
        ("connection", "inbound"),
        ("layer added", ""),
    ]


def block(name: str, inner: str, **config: Any) -> dict[str, Any]:
    """A nested model with one Dense layer."""
    return functional(image("in"), dense(inner, "in", **config), name=name)


def test_nested_models() -> None:
    """The layers of nested models are compared, too, under their chains of names."""
    one = functional(image(), nested(block("enc", "d"), "x"), dense("c", "enc"))
    other = functional(image(), nested(block("enc", "d", units=4), "x"), dense("c", "enc"))
    assert changes(one, other) == [("enc/d", "units", 3, 4, "hyper-parameter")]
    assert changes(one, functional(image(), dense("c", "x"))) == [
        ("enc", "", "Functional", ABSENT, "layer removed"),
        ("c", "inbound", "enc", "x", "connection"),
    ]


def test_renamed_nested_models() -> None:
    """A nested model whose layers are known under other names is that model, and its name is no change here either."""
    one = functional(image(), nested(block("enc", "d"), "x"), nested(block("dec", "d"), "enc"), name="m")
    other = functional(image(), nested(block("e", "d"), "x"), nested(block("d", "d", units=4), "e"), name="m")
    known = {"enc/d": "e/d", "dec/d": "d/d"}
    differences = both_ways(Configs(one), Configs(other), known)
    assert differences == (ConfigChange("dec/d", "units", 3, 4, "hyper-parameter", "d/d"),)
    pairs = layer_pairs(Configs(one), Configs(other), known | {"enc": "e", "dec": "d"})
    assert pairs == {
        "x": "x",
        "enc": "e",
        "enc/in": "e/in",
        "enc/d": "e/d",
        "dec": "d",
        "dec/in": "d/in",
        "dec/d": "d/d",
    }


def test_moved_into_a_model() -> None:
    """A layer that is known to be in another model is not gone; what changed in it is told."""
    one = functional(image(), dense("a", "x"), dense("c", "a"))
    other = functional(image(), nested(block("enc", "a", activation="relu"), "x"), dense("c", "enc"))
    assert changes(one, other, {"a": "enc/a"}) == [
        ("c", "inbound", "a", "enc", "connection"),
        ("enc", "", ABSENT, "Functional", "layer added"),
        ("a", "activation", "linear", "relu", "hyper-parameter"),
    ]


def test_models_that_layers_hold() -> None:
    """A model inside a wrapper is compared as a graph, by the key of the wrapper."""

    def wrapped(model: Any) -> Any:
        return functional(image(), layer("TimeDistributed", "td", "x", layer=model))

    two = functional(image("in"), dense("d", "in"), dense("e", "d"), name="frames")
    other = functional(image("in"), dense("d", "in", units=4), dense("e", "in"), name="frames")
    assert changes(wrapped(two), wrapped(other)) == [
        ("td", "layer.d.units", 3, 4, "hyper-parameter"),
        ("td", "layer.e.inbound", "d", "in", "connection"),
    ]


def test_cells() -> None:
    """Cells in a list are compared one by one, whole lists where their number changed."""

    def stacked(*units: int) -> Any:
        cells = [
            {"class_name": "LSTMCell", "config": {"name": f"c{at}", "units": size}} for at, size in enumerate(units)
        ]
        return sequential(
            image(), layer("RNN", "r", cell={"class_name": "StackedRNNCells", "config": {"cells": cells}})
        )

    assert changes(stacked(2, 3), stacked(2, 4)) == [("r", "cell.cells.1.units", 3, 4, "hyper-parameter")]
    assert [row[1] for row in changes(stacked(2, 3), stacked(2))] == ["cell.cells"]


def test_bidirectional() -> None:
    """Both directions of a Bidirectional are one, unless one differs."""

    def both(**config: Any) -> dict[str, Any]:
        return {"class_name": "LSTM", "config": {"name": "lstm", "units": 3, **config}}

    def model(**config: Any) -> Any:
        return sequential(image(), layer("Bidirectional", "b", **config))

    written = {"layer": both(name="forward_lstm"), "backward_layer": both(name="backward_lstm", go_backwards=True)}
    assert changes(model(layer=both()), model(**written)) == []
    assert changes(model(layer=both()), model(layer=both(units=4))) == [("b", "layer.units", 3, 4, "hyper-parameter")]
    one_side = {**written, "backward_layer": both(name="backward_lstm", go_backwards=True, units=4)}
    assert changes(model(**written), model(**one_side)) == [("b", "backward_layer.units", 3, 4, "hyper-parameter")]


@pytest.mark.parametrize(("shape", "same"), [([None, 4, 4, 3], True), ([None, 4, 4, 4, 3], False), (None, False)])
def test_axis(shape: list[int | None] | None, same: bool) -> None:
    """An axis counted from the front is that counted from the back where the input has so many axes."""

    def model(axis: Any) -> Any:
        source = layer("InputLayer", "x", batch_shape=shape)
        return functional(source, layer("BatchNormalization", "n", "x", axis=axis))

    assert (changes(model(-1), model(3)) == []) is same
    assert (changes(model(-1), model([3])) == []) is same


def test_model_of_its_own_class() -> None:
    """A model of the user's class that lists its layers is compared as Keras's are."""
    one = {**copy.deepcopy(MLP), "class_name": "Mine", "module": "mine"}
    other = copy.deepcopy(one)
    other["config"]["layers"][1]["config"]["units"] = 4
    assert changes(one, other) == [("a", "units", 3, 4, "hyper-parameter")]
    assert changes(one, MLP) == [("", "class", "Mine", "Functional", "class")]


def test_model_without_layers() -> None:
    """The config of a subclassed model is compared by its keys."""
    one, other = ({"class_name": "Mine", "config": {"name": "m", "depth": {"a": depth}}} for depth in (1, 2))
    assert changes(one, other) == [("", "depth.a", 1, 2, "hyper-parameter")]


def test_names_of_models() -> None:
    """The name that the user gave a model is one thing that may change."""
    assert changes(MLP, functional(*MLP["config"]["layers"], name="n")) == [("", "name", "m", "n", "name")]
    numbered = [functional(*MLP["config"]["layers"], name=name) for name in ("functional_3", "model_1")]
    assert changes(*numbered) == []


def test_one_side_without_config() -> None:
    """Of a model whose config only one side has nothing is told; versions are."""
    a, b = Configs(MLP, {"loss": "mse"}, Producer("3.15.1")), Configs(None, None, Producer("3.0.5"))
    assert [(change.key, change.old, change.new, change.kind) for change in both_ways(a, b)] == [
        ("keras_version", "3.15.1", "3.0.5", "version")
    ]
    assert layer_pairs(a, b) == {}


def test_producers() -> None:
    """The writers of two files are a row where both are stated."""
    a, b = Configs(MLP, None, Producer("3.0.5", "jax")), Configs(MLP, None, Producer("3.15.1", "tensorflow"))
    assert [(change.key, change.old, change.new) for change in both_ways(a, b)] == [
        ("keras_version", "3.0.5", "3.15.1"),
        ("backend", "jax", "tensorflow"),
    ]
    assert both_ways(a, Configs(MLP, None, Producer("3.0.5"))) == ()


def test_what_is_no_model() -> None:
    """Configs that are no models are compared as they are written."""
    differences = both_ways(Configs([1, {"a": 2}]), Configs([1, {"a": 3}]))
    assert [(difference.key, difference.old, difference.new) for difference in differences] == [("config.1.a", 2, 3)]


def test_inverted_kinds() -> None:
    """Removed and added change places when a change is inverted."""
    change = ConfigChange("a", "", "Dense", ABSENT, "layer removed", "a")
    assert change.inverted() == ConfigChange("a", "", ABSENT, "Dense", "layer added", "a")
    assert change.inverted().inverted() == change


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"loss": "mse"}, {"loss": "mean_squared_error"}),
        ({"loss": "mse"}, {"loss": ["MSE"]}),
        ({"loss": "mse"}, {"loss": {"class_name": "MeanSquaredError", "config": {"reduction": "auto", "fn": "mse"}}}),
        ({"loss": "cosine_proximity"}, {"loss": "cosine_similarity"}),
        ({"loss": "kullback_leibler_divergence"}, {"loss": "kld"}),
        ({"loss": {"class_name": "Huber", "config": {"reduction": None}}},
         {"loss": {"class_name": "Huber", "config": {"reduction": "none", "delta": 1.0}}}),
        ({"loss": {"class_name": "LossFunctionWrapper", "config": {"fn": "poisson"}}}, {"loss": "poisson"}),
        ({"metrics": None}, {"metrics": []}),
        ({"metrics": "mae"}, {"metrics": [["mean_absolute_error"]]}),
        ({"metrics": ["acc"]}, {"metrics": ["accuracy"]}),
        ({"metrics": [{"class_name": "MeanMetricWrapper", "config": {"name": "acc", "fn": "binary_accuracy"}}]},
         {"metrics": ["accuracy"]}),
        ({"metrics": [{"class_name": "AUC", "config": {"name": "auc_2"}}]}, {"metrics": ["auc"]}),
        ({"jit_compile": None, "run_eagerly": None, "steps_per_execution": None},
         {"jit_compile": True, "run_eagerly": False, "steps_per_execution": 1, "loss_weights": None}),
        ({"optimizer": "adam"}, {"optimizer_config": {"class_name": "Custom>Adam", "config": {"lr": 0.001}}}),
        ({"optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.10000000149011612, "decay": 0.0}}},
         {"optimizer": {"class_name": "SGD", "config": {"lr": 0.1, "name": "SGD", "is_legacy_optimizer": False}}}),
        ({"optimizer": {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": "sgd"}}},
         {"optimizer": "SGD"}),
        ({"optimizer": {"class_name": "SGD", "config": {"ema_overwrite_frequency": 100}}}, {"optimizer": "sgd"}),
    ],
)  # fmt: skip
def test_spellings_of_compile(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Settings that mean the same are the same, whichever Keras wrote them."""
    always = {"sample_weight_mode": None}
    assert compile_rows(compiled(**one, **always), compiled(**other, **always)) == []


@pytest.mark.parametrize(
    ("one", "other", "rows"),
    [
        ({"loss": "mse"}, {"loss": "mae"}, [("loss", "MeanSquaredError", "MeanAbsoluteError", "compile")]),
        (
            {"loss": {"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}},
            {"loss": "categorical_crossentropy"},
            [("loss.from_logits", True, False, "compile")],
        ),
        ({"loss": {"a": "mse", "b": "mae"}}, {"loss": {"a": "mse"}},
         [("loss.b", "MeanAbsoluteError", ABSENT, "compile")]),
        ({"loss": "mine"}, {"loss": "other"}, [("loss", "mine", "other", "compile")]),
        ({"metrics": ["mae", "auc"]}, {"metrics": ["mae", "mse"]},
         [("metrics.1", "AUC", "MeanSquaredError", "compile")]),
        ({"metrics": ["mae"]}, {"metrics": ["mae", "mse"]}, [("metrics", ["mae"], ["mae", "mse"], "compile")]),
        (
            {"metrics": [{"class_name": "Precision", "config": {"thresholds": 0.5, "name": "p"}}]},
            {"metrics": [{"class_name": "Precision", "config": {"thresholds": 0.9, "name": "p"}}]},
            [("metrics.0.thresholds", 0.5, 0.9, "compile")],
        ),
        ({"jit_compile": True}, {"jit_compile": False}, [("jit_compile", True, False, "compile")]),
        ({"run_eagerly": None, "loss": "mse"}, {"run_eagerly": True, "loss": "mse"},
         [("run_eagerly", False, True, "compile")]),
        ({"loss_weights": [1.0, 0.5]}, {"loss_weights": [1.0, 1.0]},
         [("loss_weights", [1.0, 0.5], [1.0, 1.0], "compile")]),
        ({"optimizer": "adam"}, {"optimizer": "sgd"}, [("optimizer", "Adam", "SGD", "optimizer")]),
        (
            {"optimizer": {"class_name": "Adam", "config": {"lr": 0.01}}},
            {"optimizer": "adam"},
            [("optimizer.learning_rate", 0.01, 0.001, "optimizer")],
        ),
        (
            {"optimizer": {"class_name": "Nadam", "config": {"schedule_decay": 0.004}}},
            {"optimizer": "nadam"},
            [("optimizer.schedule_decay", 0.004, None, "optimizer")],
        ),
        (
            {"optimizer": {"class_name": "SGD", "config": {"learning_rate": {
                "class_name": "ExponentialDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 9}}}}},
            {"optimizer": {"class_name": "SGD", "config": {"learning_rate": {"module": "keras.optimizers.schedules",
                "class_name": "ExponentialDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 8,
                                                             "staircase": False}}}}},
            [("optimizer.learning_rate.decay_steps", 9, 8, "optimizer")],
        ),
        ({"optimizer": "adam", "loss": "mse"}, {"loss": "mse"}, [("optimizer", "Adam", ABSENT, "optimizer")]),
        ({"optimizer": "adam", "loss": "mse"}, {},
         [("compile", {"optimizer": "Adam", "loss": "mse"}, ABSENT, "compile")]),
    ],
)  # fmt: skip
def test_compile_settings(one: dict[str, Any], other: dict[str, Any], rows: list[Any]) -> None:
    """A setting that changed is a row; an object of the same class differs in its own arguments."""
    assert compile_rows(compiled(**one), compiled(**other)) == rows


def test_metrics_for_each_output() -> None:
    """Metrics by the names of outputs are those in lists, in which Keras 2 puts the outputs' names before theirs."""
    model = functional(image(), dense("a", "x"), dense("b", "x"), outputs=[["a", 0, 0], ["b", 0, 0]])

    def metric(name: str, fn: str) -> dict[str, Any]:
        return {"class_name": "MeanMetricWrapper", "config": {"name": name, "fn": fn}}

    named = Configs(model, {"metrics": {"b": ["mse"], "a": ["mae"]}})
    listed = Configs(model, {"metrics": [[metric("a_mae", "mean_absolute_error")], [metric("b_mse", "mse")]]})
    swapped = Configs(model, {"metrics": [[metric("a_mse", "mse")], [metric("b_mae", "mae")]]})
    assert both_ways(named, listed) == ()
    assert [change.key for change in both_ways(named, swapped)] == ["metrics.0.0", "metrics.1.0"]


def test_hard_sigmoid() -> None:
    """The activation of this name was another function before Keras 3, and that is told."""
    old = {"class_name": "Sequential", "config": [{"class_name": "Activation", "config": {
        "name": "a", "activation": "hard_sigmoid", "batch_input_shape": [None, 3]}}]}  # fmt: skip
    new = sequential(image("a_input"), layer("Activation", "a", activation="hard_sigmoid"))
    differences = both_ways(Configs(old, None, Producer("2.2.4")), Configs(new, None, Producer("3.15.1")))
    assert [(difference.layer, difference.key, difference.new) for difference in differences] == [
        ("a", "activation", "hard_sigmoid"),
        ("", "keras_version", "3.15.1"),
    ]
    assert "0.2 * x + 0.5" in differences[0].old
    assert config_changes(Configs(old, None, Producer("2.2.4")), Configs(old, None, Producer("1.2.2")))[:-1] == ()


def test_implied_masks() -> None:
    """The operations that Keras 3 writes for the masks which older ones work out are no change; between two configs of
    Keras 3 they are."""
    noted = {"module": "keras.src.ops.numpy", "class_name": "NotEqual", "config": {"name": "not_equal"}}
    mask = {**noted, "name": "not_equal", "inbound_nodes": [{"args": [tensor("x"), 0], "kwargs": {}}]}
    masked = {"args": [tensor("e")], "kwargs": {"mask": tensor("not_equal"), "training": False}}
    texts = {"input_dim": 9, "output_dim": 3, "mask_zero": True}
    new = functional(image(), layer("Embedding", "e", "x", **texts), mask, called(layer("LSTM", "l", units=2), masked))
    bare = functional(image(), layer("Embedding", "e", "x", **texts), layer("LSTM", "l", "e", units=2))
    old = copy.deepcopy(bare)
    for entry, source in zip(old["config"]["layers"], (None, "x", "e"), strict=True):
        entry["inbound_nodes"] = [[[source, 0, 0, {}]]] if source else []
    for entry in (*old["config"]["layers"], old):
        entry.pop("module")
    assert [
        change.kind
        for change in both_ways(Configs(old, None, Producer("2.15.0")), Configs(new, None, Producer("3.0.0")))
    ] == ["version"]
    assert changes(bare, new) == [
        ("l", "inbound.mask", ABSENT, "not_equal", "connection"),
        ("not_equal", "", ABSENT, "ops.NotEqual", "layer added"),
    ]


def test_operations() -> None:
    """An operation is no layer of its name, and its arguments are compared."""

    def model(entry: dict[str, Any], **config: Any) -> Any:
        return functional(image(), {**entry, "config": {"name": "s", **config}})

    operation = {**layer("Add", "s", ["x", "x"]), "module": "keras.src.ops.numpy"}
    mean = {**layer("Mean", "s", "x"), "module": "keras.src.ops.numpy"}
    assert changes(model(layer("Add", "s", ["x", "x"])), model(operation)) == [
        ("s", "class", "Add", "ops.Add", "class"),
    ]
    assert changes(model(mean, axis=1), model(mean, axis=2)) == [("s", "axis", 1, 2, "hyper-parameter")]
    legacy = {key: value for key, value in mean.items() if key not in ("module", "registered_name")}
    assert changes(model(mean, axis=1), model(legacy, axis=1)) == []
