"""Models that a function of the user's own code builds. It runs in a process of its own, and only where the user named
it: nothing that came out of a file gets here."""

import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from ckpttool import jsontext
from ckpttool.architecture import Architecture
from ckpttool.architecture.parts import from_json, to_json
from ckpttool.errors import CheckpointError
from ckpttool.escape import printable

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_SHOWN = 12
_FACTS = ("what", "where", "expected", "found", "hint")

# Modules are looked for in the current directory first, as `python -m` does, then where this process looks.
_START = "import sys; sys.path[:] = sys.argv[3:]; from ckpttool.building import main; main(*sys.argv[1:3])"
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


class BuildError(CheckpointError):
    """The user's function gave no model. `said` are the last lines of what it printed."""

    def __init__(self, what: str, said: Sequence[str] = (), **facts: str) -> None:
        super().__init__(what, **facts)
        self.said = tuple(said)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  | {printable(line)}" for line in self.said)])


def names_function(text: str) -> bool:
    """Whether a text is `package.module:function`, and no file of that name is there."""
    return _FUNCTION.fullmatch(text) is not None and not os.path.exists(text)


def architecture_of_function(target: str) -> Architecture:
    """The architecture of the Keras model that `package.module:function` returns, called without arguments in a new
    process: its config, and its objects with their weights.

    Raises BuildError where that gives no built model of Keras 3.
    """
    with tempfile.TemporaryDirectory(prefix="ckpttool-") as folder:
        told, said = Path(folder, "told.json"), Path(folder, "said.txt")
        status = _run(target, told, said)
        lines = [line for line in said.read_text("utf-8", "replace").splitlines() if line.strip()][-_SHOWN:]
        if not told.exists():
            found = lines[-1].strip() if lines else f"the process ended with status {status}"
            raise BuildError(
                "gives no model", lines, path=target, expected="a function that returns a keras.Model", found=found
            )
        value = jsontext.parse(told.read_bytes(), "what the model tells").value
    if "error" in value:
        raise BuildError(path=target, **{key: str(value["error"].get(key, "")) for key in _FACTS})
    return from_json(value)


def _run(target: str, told: Path, said: Path) -> int:
    """Calls the function in a process of its own, which tells its model in one file and prints into another."""
    paths = [os.getcwd(), *filter(None, sys.path), str(Path(__file__).resolve().parents[1])]
    with said.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-c", _START, target, str(told), *paths],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**_QUIET, **os.environ},
            check=False,
        )
    return done.returncode


def model_of(target: str) -> Any:
    """What `package.module:function` returns, called in this process."""
    module, _, name = target.partition(":")
    return attrgetter(name)(importlib.import_module(module))()


def main(target: str, told: str) -> None:
    """What the new process does. Whatever the user's code raises ends it with a traceback."""
    model = model_of(target)
    try:
        text = to_json(Architecture.from_model(model))
    except CheckpointError as error:
        text = json.dumps({"error": {key: getattr(error, key) for key in _FACTS}})
    Path(told).write_text(text, encoding="utf-8")
