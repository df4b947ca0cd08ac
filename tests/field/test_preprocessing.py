"""State that is no plain weight, in files from the field: vocabularies, their weights, bins, salts of hashes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.errors import ConversionError
from tests.corpus import FIELD, needs_field
from tests.live import keras

pytestmark = [needs_field, pytest.mark.filterwarnings("ignore:__array__ implementation")]  # of TensorFlow, with NumPy 2


def converted(name: str, tmp_path: Path) -> tuple[Any, ckpttool.Conversion]:
    """A model from the field as live Keras 3 loads what `convert` made of it, compiled, and what that noted."""
    result = ckpttool.convert(FIELD / name, tmp_path / "model.keras")
    assert ckpttool.verify(tmp_path / "model.keras", tmp_path / "model.keras").ok
    return keras().models.load_model(tmp_path / "model.keras"), result


@pytest.mark.parametrize(
    "name", ["c21_int.keras", "c49_disc_adapt_k215.h5", "c49_disc_adapt_k215.keras", "c49_hash_salt_t24.h5"]
)
def test_predicts_as_its_writer(name: str, tmp_path: Path) -> None:
    """The converted model gives what the model gave where it was saved."""
    model, _ = converted(name, tmp_path)
    with np.load(FIELD / f"{name.partition('.')[0]}.npz") as known:
        assert np.array_equal(model.predict(known["x0"], verbose=0), known["y0"])


def test_weights_of_a_vocabulary(tmp_path: Path) -> None:
    """The weights that a TextVectorization gives its words are carried, from both places where they are stored. The
    values are those that genuine Keras 2.15 predicts from c21_tfidf.keras."""
    import tensorflow as tf

    model, _ = converted("c21_tfidf.keras", tmp_path)
    predicted = model.predict(tf.constant([["the cat"], ["a dog"]]), verbose=0)
    assert np.allclose(predicted, PREDICTED, atol=1e-6)


PREDICTED = [[0.6566829085350037, 0.7770801186561584], [0.41588833928108215, 0.5499597191810608]]


@pytest.mark.parametrize("name", ["c20_strlookup.h5", "c21_int.h5", "c21_tfidf.h5"])
def test_without_vocabulary(name: str, tmp_path: Path) -> None:
    """A model whose vocabulary is nowhere is refused in a line, with the way out; its weights alone can be written."""
    with pytest.raises(ConversionError) as refused:
        ckpttool.convert(FIELD / name, tmp_path / "model.keras")
    assert [("vocabulary" in entry.what, "--arch" in entry.what) for entry in refused.value.refusals] == [(True, True)]
    if name == "c21_tfidf.h5":  # whose words have weights, which it does not hold either
        return
    result = ckpttool.convert(FIELD / name, tmp_path / "model.weights.h5")
    assert ["its vocabulary" in entry.what for entry in result.losses] == [True]


@pytest.mark.parametrize("name", ["c21_file.keras", "c21_file.h5"])
def test_vocabulary_in_a_file(name: str, tmp_path: Path) -> None:
    """A vocabulary that is given as a path needs that file, and a load_model that opens it."""
    result = ckpttool.convert(FIELD / name, tmp_path / "model.keras")
    (need,) = [entry.what for entry in result.needs]
    assert "/tmp/exam/bugs/files/vocab.txt" in need and "safe_mode=False" in need
    with pytest.raises((TypeError, ValueError), match="safe_mode=False"):
        keras().models.load_model(tmp_path / "model.keras")


def test_feature_space() -> None:
    """The layers that a FeatureSpace is made of are Keras's own: a model with them loads, and its shapes are known."""
    result = ckpttool.verify(FIELD / "c41_model.keras", FIELD / "c41_model.keras")
    assert (result.verdict, result.opaque) == ("loads", ())


@pytest.mark.parametrize("name", ["c22_ragged.h5", "c22_ragged.keras"])
def test_ragged_input(name: str, tmp_path: Path, run: Any) -> None:
    """A recurrent layer of Keras 3 takes no ragged tensors; its weights can be written, and info tells the input."""
    with pytest.raises(ConversionError) as refused:
        ckpttool.convert(FIELD / name, tmp_path / "model.keras")
    assert [(refusal.where, "ragged" in refusal.what) for refusal in refused.value.refusals] == [("lstm", True)]
    ckpttool.convert(FIELD / name, tmp_path / "model.weights.h5")
    assert "input_1 (None, None) ragged" in run("info", FIELD / name).out
