"""BatchNormalization of early Keras, whose `running_std` was a standard deviation, then a variance: Keras 3 predicts
what genuine 0.3.3 and 1.0.3 to 1.0.8 did."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool import CheckpointError
from ckpttool.conversion import Conversion, convert
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.weights.deviations import Deviation, Variance, variance_arrangement
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from tests.live import keras
from tests.samples import FIXTURES

FOLDER = FIXTURES / "running_std"
VERSIONS = sorted(path.stem for path in FOLDER.glob("*.npz"))
DEVIATIONS = {"keras0.3.3", "keras1.0.3", "keras1.0.5", "keras1.0.6"}


def converted(version: str, target: Path) -> Conversion:
    """A model of this version, converted."""
    arch = FOLDER / f"{version}.json"
    return convert(FOLDER / f"{version}.h5", target, arch=arch if arch.exists() else None, source_backend="theano")


@pytest.mark.parametrize("version", VERSIONS)
def test_predicts_what_old_keras_did(version: str, tmp_path: Path) -> None:
    """The plan says what was stored, as a guess where no file tells its version."""
    result = converted(version, tmp_path / "new.keras")
    details = [applied.detail for applied in result.edits if applied.edit.name == "square-deviation"]
    detail = "running_std was a standard deviation"
    detail = detail if version in DEVIATIONS else "epsilon was added to the root of running_std, a variance"
    assert details == ([detail] if version != "keras1.0.8" else [])
    assert [guess.what[:34] for guess in result.guesses if "running_std" in guess.what] == (
        ["running_std is a standard deviatio"] if version == "keras1.0.3" else []
    )
    with np.load(FOLDER / f"{version}.npz") as arrays:
        outputs = keras().models.load_model(tmp_path / "new.keras").predict(arrays["x0"], verbose=0)
        np.testing.assert_allclose(outputs, arrays["y0"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("version", "theano", "config", "wanted"),
    [
        ("1.0.5", False, {}, Deviation(1e-6)),
        ("1.0.6", False, {}, None),
        ("1.0.6", True, {}, Deviation(1e-6)),
        ("1.0.7", False, {}, None),
        ("1.0.7", True, {"epsilon": 0.1}, Variance(0.1)),
        ("1.0.8", True, {}, None),
        ("1.2.2", True, {"momentum": 0.9, "epsilon": 1e-6}, None),
        (None, False, {"momentum": 0.9, "epsilon": 1e-6}, Deviation(1e-6)),
        (None, True, {"momentum": 0.99, "epsilon": 1e-6}, None),
        (None, False, {"momentum": 0.9, "epsilon": 1e-5}, None),
    ],
)
def test_what_is_stored_by_version(version: str | None, theano: bool, config: dict[str, Any], wanted: Any) -> None:
    """TensorFlow kept a variance a release earlier; without a version the defaults of then tell, which is a guess."""
    journal = Journal()
    args = Args("BatchNormalization", {"name": "norm", **config})
    assert variance_arrangement(args, Generation.KERAS_1, Origin(version, theano), "norm", journal) == wanted
    assert bool(journal.guesses) == (version is None)


def test_later_generations_are_as_they_are() -> None:
    """Keras 2 calls it a variance."""
    args = Args("BatchNormalization", {"name": "norm", "momentum": 0.9, "epsilon": 1e-6})
    for generation in (Generation.KERAS_2, Generation.KERAS_3):
        assert variance_arrangement(args, generation, Origin(), "norm", Journal()) is None


def test_an_epsilon_that_is_no_number_is_noted(tmp_path: Path) -> None:
    """Not taken for one."""
    config = json.loads((FOLDER / "keras1.0.5.json").read_text())
    config["config"][1]["config"]["epsilon"] = "x"
    (tmp_path / "arch.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="epsilon"):
        convert(FOLDER / "keras1.0.5.h5", tmp_path / "new.keras", arch=tmp_path / "arch.json")
