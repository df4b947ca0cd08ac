"""SavedModels: the contract of a reader, Keras's config wherever it is, signatures and assets, and what is not
whole.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import ckpttool
from ckpttool import CheckpointError, Section, UnsupportedError
from ckpttool.formats import is_directory_of_checkpoints
from ckpttool.formats.tensorflow.keras_metadata import unwrapped
from tests.formats.contract import ReaderContract, naturally
from tests.formats.tensorflow import writer
from tests.formats.tensorflow.test_checkpoint import TENSORFLOW, values_of
from tests.formats.tensorflow.test_hostile import within_bounds
from tests.formats.tensorflow.writer import number, span

SEQUENTIAL, SUBCLASSED, MODULE = (TENSORFLOW / "2.15" / name for name in ("sequential", "subclassed", "module"))
EXPORT = TENSORFLOW / "2.21/export"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 200\n"


class _OfTensorFlow(ReaderContract):
    """A SavedModel whose values TensorFlow read, too."""

    kind = "saved-model"
    truncated = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")

    def reference(self, path: Path) -> Mapping[str, np.ndarray]:
        """The values that TensorFlow read."""
        version, short = self.fixture.split("/")[1:]
        return values_of(version, f"{short}/variables/variables")

    def order(self, path: Path, reference: Mapping[str, np.ndarray]) -> list[str]:
        """Natural order of names."""
        return sorted(reference, key=naturally)

    def is_of(self, section: Section, path: str) -> bool:
        """Names begin with what they are of."""
        return path.startswith({"optimizer": "optimizer/", "metrics": "keras_api/metrics/"}[section.value])


class TestSequential(_OfTensorFlow):
    """Of Keras 2.15, compiled and trained."""

    fixture = "tensorflow/2.15/sequential"
    counts: ClassVar = {"model": 8, "optimizer": 14, "metrics": 4}


class TestSubclassed(_OfTensorFlow):
    """Of a model of an own class."""

    fixture = "tensorflow/2.15/subclassed"
    counts: ClassVar = {"model": 8}


class TestModule(_OfTensorFlow):
    """Of a module that is none of Keras."""

    fixture = "tensorflow/2.15/module"
    counts: ClassVar = {"model": 1}


class TestExport(_OfTensorFlow):
    """Of an export by Keras 3, which stores every weight twice."""

    fixture = "tensorflow/2.21/export"
    counts: ClassVar = {"model": 8, "other": 8}


_NAMES = ("", "saved_model.pb", "keras_metadata.pb", "fingerprint.pb", "variables")


@pytest.mark.parametrize("name", _NAMES)
def test_every_name_finds_it(name: str) -> None:
    """The directory, its graph, its metadata and its variables lead to one SavedModel."""
    with ckpttool.open(SEQUENTIAL / name) as checkpoint:
        assert checkpoint.path == SEQUENTIAL
        assert checkpoint.kind == "saved-model"
        assert checkpoint.size == sum(path.stat().st_size for path in SEQUENTIAL.rglob("*") if path.is_file())
    assert not is_directory_of_checkpoints(SEQUENTIAL)


def test_its_variables_are_a_checkpoint_of_their_own() -> None:
    """The path of the index gives the checkpoint without the model around it."""
    with ckpttool.open(SEQUENTIAL / "variables/variables.index") as checkpoint:
        assert checkpoint.kind == "tensorflow-checkpoint"
        assert checkpoint.config is None


def test_config_of_keras() -> None:
    """Config, compile settings and versions are those of the model, as other whole models hand them on."""
    with ckpttool.open(SEQUENTIAL) as checkpoint:
        assert (checkpoint.producer.keras_version, checkpoint.producer.backend) == ("2.15.0", "tensorflow")
        assert checkpoint.producer.tensorflow_version == "2.15.1"
        assert checkpoint.config["class_name"] == "Sequential"
        assert checkpoint.config["config"]["name"] == "mlp"
        layers = checkpoint.config["config"]["layers"]
        assert [layer["class_name"] for layer in layers] == ["InputLayer", "Dense", "BatchNormalization", "Dense"]
        assert layers[0]["config"]["batch_input_shape"] == [None, 4]
        assert checkpoint.training_config["loss"] == "mse"
        assert checkpoint.training_config["optimizer_config"]["class_name"] == "Custom>Adam"
        assert checkpoint.saved_model is not None
        assert checkpoint.saved_model.config_file == "keras_metadata.pb"


def test_layers_are_called_as_in_the_config() -> None:
    """The name of the model, which is in front of its variables' names, is none of a layer."""
    with ckpttool.open(SEQUENTIAL) as checkpoint:
        layers = {weight.layer for weight in checkpoint.section(Section.MODEL)}
    assert layers == {"dense_2", "batch_normalization_1", "dense_3"}


def test_own_class() -> None:
    """A model of an own class has no config of the whole, and that is said."""
    with ckpttool.open(SUBCLASSED) as checkpoint:
        assert checkpoint.config is None
        assert checkpoint.producer.keras_version == "2.15.0"
        assert any("own class, Own" in note for note in checkpoint.notes)


def copied(folder: Path, origin: Path = SEQUENTIAL) -> Path:
    """A copy of a SavedModel."""
    return Path(shutil.copytree(origin, folder / origin.name))


def _object(identifier: str, metadata: Any) -> bytes:
    user = span(1, identifier.encode()) + span(3, json.dumps(metadata).encode())
    return span(1, span(4, user))


def _graph(*objects: bytes, more: bytes = b"") -> bytes:
    """A graph that is nothing but its objects."""
    info = span(4, b"serve") + span(5, b"2.3.0")
    return number(1, 1) + span(2, span(1, info) + span(7, b"".join(objects)) + more)


_DENSE = {"class_name": "Dense", "config": {"name": "dense", "units": 2}}
_PLAIN = {"class_name": "Sequential", "config": {"name": "s", "layers": [_DENSE]}, "keras_version": "2.4.0"}


def test_config_in_the_graph(tmp_path: Path) -> None:
    """TensorFlow 2.0 to 2.4 kept Keras's metadata in the graph itself."""
    (tmp_path / "saved_model.pb").write_bytes(_graph(_object("_tf_keras_sequential", _PLAIN)))
    with ckpttool.open(tmp_path) as checkpoint:
        assert checkpoint.config == {"class_name": "Sequential", "config": _PLAIN["config"]}
        assert checkpoint.producer.keras_version == "2.4.0"
        assert checkpoint.producer.tensorflow_version == "2.3.0"
        assert checkpoint.saved_model is not None
        assert checkpoint.saved_model.config_file == "saved_model.pb"


def test_config_among_the_assets(tmp_path: Path) -> None:
    """`export_saved_model` of TensorFlow 1.14 to 2.0 wrote a file."""
    home = copied(tmp_path, MODULE)
    (home / "assets/saved_model.json").write_text(json.dumps(_PLAIN))
    with ckpttool.open(home) as checkpoint:
        assert checkpoint.config == {"class_name": "Sequential", "config": _PLAIN["config"]}
        assert checkpoint.saved_model is not None
        assert checkpoint.saved_model.config_file == "assets/saved_model.json"


def test_subclass_of_a_functional_model(tmp_path: Path) -> None:
    """A class derived from Model that is made of inputs and outputs has the config of a functional model."""
    metadata = {**_PLAIN, "class_name": "MyModel"}
    for identifier, class_name in (("_tf_keras_network", "Functional"), ("_tf_keras_sequential", "Sequential")):
        (tmp_path / "saved_model.pb").write_bytes(_graph(_object(identifier, metadata)))
        with ckpttool.open(tmp_path) as checkpoint:
            assert checkpoint.config["class_name"] == class_name


def test_wrapped_values() -> None:
    """Tuples, shapes and bytes are unwrapped wherever they are."""
    wrapped = {"a": [{"class_name": "__tuple__", "items": [1, {"class_name": "TensorShape", "items": [None, 2]}]}]}
    assert unwrapped(wrapped) == {"a": [[1, [None, 2]]]}
    assert unwrapped({"class_name": "__bytes__", "value": "x"}) == "x"
    assert unwrapped({"class_name": "Dense", "config": {}}) == {"class_name": "Dense", "config": {}}
    assert wrapped["a"][0]["class_name"] == "__tuple__"


def test_flattened_upload(tmp_path: Path) -> None:
    """Weights that a web upload left beside the graph are found, which TensorFlow does not."""
    home = copied(tmp_path)
    for path in (home / "variables").iterdir():
        path.rename(home / path.name)
    (home / "variables").rmdir()
    with ckpttool.open(home) as checkpoint, ckpttool.open(SEQUENTIAL) as whole:
        assert list(checkpoint) == list(whole)
        assert any("beside the graph" in note for note in checkpoint.notes)


@pytest.mark.parametrize("removed", ["variables", "variables/variables.data-00000-of-00001"])
def test_missing_values(removed: str, tmp_path: Path) -> None:
    """A model that lost files is shown as far as it is there, and the missing files are named."""
    home = copied(tmp_path)
    path = home / removed
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with ckpttool.open(home) as checkpoint:
        assert [refusal.kind for refusal in checkpoint.refusals] == ["missing"]
        assert checkpoint.config is not None
        assert len(checkpoint) == (0 if removed == "variables" else 26)


def test_a_graph_without_variables_misses_none(tmp_path: Path) -> None:
    """A model without variables misses no files of them."""
    (tmp_path / "saved_model.pb").write_bytes(_graph())
    with ckpttool.open(tmp_path) as checkpoint:
        assert checkpoint.refusals == ()


def test_a_graph_without_variables_says_what_it_is(run: Callable[..., Any], tmp_path: Path) -> None:
    """No command passes over that there are no weights: what such a model computes is in its graph alone."""
    (tmp_path / "saved_model.pb").write_bytes(_graph())
    listed = run("ls", str(tmp_path))
    assert (listed.code, "a graph without variables: it has no weights" in listed.err) == (0, True)
    compared = run("diff", str(tmp_path), str(tmp_path))
    assert (compared.code, compared.out.partition(":")[0]) == (2, "cannot tell")
    converted = run("convert", str(tmp_path), str(tmp_path / "new.keras"))
    assert (converted.code, "no weights and no Keras model" in converted.err) == (2, True)
    assert "neither an architecture nor weights" in run("spec", str(tmp_path)).err
    assert "no Keras model" in run("graph", str(tmp_path)).err


def test_graphs_are_not_compared(run: Callable[..., Any], tmp_path: Path) -> None:
    """Two SavedModels with the same weights are the same but for their graphs, and that is said."""
    home = copied(tmp_path, MODULE)
    compared = run("diff", str(MODULE), str(home))
    assert compared.code == 0
    assert "note: graphs of SavedModels are not compared" in compared.out


@pytest.mark.parametrize("name", ["words.txt", "../words.txt"])
def test_assets_of_tensorflow_1(name: str, tmp_path: Path) -> None:
    """TensorFlow 1 listed the assets of a graph in a collection."""
    asset = span(1, span(1, b"path:0")) + span(2, name.encode())
    listed = span(5, span(1, span(1, b"type.googleapis.com/tensorflow.AssetFileDef") + span(2, asset)))
    collection = span(4, span(1, b"saved_model_assets") + span(2, listed))
    (tmp_path / "saved_model.pb").write_bytes(_graph(more=collection))
    with ckpttool.open(tmp_path) as checkpoint:
        assert checkpoint.saved_model is not None
        assert checkpoint.saved_model.assets == (name,)
        assert [refusal.kind for refusal in checkpoint.refusals] == ["external" if ".." in name else "missing"]


def test_missing_asset(tmp_path: Path) -> None:
    """An asset that the graph reads is missed."""
    home = copied(tmp_path, MODULE)
    (home / "assets/words.txt").unlink()
    with ckpttool.open(home) as checkpoint:
        assert [(refusal.kind, refusal.place) for refusal in checkpoint.refusals] == [("missing", "assets/words.txt")]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x", "a/../../b", "..\\x"])
def test_asset_that_leads_away(name: str, tmp_path: Path) -> None:
    """An asset outside the SavedModel is refused, and nothing is looked for there."""
    (tmp_path / "saved_model.pb").write_bytes(_graph(more=span(6, span(2, name.encode()))))
    with ckpttool.open(tmp_path) as checkpoint:
        assert [(refusal.kind, refusal.place) for refusal in checkpoint.refusals] == [("external", name)]


def test_pointers_of_git_lfs(tmp_path: Path) -> None:
    """A pointer in the place of the graph is an error, elsewhere what it stands for is missing."""
    home = copied(tmp_path)
    (home / "keras_metadata.pb").write_bytes(POINTER)
    (home / "variables/variables.index").write_bytes(POINTER)
    with ckpttool.open(home) as checkpoint:
        assert {(refusal.kind, refusal.place) for refusal in checkpoint.refusals} == {
            ("pointer", "keras_metadata.pb"),
            ("pointer", "variables/variables.index"),
        }
    (home / "saved_model.pb").write_bytes(POINTER)
    with pytest.raises(CheckpointError, match="git-lfs pointer"):
        ckpttool.open(home)


@pytest.mark.parametrize("name", ["saved_model.pbtxt", "saved_model.cpb"])
def test_other_forms(name: str, tmp_path: Path) -> None:
    """A graph as text or in chunks is named and not read, be the directory named or the file."""
    (tmp_path / name).write_bytes(b"saved_model_schema_version: 1\n")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(UnsupportedError, match="SavedModel"):
            ckpttool.open(path)


@pytest.mark.parametrize("raw", [b"", b"\x08\x01", b"text", b"\x08\x01\x12\xff\xff\xff\xff\x0f", bytes(100)])
def test_no_graph(raw: bytes, tmp_path: Path) -> None:
    """A graph that is none is an error that names the file."""
    (tmp_path / "saved_model.pb").write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"saved_model\.pb"):
        ckpttool.open(tmp_path)


@pytest.mark.parametrize(
    "metadata", [b"\x0b", writer.span(1, writer.span(5, b"{")), writer.span(1, writer.span(5, b"[1]")), b""]
)
def test_broken_metadata(metadata: bytes, tmp_path: Path) -> None:
    """Metadata that cannot be read hides no weight."""
    home = copied(tmp_path)
    (home / "keras_metadata.pb").write_bytes(metadata)
    with ckpttool.open(home) as checkpoint:
        assert checkpoint.config is None
        assert len(checkpoint) == 26


def test_ls_of_a_directory(run: Callable[..., Any], tmp_path: Path) -> None:
    """A SavedModel in a directory of checkpoints is one of them."""
    copied(tmp_path)
    copied(tmp_path, MODULE)
    done = run("ls", tmp_path, "--output", "json")
    assert done.code == 0
    assert [Path(entry["path"]).name for entry in json.loads(done.out)["checkpoints"]] == ["module", "sequential"]


def test_info(run: Callable[..., Any]) -> None:
    """`info` tells versions, signatures, tags, functions, assets, and where Keras's config is or that there is none."""
    text = run("info", SEQUENTIAL).out
    for phrases in ("Keras 2.15.0", "TensorFlow 2.15.1", "serving_default", "keras_metadata.pb", "Sequential 'mlp'"):
        assert phrases in text
    text = run("info", MODULE).out
    for phrases in ("words.txt", "words string (None,)", "numbers float32 (None,)", "no Keras config", "serve"):
        assert phrases in text
    facts = json.loads(run("info", MODULE, "--output", "json").out)["saved_model"]
    assert facts["signatures"][0]["name"] == "serving_default"
    assert facts["signatures"][0]["inputs"] == [{"name": "words", "dtype": "string", "shape": [None]}]
    assert facts["tags"] == [["serve"]]
    assert facts["config_file"] is None


_FLOODS = {
    "objects": (span(7, span(1, b"") * 16_000), None),
    "signatures": (b"".join(span(5, span(1, b"%d" % n)) for n in range(7_000)), None),
    "graphs": (b"", "holds too many graphs"),
    "a length beyond the end": (b"\x3a\xff\xff\xff\xff\x7f", "is no valid message of protobuf"),
    "depth": (b"", None),
}


@pytest.mark.parametrize("case", _FLOODS)
def test_floods(case: str, tmp_path: Path) -> None:
    """A graph of nothing but small parts, or one inside the other, takes no more than it is worth."""
    flood, refusal = _FLOODS[case]
    raw = _graph(more=flood)
    if case == "graphs":
        raw = number(1, 1) + span(2, b"") * 33_000
    if case == "depth":
        inner = b""
        for _ in range(3_000):
            inner = span(1, inner)
        raw = _graph(more=span(7, inner))
    (tmp_path / "saved_model.pb").write_bytes(raw)
    error = within_bounds(tmp_path)
    assert (error.what if error else None) == refusal


@pytest.mark.parametrize("name", [b"__saved_model_init_op", b"__saved_model_train_op", b"predict"])
def test_operations_among_the_signatures(name: bytes, tmp_path: Path) -> None:
    """TensorFlow 1 lists the operations that initialize and train a model as if they were signatures."""
    shutil.copytree(MODULE, tmp_path / "model")
    path = tmp_path / "model/saved_model.pb"
    path.write_bytes(path.read_bytes() + span(2, span(5, span(1, name) + span(2, b""))))
    model = ckpttool.info(tmp_path / "model").saved_model
    assert model is not None
    assert (name.decode() in {signature.name for signature in model.signatures}) == (name == b"predict")


def test_config_among_the_tensors(tmp_path: Path) -> None:
    """Checkpoints of TensorFlow 1.13 to 2.0 have the config of what was saved among their tensors; it is no weight."""
    config = json.dumps(_PLAIN).encode()
    key = "/.ATTRIBUTES/OBJECT_CONFIG_JSON"
    message = writer.graph([([], [("OBJECT_CONFIG_JSON", "", key), ("VARIABLE_VALUE", "w", "w")], [])])
    first, crc = writer.texts([config])
    second, other = writer.texts([message])
    (name, value), data = writer.floats("w", [1.0])
    pairs = [(key.encode(), writer.entry(7, [], len(data), len(first), crc)), (name, value)]
    pairs.append((writer.OBJECT_GRAPH.encode(), writer.entry(7, [], len(data + first), len(second), other)))
    index = writer.write(tmp_path, sorted(pairs), data + first + second)
    with ckpttool.open(index) as checkpoint:
        assert list(checkpoint) == ["w"]
        assert checkpoint.config == {"class_name": "Sequential", "config": _PLAIN["config"]}
        assert checkpoint.producer.keras_version == "2.4.0"


def _signature(name: str, *inputs: str) -> bytes:
    """A signature with inputs of these names, as a field of a graph."""
    taken = b"".join(span(1, span(1, key.encode()) + span(2, number(2, 1))) for key in inputs)
    return span(5, span(1, name.encode()) + span(2, taken))


def _add_weight(folder: Path) -> None:
    entry, data = writer.floats("w", [1, 2])
    writer.write(folder / "variables", [entry], data, name="variables")


_PLAIN_MODELS = {
    "a module": (
        _object("_generic_user_object", {}),
        _signature("serving_default", "x"),
        "TensorFlow alone",
        "TFSMLayer",
    ),
    "a module of two inputs": (_object("m", {}), _signature("serving_default", "x", "y"), "TensorFlow alone", "info"),
    "a module without signatures": (_object("m", {}), b"", "TensorFlow alone", "tf.saved_model.load"),
    "a graph of TensorFlow 1": (b"", _signature("regress", "x"), "TensorFlow 1", 'call_endpoint="regress"'),
}


@pytest.mark.parametrize("case", _PLAIN_MODELS)
def test_a_savedmodel_without_keras_says_so(case: str, run: Callable[..., Any], tmp_path: Path) -> None:
    """Commands that need an architecture say that there is no Keras model, and what to do with such a file instead."""
    objects, signature, origin, advice = _PLAIN_MODELS[case]
    (tmp_path / "saved_model.pb").write_bytes(_graph(objects, more=signature))
    _add_weight(tmp_path)
    for command in (("convert", "new.keras"), ("graph",), ("info", "--cost")):
        failed = run(
            command[0], str(tmp_path), *(str(tmp_path / name) if "." in name else name for name in command[1:])
        )
        assert failed.code == 2
        assert all(text in failed.err for text in ("no Keras model in it", origin, advice, "--arch")), failed.err


def test_a_savedmodel_with_keras_asks_for_its_architecture(run: Callable[..., Any], tmp_path: Path) -> None:
    """A model of Keras inside a `tf.Module`, and an export of Keras 3, have weights that an architecture fits."""
    (tmp_path / "saved_model.pb").write_bytes(_graph(_object("_tf_keras_layer", {})))
    _add_weight(tmp_path)
    for path in (tmp_path, TENSORFLOW / "2.21/export"):
        failed = run("convert", str(path), str(tmp_path / "new.keras"))
        assert "--arch with the model's architecture" in failed.err
        assert "no Keras model" not in failed.err
