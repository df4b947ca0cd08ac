"""The optimizer of a model inside the model, which was compiled and trained by itself, as in a GAN."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.checkpoint import Section
from tests.live import keras as live_keras

keras: Any = live_keras()

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GAN whose discriminator was trained for a step."""
    layers = keras.layers
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="generator")
    discriminator = keras.Sequential([keras.Input((3,)), layers.Dense(1)], name="discriminator")
    discriminator.compile("adam", "binary_crossentropy")
    discriminator.train_on_batch(np.ones((2, 3)), np.ones((2, 1)))
    discriminator.trainable = False
    noise = keras.Input((4,))
    combined = keras.Model(noise, discriminator(generator(noise)))
    combined.compile("adam", "binary_crossentropy")
    path = tmp_path_factory.mktemp("gan") / "gan.keras"
    combined.save(path)
    return path


def test_its_state_is_no_weight_of_the_model(gan: Path) -> None:
    """Keras loads the file, so verify and check find nothing; the variables are listed with the other arrays."""
    assert keras.saving.load_model(gan).layers[-1].optimizer is not None
    with ckpttool.open(gan) as checkpoint:
        inner = [weight.path for weight in checkpoint.section(Section.OTHER)]
        assert len(checkpoint.section(Section.MODEL)) == 4
    assert inner
    assert all("/optimizer/vars/" in path for path in inner)
    result = ckpttool.verify(gan, gan)
    assert (result.keras, result.findings) == ("loads", ())
    assert not [each for file in ckpttool.check([gan]).files for each in file.findings]


def test_a_conversion_keeps_it(gan: Path, tmp_path: Path) -> None:
    """A file of Keras 3 is copied with it, and without it where no optimizer is wanted."""
    for name, options, count in (("a.keras", {}, 6), ("b.weights.h5", {"optimizer": False}, 0)):
        ckpttool.convert(gan, tmp_path / name, options=ckpttool.Options(**options))
        with ckpttool.open(tmp_path / name) as converted:
            assert len(converted.section(Section.OTHER)) == count, name
