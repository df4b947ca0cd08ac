"""Child processes start in isolation, and no command runs code from the directory that it is started in."""

import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ckpttool.errors import ChildError
from ckpttool.io import child_processes
from tests.samples import FIXTURES
from tests.speeds import is_full, is_slow, one_of_each

ROOT = Path(__file__).parents[2]
KERAS = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")

_STATE = """
import json, os, sys
opened = [fd for fd in range(3, 256) if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}") != f"/proc/{os.getpid()}/fd"]
print(json.dumps({"path": sys.path, "flags": [sys.flags.isolated, sys.flags.utf8_mode], "directory": os.getcwd(),
                  "environment": dict(os.environ), "opened": opened, "argument": json.loads(sys.argv[1])["arguments"]}))
"""  # noqa: E501

TRAPS = sorted(
    sys.stdlib_module_names
    | {*("click", "h5py", "junitparser", "keras", "numpy", "tabulate", "tensorflow", "tf_keras", "tomli", "yaml")}
    | {*("jax", "torch", "sitecustomize", "usercustomize", "ckpttool", "absl", "rich", "optree", "namex", "ml_dtypes")}
)
"""Modules that somebody could try to import: a file of each name lies in the directory of traps."""

_ONE_AFTER_THE_OTHER = """
import shlex
codes = []
for command in sys.argv[1:]:
    print("$", command, file=sys.stderr)
    try:
        main(shlex.split(command), prog_name="ckpttool")
    except SystemExit as ended:
        codes.append(ended.code or 0)
print(*codes, file=sys.stderr)
"""

BUILD = """
import keras
import own_layers

def build():
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(3, name="d"), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    return model
"""

CONFIGURATION = """
[check]
ignore = ["I112"]

[check.requirements]
architecture = "../../outside.json"
baseline = "/nowhere/secret.keras"
"""


def state(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> dict[str, object]:
    """The answer of a child process about itself."""
    monkeypatch.setattr(child_processes, "_START", _STATE)
    with child_processes.start("some.module", "one", environment=environment, stdout=subprocess.PIPE) as process:
        answer: dict[str, object] = json.loads(process.communicate()[0])
    return answer


@pytest.mark.skipif(sys.platform == "win32", reason="looks at descriptors as Linux has them")
def test_a_child_is_isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no descriptor of its parent, none of the variables that Python and TensorFlow obey, starts in the root
    directory, and looks for modules neither in the current directory nor in PYTHONPATH."""
    named = tmp_path / "named"
    named.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), str(named), ".", *sys.path])
    for name in (
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "TF_CPP_VMODULE",
        "XLA_FLAGS",
        "LD_PRELOAD",
        "KERAS_HOME",
        "MALLOC_CHECK_",
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PYTHONPATH", f"{named}{os.pathsep}")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"lib{os.pathsep}{os.pathsep}/opt/lib")
    monkeypatch.setenv("LC_TIME", "C")
    with open(tmp_path / "open", "w") as file:
        os.set_inheritable(file.fileno(), True)
        answer = state(monkeypatch, child_processes.clean_environment(ONE="1"))
    assert answer["path"] is not None
    assert not {"", ".", str(tmp_path), str(named)} & set(map(str, answer["path"]))  # type: ignore[call-overload]
    assert (answer["flags"], answer["directory"], answer["opened"]) == ([1, sys.flags.utf8_mode], "/", [])
    assert answer["argument"] == ["one"]
    environment = answer["environment"]
    assert isinstance(environment, dict)
    assert {key: environment[key] for key in ("ONE", "LC_TIME", "LD_LIBRARY_PATH")} == {
        "ONE": "1", "LC_TIME": "C", "LD_LIBRARY_PATH": "/opt/lib",
    }  # fmt: skip
    assert not [key for key in environment if key.startswith(("PYTHON", "TF_", "XLA_", "LD_P", "KERAS", "MALLOC"))]


def test_where_modules_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, that of PYTHONPATH and that of the script are the user's own; those of the standard
    library and of installed packages are not, even where one stands in them."""
    library = os.path.dirname(os.__file__)
    installed, script, named = tmp_path / "site-packages", tmp_path / "script", tmp_path / "named"
    for place in (installed, script, named):
        place.mkdir()
    monkeypatch.setattr(sys, "path", [str(script), str(named), str(installed), library, str(tmp_path / "added")])
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script / "train.py"), raising=False)
    monkeypatch.setenv("PYTHONPATH", str(named))
    monkeypatch.chdir(tmp_path)
    assert child_processes.search_path() == [str(installed), library, str(tmp_path / "added")]
    assert child_processes.own_directories() == [str(tmp_path), str(script), str(named)]
    for place in (library, installed):
        monkeypatch.chdir(place)
        assert child_processes.search_path() == [str(installed), library, str(tmp_path / "added")]


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is one clear error."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ChildError, match="cannot be started"):
        child_processes.start("some.module", environment={})


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with some checkpoints, in which every module that anyone imports is there and leaves a mark."""
    folder = tmp_path_factory.mktemp("traps") / "models"
    folder.mkdir()
    trap = f"open({str(marks(folder))!r}, 'a').write(__name__ + chr(10))"
    for name in TRAPS:
        (folder / f"{name}.py").write_text(trap)
    for name in ("trap.pth", "site-packages.pth"):
        (folder / name).write_text(f"import sys; {trap}\n")
    for name in ("keras3/mlp.keras", "keras3/mlp.weights.h5", "keras3/chunked.weights.h5", "keras2.15/mlp.h5"):
        shutil.copy(FIXTURES / name, folder / Path(name).name)
    (folder / "checkpoints.json").write_text('{"version": 1, "checkpoints": []}')
    (folder / "ckpttool.toml").write_text(CONFIGURATION)
    (folder / "train_models.py").write_text(BUILD)
    (folder / "own_layers.py").write_text("LAYERS = 2")
    importing = f"import sys\nsys.path.append({str(ROOT)!r})\nfrom ckpttool.cli import main\n"
    (folder.parent / "ckpttool").write_text(f"{importing}main(prog_name='ckpttool')\n")
    (folder.parent / "one_after_the_other").write_text(importing + _ONE_AFTER_THE_OTHER)
    return folder


def marks(folder: Path) -> Path:
    """The file in which traps leave their marks."""
    return folder.parent / "marks"


def ckpttool(traps: Path, *arguments: str, door: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """The command, started in the directory of traps: by its script, or by this door."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [sys.executable, *(door or (str(traps.parent / "ckpttool"),)), *arguments]
    marks(traps).unlink(missing_ok=True)
    done = subprocess.run(command, cwd=traps, env=environment, capture_output=True, text=True)
    caught = marks(traps).read_text().split() if marks(traps).exists() else []
    assert caught == [], (arguments, done.stderr)
    return done


COMMANDS = {
    "ls .": 0,
    "ls chunked.weights.h5 --stats --sha256": 0,
    "ls checkpoints.json": 2,
    "info mlp.keras mlp.h5": 2,
    "info mlp.h5 --output json": 0,
    "diff mlp.keras mlp.h5": 0,
    "diff chunked.weights.h5 chunked.weights.h5": 0,
    "verify mlp.weights.h5 mlp.keras": 0,
    "spec mlp.keras": 0,
    "textconv chunked.weights.h5": 0,
    "rule --all": 0,
    "check .": 2,
    "check *.h5 --jobs 2 --no-config --output junit": 0,
    "check . --jobs 2": 2,
    "check . --no-config": 0,
    "check . --no-config --jobs 2": 0,
    "convert mlp.h5 new.weights.h5 --force": 0,
}


def processes() -> list[list[str]]:
    """The commands that one process runs: in a quick run those with a word that none before them has, in a full one
    all of one name, in a slow one each on its own."""
    if is_slow():
        return [[command] for command in COMMANDS]
    if is_full():
        return [list(group) for _, group in itertools.groupby(COMMANDS, lambda command: command.split()[0])]
    return [one_of_each(COMMANDS, str.split)]


@pytest.mark.parametrize("commands", processes(), ids=lambda commands: commands[0])
def test_no_command_runs_what_lies_there(commands: list[str], traps: Path) -> None:
    """Neither the command nor a child of it imports a module from the current directory."""
    done = ckpttool(traps, *commands, door=(str(traps.parent / "one_after_the_other"),))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    codes = done.stderr.splitlines()[-1]
    assert codes.split() == [str(COMMANDS[command]) for command in commands], done.stdout + done.stderr


@KERAS
@pytest.mark.parametrize("options", [(), ("--prove", "--arch", "train_models:build")])
def test_keras_runs_nothing_that_lies_there(options: tuple[str, ...], traps: Path) -> None:
    """A converted model is loaded by the Keras that is installed; where a function of the user's own is named, its
    module is imported, and still nothing in the place of the standard library or of Keras."""
    done = ckpttool(traps, "convert", "mlp.h5", "new.keras", "--force", *options)
    if "--arch" in options:
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    else:
        assert "= Keras 3" in done.stdout, done.stdout + done.stderr


DOORS = ("-I -m ckpttool", "-P -m ckpttool")
CHECK, LIST = "check *.h5 --jobs 2 --no-config", "ls chunked.weights.h5 --stats"


@pytest.mark.parametrize(
    ("door", "command"),
    one_of_each([*zip(DOORS, (CHECK, LIST), strict=True), *itertools.product(DOORS, (CHECK, LIST))], tuple),
)
def test_safe_ways_to_start_python(door: str, command: str, traps: Path) -> None:
    """`python -I -m` and `python -P -m` are as safe as the script."""
    if "-P" in door and sys.version_info < (3, 11):
        pytest.skip("-P is of Python 3.11")
    done = ckpttool(traps, *command.split(), door=tuple(door.split()))
    if "No module named ckpttool" in done.stderr:
        pytest.skip("ckpttool is not installed")
    assert (done.returncode, done.stderr) == (0, "")
