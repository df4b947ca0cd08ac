"""Operations in the graph of a SavedModel that act outside of it."""

import re
import shutil
from pathlib import Path

import pytest

import ckpttool
from ckpttool.formats.tensorflow.conditional_operations import CONDITIONAL
from ckpttool.formats.tensorflow.operations import EFFECTS, operations_in
from tests.corpus import CORPUS, SHARED
from tests.samples import FIXTURES

ALL_OF_THEM = sorted(
    path.parent
    for root in (FIXTURES / "tensorflow", SHARED / "corpus_tensorflow/files", CORPUS / "files")
    if root.is_dir()
    for path in root.glob("**/saved_model.pb")
    if not path.parent.name.startswith("bad__")
)


def message(number: int, value: bytes) -> bytes:
    """A field of a message: a run of bytes."""
    size, length = len(value), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


def node(name: str, kind: str, number: int = 1) -> bytes:
    """An operation of a graph; of a function its number is 3."""
    return message(number, message(1, name.encode()) + message(2, kind.encode()))


def function(name: str, *nodes: bytes) -> bytes:
    """A library of one function."""
    return message(2, message(1, message(1, message(1, name.encode())) + b"".join(nodes)))


def with_graph(folder: Path, graph: bytes) -> Path:
    """A SavedModel with one graph more."""
    target = folder / "model"
    shutil.copytree(FIXTURES / "tensorflow/2.15/module", target)
    with (target / "saved_model.pb").open("ab") as file:
        file.write(message(2, message(2, graph)))
    return target


_HARMFUL = {
    "of the graph": (node("look", "ReadFile"), "look"),
    "of a function": (function("f", node("put", "WriteFile", 3)), "f/put"),
    "a saver outside of the saver's function": (function("serve", node("s", "SaveV2", 3)), "serve/s"),
    "in the saver's function, and none of the saver's": (
        function("__inference__traced_save_12", node("p", "EagerPyFunc", 3)),
        "__inference__traced_save_12/p",
    ),
    "behind a constant": (message(1, message(5, bytes(100_000)) + message(1, b"n") + message(2, b"PyFunc")), "n"),
}


@pytest.mark.parametrize("name", _HARMFUL)
def test_every_danger_is_reported(name: str, tmp_path: Path) -> None:
    """An operation that touches files or runs code is an error, in the graph, in a function, in any meta graph."""
    graph, where = _HARMFUL[name]
    report = ckpttool.check([with_graph(tmp_path, graph)])
    (finding,) = [finding for finding in report.files[0].findings if finding.rule.code == "S111"]
    assert finding.where == where


def _set(name: str, kind: str, number: int = 1, *, setting: tuple[str, bytes] = ("", b""), inputs: str = "") -> bytes:
    """An operation with a text among its settings, and inputs."""
    wired = b"".join(message(3, source.encode()) for source in inputs.split())
    settings = message(5, message(1, setting[0].encode()) + message(2, message(2, setting[1])))
    return message(number, message(1, name.encode()) + message(2, kind.encode()) + wired + settings)


def _text(name: str, value: bytes, number: int = 1) -> bytes:
    """A constant that is one text."""
    tensor = message(8, bytes([8, 7]) + message(2, b"") + message(8, value))
    constant = message(5, message(1, b"value") + message(2, tensor))
    return message(number, message(1, name.encode()) + message(2, b"Const") + constant)


_ASSET = message(6, message(1, message(1, b"path:0")) + message(2, b"words.txt"))
_TABLE = "InitializeTableFromTextFileV2"
_OF_ONE_USE = {
    "prints to the screen": (_set("p", "PrintV2", setting=("output_stream", b"stderr")), 0),
    "prints to where it does by default": (node("p", "PrintV2"), 0),
    "prints into a file": (_set("p", "PrintV2", setting=("output_stream", b"file:///tmp/x")), 1),
    "knows its messages": (_set("d", "DecodeProtoV2", setting=("descriptor_source", b"local://")), 0),
    "reads its messages": (_set("d", "DecodeProtoV2", setting=("descriptor_source", b"/etc/passwd")), 1),
    "samples from a file": (_set("s", "FixedUnigramCandidateSampler", setting=("vocab_file", b"/etc/x")), 1),
    "caches in memory": (_text("f", b"") + _set("c", "CacheDatasetV2", inputs="data f"), 0),
    "caches in a file": (_text("f", b"/tmp/x") + _set("c", "CacheDatasetV2", inputs="data f"), 1),
    "caches in a file of a function": (
        function("g", _text("f", b"/tmp/x", 3), _set("c", "CacheDataset", 3, inputs="data f:output:0")),
        1,
    ),
    "caches nowhere": (_set("c", "CacheDataset", inputs="data"), 1),
    "a table of a file that is handed in": (function("g", _set("t", _TABLE, 3, inputs="table file")), 0),
    "a table of a file that is fed": (node("f", "Placeholder") + _set("t", _TABLE, inputs="table f:0"), 0),
    "a table of a named file": (_text("f", b"/etc/passwd") + _set("t", _TABLE, inputs="table f"), 1),
    "a table of a file behind another node": (
        _text("f", b"/etc/passwd") + _set("same", "Identity", inputs="f") + _set("t", _TABLE, inputs="table same:0"),
        1,
    ),
    "a table of a file whose name is computed": (
        _text("f", b"/etc") + _set("join", "StringJoin", inputs="f f") + _set("t", _TABLE, inputs="table join"),
        1,
    ),
    "a table of itself": (_set("same", "Identity", inputs="same") + _set("t", _TABLE, inputs="table same"), 1),
}


@pytest.mark.parametrize("name", _OF_ONE_USE)
def test_how_an_operation_is_used(name: str, tmp_path: Path) -> None:
    """Operations that touch files only with some settings or inputs are reported with these alone."""
    graph, count = _OF_ONE_USE[name]
    assert len(list(operations_in(with_graph(tmp_path, graph)))) == count


def _with_arguments(name: str, arguments: str, *nodes: bytes) -> bytes:
    """A library of one function with arguments."""
    signature = message(1, name.encode()) + b"".join(message(2, message(1, arg.encode())) for arg in arguments.split())
    return message(2, message(1, message(1, signature) + b"".join(nodes)))


def _call(name: str, callee: str, inputs: str, number: int = 1, kind: str = "StatefulPartitionedCall") -> bytes:
    """A node that calls a function."""
    wired = b"".join(message(3, source.encode()) for source in inputs.split())
    setting = message(5, message(1, b"f") + message(2, message(10, message(1, callee.encode()))))
    return message(number, message(1, name.encode()) + message(2, kind.encode()) + wired + setting)


_FILLS = _with_arguments("fill", "table file", _set("t", _TABLE, 3, inputs="table file"))
_PASSES = _with_arguments("pass", "file table", _call("inner", "fill", "table file", 3))
_CALLED = {
    "with a named file": (_text("f", b"/etc/x") + _FILLS + _call("c", "fill", "table f"), "c"),
    "with what is fed": (node("f", "Placeholder") + _FILLS + _call("c", "fill", "table f:0"), None),
    "by its name": (_text("f", b"/etc/x") + _FILLS + _set("c", "fill", inputs="table f"), "c"),
    "through another function": (_text("f", b"/e") + _FILLS + _PASSES + _call("c", "pass", "f table ^other"), "c"),
    "in a function": (_FILLS + _with_arguments("g", "", _text("f", b"/e", 3), _call("c", "fill", "t f:0", 3)), "g/c"),
    "with a condition before": (_text("f", b"/e") + _FILLS + _call("c", "fill", "really table f", kind="If"), "c"),
    "with too few inputs": (_FILLS + _call("c", "fill", ""), "c"),
    "by itself": (_with_arguments("r", "t f", _set("t", _TABLE, 3, inputs="t f"), _call("c", "r", "t f", 3)), None),
    "by nobody": (_FILLS, None),
}


@pytest.mark.parametrize("case", _CALLED)
def test_a_file_that_is_handed_to_a_function(case: str, tmp_path: Path) -> None:
    """The name of a table's file is followed through the calls of functions to where it stands."""
    graph, where = _CALLED[case]
    places = [
        f"{operation.function}/{operation.name}".strip("/") for operation in operations_in(with_graph(tmp_path, graph))
    ]
    assert places == ([where] if where else [])


@pytest.mark.parametrize("harmless", [True, False])
def test_a_file_that_a_function_captures(harmless: bool, tmp_path: Path) -> None:
    """A file that an object of the SavedModel hands to a function is an asset, or is named in the graph."""
    constant = message(1, message(9, message(1, b"f")))
    asset = message(1, message(5, b""))
    captured = message(2, message(1, b"fill") + message(2, message(2, bytes([0 if harmless else 1]))))
    target = with_graph(tmp_path, b"")
    with (target / "saved_model.pb").open("ab") as file:
        graph = _text("f", b"/etc/x") + _FILLS
        file.write(message(2, message(2, graph) + message(7, asset + constant + captured)))
    assert [operation.name for operation in operations_in(target)] == ([] if harmless else ["f"])


@pytest.mark.parametrize("value", ["path", "other"])
def test_the_path_of_an_asset_in_a_variable(value: str, tmp_path: Path) -> None:
    """TensorFlow 2.15 keeps the path of an asset in a variable and hands on what that is set to."""
    graph = _text("path", b"words.txt") + _text("other", b"/etc/x") + node("v", "VarHandleOp") + _FILLS
    graph += _set("set", "AssignVariableOp", inputs=f"v {value}") + _set("read", "ReadVariableOp", inputs="v ^set")
    target = with_graph(tmp_path, b"")
    with (target / "saved_model.pb").open("ab") as file:
        file.write(message(2, message(2, graph + _call("c", "fill", "table read")) + _ASSET))
    assert [operation.name for operation in operations_in(target)] == ([] if value == "path" else ["c"])


def test_tables_of_assets_are_harmless(tmp_path: Path) -> None:
    """TensorFlow puts the path of an asset in the place of the constant that its graph names."""
    graph = _text("path", b"/where/it/was/words.txt") + _set("t", _TABLE, inputs="table path")
    target = with_graph(tmp_path, b"")
    with (target / "saved_model.pb").open("ab") as file:
        file.write(message(2, message(2, graph) + _ASSET))
    assert list(operations_in(target)) == []


# Inputs and settings that say where something is outside of the graph.
_OUTSIDE = re.compile(
    r"(.*_)?(files?|filenames?|file_pattern|paths?|dir|logdir|uri|address|memory_region_name|descriptor_source|"
    r"vocab_file|debug_urls|log_dir_path|server_address)|ckpt_path|prefix"
)

_NO_FILES = {
    "CTCBeamSearchDecoder",
    "TensorSliceDataset",
}  # a number, and what some texts are


def test_every_operation_with_a_file_is_known() -> None:
    """Each operation of TensorFlow that has a file or an address among its inputs or settings is one that is judged."""
    tensorflow = pytest.importorskip("tensorflow", reason="it lists its operations")
    client = pytest.importorskip("tensorflow.python.client.pywrap_tf_session")
    defined = pytest.importorskip("tensorflow.core.framework.op_def_pb2").OpList()
    defined.ParseFromString(client.TF_GetBuffer(client.TF_GetAllOpList()))
    assert len(defined.op) > 1000, tensorflow.__version__
    outside = {
        op.name for op in defined.op if any(_OUTSIDE.fullmatch(field.name) for field in (*op.input_arg, *op.attr))
    }
    assert outside - set(EFFECTS) - CONDITIONAL == _NO_FILES


def test_the_savers_own_are_none(tmp_path: Path) -> None:
    """The operations that save and restore the variables, which every SavedModel has, are no finding."""
    fed = message(1, message(1, b"r") + message(2, b"RestoreV2") + message(3, b"file:0")) + node("file", "Placeholder")
    saver = function("__inference__traced_save_1", node("s", "SaveV2", 3)) + fed
    assert list(operations_in(with_graph(tmp_path, saver))) == []


@pytest.mark.parametrize("path", ALL_OF_THEM, ids=lambda path: path.name)
def test_no_alarm_on_what_is_harmless(path: Path) -> None:
    """Real SavedModels, of TensorFlow 1 to 2.x, hold no such operations."""
    assert list(operations_in(path)) == []
