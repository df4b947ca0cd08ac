"""Real old checkpoints converted, loaded with live Keras, and held against what genuine old Keras predicted."""

import json
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.conversion import convert
from ckpttool.errors import CheckpointError
from tests.corpus import CORPUS, needs_corpus
from tests.live import keras
from tests.predictions import check_predictions

pytestmark = needs_corpus

MANIFEST = json.loads((CORPUS / "manifest.json").read_text()) if CORPUS.exists() else []
PREDICTS_ALL_THE_SAME = {"dl4j__cnn2d_32.h5"}  # two LocallyConnected2D in a row, which the manifest takes for too much
CONVERTIBLE = [entry for entry in MANIFEST if entry.get("convertible") or entry["name"] in PREDICTS_ALL_THE_SAME]
OTHERS = [entry for entry in MANIFEST if entry not in CONVERTIBLE]


def architecture(entry: dict[str, Any]) -> Path | None:
    """The companion that describes the model of a file of weights."""
    name = (entry.get("reference") or {}).get("architecture", "")
    return CORPUS / "files" / name if name and name not in ("model_config", "config.json") and " " not in name else None


@pytest.mark.parametrize("entry", CONVERTIBLE, ids=lambda entry: entry["name"])
def test_predicts_what_old_keras_did(entry: dict[str, Any], tmp_path: Path) -> None:
    """The converted file loads in safe mode and gives the recorded predictions."""
    source, target = CORPUS / "files" / entry["name"], tmp_path / "new.keras"
    result = convert(source, target, arch=architecture(entry))
    model = keras().models.load_model(target)
    with ckpttool.open(source) as checkpoint:
        settings = checkpoint.training_config
    assert model.compiled == (bool(settings) and not any("all settings" in loss.what for loss in result.losses))
    check(entry, model)


def check(entry: dict[str, Any], model: Any) -> None:
    """Assert that a model predicts what was recorded for an entry of the manifest."""
    check_predictions(model, CORPUS / "reference" / f"{entry['name']}.npz", entry["reference"]["agreement"]["rtol"])


@pytest.mark.parametrize("entry", OTHERS, ids=lambda entry: entry["name"])
def test_others_are_refused(entry: dict[str, Any], tmp_path: Path) -> None:
    """A model that cannot be converted exactly is refused, and leaves nothing behind. A layer without a class in Keras
    3, and is put together of others, predicts the same. SavedModels have tests of their own."""
    try:
        convert(CORPUS / "files" / entry["name"], tmp_path / "new.keras")
    except CheckpointError:
        assert list(tmp_path.iterdir()) == []
        return
    if entry["name"].endswith(".savedmodel"):
        return
    assert "no equivalent" in entry["convertible_why"]
    check(entry, keras().models.load_model(tmp_path / "new.keras"))
