"""Lambda layers whose function has a name, and functions given for those that have code."""

import codecs
import marshal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.cli import main
from ckpttool.conversion import Options, convert
from ckpttool.conversion.config.lambdas import check
from ckpttool.conversion.config.rewriter import Generation, rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.errors import ConversionError
from tests.conversion.of_generation import of_generation
from tests.conversion.test_anchors import dense, legacy
from tests.live import keras
from tests.samples import FIXTURES

CODE = ["4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfAAUAFMAKQFO", None, None]
FORMS: dict[str, dict[str, Any]] = {
    "2.4.0": {"function": "Custom>sampling", "function_type": "function", "module": "keras.layers"},
    "2.15.0": {
        "function": {
            "module": "builtins",
            "class_name": "function",
            "config": "Custom>sampling",
            "registered_name": "function",
        },
    },
    "2.13.1": {"function": {"class_name": "function", "config": "Custom>sampling"}},
    "3.3.3": {
        "function": {
            "module": "builtins",
            "class_name": "function",
            "config": "Custom>sampling",
            "registered_name": "Custom>sampling",
        },
    },
}


def model(*layers: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A Sequential model of Lambda layers of these names."""
    entries: list[dict[str, Any]] = [
        {"class_name": "Lambda", "config": {"name": name, "trainable": True, "dtype": "float32", **config}}
        for name, config in layers
    ]
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 3]}}
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [first, *entries]}}


@pytest.mark.parametrize("version", FORMS)
@pytest.mark.parametrize("registered", [False, True])
def test_a_registered_function(version: str, registered: bool) -> None:
    """Is carried with its arguments and asked for; there is no code to refuse."""
    journal, generation = Journal(), Generation(int(version[0]))
    config = model(("z", {**FORMS[version], "arguments": {"scale": 3.0}}))
    rewritten = rewrite(of_generation(config, generation), journal, origin=Origin(version))
    assert not rewritten.without_function
    if generation is not Generation.KERAS_3:  # whose configs stay as they are
        assert [need.where for need in journal.needs] == ["Custom>sampling"]

    def sampling(x: Any, scale: float) -> Any:
        return x * scale

    objects = {} if registered else {"Custom>sampling": sampling}
    if registered:
        keras().saving.register_keras_serializable()(sampling)
    layer = keras().saving.deserialize_keras_object(rewritten.config, custom_objects=objects)
    keras().saving.get_custom_objects().pop("Custom>sampling", None)
    np.testing.assert_array_equal(layer(np.ones((2, 3))), np.full((2, 3), 3.0))


@pytest.mark.parametrize("name", ["<lambda>", "f_<locals>", ""])
def test_a_function_without_a_name(name: str) -> None:
    """Stays one that has to be replaced."""
    config = model(("z", {"function": {"module": "builtins", "class_name": "function", "config": name}}))
    assert rewrite(of_generation(config, Generation.KERAS_2), Journal(), origin=Origin("2.15.0")).without_function


def replaced(config: Any, **functions: str) -> dict[str, str]:
    """The functions of the Lambda layers by name, `a_b` for `a/b`."""
    options = Options(functions=functions)
    new_config = rewrite(of_generation(config, Generation.KERAS_2), Journal(), options, Origin("2.2.4")).config
    layers = [layer["config"] for layer in new_config["config"]["layers"] if layer["class_name"] == "Lambda"]
    return {layer["name"]: f"{layer['function']['module']}:{layer['function']['config']}" for layer in layers}


SEVERAL = model(*((name, {"function": CODE, "function_type": "lambda"}) for name in ("b_1_s", "b_2_s", "norm")))


def test_patterns() -> None:
    """A pattern stands for all layers that it matches, and a name comes before a pattern."""
    assert replaced(SEVERAL, **{"b_*_s": "p:f", "norm": "p:g", "b_2_s": "p:h"}) == {
        "b_1_s": "p:f",
        "b_2_s": "p:h",
        "norm": "p:g",
    }


@pytest.mark.parametrize("functions", [{"nosuch": "p:f"}, {"*": "p:f", "b_3*": "p:f"}])
def test_what_matches_no_lambda(functions: dict[str, str]) -> None:
    """Is an error that lists those that there are."""
    journal = Journal()
    rewrite(of_generation(SEVERAL, Generation.KERAS_2), journal, Options(functions=functions), Origin("2.2.4"))
    with pytest.raises(ConversionError, match="b_1_s, b_2_s, norm"):
        check(functions, journal.lambdas)
    check({"b_*": "p:f", "norm": "p:f"}, journal.lambdas)


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_model_without_lambda(dry: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Has nothing to replace, in whatever form the model is."""
    source = FIXTURES / "keras3" / "nested.keras"
    arguments = ["convert", str(source), str(tmp_path / "new.weights.h5"), "--replace", "a=p:f", *dry]
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "a model without" in capsys.readouterr().err
    assert not (tmp_path / "new.weights.h5").exists()


@pytest.mark.parametrize("mask", [None, CODE, "keep"], ids=str)
def test_a_mask_of_its_own(mask: Any) -> None:
    """A mask that Keras 3 would not read is a reason to refuse the whole model."""
    own = {} if mask is None else {"mask": mask, "mask_type": "lambda" if mask is CODE else "function"}
    entry = ("z", {"function": CODE, "function_type": "lambda", **own})
    options = Options(functions={"z": "package.module:double"})
    rewritten = rewrite(of_generation(model(entry), Generation(2)), Journal(), options, Origin("2.10.0"))
    assert [layer.masks for layer in rewritten.without_function] == [True] * (mask is not None)


def test_a_mask_is_not_lost_unannounced(tmp_path: Path) -> None:
    """A whole model of such a layer is refused with the way out; of its weights alone nothing is missing."""
    own = {"function": "twice", "function_type": "function", "mask": "keep", "mask_type": "function"}
    source = legacy(tmp_path / "old.h5", ("Lambda", own, {}), dense(2, 3), shape=(None, 3), keras_version="2.10.0")
    with pytest.raises(ConversionError, match="a mask of its own, which Keras 3 does not read from a config"):
        convert(source, tmp_path / "new.keras")
    convert(source, tmp_path / "new.weights.h5")


@pytest.mark.parametrize(("function", "announced"), [(lambda x, mask=None: x, True), (lambda x: x, False)])
def test_a_function_that_takes_a_mask(function: Any, announced: bool) -> None:
    """It is noted that Keras 3 calls it without one, too."""
    code = [codecs.encode(marshal.dumps(function.__code__), "base64").decode(), None, None]
    entry = ("z", {"function": code, "function_type": "lambda"})
    config = model(entry)
    config["config"]["layers"].insert(1, {"class_name": "Masking", "config": {"name": "m", "mask_value": 0.0}})
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 4, 3]
    journal, options = Journal(), Options(functions={"z": "package.module:double"})
    rewrite(of_generation(config, Generation(2)), journal, options, Origin("2.10.0"))
    assert any("its function gets a mask" in guess.what for guess in journal.guesses) is announced
