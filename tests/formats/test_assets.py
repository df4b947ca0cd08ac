"""The files that layers store beside their weights."""

import zipfile
from pathlib import Path

import pytest

import ckpttool
from ckpttool.errors import CheckpointError
from ckpttool.formats import assets
from ckpttool.formats.assets import read_assets
from tests.live import keras
from tests.samples import FIXTURES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of TensorFlow, with NumPy 2
VOCABULARY = "layers/text_vectorization/_lookup_layer/vocabulary.txt"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A model with a vocabulary, by live Keras."""
    layers = keras().layers
    entries = layers.TextVectorization(max_tokens=10, output_sequence_length=4)
    entries.adapt(["red fish blue fish", "two fish"])
    inputs = keras().Input((1,), dtype="string")
    model = keras().Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Embedding(10, 3)(entries(inputs)))))
    model.save(tmp_path / "texts.keras")
    return tmp_path / "texts.keras"


def test_of_an_archive_and_a_directory(texts: Path, tmp_path: Path) -> None:
    """All files by their paths, the same from both; a conversion carries them on, and Keras loads it."""
    ckpttool.convert(texts, tmp_path / "folder", to="keras-dir")
    ckpttool.convert(tmp_path / "folder", tmp_path / "again.keras")
    with ckpttool.open(texts) as zipped, ckpttool.open(tmp_path / "folder") as two:
        assets = read_assets(zipped)
        assert VOCABULARY in assets
        assert read_assets(two) == assets
    import tensorflow as tf  # for tensors of strings

    text = tf.constant([["red two"]])
    before, after = (keras().models.load_model(path)(text) for path in (texts, tmp_path / "again.keras"))
    assert (before == after).numpy().all()


def test_others_have_none() -> None:
    """Files of weights keep nothing beside."""
    with ckpttool.open(FIXTURES / "keras3" / "mlp.weights.h5") as checkpoint:
        assert read_assets(checkpoint) == {}


def test_bounds(texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large, too many, links, and names that lead elsewhere are errors."""
    ckpttool.convert(texts, tmp_path / "folder", to="keras-dir")
    with ckpttool.open(texts) as zipped, ckpttool.open(tmp_path / "folder") as two:
        for name in ("MAX_BYTES", "MAX_FILES"):
            with monkeypatch.context() as patch:
                patch.setattr(assets, name, 1)
                for checkpoint in (zipped, two):
                    with pytest.raises(CheckpointError):
                        read_assets(checkpoint)
        (tmp_path / "folder" / "assets" / "link.txt").symlink_to("/etc/hostname")
        with pytest.raises(CheckpointError, match="symbolic link"):
            read_assets(two)
    with zipfile.ZipFile(texts, "a") as archive:
        archive.writestr("assets/../../evil.txt", b"x")
    with pytest.raises(CheckpointError):
        ckpttool.convert(texts, tmp_path / "evil.keras")
    assert not (tmp_path / "evil.keras").exists()
