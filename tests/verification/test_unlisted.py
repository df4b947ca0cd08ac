"""A FeatureSpace that is saved alone: what is said of it, and what live Keras 3.15 makes of the file."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.errors import CheckpointError
from tests.live import keras

pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow, with NumPy 2

NEW, OLD = b"keras.src.layers.preprocessing.feature_space", b"keras.src.utils.feature_space"


@pytest.fixture(scope="module")
def of_keras_3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FeatureSpace as Keras 3.15 saves it."""
    import tensorflow

    space = keras().utils.FeatureSpace({"a": "float_normalized", "b": "string_categorical"})
    columns = {"a": [[1.0], [2.0], [4.0]], "b": [["x"], ["y"], ["x"]]}
    space.adapt(tensorflow.data.Dataset.from_tensor_slices(columns).batch(2))
    path = tmp_path_factory.mktemp("space") / "space.keras"
    space.save(path)
    return path


@pytest.fixture(scope="module")
def of_keras_2(of_keras_3: Path) -> Path:
    """The same with its classes where Keras 2.15 has them, as genuine Keras 2.15 writes them."""
    path = of_keras_3.with_name("old.keras")
    with zipfile.ZipFile(of_keras_3) as archive, zipfile.ZipFile(path, "w") as written:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith(".json"):
                content = content.replace(
                    b"keras.src.layers.preprocessing.feature_space", b"keras.src.utils.feature_space"
                )
                content = content.replace(json.dumps(keras().__version__).encode(), b'"2.15.0"')
            written.writestr(name, content)
    return path


def test_of_keras_3(of_keras_3: Path, tmp_path: Path, run: Any) -> None:
    """Keras 3 loads it, which is what is said; its weights are not compared, and nothing is to be converted."""
    assert type(keras().models.load_model(of_keras_3)).__name__ == "FeatureSpace"
    target = tmp_path / "new.keras"
    for step in (lambda: ckpttool.verify(of_keras_3, of_keras_3), lambda: ckpttool.convert(of_keras_3, target)):
        with pytest.raises(CheckpointError) as refused:
            step()
        assert "a FeatureSpace of Keras's own" in refused.value.what
        assert "Keras 3 builds the FeatureSpace as it is" in refused.value.hint
    assert "a FeatureSpace of Keras's own" in run("info", of_keras_3).out
    assert {finding.rule.code for finding in ckpttool.check([of_keras_3]).files[0].findings} == {"I110"}


def test_of_keras_2(of_keras_2: Path, tmp_path: Path, run: Any) -> None:
    """Keras 3 refuses it, which is what is said, with what to do."""
    with pytest.raises(TypeError, match=r"keras\.src.utils\.feature_space"):
        keras().models.load_model(of_keras_2)
    with pytest.raises(CheckpointError) as refused:
        ckpttool.convert(of_keras_2, tmp_path / "new.keras")
    assert "make the FeatureSpace anew with Keras 3" in refused.value.hint
    assert "cannot build it" in run("info", of_keras_2).out
    assert {finding.rule.code for finding in ckpttool.check([of_keras_2]).files[0].findings} == {"I110", "P102"}
