"""The proof of a converted model by running it, with Keras in a process of its own."""

import importlib.util
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from typing import Any, NamedTuple

from ckpttool.errors import ChildError, NoKerasError, ProofError
from ckpttool.escape import brief
from ckpttool.io import child_processes

SECONDS = 600
SMALL = 32 << 20
"""The bytes of weights up to which a model is run with Keras even if the user does not ask for it."""

# Keras runs on the CPU: its results are the same everywhere, and no training loses memory of its GPU.
_SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
}
_BACKENDS = ("tensorflow", "jax", "torch")
TOLERANCE = 1e-3
"""The largest accepted difference of outputs from those of the old model, relative to the largest of these."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction of Keras with a converted model: the version of Keras, the kinds of inputs, the shapes of outputs,
    whether all values are finite, and whether the model is compiled.

    `difference` is the largest difference from the outputs of the old model in tf_keras, relative to the largest of
    these; None where that could not be run, for the reason `old`.
    """

    keras: str
    inputs: tuple[str, ...]
    outputs: tuple[tuple[int, ...], ...]
    finite: bool
    compiled: bool
    difference: float | None = None
    old: str = ""

    __repr__ = brief


class Proof(NamedTuple):
    """The settings of a proof: modules of ckpttool to import, and the user's function that builds such a model, whose
    classes Keras needs. `asked` says whether the user asked for the proof. `unloaded` is the reason why tf_keras must
    not load the old model, empty where it may."""

    modules: tuple[str, ...] = ()
    function: str = ""
    asked: bool = True
    unloaded: str = ""


def is_installed() -> bool:
    """Whether Keras is installed; it is not imported to find out."""
    return importlib.util.find_spec("keras") is not None


def predict(target: Path, source: Path, proof: Proof) -> Prediction:
    """Load and run the converted model with Keras, and the old one with tf_keras where that is installed.

    Raises ProofError where the new model does not load or the outputs differ, NoKerasError where Keras cannot be run.
    """
    answer = _run(target, source, proof)
    if "error" in answer:
        raise ProofError("Keras does not load the converted model", path=str(source), found=str(answer["error"]))
    outputs = tuple(tuple(shape) for shape in answer["outputs"])
    result = Prediction(
        answer["keras"],
        tuple(answer["inputs"]),
        outputs,
        answer["finite"],
        answer["compiled"],
        answer.get("difference"),
        answer.get("old", ""),
    )
    if result.difference is not None and not result.difference <= TOLERANCE:
        raise ProofError(
            "the outputs of the converted model differ from those of the old one",
            path=str(source),
            expected=f"a relative difference of {TOLERANCE} at most",
            found=f"{result.difference:.3g}",
        )
    return result


def _run(target: Path, source: Path, proof: Proof) -> Any:
    job = {
        "target": os.path.abspath(target),
        "source": os.path.abspath(source),
        "unloaded": proof.unloaded,
        "modules": proof.modules,
        "function": proof.function,
        "directories": child_processes.own_directories() if proof.function else [],
    }
    try:
        with tempfile.TemporaryDirectory(prefix="ckpttool-") as settings:
            output, errors, status = _answer(json.dumps(job), _environment(proof, settings), source)
    except (ChildError, OSError) as error:
        raise NoKerasError("Keras could not be run", path=str(source), found=str(error)) from error
    try:
        return json.loads(output)
    except ValueError:
        lines = errors.decode("utf-8", "replace").splitlines()
        hint = "it needs Keras 3: pip install 'ckpttool[tensorflow]'"
        last_line = lines[-1] if lines else f"status {status}"
        raise NoKerasError("Keras could not be run", path=str(source), found=last_line, hint=hint) from None


def _environment(proof: Proof, settings: str) -> dict[str, str]:
    """The environment of the process that runs Keras. Without code of the user's own, Keras has its default settings,
    not those of a keras.json, as KERAS_HOME is an empty directory."""
    if proof.function:
        return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return child_processes.clean_environment(**_SETTINGS, KERAS_BACKEND=_backend(), KERAS_HOME=settings)


def _backend() -> str:
    """The backend with which Keras runs: the one in the environment, else the first that is installed."""
    chosen = os.environ.get("KERAS_BACKEND")
    if chosen in _BACKENDS:
        return chosen
    return next((name for name in _BACKENDS if importlib.util.find_spec(name)), _BACKENDS[0])


def _answer(job: str, environment: dict[str, str], source: Path) -> tuple[bytes, bytes, int]:
    """The standard output, the standard error and the status of the process. Raises ProofError where it takes too
    long."""
    module = "ckpttool.conversion.prove.child"
    with child_processes.start(module, job, environment=environment, stdout=PIPE, stderr=PIPE) as process:
        try:
            output, errors = process.communicate(timeout=SECONDS)
        except TimeoutExpired:
            raise ProofError("Keras did not end", path=str(source), expected=f"{SECONDS} s at most") from None
        finally:
            process.kill()
    return output, errors, process.returncode
