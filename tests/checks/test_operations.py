"""Operations in the graph of a SavedModel that act outside of it."""

import shutil
from pathlib import Path

import pytest

import ckpttool
from ckpttool.formats.tensorflow.operations import operations_in
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


def test_the_savers_own_are_none(tmp_path: Path) -> None:
    """The operations that save and restore the variables, which every SavedModel has, are no finding."""
    fed = message(1, message(1, b"r") + message(2, b"RestoreV2") + message(3, b"file:0")) + node("file", "Placeholder")
    saver = function("__inference__traced_save_1", node("s", "SaveV2", 3)) + fed
    assert list(operations_in(with_graph(tmp_path, saver))) == []


@pytest.mark.parametrize("path", ALL_OF_THEM, ids=lambda path: path.name)
def test_no_alarm_on_what_is_harmless(path: Path) -> None:
    """Real SavedModels, of TensorFlow 1 to 2.x, hold no such operations."""
    assert list(operations_in(path)) == []
