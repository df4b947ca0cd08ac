"""Functions of the user's own that give no model, before any Keras is asked: each fault is one message."""

import os
import sys
from pathlib import Path

import pytest

from ckpttool.alignment.architectures import load_architecture
from ckpttool.errors import BuildError, ModelError
from ckpttool.io.texts import names_function
from ckpttool.model import Architecture
from ckpttool.model.config import with_part
from ckpttool.model.live import user_function
from ckpttool.model.live.user_function import _OwnCode, architecture_of_function, model_of
from ckpttool.model.spec import part_in
from tests.samples import FIXTURES

MODELS = """
import os
print("on standard output")

def breaks():
    raise ValueError("no \\x1b[31mdata")

def ends():
    os._exit(7)

def number():
    return 3
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of functions in it, and the command started there."""
    (tmp_path / "own_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fault_of(function: str) -> str:
    """The message of the error in which the model of a function ends; no escape in it is raw."""
    with pytest.raises(BuildError) as raised:
        architecture_of_function(function)
    text = str(raised.value)
    assert "\x1b" not in text
    return text


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("own_models:breaks", "found: ValueError: no \\x1b[31mdata"),
        ("own_models:ends", "found: on standard output"),
        ("own_models:absent", "has no attribute 'absent'"),
        ("absent_models:build", "found: ModuleNotFoundError: No module named 'absent_models'"),
    ],
)
def test_functions_that_fail(project: Path, function: str, message: str) -> None:
    """The error has the last line that the function's process printed, and no raw escape."""
    text = fault_of(function)
    assert text.startswith(f"{function}: gives no model")
    assert message in text


def test_modules_that_are_admitted(project: Path) -> None:
    """Only top modules of accepted names are taken from the user's directory."""
    finder = _OwnCode([str(project)], lambda name: name == "own_models")
    spec = finder.find_spec("own_models")
    assert spec is not None
    assert spec.origin == str(project / "own_models.py")
    assert finder.find_spec("json") is None
    assert finder.find_spec("own_models", path=[str(project)]) is None


@pytest.fixture
def in_this_process(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of the new process is done in this one, and what it changes here is undone."""

    def run(target: str, answer: Path, output: Path) -> int:
        output.touch()
        user_function.main(target, str(answer), str(project))
        return 0

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(user_function, "_run", run)
    monkeypatch.delitem(sys.modules, "own_models", raising=False)


def test_a_model_that_is_described(in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The architecture of the function's model comes back from the process as it was there."""
    stored = load_architecture(FIXTURES / "keras3/cnn.keras")
    live = with_part(stored.config, part_in(stored), "")
    monkeypatch.setattr(Architecture, "from_model", lambda model: live)
    monkeypatch.setattr(user_function, "model_of", lambda target: None)
    architecture = architecture_of_function("own_models:build")
    assert (architecture.config, architecture.part) == (live.config, live.part)


def test_a_model_that_is_none(in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason why the function's result is no model is raised with all its facts."""

    def refuse(model: object) -> Architecture:
        raise ModelError("no model of Keras 3", expected="a keras.Model", found=type(model).__name__)

    monkeypatch.setattr(Architecture, "from_model", refuse)
    with pytest.raises(BuildError, match="own_models:number: no model of Keras 3") as raised:
        architecture_of_function("own_models:number")
    assert (raised.value.expected, raised.value.found) == ("a keras.Model", "int")


def test_a_function_of_an_attribute() -> None:
    """The name behind the colon may lead through attributes."""
    assert model_of("os:sep.upper") == os.sep


def test_what_counts_as_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Module, colon, function; a file of that name is a file."""
    monkeypatch.chdir(tmp_path)
    assert names_function("a.b:c")
    assert names_function("a:b.c")
    others = ("a.b", "C:\\a", "a/b:c", "a:b()", ":b", "a:", "a b:c", "1a:b", "http://x", "a:b:c", "a..b:c", Path("a:b"))
    assert not any(map(names_function, others))
    (tmp_path / "a:b").touch()
    assert not names_function("a:b")
