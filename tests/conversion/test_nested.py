"""Models in models: compile settings of their own, and layers that two of them share."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.conversion import Conversion, convert, plan
from tests.live import keras as live_keras
from tests.samples import FIXTURES

WRITERS = ("2.4", "2.15")


def unpacked(writer: str, folder: Path) -> Path:
    """The files of a writer."""
    with zipfile.ZipFile(FOLDER / f"tf{writer}.zip") as archive:
        archive.extractall(folder)
    return folder


FOLDER = FIXTURES / "nested"


def losses(result: Conversion) -> dict[str, str]:
    """The losses of a conversion by the layers that they are about."""
    return {remark.where: remark.what for remark in result.losses}


def test_settings_of_a_discriminator(tmp_path: Path) -> None:
    """Keras 2.15 stores them in the .keras alone, whose metrics of this model are no weights."""
    source = unpacked("2.15", tmp_path) / "gan.keras"
    with ckpttool.open(source) as checkpoint:
        metrics = [weight.path for weight in checkpoint.section(ckpttool.checkpoint.Section.METRICS)]
    assert any("/metrics/" in path for path in metrics)
    result = plan(source, tmp_path / "new.keras")
    assert not result.refusals
    assert list(losses(result)) == ["discriminator"]
    assert "compiled anew" in losses(result)["discriminator"]
    assert not losses(plan(tmp_path / "gan.h5", tmp_path / "new.keras"))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_shared_layer_of_a_saved_model(writer: str, tmp_path: Path) -> None:
    """The graph of the objects says that both have one layer."""
    messages = losses(plan(unpacked(writer, tmp_path) / "shared", tmp_path / "new.keras"))
    assert "is one layer with left/shared" in messages["right/shared"]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_shared_layer_of_a_legacy_file(writer: str, tmp_path: Path) -> None:
    """Equal names and values are all that the file has of it; without them nothing is said."""
    messages = losses(plan(unpacked(writer, tmp_path) / "shared.h5", tmp_path / "new.keras"))
    assert "names and values of left/shared" in messages["right/shared"]
    assert "left/shared" not in messages


def test_a_keras_file_that_no_keras_loads(tmp_path: Path) -> None:
    """The one reason is said, and not what follows from it."""
    refusals = plan(unpacked("2.15", tmp_path) / "shared.keras", tmp_path / "new.keras").refusals
    assert [(refusal.where, "no Keras loads" in refusal.what) for refusal in refusals] == [("right/shared", True)]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("end", [".h5", ""])
def test_keras_trains_them_apart(writer: str, end: str, tmp_path: Path) -> None:
    """Keras 3 predicts the same with the converted model, and after a step of training others, as is said."""
    module: Any = live_keras()
    unpacked(writer, tmp_path)
    convert(tmp_path / f"shared{end}", tmp_path / "new.keras")
    with np.load(tmp_path / "shared.npz") as arrays:
        record = dict(arrays)
    model = module.models.load_model(tmp_path / "new.keras")
    inputs = [record["x0"], record["x1"]]
    np.testing.assert_allclose(model.predict(inputs, verbose=0), record["y"], atol=1e-5)
    model.train_on_batch(inputs, record["t"])
    assert np.abs(model.predict(inputs, verbose=0) - record["after"]).max() > 1e-5
