"""Models that name what is not known to be harmless are never given to Keras to prove a conversion."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from ckpttool.conversion import convert
from ckpttool.conversion.prove import keras_run
from ckpttool.conversion.prove.keras_run import Prediction, Proof
from ckpttool.errors import ProofError
from tests.samples import FIXTURES, members, zipped

PROGRAM = {"module": "psutil", "class_name": "function", "config": "Popen", "registered_name": "Popen"}
FILE = {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}
WRITER = {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}
LOADED = Prediction("3.15", (), (), True, True)


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[Proof]:
    """The proofs that Keras is asked to run; none is run here."""
    seen = list[Proof]()

    def predict(target: Path, source: Path, proof: Proof) -> Prediction:
        seen.append(proof)
        return LOADED

    monkeypatch.setattr("ckpttool.conversion.pipeline.predict", predict)
    monkeypatch.setattr(keras_run, "is_installed", lambda: True)
    monkeypatch.setattr(keras_run, "SMALL", 32 << 20)
    return seen


def archive(tmp_path: Path, content: Any) -> Path:
    """A model of Keras 2.15 that names a thing where nothing reads it but Keras."""
    config = json.loads(members("keras2.15/mlp.keras")["config.json"])
    config["config"]["layers"][1]["build_config"] = {"input_shape": [None, 4], "thing": content}
    parts = members("keras2.15/mlp.keras")
    return zipped(tmp_path / "old.keras", {**parts, "config.json": json.dumps(config).encode()})


def legacy(tmp_path: Path, content: Any) -> Path:
    """A legacy model that names it in its training settings."""
    path = tmp_path / "old.h5"
    path.write_bytes((FIXTURES / "keras2.15/mlp.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        settings = json.loads(file.attrs["training_config"]) if "training_config" in file.attrs else {}
        file.attrs["training_config"] = json.dumps({**settings, "thing": content})
    return path


@pytest.mark.parametrize("make", [archive, legacy])
@pytest.mark.parametrize("content", [PROGRAM, FILE, WRITER])
def test_keras_is_not_run_on_what_is_not_known(
    make: Callable[[Path, Any], Path], content: Any, proofs: list[Proof], tmp_path: Path
) -> None:
    """Unasked, the model is converted and not run, and why is said; asked, the conversion fails and nothing is left."""
    source = make(tmp_path, content)
    done = convert(source, tmp_path / "new.keras", prove=None)
    assert done.proved and done.prediction is None
    assert any(name in done.unpredicted for name in ("psutil.Popen", "/etc/passwd", "io.write_file"))
    with pytest.raises(ProofError, match="Keras is not run on it"):
        convert(source, tmp_path / "asked.keras", prove=True)
    assert proofs == [] and not (tmp_path / "asked.keras").exists()


def test_what_is_known_is_run(proofs: list[Proof], tmp_path: Path) -> None:
    """A model that names nothing but Keras's own is run, the old one too."""
    assert convert(FIXTURES / "keras2.15/mlp.h5", tmp_path / "new.keras", prove=True).prediction == LOADED
    assert [proof.unloaded for proof in proofs] == [""]


def test_code_of_the_old_model_is_not_loaded(proofs: list[Proof], tmp_path: Path) -> None:
    """The bytecode of a Lambda layer stays in the old model: only the new one is run, and why is said."""
    code = {"function": ["4wEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", None, None], "function_type": "lambda"}
    convert(legacy(tmp_path, code), tmp_path / "new.keras", prove=True)
    assert [proof.unloaded for proof in proofs] == ["it has Python bytecode (training_config.thing.function)"]


def test_own_classes_of_the_old_model_are_not_imported(proofs: list[Proof], tmp_path: Path) -> None:
    """tf_keras would import the module that the config names."""
    own = {"module": "mine", "class_name": "Mine", "config": {}, "registered_name": "mine>Mine"}
    convert(legacy(tmp_path, own), tmp_path / "new.keras", prove=True)
    assert [proof.unloaded for proof in proofs] == ["it names mine.Mine, which is not Keras's own"]


def test_a_saved_model_is_not_loaded(proofs: list[Proof], tmp_path: Path) -> None:
    """The graph of a SavedModel runs when it is loaded. The new model is run, and opens no file of the old config."""
    convert(FIXTURES / "tensorflow/2.15_trained/words_of_file", tmp_path / "new.keras", prove=True)
    assert [proof.unloaded.partition(",")[0] for proof in proofs] == ["it is a SavedModel"]
