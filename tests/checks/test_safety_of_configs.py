"""The rules about what a config holds: code, callables, paths and bombs, wherever in it they stand."""

import base64
import builtins
import json
import marshal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.checks.limits import MOST, cap_findings
from ckpttool.dangers.allowed_names import Standing, class_standing, function_standing
from ckpttool.dangers.walk import walk
from tests.checks.safe import BURIED, MODEL, SAFETY, codes, everywhere, findings, layer, place_of, with_config
from tests.speeds import is_full, one_of_each

CODE = base64.b64encode(marshal.dumps((lambda x: x).__code__)).decode()


def function(module: str | None, name: str, **more: Any) -> dict[str, Any]:
    """A function as Keras 3 refers to it."""
    return {"module": module, "class_name": "function", "config": name, "registered_name": name, **more}


def entry(module: str | None, class_name: str, config: Any = None, **more: Any) -> dict[str, Any]:
    """An object as Keras 3 describes it."""
    return {
        "module": module,
        "class_name": class_name,
        "config": {"name": "x"} if config is None else config,
        "registered_name": None,
        **more,
    }


def reader(config: dict[str, Any]) -> dict[str, Any]:
    """A layer of the user's own, as Keras describes a registered one."""
    return entry("mine.layers", "Reader", config, registered_name="mine>Reader")


def operation(function: Any, class_name: str = "TFOpLambda") -> dict[str, Any]:
    """A layer that calls a function of TensorFlow."""
    return entry(None, class_name, {"name": "x", "function": function})


def method(class_name: str, **config: str) -> dict[str, Any]:
    """A layer that calls a method or reads an attribute."""
    return entry(None, class_name, {"name": "x", **config})


def node(node_def: Any) -> dict[str, Any]:
    """A layer that is a node of a graph of TensorFlow."""
    return entry(None, "TensorFlowOpLayer", {"name": "x", "node_def": node_def})


def tokenizer(name: str, **config: Any) -> dict[str, Any]:
    """A tokenizer of KerasHub, which Keras imports by itself."""
    return entry("keras_hub.tokenizers", name, config, registered_name=f"keras_hub>{name}")


def column(class_name: str, **config: Any) -> dict[str, Any]:
    """A layer of feature columns."""
    return entry(None, "DenseFeatures", {"feature_columns": [{"class_name": class_name, "config": config}]})


UNSAFE = {
    "a lambda": ("S101", {"class_name": "__lambda__", "config": {"value": [CODE, None, None]}}),
    "an empty lambda": ("S101", {"class_name": "__lambda__", "config": None}),
    "a lambda as a text": ("S101", {"class_name": "__lambda__", "config": {"value": CODE}}),
    "an old lambda": ("S101", entry(None, "Lambda", {"function": [CODE, None, None], "function_type": "lambda"})),
    "an old lambda without its type": ("S101", {"anything": [CODE + "\n", [1, 2], None]}),
    "a lambda of Keras 1": ("S101", {"function": "\\x00c\\x00s", "function_type": "lambda", "arguments": {}}),
    "an old output shape": ("S101", {"output_shape": ["c\\x00", None, None], "output_shape_type": "lambda"}),
    "os.system": ("S102", function("os", "system")),
    "os.system under its other name": ("S102", function("posix", "system")),
    "subprocess.run as a layer": ("S102", entry("subprocess", "run")),
    "exec": ("S102", function("builtins", "exec")),
    "exec as a class": ("S102", entry("builtins", "exec")),
    "a builtin by its attribute": ("S102", function("builtins", "print.__self__")),
    "numpy.load": ("S102", function("numpy", "load")),
    "tensorflow.io.read_file": ("S102", function("tensorflow.python.ops.gen_io_ops", "read_file")),
    "a python function of TensorFlow": ("S102", function("tensorflow.python.ops.script_ops", "py_func")),
    "keras.utils.get_file": ("S102", function("keras.utils", "get_file")),
    "get_file under its private name": ("S102", function("keras.src.utils.file_utils", "get_file")),
    "get_file by a dotted name": ("S102", function("keras", "utils.get_file")),
    "get_file of tf.keras": ("S102", function("tensorflow.keras.utils", "get_file")),
    "get_file of tf_keras": ("S102", function("tf_keras.utils", "get_file")),
    "get_file through keras.api": ("S102", function("keras.api.utils", "get_file")),
    "get_file as a class": ("S102", entry("keras.utils", "get_file")),
    "a class of keras.utils": ("S102", entry("keras.utils", "CustomObjectScope")),
    "load_model": ("S102", function("keras.models", "load_model")),
    "load_model among the models": ("S102", function("keras.src.models.model", "model_from_json")),
    "a deserializer": ("S102", function("keras.layers", "deserialize")),
    "clear_session": ("S102", function("keras.backend", "clear_session")),
    "a known class elsewhere": ("S102", entry("keras.src.utils.module_utils", "Dense")),
    "a known function elsewhere": ("S102", function("keras.src.utils.module_utils", "relu")),
    "another function of an application": ("S102", function("keras.src.applications.vgg16", "decode_predictions")),
    "switching safe mode off": ("S102", function("keras.config", "enable_unsafe_deserialization")),
    "a class named as a function": ("S102", function("keras.layers", "Dense")),
    "a model that downloads": ("S102", function("keras.applications.vgg16", "VGG16")),
    "data that downloads": ("S102", function("keras.datasets.mnist", "load_data")),
    "a type specification that is none": ("S102", entry("os", "__typespec__", ["x"], spec_name="system")),
    "a specification of another package": ("S102", entry("evil", "__typespec__", ["x"], spec_name="TensorSpec")),
    "an old function": ("S102", {"function": "system", "function_type": "function", "module": "os"}),
    "an old output shape of os": (
        "S102",
        {"output_shape": "popen", "output_shape_type": "function", "output_shape_module": "os", "module": "mine"},
    ),
    "an operation that writes": ("S102", entry(None, "TFOpLambda", {"name": "w", "function": "io.write_file"})),
    "an old operation that reads": ("S102", entry(None, "TFOpLambda", {"function": "compat.v1.io.read_file"})),
    "a download by an operation": ("S102", entry(None, "TFOpLambda", {"function": "keras.utils.get_file"})),
    "a raw operation that reads": ("S102", entry(None, "TFOpLambda", {"function": "raw_ops.ReadFile"})),
    "a node that writes": ("S102", entry(None, "TensorFlowOpLayer", {"node_def": json.dumps({"op": "WriteFile"})})),
    "a file written": ("S102", operation("compat.v1.write_file")),
    "a file written by a slice": ("S102", operation("compat.v1.write_file", "SlicingOpLambda")),
    "files listed": ("S102", operation("compat.v1.matching_files")),
    "a tree removed": ("S102", operation("compat.v1.gfile.DeleteRecursively")),
    "a session": ("S102", operation("compat.v1.Session")),
    "processes": ("S102", operation("__internal__.distribute.multi_process_runner.run")),
    "a message decoded": ("S102", operation("raw_ops.DecodeProtoV2")),
    "a log written": ("S102", operation("compat.v1.raw_ops.CreateSummaryFileWriter")),
    "memory from a file": ("S102", operation("raw_ops.ImmutableConst")),
    "a function called by TensorFlow": ("S102", operation("numpy_function")),
    "a model loaded": ("S102", operation("compat.v1.keras.models.load_model")),
    "a download of old": ("S102", operation("compat.v1.keras.utils.get_file")),
    "a function that nobody has": ("S102", operation("math.no_such_function")),
    "a function without a name": ("S102", operation(["io", "write_file"])),
    "a library loaded": ("S102", method("ClassMethod", cls_symbol="load_library", method_name="__call__")),
    "a dataset loaded": ("S102", method("ClassMethod", cls_symbol="data.Dataset", method_name="load")),
    "a method of a known class": ("S102", method("ClassMethod", cls_symbol="RaggedTensor", method_name="__init__")),
    "a method of a tensor": ("S102", method("InstanceMethod", attr_name="tofile")),
    "an attribute of a tensor": ("S102", method("InstanceProperty", attr_name="__class__")),
    "a node as an object": ("S102", node({"name": "x", "op": "WriteFile"})),
    "a node in bytes": ("S102", node("\n\x01x\x12\tWriteFile")),
    "a node in bytes that says two things": ("S102", node("\x12\x03Add\x12\tWriteFile")),
    "a node in bytes and in JSON": ("S102", node('{"op": "Add", "x": "' + "|" * 19 + '\x12\tWriteFile"}')),
    "a node without an operation": ("S102", node({"name": "x"})),
    "a node that is nonsense": ("S102", node("\x12\x7fAdd")),
    "a process of a library": ("S102", function("psutil", "Popen")),
    "a command of a library": ("S102", function("invoke", "run")),
    "a function of a package": ("S102", function("mine.losses", "loss")),
    "a function of TensorFlow": ("S102", function("tensorflow.python.ops.image_ops_impl", "resize_images_v2")),
    "an old function of a library": ("S102", {"function": "run", "function_type": "function", "module": "invoke"}),
    "a class of a library": ("S102", entry("fabric", "Connection", registered_name="Connection")),
    "a class of a library as if registered": ("S102", entry("psutil", "Popen", registered_name="mine>Popen")),
    "a class of a package that nobody registered": ("S102", entry("mine.layers", "Mine", registered_name="Mine")),
    "a builtin by its registered name": ("S102", function("builtins", "my_loss", registered_name="eval")),
    "a specification of any module": (
        "S102",
        entry("tensorflow.python.tools.x", "__typespec__", ["x"], spec_name="TensorSpec"),
    ),
    "a disguise": ("S103", entry("keras.layers", "Dense", registered_name="evil>Dense")),
    "a disguise by default": ("S103", entry("keras.layers", "Dense", registered_name="Custom>Dense")),
    "TFSMLayer": ("S105", entry("keras.layers", "TFSMLayer", {"filepath": "/x", "call_endpoint": "serve"})),
    "TFSMLayer under its private name": ("S105", entry("keras.src.export.tfsm_layer", "TFSMLayer")),
    "TFSMLayer without a module": ("S105", {"class_name": "TFSMLayer", "config": {}}),
    "TFSMLayer as a function": ("S105", function("keras.layers", "TFSMLayer")),
    "TorchModuleWrapper": (
        "S106",
        entry("keras.layers", "TorchModuleWrapper", {"module": {"class_name": "__bytes__"}}),
    ),
    "TorchModuleWrapper as a function": ("S106", function("keras.layers", "TorchModuleWrapper")),
    "a vocabulary on disk": ("S107", entry("keras.layers", "StringLookup", {"vocabulary": "words.txt"})),
    "a vocabulary elsewhere": ("S107", entry("keras.layers", "TextVectorization", {"vocabulary": "gs://b/w.txt"})),
    "a vocabulary of another class": (
        "S107",
        entry("mine.layers", "Words", {"vocabulary": "/etc/passwd"}, registered_name="mine>Words"),
    ),
    "weights of words on disk": ("S107", entry("keras.layers", "TextVectorization", {"idf_weights": "/etc/passwd"})),
    "words of a feature column": ("S107", column("VocabularyFileCategoricalColumn", vocabulary_file="/etc/passwd")),
    "weights of a feature column": ("S107", column("EmbeddingColumn", ckpt_to_load_from="gs://bucket/x")),
    "merges of a tokenizer": ("S107", tokenizer("BytePairTokenizer", merges="/etc/passwd")),
    "a model of a tokenizer": ("S107", tokenizer("SentencePieceTokenizer", proto="/etc/passwd")),
    "a layer of TensorFlow Hub": ("S105", entry(None, "KerasLayer", {"handle": "https://tfhub.dev/x/1"})),
    "a layer of TensorFlow Hub by its module": (
        "S105",
        entry("tensorflow_hub.keras_layer", "KerasLayer", {"handle": "/x"}, registered_name="KerasLayer"),
    ),
    "bytes": ("S108", {"class_name": "__bytes__", "config": {"value": "gASVCg=="}}),
    "a path": ("S110", reader({"file_path": "/home/me/data.csv"})),
    "an address": ("S110", reader({"origin": "https://example.org/x"})),
    "a path of Windows": ("S110", reader({"cache_dir": "C:\\Users\\me"})),
    "a path that climbs": ("S110", reader({"filename": "../x.csv"})),
    "an array of arrays": ("S402", {"class_name": "__numpy__", "config": {"value": [0], "dtype": "(134217728,)f8"}}),
    "an array of records": ("S402", {"class_name": "__tensor__", "config": {"value": [0], "dtype": "f8,f8"}}),
    "an array of a list": ("S402", {"class_name": "__numpy__", "config": {"value": [0], "dtype": [["a", "f8", 9]]}}),
}

FINE = {
    "a function of Keras": function("keras.activations", "relu"),
    "a function by its short name": function("builtins", "mean_squared_error"),
    "an operation": function("keras.ops", "sqrt"),
    "a function of an application": function("keras.applications.resnet50", "preprocess_input"),
    "a function of an application of Keras 2": function("keras.src.applications.vgg16", "preprocess_input"),
    "a function of Keras 2": function("keras.src.activations", "swish"),
    "a layer of Keras 3": entry("keras.layers", "Dense", {"name": "d", "units": 2}),
    "a layer with its own name registered": entry("keras.layers", "Dense", registered_name="Dense"),
    "a model of Keras 2.12": entry("keras.engine.functional", "Functional", registered_name="Functional"),
    "a model of Keras 2.15": entry("keras.src.engine.functional", "Functional", registered_name="Functional"),
    "a feature of a FeatureSpace of Keras 2.15": entry(
        "keras.src.utils.feature_space", "Feature", {"dtype": "float32"}
    ),
    "a cross of a FeatureSpace of Keras 2.12": entry(
        "keras.utils.feature_space", "Cross", {"feature_names": ["a", "b"]}
    ),
    "a layer of tf.keras": entry("tensorflow.keras.layers", "Dense"),
    "a layer of tf_keras": entry("tf_keras.layers", "Dense"),
    "a layer of Keras 1": {"class_name": "Convolution2D", "config": {"name": "c"}},
    "an optimizer of Keras 2.15": {"class_name": "Custom>Adam", "config": {"name": "Adam"}},
    "a registered optimizer of Keras 2.12": entry("keras.optimizers", "Adam", registered_name="Custom>Adam"),
    "an operation of a graph": entry("keras.src.ops.numpy", "Add", {"name": "add"}),
    "a specification": entry("tensorflow.python.framework.tensor", "__typespec__", [[1]], spec_name="TensorSpec"),
    "an old function of the backend": {"function": "sqrt", "function_type": "function", "module": "keras.backend"},
    "an old function by its name alone": {"function": "relu", "function_type": "function", "module": None},
    "a raw output shape": {"output_shape": [1, 2], "output_shape_type": "raw", "function": "relu"},
    "an operation of TensorFlow": entry(None, "TFOpLambda", {"name": "m", "function": "math.multiply"}),
    "an operation of tf.keras": entry(None, "TFOpLambda", {"name": "r", "function": "keras.activations.relu"}),
    "a sum of tf.keras": entry(None, "TFOpLambda", {"name": "s", "function": "keras.backend.sum"}),
    "an old operation of TensorFlow": entry(None, "TFOpLambda", {"name": "p", "function": "compat.v1.pad"}),
    "a node": entry(None, "TensorFlowOpLayer", {"node_def": json.dumps({"op": "AddV2", "name": "add"})}),
    "an operation of a graph by its name": operation("raw_ops.AddV2"),
    "a slice of a tensor": operation("__operators__.getitem", "SlicingOpLambda"),
    "random numbers": operation("random.normal"),
    "old random numbers": operation("compat.v1.random_normal"),
    "an old sum of tf.keras": operation("compat.v1.keras.backend.sum"),
    "a check of values": operation("debugging.assert_equal"),
    "a ragged tensor": method("ClassMethod", cls_symbol="RaggedTensor", method_name="from_row_splits"),
    "a method of a ragged tensor": method("InstanceMethod", attr_name="to_tensor"),
    "an attribute of a ragged tensor": method("InstanceProperty", attr_name="flat_values"),
    "a node as an object": node({"op": "AddV2", "attr": {"T": {"type": "DT_FLOAT"}}}),
    "a node in bytes": node("\n\x03add\x12\x05AddV2\x1a\x01x\x1a\x01y*\x07\n\x01T\x12\x020\x01"),
    "words of a feature column": column("VocabularyListCategoricalColumn", vocabulary_list=["/etc/passwd"]),
    "words": entry("keras.layers", "StringLookup", {"vocabulary": ["/etc/passwd", "http://a", "os.system", "[UNK]"]}),
    "parts of a tokenizer": entry("keras.layers", "Dense", {"proto": "CgU8dW5rPg" * 10, "merges": ["a b"]}),
    "no words": entry("keras.layers", "StringLookup", {"vocabulary": None, "idf_weights": None}),
    "a plain array": {"class_name": "__numpy__", "config": {"value": [1.5], "dtype": "float32"}},
    "a plain tensor": {"class_name": "__tensor__", "config": {"value": [[1]], "dtype": "bfloat16"}},
    "a slice": {"class_name": "__slice__", "config": {"start": None, "stop": 2, "step": None}},
    "a shape of Keras 2": {"class_name": "TensorShape", "items": [None, 2]},
    "a relative path": entry("keras.layers", "Dense", {"file": "data"}),
    "a name that is an address": entry("keras.layers", "Dense", {"name": "https://example.org"}),
    "a text about code": {"note": "os.system('x'), __lambda__, lambda x: x, keras.utils.get_file"},
    "names of code": [entry("keras.layers", "Dense", {"name": name}) for name in ("lambda", "exec", "os.system")],
    "three texts": {
        "a": ["A" * 40, None, "x"],
        "b": ["A" * 40, None],
        "c": ["not code, but words and blanks!", None, None],
    },
    "a type called lambda": {"kernel_type": "lambda", "kernel": 3},
}

FOREIGN = {
    "a class of a package": entry("mine.layers", "Mine", registered_name="mine>Mine"),
    "a class of the script": entry("__main__", "Mine"),
    "a registered class": entry(None, "Mine", registered_name="mine>Mine"),
    "a registered class of a common name": entry(None, "Dense", registered_name="mine>Dense"),
    "an old registered class": {"class_name": "Addons>GELU", "config": {}},
    "a class without its module": {"class_name": "Mine", "config": {}},
    "a function of Keras 2.13 to 3.6": function("builtins", "my_loss"),
    "a registered function": function("builtins", "mine>loss"),
    "a class of a later Keras": entry("keras.layers", "FancyAttention9"),
    "an old function of the script": {"function": "scale", "function_type": "function", "module": "__main__"},
    "a class of Keras Hub": entry("keras_hub.src.models.backbone", "Backbone", registered_name="keras_hub>Backbone"),
    "a layer of TensorFlow Addons": entry(
        "tensorflow_addons.layers.wrappers",
        "WeightNormalization",
        {"name": "w"},
        registered_name="Addons>WeightNormalization",
    ),
}


def unsafe() -> list[tuple[str, tuple[str, Any]]]:
    """The unsafe things by name, each with its code; in a quick run one of each code."""
    return list(UNSAFE.items()) if is_full() else one_of_each(UNSAFE.items(), lambda item: [item[1][0]])


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_objects_are_reported_at_every_place(name: str, tmp_path: Path) -> None:
    """Each thing is found by its rule at every place where it stands, once, and by no worse rule."""
    code, danger = UNSAFE[name]
    reported = findings(with_config(tmp_path / "m.keras", everywhere(danger)))
    own = Counter(place_of(finding) for finding in reported if finding.rule.code == code)
    assert own == dict.fromkeys(BURIED, 1) | {"a call": 2}  # which has it twice
    assert {finding.rule.code for finding in reported} <= {code, "S104"}
    assert all(finding.detail for finding in reported)


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_is_fine_anywhere(name: str, tmp_path: Path) -> None:
    """Nothing at all is found, wherever it stands."""
    assert findings(with_config(tmp_path / "m.keras", everywhere(FINE[name]))) == ()


@pytest.mark.parametrize("name", FOREIGN)
def test_the_code_of_others_is_an_information(name: str, tmp_path: Path) -> None:
    """A custom object is told once, and nothing else."""
    reported = findings(with_config(tmp_path / "m.keras", everywhere([FOREIGN[name], FOREIGN[name]])))
    assert [finding.rule.code for finding in reported] == ["S104"]


def test_a_config_that_is_no_model(tmp_path: Path) -> None:
    """The thing itself as the whole config, and a list of things, of which Keras makes all."""
    for name, (code, danger) in unsafe():
        for config in (danger, [danger], [MODEL, [danger]]):
            assert code in codes(with_config(tmp_path / "m.keras", config)), name


def test_a_custom_object_is_reported_at_its_first_place(tmp_path: Path) -> None:
    """Fifty layers of one class are one finding, two classes are two."""
    names = [f"Mine{number % 2}" for number in range(100)]
    config = {"layers": [entry("mine", name, registered_name=f"mine>{name}") for name in names]}
    assert len(findings(with_config(tmp_path / "m.keras", config))) == 2


@pytest.mark.parametrize("attribute", ["model_config", "training_config"])
def test_attributes_of_old_files(attribute: str, tmp_path: Path) -> None:
    """Both configs of a legacy model are looked at."""
    for name, (code, danger) in unsafe():
        with h5py.File(tmp_path / "m.h5", "w") as file:
            file.create_group("model_weights").attrs["layer_names"] = []
            file.attrs["model_config"] = json.dumps(MODEL)
            file.attrs[attribute] = json.dumps({"class_name": "Sequential", "config": {"x": [danger]}})
        assert code in codes(tmp_path / "m.h5"), name


def test_a_config_is_read_where_the_weights_cannot_be(tmp_path: Path) -> None:
    """An archive whose weights are broken or missing still tells what its config holds; so does a directory."""
    from tests.samples import keras_like

    raw = json.dumps(BURIED["a layer"](UNSAFE["os.system"][1])).encode()
    for weights in (b"nonsense", None, b"\x80\x04]."):
        assert "S102" in codes(keras_like(tmp_path / "m.keras", config=raw, model=weights))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "config.json").write_bytes(json.dumps([UNSAFE["os.system"][1]]).encode())
    (folder / "model.weights.h5").write_bytes(b"nonsense")
    assert "S102" in codes(folder)


def test_a_text_of_json_that_is_a_bomb(tmp_path: Path) -> None:
    """JSON within a text is limited as the config is, and a config too deep is a bomb."""
    deep = "[" * 100_000
    assert codes(with_config(tmp_path / "m.keras", {"x": deep})) == {"S401"}
    from tests.samples import keras_like

    assert codes(keras_like(tmp_path / "n.keras", config=f'{{"x": {deep}'.encode())) == {"S401"}


def test_a_config_that_asks_for_more_than_any_file_holds(tmp_path: Path) -> None:
    """Weights far larger than the file are a bomb, by rows or by build_config; those of the file are none."""

    def dense(units: int, inputs: int) -> dict[str, Any]:
        return layer("Dense", {"name": "d", "units": units}, build_config={"input_shape": [None, inputs]})

    def model(*layers: Any) -> dict[str, Any]:
        return entry("keras", "Sequential", {"name": "s", "layers": list(layers)})

    assert codes(with_config(tmp_path / "m.keras", model(dense(1 << 20, 1 << 20)))) == {"S402"}
    rows = layer("Embedding", {"name": "e", "input_dim": 10**12, "output_dim": 64})
    assert codes(with_config(tmp_path / "m.keras", model(rows))) == {"S402"}
    assert codes(with_config(tmp_path / "m.keras", model(dense(1000, 1000)))) == set()


@given(st.sampled_from(sorted(sys.stdlib_module_names)), st.text(min_size=1), st.sampled_from(["", ".sub"]))
def test_nothing_of_python_is_for_models(module: str, name: str, below: str) -> None:
    """No class and no function of any module of Python's own is known or merely foreign."""
    if module in ("__main__", "builtins"):
        return
    assert class_standing(module + below, name) is Standing.UNSAFE
    assert function_standing(module + below, name) is Standing.UNSAFE


ARITHMETIC = {"abs", "all", "any", "map", "max", "min", "round", "slice", "sum"}


def test_no_builtin_is_for_models() -> None:
    """Not one of Python's builtins passes as a function of the user's, but for those that keras.ops has too."""
    passing = {name for name in vars(builtins) if function_standing("builtins", name) is not Standing.UNSAFE}
    assert passing <= ARITHMETIC
    assert all(function_standing("builtins", name) is Standing.FOREIGN for name in ARITHMETIC)
    assert all(class_standing("builtins", name) is Standing.UNSAFE for name in vars(builtins))


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_the_walk_meets_every_object_once(value: Any) -> None:
    """Each object and list is met, at a place that leads to it."""
    met = [id(node.value) for node in walk(value, "config") if not isinstance(node.key, str) or node.place]
    expected, stack = [], [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict | list):
            expected.append(id(node))
            stack += node.values() if isinstance(node, dict) else node
    assert set(expected) <= set(met)


def test_places_lead_there() -> None:
    """A place names keys and numbers on the way, and is cut in the middle where it is long."""
    assert [node.place for node in walk({"a": [{"b": {}}]}, "c")] == ["c", "c.a", "c.a[0]", "c.a[0].b"]
    deep: Any = {}
    for _ in range(100):
        deep = {"x": deep}
    longest = [node.place for node in walk(deep, "c")][-1]
    assert longest.startswith("c.x.x") and "more" in longest and len(longest) < 100


def test_findings_without_end_are_few(tmp_path: Path) -> None:
    """A rule that is broken everywhere is told some times, and then how often more."""
    functions = [function("os", f"f{number}") for number in range(1000)]
    reported = list(findings(with_config(tmp_path / "m.keras", {"x": functions})))
    assert len(reported) == MOST + 1
    assert f"{1000 - MOST}" in reported[-1].detail
    assert list(cap_findings(reported[:2] * 5)) == reported[:2]


def test_only_safety_was_asked() -> None:
    """The policy of these tests counts rules of safety alone."""
    assert SAFETY.counts("S101") and not SAFETY.counts("I101")
