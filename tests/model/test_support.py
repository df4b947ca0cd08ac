"""The versions of Keras that build an architecture, as `verify`, `info` and `convert` state them."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.conversion import convert, plan
from ckpttool.errors import ConversionError, CorruptFileError
from ckpttool.model.generations.generation import Generation
from ckpttool.model.support import support_of
from tests.conftest import Outcome
from tests.samples import FIXTURES

Run = Callable[..., Outcome]

WRAPPERS = FIXTURES / "keras2.15" / "wrappers.h5"  # its LSTM says time_major
COMPILED = FIXTURES / "keras2.15" / "mlp.h5"  # its metrics are "mse", which the legacy loader of 3.15 does not find
CURRENT = FIXTURES / "keras3" / "mlp.keras"


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A model of Keras 3 whose config is changed."""
    with zipfile.ZipFile(CURRENT) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            raw = source.read(name)
            if name == "config.json":
                config = json.loads(raw)
                change(config)
                raw = json.dumps(config).encode()
            target.writestr(name, raw)
    return path


def unknown_argument(config: dict[str, Any]) -> None:
    """Gives a Dense an argument that it does not have."""
    config["config"]["layers"][1]["config"]["moon"] = 1


def unknown_loss(config: dict[str, Any]) -> None:
    """Compiles with a loss of no Keras."""
    config["compile_config"]["loss"] = {"module": "keras.losses", "class_name": "Moon", "config": {}}


def test_the_writer_builds_it() -> None:
    """Of a whole model and an architecture alike; nothing is known of weights alone."""
    with ckpttool.open(WRAPPERS) as checkpoint:
        support = support_of(checkpoint)
    assert support is not None
    assert (support.writer, support.by_writer_alone) == (Generation.KERAS_2, True)
    assert any(obstacle.argument == "time_major" for obstacle in support.obstacles)
    architecture = support_of(ckpttool.load_architecture(WRAPPERS))
    assert architecture is not None
    assert architecture.by_writer_alone
    with ckpttool.open(FIXTURES / "keras3" / "mlp.weights.h5") as checkpoint:
        assert support_of(checkpoint) is None


def test_verify_says_who_builds_it(run: Run) -> None:
    """The weights fit, and Keras 3 does not build the model: exit code 0, and 1 for Keras 3."""
    for arguments, code in (((), 0), (("--for", "keras3"), 1)):
        result = run("verify", WRAPPERS, WRAPPERS, *arguments)
        assert result.code == code
        assert "Keras 2 builds this architecture, Keras 3 cannot (layer bi/lstm: time_major" in result.out
        assert "Keras 3 loads it" not in result.out
    data = json.loads(run("verify", WRAPPERS, WRAPPERS, "--output", "json").out)
    assert (data["keras"], data["ok"], data["support"]["builds_in_keras_3"]) == ("cannot build", True, False)


def test_verify_says_what_is_not_compiled(run: Run) -> None:
    """A whole model is loaded compiled, where nobody says otherwise."""
    result = run("verify", COMPILED, COMPILED)
    assert (result.code, "Keras 3 loads it with compile=False alone (compile/loss: " in result.out) == (0, True)
    assert run("verify", COMPILED, COMPILED, "--for", "keras3").code == 1
    assert "Keras 3 loads it." in run("verify", CURRENT, CURRENT, "--for", "keras3").out


def test_a_model_that_no_keras_builds(tmp_path: Path, run: Run) -> None:
    """In the words of Keras 3, and not as it takes them: the weights load into nothing."""
    path = edited(tmp_path / "model.keras", unknown_argument)
    result = run("verify", path, path)
    assert (result.code, "moon" in result.out) == (1, True)
    assert "cannot build it: layer hidden: moon" in run("info", path).out
    assert "P102" in run("check", path).out


@pytest.mark.parametrize("change", [unknown_argument, unknown_loss])
def test_what_keras_would_not_load_is_not_written(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    """A plan says it, and a conversion leaves nothing behind; weights alone need no config."""
    source = edited(tmp_path / "source.keras", change)
    planned = plan(source, tmp_path / "new.keras")
    assert any("Keras 3 would not load the converted file" in refusal.what for refusal in planned.refusals)
    with pytest.raises(ConversionError, match="Keras 3 would not load the converted file"):
        convert(source, tmp_path / "new.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["source.keras"]
    assert convert(source, tmp_path / "new.weights.h5").proved


def test_compile_settings_can_be_left_out(tmp_path: Path, run: Run) -> None:
    """The refusal of compile settings names the option that leaves them out."""
    source = edited(tmp_path / "source.keras", unknown_loss)
    assert "--no-compile leaves the settings of compile out" in run("convert", source, tmp_path / "new.keras").err
    assert run("convert", source, tmp_path / "new.keras", "--no-compile").code == 0


def test_weights_that_keras_would_not_find(tmp_path: Path) -> None:
    """A model without its weights is no success, though it is copied bit for bit."""

    def another_layer(config: dict[str, Any]) -> None:
        layer = config["config"]["layers"][-1]
        own = {**layer["config"], "name": "more", "units": 2}
        config["config"]["layers"].append({**layer, "config": own, "build_config": {"input_shape": [None, 3]}})

    source = edited(tmp_path / "source.keras", another_layer)
    with pytest.raises(CorruptFileError, match="Keras 3 would not load the converted file"):
        convert(source, tmp_path / "new.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["source.keras"]
