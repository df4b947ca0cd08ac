"""Conversion for a model whose objects are known, as for a live one, without Keras: its parts follow from a config.

A live model is an architecture with its objects (`with_part`). Here the objects are those that the table makes of the
config of a converted file. So each file has to become what its conversion without a live model gave.
"""

import json
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.conversion import Options, convert, plan
from ckpttool.errors import ConversionError
from ckpttool.model import Architecture, read_architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.config import with_part
from tests.samples import FIXTURES

FILES = """
    keras1.2/mlp.h5 keras2.2/cnn.h5 keras2.2/nested.h5 old_layers/keras1.2/lstm.h5 old_layers/keras2.2/lstm.h5
    keras2.15/mlp.h5 keras2.15/cnn.h5 keras2.15/nested.h5 keras2.15/wrappers.h5 keras2.15/mlp.keras
    keras3/mlp.h5 keras3/cnn.keras keras3/nested.weights.h5
""".split()


def architecture_of(config: Any) -> Architecture:
    """The architecture in a config, with its objects, as if a live model had told them."""
    read = read_architecture(config)
    assert read is not None
    return with_part(config, part_in(read))


def config_of(path: Path) -> Any:
    """The config in a `.keras`."""
    with ckpttool.open(path) as checkpoint:
        return json.loads(json.dumps(checkpoint.config))


def values_of(path: Path) -> dict[str, bytes]:
    """The weights of a file by their paths, optimizers left out."""
    with ckpttool.open(path) as checkpoint:
        return {weight.path: weight.read().tobytes() for weight in checkpoint.section(ckpttool.Section.MODEL)}


def without_model(name: str, folder: Path) -> Path:
    """A file converted by its own config, or by that of its model."""
    arch = FIXTURES / "keras3/nested.keras" if name.endswith("nested.weights.h5") else None
    convert(FIXTURES / name, folder / "by_config.keras", arch=arch)
    return folder / "by_config.keras"


@pytest.mark.parametrize("name", FILES)
def test_a_model_of_the_same_objects_gets_the_same_weights(name: str, tmp_path: Path) -> None:
    """The weights are those of the conversion without it, at the same paths, in a whole file and in weights alone."""
    expected = without_model(name, tmp_path)
    live, values = architecture_of(config_of(expected)), values_of(expected)
    for form in ("keras", "weights.h5"):
        result = convert(FIXTURES / name, tmp_path / f"new.{form}", arch=live)
        assert values_of(tmp_path / f"new.{form}") == values != {}
        assert any(applied.edit.name == "place-in-live-model" for applied in result.edits)


@pytest.mark.parametrize("name", ["keras2.15/mlp.h5", "keras3/cnn.keras"])
def test_legacy_files_for_a_model(name: str, tmp_path: Path) -> None:
    """The legacy layout has the same values in the same order of layers."""
    expected = without_model(name, tmp_path)
    convert(FIXTURES / name, tmp_path / "new.h5", arch=architecture_of(config_of(expected)))
    convert(expected, tmp_path / "expected.h5")
    assert values_of(tmp_path / "new.h5") == values_of(tmp_path / "expected.h5") != {}


def layers_of(config: Any) -> list[Any]:
    """The entries of the layers of a model's config."""
    return config["config"]["layers"]  # type: ignore[no-any-return]


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    """A model whose weights have other shapes gets none, and each layer is named with both shapes."""
    config = config_of(without_model("keras2.15/mlp.h5", tmp_path))
    dense = next(layer for layer in layers_of(config) if layer["class_name"] == "Dense")
    dense["config"]["units"] += 1
    with pytest.raises(ConversionError) as caught:
        convert(FIXTURES / "keras2.15/mlp.h5", tmp_path / "new.keras", arch=architecture_of(config))
    assert [(refusal.where, refusal.what) for refusal in caught.value.refusals] == [
        ("hidden", "the source stores (4, 8) for kernel (4, 9), the source stores (8,) for bias (9,)"),
        ("output", "the source stores (8, 3) for kernel (9, 3)"),
    ]
    assert not (tmp_path / "new.keras").exists()


@pytest.mark.parametrize("name", ["gru_hard", "lstm", "hard_sigmoid_dense", "hard_sigmoid_rnn", "cudnn_lstm"])
def test_gates_with_the_slope_of_keras_3(name: str, tmp_path: Path) -> None:
    """Weights before a hard_sigmoid are multiplied for a model that has it, as without the model."""
    source = FIXTURES / f"old_layers/keras2.2/{name}.h5"
    convert(source, tmp_path / "by_config.keras")
    live = architecture_of(config_of(tmp_path / "by_config.keras"))
    result = convert(source, tmp_path / "new.keras", arch=live)
    assert values_of(tmp_path / "new.keras") == values_of(tmp_path / "by_config.keras")
    has_slope = "hard_sigmoid" in json.dumps(live.config)
    assert any(applied.edit.name == "scale-hard-sigmoid" for applied in result.edits) == has_slope


@pytest.mark.parametrize("options", [Options(keep_weights=True), Options(functions={"a": "package.module:function"})])
def test_options_for_the_config_of_a_file_are_refused(options: Options, tmp_path: Path) -> None:
    """The config of a live model is not changed: options that change one are refused."""
    live = architecture_of(config_of(without_model("keras2.15/mlp.h5", tmp_path)))
    with pytest.raises(ConversionError, match="change the config of a file"):
        plan(FIXTURES / "keras2.15/mlp.h5", tmp_path / "new.keras", arch=live, options=options)


def test_compile_settings_of_the_file_count(tmp_path: Path) -> None:
    """The settings of compile, and the state of the optimizer, come from the file where the model has none."""
    config = config_of(without_model("keras2.15/mlp.h5", tmp_path))
    settings = config.pop("compile_config")
    convert(FIXTURES / "keras2.15/mlp.h5", tmp_path / "new.keras", arch=architecture_of(config))
    assert config_of(tmp_path / "new.keras")["compile_config"]["optimizer"] == settings["optimizer"]
    differences = ckpttool.diff(tmp_path / "by_config.keras", tmp_path / "new.keras").differences
    assert differences == frozenset()


def test_layers_that_the_file_does_not_have_are_refused(tmp_path: Path) -> None:
    """A layer of the model without weights in the file, and weights of the file without a layer, are named."""
    config = config_of(without_model("keras2.15/mlp.h5", tmp_path))
    layers = layers_of(config)
    extra = json.loads(json.dumps(next(layer for layer in layers if layer["config"]["name"] == "output")))
    extra["config"] |= {"name": "extra"}
    longer = {"class_name": "Sequential", "config": {"name": "m", "layers": [*sequence(layers), extra]}}
    shorter = {"class_name": "Sequential", "config": {"name": "m", "layers": sequence(layers)[:-1]}}
    for new, where in ((longer, "extra"), (shorter, "output")):
        result = plan(FIXTURES / "keras2.15/mlp.h5", tmp_path / "new.keras", arch=architecture_of(new))
        assert any(where in f"{refusal.where} {refusal.what}" for refusal in result.refusals)


def sequence(layers: list[Any]) -> list[Any]:
    """The entries of a chain of layers without their connections."""
    return [{key: value for key, value in layer.items() if key != "inbound_nodes"} for layer in layers]
