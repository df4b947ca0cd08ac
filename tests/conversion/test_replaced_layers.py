"""Replacements of layers that Keras 3 lacks, layers outside `keras.layers`, and functions of tensorflow-addons."""

from typing import Any

import pytest

from ckpttool.conversion.config.other_packages import STATE_MODULE
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Applied, Journal
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layers.internal_layers import INTERNAL_LAYERS
from tests.conversion.of_generation import of_generation


def converted(generation: Generation, class_name: str, **config: Any) -> tuple[dict[str, Any], Journal]:
    """The entry of one layer for Keras 3, and the journal."""
    module = config.pop("module", None)
    layer = {"class_name": class_name, "config": {"name": "old", "batch_input_shape": [None, 4], **config}}
    layer |= {"module": module} if module else {}
    model: Any = [layer] if generation is Generation.KERAS_1 else {"name": "m", "layers": [layer]}
    journal = Journal()
    rewritten = rewrite(of_generation({"class_name": "Sequential", "config": model}, generation), journal)
    entry: dict[str, Any] = rewritten.config["config"]["layers"][-1]
    return entry, journal


REPLACED: dict[str, dict[str, Any]] = {
    "MaxoutDense": {"output_dim": 2, "nb_feature": 3, "bias": True, "input_dim": 4},
    "Highway": {"activation": "relu", "bias": True, "input_dim": 4},
}


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("class_name", REPLACED)
def test_a_frozen_layer_stays_frozen(class_name: str, trainable: bool) -> None:
    """Keras 3 does not freeze the layers of a model whose config is frozen: each layer with weights is by itself."""
    entry, journal = converted(Generation.KERAS_1, class_name, trainable=trainable, **REPLACED[class_name])
    assert not journal.refusals
    assert "replace-layer" in [edit.edit.name for edit in journal.edits]
    weighted = [inner for inner in entry["config"]["layers"] if inner["class_name"] in ("Dense", "EinsumDense")]
    others = [inner for inner in entry["config"]["layers"] if inner not in weighted]
    assert weighted
    assert [inner["config"].get("trainable", True) for inner in weighted] == [trainable] * len(weighted)
    assert not any("trainable" in inner["config"] for inner in others)
    assert entry["config"].get("trainable", True) is trainable


L2_1 = {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.5}
L2 = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}}
WIDTH = {"units": 2, "batch_input_shape": [None, 3, 4]}
SUMMED: list[tuple[str, Generation, dict[str, Any], list[str], str]] = [
    *(
        (
            name,
            Generation.KERAS_1,
            {"W_regularizer": L2_1, "b_constraint": {"name": "NonNeg"}, "activity_regularizer": L2_1, **arguments},
            ["kernel_regularizer", "bias_constraint"],
            "activity_regularizer",
        )
        for name, arguments in REPLACED.items()
    ),
    *(
        (
            name,
            Generation.KERAS_2,
            {"kernel_regularizer": L2, "recurrent_regularizer": L2, "bias_regularizer": L2, **WIDTH},
            ["kernel_regularizer", "recurrent_regularizer"],
            "bias_regularizer",
        )
        for name in ("CuDNNLSTM", "CuDNNGRU")
    ),
    (
        "LocallyConnected1D",
        Generation.KERAS_2,
        {"filters": 2, "kernel_size": 1, "batch_input_shape": [None, 3, 4], "kernel_regularizer": L2}
        | {"kernel_constraint": {"class_name": "NonNeg", "config": {}}},
        ["kernel_regularizer"],
        "kernel_constraint",
    ),
]


@pytest.mark.parametrize(
    ("class_name", "generation", "config", "retained", "lost"), SUMMED, ids=lambda value: str(value)[:20]
)
def test_regularizers_of_a_replaced_layer(
    class_name: str, generation: Generation, config: dict[str, Any], retained: list[str], lost: str
) -> None:
    """They are kept where the new layers have weights of the same sums, and are else said to be lost."""
    entry, journal = converted(generation, class_name, **config)
    new = [inner["config"] for inner in [entry, *entry["config"].get("layers", [])]]
    [has_all] = [inner for inner in new if all(inner.get(key) for key in retained)]
    assert {has_all[key]["class_name"] for key in retained} <= {"L1L2", "NonNeg"}
    assert {has_all[key]["module"] for key in retained} <= {"keras.regularizers", "keras.constraints"}
    [loss] = journal.losses
    assert loss.what == f"{lost}, so that training goes another way; predictions are the same"
    assert not journal.needs


def test_a_layer_outside_keras_layers() -> None:
    """LayerScale of ConvNeXt is found by its module alone, which older files leave out or call otherwise."""
    new = INTERNAL_LAYERS["LayerScale"].module
    arguments = {"init_values": 1e-6, "projection_dim": 4}
    for module in (None, "keras.applications.convnext"):
        entry, journal = converted(Generation.KERAS_2, "LayerScale", module=module, **arguments)
        assert (entry["module"], entry["registered_name"]) == (new, "LayerScale")
        assert {key: entry["config"][key] for key in arguments} == arguments
        assert "batch_input_shape" not in entry["config"]
        assert [edit for edit in journal.edits if edit.where == "old"] == [Applied(STATE_MODULE, "old", new)]


def test_the_activation_of_addons_with_an_argument() -> None:
    """gelu of tensorflow-addons is the tanh form by default, and is written as that operation of Keras 3."""
    entry, journal = converted(Generation.KERAS_2, "Dense", units=2, activation="Addons>gelu")
    operation = {"name": "gelu", "approximate": True}
    assert entry["config"]["activation"]["class_name"] == "Gelu"
    assert entry["config"]["activation"]["config"] == operation
    assert entry["config"]["activation"]["module"] == "keras.src.ops.nn"
    assert "replace-addon" in [edit.edit.name for edit in journal.edits]
    entry, _ = converted(Generation.KERAS_2, "Dense", units=2, activation="Addons>hardshrink")
    assert entry["config"]["activation"] == "hard_shrink"
