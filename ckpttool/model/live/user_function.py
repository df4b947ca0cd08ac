"""Models that a function of the user's own code builds. It runs in a process of its own, and only where the user named
it: nothing that came out of a file gets here."""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from io import TextIOWrapper
from operator import attrgetter
from pathlib import Path
from subprocess import STDOUT
from typing import Any

from ckpttool.errors import BuildError, CheckpointError
from ckpttool.io import child_processes, json_text
from ckpttool.model import Architecture
from ckpttool.model.live.serialization import from_json, to_json

_SHOWN = 12
_FACTS = ("what", "where", "expected", "found", "hint")

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}

# What nobody's own code provides, even where a module of that name lies beside it.
_NEVER_OWN = sys.stdlib_module_names | {
    *(
        "ckpttool",
        "h5py",
        "jax",
        "jaxlib",
        "keras",
        "ml_dtypes",
        "numpy",
        "openvino",
        "tensorflow",
        "tf_keras",
        "torch",
    ),
    *("sitecustomize", "usercustomize"),
}


def architecture_of_function(target: str) -> Architecture:
    """The architecture of the Keras model that `package.module:function` returns, called without arguments in a new
    process: its config, and its objects with their weights.

    Raises BuildError where that gives no built model of Keras 3.
    """
    with tempfile.TemporaryDirectory(prefix="ckpttool-") as folder:
        answer, output = Path(folder, "answer.json"), Path(folder, "output.txt")
        status = _run(target, answer, output)
        lines = [line for line in output.read_text("utf-8", "replace").splitlines() if line.strip()][-_SHOWN:]
        if not answer.exists():
            actual = lines[-1].strip() if lines else f"the process ended with status {status}"
            raise BuildError(
                "gives no model", lines, path=target, expected="a function that returns a keras.Model", found=actual
            )
        value = json_text.parse(answer.read_bytes(), "the description of the model").value
    if "error" in value:
        raise BuildError(path=target, **{key: str(value["error"].get(key, "")) for key in _FACTS})
    return from_json(value)


def _run(target: str, answer: Path, output: Path) -> int:
    """Call the function in a process of its own, which writes its model to `answer` and prints to `output`."""
    directories = child_processes.own_directories()
    with (
        output.open("wb") as output_file,
        child_processes.start(
            "ckpttool.model.live.user_function", target, str(answer), *directories,
            environment={**_QUIET, **os.environ}, stdout=output_file.fileno(), stderr=STDOUT,
        ) as process,
    ):  # fmt: skip
        return process.wait()


@dataclass(frozen=True)
class _OwnCode:
    """A finder of modules in the user's directories, of those whose names it accepts."""

    directories: Sequence[str]
    accepts: Callable[[str], bool]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The place of a module, None where it is looked for elsewhere."""
        return PathFinder.find_spec(name, self.directories) if path is None and self.accepts(name) else None


def admit_own_code(target: str, directories: Sequence[str]) -> None:
    """Let this process import the module of `package.module:function` from these directories, and work in the first of
    them. Of what that module imports, what is installed comes first."""
    top = target.partition(":")[0].partition(".")[0]
    sys.meta_path.insert(0, _OwnCode(directories, lambda name: name == top))
    sys.meta_path.append(_OwnCode(directories, lambda name: name not in _NEVER_OWN))
    if directories:
        os.chdir(directories[0])


def model_of(target: str) -> Any:
    """The result of `package.module:function`, called in this process."""
    module, _, name = target.partition(":")
    return attrgetter(name)(importlib.import_module(module))()


def main(target: str, answer: str, *directories: str) -> None:
    """The work of the new process. Any error of the user's code ends it with a traceback."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what was printed before a failure is to stand before it
    admit_own_code(target, directories)
    model = model_of(target)
    try:
        text = to_json(Architecture.from_model(model))
    except CheckpointError as error:
        text = json.dumps({"error": {key: getattr(error, key) for key in _FACTS}})
    Path(answer).write_text(text, encoding="utf-8")
