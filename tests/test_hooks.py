"""The hooks for pre-commit, run by pre-commit itself in a real repository, set up as the docs say."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.samples import FIXTURES

ROOT = Path(__file__).parents[1]
HOOK = "ckpttool-check"
PARTS = ("ckpttool", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

Git = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where no package can be fetched: an environment for hooks is made of fresh ones."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "hatchling", "--dest"]
    done = subprocess.run([*command, str(tmp_path_factory.mktemp("package"))], capture_output=True)
    if done.returncode:
        pytest.skip("no packages can be fetched here")


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """git in an empty repository, away from the user's own settings."""
    repository = tmp_path / "project"
    repository.mkdir()
    environment = {
        **{name: setting for name, setting in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))},
        **{"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "SKIP": "", "PIP_NO_COMPILE": "1"},
        **{f"GIT_{who}_{fact}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")},
        "PRE_COMMIT_HOME": str(tmp_path / "hooks"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(*arguments: str, cwd: Path = repository, program: str = "git") -> "subprocess.CompletedProcess[str]":
        return subprocess.run([program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)

    assert run("init", "--quiet").returncode == 0
    return run


def tool_repository(git: Git, place: Path) -> tuple[str, str]:
    """A repository of ckpttool as it is now, as path and commit."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        place.mkdir(exist_ok=True)
        copy(ROOT / part, place / part)  # type: ignore[operator]
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "all")):
        assert git(*arguments, cwd=place).returncode == 0
    return str(place), git("rev-parse", "HEAD", cwd=place).stdout.strip()


def pinned(repository: str, commit: str) -> str:
    """The configuration that the docs tell, with a repository and commit that are there."""
    page = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(repos:\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (block,) = blocks
    return re.sub(r"rev: \S+", f"rev: {commit}", re.sub(r"repo: \S+", f"repo: {repository}", block))


def test_names_are_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> None:
    """A file whose name looks like an option is checked as any other; pre-commit calls `entry`, then `args`, then the
    names."""
    (hook,) = (entry for entry in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()) if entry["id"] == HOOK)
    name = "--output-file=written.h5"
    shutil.copy(FIXTURES / "broken/truncated.weights.h5", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    done = run(*hook["entry"].split()[1:], *hook["args"], name)
    assert (done.code, done.out.startswith(f"{name}\n  error ")) == (1, True)
    done = run("check", "--strict", name)
    assert (done.code, done.out) == (2, "")
    assert "is an option, and a file of this name is here" in done.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.usefixtures("packages")
def test_hooks(git: Git, tmp_path: Path) -> None:
    """A commit of a damaged checkpoint, or of weights that no longer fit their spec, does not come to be."""
    project = tmp_path / "project"
    (project / ".pre-commit-config.yaml").write_text(pinned(*tool_repository(git, tmp_path / "tool")))
    weights, spec = project / "model.weights.h5", project / "model.spec.json"
    shutil.copy(FIXTURES / "keras3/mlp.weights.h5", weights)
    command = [sys.executable, "-m", "ckpttool", "spec", str(FIXTURES / "keras3/mlp.keras"), "-o", str(spec)]
    subprocess.run(command, check=True, cwd=ROOT)
    assert git("install", program="pre-commit").returncode == 0

    git("add", ".")
    first = git("commit", "-m", "a good one")
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(r"ckpttool check\.+Passed", first.stderr)
    assert re.search(r"ckpttool verify\.+Passed", first.stderr)

    shutil.copy(FIXTURES / "broken/truncated.weights.h5", project / "cut.weights.h5")
    git("add", ".")
    cut = git("commit", "-m", "a damaged one")
    assert cut.returncode == 1
    assert re.search(r"ckpttool check\.+Failed", cut.stderr)
    assert "I101 damaged" in cut.stderr
    git("rm", "--quiet", "--cached", "cut.weights.h5")

    shutil.copy(FIXTURES / "keras3/nested.weights.h5", weights)
    git("add", "model.weights.h5")
    mismatched = git("commit", "-m", "of another model")
    assert mismatched.returncode == 1
    assert re.search(r"ckpttool check\.+Passed", mismatched.stderr)
    assert re.search(r"ckpttool verify\.+Failed", mismatched.stderr)
    assert "does not load into" in mismatched.stderr
    assert git("rev-list", "--count", "HEAD").stdout == "1\n"
