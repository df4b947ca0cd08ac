"""What a Bidirectional gives at masked steps: zeros in Keras 3 and tf.keras, its last output in Keras of its own."""

from pathlib import Path

import pytest

from ckpttool.conversion import plan
from tests.conversion.test_anchors import Layer, legacy

LSTM = {"name": "lstm", "units": 2, "return_sequences": True, "recurrent_activation": "sigmoid"}


def guessed(path: Path, version: str, sequences: bool, masked: bool) -> list[str]:
    """The layers of which a plan guesses that nothing uses what they give at masked steps."""
    held = {"class_name": "LSTM", "config": {**LSTM, "return_sequences": sequences}}
    first: list[Layer] = [("Masking", {"mask_value": 0.0}, {})] if masked else []
    weights = {
        f"{side}_lstm/{name}:0": shape
        for side in ("forward", "backward")
        for name, shape in (("kernel", (3, 8)), ("recurrent_kernel", (2, 8)), ("bias", (8,)))
    }
    layers: list[Layer] = [*first, ("Bidirectional", {"layer": held, "merge_mode": "sum"}, weights)]
    source = legacy(path, *layers, shape=(None, 5, 3), keras_version=version)
    found = plan(source, path.with_suffix(".keras"))
    return [one.where for one in found.guesses if "steps that are masked" in one.what]


@pytest.mark.parametrize(
    ("version", "sequences", "masked", "said"),
    [
        ("2.2.4", True, True, True),
        ("2.3.1", True, True, True),
        ("2.2.4", False, True, False),
        ("2.2.4", True, False, False),
        ("2.2.4-tf", True, True, False),
        ("2.15.0", True, True, False),
    ],
)
def test_what_a_bidirectional_repeats(version: str, sequences: bool, masked: bool, said: bool, tmp_path: Path) -> None:
    """It is told of the Keras that repeats, where a mask reaches a Bidirectional that gives every step."""
    assert bool(guessed(tmp_path / "old.h5", version, sequences, masked)) == said
