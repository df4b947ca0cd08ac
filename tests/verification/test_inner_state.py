"""The state of the optimizer of a model inside the model, without Keras; test_inner_optimizers.py asks live Keras."""

from pathlib import Path
from typing import Any

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.model import Architecture, read_architecture
from ckpttool.model.spec import spec_of
from ckpttool.verification.inner_state import reason_for_skipped_state

INPUT = {"class_name": "InputLayer", "module": "keras.layers", "config": {"name": "x", "batch_shape": [None, 3]}}


def gan(optimizer: Any, trainable: bool = True) -> Architecture:
    """A Sequential model with a compiled model of two Dense layers in it, the first of them trained or not."""
    layers = [
        {
            "class_name": "Dense",
            "module": "keras.layers",
            "config": {"name": name, "units": 2, "trainable": trainable or name == "second"},
        }
        for name in ("first", "second")
    ]
    inner = {
        "class_name": "Sequential",
        "module": "keras",
        "config": {"name": "discriminator", "layers": [INPUT, *layers]},
        "compile_config": {"optimizer": optimizer, "loss": "mse"},
    }
    around = read_architecture({"class_name": "Sequential", "module": "keras", "config": {"layers": [INPUT, inner]}})
    assert around is not None
    return around


def stored(*shapes: tuple[int, ...], place: str = "layers/sequential/optimizer/vars") -> Checkpoint:
    """A checkpoint with the variables of an optimizer inside the model."""
    paths = [f"{place}/{at}" for at in range(len(shapes))]
    weights = {
        path: Weight(path, shape, "float32", 0, Section.OTHER) for path, shape in zip(paths, shapes, strict=True)
    }
    return Checkpoint(Path("gan.keras"), "keras", 0, weights)


MOMENTUM = {"class_name": "SGD", "config": {"momentum": 0.9}}
OF_TWO_LAYERS = ((), (), (3, 2), (2,), (2, 2), (2,))


def reason(architecture: Architecture, checkpoint: Checkpoint) -> str:
    """The reason why Keras skips the state."""
    return reason_for_skipped_state(architecture, spec_of(architecture), checkpoint)


def test_a_state_of_the_same_count_is_loaded() -> None:
    """As many variables as the optimizer makes for the weights that are trained now are loaded."""
    assert reason(gan(MOMENTUM), stored(*OF_TWO_LAYERS)) == ""
    assert reason(gan(MOMENTUM, trainable=False), stored(*OF_TWO_LAYERS[:2], *OF_TWO_LAYERS[4:])) == ""


def test_a_state_of_another_count_is_skipped() -> None:
    """An optimizer whose layers were frozen or thawed since the training has another number of variables."""
    why = "that of discriminator has {} variables, the file {}: Keras skips them all"
    assert reason(gan(MOMENTUM, trainable=False), stored(*OF_TWO_LAYERS)) == why.format(4, 6)
    assert reason(gan(MOMENTUM), stored(*OF_TWO_LAYERS[:4])) == why.format(6, 4)


def test_nothing_is_skipped_where_there_is_nothing() -> None:
    """An optimizer that has not begun has numbers alone, an unknown one is not judged, nor is a place of no model."""
    assert reason(gan(MOMENTUM), stored((), ())) == ""
    assert reason(gan({"class_name": "Own", "config": {}}), stored(*OF_TWO_LAYERS[:3])) == ""
    assert reason(gan(MOMENTUM), stored((3, 2), place="layers/other/optimizer/vars")) == ""
    assert reason_for_skipped_state(None, spec_of(gan(MOMENTUM)), stored(*OF_TWO_LAYERS[:3])) == ""
