"""Vocabularies of lookups that the `.keras` named by `arch` lends to weights of another file, and live Keras 3 as the
judge. That files of genuine Keras 2.15 do the same, and SavedModels in mode tf_idf, was measured by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.equivalence import diff
from ckpttool.errors import ConversionError
from tests.live import keras as live_keras

keras: Any = live_keras()

TEXTS = np.array([["a b"], ["é q"]], dtype=object)
NUMBERS = np.array([[5], [-7]])


def _lookups() -> dict[str, tuple[Any, list[Any]]]:
    """Lookups of each kind, by a name, with the data that they adapt to."""
    layers, texts = keras.layers, ["a b", "é"]
    weighted = {"output_mode": "tf_idf", "max_tokens": 6, "pad_to_max_tokens": True}
    return {
        "masked": (layers.StringLookup(num_oov_indices=2, mask_token="[M]"), texts),
        "counted": (layers.StringLookup(num_oov_indices=0, output_mode="multi_hot"), [*texts, "é q"]),
        "weighted": (layers.StringLookup(**weighted), texts),
        "pairs": (layers.TextVectorization(ngrams=2, output_mode="tf_idf"), texts),
        "numbers": (layers.IntegerLookup(mask_token=0), [5, 6, -7]),
        "words": (layers.StringLookup(invert=True), texts),
    }


def _model(names: tuple[str, ...], adapted: bool = True) -> Any:
    """A model with lookups in a model in it."""
    inputs, outputs = [], []
    for name in names:
        layer, data = _lookups()[name]
        if adapted:
            layer.adapt(np.array(data, dtype=object if isinstance(data[0], str) else "int64"))
        inputs.append(keras.Input((1,), dtype="string" if _batch(name).dtype == object else "int64"))
        outputs.append(layer(inputs[-1]))
    inner = keras.Model(inputs, outputs)
    outer = [keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in inputs]
    return keras.Model(outer, inner(outer))


def _batch(name: str) -> Any:
    return np.array([[1], [2]]) if name == "words" else NUMBERS if name == "numbers" else TEXTS


def _answers(model: Any, names: tuple[str, ...]) -> list[Any]:
    import tensorflow as tf

    outputs = model([tf.constant(_batch(name)) for name in names])
    return [np.asarray(output).tolist() for output in keras.tree.flatten(outputs)]


ALL = ("masked", "counted", "weighted", "pairs", "numbers", "words")


@pytest.mark.parametrize(("suffix", "names"), [(".weights.h5", ALL), (".h5", ("masked", "numbers", "words"))])
def test_a_keras_file_lends_its_vocabularies(suffix: str, names: tuple[str, ...], tmp_path: Path) -> None:
    """The model of weights alone gives what the model gives that they were saved of; a whole `.h5` has no words
    either, and does not store the weights of words in mode tf_idf."""
    model = _model(names)
    model.save(tmp_path / "whole.keras")
    model.save_weights(tmp_path / "w.weights.h5") if suffix == ".weights.h5" else model.save(tmp_path / "w.h5")
    result = convert(tmp_path / f"w{suffix}", tmp_path / "new.keras", arch=tmp_path / "whole.keras")
    assert sum(applied.edit.name == "write-vocabulary" for applied in result.edits) == len(names)
    assert _answers(keras.models.load_model(tmp_path / "new.keras"), names) == _answers(model, names)


def test_a_vocabulary_of_another_file_is_a_difference(tmp_path: Path) -> None:
    """A whole `.h5` has no words, the new model has those of another file, and nothing else is different."""
    model = _model(("masked", "numbers"))
    model.save(tmp_path / "whole.keras")
    model.save(tmp_path / "old.h5")
    convert(tmp_path / "old.h5", tmp_path / "new.keras", arch=tmp_path / "whole.keras")
    result = diff(tmp_path / "old.h5", tmp_path / "new.keras")
    assert result.differences == {"config"}
    assert [(change.key, change.old) for change in result.settings] == [("vocabulary", None)] * 2


def test_other_weights_of_entries_are_refused(tmp_path: Path) -> None:
    """Weights of words in mode tf_idf that are not those of the `.keras` belong to other words."""
    model, other = _model(("pairs",)), _model(("pairs",), adapted=False)
    model.save(tmp_path / "whole.keras")
    other.layers[-1].layers[-1].adapt(np.array(["c d", "c"], dtype=object))
    other.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ConversionError, match="--arch has words with other weights"):
        convert(tmp_path / "w.weights.h5", tmp_path / "new.keras", arch=tmp_path / "whole.keras")


def test_a_whole_model_keeps_its_own_vocabulary(tmp_path: Path) -> None:
    """The assets of the source go before those of the architecture."""
    own, other = _model(("masked",)), _model(("masked",), adapted=False)
    other.layers[-1].layers[-1].adapt(np.array(["x", "y"], dtype=object))
    own.save(tmp_path / "own.keras")
    other.save(tmp_path / "other.keras")
    convert(tmp_path / "own.keras", tmp_path / "new.keras", arch=tmp_path / "other.keras")
    assert _answers(keras.models.load_model(tmp_path / "new.keras"), ("masked",)) == _answers(own, ("masked",))
