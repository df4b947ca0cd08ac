"""Arguments that Keras takes one by one and not together, and policies of quantization by name: what Keras refuses, and
live Keras, where it is there, says the same."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from ckpttool.model.buildability import buildability_of_json, buildability_of_keras
from tests.loops import for_each
from tests.model.buildability.test_loaders import INPUT, layer, sequential

CONV = {"filters": 4, "kernel_size": 2}
RECURRENT = {"units": 2, "name": "inner"}


def recurrent(class_name: str = "LSTM", **arguments: Any) -> dict[str, Any]:
    """A recurrent layer within another."""
    return layer(class_name, **RECURRENT, **arguments)


LENGTH = "output_sequence_length"
HEADS = "GroupQueryAttention"
TEXTS = {"vocabulary": ["a"], "standardize": "lower_and_strip_punctuation", "split": "whitespace", "ngrams": None}
Case = tuple[str, dict[str, Any], str]
LAYERS: list[Case] = [
    ("Conv2D", {**CONV, "strides": 2, "dilation_rate": 1}, ""),
    ("Conv2D", {**CONV, "strides": [1, 2], "dilation_rate": [2, 1]}, "dilation_rate"),
    ("Conv2D", {**CONV, "groups": 2}, ""),
    ("Conv2D", {**CONV, "groups": 3}, "groups"),
    ("Conv2DTranspose", {**CONV, "strides": 2, "output_padding": 1}, ""),
    ("Conv2DTranspose", {**CONV, "strides": 2, "output_padding": [1, 2]}, "output_padding"),
    ("Conv1DTranspose", {**CONV, "strides": [3], "output_padding": 3}, "output_padding"),
    ("Bidirectional", {"layer": recurrent()}, ""),
    ("Bidirectional", {"layer": recurrent(go_backwards=True)}, "layer"),
    ("Bidirectional", {"layer": layer("Dense", **RECURRENT)}, "layer"),
    ("Bidirectional", {"layer": recurrent(), "backward_layer": recurrent("GRU", go_backwards=True)}, ""),
    ("Bidirectional", {"layer": recurrent(), "backward_layer": recurrent()}, "backward_layer"),
    (
        "Bidirectional",
        {"layer": recurrent(return_sequences=True), "backward_layer": recurrent(go_backwards=True)},
        "backward_layer",
    ),
    ("RNN", {"cell": recurrent("LSTMCell")}, ""),
    ("RNN", {"cell": recurrent("Dense")}, "cell"),
    ("Normalization", {"axis": -1, "mean": 1.0, "variance": 2.0}, ""),
    ("Normalization", {"axis": -1, "mean": 1.0}, "mean"),
    (HEADS, {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2}, ""),
    (HEADS, {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 3}, "num_key_value_heads"),
    ("Discretization", {"bin_boundaries": [0.0, 1.0]}, ""),
    ("Discretization", {"bin_boundaries": [0.0, 1.0], "sparse": True}, "sparse"),
    ("Discretization", {"num_bins": None}, "num_bins"),
    ("Hashing", {"num_bins": 3, "dtype": "int32"}, ""),
    ("Hashing", {"num_bins": 3, "dtype": "float32"}, "dtype"),
    ("Hashing", {"num_bins": 3, "output_mode": "one_hot", "dtype": "float32"}, ""),
    ("IntegerLookup", {"vocabulary": [1, 2], "vocabulary_dtype": "int32"}, "vocabulary_dtype"),
    ("IntegerLookup", {"vocabulary": [1, 2], "salt": 3}, "salt"),
    ("TextVectorization", {**TEXTS, "output_sequence_length": 3}, ""),
    ("TextVectorization", {**TEXTS, "output_sequence_length": 3, "output_mode": "count"}, LENGTH),
    ("TextVectorization", {**TEXTS, "ragged": True, "output_mode": "count"}, "ragged"),
    ("MelSpectrogram", {"fft_length": 64, "sequence_length": 64, "sequence_stride": 16}, ""),
    ("MelSpectrogram", {"fft_length": 64, "sequence_length": 65, "sequence_stride": 16}, "fft_length"),
    ("InputLayer", {"shape": [3], "batch_shape": [None, 3]}, "shape"),
    ("InputLayer", {"batch_size": 2, "batch_shape": [None, 3]}, "batch_size"),
    ("InputLayer", {"dtype": "float32"}, "batch_shape"),
]  # fmt: skip
POLICIES: dict[str, str] = {
    **dict.fromkeys(("int8_from_float32", "float8_from_bfloat16", "int4_from_float32", "int4/128_from_float32"), ""),
    **dict.fromkeys(("int4/-1_from_mixed_bfloat16", "gptq/4/128_from_float32", "awq/4/-1_from_float32"), ""),
    **dict.fromkeys(("int8_from_float16", "int8_from_mixed_float16", "int4/0_from_float32"), "dtype"),
    **dict.fromkeys(("int4/x_from_float32", "int8_from_mixed_float"), "dtype"),
    **dict.fromkeys(("int8/3_from_float32", "gptq/5/128_from_float32", "gptq/4_from_float32"), "dtype"),
    **dict.fromkeys(("awq/8/128_from_float32", "int8_from_nothing", "awq/4/x_from_float32"), "dtype"),
}  # fmt: skip
LAYERS += [("Dense", {"units": 2, "dtype": name}, refused) for name, refused in POLICIES.items()]


def alone(class_name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A Sequential model of one layer that is not built."""
    return sequential(layer(class_name, name="it", **arguments))


@pytest.mark.parametrize(("class_name", "arguments", "refused"), LAYERS, ids=str)
def test_layers(class_name: str, arguments: dict[str, Any], refused: str) -> None:
    """The argument is named that does not go with the others."""
    answer = buildability_of_json(alone(class_name, arguments))
    places = [(obstacle.where, obstacle.argument) for obstacle in answer.obstacles]
    assert places == [("it", refused)][: bool(refused)]


SCALED = layer("LossScaleOptimizer", "keras.optimizers", inner_optimizer=layer("Adam", "keras.optimizers"))
OPTIMIZERS: list[Case] = [
    ("SGD", {"clipnorm": 1.0}, ""),
    ("SGD", {"clipnorm": 1.0, "clipvalue": 1.0}, "clipvalue"),
    ("Adam", {"gradient_accumulation_steps": 2}, ""),
    ("Adam", {"gradient_accumulation_steps": 1}, "gradient_accumulation_steps"),
    ("Adam", {"use_ema": True, "ema_momentum": 1.0, "ema_overwrite_frequency": 3}, ""),
    ("Adam", {"use_ema": True, "ema_momentum": 1.5}, "ema_momentum"),
    ("Adam", {"use_ema": False, "ema_momentum": 1.5}, ""),
    ("Adam", {"use_ema": True, "ema_overwrite_frequency": -1}, "ema_overwrite_frequency"),
    ("LossScaleOptimizer", {"inner_optimizer": layer("Adam", "keras.optimizers")}, ""),
    ("LossScaleOptimizer", {"inner_optimizer": SCALED}, ""),
]
METRICS: list[Case] = [
    ("BinaryIoU", {"target_class_ids": [0, 1]}, ""),
    ("IoU", {"num_classes": 2, "target_class_ids": [2]}, "target_class_ids"),
    ("IoU", {"num_classes": 3, "target_class_ids": [2]}, ""),
    ("AUC", {"num_labels": 2, "multi_label": True}, ""),
    ("AUC", {"num_labels": 2}, "num_labels"),
]
SCHEDULES: list[Case] = [
    ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [0.1, 0.2, 0.3]}, ""),
    ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [0.1, 0.2]}, "boundaries"),
]


def compiled(**settings: Any) -> dict[str, Any]:
    """A model with these settings of `compile`."""
    start = {"optimizer": "sgd", "loss": "mse", "metrics": None, "loss_weights": None, "weighted_metrics": None}
    more = {"run_eagerly": False, "steps_per_execution": 1, "jit_compile": False}
    return sequential(INPUT, layer("Dense", name="d", units=2), compile_config={**start, **more, **settings})


def settings() -> Iterator[tuple[str, dict[str, Any], str]]:
    """The models, each with a name and the argument that is refused."""
    for name, arguments, refused in OPTIMIZERS:
        yield f"{name} {arguments}", compiled(optimizer=layer(name, "keras.optimizers", **arguments)), refused
    for name, arguments, refused in METRICS:
        yield f"{name} {arguments}", compiled(metrics=[layer(name, "keras.metrics", **arguments)]), refused
    for name, arguments, refused in SCHEDULES:
        schedule = layer(name, "keras.optimizers.schedules", **arguments)
        optimizer = layer("SGD", "keras.optimizers", learning_rate=schedule)
        yield f"{name} {arguments}", compiled(optimizer=optimizer), refused


@for_each(list(settings()))
def test_settings_of_compile(case: tuple[str, dict[str, Any], str]) -> None:
    """An optimizer, a metric or a schedule with such arguments keeps the model from being compiled."""
    _, model, refused = case
    answer = buildability_of_keras(model)
    assert answer.builds
    assert answer.compiles is not bool(refused)


def test_live_keras_says_the_same() -> None:
    """Keras 3.15 builds, compiles and refuses the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("keras", minversion="3.15", reason="the oracle is Keras 3.15 itself")
        from tests.model.buildability.live_answers import ask
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for class_name, arguments, refused in LAYERS:
            building, _ = ask("json", alone(class_name, arguments))
            if bool(building) != bool(refused):
                wrong.append(f"{class_name} {arguments}: Keras: {building[:200]}; ours: {refused}")
        for name, model, refused in settings():
            building, compiling = ask("keras", model)
            if building or bool(compiling) != bool(refused):
                wrong.append(f"{name}: Keras: {building[:200]} {compiling[:200]}; ours: {refused}")
    assert not wrong, "\n".join(wrong)
