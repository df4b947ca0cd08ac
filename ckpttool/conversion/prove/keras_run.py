"""Proving a converted model by running it, with Keras in a process of its own; only where the user asks for it."""

import importlib.util
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from typing import Any, NamedTuple

from ckpttool.errors import ChildError, NoKerasError, ProofError
from ckpttool.io import child_processes

SECONDS = 600
SMALL = 32 << 20
"""The bytes of weights up to which a model is loaded with Keras without being asked for."""

# Keras runs on the processor: its results are the same everywhere, and no training loses its graphics processor.
_SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
}
_BACKENDS = ("tensorflow", "jax", "torch")
TOLERANCE = 1e-3
"""How far outputs may be from those of the old model, relative to the largest of them."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What Keras made of a converted model: its version, what the inputs were, the shapes of the outputs, whether all
    values are finite, whether it is compiled. `difference` is the largest one from what tf_keras predicted with the
    old model, relative to its largest output, None where that could not be run, and `old` says why."""

    keras: str
    inputs: tuple[str, ...]
    outputs: tuple[tuple[int, ...], ...]
    finite: bool
    compiled: bool
    difference: float | None = None
    old: str = ""


class Proof(NamedTuple):
    """What Keras needs to load a converted model: modules of ckpttool's own to import, and the function of the user's
    own that builds such a model, whose classes it then knows. `asked` says whether the user asked for it. `unloaded` is
    why tf_keras must not load the old model, empty where it may."""

    modules: tuple[str, ...] = ()
    function: str = ""
    asked: bool = True
    unloaded: str = ""


def is_installed() -> bool:
    """Whether Keras is there to be run, as far as that can be seen without importing it."""
    return importlib.util.find_spec("keras") is not None


def predict(target: Path, source: Path, proof: Proof) -> Prediction:
    """Loads and runs the converted model with Keras, and the old one with tf_keras where that is installed.

    Raises ProofError where it does not load, or the two differ.
    """
    found = _run(target, source, proof)
    if "error" in found:
        raise ProofError("Keras does not load the converted model", path=str(source), found=str(found["error"]))
    outputs = tuple(tuple(shape) for shape in found["outputs"])
    result = Prediction(
        found["keras"],
        tuple(found["inputs"]),
        outputs,
        found["finite"],
        found["compiled"],
        found.get("difference"),
        found.get("old", ""),
    )
    if result.difference is not None and not result.difference <= TOLERANCE:
        raise ProofError(
            "the converted model predicts something else than the old one",
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
            output, said, status = _answer(json.dumps(job), _environment(proof, settings), source)
    except (ChildError, OSError) as error:
        raise NoKerasError("Keras could not be run", path=str(source), found=str(error)) from error
    try:
        return json.loads(output)
    except ValueError:
        lines = said.decode("utf-8", "replace").splitlines()
        hint = "it needs Keras 3: pip install 'ckpttool[tensorflow]'"
        found = lines[-1] if lines else f"status {status}"
        raise NoKerasError("Keras could not be run", path=str(source), found=found, hint=hint) from None


def _environment(proof: Proof, settings: str) -> dict[str, str]:
    """The environment of the process that runs Keras. Without code of the user's own, Keras has the settings that it is
    installed with, not those of a keras.json: it finds an empty directory in its place."""
    if proof.function:
        return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return child_processes.clean_environment(**_SETTINGS, KERAS_BACKEND=_backend(), KERAS_HOME=settings)


def _backend() -> str:
    """The backend with which Keras runs: the one that the environment names, else the first that is installed."""
    chosen = os.environ.get("KERAS_BACKEND")
    if chosen in _BACKENDS:
        return chosen
    return next((name for name in _BACKENDS if importlib.util.find_spec(name)), _BACKENDS[0])


def _answer(job: str, environment: dict[str, str], source: Path) -> tuple[bytes, bytes, int]:
    """What the process writes to its standard output and to standard error, and its status."""
    module = "ckpttool.conversion.prove.child"
    with child_processes.start(module, job, environment=environment, stdout=PIPE, stderr=PIPE) as process:
        try:
            output, said = process.communicate(timeout=SECONDS)
        except TimeoutExpired:
            raise ProofError("Keras did not end", path=str(source), expected=f"{SECONDS} s at most") from None
        finally:
            process.kill()
    return output, said, process.returncode
