"""The action for GitHub: its own steps, run by bash in the environment that a runner gives."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ckpttool.render.checks import CHECK_OUTPUTS
from tests.samples import FIXTURES
from tests.speeds import is_full

ROOT = Path(__file__).parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="needs bash and paths of POSIX systems"
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a step: its exit code, its log, and the summary of the job after it."""

    code: int
    log: str
    summary: str


Check = Callable[..., Outcome]


def step(name: str) -> dict[str, Any]:
    """A step of the action by its name."""
    (matching,) = (step for step in ACTION["runs"]["steps"] if step.get("name") == name)
    return dict(matching)


def run(name: str, workspace: Path, inputs: dict[str, str], environment: dict[str, str]) -> Outcome:
    """Runs a step as a runner does; expressions are replaced in `env` alone, since scripts have none."""
    values = {key: str(declared.get("default", "")) for key, declared in ACTION["inputs"].items()} | inputs
    chosen = step(name)
    assert chosen["shell"] == "bash"
    values = {
        key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: values[match[1]], text)
        for key, text in chosen.get("env", {}).items()
    }
    script, summary = workspace.parent / "step.sh", workspace.parent / "summary.md"
    script.write_text(chosen["run"])
    temp = workspace.parent / "temp"
    temp.mkdir(exist_ok=True)
    summary.touch()
    runner = {"GITHUB_ACTION_PATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(summary), "RUNNER_TEMP": str(temp)}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        cwd=workspace,
        env={**environment, **runner, **values},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Outcome(done.returncode, done.stdout, summary.read_text())


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Runs the step Check, with the ckpttool that is under test, in a workspace with a good and a bad checkpoint."""
    workspace, programs = tmp_path / "workspace", tmp_path / "bin"
    (workspace / "models of mine").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(FIXTURES / "keras3/mlp.keras", workspace / "models of mine/good.keras")
    shutil.copy(FIXTURES / "broken/truncated.weights.h5", workspace / "bad.weights.h5")
    shutil.copy(FIXTURES / "broken/zip_named.h5", workspace / "odd.h5")
    program = programs / "ckpttool"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ckpttool "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return lambda **inputs: run("Check", workspace, inputs, environment)


def test_clean(check: Check) -> None:
    """A clean checkpoint, in a directory with blanks in its name, is a passed step, and told in the summary."""
    for paths in ("models of mine", "models of mine/*.keras\n", "\nmodels of mine/good.keras\n\n  \n"):
        done = check(paths=paths)
        assert (done.code, done.log) == (0, "clean: 1 checkpoint\n")
    assert done.summary.count("### ckpttool check: clean: 1 checkpoint\n") == 3


def test_findings(check: Check) -> None:
    """A damaged checkpoint among others fails the step; the log has an annotation, the summary a row."""
    done = check(paths="models of mine\nbad.weights.h5\n")
    assert done.code == 1
    assert done.log.startswith("::error file=bad.weights.h5,title=I101 damaged::")
    assert re.search(r"^\| error +\| I101 damaged", done.summary, re.MULTILINE)


def test_nothing(check: Check) -> None:
    """A glob that matches nothing fails the step."""
    assert check(paths="none/*.keras").code == 2
    assert check(paths="none/*.keras", args="--allow-empty").code == 0


def test_args(check: Check) -> None:
    """Options come through, as many as there are, and reports are written into the workspace."""
    assert check(paths="odd.h5").code == 0
    done = check(paths="odd.h5", args="--strict --output-file report.sarif\n --output-file report.xml", output="text")
    assert done.code == 1
    assert "I112" in done.log


@pytest.mark.parametrize("output", sorted(CHECK_OUTPUTS))
def test_outputs(check: Check, output: str) -> None:
    """Any output can be had in the log."""
    assert check(paths="bad.weights.h5", output=output).code == 1


@pytest.mark.parametrize(
    "text", ["$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "--help", "'\ntouch pwned\n'"]
)
def test_inputs_are_no_code(check: Check, text: str, tmp_path: Path) -> None:
    """Nothing that stands in an input runs, and the step fails."""
    assert check(paths=text, args=text, output=text).code == (0 if text == "--help" else 2)
    if is_full():
        assert check(paths=text).code == 2
        assert check(paths="bad.weights.h5", args=text).code != 0 or text == "--help"
        assert check(paths="bad.weights.h5", output=text).code == 2
    assert list(tmp_path.rglob("pwned")) == []


def test_names_are_no_options(check: Check, tmp_path: Path) -> None:
    """A file whose name looks like an option is checked, and no report is written because of it."""
    name = "--output-file=written.h5"
    shutil.copy(FIXTURES / "broken/truncated.weights.h5", tmp_path / "workspace" / name)
    for paths in (name, "--*.h5"):
        done = check(paths=paths)
        assert (done.code, done.log.startswith(f"::error file={name},title=I101 damaged::")) == (1, True), done.log
    assert not list(tmp_path.rglob("written.h5"))


def test_a_wrong_option_leaves_no_summary(check: Check) -> None:
    """No older summary is shown again where nothing was checked."""
    check(paths="models of mine")
    assert check(paths="models of mine", args="--nothing").summary.count("###") == 1


def test_no_expression_in_a_script() -> None:
    """Inputs reach scripts as variables of the environment, so that nobody can write code into them."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert len(scripts) == 2
    assert not any("${{" in script for script in scripts)


def test_nothing_of_the_workspace_is_imported(tmp_path: Path) -> None:
    """The step Install runs `python -m`, which looks for modules in the current directory, in that of the action."""
    workspace, programs = tmp_path / "workspace", tmp_path / "bin"
    workspace.mkdir()
    programs.mkdir()
    program = programs / "python"
    program.write_text('#!/bin/sh\npwd\necho "$@"\n')
    program.chmod(0o755)
    done = run("Install", workspace, {}, {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"})
    assert (done.code, done.log) == (0, f"{ROOT}\n-m pip install --quiet {ROOT}[junit]\n")


def test_install(tmp_path: Path) -> None:
    """The step Install makes the command, in the Python that comes first."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "hatchling", "--dest", str(tmp_path)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no packages can be fetched here")
    subprocess.run([sys.executable, "-m", "virtualenv", "--quiet", str(tmp_path / "python")], check=True)
    (site,) = (tmp_path / "python").glob("lib/*/site-packages")
    (site / "here.pth").write_text(sysconfig.get_paths()["purelib"])  # what it needs is here already
    programs = tmp_path / "python/bin"
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PIP_NO_COMPILE": "1"}
    environment.pop("PYTHONPATH", None)
    done = run("Install", workspace, {}, environment)
    assert done.code == 0, done.log
    model = str(FIXTURES / "keras3/mlp.keras")
    assert (programs / "ckpttool").exists()
    checked = run("Check", workspace, {"paths": model, "output": "junit"}, environment)
    assert (checked.code, checked.log[:12]) == (0, "<testsuites ")
