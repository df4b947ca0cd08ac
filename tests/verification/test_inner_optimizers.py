"""The optimizer of a model inside the model, which was compiled and trained by itself, as in a GAN."""

import warnings
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.checkpoint import Section
from ckpttool.verification import Allowed
from tests.live import keras as live_keras
from tests.speeds import one_of_each

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
    assert not [finding for file in ckpttool.check([gan]).files for finding in file.findings]


def test_a_conversion_keeps_it(gan: Path, tmp_path: Path) -> None:
    """A file of Keras 3 is copied with it, and without it where no optimizer is wanted."""
    for name, options, count in (("a.keras", {}, 6), ("b.weights.h5", {"optimizer": False}, 0)):
        ckpttool.convert(gan, tmp_path / name, options=ckpttool.Options(**options))
        with ckpttool.open(tmp_path / name) as converted:
            assert len(converted.section(Section.OTHER)) == count, name


def _discriminator(optimizer: Any, train: bool, **frozen: bool) -> Any:
    """A model that was compiled, and trained for a step; `frozen` says which of its layers are not trained."""
    layers = [keras.layers.Dense(2, name=name, trainable=name not in frozen) for name in ("first", "second")]
    model = keras.Sequential([keras.Input((3,)), *layers], name="discriminator")
    model.compile(optimizer, "mse")
    if train:
        model.run_eagerly = True  # a graph of one step takes longer to trace than to run
        model.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))
    return model


def _around(model: Any, functional: bool = False) -> Any:
    noise = keras.Input((3,))
    around = keras.Model(noise, model(noise)) if functional else keras.Sequential([noise, model])
    around.compile("sgd", "mse")
    return around


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": lambda: "adam",
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "ema": lambda: keras.optimizers.Adam(use_ema=True),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    "amsgrad": lambda: keras.optimizers.Adam(amsgrad=True),
}
FROZEN = ("kept", "frozen", "thawed", "in part")


def _pairs(setting: tuple[object, ...]) -> list[object]:
    """The kinds of a setting: every two values in it."""
    return list(combinations(enumerate(setting), 2))


def _models() -> Iterator[tuple[str, Any]]:
    """Models around a model that was compiled by itself, trained or not, frozen or thawed afterwards."""
    for name, train, functional, change in one_of_each(
        product(OPTIMIZERS, (True, False), (True, False), FROZEN), _pairs
    ):
        parts = {"first": True} if change in ("thawed", "in part") else {}
        model = _discriminator(OPTIMIZERS[name](), train, **parts)
        if change in ("frozen", "thawed"):
            model.trainable = change == "thawed"
        yield f"{name} {train} {change}", _around(model, functional)
    yield "deep", _around(_around(_discriminator("adam", True), True))
    deep = _discriminator("adam", True)
    deep.trainable = False
    yield "deep frozen", _around(_around(deep, True))


def test_a_new_state_is_said(tmp_path: Path) -> None:
    """Keras warns that it skips the variables of an inner optimizer exactly where verify says so."""
    path = tmp_path / "model.keras"
    wrong, skipped = [], 0
    for name, model in _models():
        model.save(path)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = keras.saving.load_model(path)
        warned = any("Skipping variable loading for optimizer" in str(warning.message) for warning in caught)
        with ckpttool.open(path) as checkpoint:
            begun = any(weight.shape for weight in checkpoint.section(Section.OTHER))
        assert loaded is not None
        result, whole = ckpttool.verify(path, path), ckpttool.verify(path, path, allowed=Allowed(optimizer=True))
        skipped += warned and begun
        if (bool(result.skipped_state), whole.ok) != (warned and begun, not (warned and begun)):
            wrong.append((name, warned, begun, result.skipped_state, whole.problems))
    assert not wrong, wrong
    assert skipped
