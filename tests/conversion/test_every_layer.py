"""Every layer and activation of genuine Keras 1.2.2 and 2.2.4, on Theano and on TensorFlow: Keras 3 predicts what they
did, for what can be converted; the rest is refused."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.conversion import Conversion, convert
from ckpttool.errors import ConversionError
from tests.conversion.judge import numbered
from tests.live import keras
from tests.samples import FIXTURES

FOLDER = FIXTURES / "every_layer"
WRITERS = [f"{version}-{backend}" for version in ("keras1.2", "keras2.2") for backend in ("theano", "tensorflow")]


PADDED = {"upsampled2d", "upsampled3d", "zeros2d", "zeros3d"}  # with the above, what 1.2.2 wrote without its order


def unpacked(name: str, folder: Path) -> Path:
    """The file that a writer left."""
    path = folder / f"{name}.h5"
    path.write_bytes(gzip.decompress((FOLDER / f"{name}.h5.gz").read_bytes()))
    return path


def layers(path: Path) -> list[str]:
    """The names of the layers of a model that are no inputs."""
    with ckpttool.open(path) as checkpoint:
        config: Any = checkpoint.config
    return [entry["name"] for entry in config["config"]["layers"] if entry["class_name"] != "InputLayer"]


class Converted:
    """A writer's model converted, and what it predicts, by the name of its output."""

    def __init__(self, writer: str, folder: Path) -> None:
        source = unpacked(writer, folder)
        self.result: Conversion = convert(source, folder / "new.keras")
        with ckpttool.open(source) as checkpoint:
            config: Any = checkpoint.config
        names = [name for name, *_ in config["config"]["output_layers"]]
        with np.load(FOLDER / f"{writer}.npz") as arrays:
            inputs, outputs = numbered(arrays, "x"), numbered(arrays, "y")
        model = loaded(folder / "new.keras")
        by_name = dict(zip(names, map(np.asarray, model(inputs)), strict=True))
        by_name |= predicted(model, names, inputs, {name for name in names if name.endswith("_2_valid")})
        self.pairs = {name: (by_name[name], wanted) for name, wanted in zip(names, outputs, strict=True)}


def loaded(path: Path) -> Any:
    """The model of a file. `load_model` takes a layer for another that was thrown away and had its address
    (`ObjectSharingScope`, keras/src/saving/serialization_lib.py, 3.15), which many Bidirectional layers come upon."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    model = keras().saving.deserialize_keras_object(config)
    model.load_weights(path)
    return model


def predicted(model: Any, names: list[str], inputs: list[np.ndarray], chosen: set[str]) -> dict[str, np.ndarray]:
    """Outputs in a graph: called eagerly, TensorFlow adds biases wrongly to strided convolutions of channels first."""
    positions = [at for at, name in enumerate(names) if name in chosen]
    entries = [model.get_layer(f"{names[at]}_in0").output for at in positions]
    feed = [inputs[[tensor.name for tensor in model.inputs].index(entry.name)] for entry in entries]
    outputs = keras().Model(entries, [model.outputs[at] for at in positions]).predict(feed, verbose=0)
    return {names[at]: value for at, value in zip(positions, outputs, strict=True)}


@pytest.fixture(scope="module", params=WRITERS)
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The model of each writer."""
    return Converted(request.param, tmp_path_factory.mktemp(request.param))


def test_predicts_what_old_keras_did(converted: Converted) -> None:
    """Each layer by itself; what is told as a guess may be wrong."""
    wrong = {
        name: "other shape" if output.shape != wanted.shape else float(np.abs(output - wanted).max())
        for name, (output, wanted) in converted.pairs.items()
        if output.shape != wanted.shape or not np.allclose(output, wanted, rtol=2e-5, atol=5e-6)
    }
    guessed = {guess.where for guess in converted.result.guesses}
    assert wrong.keys() <= guessed
    assert {name.partition("_")[0] for name in guessed} <= {"cropped2d", "cropped3d", "kernels", "layers", *PADDED}


@pytest.mark.parametrize("writer", [writer for writer in WRITERS if (FOLDER / f"{writer}-refused.h5.gz").exists()])
def test_what_cannot_be_had_is_refused(writer: str, tmp_path: Path) -> None:
    """Every layer of the other model, all of them at once."""
    source = unpacked(f"{writer}-refused", tmp_path)
    with pytest.raises(ConversionError) as caught:
        convert(source, tmp_path / "new.keras")
    assert {refusal.where for refusal in caught.value.refusals} == set(layers(source))


def test_the_order_of_axes_comes_from_the_layers_beside(tmp_path: Path) -> None:
    """ZeroPadding2D, UpSampling2D and Cropping2D of 1.2.2 do not say it, what stands beside them does."""
    name = "keras1.2-theano-ordered"
    result = convert(unpacked(name, tmp_path), tmp_path / "new.keras")
    assert not any("order of its axes" in guess.what for guess in result.guesses)
    with np.load(FOLDER / f"{name}.npz") as arrays:
        outputs = keras().models.load_model(tmp_path / "new.keras").predict(arrays["x0"], verbose=0)
        np.testing.assert_allclose(outputs, arrays["y0"], rtol=2e-5, atol=5e-6)


def test_a_weight_that_does_not_fit_its_slot_is_refused(tmp_path: Path) -> None:
    """PReLU of Keras 1 does not say which axes share their weights, so that its config is not that of its file."""
    source = FIXTURES / "old_layers" / "keras2.2" / "prelu.h5"
    with ckpttool.open(source) as checkpoint:
        config: Any = json.loads(json.dumps(checkpoint.config))
    entry = next(entry for entry in config["config"]["layers"] if entry["class_name"] == "PReLU")
    entry["config"]["shared_axes"] = [1]
    (tmp_path / "arch.json").write_text(json.dumps({**config, "keras_version": "2.2.4"}))
    with pytest.raises(ConversionError, match=r"a weight of shape \(3,\), where its config requires \(1,\)"):
        convert(source, tmp_path / "new.keras", arch=tmp_path / "arch.json")
