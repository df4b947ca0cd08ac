"""Models that a function of the user's own builds: in a process of their own, said so, and every fault one message."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from tests.model.live.once import asked_once
from tests.model.live.test_function_faults import fault_of
from tests.samples import FIXTURES

pytest.importorskip("keras", minversion="3.15", reason="the functions build models of Keras 3.15")

MODELS = '''
"""Models as a user writes them."""
import os, sys
print("on standard output")
print("on standard error", file=sys.stderr)


class Deep:
    def build():
        return own()


def own():
    import keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.first, self.second = keras.layers.Dense(4, name="one"), keras.layers.Dense(2, name="two")

        def call(self, x):
            return self.second(self.first(x))

    model = Own()
    if not os.environ.get("UNBUILT"):
        model(keras.ops.zeros((1, 3)))
    open("was_here", "w").close()
    model.save_weights("own.weights.h5") if model.built else None
    return model


def plain():
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="only")], name="plain")
    return model


def number():
    return 3


def breaks():
    raise ValueError("no \\x1b[31mdata")


def ends():
    os._exit(7)
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a package of models in it, and the command started there; each function is called once."""
    package = tmp_path / "training"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    with asked_once():
        yield tmp_path
    assert "training" not in sys.modules, "the user's code ran in this process"


def test_a_model_of_an_own_class(project: Path, run: Callable[..., Any]) -> None:
    """Its spec lists the weights by the attributes that hold them, and what Keras saved of it loads; standard output is
    the command's alone."""
    function = "training.models:Deep.build"
    done = run("spec", function, "-o", "own.spec.json")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"note: running {function} in a process of its own\n"
    assert (project / "was_here").exists()
    for architecture in ("own.spec.json", function):
        done = run("verify", "own.weights.h5", architecture)
        assert (done.code, "4 weights match" in done.out) == (0, True), done
        assert "on standard" not in done.out
    assert ckpttool.verify("own.weights.h5", function).ok
    assert run("ls", function).out.count("kernel") == 2


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("training.models:number", "no model of Keras 3\n  expected: a keras.Model\n  found: builtins.int"),
        ("training.models:breaks", "found: ValueError: no \\x1b[31mdata"),
        ("training.models:ends", "found: "),
        ("training.models:absent", "has no attribute 'absent'"),
        ("training.absent:build", "found: ModuleNotFoundError: No module named 'training.absent'"),
    ],
)
def test_functions_that_give_no_model(project: Path, function: str, message: str, run: Callable[..., Any]) -> None:
    """The error says what the function did instead, with the last lines that it printed, none of them raw; nothing is
    converted."""
    text = fault_of(function)
    assert text.startswith(f"{function}: ")
    assert message in text
    assert len(text.splitlines()) < 20
    assert nothing_is_converted(function, run) == f"error: {text}\n"


def nothing_is_converted(function: str, run: Callable[..., Any]) -> str:
    """The one error in which a conversion for the model of a function ends."""
    done = run("convert", FIXTURES / "own_classes/model.h5", "new.keras", "--arch", function)
    assert (done.code, done.out, list(Path().glob("new.*"))) == (2, "", [])
    note, _, error = done.err.partition("\n")
    assert note == f"note: running {function} in a process of its own"
    return str(error)


def test_seen_without_a_file(project: Path, run: Callable[..., Any]) -> None:
    """The model of a function is listed, described, counted, drawn and compared as an architecture is."""
    note = "note: running training.models:plain in a process of its own\n"
    done = run("ls", "training.models:plain", "--layers", "--cost")
    assert (done.code, done.err) == (0, note)
    assert "architecture of a model" in done.out
    assert "MACs          12 (12)" in done.out
    done = run("info", "training.models:plain", "--cost")
    assert (done.code, done.err) == (0, note)
    assert "expects       2 weights, 15 parameters" in done.out
    assert " size " not in done.out
    done = run("graph", "training.models:plain")
    assert (done.code, done.err) == (0, note)
    assert "Dense<br/>only" in done.out
    done = run("graph", "training.models:plain", "training.models:plain", "-o", "json")
    assert done.code == 0
    assert '"change": "' not in done.out


def test_a_model_that_is_not_built(project: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> None:
    """A model without weights yet is exit code 2 and says what to do."""
    monkeypatch.setenv("UNBUILT", "1")
    done = run("spec", "training.models:own")
    assert (done.code, done.out) == (2, "")
    assert "a model that is not built" in done.err
    assert "next: call it once on data" in done.err
    assert "a model that is not built" in nothing_is_converted("training.models:own", run)
