"""Functions of the user's own that give no model, before any Keras is asked: each fault is one message."""

import os
from pathlib import Path

import pytest

from ckpttool.errors import BuildError
from ckpttool.model.live.user_function import _OwnCode, architecture_of_function, model_of, names_function

MODELS = """
import os
print("on standard output")

def breaks():
    raise ValueError("no \\x1b[31mdata")

def ends():
    os._exit(7)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of functions in it, and the command started there."""
    (tmp_path / "own_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    with pytest.raises(BuildError) as raised:
        architecture_of_function(function)
    text = str(raised.value)
    assert text.startswith(f"{function}: gives no model")
    assert message in text
    assert "\x1b" not in text


def test_modules_that_are_admitted(project: Path) -> None:
    """Only top modules of accepted names are taken from the user's directory."""
    finder = _OwnCode([str(project)], lambda name: name == "own_models")
    spec = finder.find_spec("own_models")
    assert spec is not None
    assert spec.origin == str(project / "own_models.py")
    assert finder.find_spec("json") is None
    assert finder.find_spec("own_models", path=[str(project)]) is None


def test_a_function_of_an_attribute() -> None:
    """The name behind the colon may lead through attributes."""
    assert model_of("os:sep.upper") == os.sep


def test_what_counts_as_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Module, colon, function; a file of that name is a file."""
    monkeypatch.chdir(tmp_path)
    assert names_function("a.b:c")
    assert names_function("a:b.c")
    assert not any(map(names_function, ("a.b", "C:\\a", "a/b:c", "a:b()", ":b", "a:", "a b:c", "1a:b", "http://x")))
    (tmp_path / "a:b").touch()
    assert not names_function("a:b")
