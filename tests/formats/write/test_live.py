"""Live Keras against what is written: equal to the files that Keras writes itself, and loaded by it.

Runs only where Keras is installed.
"""

import importlib.util
import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.formats.write import archive, legacy, path_layout
from ckpttool.formats.write.messages import Fixed
from ckpttool.formats.write.path_layout import Content
from ckpttool.model import read_architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.layouts import names_in
from tests.formats.write.sample_weights import content_of
from tests.formats.write.sample_weights import weight as example
from tests.test_live_keras import Maker, keras, saved_in

__all__ = ["keras"]

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed"),
    pytest.mark.filterwarnings("ignore"),
]

SEEDS = range(100, 116)


@contextmanager
def observed() -> Iterator[dict[str, str | None]]:
    """The objects that Keras writes meanwhile, in its order: names by path."""
    from keras.src.saving.saving_lib import H5IOStore

    names: dict[str, str | None] = {}
    make = H5IOStore.make

    def noting(self: Any, path: str, metadata: dict[str, str] | None = None) -> Any:
        names.setdefault(path, metadata["name"] if metadata else None)
        return make(self, path, metadata)

    H5IOStore.make = noting
    try:
        yield names
    finally:
        H5IOStore.make = make


class Saved:
    """A random model and the files that Keras makes of it."""

    def __init__(self, keras: ModuleType, seed: int, folder: Path) -> None:
        keras.utils.clear_session(free_memory=False)
        self.keras, self.folder, self.maker = keras, folder, Maker(keras, seed)
        self.model = self.maker.model()
        with observed() as self.names:
            self.model.save_weights(folder / "observed.weights.h5")
        self.files = saved_in(self.model, folder)
        self.values = [np.asarray(weight.numpy()) for weight in self.model.weights]

    def content(self, checkpoint: Checkpoint) -> Content:
        """The weights of a checkpoint of the path layout."""
        return Content(checkpoint.weights, self.names)

    def forget(self) -> None:
        """Gives all weights of the model other values."""
        for weight in self.model.weights:
            weight.assign(self.keras.ops.cast(self.keras.ops.zeros(weight.shape), weight.dtype))

    def check(self, model: Any) -> None:
        """The weights of a model are those that were saved."""
        assert [np.asarray(weight.numpy()).tobytes() for weight in model.weights] == [v.tobytes() for v in self.values]


@pytest.fixture(params=SEEDS, scope="module")
def saved(
    request: pytest.FixtureRequest,
    keras: ModuleType,
    tmp_path_factory: pytest.TempPathFactory,
) -> Saved:
    """A random model saved by Keras in every format."""
    return Saved(keras, request.param, tmp_path_factory.mktemp("saved"))


def test_weights_h5(saved: Saved) -> None:
    """A `.weights.h5` is that of Keras, which loads it."""
    path = saved.folder / "written.weights.h5"
    with ckpttool.open(saved.files[".weights.h5"]) as checkpoint:
        path_layout.write_file(path, saved.content(checkpoint))
    assert content_of(path) == content_of(saved.files[".weights.h5"])
    saved.forget()
    saved.model.load_weights(path)
    saved.check(saved.model)


def test_shards(saved: Saved) -> None:
    """Shards are cut where Keras cuts them, the index is byte for byte its own, and Keras loads them."""
    with ckpttool.open(saved.files[".weights.h5"]) as checkpoint:
        content = saved.content(checkpoint)
        largest = max((math.prod(weight.shape) * 8 for weight in saved.model.weights), default=8)
        names = path_layout.write_sharded(saved.folder / "ours.weights.json", content, largest)
    theirs = saved.files[".weights.json"]
    assert (saved.folder / names[0]).read_text().replace("ours_", "model_") == theirs.read_text()
    assert len(names) == 1 + len(list(saved.folder.glob("model_0*.weights.h5")))
    for name in names[1:]:
        assert content_of(saved.folder / name) == content_of(saved.folder / name.replace("ours", "model"))
    saved.forget()
    saved.model.load_weights(saved.folder / names[0])
    saved.check(saved.model)


def test_keras_archive(saved: Saved) -> None:
    """A `.keras` has the members of Keras's own, in order and byte for byte but for the weights, whose content is
    equal; Keras loads it, optimizer and all."""
    theirs, ours = saved.files[".keras"], saved.folder / "ours.keras"
    with ckpttool.open(theirs) as checkpoint:
        metadata = json.loads(zipfile.ZipFile(theirs).read("metadata.json"))
        archive.write_archive(ours, archive.Model(checkpoint.config, metadata, saved.content(checkpoint)))
    with zipfile.ZipFile(theirs) as expected, zipfile.ZipFile(ours) as own:
        assert own.testzip() is None
        assert own.namelist() == expected.namelist()
        for name in ("metadata.json", "config.json"):
            assert own.read(name) == expected.read(name)
        for label, opened in (("theirs", expected), ("ours", own)):
            (saved.folder / f"{label}.h5").write_bytes(opened.read("model.weights.h5"))
        for one, other in zip(own.infolist(), expected.infolist(), strict=True):
            fields = ("compress_type", "external_attr", "create_system", "flag_bits", "extra", "extract_version")
            assert [getattr(one, key) for key in fields] == [getattr(other, key) for key in fields]
    assert content_of(saved.folder / "ours.h5") == content_of(saved.folder / "theirs.h5")
    loaded, expected = (saved.keras.models.load_model(path) for path in (ours, theirs))
    saved.check(loaded)
    if getattr(saved.model, "optimizer", None):
        states = [
            [np.asarray(variable.numpy()).tobytes() for variable in m.optimizer.variables] for m in (loaded, expected)
        ]
        assert states[0] == states[1]


def test_keras_directory(saved: Saved) -> None:
    """The directory form is that of Keras, which loads it; it takes the place of an older one, other files stay."""
    from keras.src.saving.saving_lib import save_model

    theirs, ours = saved.folder / "theirs", saved.folder / "ours"
    save_model(saved.model, theirs, zipped=False)
    ours.mkdir()
    (ours / "model.weights.npz").write_bytes(b"stale")
    (ours / "notes.txt").write_bytes(b"mine")
    with ckpttool.open(theirs) as checkpoint:
        metadata = json.loads((theirs / "metadata.json").read_bytes())
        archive.write_directory(ours, archive.Model(checkpoint.config, metadata, saved.content(checkpoint)))
    assert (ours / "notes.txt").read_bytes() == b"mine"
    (ours / "notes.txt").unlink()
    assert {path.name for path in ours.iterdir()} == {path.name for path in theirs.iterdir()}
    for name in ("metadata.json", "config.json"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    assert content_of(ours / "model.weights.h5") == content_of(theirs / "model.weights.h5")
    saved.check(saved.keras.models.load_model(ours))


def layers_of(checkpoint: Checkpoint) -> legacy.Layers:
    """The layers of a legacy checkpoint."""
    layers: dict[str | None, dict[str, Any]] = {None: {}, **{name: {} for name in checkpoint.layer_names}}
    for weight in checkpoint.section(Section.MODEL):
        layers[weight.layer][weight.name or ""] = weight
    own = layers.pop(None)
    producer = checkpoint.producer
    return legacy.Layers(layers, own, producer.keras_version or "", producer.backend or "")  # type: ignore[arg-type]


def check_legacy(saved: Saved, ours: Path, theirs: Path) -> None:
    """Two legacy files are equal; bfloat16 is opaque in Keras's, and a float in ours."""
    own, expected = content_of(ours), content_of(theirs)
    assert own.keys() == expected.keys()
    for path, array in own.items():
        if array[1] == "float32" and expected[path][1] == "|V2":
            values = np.frombuffer(expected[path][3], "u2").astype("u4") << 16
            assert (array[2], array[3]) == (expected[path][2], values.tobytes())
        else:
            assert array == expected[path]


def test_legacy_weights(saved: Saved) -> None:
    """A legacy `.h5` of weights is that of Keras, which loads it, bfloat16 too."""
    theirs, ours = saved.files["_weights.h5"], saved.folder / "ours.h5"
    with ckpttool.open(theirs) as checkpoint:
        legacy.write_weights(ours, layers_of(checkpoint))
    check_legacy(saved, ours, theirs)
    saved.forget()
    saved.model.load_weights(ours)
    saved.check(saved.model)


def test_names_of_a_config(saved: Saved) -> None:
    """The objects that a config tells have the paths, the names and the order that Keras gives them; what it does not
    tell has no weights of its own."""
    with ckpttool.open(saved.files[".keras"]) as checkpoint:
        architecture = read_architecture(checkpoint.config)
        assert architecture is not None
        names = dict(names_in(part_in(architecture)))
        owners = {weight.path.rpartition("/")[0].removesuffix("vars").rstrip("/") for weight in checkpoint.values()}
    expected = {path: name for path, name in saved.names.items() if path in names}
    assert list(names.items()) == list(expected.items())
    assert {owner for owner in owners if not owner.startswith("optimizer")} <= names.keys()


def test_the_models_differ(keras: ModuleType, tmp_path: Path) -> None:
    """The models are of each policy that matters to a writer, compiled ones among them, and are cut into shards."""
    makers = [Maker(keras, seed) for seed in SEEDS]
    models = [maker.model() for maker in makers]
    assert {maker.policy for maker in makers} >= {"float32", "bfloat16", "float64", "float16", "mixed_float16"}
    assert {getattr(model, "optimizer", None) is None for model in models} == {True, False}


def test_assets(keras: ModuleType, tmp_path: Path) -> None:
    """Assets are kept in archive and directory, and Keras finds them there."""
    lookup = keras.layers.StringLookup(name="words")
    lookup.adapt(["a", "b", "é", "a"])
    model = keras.Sequential([keras.Input((2,), dtype="string"), lookup])
    model.save(tmp_path / "theirs.keras")
    with zipfile.ZipFile(tmp_path / "theirs.keras") as members:
        stored = {name: members.read(name) for name in members.namelist()}
    assets = {name.removeprefix("assets/"): data for name, data in stored.items() if name.startswith("assets/")}
    assert assets
    with ckpttool.open(tmp_path / "theirs.keras") as checkpoint:
        model_there = archive.Model(
            checkpoint.config, json.loads(stored["metadata.json"]), Content(checkpoint.weights), assets
        )
        archive.write_archive(tmp_path / "ours.keras", model_there)
        archive.write_directory(tmp_path / "ours", model_there)
    assert zipfile.ZipFile(tmp_path / "ours.keras").namelist() == list(stored)
    for path in (tmp_path / "ours.keras", tmp_path / "ours"):
        assert keras.models.load_model(path).layers[-1].get_vocabulary() == lookup.get_vocabulary()


def test_names_of_wrappers(keras: ModuleType, tmp_path: Path) -> None:
    """The objects in a layer come in the order of its attributes, which is not that in which they were made."""
    layers = keras.layers
    inputs = keras.Input((4, 6))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(inputs)
    x = layers.RNN([layers.GRUCell(6), layers.LSTMCell(6)], return_sequences=True)(x)
    x = layers.MultiHeadAttention(2, 2)(x, x) + layers.GroupQueryAttention(2, 2, 1)(x, x)
    x = layers.Add()([x, x])  # after an operation of the same name, which is no layer
    x = layers.TimeDistributed(layers.SpectralNormalization(layers.Dense(2)))(x)
    inner = keras.Sequential([keras.Input((4, 2)), layers.Conv1D(2, 2), layers.Dense(2)], name="inner")
    model = keras.Model(inputs, inner(x))
    with observed() as names:
        model.save(tmp_path / "a.keras")
    with ckpttool.open(tmp_path / "a.keras") as checkpoint:
        architecture = read_architecture(checkpoint.config)
    assert architecture is not None
    all_names = dict(names_in(part_in(architecture)))
    assert list(all_names.items()) == [(path, name) for path, name in names.items() if path in all_names]
    left = {path.rpartition("/")[2] for path in names.keys() - all_names.keys()}
    assert left <= {"_softmax", "_dropout_layer", "_add", "activation", "seed_generator"}


@pytest.mark.parametrize("seed", range(30))
def test_any_shards(keras: ModuleType, tmp_path: Path, seed: int) -> None:
    """Weights of any dtype and size, that fill shards to the last byte or not, are spread as by Keras's own store."""
    from keras.src.saving.saving_lib import ShardedH5IOStore

    rng = np.random.default_rng(seed)
    dtypes, limit = ["float32", "float16", "bool", "uint8", "float64"], int(rng.integers(16, 80))
    arrays: dict[str, np.ndarray] = {}
    names: dict[str, str | None] = {}
    store = ShardedH5IOStore(tmp_path / "theirs.weights.json", limit / 2**30, mode="w")
    for number in range(int(rng.integers(1, 12))):
        owner, name = f"layers/l_{number}", str(rng.choice(["a", "é", ""]))
        names[owner] = name or None
        store.make(owner, metadata={"name": name} if name else None)
        for index in range(int(rng.integers(0, 4))):
            array = rng.integers(0, 2, int(rng.integers(0, 3))).astype(rng.choice(dtypes))
            arrays[f"{owner}/vars/{index}"] = store[str(index)] = array
    store.close()
    content = Content({path: example(array) for path, array in arrays.items()}, names)
    files = path_layout.write_sharded(tmp_path / "ours.weights.json", content, limit)
    theirs = (tmp_path / "theirs.weights.json").read_text()
    assert json.loads((tmp_path / files[0]).read_text().replace("ours_", "theirs_")) == json.loads(theirs)
    for name in files[1:]:
        assert content_of(tmp_path / name) == content_of(tmp_path / name.replace("ours", "theirs"))


def test_many_short_names(tmp_path: Path) -> None:
    """More short names than one attribute can hold, at which Keras fails, are cut too."""
    names = [f"l{number}" for number in range(5_000)]
    attributes = legacy.names_attributes("layer_names", names)
    assert [text.decode() for value in attributes.values() if isinstance(value, Fixed) for text in value.texts] == names
    legacy.write_weights(tmp_path / "a.h5", legacy.Layers({name: {} for name in names}))
    with ckpttool.open(tmp_path / "a.h5") as checkpoint:
        assert list(checkpoint.layer_names) == names


@pytest.mark.parametrize("count", [1, 901, 4003, 7919])
def test_lists_of_names_are_cut_as_keras_cuts_them(keras: ModuleType, tmp_path: Path, count: int) -> None:
    """Long lists of names become the same numbered attributes."""
    from keras.src.legacy.saving.legacy_h5_format import save_attributes_to_hdf5_group

    names = [f"a layer of a long name, number {number} é".encode() * (1 + number % 3) for number in range(count)]
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        save_attributes_to_hdf5_group(file, "layer_names", names)
        expected = {key: [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in value]
                    for key, value in file.attrs.items()}  # fmt: skip
    attributes = legacy.names_attributes("layer_names", [name.decode() for name in names])
    assert list(attributes) == sorted(expected, key=lambda key: (len(key), key))
    for key, value in attributes.items():
        texts = value.texts if isinstance(value, Fixed) else value
        assert [text.decode("utf-8", "replace") for text in texts] == expected[key]  # type: ignore[union-attr]
