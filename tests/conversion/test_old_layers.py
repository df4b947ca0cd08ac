"""Layers of genuine Keras 1.2.2 and 2.2.4, those whose meaning changed among them: Keras 3 predicts what they did."""

import json
from pathlib import Path

import numpy as np
import pytest

from ckpttool.conversion import Options, convert
from ckpttool.errors import ConversionError
from tests.live import keras
from tests.samples import FIXTURES

ALL = sorted((FIXTURES / "old_layers").rglob("*.h5"))
OWN = FIXTURES / "old_layers" / "keras2.15"
CASES = [path for path in ALL if not path.stem.startswith("refused") and path.parent != OWN]


def names(path: Path) -> str:
    """A case by its writer and name."""
    return f"{path.parent.name}/{path.stem}"


def check(path: Path, target: Path) -> None:
    """The converted model predicts what was recorded."""
    recorded = json.loads((path.parent / "predicted.json").read_text())[path.stem]
    inputs = [np.asarray(x, "float32") for x in recorded["inputs"]]
    model = keras().models.load_model(target)
    outputs = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    np.testing.assert_allclose(outputs, recorded["output"], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("path", CASES, ids=names)
def test_predicts_what_old_keras_did(path: Path, tmp_path: Path) -> None:
    """The file as a whole, in safe mode."""
    assert convert(path, tmp_path / "new.keras").proved
    check(path, tmp_path / "new.keras")


@pytest.mark.parametrize("path", [path for path in CASES if "hard" in path.stem or "lstm" in path.stem], ids=names)
def test_weights_can_stay_unscaled(path: Path, tmp_path: Path) -> None:
    """With the old function registered no weight of a hard_sigmoid is multiplied, and predictions are the same."""
    import ckpttool.old_activations  # noqa: F401  registers it

    result = convert(path, tmp_path / "new.keras", options=Options(keep_weights=True))
    assert not any("multiplied" in change for transform in result.transforms for change in transform.changes)
    check(path, tmp_path / "new.keras")


@pytest.mark.parametrize("path", CASES[::4], ids=names)
def test_weights_alone(path: Path, tmp_path: Path) -> None:
    """Its weights alone, in two layouts, load into the model that was converted."""
    convert(path, tmp_path / "new.keras")
    recorded = json.loads((path.parent / "predicted.json").read_text())[path.stem]
    inputs = [np.asarray(x, "float32") for x in recorded["inputs"]]
    for name in ("new.weights.h5", "new.h5"):
        convert(path, tmp_path / name)
        model = keras().models.load_model(tmp_path / "new.keras")
        for layer in model.layers:
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
        model.load_weights(tmp_path / name)
        outputs = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
        np.testing.assert_allclose(outputs, recorded["output"], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("path", [path for path in ALL if path.stem == "refused_lambda"], ids=names)
def test_refused(path: Path, tmp_path: Path) -> None:
    """A layer that holds code is refused, unless a function of the user's own takes its place; its weights alone are
    not."""
    with pytest.raises(ConversionError, match="--replace twice"):
        convert(path, tmp_path / "new.keras")
    convert(path, tmp_path / "new.keras", options=Options(functions={"twice": "mine:twice"}))
    live = keras().models.load_model(tmp_path / "new.keras", custom_objects={"twice": lambda x: x * 2})
    recorded = json.loads((path.parent / "predicted.json").read_text())[path.stem]
    outputs = live.predict_on_batch(np.asarray(recorded["inputs"][0], "float32"))
    np.testing.assert_allclose(outputs, recorded["output"], rtol=2e-5, atol=2e-6)
    assert convert(path, tmp_path / "new.weights.h5").copied == 4


def test_an_own_class_with_weights_of_its_own(tmp_path: Path) -> None:
    """It is kept under its registered name with its weights in their order, and what to import is said."""
    path = OWN / "own_class.h5"
    result = convert(path, tmp_path / "new.keras")
    assert [need.where for need in result.needs] == ["mine>Scale"]

    class Scale(keras().layers.Layer):  # type: ignore[name-defined,misc]
        """As it was, in Keras 3."""

        def build(self, shape: tuple[int, ...]) -> None:
            """Makes the weights in the order of old."""
            self.seen = self.add_weight(name="seen", shape=(), trainable=False)
            self.factor = self.add_weight(name="factor", shape=(shape[-1],))
            self.offset = self.add_weight(name="offset", shape=(shape[-1],))

        def call(self, x: object) -> object:
            """x * factor + offset."""
            return x * self.factor + self.offset

    model = keras().models.load_model(tmp_path / "new.keras", custom_objects={"mine>Scale": Scale})
    recorded = json.loads((OWN / "predicted.json").read_text())["own_class"]
    outputs = model.predict_on_batch(np.asarray(recorded["inputs"][0], "float32"))
    np.testing.assert_allclose(outputs, recorded["output"], rtol=2e-5, atol=2e-6)


def test_an_own_class_that_holds_layers(tmp_path: Path) -> None:
    """A layer of which only its class knows where its weights belong is refused."""
    with pytest.raises(ConversionError, match="of your own, which has layers"):
        convert(OWN / "refused_block.h5", tmp_path / "new.keras")
