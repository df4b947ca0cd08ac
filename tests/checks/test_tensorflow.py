"""TensorFlow files that are not whole, or that are made to harm: each has its finding, and a whole one has none."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import ckpttool
from tests.checks.test_operations import function, message, node, with_graph
from tests.formats.tensorflow import writer
from tests.formats.tensorflow.test_checkpoint import TENSORFLOW

_SHARD = "variables/variables.data-00000-of-00001"


def codes(path: Path) -> dict[str, int]:
    """The rules of safety and integrity that a file breaks, and how often."""
    broken = [finding.rule.code for finding in ckpttool.check([path]).files[0].findings if finding.rule.code[0] in "SI"]
    return {code: broken.count(code) for code in broken}


def copied(folder: Path) -> Path:
    """A copy of a whole SavedModel of Keras 2.15."""
    return Path(shutil.copytree(TENSORFLOW / "2.15/sequential", folder / "model"))


def _flipped(folder: Path) -> Path:
    path = copied(folder) / _SHARD
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    return folder / "model"


def _flipped_text(folder: Path) -> Path:
    stored, crc = writer.texts([b"cat", b"dog"])
    stored = stored.replace(b"dog", b"god")
    return writer.write(folder, [(b"words", writer.entry(7, [2], 0, len(stored), crc))], stored)


def _without_shard(folder: Path) -> Path:
    (copied(folder) / _SHARD).unlink()
    return folder / "model"


def _stale_shard(folder: Path) -> Path:
    (copied(folder) / "variables/variables.data-00001-of-00002").write_bytes(b"old")
    return folder / "model"


def _leftover(folder: Path) -> Path:
    (copied(folder) / "variables/variables_temp").mkdir()
    return folder / "model"


def _overlapping(folder: Path) -> Path:
    (first, data), (second, _) = writer.floats("a", [1, 2]), writer.floats("b", [1, 2])
    return writer.write(folder, [first, second], data)


def _missing_tensor(folder: Path) -> Path:
    objects: list[writer.Object] = [([("a", 1)], [], []), ([], [("VARIABLE_VALUE", "a", "gone")], [])]
    return writer.with_graph(folder, writer.graph(objects), ["other"])


def _another_shape(folder: Path) -> Path:
    """A SavedModel with the graph of one model and the weights of another."""
    path = copied(folder)
    other = TENSORFLOW / "2.15_trained/adam"
    shutil.copy(other / "saved_model.pb", path)
    shutil.copy(other / "keras_metadata.pb", path)
    return path


def _custom(folder: Path) -> Path:
    return with_graph(folder, node("run", "MyKernel") + function("f", node("again", "MyKernel", 3)))


def _listed_alone(folder: Path) -> Path:
    path = Path(shutil.copytree(TENSORFLOW / "2.15/module", folder / "model"))
    with (path / "saved_model.pb").open("ab") as file:
        file.write(message(2, message(1, message(2, message(1, message(1, b"MyKernel"))))))
    return path


def _constant_file(folder: Path) -> Path:
    value = message(
        5, message(1, b"value") + message(2, message(8, bytes([8, 7]) + message(2, b"") + message(8, b"/etc/x")))
    )
    file = message(1, message(1, b"save/Const") + message(2, b"Const") + value)
    saver = message(1, message(1, b"save/SaveV2") + message(2, b"SaveV2") + message(3, b"save/Const"))
    return with_graph(folder, file + saver)


_CASES: dict[str, tuple[Callable[[Path], Path], dict[str, int]]] = {
    "whole": (copied, {}),
    "a bit of a weight": (_flipped, {"I101": 1}),
    "a letter of a text": (_flipped_text, {"I101": 1}),
    "a shard that is missing": (_without_shard, {"I102": 1}),
    "a shard of an earlier save": (_stale_shard, {"I108": 1}),
    "what a killed save leaves": (_leftover, {"I108": 1}),
    "two tensors on the same bytes": (_overlapping, {"S403": 1}),
    "a tensor that the graph names and is not stored": (_missing_tensor, {"I102": 1}),
    "a graph of another model": (_another_shape, {"I115": 6}),
    "an operation of another library": (_custom, {"S112": 1}),
    "an operation that is only listed": (_listed_alone, {"S112": 1}),
    "a saver with a file of its own": (_constant_file, {"S111": 1}),
}


@pytest.mark.parametrize("case", _CASES)
def test_each_harm_has_its_rule(case: str, tmp_path: Path) -> None:
    """Each harm has its rule, told once."""
    build, expected = _CASES[case]
    broken = codes(build(tmp_path))
    assert {code: broken.get(code) for code in expected} == expected
    if case != "a graph of another model":
        assert broken == expected


def test_a_function_is_no_custom_operation(tmp_path: Path) -> None:
    """A node whose kind is the name of a function of its graph calls that function."""
    assert "S112" not in codes(with_graph(tmp_path, node("call", "f") + function("f", node("n", "NoOp", 3))))


_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 200\n"


@pytest.mark.parametrize("name", [_SHARD, "variables/variables.index", "saved_model.pb", "keras_metadata.pb"])
def test_a_pointer_of_git_lfs_is_named_alone(name: str, tmp_path: Path) -> None:
    """A pointer in the place of any file of a SavedModel is no checkpoint (I104), and nothing follows from it."""
    path = copied(tmp_path)
    (path / name).write_bytes(_POINTER)
    assert codes(path) == {"I104": 1}
    assert "P104" not in {finding.rule.code for finding in ckpttool.check([path]).files[0].findings}


def test_objects_without_metadata_are_none_to_judge() -> None:
    """TensorFlow from 2.5 on lists the objects of Keras in the graph, too, without their metadata."""
    assert not ckpttool.check([TENSORFLOW / "2.15/sequential"]).files[0].unchecked
