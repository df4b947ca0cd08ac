"""The process that proves a conversion by running it, with others in the place of Keras; test_promises.py has it run
with live Keras.
"""

import io
import json
import os
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from subprocess import TimeoutExpired
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.prove import child, keras_run
from ckpttool.conversion.prove.inputs import Kind
from ckpttool.conversion.prove.keras_run import Prediction, Proof, predict
from ckpttool.errors import ChildError, NoKerasError, ProofError

NEW, OLD = Path("new.keras"), Path("old.h5")
ANSWER = {"keras": "3.15.1", "inputs": ["(2, 4) float32"], "outputs": [[2, 3]], "finite": True, "compiled": False}


def predicted(monkeypatch: pytest.MonkeyPatch, output: Any, errors: bytes = b"", proof: Proof = Proof()) -> Prediction:  # noqa: B008
    """The prediction of a process that answers so; it gets its job as JSON."""

    def answer(job: str, environment: dict[str, str], source: Path) -> tuple[bytes, bytes, int]:
        jobs.append((json.loads(job), environment))
        if isinstance(output, Exception):
            raise output
        return output if isinstance(output, bytes) else json.dumps(output).encode(), errors, 7

    jobs.clear()
    monkeypatch.setattr(keras_run, "_answer", answer)
    return predict(NEW, OLD, proof)


jobs: list[tuple[dict[str, Any], dict[str, str]]] = []


def test_a_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of the process, which is given absolute paths, and settings that are the same everywhere."""
    assert predicted(monkeypatch, ANSWER) == Prediction("3.15.1", ("(2, 4) float32",), ((2, 3),), True, False)
    assert predicted(monkeypatch, {**ANSWER, "difference": 1e-3}).difference == 1e-3
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert predicted(monkeypatch, {**ANSWER, "old": "why"}, proof=Proof(("m",), unloaded="unsafe")).old == "why"
    [(job, environment)] = jobs
    assert job == {
        "target": os.path.abspath(NEW), "source": os.path.abspath(OLD), "unloaded": "unsafe", "modules": ["m"],
        "function": "", "directories": [],
    }  # fmt: skip
    assert (environment["KERAS_BACKEND"], environment["CUDA_VISIBLE_DEVICES"]) == ("jax", "-1")
    assert not Path(environment["KERAS_HOME"]).exists()


def test_a_prediction_with_code_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is the user's, and so are the directories where modules are looked for."""
    monkeypatch.setenv("OF_THE_USER", "yes")
    predicted(monkeypatch, ANSWER, proof=Proof(function="package.module:build"))
    [(job, environment)] = jobs
    assert (job["function"], bool(job["directories"])) == ("package.module:build", True)
    assert (environment["OF_THE_USER"], "KERAS_HOME" in environment) == ("yes", "KERAS_HOME" in os.environ)


@pytest.mark.parametrize("difference", [1.1e-3, float("nan"), float("inf")])
def test_other_outputs(difference: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that computes something else is not proved."""
    with pytest.raises(ProofError, match=r"differ from those of the old one\n.*\n  found"):
        predicted(monkeypatch, {**ANSWER, "difference": difference})


def test_what_keras_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that Keras does not load is not proved; a process without an answer says why in its last line."""
    with pytest.raises(ProofError, match=r"does not load the converted model\n  found: ValueError: no such layer"):
        predicted(monkeypatch, {"error": "ValueError: no such layer"})
    for errors, last in ((b"first\nno module keras\n", "no module keras"), (b"", "status 7")):
        with pytest.raises(NoKerasError) as raised:
            predicted(monkeypatch, b"Traceback", errors)
        assert (raised.value.found, "pip install" in raised.value.hint) == (last, True)
    for error in (OSError("no process"), ChildError("it ended")):
        with pytest.raises(NoKerasError, match="Keras could not be run"):
            predicted(monkeypatch, error)


def test_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is that of the environment, if Keras has it, else the first that is installed."""
    installed = {"torch"}
    monkeypatch.setattr(keras_run.importlib.util, "find_spec", lambda name: name if name in installed else None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert keras_run._backend() == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert keras_run._backend() == "torch"
    installed.clear()
    assert (keras_run._backend(), keras_run.is_installed()) == ("tensorflow", False)
    installed.add("keras")
    assert keras_run.is_installed()


class Process:
    """A process that ends or not."""

    returncode = 3

    def __init__(self, ends: bool) -> None:
        self.ends, self.killed = ends, 0

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.killed

    def communicate(self, timeout: float) -> tuple[bytes, bytes]:
        """Output and errors."""
        if not self.ends:
            raise TimeoutExpired("python", timeout)
        return b"out", b"errors"

    def kill(self) -> None:
        """End it."""
        self.killed += 1


def test_a_process_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed, and the model is not proved."""
    started = list[tuple[Any, Any]]()

    def start(*arguments: Any, **settings: Any) -> Process:
        started.append((arguments, settings["environment"]))
        return Process(ends=len(started) == 1)

    monkeypatch.setattr(keras_run.child_processes, "start", start)
    assert keras_run._answer("{}", {"a": "b"}, OLD) == (b"out", b"errors", 3)
    assert started == [(("ckpttool.conversion.prove.child", "{}"), {"a": "b"})]
    with pytest.raises(ProofError, match="Keras did not end"):
        keras_run._answer("{}", {}, OLD)


class Model:
    """A model that takes rows of a length, and gives what a function makes of them."""

    compiled = True

    def __init__(self, function: Any, least: int = 0, width: int | None = 4) -> None:
        self.function, self.least, self.width = function, least, width
        self.calls: list[tuple[Any, int]] = []

    def get_build_config(self) -> dict[str, Any]:
        """The shape of its input."""
        return {"input_shape": [None, self.width]}

    def predict(self, inputs: Any, batch_size: int, verbose: int) -> Any:
        """The outputs, unless the rows are too short."""
        self.calls.append((inputs, batch_size))
        if not isinstance(inputs, list) and inputs.shape[1] < self.least:
            raise ValueError("too small")
        return self.function(inputs)


def double(x: Any) -> Any:
    """Twice the input."""
    return x * 2


def test_outputs_of_all_kinds() -> None:
    """One output, a list or a mapping of outputs become a list; several inputs are handed over as one."""
    x = np.ones((3, 2), "float32")
    for function in (double, lambda x: [x * 2], lambda x: (x * 2,), lambda x: {"a": x * 2}):
        [output] = child.predict(Model(function), [x])
        assert (output.dtype, output.tolist()) == (np.dtype("float64"), (x * 2).tolist())
    model = Model(lambda inputs: inputs[0] + inputs[1])
    assert child.predict(model, [x, x])[0].tolist() == (x * 2).tolist()
    assert [(type(inputs), samples) for inputs, samples in model.calls] == [(list, 3)]


def test_open_axes_are_tried() -> None:
    """A model that takes no small inputs gets larger ones; if it takes none, it is the model that fails."""
    kinds, inputs, outputs = child.try_inputs(Model(double, least=20, width=None), 0)
    assert (kinds, inputs[0].shape) == ([Kind((None, None), "float32", size=32)], (2, 32))
    assert (outputs[0] == inputs[0] * 2).all()
    with pytest.raises(ValueError, match="too small"):
        child.try_inputs(Model(double, least=1000, width=None), 0)
    kinds, _, _ = child.try_inputs(Model(double, least=100, width=None), 0)
    assert [kind.size for kind in kinds] == [128]
    once = Model(double, least=1000)
    with pytest.raises(ValueError, match="too small"):
        child.try_inputs(once, 0)
    assert len(once.calls) == 1


@pytest.fixture
def old_keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A tf_keras whose model multiplies by `factor`, and which says how it was asked."""
    state = SimpleNamespace(factor=2.0, asked=[])

    def load_model(source: str, compile: bool) -> Model:
        state.asked.append((source, compile))
        if state.factor is None:
            raise OSError("cannot read\nthat")
        return Model(lambda x: x * state.factor)

    def scope(is_safe: bool) -> Any:
        state.asked.append(is_safe)
        return nullcontext()

    library = SimpleNamespace(SafeModeScope=scope)
    monkeypatch.setitem(sys.modules, "tf_keras", SimpleNamespace(models=SimpleNamespace(load_model=load_model)))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "tf_keras.src.saving.serialization_lib", library)  # type: ignore[arg-type]
    return state


def test_the_comparison_with_the_old_model(old_keras: Any) -> None:
    """The largest difference counts, relative to the largest output of the old model, which is loaded in safe mode."""
    inputs = [np.array([[1.0, 4.0]])]
    outputs = [np.array([[2.0, 8.4]])]
    assert child.comparison(outputs, "old.h5", inputs, "")["difference"] == pytest.approx(0.05)
    assert old_keras.asked == [True, ("old.h5", False)]
    old_keras.factor = 0.0
    assert child.comparison(outputs, "old.h5", inputs, "")["difference"] == pytest.approx(8.4)
    old_keras.factor = None
    assert child.comparison(outputs, "old.h5", inputs, "") == {"old": "OSError: cannot read"}
    old_keras.asked.clear()
    assert (child.comparison(outputs, "old.h5", inputs, "unsafe"), old_keras.asked) == ({"old": "unsafe"}, [])


def test_no_old_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tf_keras there is no comparison."""
    monkeypatch.delitem(sys.modules, "tf_keras", raising=False)
    monkeypatch.setattr(child.importlib.util, "find_spec", lambda name: None)
    assert child.comparison([], "old.h5", [], "") == {"old": "tf_keras is not installed"}


@pytest.fixture
def new_keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Keras whose model doubles, and which says with what it was asked."""
    state = SimpleNamespace(loaded=[], model=Model(double))

    def load_model(target: str, custom_objects: Any) -> Model:
        state.loaded.append((target, custom_objects))
        if state.model is None:
            raise ValueError("\x1b[1mno such\nlayer\x1b[0m\n\nArguments received by call(): all of it")
        return state.model  # type: ignore[no-any-return]

    def name(value: Any) -> str:
        return f"Package>{value.__name__}"

    module = SimpleNamespace(
        __version__="3.15.1",
        models=SimpleNamespace(load_model=load_model),
        saving=SimpleNamespace(get_registered_name=name),
    )
    monkeypatch.setitem(sys.modules, "keras", module)  # type: ignore[arg-type]
    return state


def answered(monkeypatch: pytest.MonkeyPatch, **job: Any) -> dict[str, Any]:
    """The answer of the process to a job."""

    class Output(io.StringIO):
        def close(self) -> None:
            if not self.closed:
                texts.append(self.getvalue())
            super().close()

    texts, moved = list[str](), list[tuple[int, int]]()
    system = SimpleNamespace(
        environ={}, fdopen=lambda number, mode: Output(), dup=lambda number: number, dup2=lambda *of: moved.append(of)
    )
    monkeypatch.setattr(child, "os", system)
    settings = {"target": "new.keras", "source": "old.h5", "modules": [], "function": "", "directories": []}
    child.main(json.dumps({**settings, "unloaded": "", **job}))
    assert (moved, system.environ) == ([(2, 1)], {"TF_ENABLE_ONEDNN_OPTS": "1"})
    [text] = texts
    return json.loads(text)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("old_keras")
def test_an_answer(new_keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what went in, what came out, and how far the old model is."""
    expected = {**ANSWER, "outputs": [[2, 4]], "compiled": True, "difference": 0.0}
    assert answered(monkeypatch) == expected
    assert new_keras.loaded == [("new.keras", {})]
    new_keras.model = Model(lambda x: x / 0.0)
    with np.errstate(all="ignore"):
        assert answered(monkeypatch, unloaded="unsafe") == {
            **ANSWER, "outputs": [[2, 4]], "compiled": True, "finite": False, "old": "unsafe",
        }  # fmt: skip


def test_an_error_is_a_line(new_keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of Keras is told without colours, lines and the values of all arguments."""
    new_keras.model = None
    assert answered(monkeypatch) == {"error": "ValueError: no such layer"}


def test_modules_are_imported_first(new_keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of the job come before the model, and so does the way to the user's own."""
    order = list[Any]()
    monkeypatch.setattr(child.importlib, "import_module", order.append)
    monkeypatch.setattr(child, "admit_own_code", lambda *arguments: order.append(arguments))
    monkeypatch.setattr(child, "outcome", lambda *arguments: order.append(arguments))
    answered(monkeypatch, modules=["a", "b"], function="m:build", directories=["d"], unloaded="why")
    assert order == ["a", "b", ("m:build", ["d"]), ("new.keras", "old.h5", "m:build", "why")]


@pytest.mark.usefixtures("new_keras")
def test_objects_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes of the model and whatever can be called in its module go by their names and by those that are registered;
    Keras's own classes do not."""
    own = type("Own", (), {"__module__": "elsewhere"})
    builtin = type("Dense", (), {"__module__": "keras.src.layers.core.dense"})
    module = SimpleNamespace(double=double, Dense=builtin, number=3, nameless=partial(double))
    monkeypatch.setitem(sys.modules, "of_the_user", module)  # type: ignore[arg-type]
    monkeypatch.setattr(child, "model_of", lambda name: SimpleNamespace(_flatten_layers=lambda: [own(), builtin()]))
    expected = {"Own": own, "Package>Own": own, "double": double, "Package>double": double}
    objects = child.objects_of("of_the_user:build")
    assert {name: objects.get(name) for name in expected} == expected
    assert "Dense" not in objects
    assert child.objects_of("") == {}
