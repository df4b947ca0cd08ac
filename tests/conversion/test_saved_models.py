"""SavedModels and checkpoints of TensorFlow converted, loaded with live Keras 3, and held against what TensorFlow 2.15
predicted with them."""

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool import Section
from ckpttool.alignment.architectures import load_architecture
from ckpttool.conversion import convert
from ckpttool.errors import ConversionError
from ckpttool.model import with_config
from ckpttool.model.config import mappings_in
from tests.conversion.judge import numbered
from tests.corpus import CORPUS, SHARED
from tests.formats.tensorflow.test_checkpoint import TENSORFLOW
from tests.live import keras

CORPUS_TENSORFLOW = SHARED / "corpus_tensorflow"
needs_corpora = pytest.mark.skipif(
    not (CORPUS_TENSORFLOW.is_dir() and CORPUS.is_dir()),
    reason="the corpora of real files are not beside this checkout",
)

# Each with whether its compile settings come through.
REAL = {
    CORPUS_TENSORFLOW: (
        "annchurn__dense_k215.savedmodel",
        "heartcare__dense_k28.savedmodel",
        "tfkeras__lso_k23.savedmodel",
        "lstmmd__object_config.ckpt",
        "tftut__cp0000_object_config.ckpt",
    ),
    CORPUS: ("coffee__saved_model.savedmodel", "mltiny__kws_ref_model.savedmodel"),
}
UNCOMPILED = ("lstmmd__object_config.ckpt", "tftut__cp0000_object_config.ckpt")  # whose files hold no settings
TOLERANCE = 1e-4


def loaded(source: Path, target: Path, **options: Any) -> Any:
    """The converted model as live Keras 3 loads it."""
    convert(source, target, **options)
    return keras().models.load_model(target)


@needs_corpora
@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder, names in REAL.items() for name in names])
def test_real_ones_predict_what_tensorflow_did(folder: Path, name: str, tmp_path: Path) -> None:
    """The converted model is compiled where the old one was, and gives the recorded predictions; `diff` sees none."""
    target = tmp_path / "new.keras"
    model = loaded(folder / "files" / name, target)
    assert model.compiled == (name not in UNCOMPILED)
    with np.load(folder / "reference" / f"{name}.npz") as recorded:
        inputs, outputs = numbered(recorded, "x"), numbered(recorded, "y")
    model.run_eagerly = True  # no graph is traced for a few batches
    predicted = keras().tree.flatten(model.predict(inputs if len(inputs) > 1 else inputs[0], batch_size=64, verbose=0))
    assert [output.shape for output in predicted] == [output.shape for output in outputs]
    assert all(np.abs(one - other).max() < TOLERANCE for one, other in zip(predicted, outputs, strict=True))
    assert not ckpttool.diff(folder / "files" / name, target).differences


@needs_corpora
def test_columns_of_features_are_refused(tmp_path: Path) -> None:
    """A layer that Keras 3 has no more is named with its class."""
    source = CORPUS_TENSORFLOW / "files/blood__densefeatures_k24.savedmodel"
    with pytest.raises(ConversionError) as caught:
        convert(source, tmp_path / "new.keras")
    assert "dense_features_9" in str(caught.value)
    assert "DenseFeatures" in str(caught.value)


def test_weights_and_state_come_to_their_places(tmp_path: Path) -> None:
    """The layers of the new model hold what TensorFlow 2.15 reads from the checkpoint of the old one."""
    model = loaded(TENSORFLOW / "2.15/mlp.ckpt", tmp_path / "new.keras", arch=TENSORFLOW / "2.15/sequential")
    with np.load(TENSORFLOW / "2.15/values.npz") as values:
        for number, layer in enumerate(model.layers):
            for variable in layer.variables:
                key = f"mlp.ckpt|layer_with_weights-{number}/{variable.name}/.ATTRIBUTES/VARIABLE_VALUE"
                assert np.array_equal(values[key], variable.numpy())


def test_state_of_an_optimizer_comes_along(tmp_path: Path) -> None:
    """The optimizer of the new model holds what TensorFlow 2.15 reads of the old one: its steps, rate and moments."""
    model = loaded(TENSORFLOW / "2.15/sequential", tmp_path / "new.keras")
    arrays = [variable.numpy() for variable in model.optimizer.variables]
    with np.load(TENSORFLOW / "2.15/values.npz") as values:
        keys = [f"sequential/variables/variables|optimizer/{name}/.ATTRIBUTES/VARIABLE_VALUE" for name in _LISTED]
        stored = [values[key] for key in keys]
    assert len(arrays) == len(stored) == 14
    assert arrays[0] == 4
    assert all(np.array_equal(one, other) for one, other in zip(arrays, stored, strict=True))


def test_compile_settings_come_from_the_architecture(tmp_path: Path) -> None:
    """A checkpoint with the state of an optimizer is compiled as the file of its architecture says, and carries it."""
    target = tmp_path / "new.keras"
    result = convert(TENSORFLOW / "2.15/mlp.ckpt", target, arch=TENSORFLOW / "2.15/sequential")
    assert not result.losses
    with ckpttool.open(target) as written:
        state = [weight.read() for weight in written.section(Section.OPTIMIZER)]
    with np.load(TENSORFLOW / "2.15/values.npz") as values:
        stored = [values[f"mlp.ckpt|optimizer/{name}/.ATTRIBUTES/VARIABLE_VALUE"] for name in _LISTED]
    assert len(state) == 14
    assert all(np.array_equal(one, other) for one, other in zip(state, stored, strict=True))


def _activated(config: Any) -> Any:
    """The config of a Sequential whose first Dense has an activation that Keras 2 has since 2.4."""
    config = copy.deepcopy(config)
    dense = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Dense")
    dense["config"]["activation"] = "swish"
    return config


def test_the_version_of_keras_comes_from_the_file_of_the_architecture(tmp_path: Path) -> None:
    """A name in the config of a whole model means what it meant to the Keras that wrote it, not the weights."""
    architecture = load_architecture(TENSORFLOW / "2.15/sequential")
    changed = with_config(architecture, _activated(architecture.config))
    assert changed is not None
    assert changed.training_config
    result = convert(TENSORFLOW / "2.15/mlp.ckpt", tmp_path / "new.keras", arch=changed)
    assert (result.needs, result.guesses, result.losses) == ((), (), ())


_LISTED = ("_iterations", "_learning_rate", *(f"_variables/{number}" for number in range(1, 13)))


TRAINED = TENSORFLOW / "2.15_trained"


@pytest.mark.parametrize("name", ["words", "words_of_file"])
def test_vocabularies_come_along(name: str, tmp_path: Path) -> None:
    """Words that the graph holds as constants or reads from an asset are in the config: predictions are the recorded
    ones, and `diff` sees no difference."""
    target = tmp_path / "new.keras"
    model = loaded(TRAINED / name, target)
    with np.load(TRAINED / "predictions.npz") as recorded:
        texts, wanted = recorded["texts"].astype(object), recorded[name]
    import tensorflow as tf

    assert np.abs(model(tf.constant(texts)).numpy() - wanted).max() < TOLERANCE
    assert not ckpttool.diff(TRAINED / name, target).differences


def _variables(name: str, folder: Path) -> Path:
    """The variables of a SavedModel alone, as a checkpoint."""
    folder.mkdir()
    for file in (TRAINED / name / "variables").iterdir():
        shutil.copy(file, folder / file.name.replace("variables", "ckpt"))
    return folder / "ckpt"


@pytest.mark.parametrize("name", ["words", "words_of_file"])
def test_vocabularies_of_the_architecture(name: str, tmp_path: Path) -> None:
    """Words that a checkpoint of weights does not have come from the SavedModel that `arch` names."""
    source = _variables(name, tmp_path / "source")
    model = loaded(source, tmp_path / "new.keras", arch=TRAINED / name)
    with np.load(TRAINED / "predictions.npz") as recorded:
        texts, wanted = recorded["texts"].astype(object), recorded[name]
    import tensorflow as tf

    assert np.abs(model(tf.constant(texts)).numpy() - wanted).max() < TOLERANCE


@pytest.mark.parametrize(("whole", "expected"), [(True, ["a", "b c"]), (False, ["q", "r s"])])
def test_the_vocabulary_of_the_source_goes_first(whole: bool, expected: list[str], tmp_path: Path) -> None:
    """A SavedModel keeps its own words, whatever SavedModel its architecture is taken from."""
    arch = Path(shutil.copytree(TRAINED / "words_of_file", tmp_path / "arch"))
    (arch / "assets/vocabulary.txt").write_text("q\nr s\n")
    source = TRAINED / "words_of_file" if whole else _variables("words_of_file", tmp_path / "source")
    convert(source, tmp_path / "new.keras", arch=arch)
    with ckpttool.open(tmp_path / "new.keras") as written:
        assert [entry["vocabulary"] for entry in mappings_in(written.config) if "vocabulary" in entry] == [expected]


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_training_goes_on(name: str, tmp_path: Path) -> None:
    """One more step of training gives what it gave in TensorFlow 2.15, also of an optimizer of before 2.11."""
    model = loaded(TRAINED / name, tmp_path / "new.keras")
    with np.load(TRAINED / "predictions.npz") as recorded:
        x, y, before, after = (recorded[key] for key in ("x", "y", name, f"{name}_next"))
    assert np.abs(model.predict(x, verbose=0) - before).max() < 1e-6
    model.train_on_batch(x, y)
    assert np.abs(model.predict(x, verbose=0) - after).max() < 1e-6 < np.abs(after - before).max()


@needs_corpora
@pytest.mark.parametrize("name", ["tfkeras__lso_k23.savedmodel", "heartcare__dense_k28.savedmodel"])
def test_state_of_older_optimizers_is_not_lost(name: str, tmp_path: Path) -> None:
    """Slot variables of Keras 2.3 and 2.8, also of one that scales its loss, are carried: none begins anew."""
    result = convert(CORPUS_TENSORFLOW / "files" / name, tmp_path / "new.keras")
    assert not result.losses
    assert "begin-optimizer" not in {applied.edit.name for applied in result.edits}
