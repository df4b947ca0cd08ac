"""Layers that state a shape of their input where the graph gives another, as genuine Keras wrote them: what the layer
before gives is the fact."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.conversion import convert
from ckpttool.inspection.listing import list_checkpoint
from ckpttool.model import read_architecture
from ckpttool.model.spec import spec_of
from ckpttool.verification import verify
from tests.conversion.judge import numbered
from tests.live import keras
from tests.samples import FIXTURES
from tests.speeds import is_full, one_of_each

FOLDER = FIXTURES / "stated_shapes"
WRITERS = sorted(path.stem for path in FOLDER.glob("*.zip"))


def members(writer: str) -> list[str]:
    """The files of a writer."""
    with zipfile.ZipFile(FOLDER / f"{writer}.zip") as archive:
        return archive.namelist()


CASES = [(writer, name) for writer in WRITERS for name in members(writer)]


def unpacked(writer: str, name: str, folder: Path) -> Path:
    """A file as its writer left it."""
    with zipfile.ZipFile(FOLDER / f"{writer}.zip") as archive:
        return Path(archive.extract(name, folder))


def predicts(model: Any, writer: str, name: str) -> None:
    """A model predicts what its writer recorded."""
    case = name.rpartition(".")[0]
    with np.load(FOLDER / f"{writer}.npz") as arrays:
        own = {key.rpartition("/")[2]: arrays[key] for key in arrays.files if key.startswith(f"{case}/")}
    inputs = numbered(own, "x")
    output = np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    np.testing.assert_allclose(output, own["y0"], rtol=1e-4, atol=2e-5)


def test_every_writer_is_there() -> None:
    """Each generation, and enough of each."""
    assert [writer.rpartition(".")[0] for writer in WRITERS] == ["keras1", "keras2", "keras3", "tf2", "tf2", "tf2"]
    assert all(len(members(writer)) >= 24 for writer in WRITERS)


def kinds(case: tuple[str, str]) -> list[str]:
    """The kind of a case: which Keras or TensorFlow wrote it, but for the release, and what it is."""
    writer, name = case
    return [f"{writer.partition('.')[0]} {name}"]


@pytest.mark.parametrize(("writer", "name"), CASES if is_full() else one_of_each(CASES, kinds))
def test_the_weights_have_the_shapes_that_the_graph_gives(writer: str, name: str, tmp_path: Path) -> None:
    """Every stored weight is that of a slot of the model's own config, whose shape is known."""
    with ckpttool.open(unpacked(writer, name, tmp_path)) as checkpoint:
        architecture = read_architecture(checkpoint.config)
        assert architecture is not None
        assert all(slot.shape is not None and None not in slot.shape for slot in spec_of(architecture).slots)
        rows = [row for row in list_checkpoint(checkpoint).rows if row.weight.section == "model"]
        assert all(row.trainable is not None for row in rows)
        if writer != "keras1.2":  # whose gates Keras 3 does not load
            assert not verify(checkpoint, architecture).failures


def kinds_of_any_form(case: tuple[str, str]) -> list[str]:
    """The kinds of a case: which Keras or TensorFlow wrote it, but for the release, and what it is in whichever form;
    the form that this wrote."""
    writer, name = case
    stem, _, form = name.partition(".")
    generation = writer.partition(".")[0]
    return [f"{generation} {stem}", f"{generation} .{form}"]


@pytest.mark.parametrize(("writer", "name"), one_of_each(CASES, kinds_of_any_form))
def test_converted_it_predicts_the_same(writer: str, name: str, tmp_path: Path) -> None:
    """Compiled where it was; nothing of the stated shapes stands in the way of Keras 3."""
    source, target = unpacked(writer, name, tmp_path), tmp_path / "new.keras"
    assert convert(source, target).proved
    model = keras().models.load_model(target)
    assert model.compiled is name.startswith("trained")
    predicts(model, writer, name)
