"""Training goes on: one step of the converted model is the step that the old Keras took next."""

import json
from pathlib import Path

import numpy as np
import pytest

from ckpttool.conversion import convert
from tests.live import keras
from tests.samples import FIXTURES

CASES = sorted((FIXTURES / "resume").rglob("*.h5"))
# Rules that Keras 3 has in another form: what differs is told as a loss, and the step is near, not equal.
NEAR = {"adagrad": 2e-3, "nadam": 5e-2, "old_adagrad": 2e-3, "old_nadam": 5e-2, "old_rmsprop": 1e-3, "rmsprop": 1e-3}


@pytest.mark.filterwarnings("ignore:Skipping variable loading")  # where the state is lost, as the result says
@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_next_step_is_the_same(path: Path, tmp_path: Path) -> None:
    """For every optimizer of every writer."""
    recorded = json.loads((path.parent / "after.json").read_text())
    result = convert(path, tmp_path / "new.keras")
    model = keras().models.load_model(tmp_path / "new.keras")
    model.run_eagerly = True  # for one step, a graph takes longer to trace than to run
    model.train_on_batch(np.asarray(recorded["x"], "float32"), np.asarray(recorded["y"], "float32"))
    exact = path.parent.name == "keras2.15" and path.stem in ("adagrad", "rmsprop")
    limit = 2e-6 if exact else NEAR.get(path.stem, 2e-6)
    assert bool(result.losses) == (path.stem in NEAR and not exact)
    for values, wanted in zip(model.get_weights(), recorded["after"][path.stem], strict=True):
        np.testing.assert_allclose(values, wanted, rtol=0, atol=limit)
