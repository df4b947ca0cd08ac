"""Random models of Keras 2.15, converted: live Keras 3 predicts what Keras 2.15 did."""

import json
from pathlib import Path
from typing import Any

import pytest

from ckpttool.conversion import Conversion, convert
from ckpttool.errors import ConversionError
from tests.conversion.judge import judged
from tests.samples import FIXTURES

FOLDER = FIXTURES / "old_models"
MODELS = json.loads((FOLDER / "manifest.json").read_text())["models"]

# Classes that Keras 3 has not, or has with another meaning.
REFUSED = {"DenseFeatures", "RandomCrop", "RandomFourierFeatures"}
TOLERANCES = {"float32": 2e-5, "float64": 2e-5, "mixed_float16": 2e-2}  # relative to the largest output
STEPS = {"Lion": 5e-2}
"""Relative to how far a step goes, where more than a hundredth is allowed.

Lion takes the sign of a gradient. Where that is 0 but for rounding, runs of one file differ by up to 0.02 among
themselves; steps with the wrong sign would differ by 2.
"""


def converted(folder: Path, model: dict[str, Any], target: Path) -> Conversion:
    """A model of the generator, converted."""
    arch = folder / model["arch"] if "arch" in model else None
    return convert(folder / model["file"], target, arch=arch)


@pytest.mark.filterwarnings("ignore")  # of TensorFlow and NumPy, and of Keras about what is lost
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
def test_predicts_what_old_keras_did(model: dict[str, Any], tmp_path: Path) -> None:
    """Predictions are the same, and where nothing is lost, the next step of training too; some classes are refused."""
    target = tmp_path / "new.keras"
    if REFUSED & set(model["classes"]):
        with pytest.raises(ConversionError, match="|".join(REFUSED & set(model["classes"]))):
            converted(FOLDER, model, target)
        return
    result = converted(FOLDER, model, target)
    verdict = judged(target, FOLDER / f"{model['name']}.npz", model["inputs"], model["step"])
    assert verdict["relative"] < TOLERANCES[model["policy"]]
    if verdict["step"] is not None and not result.losses:
        assert verdict["step"] < STEPS.get(model["optimizer"], 1e-2)
